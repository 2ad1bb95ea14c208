"""A cluster from the dialog to the last worker's end: made, attached to a notebook, put to work, looked at, stopped."""

from __future__ import annotations

import json
import re
import secrets
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import nbformat
import pytest

from tests.browser.test_journey import AXE, THEMES, command, current_page, expect, open_lab, shoot, violations

pytest.importorskip("distributed")

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]

PROFILES = """
small:
  title: Small
  backend: dask-local
  options: {workers: {minimum: 1, maximum: 2}, cores: 1, memory: 512 MiB}
  limits: {workers: 3, memory: 1 GiB}
  labels: {team: data}
  price: 0.12
  currency: $
"""
CELLS = (
    "import time\nimport dask\n\n\ndef squared(x):\n    time.sleep(0.5)\n    return x * x",
    "dask.delayed(sum)([dask.delayed(squared)(i) for i in range(16)]).compute()",
)
START = 60_000
"""Milliseconds: an engine loads, then workers."""

Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def ask(lab) -> Ask:
    """The REST API of the lab."""

    def ask(method: str, path: str, body: object = None) -> Any:
        request = urllib.request.Request(
            f"{lab.url}/slipway/api/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {lab.token}"},
        )
        with urllib.request.urlopen(request, timeout=90) as answer:
            return json.load(answer)

    return ask


@pytest.fixture(scope="module", autouse=True)
def priced(lab, ask: Ask) -> Iterator[None]:
    """A profile with a price. What was started outlives the server: it is ended here."""
    home = lab.log.parent / "slipway"
    home.mkdir(mode=0o700, exist_ok=True)
    (home / "profiles.yaml").write_text(PROFILES)
    yield
    for cluster in ask("GET", "clusters")["items"]:
        ask("DELETE", f"clusters/{cluster['name']}")


@pytest.fixture(scope="module")
def cluster(ask: Ask) -> str:
    """One that runs, with both of its workers."""
    name = f"team-{secrets.token_hex(2)}"
    ask("POST", "clusters", {"name": name, "options": {"workers": {"minimum": 2, "maximum": 2}}})
    deadline = time.monotonic() + START / 1000
    while (found := ask("GET", f"clusters/{name}"))["live_workers"] < 2:
        assert found["state"] in ("starting", "running"), found["reason"]
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    return name


