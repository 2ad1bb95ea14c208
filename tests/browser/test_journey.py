"""The whole way in a real browser: publish a cell, run the job, see what it made, find the failing line."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

import pytest

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

pytestmark = [
    pytest.mark.e2e,
    # pytest-base-url's own, which pytest-playwright needs.
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
THEMES = ("JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast")


def open_lab(page, lab, notebook: str) -> None:
    page.goto(f"{lab.url}/lab/tree/{notebook}?token={lab.token}&reset")
    page.wait_for_selector("#jupyterlab-splash", state="detached")
    page.wait_for_function("window.jupyterapp?.restored.then(() => true)")
    page.wait_for_function("window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'")


def command(page, name: str, **arguments: object) -> None:
    page.evaluate("([name, args]) => void window.jupyterapp.commands.execute(name, args)", [name, arguments])


def cell(page, name: str):
    """The code cell that the fixture calls so."""
    order = ("imports", "settings", "data", "look", "model", "score")
    return page.locator(".jp-CodeCell").nth(order.index(name))


def run_all(page) -> None:
    prompt = cell(page, "score").locator(".jp-InputPrompt")
    before = re.escape(prompt.inner_text().strip())
    command(page, "notebook:run-all-cells")
    # Another number than it had: it has run again.
    expect(prompt).to_have_text(re.compile(rf"^(?!\s*{before})\s*\[\d+\]:"))
    expect(cell(page, "score").locator(".jp-OutputArea-output").first).to_be_visible()


def ask_to_publish(page, name: str, job: str):
    """Opens the dialog from the cell's own toolbar, and waits for the plan."""
    cell(page, name).locator(".cm-content").click()
    cell(page, name).locator(".jp-cell-toolbar").get_by_role("button", name="Publish this cell as a job").click()
    dialog = page.get_by_role("dialog", name="Publish cell as job")
    expect(dialog.locator(".slipway-Source")).to_be_visible()
    dialog.get_by_label("Job name").fill(job)
    return dialog


def current_page(page):
    return page.locator(".slipway-Page:visible")


def shoot(page, name: str) -> None:
    """A picture for the README, when SLIPWAY_SHOTS names a folder."""
    if folder := os.environ.get("SLIPWAY_SHOTS"):
        page.add_style_tag(content=".Toastify { display: none }")
        page.screenshot(path=Path(folder) / f"{name}.png")


def test_a_cell_becomes_a_job_that_runs_and_shows_what_the_notebook_showed(page, lab, notebook):
    job = f"delays-{secrets.token_hex(2)}"
    open_lab(page, lab, notebook)
    command(page, "slipway:open")
    run_all(page)

    dialog = ask_to_publish(page, "score", job)
    expect(dialog.get_by_text("from 5 of 6 cells")).to_be_visible()
    expect(dialog.get_by_label("Default of month")).to_have_value("6")
    dialog.get_by_label("Description of month").fill("1 to 11")
    expect(dialog.locator(".slipway-Proof[data-verdict='same']")).to_be_visible()
    shoot(page, "publish")
    dialog.get_by_role("button", name="Publish and run").click()

    expect(dialog).to_have_count(0)
    shown = current_page(page)
    expect(shown.get_by_role("log")).to_contain_text("step 4")
    expect(shown.locator("[data-state='succeeded']").first).to_have_text("Succeeded")
    shown.get_by_role("tab", name=re.compile("Outputs")).click()
    expect(shown.locator("table.dataframe")).to_be_visible()
    expect(shown.locator(".slipway-Outputs img")).to_be_visible()
    shoot(page, "run")

    row = page.locator("#slipway-section-jobs").get_by_role("listitem").filter(has_text=job)
    expect(row).to_contain_text("Succeeded")
    row.get_by_role("button", name=re.compile(job)).first.click()
    expect(current_page(page).get_by_text("production v1")).to_be_visible()
    shoot(page, "job")
    assert page.errors == []


def test_a_failed_run_leads_to_the_cell_and_line(page, lab, notebook):
    job = f"delays-{secrets.token_hex(2)}"
    open_lab(page, lab, notebook)
    run_all(page)
    dialog = ask_to_publish(page, "score", job)
    dialog.get_by_role("button", name="Publish", exact=True).click()
    expect(dialog).to_have_count(0)

    command(page, "slipway:open-job", job=job, tab="run")
    current_page(page).get_by_label("month").fill("13")
    current_page(page).get_by_role("button", name="Run v1").click()
    failure = current_page(page).get_by_role("region", name="Why it failed")
    expect(failure).to_contain_text("AssertionError: month 13 is not in the data")
    failure.get_by_role("button", name="cell [5], line 3").click()

    expect(cell(page, "score")).to_have_class(re.compile("jp-mod-active"))
    selected = page.evaluate("window.getSelection().toString()")
    assert selected.startswith("assert month < 12")
    assert page.errors == []


