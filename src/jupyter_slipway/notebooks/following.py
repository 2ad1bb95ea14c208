"""What became of a file on disk, for a page that has it open on its own: the page's cells, or text, with both in them.

Pure. Asked over REST, by pages without jupyter-collaboration; with it, `room` does this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jupyter_slipway.notebooks import recognise
from jupyter_slipway.notebooks.age import digest, is_python
from jupyter_slipway.notebooks.conflicts import with_marks
from jupyter_slipway.notebooks.identity import same_code
from jupyter_slipway.notebooks.marks import ELSEWHERE, HERE
from jupyter_slipway.notebooks.merge import merge_notebooks
from jupyter_slipway.notebooks.merge_percent import merge_texts_of
from jupyter_slipway.notebooks.merge_text import TOGETHER, text_edits
from jupyter_slipway.notebooks.model import CellInputs, Edit, Followed, FollowedCell, FollowedText
from jupyter_slipway.notebooks.text import OURS, Decoded


def follow(
    base: Sequence[CellInputs],
    mine: Sequence[CellInputs],
    theirs: Mapping[str, Any],
    hash: str,
    *,
    text: bool,
    clean: bool,
) -> Followed:
    """
    Args:
        theirs: the notebook on disk
        text: it keeps no ids of its cells
        clean: the page has changed no outputs
    """
    was, here, there = (_notebook(side) for side in (base, mine, [_inputs(cell) for cell in theirs["cells"]]))
    if text:
        recognise.name(there["cells"], was["cells"])
    merged = merge_notebooks(was, here, there, together=TOGETHER)
    python = is_python(theirs["metadata"])
    made = []
    for one, cell in zip(merged.cells, with_marks(merged, HERE, ELSEWHERE)["cells"], strict=True):
        on_disk = None if one.theirs is None else theirs["cells"][one.theirs]
        if one.mine is None:
            named = {"id": cell["id"]} if "id" in cell else {}
            mark = on_disk["metadata"].get(OURS) if on_disk else None
            made.append(FollowedCell(None, [], {**(on_disk or {}), **named, "source": cell["source"]}, mark))
        else:
            was = here["cells"][one.mine]["source"]
            made.append(_changed(one.mine, was, cell["source"], on_disk if clean else None, python=python))
    seen = [CellInputs(cell.get("id", ""), cell["cell_type"], cell["source"]) for cell in there["cells"]]
    return Followed(made, seen, dict(theirs["metadata"].get(OURS, {})), len(merged.conflicts), hash)


def _changed(place: int, was: str, now: str, on_disk: Mapping[str, Any] | None, *, python: bool) -> FollowedCell:
    """
    Args:
        on_disk: the cell whose outputs it has then; None: it keeps those it has
    """
    changes = edits(was, now)
    if on_disk is not None:
        return FollowedCell(place, changes, dict(on_disk), on_disk["metadata"].get(OURS))
    same = was == now or (python and same_code(was, now))
    return FollowedCell(place, changes, was=digest(now if same else was), now=digest(now))


def follow_text(base: str, mine: str, theirs: Decoded, hash: str, suffix: str) -> FollowedText:
    """
    Args:
        base, mine: as pages have them, their lines ended by '\\n'
        suffix: of the file: where it has cells, it is merged cell by cell
    """
    there = theirs.mark * "\ufeff" + theirs.text
    merged, conflicts = merge_texts_of(suffix, base, mine, there)
    return FollowedText(edits(mine, merged), there, theirs.newline, conflicts, hash)


def edits(old: str, new: str) -> list[Edit]:
    return [
        Edit(_units(old[:start]), _units(old[:start]) + _units(old[start:end]), text)
        for start, end, text in text_edits(old, new)
    ]


def _units(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _inputs(cell: Mapping[str, Any]) -> CellInputs:
    return CellInputs(str(cell.get("id") or ""), cell["cell_type"], cell["source"])


def _notebook(cells: Sequence[CellInputs]) -> dict[str, Any]:
    made = []
    for one in cells:
        named = {"id": one.id} if one.id else {}
        made.append({**named, "cell_type": one.cell_type, "source": one.source, "metadata": {}})
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": made}
