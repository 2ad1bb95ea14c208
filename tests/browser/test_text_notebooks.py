"""A text notebook in JupyterLab: opened with what was kept, edited outside, made new, converted."""

from __future__ import annotations

import json
import re
import urllib.request
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = [
    pytest.mark.e2e,
    # pytest-base-url's own, which pytest-playwright needs.
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]

TEXT = "# %%\nx = 20\n\n# %%\nprint(x + 1)\n"
OPEN = """() => void window.jupyterapp.commands.execute('docmanager:open', {
  path: 'kept.py', factory: 'Notebook', kernel: { name: 'python3' }
})"""


@pytest.fixture
def lab_page(lab, page: Page) -> Page:
    page.goto(f"{lab.url}/lab?reset&token={lab.token}")
    page.wait_for_function("window.jupyterapp?.commands.hasCommand('slipway:new-text-notebook')")
    return page


def asked(lab, method: str, body: Any = None) -> Any:
    request = urllib.request.Request(f"{lab.url}/api/contents/kept.py?type=notebook", method=method)
    request.add_header("Authorization", f"token {lab.token}")
    with urllib.request.urlopen(request, json.dumps(body).encode() if body else None) as answer:
        return json.load(answer)


def command(page: Page, name: str, **arguments: object) -> None:
    page.evaluate("([name, args]) => void window.jupyterapp.commands.execute(name, args)", [name, arguments])


def test_outputs_are_kept_and_old_ones_are_marked_until_the_cell_runs(lab, lab_page: Page) -> None:
    file = lab.root / "kept.py"
    file.write_text(TEXT)
    notebook = asked(lab, "GET")["content"]
    notebook["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "21\n"}]
    notebook["cells"][1]["execution_count"] = 2
    asked(lab, "PUT", {"type": "notebook", "format": "json", "content": notebook})
    assert file.read_text() == TEXT
    file.write_text(TEXT.replace("x + 1", "x + 2"))

    lab_page.evaluate(OPEN)

    panel = lab_page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    old = panel.locator(".slipway-mod-old")
    expect(old).to_have_attribute("data-slipway-old", re.compile("earlier version"))
    expect(old).to_contain_text("21")
    panel.locator(".jp-CodeCell .cm-content").first.click()
    # Also when there is no kernel yet: it is waited for.
    command(lab_page, "notebook:run-all-cells")
    expect(panel.locator(".jp-OutputArea-output")).to_have_text(re.compile("22"))
    expect(old).to_have_count(0)


def test_a_new_one_is_a_text_and_becomes_an_ipynb(lab, lab_page: Page) -> None:
    command(lab_page, "slipway:new-text-notebook")
    panel = lab_page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    expect(panel.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']")).to_be_visible()
    file = lab.root / "Untitled.py"
    assert "jupytext:" in file.read_text()

    command(lab_page, "slipway:convert-notebook")

    expect(lab_page.locator(".lm-TabBar-tabLabel", has_text="Untitled.ipynb")).to_be_visible()
    assert not file.exists()
    assert (lab.root / "Untitled.ipynb").exists()


def test_a_notebook_that_was_markdown_is_markdown_again(lab, lab_page: Page) -> None:
    (lab.root / "prose.md").write_text("# Sums\n\n```python\nx = 1\n```\n")
    command(lab_page, "docmanager:open", path="prose.md", factory="Notebook")
    panel = lab_page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    expect(panel.locator(".jp-CodeCell")).to_be_visible()
    for name in ("prose.ipynb", "prose.md"):
        command(lab_page, "slipway:convert-notebook")
        expect(lab_page.locator(".lm-TabBar-tabLabel", has_text=name)).to_be_visible()
    assert not (lab.root / "prose.ipynb").exists()
    assert (lab.root / "prose.md").read_text().startswith("# Sums")
