"""A file is replaced only as whoever writes has seen it, if they say so."""

from __future__ import annotations

import os
from contextvars import Context
from pathlib import Path

import pytest

from jupyter_slipway.errors import Conflict
from jupyter_slipway.notebooks import writing
from jupyter_slipway.notebooks.sightings import state_of


def test_what_is_expected_is_replaced_and_the_writer_knows_what_it_became(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")

    with writing.expecting(file, state_of(file)) as replaced:
        writing.write(file, b"new")

    assert (file.read_text(), replaced.became) == ("new", state_of(file))
    assert [one.name for one in tmp_path.iterdir()] == ["a.txt"]


def test_another_file_is_replaced_as_ever(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("old")

    with writing.expecting(tmp_path / "a.txt", None) as replaced:
        writing.write(tmp_path / "b.txt", b"new")

    assert ((tmp_path / "b.txt").read_text(), replaced.became) == ("new", None)


def test_what_changed_before_is_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")
    seen = state_of(file)
    file.write_text("changed")

    with pytest.raises(Conflict), writing.expecting(file, seen):
        writing.write(file, b"new")

    assert file.read_text() == "changed"


def test_what_changes_in_the_last_moment_is_there_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")
    exchange = writing._exchange

    def late(one: Path, other: Path) -> bool:
        if file.read_text() == "old":
            (tmp_path / "beside").write_text("changed")
            os.replace(tmp_path / "beside", file)
        return exchange(one, other)

    monkeypatch.setattr(writing, "_exchange", late)
    with pytest.raises(Conflict), writing.expecting(file, state_of(file)):
        writing.write(file, b"new")

    assert file.read_text() == "changed"
    assert [one.name for one in tmp_path.iterdir()] == ["a.txt"]


def test_what_replaces_ours_while_it_is_taken_back_is_the_newest(tmp_path: Path, monkeypatch) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")
    exchange, done = writing._exchange, []

    def slow(one: Path, other: Path) -> bool:
        if done:
            return exchange(one, other)
        (tmp_path / "beside").write_text("changed before")
        os.replace(tmp_path / "beside", file)
        done.append(exchange(one, other))
        Context().run(writing.write, file, b"changed after")
        return done[0]

    monkeypatch.setattr(writing, "_exchange", slow)
    with pytest.raises(Conflict), writing.expecting(file, state_of(file)):
        writing.write(file, b"new")

    assert file.read_text() == "changed after"
    assert [one.name for one in tmp_path.iterdir()] == ["a.txt"]


def test_another_writer_does_not_take_what_is_about_to_be_put_back(tmp_path: Path, monkeypatch) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")
    exchange, others = writing._exchange, []

    def slow(one: Path, other: Path) -> bool:
        if others:
            return exchange(one, other)
        (tmp_path / "beside").write_text("changed")
        os.replace(tmp_path / "beside", file)
        done = exchange(one, other)
        # It has begun to write, and is not done.
        others.append(writing._beside(file, "wb", {}))
        return done

    monkeypatch.setattr(writing, "_exchange", slow)
    with pytest.raises(Conflict), writing.expecting(file, state_of(file)):
        writing.write(file, b"new")

    assert file.read_text() == "changed"
    assert os.path.exists(others[0].name)
    others[0].close()


def test_what_is_to_go_stays_when_it_is_another_by_now(tmp_path: Path) -> None:
    file, aside = tmp_path / "a.py", tmp_path / ".~a.py"
    file.write_text("old")
    was = writing.fingerprint(file)
    file.write_text("new")

    assert not writing.remove(file, was, aside)
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("a.py", "new")]
    assert writing.remove(file, writing.fingerprint(file), aside)
    assert writing.remove(file, was, aside)
    assert [*tmp_path.iterdir()] == []


def test_of_what_a_kill_left_aside_nothing_goes_that_was_written_since(tmp_path: Path) -> None:
    file, aside = tmp_path / "a.py", tmp_path / ".~a.py"
    file.write_text("older")
    was = writing.fingerprint(file)
    aside.write_text("newer")
    assert not writing.drop(aside, file, was)
    assert (aside.read_text(), file.read_text()) == ("newer", "older")

    file.unlink()
    os.link(aside, file)
    assert not writing.drop(aside, file, was)
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("a.py", "newer")]


def test_a_name_that_is_taken_is_not_given_to_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(2):
        draft, name = tmp_path / f"draft{number}", tmp_path / f"name{number}"
        draft.write_text("draft")
        name.write_text("there")
        writing.put(draft, name)
        assert (draft.read_text(), name.read_text()) == ("draft", "there")
        name.unlink()
        writing.put(draft, name)
        assert (draft.exists(), name.read_text()) == (False, "draft")
        monkeypatch.setattr(os, "link", without_links)


def without_links(*_: object, **__: object) -> None:
    raise PermissionError


def test_what_is_no_file_has_no_fingerprint(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("nowhere")

    assert [writing.fingerprint(tmp_path / name) for name in ("pipe", "folder", "link", "none")] == [""] * 4
