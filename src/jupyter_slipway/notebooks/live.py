"""What changed elsewhere, put into an open shared document: one transaction, and only where it differs.

Called by `views`. Whatever is equal keeps its place in the document, so that cursors, undo and running cells stay
what they are. Knows documents as jupyter_ydoc gives them; never the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

from pycrdt import Map, Text

from jupyter_slipway.notebooks.age import is_back, is_old, is_python, mark_for, marked
from jupyter_slipway.notebooks.conflicts import with_marks
from jupyter_slipway.notebooks.diff import RESULTS, Cell, Json, longest_rise, same_cells
from jupyter_slipway.notebooks.marks import ELSEWHERE, HERE
from jupyter_slipway.notebooks.merge import MergedCell, merge_notebooks
from jupyter_slipway.notebooks.merge_percent import merge_texts_of
from jupyter_slipway.notebooks.merge_text import TOGETHER, text_edits
from jupyter_slipway.notebooks.text import OURS

Removing = Callable[[Sequence[int], Sequence[Cell]], None]
"""(places, cells): which of all the document's cells."""


def merge_text(document: Any, base: str, theirs: str, suffix: str = "", again: Set[str] = TOGETHER) -> int:
    """Let a shared text have what `theirs` changed since `base`; cell by cell, where files of `suffix` have cells.

    Args:
        again: words that both had before the base lost them: where both brought them back, they are there once

    Returns:
        how many places both changed, each in its own way: they hold both, between git's marks
    """
    merged, conflicts = merge_texts_of(suffix, base, document.get(), theirs, again)
    write_text(document, merged)
    return conflicts


def write_text(document: Any, text: str) -> None:
    with document.ydoc.transaction():
        put_text(document.ydoc.get("source", type=Text), text)


def merge_notebook(
    document: Any,
    base: Json,
    theirs: Json,
    *,
    results: bool = True,
    again: Set[str] = TOGETHER,
    removing: Removing | None = None,
    ran: Mapping[Any, str] | None = None,
    told: Mapping[Any, str] | None = None,
) -> int:
    """Let a shared notebook have what `theirs` changed since `base`: cell by cell, and within a cell by words.

    Args:
        base: may be without outputs; then those of the document stay where its cell stays
        results: whether `theirs` says anything of outputs
        again: words that both had before the base lost them: where both brought them back, they are there once
        removing: called right before cells go
        ran, told: of which source what a cell shows is, in the document and in `theirs`, by its id, where it is known

    Returns:
        how many cells are in conflict: they hold both sides, between git's marks
    """
    mine = document.get()
    merged = merge_notebooks(base, mine, theirs, together=again)
    was = {cell.get("id"): cell for cell in base["cells"]} if results else {}
    python = is_python(theirs["metadata"])
    cells = [
        _with_results(one, cell, was, mine["cells"], theirs["cells"], ran or {}, told or {}, python=python)
        for one, cell in zip(merged.cells, with_marks(merged, HERE, ELSEWHERE)["cells"], strict=True)
    ]
    places = [one.mine for one in merged.cells]
    staying = _staying(places)
    gone = sorted(set(range(len(mine["cells"]))) - set(staying.values()))
    if gone and removing:
        removing(gone, mine["cells"])
    with document.ydoc.transaction():
        _put_around(document, mine, merged.notebook)
        for index, place in staying.items():
            _put_cell(document, document.ycells[place], mine["cells"][place], cells[index])
        for place in reversed(gone):
            del document.ycells[place]
        for index, cell in enumerate(cells):
            if index not in staying:
                # Pages do not know how to move one: it is made anew at its place.
                document.ycells.insert(index, document.create_ycell(cell))
    return len(merged.conflicts)


def take_results(document: Any, base: Json, theirs: Json) -> None:
    """Let a shared notebook have the outputs of `theirs`, and what is said of their age, where it has the source that
    they are of, and no others since `base`.
    """
    mine = document.get()["cells"]
    was = {cell.get("id"): cell for cell in base["cells"]}
    with document.ydoc.transaction():
        for i, j in same_cells(mine, theirs["cells"]):
            here, there = mine[i], theirs["cells"][j]
            before = was.get(here.get("id"), {})
            if here["source"] == there["source"] and here.get("outputs") == before.get("outputs"):
                shown = {key: there[key] for key in RESULTS if key in there}
                shown["metadata"] = {key: value for key, value in here["metadata"].items() if key != OURS}
                if OURS in there["metadata"]:
                    shown["metadata"][OURS] = there["metadata"][OURS]
                _put_cell(document, document.ycells[i], here, here | shown)


