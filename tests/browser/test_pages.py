"""What people do beside the main road: other parameters, settings, text notebooks, two pages, no mouse."""

from __future__ import annotations

import re
import secrets
import time

import pytest

from tests.browser.test_journey import ask_to_publish, cell, command, current_page, expect, open_lab, run_all

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]

FOCUSED = "document.activeElement.getAttribute('aria-label') || document.activeElement.textContent"


def test_a_variable_becomes_a_parameter_or_is_refused_at_its_field(page, lab, notebook):
    open_lab(page, lab, notebook)
    dialog = ask_to_publish(page, "score", f"delays-{secrets.token_hex(2)}")
    dialog.get_by_role("button", name="Add a parameter").click()
    dialog.get_by_label("Variable").fill("delay")
    dialog.get_by_role("group", name="A further parameter").get_by_label("Default").fill("3")
    page.keyboard.press("Enter")
    expect(dialog.get_by_label("Variable")).to_have_attribute("aria-invalid", "true")
    expect(dialog.get_by_text("Nothing that is kept assigns 'delay'")).to_be_visible()

    dialog.get_by_label("Variable").fill("scaled")
    page.keyboard.press("Enter")
    expect(dialog.get_by_label("Default of scaled")).to_have_value("3")
    expect(dialog.locator(".slipway-Source")).to_contain_text("scaled: int = 3")
    expect(dialog.get_by_role("button", name="Add a parameter")).to_be_focused()


def test_settings_say_how_and_when_a_job_runs(page, lab, notebook):
    job = f"delays-{secrets.token_hex(2)}"
    open_lab(page, lab, notebook)
    ask_to_publish(page, "score", job).get_by_role("button", name="Publish", exact=True).click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    command(page, "slipway:open-job", job=job, tab="settings")
    shown = current_page(page)
    runs = shown.get_by_role("form", name="Runs")
    runs.get_by_label("Attempts").fill("30")
    runs.get_by_role("button", name="Save").click()
    expect(shown.get_by_role("alert")).to_contain_text("attempts cannot be 30")
    runs.get_by_label("Attempts").fill("3")
    runs.get_by_role("button", name="Save").click()
    expect(runs.get_by_text("Saved.")).to_be_visible()

    shown.get_by_role("button", name="Add a schedule").click()
    schedule = shown.get_by_role("form", name="Schedule")
    schedule.get_by_label("After a time away").select_option("all")
    schedule.get_by_label("At most").fill("4")
    schedule.get_by_label("month").fill("7")
    expect(schedule.get_by_text("Schedules run only while this machine is on.")).to_be_visible()
    schedule.get_by_role("button", name="Save schedule").click()
    expect(schedule.get_by_role("button", name="Pause")).to_be_visible()
    found = page.request.get(f"{lab.url}/slipway/api/jobs/{job}?token={lab.token}").json()
    assert found["policy"]["attempts"] == 3
    assert {name: found["schedule"][name] for name in ("catch_up", "cap", "parameters")} == {
        "catch_up": "all",
        "cap": 4,
        "parameters": {"month": 7},
    }
    schedule.get_by_role("button", name="Pause").click()
    expect(schedule.get_by_text("Paused")).to_be_visible()


def test_a_run_is_ended_on_time_and_tried_again_as_the_settings_say(page, lab, notebook):
    job = f"slow-{secrets.token_hex(2)}"
    publish_text(page, lab, job, "import time\nprint('begun', flush=True)\ntime.sleep(60)")
    open_lab(page, lab, notebook)
    command(page, "slipway:open-job", job=job, tab="settings")
    runs = current_page(page).get_by_role("form", name="Runs")
    runs.get_by_label("Time-out in seconds").fill("0")
    runs.get_by_role("button", name="Save").click()
    expect(current_page(page).get_by_role("alert")).to_contain_text("timeout cannot be 0")
    for label, value in (("Time-out in seconds", "1.5"), ("Attempts", "2"), ("Back-off in seconds", "0.5")):
        runs.get_by_label(label).fill(value)
    runs.get_by_role("button", name="Save").click()
    expect(runs.get_by_text("Saved.")).to_be_visible()

    command(page, "slipway:open-job", job=job, tab="overview")
    current_page(page).get_by_role("button", name="Run", exact=True).click()
    current_page(page).get_by_role("button", name="Run v1").click()
    run = until_ended(page, lab, job)
    shown = current_page(page)
    expect(shown.get_by_text("2 of 2")).to_be_visible()
    expect(shown.get_by_text("The run was ended after its time-out of 1.5 seconds.")).to_be_visible()
    assert (run["state"], run["attempt"], run["error"]["kind"]) == ("failed", 2, "timeout")


def publish_text(page, lab, job: str, source: str) -> None:
    body = {"notebook": "slow.ipynb", "cells": [{"id": "c0", "source": source}], "cell": "c0", "name": job}
    address = f"{lab.url}/slipway/api/publish/versions"
    answer = page.request.post(address, data=body, headers={"Authorization": f"token {lab.token}"})
    assert answer.status == 201, answer.text()


