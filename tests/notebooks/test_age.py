"""What a cell shows is marked as of an earlier source when it is, and only then."""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_slipway.notebooks import age
from jupyter_slipway.notebooks.live import put_text
from tests.notebooks.builders import PERCENT, Server, show, shown
from tests.notebooks.rooms import Page, Shared, in_loop
from tests.notebooks.test_following import asked, inputs

FIRST = int(os.environ.get("SLIPWAY_FUZZ_FROM", "0"))
SEEDS = range(FIRST, FIRST + int(os.environ.get("SLIPWAY_FUZZ", "3")))
STEPS = 40
CELLS = 3


def a_cell(source: str, *gave: str, **metadata: Any) -> dict[str, Any]:
    outputs = [{"output_type": "stream", "name": "stdout", "text": one} for one in gave]
    return {"cell_type": "code", "source": source, "outputs": outputs, "execution_count": 1, "metadata": metadata}


def test_a_result_grows_old_with_another_source_and_is_of_its_own_again() -> None:
    ran = a_cell("x = 1", "1")

    old = age.marked({**ran, "source": "x = 2"}, age.mark_for("x = 2", ran))

    assert age.is_old(old)
    assert age.mark_for("x = 3", old) == age.mark_for("x = 2", ran)
    assert age.mark_for("x = 1", old) is None
    assert age.mark_for("x  =  1  # one", ran) is None, "a formatter"
    assert age.mark_for("x  =  1  # one", ran, python=False)
    assert not age.is_old({**old, "outputs": a_cell("x = 2", "2")["outputs"]}), "it ran"


@pytest.mark.parametrize(
    ("kernel", "python"), [(None, True), ("python3", True), ({}, True), ({"language": "R"}, False)]
)
def test_what_names_no_other_language_is_python(kernel: Any, python: bool) -> None:
    assert age.is_python({"kernelspec": kernel}) is python


def test_what_a_page_has_not_saved_is_of_the_source_that_it_had(tmp_path: Path, home: Path) -> None:
    (tmp_path / "a.py").write_text(PERCENT)
    server = Server(tmp_path, home)
    page = server.open("a.py")
    base = inputs(page)
    show(page.cells[2], "1\n")
    (tmp_path / "a.py").write_text(PERCENT.replace("print(x)", "print(x, 2)"))
    followed = asked(tmp_path, home, "a.py", base, base)
    cell = followed.cells[2]
    assert (cell.was, cell.now) == (age.digest("print(x)"), age.digest("print(x, 2)"))

    # As the page does it.
    page.cells[2].source, page.cells[2].metadata["slipway"] = "print(x, 2)", {"stale": "", "of": cell.was}
    page.metadata["slipway"] = followed.said
    server.save("a.py", page)

    assert shown(server.open("a.py"))[2] == "1\n (old)"
    (tmp_path / "a.py").write_text(PERCENT.replace("x = 1", "x = 3"))
    assert shown(server.open("a.py"))[2] == "1\n", "put back"


