"""A notebook compared, looked back on, shared and merged, as people do it; two of them where it takes two."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
import urllib.request
from typing import Any

import nbformat
import pytest

from tests.browser.people import LabServer, Person, lab_server
from tests.browser.test_journey import AXE, THEMES, command, current_page, expect, shoot
from tests.notebooks.samples import Folder

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]

BASE = "/team@a/"
TEXT = """# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %%
month = {month}
factors = [1, 2]

# %%
print(month * sum(factors))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Without jupyter-collaboration: what is saved is what is compared."""
    home = tmp_path_factory.mktemp("compare")
    with lab_server(home, together=False, base_url=BASE) as server:
        yield server
    # It outlives the server: that is what it is for.
    environ = os.environ | {"SLIPWAY_HOME": str(home / "slipway")}
    subprocess.run([sys.executable, "-m", "jupyter_slipway.cli", "runner", "stop"], env=environ, check=False)


@pytest.fixture
def people(somebody):
    """Opens a file in somebody's page; no kernel is waited for."""

    def person(name: str, path: str) -> Person:
        made = somebody(name)
        made.visit(path)
        if path.endswith(".ipynb"):
            made.page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
        return made

    return person


def picture(colour: str) -> str:
    """A PNG of one colour."""
    import base64
    import io

    from matplotlib.figure import Figure

    figure = Figure(figsize=(2, 1), facecolor=colour)
    made = io.BytesIO()
    figure.savefig(made, dpi=50, facecolor=colour)
    return base64.b64encode(made.getvalue()).decode()