def until_ended(page, lab, job: str, seconds: float = 60) -> dict:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = page.request.get(f"{lab.url}/slipway/api/runs?job={job}&token={lab.token}").json()["items"]
        if found and found[0]["state"] in ("succeeded", "failed", "cancelled"):
            return found[0]
        page.wait_for_timeout(200)
    pytest.fail(f"the run of {job} did not end")


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_the_dialog_fits_a_narrow_window_and_both_directions(page, lab, notebook, direction):
    open_lab(page, lab, notebook)
    cell(page, "score").locator(".cm-content").click()
    page.set_viewport_size({"width": 480, "height": 800})
    page.evaluate("direction => { document.documentElement.dir = direction; }", direction)
    command(page, "slipway:publish-cell", job=f"delays-{secrets.token_hex(2)}")
    dialog = page.get_by_role("dialog", name="Publish cell as job")
    expect(dialog.locator(".slipway-Source")).to_be_visible()
    box = dialog.locator(".jp-Dialog-content").bounding_box()
    body = "element => element.scrollWidth <= element.clientWidth"

    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 480
    assert dialog.locator(".jp-Dialog-body").evaluate(body)
    for button in ("Cancel", "Publish"):
        expect(dialog.get_by_role("button", name=button, exact=True)).to_be_in_viewport()


def test_a_text_notebook_keeps_its_badge_and_another_page_sees_what_happens(page, lab, text_notebook):
    job = f"sums-{secrets.token_hex(2)}"
    open_text(page, lab, text_notebook)
    other = page.context.new_page()
    other.goto(f"{lab.url}/lab/workspaces/other-{job}?token={lab.token}")
    other.wait_for_function("window.jupyterapp?.restored.then(() => true)")
    command(other, "slipway:open")
    expect(other.locator("#slipway-section-jobs .slipway-View")).to_be_visible()
    page.bring_to_front()

    page.locator(".jp-CodeCell").last.locator(".cm-content").click()
    command(page, "slipway:publish-cell", job=job)
    dialog = page.get_by_role("dialog", name="Publish cell as job")
    expect(dialog.locator(".slipway-Source")).to_be_visible()
    dialog.get_by_role("button", name="Publish and run").click()
    expect(dialog).to_have_count(0)
    row = other.locator("#slipway-section-jobs").get_by_role("listitem").filter(has_text=job)
    expect(row).to_be_visible()
    expect(other.locator("#slipway-section-runs").get_by_role("listitem").filter(has_text=job)).to_be_visible()
    other.close()

    open_text(page, lab, text_notebook)
    badge = page.locator(".jp-CodeCell").last.get_by_role("button", name=re.compile(f"Published as {job}"))
    expect(badge).to_have_text(f"{job} v1")
    command(page, "notebook:move-cursor-up")  # which brings the notebook to the front: the job's page comes after it
    command(page, "slipway:open-job", job=job)
    current_page(page).get_by_role("button", name=f"{text_notebook}, cell [1]").click()
    expect(page.locator(".jp-CodeCell").last).to_have_class(re.compile("jp-mod-active"))
    assert page.errors == []


def open_text(page, lab, name: str) -> None:
    page.goto(f"{lab.url}/lab?token={lab.token}&reset")
    page.wait_for_function("window.jupyterapp?.restored.then(() => true)")
    command(page, "docmanager:open", path=name, factory="Jupytext Notebook")
    expect(page.locator(".jp-CodeCell")).to_have_count(2)


def test_a_cell_is_published_and_its_job_run_without_a_mouse(page, lab, notebook):
    job = f"delays-{secrets.token_hex(2)}"
    open_lab(page, lab, notebook)
    run_all(page)
    cell(page, "score").locator(".cm-content").focus()
    page.keyboard.press("Control+Shift+C")
    page.keyboard.type("Publish Cell as Job")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Publish cell as job")
    expect(dialog.locator(".slipway-Source")).to_be_visible()
    expect(dialog.get_by_label("Job name")).to_be_focused()
    page.keyboard.press("Control+A")
    page.keyboard.type(job)
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(cell(page, "score")).to_have_class(re.compile("jp-mod-active"))
    assert page.evaluate("document.activeElement.closest('.jp-Notebook') !== null")

    command(page, "slipway:open-job", job=job)
    expect(current_page(page).get_by_role("tablist")).to_be_visible()
    tab_to(page, "Run")
    page.keyboard.press("Enter")
    expect(current_page(page).get_by_label("month")).to_be_focused()
    page.keyboard.press("Escape")
    assert page.evaluate(FOCUSED) == "Run"
    page.keyboard.press("Enter")
    expect(current_page(page).get_by_label("month")).to_be_focused()
    page.keyboard.press("Enter")
    expect(current_page(page).locator("[data-state='succeeded']").first).to_be_visible()
    assert page.errors == []


def tab_to(page, label: str) -> None:
    for _ in range(40):
        if page.evaluate(FOCUSED) == label:
            return
        page.keyboard.press("Tab")
    pytest.fail(f"{label} cannot be reached by the Tab key")