@pytest.fixture
def squares(lab) -> str:
    """A notebook that computes with Dask and names no cluster."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [nbformat.v4.new_code_cell(source, id=f"cell-{at}") for at, source in enumerate(CELLS)]
    name = f"squares_{secrets.token_hex(2)}.ipynb"
    (lab.root / name).write_text(json.dumps(nbformat.v4.new_notebook(metadata={"kernelspec": kernel}, cells=cells)))
    return name


def chip(page):
    return page.locator(".slipway-Chip:visible")


def row(page, name: str):
    return page.locator("#slipway-section-clusters").get_by_role("listitem").filter(has_text=name)


def faults(page) -> list[str]:
    """What the console holds but for requests that were refused on purpose, and but for how slow a machine is.

    JupyterLab asks for a subshell by itself; at a restart that comes before the answer, it says that it gave up.
    """
    passed_over = "Failed to load resource|too long to activate|Canceled future for create_subshell_request"
    return [one for one in page.errors if not re.search(passed_over, one)]


def run_all(page) -> None:
    command(page, "notebook:run-all-cells")


def finished(page) -> None:
    expect(page.locator(".jp-CodeCell").last.locator(".jp-OutputArea-output")).to_have_text("1240", timeout=START)


def test_a_cluster_is_made_put_to_work_and_stopped(page, lab, squares):
    open_lab(page, lab, squares)
    command(page, "slipway:open")
    expect(chip(page)).to_have_text("No cluster")

    chip(page).click()
    page.get_by_role("menuitem", name="New Cluster").click()
    dialog = page.get_by_role("dialog", name="New cluster")
    name = squares.removesuffix(".ipynb").replace("_", "-") + "-dask"
    expect(dialog.get_by_label("Name")).to_have_value(name)
    dialog.get_by_label("At most").fill("9")
    expect(dialog.get_by_text("9 is more than 3.")).to_be_visible()
    dialog.get_by_label("At most").fill("3")
    expect(dialog.get_by_text("$0.12–$0.36/h")).to_be_visible()
    dialog.get_by_label("Memory of a worker").fill("2 GiB")
    dialog.get_by_role("button", name="Create and start").click()
    expect(dialog.get_by_text("the most that profile 'small' allows")).to_be_visible()
    dialog.get_by_label("Memory of a worker").fill("512 MiB")
    shoot(page, "new-cluster")
    dialog.get_by_role("button", name="Create and start").click()

    expect(dialog).to_have_count(0)
    expect(row(page, name)).to_contain_text("Waiting: ")
    expect(row(page, name).get_by_role("meter").first).to_be_visible()
    expect(chip(page)).to_contain_text(name)
    expect(row(page, name)).to_contain_text("Running", timeout=START)
    expect(page.get_by_text("packages are the same in the kernel and on")).to_be_attached(timeout=START)

    run_all(page)
    bar = page.locator(".jp-CodeCell").last.locator(".slipway-CellBar")
    expect(bar).to_contain_text(re.compile(r"\d+ of 17 tasks"))
    expect(bar.locator("code")).to_have_text("squared")
    expect(chip(page)).to_contain_text(re.compile(r"\d+/17"))
    finished(page)
    expect(bar).to_have_count(0)
    expect(row(page, name).get_by_role("meter", name="Tasks")).to_have_attribute("aria-valuetext", "17/17")

    row(page, name).hover()
    row(page, name).get_by_role("button", name="Stop").click()
    sure = page.get_by_role("dialog")
    expect(sure).to_contain_text(re.compile(r"1 kernel or run uses it \(\w+\)\. What its workers hold"))
    sure.get_by_role("button", name="Stop").click()
    expect(row(page, name)).to_contain_text("Stopped", timeout=START)
    expect(chip(page)).to_have_text("No cluster")

    row(page, name).hover()
    row(page, name).get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(row(page, name)).to_have_count(0)
    assert faults(page) == []


def test_a_restarted_kernel_still_computes_on_its_cluster(page, lab, squares, cluster):
    open_lab(page, lab, squares)
    attach_by_keyboard(page, cluster)
    page.evaluate("void window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    expect(chip(page)).to_contain_text("Attaching…")
    expect(chip(page)).to_contain_text("workers")
    run_all(page)
    expect(page.locator(".slipway-CellBar")).to_contain_text("of 17 tasks")
    finished(page)
    assert faults(page) == []


def attach_by_keyboard(page, cluster: str) -> None:
    chip(page).focus()
    page.keyboard.press("Enter")
    item = page.get_by_role("menuitem", name=cluster)
    expect(item).to_be_visible()
    while "lm-mod-active" not in (item.get_attribute("class") or ""):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(chip(page)).to_contain_text(re.compile(rf"{cluster}.*workers"))


def test_only_the_cells_own_work_is_cancelled(page, lab, squares, cluster):
    open_lab(page, lab, squares)
    attach_by_keyboard(page, cluster)
    run_all(page)
    bar = page.locator(".jp-CodeCell").last.locator(".slipway-CellBar")
    expect(bar).to_be_visible()
    bar.get_by_role("button", name="Cancel").click()
    expect(page.locator(".jp-CodeCell").last.locator(".jp-OutputArea-output")).to_contain_text("CancelledError")
    expect(bar).to_have_count(0)


def test_dashboard_and_logs_stand_in_tabs_and_come_back_after_a_reload(page, lab, squares, cluster):
    open_lab(page, lab, squares)
    command(page, "slipway:open")
    row(page, cluster).hover()
    row(page, cluster).get_by_role("button", name="Logs").click()
    expect(current_page(page).get_by_role("log")).to_contain_text("scheduler")
    current_page(page).get_by_role("tab", name="Host").press("ArrowRight")
    expect(current_page(page).get_by_role("tab", name="Workers")).to_be_focused()
    expect(current_page(page).get_by_role("log")).to_contain_text("worker")

    row(page, cluster).hover()
    row(page, cluster).get_by_role("button", name="Dashboard").click()
    inside = page.frame_locator(f"iframe[title='Dashboard of {cluster}']")
    expect(inside.get_by_role("link", name="Workers", exact=True)).to_be_visible(timeout=START)
    expect(inside.locator("canvas").first).to_be_visible(timeout=START)
    shoot(page, "dashboard")
    page.goto(f"{lab.url}/lab?token={lab.token}")
    page.wait_for_function("window.jupyterapp?.restored.then(() => true)")
    expect(page.get_by_role("tab", name=f"Logs: {cluster}")).to_be_visible()
    expect(page.get_by_role("tab", name=f"Dashboard: {cluster}")).to_be_visible()


def test_the_size_is_changed_or_refused_in_the_dialog(page, lab, squares, cluster):
    open_lab(page, lab, squares)
    command(page, "slipway:scale-cluster", cluster=cluster)
    dialog = page.get_by_role("dialog", name=f"Scale {cluster}")
    dialog.get_by_label("At most").fill("9")
    dialog.get_by_role("button", name="Scale").click()
    expect(dialog.get_by_role("alert")).to_contain_text("9 is more than 3")
    dialog.get_by_label("At most").fill("3")
    dialog.get_by_role("button", name="Scale").click()
    expect(dialog).to_have_count(0)
    command(page, "slipway:open")
    expect(row(page, cluster)).to_contain_text("/3 workers")


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed: make dev")
def test_clusters_bar_nobody(page, lab, squares, cluster):
    """axe-core finds nothing in the section, the chip, the bar, the dialog and the logs, in any theme."""
    open_lab(page, lab, squares)
    command(page, "slipway:open")
    attach_by_keyboard(page, cluster)
    expect(row(page, cluster).get_by_role("meter", name="CPU")).to_be_visible()
    found: list[str] = []
    for theme in THEMES:
        command(page, "apputils:change-theme", theme=theme)
        expect(page.locator(f"body[data-jp-theme-name='{theme}']")).to_be_attached()
        command(page, "slipway:open-cluster-logs", cluster=cluster)
        expect(current_page(page).get_by_role("log")).to_contain_text("scheduler")
        found += violations(page, ".slipway-Page")
        page.get_by_role("tab", name=squares).click()
        run_all(page)
        expect(page.locator(".slipway-CellBar")).to_be_visible()
        shoot(page, "clusters" if theme == THEMES[0] else f"clusters-{theme.split()[-1].lower()}")
        found += violations(page, ".slipway-CellBar")
        row(page, cluster).hover()
        found += violations(page, "#slipway-section-clusters")
        found += violations(page, ".slipway-ChipPlace")
        finished(page)
        command(page, "slipway:new-cluster")
        dialog = page.get_by_role("dialog", name="New cluster")
        dialog.get_by_label("Name").fill("Not A Name")
        expect(dialog.get_by_text("Start with a letter")).to_be_visible()
        found += violations(page, ".slipway-NewClusterDialog")
        dialog.get_by_role("button", name="Cancel").click()
        expect(dialog).to_have_count(0)
    assert not found, "\n".join(sorted(set(found)))
