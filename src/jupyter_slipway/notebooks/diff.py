"""What changed between two notebooks, in nbdime's diff format: cells paired first, then words within lines.

Pure, and of the standard library alone: a command that shows a difference pays for nothing else. nbdime's widgets,
`patch` and merge read what it makes. Its time grows with the cells, not with their pairs.

A notebook here is nbformat 4 as plain dicts, with sources and texts joined to strings. A diff is a list of entries:
`{"op": "patch", "key": "cells", "diff": […]}`, and so on down to characters of one line.
"""

from __future__ import annotations

import gc
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter, lt
from typing import Any

Json = Any
Cell = dict[str, Any]
Entry = dict[str, Any]
Diff = list[Entry]
Run = tuple[int, int, int, int]
"""A stretch that differs: `a[start:end]` became `b[start:end]`, as (a start, a end, b start, b end)."""

_key = itemgetter("key")
_type_and_id = itemgetter("cell_type", "id")
WORD = re.compile(r"\w+|\s+|[^\w\s]")
LIKENESS = 0.5
"""Two lines that share less than this part of their words are one that went and one that came."""
RESULTS = ("outputs", "execution_count")
"""What a run leaves in a cell."""
MEMBERS = 6
"""How many a code cell with an id has."""
PRINTED = 3
"""How many members an output has that a cell printed."""
CLOSE = 4000
"""Products of two lengths up to this are compared all with all: about a millisecond."""
LONG_LINE = 2000
"""Characters; words within longer lines are not looked for: nobody reads them, and they are often data."""
TEXTS = ("text/", "image/svg+xml")
"""MIME types that are compared by line; all others are replaced whole."""


def diff_notebooks(a: Json, b: Json, *, outputs: bool = True) -> Diff:
    """nbdime's diff that turns `a` into `b`.

    Args:
        outputs: False leaves outputs and execution counts of paired cells out
    """

    differs = _Differs(cells=lambda old, new: _diff_cells(old, new, outputs))
    with uncollected():
        return [entry for entry in _diff_members(a, b, differs) if entry["op"] != "patch" or entry["diff"]]


def pair_cells(a: Sequence[Cell], b: Sequence[Cell]) -> list[tuple[int, int]]:
    """`same_cells` as far as they stand in one order: index pairs that rise on both sides."""
    ids = _ids(a)
    if ids == _ids(b) and None not in ids:  # run again, the most frequent case: nothing to look for
        return list(zip(range(len(a)), range(len(b)), strict=True))
    return longest_rise(same_cells(a, b))


def same_cells(a: Sequence[Cell], b: Sequence[Cell]) -> list[tuple[int, int]]:
    """Which cell of `a` is which of `b`, wherever it stands: index pairs in the order of `a`.

    By id where both have it (a copied id counts once). What is left is compared by equal source where ids are kept,
    since an unknown id is a new cell then, else by `identity`: equal source, equal code, likeness. What has no partner
    was removed or added.
    """
    pairs = equal_keys(_ids(a), _ids(b))
    if len(pairs) == len(a) or len(pairs) == len(b):
        return pairs
    known_a, known_b = {i for i, _ in pairs}, {j for _, j in pairs}
    rest_a = [i for i in range(len(a)) if i not in known_a]
    rest_b = [j for j in range(len(b)) if j not in known_b]
    if len(pairs) * 2 >= min(len(a), len(b)) and all("id" in cell for cell in (*a, *b)):
        found = equal_keys([_source_of(a[i]) for i in rest_a], [_source_of(b[j]) for j in rest_b])
    else:
        found = _alike_cells([a[i] for i in rest_a], [b[j] for j in rest_b])
    pairs += [(rest_a[i], rest_b[j]) for i, j in found]
    pairs.sort()
    return pairs


def _ids(cells: Sequence[Cell]) -> list[Any]:
    try:
        return list(map(_type_and_id, cells))
    except KeyError:
        return [_type_and_id(cell) if "id" in cell else None for cell in cells]


def _source_of(cell: Cell) -> Any:
    return (cell["cell_type"], cell["source"]) if cell["source"] else None


