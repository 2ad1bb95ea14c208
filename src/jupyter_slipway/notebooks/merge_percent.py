"""Three texts with cell markers into one: cell by cell, so that a conflict stays within a cell.

Pure. Called by `live` for open texts; notebooks are merged by `merge`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from typing import Any

from jupyter_slipway.notebooks import recognise, text
from jupyter_slipway.notebooks.marks import ELSEWHERE, HERE, mark
from jupyter_slipway.notebooks.merge import TITLE, MergedCell, merge_cells, merge_values
from jupyter_slipway.notebooks.merge_text import TOGETHER, merge_texts

Cell = dict[str, Any]
BEFORE, AFTER, GAP = "before", "after", "gap"
MARKER = re.compile(r"(\W*?%%+)(.*?)((?:\s*\[\w+\])?(?:\s+(?:\{|[\w.]+=).*)?\s*)")
"""What begins a cell, its title, and what else is said of it."""
BETWEEN = "\n\n"
"""How a cell usually ends when another follows."""


def merge_texts_of(suffix: str, base: str, mine: str, theirs: str, again: Set[str] = TOGETHER) -> tuple[str, int]:
    """`mine` with what `theirs` changed since `base`, and how many places both changed: they hold both, marked.

    Args:
        suffix: of the file; without markers for it, or in it, it is a text like any other
        again: words that both had before the base lost them: where both brought them back, they are there once
    """
    if text.has_markers(suffix):
        cut = [text.cut(side, suffix) for side in (base, mine, theirs)]
        if all(side.cells for side in cut):
            header = merge_texts(*(side.header for side in cut), together=again)
            merged = merge_cells(*_cells([side.cells for side in cut]), together=again)
            pieces = [_settled(one) for one in merged]
            clashes = len(header.clashes) + sum(1 for one in merged if one.conflict)
            end = merge_values(*(_gap(side.cells[-1]) for side in cut))
            last = pieces[-1].rstrip("\n") + end if pieces else ""
            return header.marked(HERE, ELSEWHERE) + "".join(map(_ended, pieces[:-1])) + last, clashes
    whole = merge_texts(base, mine, theirs, together=again)
    return whole.marked(HERE, ELSEWHERE), len(whole.clashes)


def _cells(sides: Sequence[Sequence[str]]) -> list[list[Cell]]:
    """Pieces as cells, with the ids of the base's where they are the same.

    Their markers, and the lines that end them, are set aside: that a cell is no longer the last, and has a blank line
    after it, is no change of what is written in it.
    """
    made: list[list[Cell]] = []
    for side, pieces in enumerate(sides):
        gaps = [_gap(piece) for piece in pieces]
        gaps[-1] = gaps[-2] if len(gaps) > 1 else BETWEEN
        cells = []
        for index, (piece, gap) in enumerate(zip(pieces, gaps, strict=True)):
            marker, _, rest = piece.partition("\n")
            apart = _parts(marker) | {GAP: gap}
            source = rest.rstrip("\n")
            cells.append({"cell_type": "code", "id": f"{side}-{index}", "source": source, "metadata": apart})
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
    apart = one.cell["metadata"]
    return f"{apart[BEFORE]}{apart[TITLE]}{apart[AFTER]}\n{source}".rstrip("\n") + str(apart[GAP])


def _parts(marker: str) -> dict[str, str]:
    found = MARKER.fullmatch(marker)
    return dict(zip((BEFORE, TITLE, AFTER), found.groups() if found else (marker, "", ""), strict=True))


def _gap(piece: str) -> str:
    """The line ends that a piece ends with."""
    return piece[len(piece.rstrip("\n")) :]


def _ended(piece: str) -> str:
    return piece if piece.endswith("\n") else f"{piece}\n"
