"""A page without jupyter-collaboration learns what became of its notebook's file, and goes on with both."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jupyter_slipway.errors import BadRequest, NotFound
from jupyter_slipway.events import Events
from jupyter_slipway.notebooks import following
from jupyter_slipway.notebooks.age import digest
from jupyter_slipway.notebooks.handlers import (
    ConvertRequest,
    FollowRequest,
    FollowTextRequest,
    Notebooks,
    SuccessorQuery,
)
from jupyter_slipway.notebooks.model import CellInputs, Edit, Followed, FollowedText
from jupyter_slipway.web import Asker
from tests.notebooks.builders import PERCENT, Server
from tests.notebooks.rooms import ipynb


def inputs(notebook: Any) -> list[CellInputs]:
    return [CellInputs(cell["id"], cell["cell_type"], cell["source"]) for cell in notebook["cells"]]


def typed(cells: list[CellInputs], at: int, source: str) -> list[CellInputs]:
    return [CellInputs(cell.id, cell.cell_type, source if i == at else cell.source) for i, cell in enumerate(cells)]


def asked(root: Path, home: Path, name: str, base: Any, mine: Any, *, clean: bool = False) -> Followed:
    notebooks = Notebooks(root, home, Events())
    return asyncio.run(notebooks.follow_notebook(Asker("ada"), FollowRequest(name, base, mine, clean)))


def follow_text(root: Path, home: Path, path: str, base: str, mine: str) -> FollowedText:
    return asyncio.run(Notebooks(root, home, Events()).follow_text(Asker("ada"), FollowTextRequest(path, base, mine)))


def shown(followed: Followed, mine: list[CellInputs]) -> list[str]:
    """What the page then says."""
    made = []
    for cell in followed.cells:
        if cell.mine is None:
            made.append(cell.cell["source"])
            continue
        made.append(edited(mine[cell.mine].source, cell.edits))
    return made


def edited(text: str, edits: list[Edit]) -> str:
    """Edits made as JavaScript makes them."""
    units = text.encode("utf-16-le")
    for edit in edits:
        units = units[: edit.start * 2] + edit.text.encode("utf-16-le") + units[edit.end * 2 :]
    return units.decode("utf-16-le")


def test_a_page_gets_what_changed_and_keeps_what_is_typed(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text(PERCENT)
    base = inputs(Server(tmp_path, home).open("a.py"))
    mine = typed(base, 0, "x = 1  # 😀 typed")
    file.write_text(PERCENT.replace("x = 1", "y = x = 1").replace("print(x)", "print(x, y)") + "\n# %%\nnew\n")

    followed = asked(tmp_path, home, "a.py", base, mine)

    assert shown(followed, mine) == ["y = x = 1  # 😀 typed", "Title", "print(x, y)", "new"]
    assert [cell.id for cell in followed.base[:3]] == [cell.id for cell in base]
    assert followed.conflicts == 0
    assert followed.hash == hashlib.sha256(file.read_bytes()).hexdigest()


def test_only_what_changed_is_read_as_code(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.py").write_text(PERCENT)
    page = inputs(Server(tmp_path, home).open("a.py"))
    read: list[tuple[str, str]] = []
    monkeypatch.setattr(following, "same_code", lambda *sides: bool(read.append(sides)))
    (tmp_path / "a.py").write_text(PERCENT.replace("x = 1", "x = 2"))

    asked(tmp_path, home, "a.py", page, page)

    assert read == [("x = 1", "x = 2")]


def test_a_page_is_told_what_each_of_its_sources_is_now(tmp_path: Path, home: Path) -> None:
    """Then it knows which of its outputs, marked as old, are true again."""
    (tmp_path / "a.py").write_text(PERCENT)
    page = inputs(Server(tmp_path, home).open("a.py"))

    followed = asked(tmp_path, home, "a.py", page, page)

    assert [cell.now for cell in followed.cells] == [digest(one.source) for one in page]


def test_a_notebook_in_a_folder_that_is_a_link_is_followed(tmp_path: Path, home: Path) -> None:
    (far := tmp_path / "far").mkdir()
    (root := tmp_path / "root").mkdir()
    (root / "data").symlink_to(far)
    (far / "a.py").write_text(PERCENT)
    base = inputs(Server(root, home).open("data/a.py"))
    (far / "a.py").write_text(PERCENT.replace("print(x)", "print(x, 1)"))

    followed = asked(root, home, "data/a.py", base, mine := typed(base, 0, "x = 2"))

    assert shown(followed, mine) == ["x = 2", "Title", "print(x, 1)"]


def test_an_ipynb_that_was_run_elsewhere_shows_it_where_nothing_is_unsaved(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "a.ipynb"
    file.write_text(ipynb("x = 1", "print(x)"))
    base = inputs(Server(tmp_path, home).open("a.ipynb"))

    assert [cell.cell for cell in asked(tmp_path, home, "a.ipynb", base, base).cells] == [None, None]
    assert [cell.cell["outputs"] for cell in asked(tmp_path, home, "a.ipynb", base, base, clean=True).cells] == [[], []]


def test_a_notebook_of_before_there_were_ids_is_followed_by_what_its_cells_say(tmp_path: Path, home: Path) -> None:
    def old(*sources: str) -> str:
        cells = [{"cell_type": "markdown", "metadata": {}, "source": source} for source in sources]
        return json.dumps({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells})

    file = tmp_path / "a.ipynb"
    base = [CellInputs("p1", "markdown", "One and two"), CellInputs("p2", "markdown", "three and four")]
    mine = typed(base, 1, "three and four, typed")
    file.write_text(old("One and 2", "three and four", "new"))

    followed = asked(tmp_path, home, "a.ipynb", base, mine)
    again = asked(tmp_path, home, "a.ipynb", followed.base, mine)

    assert shown(followed, mine) == ["One and 2", "three and four, typed", "new"]
    assert len(again.cells) >= len(mine)


def test_what_both_changed_is_marked_in_the_page(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text(PERCENT)
    base = inputs(Server(tmp_path, home).open("a.py"))
    mine = typed(base, 0, "x = 7")
    file.write_text(PERCENT.replace("x = 1", "x = 8"))

    followed = asked(tmp_path, home, "a.py", base, mine)

    assert shown(followed, mine)[0] == "<<<<<<< here\nx = 7\n=======\nx = 8\n>>>>>>> on disk"
    assert followed.conflicts == 1


def test_a_text_gets_what_changed_and_keeps_what_is_typed(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_bytes(b"one\r\ntwo\r\nthree\r\n")
    base, mine = "one\ntwo\n", "one 😀 typed\ntwo\n"

    followed = follow_text(tmp_path, home, "notes.txt", base, mine)

    assert edited(mine, followed.edits) == "one 😀 typed\ntwo\nthree\n"
    assert (followed.base, followed.newline, followed.conflicts) == ("one\ntwo\nthree\n", "\r\n", 0)
    assert followed.hash == hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_conflict_in_the_text_of_a_notebook_stays_within_its_cell(tmp_path: Path, home: Path) -> None:
    (tmp_path / "a.py").write_text(PERCENT.replace("x = 1", "x = 8"))
    mine = PERCENT.replace("x = 1", "x = 7").replace("print(x)", "print(x, y)")

    followed = follow_text(tmp_path, home, "a.py", PERCENT, mine)

    marked = "<<<<<<< here\nx = 7\n=======\nx = 8\n>>>>>>> on disk"
    assert edited(mine, followed.edits) == mine.replace("x = 7", marked)
    assert followed.conflicts == 1


def test_what_cannot_be_followed_is_refused_in_words(tmp_path: Path, home: Path) -> None:
    with pytest.raises(NotFound):
        asked(tmp_path, home, "gone.py", [], [])
    (tmp_path / "broken.py").write_bytes(b"# %%\n\xff\n")
    with pytest.raises(BadRequest, match="line 2"):
        asked(tmp_path, home, "broken.py", [], [])


def test_who_has_open_what_somebody_converted_finds_what_it_became(tmp_path: Path, home: Path) -> None:
    (tmp_path / "sub").mkdir()
    file = tmp_path / "sub" / "a.py"
    file.write_text(PERCENT)
    opened = file.stat().st_mtime
    notebooks = Notebooks(tmp_path, home, Events())

    def found(since: float) -> str:
        query = SuccessorQuery("sub/a.py", since)
        return asyncio.run(notebooks.get_successor(Asker("ada"), query)).path

    assert found(opened) == ""
    asyncio.run(notebooks.convert_notebook(Asker("bob"), ConvertRequest("sub/a.py", "ipynb")))

    assert found(opened) == "sub/a.ipynb"
    assert found(time.time() + 1) == ""  # that conversion was of another file of this name
    file.write_text(PERCENT)
    assert found(opened) == ""


@pytest.mark.parametrize("since", ["nan", "inf", "-1"])
def test_no_file_is_looked_for_since_no_time(since: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"path": "a.py", "since": since}, SuccessorQuery, strict=False)