def _alike_cells(a: Sequence[Cell], b: Sequence[Cell]) -> list[tuple[int, int]]:
    # Only who needs it pays its import.
    from jupyter_slipway.notebooks.identity import CellText, trace

    sides = ([CellText(cell["cell_type"], cell["source"]) for cell in side] for side in (a, b))
    return [(match.old, j) for j, match in enumerate(trace(*sides)) if match]


def longest_rise(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest run of `pairs`, which rise in their first number, that rises in the second too."""
    places = [j for _, j in pairs]
    if all(map(lt, places, places[1:])):
        return list(pairs)
    ends: list[int] = []
    at: list[int] = []
    before: list[int] = []
    for index, (_, j) in enumerate(pairs):
        place = len(ends) if not ends or ends[-1] < j else bisect_left(ends, j)
        before.append(at[place - 1] if place else -1)
        if place == len(ends):
            ends.append(j)
            at.append(index)
        else:
            ends[place], at[place] = j, index
    found = []
    index = at[-1] if at else -1
    while index >= 0:
        found.append(pairs[index])
        index = before[index]
    return found[::-1]


def runs(a: Sequence[Any], b: Sequence[Any]) -> list[Run]:
    """The stretches in which two sequences of hashable items differ, in order.

    Equal ends are set aside, then items that stand once on either side hold the rest together. What is left between
    two of those is compared all with all when it is small, and taken as replaced when it is not.
    """
    return _runs(a, 0, len(a), b, 0, len(b))


def diff_text(a: str, b: str, *, words: bool = False) -> Diff:
    """nbdime's diff of two strings by line.

    Args:
        words: within lines that take each other's place, by words
    """
    made: Diff = []
    lines_a, lines_b = a.splitlines(True), b.splitlines(True)
    for start_a, end_a, start_b, end_b in _runs(lines_a, 0, len(lines_a), lines_b, 0, len(lines_b)):
        if words and start_a < end_a and start_b < end_b:
            _diff_lines(made, lines_a, start_a, end_a, lines_b, start_b, end_b)
        else:
            _replaced(made, start_a, end_a, lines_b[start_b:end_b])
    return made


def diff_words(a: str, b: str) -> list[Run]:
    """Where two strings differ by whole words, in characters."""
    words_a, words_b = WORD.findall(a), WORD.findall(b)
    at_a, at_b = _offsets(words_a), _offsets(words_b)
    return [(at_a[i1], at_a[i2], at_b[j1], at_b[j2]) for i1, i2, j1, j2 in runs(words_a, words_b)]


def diff_values(a: Json, b: Json) -> Diff | None:
    """The diff of two JSON values that differ; None when one can only take the other's place."""
    if isinstance(a, dict) and isinstance(b, dict):
        return _diff_members(a, b, VALUES)
    if isinstance(a, list) and isinstance(b, list) and all(isinstance(item, str) for item in [*a, *b]):
        made: Diff = []
        for start_a, end_a, start_b, end_b in runs(a, b):
            _replaced(made, start_a, end_a, b[start_b:end_b])
        return made
    return None


@contextmanager
def uncollected() -> Iterator[None]:
    """No look for cycles among the many small dicts, which have none: 5,000 cells take half the time, as they should.

    Of several threads in here the first to come turns it off and, when it leaves, on again.
    """
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


def diff_cell(a: Cell, b: Cell, *, outputs: bool = True) -> Diff:
    """The diff of two cells of one type."""
    if outputs:
        again = _diff_run_again(a, b)
        return _diff_members(a, b, IN_CELL) if again is None else again
    old, new = ({key: value for key, value in cell.items() if key not in RESULTS} for cell in (a, b))
    return _diff_members(old, new, IN_CELL)


def _diff_source(old: str, new: str) -> Diff:
    return diff_text(old, new, words=True)


def _diff_cells(a: Sequence[Cell], b: Sequence[Cell], outputs: bool) -> Diff:
    made: Diff = []
    done = 0
    if outputs:
        for old, new in zip(a, b, strict=False):
            if (again := _diff_run_again(old, new)) is None:
                break
            if again:
                made.append({"op": "patch", "key": done, "diff": again})
            done += 1
    if done == len(a) == len(b):  # nothing to pair
        return made
    done_a = done_b = done
    for i, j in pair_cells(a, b)[done:]:
        if done_a < i or done_b < j:
            _replaced(made, done_a, i, list(b[done_b:j]))
        old, new = a[i], b[j]
        if old != new and (inner := diff_cell(old, new, outputs=outputs)):
            made.append({"op": "patch", "key": i, "diff": inner})
        done_a, done_b = i + 1, j + 1
    _replaced(made, done_a, len(a), list(b[done_b:]))
    return made


def _diff_run_again(old: Cell, new: Cell) -> Diff | None:
    """`diff_cell` of a cell of one id that is as it was or was run again; None when more may differ.

    Most cells of most comparisons are such, and looking at every member of each takes twice the time.
    """
    if len(old) != MEMBERS or len(new) != MEMBERS:
        return [] if "id" in old and old == new else None
    try:
        if old["id"] != new["id"] or old["source"] != new["source"] or old["metadata"] != new["metadata"]:
            return None
        made: Diff = []
        if old["execution_count"] != (count := new["execution_count"]):
            made.append({"op": "replace", "key": "execution_count", "value": count})
        if inner := _diff_results(old["outputs"], new["outputs"]):
            made.append({"op": "patch", "key": "outputs", "diff": inner})
    except (AttributeError, KeyError):
        return None
    return made


def _diff_results(a: Sequence[Json], b: Sequence[Json]) -> Diff:
    """`_diff_outputs` of what may be equal, without detours for a cell that only prints."""
    if len(a) == 1 == len(b):
        (old,), (new,) = a, b
        if (
            old["output_type"] == "stream" == new["output_type"]
            and len(old) == PRINTED == len(new)
            and old["name"] == new["name"]
            and old["text"] != new["text"]
        ):
            inner = diff_text(old["text"], new["text"])
            return [{"op": "patch", "key": 0, "diff": [{"op": "patch", "key": "text", "diff": inner}]}]
    return _diff_outputs(a, b) if a != b else []


def _diff_outputs(a: Sequence[Json], b: Sequence[Json]) -> Diff:
    made: Diff = []
    if len(a) == 1 == len(b) and _alike_outputs(a[0], b[0]):
        return [{"op": "patch", "key": 0, "diff": _diff_members(a[0], b[0], IN_OUTPUT)}]
    kinds_a, kinds_b = [_kind(output) for output in a], [_kind(output) for output in b]
    differing = runs(kinds_a, kinds_b) if kinds_a != kinds_b else []
    done_a = done_b = 0
    for start_a, end_a, start_b, end_b in [*differing, (len(a), len(a), len(b), len(b))]:
        for i, j in zip(range(done_a, start_a), range(done_b, start_b), strict=True):
            if a[i] != b[j]:
                made.append({"op": "patch", "key": i, "diff": _diff_members(a[i], b[j], IN_OUTPUT)})
        _replaced(made, start_a, end_a, list(b[start_b:end_b]))
        done_a, done_b = end_a, end_b
    return made


def _kind(output: Json) -> tuple[Any, ...]:
    return (output["output_type"], output.get("name"), *output.get("data", ()))


def _alike_outputs(a: Json, b: Json) -> bool:
    """Whether they are of one kind."""
    if a["output_type"] != b["output_type"] or a.get("name") != b.get("name"):
        return False
    return ("data" not in a and "data" not in b) or [*a.get("data", ())] == [*b.get("data", ())]


def _diff_bundle(old: Json, new: Json) -> Diff:
    return _diff_members(old, new, IN_DATA)


def _diff_texts(old: Json, new: Json) -> Diff | None:
    return diff_text(old, new) if isinstance(old, str) and isinstance(new, str) else diff_values(old, new)


class _Differs(dict[str, Callable[[Json, Json], Diff | None]]):
    """By key, what tells how a member becomes another; of one that gives None it is replaced."""

    def __missing__(self, key: str) -> Callable[[Json, Json], Diff | None]:
        return diff_values


class _DiffersByType(_Differs):
    def __missing__(self, key: str) -> Callable[[Json, Json], Diff | None]:
        return _diff_texts if key.startswith(TEXTS) else diff_values


VALUES = _Differs()
IN_CELL = _Differs(source=_diff_source, outputs=_diff_outputs)
IN_OUTPUT = _Differs(data=_diff_bundle, text=_diff_texts)
IN_DATA = _DiffersByType()


def _diff_members(a: Json, b: Json, differs: _Differs) -> Diff:
    made: Diff = []
    removed = 0
    for key, old in a.items():
        try:
            new = b[key]
        except KeyError:
            removed += 1
            made.append({"op": "remove", "key": key})
            continue
        if new == old:
            continue
        # A number never becomes another in parts: the most frequent change, counts of executions, is quick.
        if type(new) is int or (inner := differs[key](old, new)) is None:
            made.append({"op": "replace", "key": key, "value": new})
        else:
            made.append({"op": "patch", "key": key, "diff": inner})
    if len(a) - removed < len(b):
        made += [{"op": "add", "key": key, "value": value} for key, value in b.items() if key not in a]
    if len(made) > 1:
        made.sort(key=_key)
    return made


def _replaced(made: Diff, start: int, end: int, items: Any) -> None:
    """`items` in the place of start:end of a list or a string."""
    if items:
        made.append({"op": "addrange", "key": start, "valuelist": items})
    if end > start:
        made.append({"op": "removerange", "key": start, "length": end - start})


def _diff_lines(
    made: Diff, a: Sequence[str], start_a: int, end_a: int, b: Sequence[str], start_b: int, end_b: int
) -> None:
    """Lines in the place of others: by words where one can be read as the other."""
    short = all(len(line) <= LONG_LINE for line in (*a[start_a:end_a], *b[start_b:end_b]))
    pairs = _alike(a[start_a:end_a], b[start_b:end_b]) if short else []
    done_a, done_b = start_a, start_b
    for i, j in [*((start_a + i, start_b + j) for i, j in pairs), (end_a, end_b)]:
        _replaced(made, done_a, i, list(b[done_b:j]))
        if i < end_a:
            inner: Diff = []
            for low_a, high_a, low_b, high_b in diff_words(a[i], b[j]):
                _replaced(inner, low_a, high_a, b[j][low_b:high_b])
            if inner:
                made.append({"op": "patch", "key": i, "diff": inner})
        done_a, done_b = i + 1, j + 1


def equal_keys(a: Sequence[Any], b: Sequence[Any]) -> list[tuple[int, int]]:
    """Pairs of equal keys, the nth of a key with its nth; None is no key."""
    # What both begin with pairs by itself.
    begin = next((i for i, (one, other) in enumerate(zip(a, b, strict=False)) if one != other), min(len(a), len(b)))
    pairs = [(i, i) for i in range(begin) if a[i] is not None]
    places: dict[Any, list[int]] = {}
    for j in range(len(b) - 1, begin - 1, -1):
        if b[j] is not None:
            places.setdefault(b[j], []).append(j)
    return pairs + [(i, found.pop()) for i in range(begin, len(a)) if (found := places.get(a[i]))]


def _alike(a: Sequence[str], b: Sequence[str]) -> list[tuple[int, int]]:
    """Index pairs, rising on both sides, of the lines that share most words in all."""
    rows, columns = len(a), len(b)
    bags_a, bags_b = [_bag(text) for text in a], [_bag(text) for text in b]
    # Of many, only those near the place where one would stand if all that came were spread evenly.
    reach = columns if rows * columns <= CLOSE else CLOSE // (2 * rows) + 1
    found = []
    for row in range(rows):
        middle = row * columns // rows
        for column in range(max(0, middle - reach), min(columns, middle + reach + 1)):
            if (alike := _shared(bags_a[row], bags_b[column])) >= LIKENESS:
                found.append((row, column, alike))
    return _heaviest_rise(found, columns)


def _heaviest_rise(found: Sequence[tuple[int, int, float]], columns: int) -> list[tuple[int, int]]:
    """Of weighted pairs in order of their first number, the rising run of the greatest sum.

    `tree` answers, in the logarithm of the columns, which run that ends left of a column is the heaviest (Fenwick).
    """
    totals = [weight for *_, weight in found]
    before = [-1] * len(found)
    tree = [-1] * (columns + 1)
    # From right to left within a row: none of a row may follow another of it.
    for index in sorted(range(len(found)), key=lambda index: (found[index][0], -found[index][1])):
        column, best = found[index][1], -1
        while column > 0:
            if tree[column] >= 0 and (best < 0 or totals[tree[column]] > totals[best]):
                best = tree[column]
            column -= column & -column
        if best >= 0:
            totals[index] += totals[best]
            before[index] = best
        column = found[index][1] + 1
        while column <= columns:
            if tree[column] < 0 or totals[tree[column]] < totals[index]:
                tree[column] = index
            column += column & -column
    at = max(range(len(found)), key=totals.__getitem__, default=-1)
    run = []
    while at >= 0:
        run.append(found[at][:2])
        at = before[at]
    return run[::-1]


def _bag(source: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for word in WORD.findall(source):
        if not word.isspace():
            counts[word] = counts.get(word, 0) + 1
    return counts


def _shared(a: dict[str, int], b: dict[str, int]) -> float:
    """Which part of their words two texts share, order aside: 0 none, 1 all."""
    total = sum(a.values()) + sum(b.values())
    common = sum(min(count, b[word]) for word, count in a.items() if word in b)
    return 2 * common / total if total else 1.0


def _offsets(words: Sequence[str]) -> list[int]:
    """Where each word begins, in characters, and where the last ends."""
    at = [0]
    for word in words:
        at.append(at[-1] + len(word))
    return at


def _runs(a: Sequence[Any], low_a: int, high_a: int, b: Sequence[Any], low_b: int, high_b: int) -> list[Run]:
    while low_a < high_a and low_b < high_b and a[low_a] == b[low_b]:
        low_a, low_b = low_a + 1, low_b + 1
    while low_a < high_a and low_b < high_b and a[high_a - 1] == b[high_b - 1]:
        high_a, high_b = high_a - 1, high_b - 1
    rows, columns = high_a - low_a, high_b - low_b
    if not rows and not columns:
        return []
    if rows * columns <= 1 or set(a[low_a:high_a]).isdisjoint(b[low_b:high_b]):
        return [(low_a, high_a, low_b, high_b)]
    anchors = _once(a, low_a, high_a, b, low_b, high_b)
    if not anchors:
        if rows * columns <= CLOSE:
            return _all_with_all(a, low_a, high_a, b, low_b, high_b)
        return [(low_a, high_a, low_b, high_b)]
    found: list[Run] = []
    for i, j in [*anchors, (high_a, high_b)]:
        found += _runs(a, low_a, i, b, low_b, j)
        low_a, low_b = i + 1, j + 1
    return found


def _once(
    a: Sequence[Any], low_a: int, high_a: int, b: Sequence[Any], low_b: int, high_b: int
) -> list[tuple[int, int]]:
    """Items that stand once on either side, as far as they are in one order."""
    where_a, where_b = _places(a, low_a, high_a), _places(b, low_b, high_b)
    return longest_rise([(i, j) for item, i in where_a.items() if i >= 0 and (j := where_b.get(item, -1)) >= 0])


def _places(items: Sequence[Any], low: int, high: int) -> dict[Any, int]:
    """Where each item stands; -1 when it stands there more than once."""
    places: dict[Any, int] = {}
    for index in range(low, high):
        item = items[index]
        places[item] = -1 if item in places else index
    return places


def _all_with_all(a: Sequence[Any], low_a: int, high_a: int, b: Sequence[Any], low_b: int, high_b: int) -> list[Run]:
    """The longest common subsequence's complement, by the table of its lengths."""
    columns = high_b - low_b
    lengths = [[0] * (columns + 1)]
    for i in range(high_a - 1, low_a - 1, -1):
        below, row, item = lengths[-1], [0] * (columns + 1), a[i]
        for column in range(columns - 1, -1, -1):
            if item == b[low_b + column]:
                row[column] = below[column + 1] + 1
            else:
                row[column] = below[column] if below[column] >= row[column + 1] else row[column + 1]
        lengths.append(row)
    lengths.reverse()
    found: list[Run] = []
    i, j = low_a, low_b
    start_a, start_b = i, j
    while i < high_a or j < high_b:
        if i < high_a and j < high_b and a[i] == b[j]:
            if (start_a, start_b) != (i, j):
                found.append((start_a, i, start_b, j))
            i, j = i + 1, j + 1
            start_a, start_b = i, j
        elif j == high_b or (i < high_a and lengths[i + 1 - low_a][j - low_b] >= lengths[i - low_a][j + 1 - low_b]):
            i += 1
        else:
            j += 1
    if (start_a, start_b) != (i, j):
        found.append((start_a, i, start_b, j))
    return found
