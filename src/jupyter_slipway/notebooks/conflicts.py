"""Conflicts of a merge inside a notebook: a conflicted cell holds both sides between git's marks, and says which.

Pure. The marks stand in the cell's source, so that a conflict is seen in every editor, survives every save in every
format, and is over when the marks are gone. git puts its own marks anywhere in a text, across cells and inside a
header; `open_conflicted` turns those into conflicts of whole cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

from jupyter_slipway.errors import Unprocessable
from jupyter_slipway.notebooks.diff import Cell, Json, same_cells
from jupyter_slipway.notebooks.glance import read_notebook
from jupyter_slipway.notebooks.marks import MINE, Sides, mark, sides
from jupyter_slipway.notebooks.merge import Merged
from jupyter_slipway.notebooks.merge_text import Clash, MergedText, apart

Side = Literal["mine", "theirs", "both"]


def open_conflicted(text: str, read: Callable[[str], Json]) -> Json | None:
    """The notebook of a text that git left in conflict; None when it has none.

    Its conflicted cells hold both sides between marks; a cell that only one side has stands between marks alone.

    Args:
        read: makes a notebook of a text without marks
    """
    found = sides(text)
    if found is None:
        return None
    mine, theirs = read(found.mine), read(found.theirs)
    return mine | {"cells": list(_conflicted(mine["cells"], theirs["cells"], found))}


def settled(cell: Cell, side: Side) -> Cell | None:
    """A conflicted cell with one side taken, or both, mine first; None when that side had removed it."""
    found = sides(cell["source"])
    if found is None:
        return cell
    taken = {"mine": found.mine, "theirs": found.theirs, "both": _both(found)}
    source = taken[side].removesuffix("\n")
    return cell | {"source": source} if source else None


def is_conflicted(cell: Cell) -> bool:
    return MINE in cell["source"] and sides(cell["source"]) is not None


def with_marks(merged: Merged, mine: str, theirs: str) -> dict[str, Any]:
    """A merge's notebook with its conflicts marked; `mine` and `theirs` name the sides."""
    cells = []
    for one in merged.cells:
        cell = one.cell
        if one.conflict and _says(one.conflict.mine, one.conflict.theirs):
            if one.conflict.mine is None or one.conflict.theirs is None:
                source = mark(one.conflict.mine or "", one.conflict.theirs or "", mine, theirs)
            else:
                source = one.text.marked(mine, theirs)
            cell = cell | {"source": source.removesuffix("\n")}
        cells.append(cell)
    return merged.notebook | {"cells": cells}


def _conflicted(mine: list[Cell], theirs: list[Cell], labels: Sides) -> Iterator[Cell]:
    """The cells of both, those that differ between marks: in mine's order, theirs' own after what they follow."""
    partner = dict(same_cells(mine, theirs))
    followed: dict[int, list[Cell]] = {}
    place = {j: i for i, j in partner.items()}
    last = -1
    for j, cell in enumerate(theirs):
        if j in place:
            last = place[j]
        else:
            followed.setdefault(last, []).append(cell)
    yield from (_marked(cell, "", cell["source"], labels) for cell in followed.get(-1, ()))
    for i, cell in enumerate(mine):
        if i not in partner:
            yield _marked(cell, cell["source"], "", labels)
        elif cell["source"] == theirs[partner[i]]["source"]:
            yield cell
        else:
            yield _marked(cell, cell["source"], theirs[partner[i]]["source"], labels)
        yield from (_marked(cell, "", cell["source"], labels) for cell in followed.get(i, ()))


def _marked(cell: Cell, mine: str, theirs: str, labels: Sides) -> Cell:
    """With what both share outside of the marks."""
    if not _says(mine, theirs):
        return cell
    names = (labels.mine_label or "mine", labels.theirs_label or "theirs")
    text = apart(mine, theirs) if mine and theirs else MergedText((Clash("", mine, theirs),))
    source = text.marked(*names)
    made = cell | {"source": source.removesuffix("\n")}
    return made | {"outputs": [], "execution_count": None} if "outputs" in made else made


def _says(*sides: str | None) -> bool:
    """Whether there is anything to choose from: marks around nothing would be gone when they are read again."""
    return any(side and not side.isspace() for side in sides)


def _both(found: Sides) -> str:
    """Without the marks, mine first."""
    return apart(found.mine, found.theirs).text if found.mine and found.theirs else found.mine + found.theirs


def problem(name: str, content: bytes) -> str:
    """Why a notebook's file should not be committed; empty when nothing speaks against it."""
    try:
        cells = read_notebook(name, content)["cells"]
    except Unprocessable as error:
        return f"{error.message} {error.hint}".strip()
    for index, cell in enumerate(cells):
        if is_conflicted(cell):
            return f"{name}: cell {index + 1} holds both sides of a conflict."
    return f"{name} holds git's conflict marks." if _has_marks(content) else ""


def _has_marks(content: bytes) -> bool:
    """Of a text; an .ipynb has them inside of a JSON string, where they are found as a cell's."""
    return sides(content.decode(errors="replace")) is not None
