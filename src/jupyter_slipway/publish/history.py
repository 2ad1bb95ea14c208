"""What really ran, in order: a kernel's records joined to the notebook's cells.

Called by `plan` with what `kernel.look` saw; hands the executions on to `slice`. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

import msgspec

from jupyter_slipway.publish.model import CellSource, Execution

NEAR = 0.8
"""Share of common text above which an execution may be of an edited cell."""
OURS = ("_slipway_inside", "jupyter_slipway.publish.inside")
"""Words of the code that we send ourselves."""


def executions(
    cells: Sequence[CellSource],
    recorded: Sequence[Mapping[str, Any]],
    plain: Sequence[tuple[int, str]] = (),
    *,
    ids_last: bool = True,
) -> tuple[Execution, ...]:
    """Oldest first, each with the id of its cell, or with '' when it belongs to none of `cells`.

    Args:
        recorded: as `observer.history` gives them
        plain: count and source of each input the kernel remembers; serves for what was not observed
        ids_last: False when cells get other ids each time the notebook is opened: then their text tells them, too
    """
    observed = [_observed(record) for record in recorded]
    counts = {one.count for one in observed}
    others = [Execution(source=source, count=count) for count, source in plain if count not in counts]
    # Stable: executions that share a count (those not stored in the history) stay as they came.
    ran = sorted([*others, *observed], key=lambda one: one.count) if others else observed
    place = _Places(cells, ids_last)
    return tuple(_with_cell(one, place.of(one)) for one in ran if one.source.strip() and not _ours(one.source))


class _Places:
    """Finds the cell of an execution: by id, else by equal text, else by the only cell of similar text."""

    def __init__(self, cells: Sequence[CellSource], ids_last: bool) -> None:
        self._ids_last = ids_last
        self._cells = {cell.id: cell.source.strip() for cell in cells}
        self._exact: dict[str, str] = {}
        for cell in cells:
            self._exact.setdefault(cell.source.strip(), cell.id)
        self._near: dict[str, str] = {}

    def of(self, ran: Execution) -> str:
        if ran.cell in self._cells:
            return ran.cell
        if ran.cell and self._ids_last:
            return ""  # of a cell that was deleted, or of another notebook on the same kernel
        source = ran.source.strip()
        if source in self._exact:
            return self._exact[source]
        if source not in self._near:
            self._near[source] = self._similar(source)
        return self._near[source]

    def _similar(self, source: str) -> str:
        near = [identity for identity, text in self._cells.items() if _is_near(source, text)]
        return near[0] if len(near) == 1 else ""


def _is_near(one: str, other: str) -> bool:
    shorter, longer = sorted((len(one), len(other)))
    if not shorter or 2 * shorter < NEAR * (shorter + longer):
        return False
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return matcher.quick_ratio() >= NEAR and matcher.ratio() >= NEAR


def _observed(record: Mapping[str, Any]) -> Execution:
    changed = record.get("changed")
    return Execution(
        source=str(record.get("source", "")),
        cell=str(record.get("cell") or ""),
        count=int(record.get("count") or 0),
        changed=None if changed is None else tuple(changed),
        same=tuple(record.get("same") or ()),
        new=tuple(record.get("new") or ()),
        ambient=tuple(record.get("ambient") or ()),
        files_read=tuple(record.get("files_read") or ()),
        files_written=tuple(record.get("files_written") or ()),
        failed=bool(record.get("failed")),
    )


def _ours(source: str) -> bool:
    return any(word in source for word in OURS)


def _with_cell(ran: Execution, cell: str) -> Execution:
    return msgspec.structs.replace(ran, cell=cell)
