"""Files that are odd, though nothing is wrong: their names, their line ends, what lies in the place of a folder."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from tornado.web import HTTPError

from jupyter_slipway.errors import BadRequest
from jupyter_slipway.notebooks import conversions
from jupyter_slipway.notebooks.convert import convert
from jupyter_slipway.notebooks.documents import Documents
from tests.notebooks.builders import PERCENT, Server, ids, show, shown
from tests.notebooks.rooms import Shared, in_loop, until
from tests.notebooks.test_convert import convert_until, left

MYST = (
    "---\njupytext: {text_representation: {extension: .md, format_name: myst}}\n---\n\none\n\n```{code-cell}\nx\n```\n"
)


@pytest.mark.parametrize("name", ["a.py", "a.ipynb"])
def test_what_an_old_mac_ended_lines_by_stays(server: Server, name: str) -> None:
    cells = [nbformat.v4.new_code_cell(source) for source in ("x = 1\ny = 2", "print(x)")]
    text = nbformat.writes(nbformat.v4.new_notebook(cells=cells)) if name == "a.ipynb" else PERCENT
    (server.root / name).write_bytes(text.replace("\n", "\r").encode())
    opened = server.open(name)
    assert "\r" not in "".join(cell.source for cell in opened.cells)
    if name == "a.ipynb":  # Jupyter writes all of it anew
        return
    opened.cells[-1].source = "print(x, x)"

    server.save(name, opened)

    assert (server.root / name).read_bytes() == PERCENT.replace("\n", "\r").replace("(x)", "(x, x)").encode()


@in_loop
async def test_what_an_old_mac_ended_lines_by_stays_in_a_shared_text(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "a.py"
    file.write_bytes(PERCENT.replace("\n", "\r").encode())
    shared = Shared(tmp_path, home)
    notebook, _ = await shared.notebook("a.py"), await shared.text("a.py")

    notebook.type(0, -1, "  # typed")

    wanted = PERCENT.replace("x = 1", "x = 1  # typed").replace("\n", "\r").encode()
    await until(lambda: file.read_bytes() == wanted, file.read_bytes)


def test_a_name_that_is_not_utf8_is_one(server: Server, home: Path) -> None:
    name = os.fsdecode(b"\xff.py")
    (server.root / name).write_text(PERCENT)
    server.run(name, server.open(name))
    opened = Server(server.root, home).open(name)
    opened.cells[0].source = "x = 2"
    server.save(name, opened)

    renamed = server.ask("update", {"path": f"b{name}"}, name)["name"]

    assert shown(server.open(renamed)) == ["x = 1 gave 1\n", "", "print(x) gave 1\n"]
    with pytest.raises(BadRequest, match="is not UTF-8"):
        convert(Documents(server.root, home), server.root / renamed, "ipynb")
    assert renamed in left(server.root)


@pytest.mark.parametrize("place", [".slipway", ".slipway/outputs", ".slipway/blobs", ".slipway/heads"])
def test_a_link_to_itself_in_the_place_of_what_is_kept_takes_no_word(
    server: Server, notebook: Path, home: Path, place: str
) -> None:
    server.run("a.py", server.open("a.py"))
    shutil.rmtree(server.root / place, ignore_errors=True)
    (server.root / place).symlink_to(Path(place).name)
    again = Server(server.root, home)
    opened = again.open("a.py")
    opened.cells[0].source = "x = 2"
    show(opened.cells[0], "long\n" * 1000)

    with pytest.raises(HTTPError) as refused:
        again.save("a.py", opened)

    assert refused.value.status_code == 403
    assert f"The code of a.py is saved; its outputs are not: {place} is in" in refused.value.log_message
    assert notebook.read_text() == PERCENT.replace("x = 1", "x = 2")
    assert again.open("a.py").cells[0].source == "x = 2"


@in_loop
async def test_a_cell_that_says_nothing_of_its_source_is_empty(tmp_path: Path, home: Path) -> None:
    cell = {"id": "a", "cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    file = tmp_path / "a.ipynb"
    file.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}))
    page = await Shared(tmp_path, home).notebook("a.ipynb")

    page.type(0, 0, "typed")

    await until(lambda: "typed" in file.read_text(), file.read_text)


def test_an_empty_cell_of_prose_that_a_myst_text_cannot_hold_takes_no_other_cell_along(
    server: Server, tmp_path_factory: Any, home: Path
) -> None:
    (server.root / "a.md").write_text(MYST)
    opened = server.open("a.md")
    opened.cells[1:1] = [nbformat.v4.new_markdown_cell(source) for source in ("", "two")]
    server.save("a.md", opened)
    assert [cell.source for cell in Server(server.root, home).open("a.md").cells] == ["one", "", "two", "x"]

    clones = []
    for name in ("one", "other"):
        shutil.copy(server.root / "a.md", clone := tmp_path_factory.mktemp(name))
        clones.append(Server(clone, home).open("a.md"))

    assert ids(clones[0]) == ids(clones[1])
    assert [cell.source for cell in clones[0].cells] == ["one", "two", "x"]
    assert ids(clones[0])[0::2] == ids(opened)[0::3]


@in_loop
async def test_a_notebook_that_becomes_unreadable_beside_its_open_text_is_told_of_once(
    tmp_path: Path, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "a.ipynb"
    whole = nbformat.writes(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1")]))
    file.write_text(whole)
    shared = Shared(tmp_path, home)
    notebook, text = await shared.notebook("a.ipynb"), await shared.text("a.ipynb")

    file.write_text(whole.replace('"x = 1"', '"x = 1'))
    await until(lambda: any("line 10" in one.get("msg", "") for one in shared.events.said))
    notebook.type(0, -1, "  # typed")
    for _ in range(3):
        await notebook.room._save_to_disc()
    file.write_text(whole)

    await until(lambda: "x = 1  # typed" in file.read_text(), file.read_text)
    await until(lambda: "x = 1  # typed" in text.document.get(), text.document.get)
    assert not [one.message for one in caplog.records if "is not saved" in one.message]


@pytest.mark.parametrize("ran", ["a.py", "a.ipynb"])
def test_what_somebody_else_ran_in_one_of_the_two_that_a_kill_left_is_not_taken_away(
    tmp_path: Path, home: Path, tmp_path_factory: Any, ran: str
) -> None:
    """The other one's server does not know that it was being converted, and shows both."""
    (tmp_path / "a.py").write_text(PERCENT)
    mine = Documents(tmp_path, home)
    convert_until("remove", mine, tmp_path / "a.py")
    theirs = Server(tmp_path, tmp_path_factory.mktemp("theirs"))
    names = [one["name"] for one in theirs.ask("get", "", type="directory")["content"]]
    assert sorted(names) == ["a.ipynb", "a.py"]
    assert [cell.source for cell in theirs.open("a.py").cells] == [cell.source for cell in theirs.open("a.ipynb").cells]

    theirs.run(ran, theirs.open(ran), count=7)
    conversions.finish_left(mine)

    assert left(tmp_path)[-2:] == ["a.ipynb", "a.py"]
    assert shown(theirs.open(ran))[0] == "x = 1 gave 7\n"
