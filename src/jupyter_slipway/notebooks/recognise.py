"""Which cell of a text is which of an open notebook, while people type in it.

Pure. `identity` decides most of it; what is left to it would be a cell that went and another that came, and whoever
types in the first would lose it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jupyter_slipway.notebooks.identity import CellText, trace

Cell = dict[str, Any]


def name(cells: Sequence[Cell], like: Sequence[Cell]) -> None:
    """Give cells of unknown ids those of the cells of `like` that they still are."""
    known = {cell.get("id"): cell for cell in like}
    new = [cell for cell in cells if cell["id"] not in known]
    gone = known.keys() - {cell["id"] for cell in cells}
    old = [cell for id, cell in known.items() if id in gone]
    for cell, was in zip(new, same(old, new), strict=True):
        if was is not None:
            cell["id"] = old[was]["id"]


def same(old: Sequence[Cell], new: Sequence[Cell]) -> list[int | None]:
    """For each new cell the old one that it was. While people type, a cell that holds most words of one that is gone
    from the same place is that one, however much was added: else whoever types in it would lose it. So is one most of
    whose words are in it: an editor from before all that was added puts that in its place.
    """
    sides = [[CellText(cell["cell_type"], cell["source"]) for cell in side] for side in (old, new)]
    found = [match.old if match else None for match in trace(*sides)]
    taken = set(found)
    words = [set(cell.source.split()) for cell in sides[0]]
    after = len(old)
    ends: list[int] = []
    for was in reversed(found):
        ends.append(after)
        after = after if was is None else was
    before = -1
    for index, end in enumerate(reversed(ends)):
        if found[index] is None:
            there = set(sides[1][index].source.split())
            free = [i for i in range(before + 1, end) if i not in taken and sides[0][i].kind == sides[1][index].kind]
            best = max(free, key=lambda i: len(words[i] & there), default=None)
            if best is not None and len(words[best] & there) * 2 >= max(1, min(len(words[best]), len(there))):
                found[index] = best
                taken.add(best)
        now = found[index]
        before = before if now is None else max(before, now)
    return found
