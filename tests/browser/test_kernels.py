"""Two people, each in a browser of their own, share the kernel of one notebook."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.people import LabServer, Person, lab_server
from tests.waiting import eventually

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

pytestmark = [
    pytest.mark.e2e,
    # pytest-base-url's own, which pytest-playwright needs.
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]

SLOW = 90_000
"""Milliseconds that a step may take on a busy machine."""
AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
TICKS = "import time\nfor tick in range({count}):\n    print('tick', tick, flush=True)\n    time.sleep(0.3)"


@pytest.fixture(scope="module", params=[False, True], ids=["apart", "together"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """Without jupyter-collaboration each page has a document of its own; with it they share one."""
    with lab_server(tmp_path_factory.mktemp("lab"), together=request.param) as found:
        yield found


def ticks(who: Person, number: int) -> list[int]:
    """Those that a cell shows."""
    return [int(one) for one in re.findall(r"tick (\d+)", who.output(number).inner_text())]


def test_two_people_see_who_ran_what_and_whose_turn_it_is(server, person):
    path = server.notebook(TICKS.format(count=20), "x = 6 * 7\nx", "1 / 0")
    ada, bob = person("ada", path), person("bob", path)

    ada.run(0)
    expect(bob.mark(0)).to_have_attribute("data-status", "running", timeout=SLOW)
    expect(bob.mark(0)).to_contain_text("AD")
    bob.run(1)
    expect(bob.mark(1)).to_contain_text("queued 1st, after ada", timeout=SLOW)
    expect(bob.prompt(1)).to_have_text("[*]:")
    for who in (ada, bob):
        expect(who.mark(1)).to_have_attribute("data-status", "ok", timeout=SLOW)
        expect(who.output(1)).to_contain_text("42", timeout=SLOW)
        eventually(lambda who=who: ticks(who, 0), lambda shown: shown == list(range(20)))
        expect(who.mark(1)).to_contain_text("BO")

    ada.run(2)
    for who in (ada, bob):
        expect(who.output(2)).to_contain_text("ZeroDivisionError", timeout=SLOW)
        expect(who.mark(2)).to_have_attribute("data-status", "error", timeout=SLOW)
    assert (ada.errors, bob.errors) == ([], [])


def test_who_runs_a_cell_answers_what_it_asks_also_after_a_reload(server, person):
    path = server.notebook("name = input('Name? ')\nprint('hello', name)")
    ada, bob = person("ada", path), person("bob", path)
    box = ".jp-Stdin-input"

    ada.run(0)
    ada.page.locator(box).wait_for(timeout=SLOW)
    assert bob.page.locator(box).count() == 0
    ada.reload()
    ada.page.locator(box).fill("Ada", timeout=SLOW)
    ada.page.locator(box).press("Enter")

    expect(ada.output(0)).to_contain_text("hello Ada", timeout=SLOW)
    expect(ada.page.locator(box)).to_have_count(0)
    expect(bob.output(0)).to_contain_text("hello Ada", timeout=SLOW)


def test_a_reload_in_the_middle_loses_no_line(server, person):
    path = server.notebook(TICKS.format(count=20), "print('then', tick)")
    ada = person("ada", path)
    ada.run(0, 1)
    expect(ada.output(0)).to_contain_text("tick 4", timeout=SLOW)

    ada.reload()

    expect(ada.output(1)).to_contain_text("then 19", timeout=SLOW)
    eventually(lambda: ticks(ada, 0), lambda shown: shown == list(range(20)))
    expect(ada.prompt(0)).to_have_text("[1]:")
    expect(ada.mark(0)).to_contain_text("AD")
    if not server.together:
        ada.page.keyboard.press("Control+s")
    ada.until_on_disk(lambda: str(server.on_disk(path, 0)["outputs"]).count("tick ") == 20)


def test_a_killed_server_loses_no_line(server, person):
    path = server.notebook(TICKS.format(count=24), "print('then', tick)")
    ada, bob = person("ada", path), person("bob", path)
    ada.run(0, 1)
    for who in (ada, bob):
        expect(who.output(0)).to_contain_text("tick 4", timeout=SLOW)

    server.kill()
    server.start()

    for who in (ada, bob):
        expect(who.output(1)).to_contain_text("then 23", timeout=2 * SLOW)
        # What the page had seen comes back with it, and may be there twice until the server has looked.
        eventually(lambda who=who: ticks(who, 0), lambda shown: shown == list(range(24)))
    expect(ada.prompt(1)).to_have_text("[2]:")


def test_two_people_move_one_slider(server, person):
    path = server.notebook("import ipywidgets\nspeed = ipywidgets.IntSlider(3)\nspeed", "speed", "speed.value")
    ada, bob = person("ada", path), person("bob", path)
    ada.run(0)
    expect(ada.cell(0).locator(".widget-readout")).to_have_text("3", timeout=SLOW)
    bob.run(1)
    expect(bob.cell(1).locator(".widget-readout")).to_have_text("3", timeout=SLOW)

    bob.cell(1).locator(".noUi-handle").press("ArrowRight")

    expect(ada.cell(0).locator(".widget-readout")).to_have_text("4", timeout=SLOW)
    ada.run(2)
    expect(bob.output(2)).to_contain_text("4", timeout=SLOW)
    assert (ada.errors, bob.errors) == ([], [])


def test_a_viewer_is_told_why_nothing_runs(server, person):
    path = server.notebook("x = 1\nx")
    ada = person("ada", path)
    vera = person("vera", path)
    ada.page.locator(".slipway-PeopleButton").click()
    ada.page.get_by_label("What vera may do").select_option("viewer")
    expect(ada.page.get_by_label("What vera may do")).to_have_value("viewer")

    vera.run(0)

    toast = vera.page.locator(".Toastify__toast", has_text="You are a viewer of this kernel: to run takes runner.")
    expect(toast.first).to_be_visible(timeout=SLOW)
    if not server.together:
        expect(vera.output(0)).to_contain_text("Forbidden: You are a viewer of this kernel")
    assert "".join(str(server.on_disk(path, 0)["outputs"])) == "[]"


def test_a_restart_asks_when_others_are_at_work(server, person):
    path = server.notebook("import time\ntime.sleep(600)", "x = 1")
    ada, bob = person("ada", path), person("bob", path)
    bob.run(0)
    expect(ada.mark(0)).to_have_attribute("data-status", "running", timeout=SLOW)

    ada.page.get_by_role("button", name="Restart the kernel").first.click()
    dialog = ada.page.get_by_role("dialog", name="Restart a shared kernel?")
    expect(dialog).to_contain_text("bob runs “import time”.", timeout=SLOW)
    dialog.get_by_role("button", name="Cancel").click()
    bob.page.get_by_role("button", name="Restart the kernel").first.click()
    refused = bob.page.get_by_role("dialog", name="Restart a shared kernel?")
    expect(refused).to_contain_text("You are a runner of this kernel: to restart takes operator.", timeout=SLOW)
    refused.get_by_role("button", name="Ok").click()
    ada.page.get_by_role("button", name="Restart the kernel").first.click()
    dialog.get_by_role("button", name="Restart for All").click()

    expect(bob.mark(0)).not_to_have_attribute("data-status", "running", timeout=SLOW)
    ada.run(1)
    expect(ada.mark(1)).to_have_attribute("data-status", "ok", timeout=SLOW)


def test_a_death_is_said_with_its_reason(server, person):
    path = server.notebook("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "x = 1")
    ada, bob = person("ada", path), person("bob", path)
    ada.run(0)

    for who, name in ((ada, "you"), (bob, "ada")):
        banner = who.page.locator(".slipway-KernelBanner")
        expect(banner).to_contain_text(f"The kernel died while {name} ran", timeout=SLOW)
        expect(banner).to_contain_text("killed (signal 9, SIGKILL)")
        expect(banner).to_be_visible()
    while (dialog := ada.page.locator(".jp-Dialog-button")).count():
        dialog.last.click()
    ada.run(1)
    expect(ada.page.locator(".slipway-KernelBanner .slipway-Banner")).to_have_count(0, timeout=SLOW)


def test_a_frozen_host_and_a_frozen_kernel_are_said_until_they_go_on(server, person):
    if not server.together:
        pytest.skip("the same view")
    path = server.notebook("import os, time\nprint(os.getpid(), os.getppid())", TICKS.format(count=40))
    ada = person("ada", path)
    ada.run(0)
    expect(ada.output(0)).to_contain_text(re.compile(r"\d+ \d+"), timeout=SLOW)
    kernel, host = (int(one) for one in re.findall(r"\d+", ada.output(0).locator("pre").inner_text()))
    banner = ada.page.locator(".slipway-KernelBanner")
    ada.run(1)
    expect(ada.output(1)).to_contain_text("tick 2", timeout=SLOW)

    for process, said in ((host, "The kernel’s host has not answered since"), (kernel, "The kernel has not answered")):
        os.kill(process, signal.SIGSTOP)
        try:
            expect(banner).to_contain_text(said, timeout=SLOW)
            expect(banner.get_by_role("button", name="Restart…")).to_be_visible()
            expect(ada.page.locator(".slipway-PeopleButton")).to_have_attribute("title", re.compile(said))
        finally:
            os.kill(process, signal.SIGCONT)
        expect(banner).not_to_contain_text("has not answered", timeout=SLOW)

    expect(ada.mark(1)).to_have_attribute("data-status", "ok", timeout=SLOW)
    eventually(lambda: ticks(ada, 1), lambda shown: shown == list(range(40)))

    os.kill(host, signal.SIGSTOP)
    banner.get_by_role("button", name="Restart…").click(timeout=SLOW)
    ada.page.get_by_role("button", name="Confirm Kernel Restart").click()
    expect(banner).not_to_contain_text("has not answered", timeout=SLOW)
    ada.run(0)
    expect(ada.output(0)).not_to_contain_text(str(host), timeout=SLOW)
    expect(ada.output(0)).to_contain_text(re.compile(r"\d+ \d+"), timeout=SLOW)
    assert ada.errors == []


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_the_kernel_s_view_is_accessible(server, person, theme):
    if not server.together:
        pytest.skip("the same view")
    path = server.notebook(
        "import pandas as pd\nflights = pd.DataFrame({'late': range(300)})\nflights.describe()",
        "import time\nfor step in range(60):\n    time.sleep(1)",
        "late = flights.late.mean()",
        "late * 2",
    )
    ada = person("ada", path)
    ada.page.evaluate("name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name})", theme)
    bob = person("bob", path)
    ada.run(0)
    expect(ada.mark(0)).to_have_attribute("data-status", "ok", timeout=SLOW)
    bob.run(1)
    expect(ada.mark(1)).to_have_attribute("data-status", "running", timeout=SLOW)
    bob.run(2)
    ada.run(3)
    expect(ada.mark(3)).to_contain_text("queued 2nd, after bob", timeout=SLOW)
    ada.page.locator(".slipway-PeopleButton").click()
    view = ada.page.get_by_role("dialog", name="Shared kernel")
    expect(view).to_contain_text("queued 2nd")

    ada.page.add_script_tag(path=AXE)
    found = ada.page.evaluate(
        "async () => (await axe.run(['.slipway-KernelView', '.slipway-PeopleButton', '.slipway-Mark'])).violations"
        ".map(one => `${one.id}: ${one.nodes.map(node => node.html).join(' | ')}`)"
    )
    if folder := os.environ.get("SLIPWAY_SHOTS"):
        ada.page.mouse.move(700, 800)
        name = "kernels-dark" if "Dark" in theme else "kernels"
        ada.page.screenshot(path=Path(folder) / f"{name}.png")
    view.get_by_role("button", name="Cancel").last.click()
    expect(ada.mark(3)).to_contain_text("not run", timeout=SLOW)
    # The button is gone, and the focus with it.
    ada.page.keyboard.press("Escape")
    expect(view).to_have_count(0)
    assert found == []
