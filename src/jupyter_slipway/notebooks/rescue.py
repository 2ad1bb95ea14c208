"""What was on its way into a cell when the disk took that cell away: the cell comes back, with it.

Used by `views`. What a page sends into a removed cell is thrown away by Yjs as it arrives. So for a while a copy of the
document goes on in which the cell was not removed: it hears what the document hears, but of no removal. Knows
documents as jupyter_ydoc gives them; never the disk.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pycrdt import Array, Doc

from jupyter_slipway.notebooks.conflicts import is_conflicted
from jupyter_slipway.notebooks.diff import RESULTS, Cell
from jupyter_slipway.notebooks.live import put_text
from jupyter_slipway.notebooks.marks import ELSEWHERE, HERE, mark
from jupyter_slipway.notebooks.merge_text import TOGETHER, merge_texts

AWAITED = 30.0
"""Seconds that what was sent before a page heard of a removal may take to arrive."""
NOTHING_GONE = b"\0"
"""A Yjs update ends with what it removes: nothing."""


@dataclass
class Gone:
    """A cell that was removed."""

    cell: Cell
    """As it was, without outputs."""
    before: list[str]
    """Ids of the cells that stood before it, in order."""
    source: Any
    """Its shared text in the copy, where it goes on."""
    said: str
    """What of that text the document has."""


@dataclass
class _Copy:
    ydoc: Any
    cells: Any
    subscription: Any
    gone: list[Gone] = field(default_factory=list)


class Rescue:
    """Of one notebook's shared document."""

    def __init__(self, document: Any) -> None:
        self._document = document
        self._copy: _Copy | None = None
        self._until = 0.0

    def removing(self, places: Sequence[int], cells: Sequence[Cell]) -> None:
        """These of the document's cells go, right after this, because they went elsewhere.

        Args:
            places: their indexes
            cells: all that the document has
        """
        copy = self._copy = self._copy or self._begin()
        there = {str(ycell.get("id")): ycell for ycell in copy.cells}
        ids = [str(cell.get("id")) for cell in cells]
        for place in places:
            ycell = there.get(ids[place])
            if ycell is not None:
                # One that only moves is here a second time then, under this name.
                ycell["id"] = ""
                cell = {key: value for key, value in cells[place].items() if key not in RESULTS}
                copy.gone.append(Gone(cell, ids[:place], ycell["source"], str(ycell["source"])))
        self._until = time.monotonic() + AWAITED

    def hear(self, update: bytes) -> list[Gone]:
        """A page sends this, which the document has not taken in yet.

        Returns:
            the removed cells into which it says something
        """
        if self._copy and time.monotonic() > self._until:
            self.end()
        if self._copy is None:
            return []
        self._copy.ydoc.apply_update(update)
        return [one for one in self._copy.gone if str(one.source) != one.said]

    def bring_back(self, gone: Sequence[Gone]) -> int:
        """Let the document have what was said in them since they were removed: the cell is there again, in conflict.

        One that stands elsewhere, since it only moved, gets the words.

        Returns:
            how many are there again
        """
        document, made = self._document, 0
        with document.ydoc.transaction():
            for one in gone:
                now = str(one.source)
                places = {str(ycell.get("id")): place for place, ycell in enumerate(document.ycells)}
                place = places.get(str(one.cell.get("id")))
                if place is not None:
                    there = document.ycells[place]["source"]
                    put_text(there, merge_texts(one.said, str(there), now, together=TOGETHER).text)
                else:
                    at = 1 + max((places[id] for id in one.before if id in places), default=-1)
                    document.ycells.insert(at, document.create_ycell(_in_conflict(one.cell, now)))
                    made += 1
                one.said = now
        return made

    def end(self) -> None:
        if self._copy:
            self._document.ydoc.unobserve(self._copy.subscription)
            self._copy = None

    def _begin(self) -> _Copy:
        ydoc: Doc[Any] = Doc()
        cells = ydoc.get("cells", type=Array)
        ydoc.apply_update(self._document.ydoc.get_update())
        return _Copy(ydoc, cells, self._document.ydoc.observe(self._changed))

    def _changed(self, event: Any) -> None:
        """The document changed, whoever did it: what came is what later words may refer to."""
        removed = event.delete_set
        if self._copy and event.update.endswith(removed):
            self._copy.ydoc.apply_update(event.update[: len(event.update) - len(removed)] + NOTHING_GONE)


def _in_conflict(cell: Cell, source: str) -> Cell:
    if not is_conflicted({"source": source}):
        source = mark(source, "", HERE, ELSEWHERE).removesuffix("\n")
    made = {**cell, "source": source}
    return {**made, "outputs": [], "execution_count": None} if cell["cell_type"] == "code" else made
