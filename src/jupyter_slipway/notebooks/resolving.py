"""What a person settles of a merge in conflict: each conflicted cell with both its sides, and the file when all are.

Reached from `compare_handlers`; nothing is read or written here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from jupyter_slipway.errors import BadRequest, Conflict, Unprocessable
from jupyter_slipway.notebooks.conflicts import is_conflicted
from jupyter_slipway.notebooks.diff import Cell, Json
from jupyter_slipway.notebooks.driver import to_json
from jupyter_slipway.notebooks.merge import Merged, decide
from jupyter_slipway.notebooks.revisions import plain


class CellConflict(Struct, frozen=True):
    """A cell that both sides changed against each other. None: that side removed it, or never had it."""

    index: int
    """Its place among the merged cells."""
    base: str | None
    """Its source before both."""
    mine: Cell | None
    theirs: Cell | None
    decisions: list[dict[str, Any]]
    """nbdime's, on a notebook of this cell's source alone; none when one side removed it."""


def cell_conflicts(merged: Merged, mine: Json, theirs: Json) -> list[CellConflict]:
    """The conflicts of a merge, in the order of its cells."""
    found = []
    for index, one in enumerate(merged.cells):
        if one.conflict is None:
            continue
        ours, others = _at(mine["cells"], one.mine), _at(theirs["cells"], one.theirs)
        decisions = []
        if ours is not None and others is not None:
            sources = (one.conflict.base or "", ours["source"], others["source"])
            decisions = decide(*(_alone(one.cell["cell_type"], source) for source in sources))
        found.append(CellConflict(index, one.conflict.base, ours, others, decisions))
    return found


def settled_file(name: str, notebook: Mapping[str, Any]) -> bytes:
    """The bytes of a file in which nothing is left to be settled.

    Raises:
        BadRequest: it is a text notebook, which is settled in its cells
        Conflict: a cell holds both sides still
        Unprocessable: it is no notebook
    """
    if not name.endswith(".ipynb"):
        raise BadRequest(
            f"{name} is a text notebook.",
            hint="Open it as a notebook: its conflicted cells offer mine, theirs and both.",
        )
    try:
        made = plain(notebook)
        left = next((index for index, cell in enumerate(made["cells"]) if is_conflicted(cell)), None)
        content = to_json(made)
    except (KeyError, TypeError, AttributeError) as error:
        raise Unprocessable("What was sent is no notebook.", hint="It needs 'cells' and 'metadata'.") from error
    if left is not None:
        raise Conflict(f"Cell {left + 1} holds both sides of a conflict.", hint="Choose mine, theirs or both.")
    return content


def _at(cells: Sequence[Cell], index: int | None) -> Cell | None:
    return None if index is None else cells[index]


def _alone(cell_type: str, source: str) -> Json:
    """A notebook of one cell, which has nothing but its source."""
    cell: Cell = {"cell_type": cell_type, "id": "cell", "metadata": {}, "source": source}
    if cell_type == "code":
        cell |= {"outputs": [], "execution_count": None}
    return {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
