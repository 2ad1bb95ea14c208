"""Two people have one notebook open while one of them settles a merge, or takes an old version: both go on in it."""

from __future__ import annotations

import json
import secrets

import pytest
from playwright.sync_api import expect

from tests.browser.people import LabServer, Person, lab_server
from tests.browser.test_compare import TEXT, study
from tests.browser.test_journey import command, current_page
from tests.notebooks.samples import Folder

pytestmark = pytest.mark.e2e

CODE = "() => window.jupyterapp.shell.currentWidget?.content.codeMimetype === 'text/x-ipython'"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory):
    with lab_server(tmp_path_factory.mktemp("together"), together=True, base_url="/team@a/") as server:
        yield server


@pytest.fixture
def folder(server: LabServer) -> Folder:
    return Folder(server.root / f"delays_{secrets.token_hex(2)}")


def opened(person: Person, folder: Folder, name: str) -> Person:
    person.visit(folder.top.name)
    path = f"{folder.top.name}/{name}"
    command(person.page, "docmanager:open", path=path, factory="Notebook", kernel={"name": "python3"})
    return person


def cell(person: Person, number: int):
    return person.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell .cm-content").nth(number)


@pytest.fixture
def merging(folder: Folder) -> Folder:
    """A merge that git could not finish, in an .ipynb and in a text notebook."""
    for depth, branch in ((5, "main"), (8, "dev"), (7, "main")):
        folder.git("checkout", "-q", branch, check=False)
        (folder.top / "study.ipynb").write_text(json.dumps(study(depth), indent=1))
        folder.commit("sums.py", TEXT.format(month=depth))
        folder.git("branch", "dev", check=False)
    folder.git("merge", "dev", check=False)
    return folder


def test_who_settles_a_conflict_is_told_what_to_tell_git_and_nobody_else(somebody, merging: Folder) -> None:
    ada, bob = (opened(somebody(name), merging, "sums.py") for name in ("ada", "bob"))
    for one in (ada, bob):
        expect(one.page.get_by_role("group", name="Conflict in this cell")).to_be_visible()
    # Where his conflict was is where his focus is.
    cell(bob, 0).click()

    ada.page.get_by_role("button", name="Theirs (dev)").press("Enter")

    told = ada.page.get_by_role("alert").filter(has_text="git add -- sums.py")
    expect(told).to_be_visible()
    expect(cell(bob, 0)).to_contain_text("month = 8")
    assert bob.page.get_by_role("alert").all_inner_texts() == []
    assert (merging.top / "sums.py").read_text() == TEXT.format(month=8)
    assert ada.errors == bob.errors == []


def test_a_notebook_that_git_left_in_conflict_leads_to_where_it_is_settled(somebody, merging: Folder) -> None:
    ada = opened(somebody("ada"), merging, "study.ipynb")
    dialog = ada.page.get_by_role("dialog", name="study.ipynb does not open as a notebook")
    expect(dialog).to_contain_text("git's conflict marks")
    expect(dialog.get_by_role("button", name="Resolve Merge")).to_be_focused()

    ada.page.keyboard.press("Enter")

    expect(current_page(ada.page).get_by_role("status")).to_have_text("0 of 1 conflict settled")
    expect(ada.page.get_by_role("dialog")).to_have_count(0)
    assert ada.errors == []


def test_an_old_version_comes_into_what_both_have_open(somebody, folder: Folder) -> None:
    for month in (1, 2):
        folder.commit("sums.py", TEXT.format(month=month))
    first = folder.git("rev-parse", "HEAD~1")
    ada, bob = (opened(somebody(name), folder, "sums.py") for name in ("ada", "bob"))
    for one in (ada, bob):
        one.page.wait_for_function(CODE)
    # What the kernel said is kept: a cell's change is written only after it.
    cell(ada, 1).click()
    ada.page.keyboard.press("Control+End")
    ada.page.keyboard.type("  # ada")
    ada.until_on_disk(lambda: "# ada" in (folder.top / "sums.py").read_text())
    cell(bob, 1).click()
    bob.page.keyboard.press("Control+End")

    command(ada.page, "slipway:restore-revision", path=f"{folder.top.name}/sums.py", revision=first)

    for one in (ada, bob):
        expect(cell(one, 0)).to_contain_text("month = 1")
    bob.page.keyboard.type("  # bob goes on")
    expect(cell(ada, 1)).to_have_text("print(month * sum(factors))  # bob goes on")
    # As code, in its colours: no text says in which language its kernel speaks.
    assert [one.page.evaluate(CODE) for one in (ada, bob)] == [True, True]
    assert ada.errors == bob.errors == []
