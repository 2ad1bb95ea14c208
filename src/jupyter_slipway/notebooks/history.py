"""Who changed which cell of a notebook when: git's revisions of the file, read as cells.

Pure but for `Repository`, which it is given. A cell is followed from revision to revision by what it is, not by where
it stands.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from typing import Any

from msgspec import Struct

from jupyter_slipway.errors import SlipwayError
from jupyter_slipway.notebooks.diff import Cell, diff_text, same_cells
from jupyter_slipway.notebooks.git import FileRevision, Repository

KEPT = 256
"""Read revisions that are remembered: they never change."""


TITLE = 120
"""Characters of a cell's first line by which it is known in a list."""


class CellRevision(Struct, frozen=True):
    """A revision in which a cell became what `source` says."""

    revision: FileRevision
    index: int
    source: str


class CellChange(Struct, frozen=True):
    """A cell's step from one source to the next."""

    revision: FileRevision | None
    """None: it is on disk, and not committed."""
    before: str | None
    """None: the cell is new, or its past is longer than what was looked at."""
    source: str
    diff: list[dict[str, Any]]
    """nbdime's, from `before`, or from nothing, to `source`."""


class Blame(Struct, frozen=True):
    """Who a cell of the file on disk is by."""

    index: int
    cell: str
    """Its id; empty when it has none."""
    title: str
    """The first line of it that says something."""
    revision: FileRevision | None
    """What made it what it is; None: it is not committed yet, or its past is longer than what was looked at."""
    committed: bool


def cell_changes(revisions: Sequence[CellRevision], on_disk: str) -> list[CellChange]:
    """What each revision of a cell changed, newest first, and before all what is not committed.

    Args:
        revisions: newest first
        on_disk: the cell's source there
    """
    steps: list[tuple[FileRevision | None, str]] = [(one.revision, one.source) for one in revisions]
    if not steps or steps[0][1] != on_disk:
        steps.insert(0, (None, on_disk))
    before = [source for _, source in steps[1:]] + [None]
    return [
        CellChange(revision, was, source, diff_text(was or "", source, words=True))
        for (revision, source), was in zip(steps, before, strict=True)
    ]


class CellHistory:
    """Revisions of notebooks as cells; remembers what it has read. May be called from several threads."""

    def __init__(self, read: Callable[[str, bytes], Any]) -> None:
        self._read = read
        self._cells: OrderedDict[tuple[str, str], list[Cell]] = OrderedDict()
        self._lock = Lock()

    def of_cell(
        self, repository: Repository, name: str, cells: Sequence[Cell], index: int, limit: int
    ) -> list[CellRevision]:
        """The revisions that changed one cell of the file on disk, newest first.

        Args:
            cells: the file's, as it is on disk
            limit: revisions of the file to look at
        """
        found: list[CellRevision] = []
        newer, at = cells, index
        last: tuple[FileRevision, int, str] | None = None
        for revision, older in self._revisions(repository, name, limit):
            place = _place(newer, older, at)
            source = None if place is None else str(older[place]["source"])
            if last and source != last[2]:
                found.append(CellRevision(*last))
            if place is None or source is None:
                if last:
                    return found
                continue
            newer, at, last = older, place, (revision, place, source)
        if last:
            found.append(CellRevision(*last))
        return found

    def blame(self, repository: Repository, name: str, cells: Sequence[Cell], limit: int) -> list[Blame]:
        """For each cell of the file on disk the revision that made it what it is."""
        by: dict[int, FileRevision] = {}
        committed: set[int] | None = None
        following = {index: index for index in range(len(cells))}
        newer: Sequence[Cell] = cells
        for revision, older in self._revisions(repository, name, limit):
            partner = dict(same_cells(newer, older))
            following = {
                index: partner[at] for index, at in following.items() if _same(newer, at, older, partner.get(at))
            }
            if committed is None:
                committed = set(following)
            if not following:
                break
            by |= dict.fromkeys(following, revision)
            newer = older
        return [
            Blame(index, cell.get("id", ""), _title(cell["source"]), by.get(index), index in (committed or ()))
            for index, cell in enumerate(cells)
        ]

    def _revisions(self, repository: Repository, name: str, limit: int) -> Iterator[tuple[FileRevision, list[Cell]]]:
        for revision in repository.history(name, limit=limit):
            try:
                yield revision, self._of(repository, revision)
            except SlipwayError:
                # A revision that is no notebook, such as one with conflict marks, changed no cell that can be named.
                continue

    def _of(self, repository: Repository, revision: FileRevision) -> list[Cell]:
        key = (revision.blob, revision.path)
        with self._lock:
            if key in self._cells:
                self._cells.move_to_end(key)
                return self._cells[key]
        cells: list[Cell] = [
            # Outputs may be large, and say nothing here.
            {name: cell[name] for name in ("cell_type", "source", "id") if name in cell}
            for cell in self._read(revision.path, repository.blob(revision.blob))["cells"]
        ]
        with self._lock:
            self._cells[key] = cells
            while len(self._cells) > KEPT:
                self._cells.popitem(last=False)
        return cells


def _title(source: str) -> str:
    said = (line.strip() for line in source.splitlines())
    return next((line[:TITLE] for line in said if line), "")


def _place(newer: Sequence[Cell], older: Sequence[Cell], index: int) -> int | None:
    return dict(same_cells(newer, older)).get(index)


def _same(newer: Sequence[Cell], index: int, older: Sequence[Cell], place: int | None) -> bool:
    return place is not None and newer[index]["source"] == older[place]["source"]
