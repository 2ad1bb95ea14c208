"""A text notebook in JupyterLab: made, run, edited outside, converted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.e2e

TEXT = "# %%\nx = 20\n\n# %%\nprint(x + 1)\n"


@pytest.fixture
def lab_page(lab, page: Page) -> Page:
    page.goto(f"{lab.url}/lab?reset&token={lab.token}")
    page.wait_for_function("window.jupyterapp?.commands.hasCommand('slipway:new-text-notebook')", timeout=60_000)
    return page


def command(page: Page, name: str) -> None:
    page.evaluate("name => void window.jupyterapp.commands.execute(name)", name)


def opened(lab_page: Page, path: str) -> None:
    lab_page.evaluate(
        "path => void window.jupyterapp.commands.execute('docmanager:open', "
        "{path, factory: 'Notebook', kernel: {name: 'python3'}})",
        path,
    )
    expect(lab_page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell").first).to_be_visible()


def test_outputs_are_kept_and_old_ones_are_marked(lab, lab_page: Page) -> None:
    file: Path = lab.root / "kept.py"
    file.write_text(TEXT)
    opened(lab_page, "kept.py")
    panel = lab_page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    expect(panel.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']")).to_be_visible()

    command(lab_page, "notebook:run-all-cells")
    expect(panel.locator(".jp-OutputArea-output")).to_have_text(re.compile("21"))
    command(lab_page, "docmanager:save")
    lab_page.wait_for_function(
        "async () => (await window.jupyterapp.serviceManager.contents.get('kept.py')).content"
        ".cells[1].outputs.length === 1"
    )
    assert file.read_text() == TEXT
    command(lab_page, "application:close")
    expect(panel).to_have_count(0)
    lab_page.evaluate("void window.jupyterapp.serviceManager.sessions.shutdownAll()")

    file.write_text(TEXT.replace("x + 1", "x + 2"))
    opened(lab_page, "kept.py")

    expect(panel.locator(".slipway-mod-old")).to_have_attribute("data-slipway-old", re.compile("earlier version"))
    expect(panel.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']")).to_be_visible()
    command(lab_page, "notebook:run-all-cells")
    expect(panel.locator(".jp-OutputArea-output")).to_have_text(re.compile("22"))
    expect(panel.locator(".slipway-mod-old")).to_have_count(0)
    command(lab_page, "docmanager:save")


def test_a_new_one_is_a_text_and_becomes_an_ipynb(lab, lab_page: Page) -> None:
    command(lab_page, "slipway:new-text-notebook")
    panel = lab_page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    expect(panel.locator(".jp-Cell").first).to_be_visible()
    file = lab.root / "Untitled.py"
    assert "jupytext:" in file.read_text()
    expect(panel.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']")).to_be_visible()

    command(lab_page, "slipway:convert-notebook")

    expect(lab_page.locator(".lm-TabBar-tabLabel", has_text="Untitled.ipynb")).to_be_visible()
    assert not file.exists()
    assert (lab.root / "Untitled.ipynb").exists()