def study(depth: int, colour: str = "white", **sources: str) -> dict[str, Any]:
    """A notebook; cells are named by their ids."""
    shown = nbformat.v4.new_output("display_data", data={"image/png": picture(colour), "text/plain": "a figure"})
    cells = [
        nbformat.v4.new_markdown_cell("# Delays", id="title"),
        nbformat.v4.new_code_cell("import numpy as np", id="imports"),
        nbformat.v4.new_code_cell(f"depth = {depth}\nrate = 0.05\nmodel = fit(depth, rate)", id="model"),
        nbformat.v4.new_code_cell("plot(model)", id="plot", outputs=[shown], execution_count=1),
        *(nbformat.v4.new_code_cell(source, id=name) for name, source in sources.items()),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return dict(nbformat.v4.new_notebook(metadata={"kernelspec": kernel}, cells=cells))


def save(folder: Folder, notebook: dict[str, Any], name: str = "study.ipynb") -> None:
    (folder.top / name).write_text(json.dumps(notebook, indent=1) + "\n")


@pytest.fixture
def folder(server: LabServer) -> Folder:
    """A repository below the server's root: two commits, and work that is not committed."""
    made = Folder(server.root / f"delays_{secrets.token_hex(2)}")
    for depth in (4, 5):
        save(made, study(depth))
        made.git("add", "-A")
        made.git("commit", "-q", "-m", f"Grow {depth} levels")
    save(made, study(6, "red", export="model.save()"))
    return made


def said(page):
    """What the page's head says of all of it."""
    return current_page(page).locator(".slipway-Head").get_by_role("status")


def changes(page):
    return current_page(page).locator(".slipway-Change")


def test_a_notebook_is_compared_from_the_file_browser_and_the_page_comes_back(people, server, folder):
    ada = people("ada", f"{folder.top.name}/study.ipynb")
    page = ada.page
    page.locator(".jp-DirListing-item", has_text="study.ipynb").click(button="right")
    page.get_by_role("menuitem", name="Compare Notebook with…").click()
    expect(said(page)).to_have_text("1 cell changed, 1 added")
    expect(changes(page).first.locator(".cm-diff-right-editor .cm-merge-r-inserted")).to_have_text("6")
    expect(current_page(page).get_by_role("button", name="2 unchanged cells")).to_be_visible()
    assert current_page(page).locator("img").count() == 0

    current_page(page).get_by_label("Show outputs").check()
    expect(changes(page).filter(has_text="plot(model)").locator(".jp-Diff-base img")).to_be_visible()
    expect(changes(page).filter(has_text="plot(model)").locator(".jp-Diff-remote img")).to_be_visible()
    shoot(page, "notebook-compare")

    first = folder.git("rev-parse", "HEAD~1")
    current_page(page).get_by_role("combobox", name="Before").select_option(first)
    expect(changes(page).first.locator(".cm-diff-left-editor")).to_contain_text("depth = 4")
    workspaces = server.home / "workspaces"
    ada.until_on_disk(lambda: any(first in file.read_text() for file in workspaces.iterdir()))
    page.reload()
    expect(changes(page).first.locator(".cm-diff-left-editor")).to_contain_text("depth = 4")
    page.keyboard.press("n")
    expect(changes(page).first.get_by_role("heading")).to_be_focused()

    save(folder, study(9, "red", export="model.save()"))
    current_page(page).get_by_role("button", name="Compare again").click()
    expect(changes(page).first.locator(".cm-diff-right-editor")).to_contain_text("depth = 9")
    assert ada.errors == []


def test_a_revision_is_typed_and_the_keyboard_goes_on_where_it_was(people, server, folder):
    ada = people("ada", f"{folder.top.name}/study.ipynb")
    page = ada.page
    # What a page was opened with is not the name of what is typed afterwards.
    command(page, "slipway:compare-notebook", path=f"{folder.top.name}/study.ipynb", base="HEAD~1", title="Long ago")
    before = current_page(page).get_by_role("combobox", name="Before")
    expect(before.locator("option:checked")).to_have_text("Long ago")
    for typed, key in (("nowhere", "Enter"), ("elsewhere", "Escape")):
        before.select_option(label="Another commit, branch or tag…")
        page.keyboard.type(typed)
        page.keyboard.press(key)
        expect(before).to_be_focused()
        expect(before.locator("option:checked")).to_have_text("nowhere")
    expect(current_page(page)).to_contain_text("There is no revision 'nowhere' here.")
    before.select_option("HEAD")
    expect(said(page)).to_have_text("1 cell changed, 1 added")
    assert ada.errors == []


def test_a_cell_that_ran_once_more_and_gave_the_same_has_not_changed(people, server, folder):
    folder.git("checkout", "-q", "--", ".")
    again = study(5)
    again["cells"][3]["execution_count"] = 7
    save(folder, again)
    ada = people("ada", f"{folder.top.name}/study.ipynb")
    command(ada.page, "slipway:compare-with-head", path=f"{folder.top.name}/study.ipynb")
    current_page(ada.page).get_by_role("button", name="Compare the outputs, too").press("Enter")
    expect(current_page(ada.page)).to_contain_text("The two are the same.")
    expect(current_page(ada.page).get_by_label("Show outputs")).to_be_focused()


def test_what_runs_in_production_is_compared_also_when_no_commit_holds_it(people, server, folder):
    ada = people("ada", folder.top.name)
    name = f"{folder.top.name}/study.ipynb"
    cells = [{"id": cell["id"], "source": cell["source"]} for cell in study(6)["cells"][1:]]
    job = {"name": f"study-{secrets.token_hex(2)}", "notebook": name, "cells": cells, "cell": "model"}
    url = f"{server.url}/slipway/api/publish/versions"
    request = urllib.request.Request(url, json.dumps(job).encode(), method="POST")
    request.add_header("Authorization", "token ada-token")
    urllib.request.urlopen(request).close()
    save(folder, study(7, "red", export="model.save()"))

    command(ada.page, "slipway:compare-with-production", path=name)

    before = current_page(ada.page).get_by_role("combobox", name="Before")
    expect(before.locator("option:checked")).to_have_text(f"{job['name']}, version 1")
    expect(said(ada.page)).to_have_text("1 cell changed, 1 added")
    expect(changes(ada.page).first.locator(".cm-diff-left-editor")).to_contain_text("depth = 6")
    workspaces = server.home / "workspaces"
    ada.until_on_disk(lambda: any(f"{job['name']}:1" in file.read_text() for file in workspaces.iterdir()))
    ada.page.reload()
    expect(before.locator("option:checked")).to_have_text(f"{job['name']}, version 1")
    expect(changes(ada.page).first.locator(".cm-diff-left-editor")).to_contain_text("depth = 6")
    assert ada.errors == []


def test_what_cannot_be_saved_is_said_once(people, server, folder):
    ada = people("ada", f"{folder.top.name}/study.ipynb")
    page = ada.page

    def refuse(route):
        if route.request.method != "PUT":
            return route.fallback()
        return route.fulfill(status=403, json={"message": "study.ipynb may not be written."})

    page.route("**/api/contents/**", refuse)
    for asked in ("slipway:convert-notebook", "slipway:restore-revision"):
        command(page, asked, path=f"{folder.top.name}/study.ipynb", revision="HEAD")
        dialog = page.get_by_role("dialog").filter(has_text="study.ipynb may not be written.")
        dialog.get_by_role("button", name="Close").click()
        expect(dialog).to_have_count(0)
        expect(page.get_by_role("alert")).to_have_count(0)
    assert (folder.top / "study.ipynb").exists()


def test_the_past_of_a_notebook_and_of_a_cell_is_looked_at_and_brought_back(people, server, folder):
    ada = people("ada", f"{folder.top.name}/study.ipynb")
    page = ada.page
    page.locator(".jp-CodeCell").nth(1).locator(".jp-InputPrompt").click(button="right")
    page.get_by_role("menuitem", name="History of This Cell").click()
    steps = current_page(page).locator(".slipway-Step")
    expect(steps).to_have_count(3)
    expect(steps.first).to_contain_text("Not committed")
    shoot(page, "notebook-history")
    steps.nth(1).get_by_role("button", name="Use this").click()
    expect(page.locator(".jp-CodeCell").nth(1).locator(".cm-content")).to_contain_text("depth = 5")

    page.get_by_role("button", name="Versions of this notebook").click()
    row = current_page(page).get_by_role("row").filter(has_text="Grow 4 levels")
    page.set_viewport_size({"width": 640, "height": 900})
    expect(row.get_by_role("button", name="Restore")).to_be_in_viewport(ratio=1)
    page.set_viewport_size({"width": 1440, "height": 900})
    row.get_by_role("button", name="Restore").click()
    expect(page.locator(".jp-CodeCell .cm-content", has_text="depth = 4")).to_have_count(1)
    assert json.loads((folder.top / "study.ipynb").read_text())["cells"][2]["source"].startswith("depth = 4\n")
    page.get_by_role("alert").filter(has_text="is what it was then").get_by_role("button", name="Undo").click()
    expect(page.locator(".jp-CodeCell .cm-content", has_text="model.save()")).to_have_count(1)
    expect(current_page(page).get_by_role("row").filter(has_text="Uncommitted work").first).to_be_visible()
    assert ada.errors == []


def test_two_people_in_one_cell_see_it_before_they_commit(people, server, folder):
    folder.git("worktree", "add", "-q", f"{folder.top}_bob", "-b", "bobs")
    ada = people("ada", f"{folder.top.name}/study.ipynb")
    bob = people("bob", f"{folder.top.name}_bob/study.ipynb")
    expect(ada.page.get_by_role("button", name=re.compile("^Sharing"))).to_have_count(0)
    for one in (ada, bob):
        command(one.page, "slipway:share-notebook")
        one.page.set_viewport_size({"width": 700, "height": 900})
        expect(one.page.get_by_role("button", name=re.compile("^Sharing"))).to_be_visible()
        one.page.set_viewport_size({"width": 1440, "height": 900})

    bob.page.locator(".jp-CodeCell").nth(1).locator(".cm-content").click()
    bob.page.keyboard.press("Control+End")
    bob.page.keyboard.type(".deeper()")
    command(bob.page, "docmanager:save")
    expect(bob.page.get_by_role("note").first).to_have_text(re.compile("ada changed this cell, as you did"))
    command(ada.page, "docmanager:save")

    mark = ada.page.locator(".jp-CodeCell").nth(1).get_by_role("note")
    expect(mark).to_have_text(re.compile("bob changed this cell, as you did"))
    shoot(ada.page, "notebook-radar")
    mark.get_by_role("button", name="Compare with bob").click()
    expect(current_page(ada.page).locator(".cm-diff-right-editor").first).to_contain_text(".deeper()")
    ada.page.get_by_role("tab", name="study.ipynb", exact=True).click()
    command(ada.page, "slipway:share-notebook")
    expect(mark).to_have_count(0)
    assert ada.errors == bob.errors == []


@pytest.fixture
def merging(folder: Folder) -> Folder:
    """A merge that git could not finish, in an .ipynb and in a text notebook."""
    folder.git("checkout", "-q", "--", ".")
    folder.commit("sums.py", TEXT.format(month=6))
    folder.git("checkout", "-q", "-b", "dev")
    save(folder, study(8, extra="summary(model)"))
    folder.commit("sums.py", TEXT.format(month=8), "Try eight")
    folder.git("checkout", "-q", "main")
    mine = study(7)
    mine["cells"][0]["source"] = "# Late arrivals"
    save(folder, mine)
    folder.commit("sums.py", TEXT.format(month=7), "Try seven")
    folder.git("merge", "dev", check=False)
    assert folder.git("diff", "--name-only", "--diff-filter=U").split() == ["study.ipynb", "sums.py"]
    return folder


def test_a_merge_is_settled_cell_by_cell(people, server, merging):
    ada = people("ada", merging.top.name)
    page = ada.page
    command(page, "slipway:resolve-notebook", path=f"{merging.top.name}/study.ipynb")
    shown = current_page(page)
    expect(said(page)).to_have_text("0 of 1 conflict settled")
    expect(shown.get_by_role("button", name="Save")).to_be_disabled()
    result = shown.locator(".cm-merge-editor .cm-content")
    result.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    # Whoever goes through the page by keyboard comes out again, and has changed nothing.
    expect(result).not_to_be_focused()
    expect(said(page)).to_have_text("0 of 1 conflict settled")
    shown.get_by_role("button", name="Theirs (dev)").click()
    expect(result).to_contain_text("depth = 8")
    shown.get_by_role("button", name="Undo").press("Enter")
    expect(result).not_to_contain_text("depth = 8")
    # The button is gone; the keyboard goes on at its cell.
    expect(shown.get_by_role("heading", name="Cell 3")).to_be_focused()
    shown.get_by_role("button", name="Both").click()
    expect(result).to_contain_text("depth = 7")
    shoot(page, "notebook-resolve")
    shown.get_by_role("button", name="Save").click()
    expect(shown.get_by_role("status").filter(has_text="git add -- study.ipynb")).to_be_visible()
    cells = json.loads((merging.top / "study.ipynb").read_text())["cells"]
    assert "".join(cells[2]["source"]) == "depth = 7\ndepth = 8\nrate = 0.05\nmodel = fit(depth, rate)"
    assert [cells[0]["source"], cells[-1]["source"]] == [["# Late arrivals"], ["summary(model)"]]

    command(page, "slipway:resolve-notebook", path=f"{merging.top.name}/sums.py")
    bar = page.get_by_role("group", name="Conflict in this cell")
    bar.get_by_role("button", name="Mine (HEAD)").press("Enter")
    undo = page.get_by_role("group", name="Settled conflict").get_by_role("button", name="Undo")
    expect(undo).to_be_focused()
    undo.press("Enter")
    expect(bar.get_by_role("button", name="Mine (HEAD)")).to_be_focused()
    editor = page.locator(".jp-Notebook .jp-CodeCell .cm-content").first
    editor.click()
    bar.get_by_role("button", name="Theirs (dev)").click()
    # Whoever chose by mouse types on: Enter takes nothing back.
    expect(editor).to_be_focused()
    expect(page.get_by_role("alert").filter(has_text="git add -- sums.py").last).to_be_visible()
    ada.until_on_disk(lambda: (merging.top / "sums.py").read_text() == TEXT.format(month=8))
    assert ada.errors == []


def test_a_side_whose_branch_git_did_not_say_has_no_name_twice(people, server, folder):
    text = TEXT.format(month=6).replace("month = 6", "<<<<<<< mine\nmonth = 6\n=======\nmonth = 7\n>>>>>>> theirs")
    folder.commit("sums.py", text)
    ada = people("ada", folder.top.name)
    command(ada.page, "docmanager:open", path=f"{folder.top.name}/sums.py", factory="Notebook")
    buttons = ada.page.get_by_role("group", name="Conflict in this cell").get_by_role("button")
    expect(buttons).to_have_text(["Mine", "Theirs", "Both"])


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed: make dev")
def test_nothing_bars_anybody(people, server, merging):
    """axe-core finds nothing in the pages about a notebook, nor in the bars of its cells, in any theme."""
    name = merging.top.name
    page = people("ada", name).page
    command(page, "slipway:resolve-notebook", path=f"{name}/sums.py")
    expect(page.get_by_role("group", name="Conflict in this cell")).to_be_visible()
    pages = (
        (
            "slipway:compare-notebook",
            {"path": f"{name}/study.ipynb", "base": "HEAD~2", "other": "dev"},
            ".slipway-Change",
        ),
        ("slipway:notebook-history", {"path": f"{name}/study.ipynb", "tab": "versions"}, ".slipway-History"),
        ("slipway:notebook-history", {"path": f"{name}/sums.py", "tab": "colleagues"}, "select"),
        ("slipway:resolve-notebook", {"path": f"{name}/study.ipynb"}, ".slipway-Resolve .cm-content"),
    )
    found: list[str] = []
    for theme in THEMES:
        command(page, "apputils:change-theme", theme=theme)
        expect(page.locator(f"body[data-jp-theme-name='{theme}']")).to_be_attached()
        for asked, arguments, sign in pages:
            command(page, asked, **arguments)
            expect(current_page(page).locator(sign).first).to_be_visible()
            found += violations(page, ".slipway-Page")
        page.get_by_role("tab", name="sums.py", exact=True).click()
        expect(page.get_by_role("group", name="Conflict in this cell")).to_be_visible()
        found += violations(page, ".slipway-Conflict")
    assert not found, "\n".join(sorted(set(found)))


def violations(page, selector: str) -> list[str]:
    """As elsewhere, but for what a person's own outputs hold."""
    if not page.evaluate("'axe' in window"):
        page.add_script_tag(path=AXE)
    what = {"include": [[selector]], "exclude": [[".jp-Diff-renderedOutput"]]}
    seen = page.evaluate("what => window.axe.run(what)", what)["violations"]
    return [f"{one['id']}: {node['html'][:160]}" for one in seen for node in one["nodes"]]
