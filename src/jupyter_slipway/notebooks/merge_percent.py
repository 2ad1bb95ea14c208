"""Three texts with cell markers into one: cell by cell, so that a conflict stays within a cell.

Pure. Called by `live` for open texts; notebooks are merged by `merge`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jupyter_slipway.notebooks import recognise, text
from jupyter_slipway.notebooks.conflicts import ELSEWHERE, HERE
from jupyter_slipway.notebooks.merge import MergedCell, mark, merge_cells, merge_texts

Cell = dict[str, Any]
MARKER = "marker"


def merge_texts_of(suffix: str, base: str, mine: str, theirs: str) -> tuple[str, int]:
    """`mine` with what `theirs` changed since `base`, and how many places both changed: they hold both, marked.

    Args:
        suffix: of the file; without markers for it, or in it, it is a text like any other
    """
    if text.has_markers(suffix):
        cut = [text.cut(side, suffix) for side in (base, mine, theirs)]
        if all(side.cells for side in cut):
            header = merge_texts(*(side.header for side in cut), together=True)
            merged = merge_cells(*_cells([side.cells for side in cut]), together=True)
            pieces = [_settled(one) for one in merged]
            clashes = len(header.clashes) + sum(1 for one in merged if one.conflict)
            return header.marked(HERE, ELSEWHERE) + "".join(map(_ended, pieces[:-1])) + pieces[-1], clashes
    whole = merge_texts(base, mine, theirs, together=True)
    return whole.marked(HERE, ELSEWHERE), len(whole.clashes)


def _cells(sides: Sequence[Sequence[str]]) -> list[list[Cell]]:
    """Pieces as cells, their markers set aside, with the ids of the base's where they are the same."""
    made: list[list[Cell]] = []
    for side, pieces in enumerate(sides):
        cells = []
        for index, piece in enumerate(pieces):
            marker, end, rest = piece.partition("\n")
            cell = {"cell_type": "code", "id": f"{side}-{index}", "source": rest, "metadata": {MARKER: marker + end}}
            cells.append(cell)
        if made:
            recognise.name(cells, made[0])
        made.append(cells)
    return made


def _settled(one: MergedCell) -> str:
    source, conflict = str(one.cell["source"]), one.conflict
    if conflict and conflict.mine is not None and conflict.theirs is not None:
        source = one.text.marked(HERE, ELSEWHERE)
    elif conflict:
        source = mark(conflict.mine or "", conflict.theirs or "", HERE, ELSEWHERE)
    return str(one.cell["metadata"][MARKER]) + source


def _ended(piece: str) -> str:
    return piece if piece.endswith("\n") else f"{piece}\n"
