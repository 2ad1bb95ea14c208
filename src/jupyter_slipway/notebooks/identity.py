"""Which cell is which after the text was edited outside: an IDE, a formatter, `git pull`.

Pure. `documents` gives a cell that is found again its id, and its outputs as far as they are certain.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import NamedTuple, TypeVar

T = TypeVar("T")

TOKEN = re.compile(r"\w+")
ALIKE = 0.6
"""Cells near their expected place that share this part of their words are one cell, edited."""
ALIKE_ANYWHERE = 0.75
"""The same, for a cell that was edited and moved as well."""
HARDLY_ALIKE = 0.2
"""A lone cell between two known neighbours is the one that was there, unless it shares less than this."""
NEAR = 12
"""How many cells around the expected place are looked at: edits seldom move a cell further."""
MOST_PAIRS = 200_000
"""Comparisons spent on cells that are nowhere near: about a tenth of a second."""


class CellText(NamedTuple):
    """What of a cell stands in the text."""

    kind: str
    """'code', 'markdown' or 'raw'."""
    source: str


class How(Enum):
    """How much of a found cell is still true."""

    SAME = "same"
    """Its source is what it was."""
    FORMATTED = "formatted"
    """Its code is what it was, comments and layout aside."""
    UNSURE = "unsure"
    """Its source is what several cells had, and which of them it is cannot be known."""
    EDITED = "edited"


class Match(NamedTuple):
    old: int
    how: How


def trace(old: Sequence[CellText], new: Sequence[CellText], *, python: bool = True) -> list[Match | None]:
    """For each new cell the old cell it was; None for one that was not there. No old cell is given twice.

    Args:
        python: code is Python, so that equal syntax trees tell a formatter's work from an edit
    """
    found: list[Match | None] = [None] * len(new)
    _pair_equal(old, new, found)
    if python:
        _pair_formatted(old, new, found)
    if None in found:
        _pair_edited(old, new, found)
    return found


def same_code(one: str, other: str) -> bool:
    """Whether two sources are the same Python, comments and layout aside."""
    trees = _tree(CellText("code", one)), _tree(CellText("code", other))
    return trees[0] is not None and trees[0] == trees[1]


def _pair_equal(old: Sequence[CellText], new: Sequence[CellText], found: list[Match | None]) -> None:
    """Equal sources: first those there is one of, then their neighbours, then what is left, in order."""
    places, wanted = _places(old, range(len(old))), _places(new, range(len(new)))
    was: dict[int, int] = {}

    def pair(i: int, j: int) -> None:
        was[i] = j
        found[j] = Match(i, How.SAME)

    for text, js in wanted.items():
        if len(js) == 1 and len(places.get(text, ())) == 1:
            pair(places[text][0], js[0])
    anchors = [(-1, -1), *((i, j) for i, j in was.items()), (len(old), len(new))]
    for i, j in anchors:
        for step in (1, -1):
            a, b = i + step, j + step
            while 0 <= a < len(old) and 0 <= b < len(new) and a not in was and not found[b] and old[a] == new[b]:
                pair(a, b)
                a, b = a + step, b + step
    for text, js in wanted.items():
        left = [i for i in places.get(text, ()) if i not in was]
        for i, j in zip(left, [j for j in js if not found[j]], strict=False):
            pair(i, j)

    def together(i: int, j: int) -> bool:
        """Whether old cell `i` is new cell `j`, or both lie beyond the same end."""
        return (i, j) in ((-1, -1), (len(old), len(new))) or was.get(i) == j

    for text, js in wanted.items():
        if len(js) == len(places.get(text, ())):
            continue
        for j in js:
            match = found[j]
            if match and not (together(match.old - 1, j - 1) and together(match.old + 1, j + 1)):
                found[j] = Match(match.old, How.UNSURE)


def _pair_formatted(old: Sequence[CellText], new: Sequence[CellText], found: list[Match | None]) -> None:
    left_old, left_new = _left(old, found)
    if not left_old or not left_new:
        return
    trees = _places({i: _tree(old[i]) for i in left_old}, left_old)
    for tree, js in _places({j: _tree(new[j]) for j in left_new}, left_new).items():
        candidates = trees.get(tree, []) if tree else []
        how = How.FORMATTED if len(candidates) == len(js) else How.UNSURE
        for i, j in zip(candidates, js, strict=False):
            found[j] = Match(i, how)


def _pair_edited(old: Sequence[CellText], new: Sequence[CellText], found: list[Match | None]) -> None:
    """What is left was edited: best likeness first, near the expected place, then between neighbours, then anywhere."""
    left_old, left_new = _left(old, found)
    old_tokens = {i: _tokens(old[i]) for i in left_old}
    new_tokens = {j: _tokens(new[j]) for j in left_new}
    expected = _expected(found)
    by_kind: dict[str, list[int]] = defaultdict(list)
    for i in left_old:
        by_kind[old[i].kind].append(i)

    def settle(scored: list[tuple[float, int, int]]) -> None:
        for _, i, j in sorted(scored, reverse=True):
            if i in old_tokens and j in new_tokens:
                found[j] = Match(i, How.EDITED)
                del old_tokens[i], new_tokens[j]

    near: list[tuple[float, int, int]] = []
    for j in left_new:
        for i in _nearest(by_kind[new[j].kind], expected[j]):
            likeness = _likeness(old_tokens[i], new_tokens[j])
            if likeness >= ALIKE:
                near.append((likeness - 0.001 * abs(i - expected[j]), i, j))
    settle(near)
    settle([(1.0, i, j) for i, j in _lone_pairs(old, new, found) if _may_be(old_tokens[i], new_tokens[j])])
    if len(old_tokens) * len(new_tokens) <= MOST_PAIRS:
        pairs = ((i, j) for i in old_tokens for j in new_tokens if old[i].kind == new[j].kind)
        scored = ((_likeness(old_tokens[i], new_tokens[j]), i, j) for i, j in pairs)
        settle([one for one in scored if one[0] >= ALIKE_ANYWHERE])


def _lone_pairs(
    old: Sequence[CellText], new: Sequence[CellText], found: Sequence[Match | None]
) -> Iterator[tuple[int, int]]:
    """An old and a new cell of one kind that stand alone between the same two neighbours."""
    taken = {match.old for match in found if match}
    for j, match in enumerate(found):
        before = found[j - 1] if j else Match(-1, How.SAME)
        after = found[j + 1] if j + 1 < len(found) else Match(len(old), How.SAME)
        if match or not before or not after or after.old != before.old + 2:
            continue
        i = before.old + 1
        if i not in taken and old[i].kind == new[j].kind:
            yield i, j


def _may_be(old: frozenset[str], new: frozenset[str]) -> bool:
    return min(len(old), len(new)) < 4 or _likeness(old, new) >= HARDLY_ALIKE


def _expected(found: Sequence[Match | None]) -> list[int]:
    """For each new cell the old index that would follow the last known cell before it."""
    expected, last = [], -1
    for match in found:
        expected.append(last + 1)
        last = match.old if match else last
    return expected


def _nearest(ordered: Sequence[int], place: int) -> list[int]:
    at = bisect_left(ordered, place)
    return sorted(ordered[max(0, at - NEAR) : at + NEAR], key=lambda i: abs(i - place))[:NEAR]


def _places(keys: Sequence[T] | Mapping[int, T], indexes: Iterable[int]) -> dict[T, list[int]]:
    places: dict[T, list[int]] = defaultdict(list)
    for index in indexes:
        places[keys[index]].append(index)
    return dict(places)


def _left(old: Sequence[CellText], found: Sequence[Match | None]) -> tuple[list[int], list[int]]:
    taken = {match.old for match in found if match}
    return [i for i in range(len(old)) if i not in taken], [j for j, match in enumerate(found) if not match]


def _tree(cell: CellText) -> str | None:
    """The code's meaning as text, whatever its layout; None when it is not Python, such as a cell with a magic."""
    if cell.kind != "code" or not cell.source.strip():
        return None
    try:
        return ast.dump(ast.parse(cell.source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _tokens(cell: CellText) -> frozenset[str]:
    return frozenset(TOKEN.findall(cell.source) or cell.source.split())


def _likeness(old: frozenset[str], new: frozenset[str]) -> float:
    """From 0, nothing shared, to 1."""
    return 2 * len(old & new) / (len(old) + len(new)) if old and new else 0.0