def test_the_badge_tells_when_the_code_has_changed_and_the_versions_are_compared(page, lab, notebook):
    job = f"delays-{secrets.token_hex(2)}"
    open_lab(page, lab, notebook)
    run_all(page)
    ask_to_publish(page, "score", job).get_by_role("button", name="Publish", exact=True).click()
    badge = cell(page, "score").get_by_role("button", name=re.compile(f"Published as {job}"))
    expect(badge).to_have_text(f"{job} v1")

    cell(page, "look").locator(".cm-content").click()
    page.keyboard.type("# a dead end\n")
    cell(page, "model").locator(".cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.type(" + 1")
    expect(badge).to_have_text(f"{job} v1 *")
    badge.focus()
    expect(page.get_by_role("tooltip")).to_contain_text("+scaled = delays * rate + 1")

    run_all(page)
    badge.click()
    page.get_by_role("menuitem", name="Publish Again").click()
    dialog = page.get_by_role("dialog", name="Publish cell as job")
    expect(dialog.get_by_label("Job name")).to_have_value(job)
    expect(dialog.get_by_text("Becomes version 2")).to_be_visible()
    dialog.get_by_role("button", name="Publish", exact=True).click()
    expect(dialog).to_have_count(0)
    expect(badge).to_have_text(f"{job} v2")
    cell(page, "model").locator(".cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.type(" + 2")
    expect(badge).to_have_text(f"{job} v2 *")

    command(page, "slipway:compare", job=job)
    expect(current_page(page).locator(".slipway-Nbdime .cm-content:visible").first).to_be_visible()
    expect(current_page(page).locator(".slipway-TextDiff [data-kind='added']").first).to_be_visible()

    command(page, "slipway:open-job", job=job, tab="versions")
    current_page(page).get_by_role("button", name="Roll back to v1").click()
    page.get_by_role("dialog", name=f"Roll back {job}?").get_by_role("button", name="Use v1").click()
    expect(current_page(page).get_by_text("production v1")).to_be_visible()
    assert page.errors == []


def test_a_refused_name_is_said_in_the_dialog_and_can_be_mended(page, lab, notebook):
    open_lab(page, lab, notebook)
    dialog = ask_to_publish(page, "model", "Not A Name")
    dialog.get_by_role("button", name="Publish", exact=True).click()

    expect(dialog.get_by_role("alert").first).to_contain_text("cannot be a job's name")
    dialog.get_by_label("Job name").fill(f"named-{secrets.token_hex(2)}")
    dialog.get_by_role("button", name="Publish", exact=True).click()
    expect(dialog).to_have_count(0)


def test_the_panel_says_once_that_the_server_is_away(page, lab, notebook):
    open_lab(page, lab, notebook)
    command(page, "slipway:open")
    panel = page.locator("#slipway-panel")
    expect(panel.get_by_role("list", name="Jobs").or_(panel.get_by_text("No jobs yet"))).to_be_visible()
    page.route("**/slipway/api/**", lambda route: route.abort())
    panel.get_by_role("button", name=re.compile("Refresh")).click()
    expect(panel.get_by_text(re.compile("Server offline, showing"))).to_have_count(1)
    page.unroute("**/slipway/api/**")
    panel.get_by_role("button", name="Retry").click()
    expect(panel.get_by_text(re.compile("Server offline"))).to_have_count(0)


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed: make dev")
def test_nothing_bars_anybody(page, lab, notebook):
    """axe-core finds nothing in the panel, the dialog, a job and a run, in any theme."""
    job = f"open-to-all-{secrets.token_hex(2)}"
    open_lab(page, lab, notebook)
    command(page, "slipway:open")
    ask_to_publish(page, "score", job).get_by_role("button", name="Publish and run").click()
    expect(current_page(page).locator("[data-state='succeeded']").first).to_be_visible()
    found: list[str] = []
    for theme in THEMES:
        command(page, "apputils:change-theme", theme=theme)
        expect(page.locator(f"body[data-jp-theme-name='{theme}']")).to_be_attached()
        page.get_by_role("tab", name=f"Run: {job}").click()
        found += violations(page, ".slipway-Page")
        for tab in ("overview", "versions", "runs", "settings", "run"):
            command(page, "slipway:open-job", job=job, tab=tab)
            expect(current_page(page).get_by_text("production v1")).to_be_visible()
            found += violations(page, ".slipway-Page")
        found += violations(page, "#slipway-panel")
        page.get_by_role("tab", name=notebook).click()
        dialog = ask_to_publish(page, "score", job)
        dialog.get_by_label("Run by schedule").check()
        dialog.get_by_role("button", name="Add a parameter").click()
        expect(dialog.get_by_text("next ")).to_be_visible()
        found += violations(page, ".slipway-PublishDialog")
        dialog.get_by_role("button", name="Cancel", exact=True).click()
        expect(dialog).to_have_count(0)
    assert not found, "\n".join(sorted(set(found)))


def violations(page, selector: str) -> list[str]:
    if not page.evaluate("'axe' in window"):
        page.add_script_tag(path=AXE)
    seen = page.evaluate("selector => window.axe.run(selector)", selector)["violations"]
    return [f"{one['id']}: {node['html'][:160]}" for one in seen for node in one["nodes"]]