def test_what_ran_while_the_disk_changed_is_of_what_ran(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text(PERCENT)
    server = Server(tmp_path, home)
    server.run("a.py", page := server.open("a.py"))
    file.write_text(PERCENT.replace("print(x)", "print(x, 2)"))
    server.open("a.py")
    show(page.cells[2], "again\n", 2)

    server.save("a.py", page)

    assert file.read_text() == PERCENT.replace("print(x)", "print(x, 2)")
    assert shown(server.open("a.py"))[2].endswith(" (old)")


def test_what_was_typed_and_saved_and_is_put_back_elsewhere_shows_what_is_its_own(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text(PERCENT)
    server = Server(tmp_path, home)
    server.run("a.py", page := server.open("a.py"))
    page.cells[2].source = "print(x, 'typed')"
    server.save("a.py", page)

    file.write_text(PERCENT.replace("x = 1", "x = 3"))

    assert shown(server.open("a.py")) == ["x = 1 gave 1\n (old)", "", "print(x) gave 1\n"]


@pytest.mark.parametrize("said", [{"stale": ""}, {"stale": 1, "of": []}, {"of": 7}, [], "old", None])
def test_a_mark_that_says_nothing_is_saved_over(tmp_path: Path, home: Path, said: Any) -> None:
    file = tmp_path / "a.py"
    file.write_text(PERCENT)
    server = Server(tmp_path, home)
    server.run("a.py", page := server.open("a.py"))
    page.cells[0].metadata["slipway"] = said

    server.save("a.py", page)
    file.write_text(PERCENT.replace("x = 1", "x = 3"))

    assert shown(server.open("a.py"))[0] == "x = 1 gave 1\n (old)"


def ran(page: Page, cell: int) -> None:
    ycell = page.document.ycells[cell]
    ycell["metadata"].pop("slipway", None)
    ycell["outputs"].clear()
    ycell["outputs"].append({"output_type": "stream", "name": "stdout", "text": f"of {ycell['source']}"})


def types(page: Page, cell: int, source: str) -> None:
    put_text(page.document.ycells[cell]["source"], source)


TWO = "# %%\none = 1\n\n# %%\ntwo = 2\n"


@pytest.mark.parametrize("is_beside_its_text", [False, True])
@in_loop
async def test_what_comes_back_with_a_version_is_of_the_source_that_it_ran_with(
    tmp_path: Path, home: Path, is_beside_its_text: bool
) -> None:
    file = tmp_path / "a.py"
    file.write_text(TWO)
    shared = Shared(tmp_path, home, poll=None, delay=None)
    page = await shared.notebook("a.py")
    if is_beside_its_text:
        await shared.text("a.py")
    ran(page, 0)
    types(page, 0, "one = 10")
    await page.room._save_to_disc()
    typed = file.read_text()
    ran(page, 0)
    file.write_text(typed.replace("two = 2", "two = 3"))
    await page.room._save_to_disc()

    file.write_text(typed)
    types(page, 1, "two = 3\n# more")
    await page.room._save_to_disc()
    assert shown(page.document.get())[0] == "of one = 1"
    file.write_text(file.read_text().replace("one = 10", "one = 1"))
    await page.room._save_to_disc()

    assert shown(page.document.get())[0] == "of one = 1"


@in_loop
async def test_what_gives_the_same_again_from_another_source_is_of_that(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text(TWO)
    shared = Shared(tmp_path, home, poll=None, delay=None)
    page = await shared.notebook("a.py")
    ran(page, 0)
    types(page, 0, "one = 10")
    await page.room._save_to_disc()
    page.document.ycells[0]["outputs"].clear()
    page.document.ycells[0]["outputs"].append({"output_type": "stream", "name": "stdout", "text": "of one = 1"})
    types(page, 1, "two = 3")
    await page.room._save_to_disc()
    await shared.leave("a.py", "notebook")
    page = await shared.notebook("a.py")

    for now, is_shown in (("one = 11", "of one = 1 (old)"), ("one = 10", "of one = 1")):
        # Each a text that was not there before.
        file.write_text(re.sub("one = .*", now, file.read_text()) + "# more\n")
        await page.room._save_to_disc()
        assert shown(page.document.get())[0] == is_shown


@in_loop
async def test_what_is_undone_is_of_the_source_that_it_was_of(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text(TWO)
    shared, elsewhere = (Shared(tmp_path, home, poll=None, delay=None) for _ in range(2))
    page, other = [await one.notebook("a.py") for one in (shared, elsewhere)]
    ran(page, 0)
    types(page, 0, "one = 10")
    await page.room._save_to_disc()
    await other.room._save_to_disc()
    types(other, 1, "two = 3")
    ran(other, 0)
    await other.room._save_to_disc()
    types(page, 1, "two = 4")
    await page.room._save_to_disc()
    assert shown(page.document.get())[0] == "of one = 10"

    assert await shared.files.undo_merge("a.py")
    types(page, 0, "one = 11")
    await page.room._save_to_disc()
    file.write_text(file.read_text().replace("one = 11", "one = 1"))
    await page.room._save_to_disc()

    assert shown(page.document.get())[0] == "of one = 1"


@in_loop
async def test_what_a_cell_gives_while_somebody_types_in_it_is_of_what_it_began_with(
    tmp_path: Path, home: Path
) -> None:
    file = tmp_path / "a.py"
    file.write_text(TWO)
    page = await Shared(tmp_path, home, poll=None, delay=None).notebook("a.py")
    ycell = page.document.ycells[0]
    ycell["execution_state"] = "running"
    types(page, 0, "one = 10")
    ycell["outputs"].append({"output_type": "stream", "name": "stdout", "text": "of one = 1"})
    ycell["execution_count"] = 1.0
    ycell["execution_state"] = "idle"
    await page.room._save_to_disc()

    for now, is_shown in (("one = 11", "of one = 1 (old)"), ("one = 1", "of one = 1")):
        file.write_text(re.sub("one = .*", now, file.read_text()))
        await page.room._save_to_disc()
        assert shown(page.document.get())[0] == is_shown


@in_loop
async def test_cells_that_have_no_ids_are_followed(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "a.ipynb"
    file.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [a_cell("x = 1", "1")]}))
    page = await Shared(tmp_path, home, poll=None, delay=None).notebook("a.ipynb")

    file.write_text(file.read_text().replace("x = 1", "x = 2"))
    await page.room._save_to_disc()

    assert page.sources == ["x = 2"]


class Cells:
    """Cells of few sources, of which each run says which it was."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.runs = 0
        self.typed: set[tuple[str, str]] = set()
        """(what ran, what was then typed): whoever types sees what is shown grow old."""

    def source(self, cell: int) -> str:
        return f"c{cell} = {self.random.randrange(4)}\nsome(more, words, of, cell{cell})"

    def run(self, page: Page, cell: int) -> None:
        self.runs += 1
        ycell = page.document.ycells[cell]
        if "slipway" in ycell["metadata"]:
            del ycell["metadata"]["slipway"]
        said = f"{self.runs}|{ycell['source']}"
        ycell["outputs"].clear()
        ycell["outputs"].append({"output_type": "stream", "name": "stdout", "text": said})
        ycell["execution_count"] = float(self.runs)

    def type(self, page: Page, cell: int) -> None:
        put_text(page.document.ycells[cell]["source"], self.source(cell))
        self.typed |= {(ran, source) for ran, source, old in results(page) if not old}

    def elsewhere(self, file: Path, before: list[str]) -> None:
        texts = re.split(r"^# %%\n", file.read_text(), flags=re.MULTILINE)[1:]
        for cell in self.random.sample(range(CELLS), 2):
            texts[cell] = self.source(cell) + "\n\n"
        written = "".join(f"# %%\n{one.strip()}\n\n" for one in texts).rstrip() + "\n"
        file.write_text(self.random.choice(before) if self.random.random() < 0.3 else written)


def results(page: Page) -> Iterator[tuple[str, str, bool]]:
    """What ran, what stands there, and whether that is said to be another, of each cell that shows something."""
    for cell in page.document.get()["cells"]:
        if cell["outputs"] and "<<<<<<<" not in cell["source"]:
            yield cell["outputs"][0]["text"].partition("|")[2], cell["source"], "slipway" in cell["metadata"]


@pytest.mark.parametrize("is_beside_its_text", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
@in_loop
async def test_whoever_writes_where_a_result_is_marked_when_it_is_old_and_only_then(
    tmp_path: Path, home: Path, seed: int, is_beside_its_text: bool
) -> None:
    cells, file = Cells(seed), tmp_path / "a.py"
    file.write_text("\n\n".join(f"# %%\n{cells.source(cell)}" for cell in range(CELLS)) + "\n")
    shared = Shared(tmp_path, home, poll=None, delay=None)
    page = await shared.notebook("a.py")
    if is_beside_its_text:
        await shared.text("a.py")
    before = [file.read_text()]
    for _ in range(STEPS):
        step, cell = cells.random.randrange(8), cells.random.randrange(CELLS)
        if step < 2:
            cells.run(page, cell)
        elif step < 4:
            cells.type(page, cell)
        elif step < 6:
            cells.elsewhere(file, before)
        elif step == 6 and cells.random.random() < 0.3:
            await shared.files.undo_merge("a.py")
        if step < 5:
            continue
        await page.room._save_to_disc()
        before.append(file.read_text())
        for ran, source, old in results(page):
            assert old == (ran != source) or (not old and (ran, source) in cells.typed), (ran, source, old)
