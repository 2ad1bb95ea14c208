"""The radar: off until switched on, visible, cell by cell, in one folder and through a remote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_slipway.errors import Unavailable
from jupyter_slipway.notebooks import radar
from jupyter_slipway.notebooks.git import Repository
from tests.notebooks.asking import Ask, asking
from tests.notebooks.samples import Folder, percent

NEW = "for row in rows:\n    print(row, sep='')"
START = ("import os", "x = load(1, 2)", "y = fit(x, 3)")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path / "work")
    made.commit("a.py", percent(*START))
    made.commit("b.py", percent(*START))
    return made


@pytest.fixture
def clone(folder: Folder, tmp_path: Path) -> Folder:
    """Bob's own, of the same remote as Ada's."""
    folder.git("clone", "-q", "--bare", str(folder.top), str(tmp_path / "hub.git"))
    folder.git("remote", "add", "hub", str(tmp_path / "hub.git"))
    folder.git("clone", "-q", "-o", "hub", str(tmp_path / "hub.git"), str(tmp_path / "bobs"))
    return Folder(tmp_path / "bobs")


def shares(ask: Ask, sharing: str = "notebook", remote: str = "", path: str = "a.py") -> Any:
    status, view = ask("PUT", "/notebooks/radar", {"path": path, "sharing": sharing, "remote": remote})
    assert status == 200
    return view


def saves(ask: Ask, top: Path, *cells: str, path: str = "a.py") -> None:
    (top / path).write_text(percent(*cells))
    assert ask("POST", "/notebooks/snapshots", {"path": path})[0] == 200


def seen(ask: Ask, path: str = "a.py") -> list[tuple[Any, ...]]:
    status, view = ask("GET", "/notebooks/radar", path=path)
    assert status == 200
    return [(one["who"], one["index"], one["what"], one["source"], one["both"]) for one in view["seen"]]


def test_outside_of_git_it_says_why_nothing_can_be_shared(tmp_path: Path, home: Path) -> None:
    (tmp_path / "a.py").write_text(percent(*START))
    ask = asking(tmp_path, home)

    status, view = ask("GET", "/notebooks/radar", path="a.py")

    assert (status, view["outside"]) == (200, "a.py is in no git repository. Make one with 'git init'.")
    assert ask("POST", "/notebooks/snapshots", {"path": "a.py"}) == (200, {"snapshot": None})


def test_nobody_shares_or_sees_until_they_switch_it_on(folder: Folder, tmp_path: Path, home: Path) -> None:
    folder.git("worktree", "add", "-q", str(tmp_path / "bobs"), "-b", "bobs")
    ada, bob = asking(folder.top, home), asking(tmp_path / "bobs", home, "bob")
    saves(bob, tmp_path / "bobs", START[0], "x = load(1, 9)", START[2])
    assert ada("GET", "/notebooks/radar", path="a.py")[1]["sharing"] == "off"
    shares(ada)
    assert seen(ada) == []
    assert folder.git("for-each-ref", "refs/slipway/radar/bob") == ""
    shares(bob)
    assert seen(ada) == [("bob", 1, "edited", "x = load(1, 9)", False)]
    shares(ada, "off")
    assert seen(ada) == []


def test_two_people_in_one_cell_are_told_before_the_conflict_exists(folder: Folder, tmp_path: Path, home: Path) -> None:
    folder.git("worktree", "add", "-q", str(tmp_path / "bobs"), "-b", "bobs")
    ada, bob = asking(folder.top, home), asking(tmp_path / "bobs", home, "bob")
    shares(ada)
    shares(bob)
    saves(ada, folder.top, START[0], "x = load(7, 2)", START[2], "ada = 1")
    saves(bob, tmp_path / "bobs", START[0], NEW, "x = load(1, 9)")
    assert seen(ada) == [
        ("bob", None, "added", NEW, False),
        ("bob", 1, "edited", "x = load(1, 9)", True),
        ("bob", 2, "removed", "", False),
    ]
    assert ("ada", 2, "edited", "x = load(7, 2)", True) in seen(bob)


def test_in_one_folder_each_sees_what_the_other_wrote(folder: Folder, home: Path) -> None:
    ada, bob = asking(folder.top, home), asking(folder.top, home, "bob")
    shares(ada)
    shares(bob)
    saves(bob, folder.top, START[0], "x = load(1, 9)", START[2])
    saves(ada, folder.top, START[0], "x = load(1, 9)", "y = fit(x, 4)")
    saves(bob, folder.top, START[0], "x = load(1, 9)", "y = fit(x, 4)", "more")
    assert seen(ada) == [
        ("bob", 1, "edited", "x = load(1, 9)", False),
        ("bob", 3, "added", "more", False),
    ]
    assert ("ada", 2, "edited", "y = fit(x, 4)", False) in seen(bob)
    assert ("ada", 1) not in [one[:2] for one in seen(bob)]


def test_one_notebook_or_all_of_the_repository(folder: Folder, tmp_path: Path, home: Path) -> None:
    folder.git("worktree", "add", "-q", str(tmp_path / "bobs"), "-b", "bobs")
    ada, bob = asking(folder.top, home), asking(tmp_path / "bobs", home, "bob")
    shares(ada, "repository")
    shares(bob, "notebook")
    for path in ("a.py", "b.py"):
        saves(bob, tmp_path / "bobs", *START, "more", path=path)
    assert (len(seen(ada)), len(seen(ada, "b.py"))) == (1, 0)
    shares(bob, "repository")
    saves(bob, tmp_path / "bobs", *START, "and more", path="b.py")
    assert len(seen(ada, "b.py")) == 1


def test_through_a_remote_and_back(folder: Folder, clone: Folder, home: Path, tmp_path: Path) -> None:
    ada, bob = asking(folder.top, home), asking(clone.top, tmp_path, "bob")
    assert shares(ada, remote="hub")["remotes"] == ["hub"]
    shares(bob, remote="hub")
    saves(bob, clone.top, START[0], "x = load(1, 9)", START[2])
    # Who only looks hears of it, too.
    assert seen(ada) == [("bob", 1, "edited", "x = load(1, 9)", False)]
    saves(ada, folder.top, START[0], "x = load(7, 2)", START[2])
    assert seen(ada) == [("bob", 1, "edited", "x = load(1, 9)", True)]
    hub = str(tmp_path / "hub.git")
    assert "refs/slipway/radar/bob/main" in folder.git("ls-remote", hub)
    fetched = "for-each-ref", "refs/slipway/radar-from"
    assert "ada" in clone.git(*fetched)
    shares(bob, "off", remote="hub")
    assert "bob" not in folder.git("ls-remote", hub)
    assert clone.git(*fetched) == ""
    shares(ada, remote="hub")
    assert seen(ada) == []
    assert "snapshots" not in folder.git("ls-remote", hub)


def test_a_colleagues_copy_can_be_compared(folder: Folder, tmp_path: Path, home: Path) -> None:
    folder.git("worktree", "add", "-q", str(tmp_path / "bobs"), "-b", "bobs")
    ada, bob = asking(folder.top, home), asking(tmp_path / "bobs", home, "bob")
    shares(ada)
    shares(bob)
    saves(bob, tmp_path / "bobs", *START, "more")
    _, found = ada("POST", "/notebooks/diff", {"path": "a.py", "base": "HEAD", "other": "@bob"})
    assert found["diff"][0]["diff"][0]["valuelist"][0]["source"] == "more"
    assert ada("GET", "/notebooks/references", path="a.py")[1]["colleagues"] == ["bob"]
    shares(ada, "off")
    assert ada("POST", "/notebooks/diff", {"path": "a.py", "other": "@bob"})[0] == 403
    assert ada("GET", "/notebooks/references", path="a.py")[1]["colleagues"] == []


def test_a_remote_with_a_colleagues_name_is_not_that_colleague(folder: Folder, home: Path) -> None:
    ada, bob = asking(folder.top, home), asking(folder.top, home, "bob")
    shares(ada)
    shares(bob)
    saves(bob, folder.top, *START, "bob's")
    carols = folder.commit("a.py", percent(*START, "carol's"))
    folder.git("update-ref", "refs/slipway/radar-from/bob/carol/main", carols)
    _, found = ada("POST", "/notebooks/diff", {"path": "a.py", "base": "HEAD~1", "other": "@bob"})
    assert "carol's" not in json.dumps(found)


def test_what_another_program_put_on_the_radar_bars_nobody(folder: Folder, home: Path) -> None:
    ada = asking(folder.top, home)
    shares(ada)
    said = "Uncommitted work\n\nBase: nowhere\nAt: 2026-11-27T00:00:00"
    made = folder.git("commit-tree", "HEAD^{tree}", "-m", said)
    folder.git("update-ref", "refs/slipway/radar/carol/main", made)
    assert ada("GET", "/notebooks/radar", path="a.py")[0] == 200


def test_a_remote_that_is_away_is_said_and_the_folder_works_on(folder: Folder, home: Path) -> None:
    folder.git("remote", "add", "gone", str(folder.top / "nowhere.git"))
    ada = asking(folder.top, home)
    assert "failed" in shares(ada, remote="gone")["problem"]
    assert ada("PUT", "/notebooks/radar", {"path": "a.py", "sharing": "notebook", "remote": "none"})[0] == 404
    saves(ada, folder.top, *START, "more")
    assert seen(ada) == []
    assert "failed" in shares(ada, "off")["problem"]  # what the remote has of it could not be taken back


def test_a_remote_that_lets_pages_wait_is_left_alone(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def away() -> None:
        asked.append(1)
        raise Unavailable("The remote did not answer.", hint="Try again later.")

    repository, remotes, choice = Repository.of(folder.top / "a.py"), radar.Remotes(), radar.Choice(remote="far")
    assert remotes.asked(repository, choice, away) == remotes.asked(repository, choice, away)
    assert len(asked) == 2  # it said at once why not
    monkeypatch.setattr(radar, "LONG", 0.0)
    for _ in range(3):
        assert remotes.asked(repository, choice, away) == "The remote did not answer. Try again later."
    assert len(asked) == 3
    assert remotes.asked(repository, radar.Choice(remote="near"), lambda: None) == ""
    assert remotes.asked(repository, choice, lambda: asked.clear(), anew=True) == ""
    assert remotes.asked(repository, choice, away)
    assert asked == [1]


def test_what_is_shared_is_written_down_for_the_person(folder: Folder, home: Path) -> None:
    shares(asking(folder.top, home))
    kept = json.loads((home / "radar.json").read_text())
    (choice,) = kept["ada"].values()
    assert (choice["all"], choice["notebooks"]) == (False, ["a.py"])
