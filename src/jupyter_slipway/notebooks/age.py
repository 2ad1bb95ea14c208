"""Whether what a cell shows is of its source, or of an earlier one: then it carries a mark, which pages show.

Pure. A mark names the result that it speaks of, so that it means nothing once the cell ran again, and the source that
the result is of, so that it goes when that source is back. Who types in a notebook sees what is shown grow old: a cell
is marked when its source changes elsewhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from jupyter_slipway.notebooks.diff import RESULTS
from jupyter_slipway.notebooks.identity import same_code
from jupyter_slipway.notebooks.text import OURS, joined

Cell = Mapping[str, Any]
Mark = dict[str, Any]
UNKNOWN = ""
"""In place of the source that a result is of: none is it for certain."""
WHATEVER = ""
"""In place of the result that a mark speaks of: the one that a page shows, which the server has not seen."""


def digest(said: str) -> str:
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def is_python(metadata: Mapping[str, Any]) -> bool:
    """
    Args:
        metadata: the notebook's, which may be no valid one
    """
    kernel = metadata.get("kernelspec")
    return not isinstance(kernel, Mapping) or bool(kernel.get("language", "python") == "python")


def is_old(cell: Cell) -> bool:
    """Whether it is marked that what it shows is of an earlier source, and it still shows that."""
    mark = cell["metadata"].get(OURS)
    return isinstance(mark, Mapping) and "stale" in mark and mark["stale"] in (_result(cell), WHATEVER)


def is_back(cell: Cell) -> bool:
    """Whether its source is again the one that what it shows is of, though it is marked."""
    mark = cell["metadata"].get(OURS)
    return isinstance(mark, Mapping) and "stale" in mark and mark.get("of") == digest(joined(cell["source"]))


def mark_of(cell: Cell) -> Mark | None:
    """The mark that it is kept with: none when it ran since, or its source is back."""
    shows = cell.get("outputs") or cell.get("execution_count") is not None
    if not shows or not is_old(cell) or is_back(cell):
        return None
    return {**cell["metadata"][OURS], "stale": _result(cell)}


def mark_for(source: str, shown: Cell, of: str | None = None, *, python: bool = True) -> Mark | None:
    """What a cell of this source carries that shows what `shown` does; None when that is of this source.

    Args:
        shown: marked itself, if what it shows is of an earlier source
        of: digest of the source that what it shows is of, where it is not marked; None: its own
        python: code is Python, so that what a formatter does is no other source
    """
    mark = {**shown["metadata"][OURS], "stale": _result(shown)} if is_old(shown) else None
    if source == shown["source"] or not (shown.get("outputs") or shown.get("execution_count") is not None):
        return mark
    if mark is None:
        if python and same_code(shown["source"], source):
            return None
        mark = {"stale": _result(shown), "of": digest(shown["source"]) if of is None else of}
    return None if mark.get("of") == digest(source) else mark


def in_doubt(shown: Cell) -> Mark:
    """What a cell carries that shows what `shown` does, and may not be the one that ran."""
    return {"stale": _result(shown), "of": UNKNOWN}


def marked(cell: Cell, mark: Mark | None) -> dict[str, Any]:
    """The cell with this mark, or with none."""
    metadata = {key: value for key, value in cell["metadata"].items() if key != OURS}
    return {**cell, "metadata": metadata | ({OURS: mark} if mark else {})}


def merged(cell: Cell, mine: Cell | None, theirs: Cell | None, *, python: bool = True) -> dict[str, Any]:
    """A cell that was made of two, one of whose outputs it has, with the mark that is due to it."""
    sides = [side for side in (mine, theirs) if side and all(side.get(key) == cell.get(key) for key in RESULTS)]
    side = next((one for one in sides if one["source"] == cell["source"]), sides[-1] if sides else None)
    return marked(cell, mark_for(cell["source"], side, python=python) if side else None)


def dated(cell: Cell, of: str | None) -> Cell:
    """The cell, saying of which source what it shows is, where that is known and it is not marked.

    Args:
        of: that source's digest; None when it is not known
    """
    shows = cell.get("outputs") or cell.get("execution_count") is not None
    return marked(cell, {"of": of}) if of is not None and shows and OURS not in cell["metadata"] else cell


def date_of(cell: Cell) -> str | None:
    """What a cell that is `dated` says."""
    said = cell["metadata"].get(OURS)
    return str(said["of"]) if isinstance(said, Mapping) and "of" in said and "stale" not in said else None


def undated(cell: Cell) -> Cell:
    """The cell as it was before it was `dated`."""
    return cell if date_of(cell) is None else marked(cell, None)


def told_by(cell: Cell) -> str:
    """Of which source what a cell shows is, by its digest, as far as it says so."""
    if is_old(cell):
        return str(cell["metadata"][OURS].get("of", UNKNOWN))
    of = date_of(cell)
    return digest(cell["source"]) if of is None else of


def dates(cells: Sequence[Cell], made: Sequence[str]) -> dict[str, str]:
    """Of which source what cells show is, by their ids, where that is another than their own and no mark says so.

    Args:
        made: see `sources`
    """
    pairs = zip(cells, made, strict=False)
    return {one["id"]: of for one, of in pairs if of and OURS not in one["metadata"] and of != digest(one["source"])}


def sources(cells: Sequence[Cell], before: Sequence[Cell], made: Sequence[str], told: Mapping[str, str]) -> list[str]:
    """Of which source each cell's outputs are, by its digest; '' where there are none.

    Args:
        cells, before: now, and when `made` was told of them; their outputs as they are packed
        told: what is known of them by their ids
    """
    known = {cell["id"]: (cell, of) for cell, of in zip(before, made, strict=False)}
    return [_source_of(cell, *known.get(cell["id"], ({}, "")), told.get(cell["id"])) for cell in cells]


def _source_of(cell: Cell, was: Cell, of: str, told: str | None) -> str:
    if not cell.get("outputs") and cell.get("execution_count") is None:
        return UNKNOWN
    mark = cell["metadata"].get(OURS)
    if isinstance(mark, Mapping) and "stale" in mark:
        return str(mark.get("of", UNKNOWN))
    if told is not None:
        return told
    # All of it: of a chart a mark knows no more than that it is one.
    if of and all(was.get(key) == cell.get(key) for key in RESULTS):
        return of
    return digest(cell["source"])


def _result(cell: Cell) -> str:
    """What a cell shows, as far as two runs of it would differ."""
    shown = [
        (one.get("output_type"), joined(one.get("text") or one.get("data", {}).get("text/plain") or ""))
        for one in cell.get("outputs", ())
    ]
    return digest(repr((cell.get("execution_count"), shown)))