def unmark(document: Any, cells: Sequence[Cell]) -> None:
    """Take the mark of old outputs from the cells of a shared notebook whose source is back.

    Args:
        cells: as it has them now
    """
    places = [place for place, cell in enumerate(cells) if is_back(cell)]
    if places:
        with document.ydoc.transaction():
            for place in places:
                del document.ycells[place]["metadata"][OURS]


def put_text(ytext: Any, text: str) -> None:
    """Make a shared text say `text`, with as little change as words allow."""
    old = str(ytext)
    for start, end, new in text_edits(old, text):
        start, end, new = _trimmed(old, start, end, new)
        # Its places are counted in bytes.
        low = start if old.isascii() else len(old[:start].encode())
        high = low + len(old[start:end].encode())
        if high > low:
            del ytext[low:high]
        if new:
            ytext.insert(low, new)


def inserted(old: str, new: str) -> str:
    """What of `new` is not in `old`, if it stands in one place."""
    return _trimmed(old, 0, len(old), new)[2]


def _trimmed(old: str, start: int, end: int, new: str) -> tuple[int, int, str]:
    """The same change without what both begin and end with: a cursor within a word stays within it."""
    shortest = min(end - start, len(new))
    head = next((i for i in range(shortest) if old[start + i] != new[i]), shortest)
    shortest -= head
    tail = next((i for i in range(shortest) if old[end - 1 - i] != new[-1 - i]), shortest)
    return start + head, end - tail, new[head : len(new) - tail]


def _with_results(
    one: MergedCell,
    cell: Cell,
    was: Mapping[Any, Cell],
    mine: Sequence[Cell],
    theirs: Sequence[Cell],
    ran: Mapping[Any, str],
    told: Mapping[Any, str],
    *,
    python: bool,
) -> Cell:
    """A cell with the outputs it has here, unless it was run elsewhere and not here; marked when they are of another
    source than it has now.
    """
    if one.mine is None or "outputs" not in cell:
        return cell
    here, there = mine[one.mine], None if one.theirs is None else theirs[one.theirs]
    before = was.get(here.get("id"), {})
    side = there if there and before.get("outputs") == here["outputs"] else here
    made = cell | {key: side.get(key) for key in RESULTS}
    if here["source"] != cell["source"] or not show_the_same(here, side):
        of = (ran if side is here else told).get(side.get("id"))
        return marked(made, mark_for(cell["source"], side, of, python=python))
    if not (there and there["source"] == cell["source"] and show_the_same(here, there)):
        # What theirs says of its age is said of another source.
        made = made | {"metadata": {**cell["metadata"], OURS: here["metadata"].get(OURS)}}
    return made if is_old(made) else marked(made, None)


def show_the_same(one: Cell, other: Cell) -> bool:
    return all(one.get(key) == other.get(key) for key in RESULTS)


def _put_around(document: Any, mine: Json, wanted: Json) -> None:
    ymeta = document.ydoc.get("meta", type=Map)
    if mine["metadata"] != wanted["metadata"]:
        if isinstance(ymeta.get("metadata"), Map):
            _put_members(ymeta["metadata"], mine["metadata"], wanted["metadata"])
        else:
            ymeta["metadata"] = Map(dict(wanted["metadata"]))
    if mine["nbformat_minor"] != wanted["nbformat_minor"]:
        ymeta["nbformat_minor"] = wanted["nbformat_minor"]


def _staying(places: Sequence[int | None]) -> dict[int, int]:
    """Which cells need not move: their new index and the one they have.

    Args:
        places: where each wanted cell is now; None for a new one
    """
    rising = longest_rise(sorted((place, index) for index, place in enumerate(places) if place is not None))
    return {index: place for place, index in rising}


def _put_cell(document: Any, ycell: Any, mine: Cell, wanted: Cell) -> None:
    if mine["source"] != wanted["source"]:
        put_text(ycell["source"], wanted["source"])
    if mine["metadata"] != wanted["metadata"]:
        _put_members(ycell["metadata"], mine["metadata"], wanted["metadata"])
    if mine.get("attachments") != wanted.get("attachments"):
        ycell["attachments"] = wanted.get("attachments") or {}
    if "outputs" in wanted and mine.get("outputs") != wanted["outputs"]:
        document._set_ycell_outputs(ycell, wanted["outputs"])
    if "outputs" in wanted and mine.get("execution_count") != wanted.get("execution_count"):
        count = wanted.get("execution_count")
        # Yjs knows floating numbers only.
        ycell["execution_count"] = None if count is None else float(count)


def _put_members(ymap: Any, mine: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    for key in mine.keys() - wanted.keys():
        del ymap[key]
    for key, value in wanted.items():
        if key not in mine or mine[key] != value:
            ymap[key] = value
