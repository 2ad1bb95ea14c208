"""Three notebooks into one: the cells of both sides, in one order, and within a cell the words of both.

Pure, and of the standard library alone but for `decide`, which makes nbdime's decisions for its merge widget. Who
calls chooses the base. Nothing anybody wrote is dropped: where two sides contradict each other, both stay, and the
result says where.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, TypeVar

from jupyter_slipway.notebooks.diff import RESULTS, WORD, Cell, Json, diff_notebooks, equal_keys, runs, same_cells
from jupyter_slipway.notebooks.marks import are_whole, ended, has_marks, mark, sides

T = TypeVar("T")
ABSENT: Any = object()
CHUNK = re.compile(r"\s*(?:\w+|[^\w\s])|\s+$")


@dataclass(frozen=True)
class Clash:
    """A stretch that both sides changed, each in its own way."""

    base: str
    mine: str
    theirs: str


@dataclass(frozen=True)
class MergedText:
    pieces: tuple[str | Clash, ...]

    @property
    def clashes(self) -> tuple[Clash, ...]:
        return tuple(piece for piece in self.pieces if isinstance(piece, Clash))

    @property
    def text(self) -> str:
        """With both sides of each clash, mine first."""
        return "".join(_lined(piece.mine, piece.theirs) if isinstance(piece, Clash) else piece for piece in self.pieces)

    def marked(self, mine: str, theirs: str) -> str:
        """With git's marks around each clash; `mine` and `theirs` name the sides."""
        made = ""
        for piece in self.pieces:
            made += mark(piece.mine, piece.theirs, mine, theirs) if isinstance(piece, Clash) else piece
        return made


@dataclass(frozen=True)
class Conflict:
    """What the two sides made of a cell. None: that side removed it."""

    base: str | None
    mine: str | None
    theirs: str | None


@dataclass(frozen=True)
class MergedCell:
    """A cell of the result, and where it was."""

    cell: Cell
    mine: int | None
    """Its index in mine; None when it came from theirs."""
    theirs: int | None
    text: MergedText
    """Its source."""
    conflict: Conflict | None = None


@dataclass(frozen=True)
class Merged:
    cells: tuple[MergedCell, ...]
    """In the order of the result; a cell of mine that is not among them was removed by theirs."""
    notebook: dict[str, Any]
    """With both sides of each conflict in the cell's source, mine first."""

    @property
    def conflicts(self) -> tuple[MergedCell, ...]:
        return tuple(cell for cell in self.cells if cell.conflict)


def merge_notebooks(base: Json, mine: Json, theirs: Json, *, together: bool = False) -> Merged:
    """`mine` with what `theirs` changed since `base`.

    Args:
        together: what both inserted at one place is no conflict: mine, then theirs. So it is while typing live.
    """
    cells = merge_cells(base["cells"], mine["cells"], theirs["cells"], together=together)
    around = [{key: value for key, value in side.items() if key != "cells"} for side in (base, mine, theirs)]
    notebook = merge_values(*around)
    notebook["nbformat_minor"] = max(side.get("nbformat_minor", 0) for side in (mine, theirs))
    return Merged(tuple(cells), notebook | {"cells": [one.cell for one in cells]})


def merge_cells(
    base: Sequence[Cell], mine: Sequence[Cell], theirs: Sequence[Cell], *, together: bool = False
) -> list[MergedCell]:
    """The cells of `mine` with what `theirs` changed since `base`.

    A cell that one side edited and the other removed stays, as a conflict. Outputs stay with the source they are of:
    a source made of both sides has none.
    """
    of_mine, of_theirs = _named(base, mine, "mine"), _named(base, theirs, "theirs")
    _join_equal_additions(mine, theirs, of_mine, of_theirs)
    at_mine = {name: index for index, name in enumerate(of_mine)}
    at_theirs = {name: index for index, name in enumerate(of_theirs)}

    merged: dict[Any, MergedCell] = {}
    for name in dict.fromkeys([*of_mine, *of_theirs]):
        i, j = at_mine.get(name), at_theirs.get(name)
        was = base[name] if isinstance(name, int) else None
        cell = _merge_cell(was, None if i is None else mine[i], None if j is None else theirs[j], together)
        if cell is not None:
            merged[name] = replace(cell, mine=i, theirs=j)
    ordered = [merged[name] for name in _order(of_mine, of_theirs, merged)]
    return _with_own_ids(ordered)


def merge_texts(base: str, mine: str, theirs: str, *, together: bool = False) -> MergedText:
    """By lines, and where both changed the same lines by words.

    Args:
        together: what both inserted at one place is no clash: mine, then theirs
    """
    pieces = _by_lines(base, mine, theirs, together)
    if any(map(has_marks, (mine, theirs))) and all(map(are_whole, (base, mine, theirs))):
        merged = MergedText(tuple(pieces))
        if merged.clashes or not are_whole(merged.text):
            pieces = _by_sides(base, mine, theirs, together)
        elif (found := sides(merged.text)) and found.mine == found.theirs:
            # What one side still had to be told of the other came meanwhile.
            pieces = [found.mine]
    ends = theirs if mine.endswith("\n") == base.endswith("\n") else mine
    if pieces and not ends.endswith("\n"):
        last = pieces[-1]
        pieces[-1] = (
            Clash(*map(_unended, (last.base, last.mine, last.theirs))) if isinstance(last, Clash) else _unended(last)
        )
    return MergedText(tuple(pieces))


def _by_lines(base: str, mine: str, theirs: str, together: bool) -> list[str | Clash]:
    pieces: list[str | Clash] = []
    # A last line without its end is no other line than one with it: whoever appends changes what is appended only.
    for piece in _merge_sequences(*(ended(side).splitlines(True) for side in (base, mine, theirs))):
        if isinstance(piece, list):
            pieces.append("".join(piece))
        else:
            pieces.append(_by_words(Clash(*("".join(side) for side in piece)), together))
    return [piece for piece in pieces if piece]


def apart(mine: str, theirs: str) -> MergedText:
    """Two texts as one in which each stretch that differs is a clash."""
    return MergedText(tuple(_pieces_apart(f"{mine}\n", f"{theirs}\n")))


def merge_values(base: Json, mine: Json, theirs: Json) -> Json:
    """JSON values: what one side changed; member by member of dicts, item by item of lists. In doubt mine."""
    if mine == theirs or theirs == base:
        return mine
    if mine == base:
        return theirs
    if isinstance(mine, dict) and isinstance(theirs, dict):
        was = base if isinstance(base, dict) else {}
        made = {
            key: merge_values(was.get(key, ABSENT), mine.get(key, ABSENT), theirs.get(key, ABSENT))
            for key in dict.fromkeys([*mine, *theirs])
        }
        return {key: value for key, value in made.items() if value is not ABSENT}
    if all(isinstance(side, list) and all(isinstance(item, str) for item in side) for side in (base, mine, theirs)):
        made_list: list[str] = []
        for piece in _merge_sequences(base, mine, theirs):
            made_list += piece if isinstance(piece, list) else [*piece[1], *piece[2]]
        return list(dict.fromkeys(made_list))
    return mine


def text_edits(old: str, new: str) -> list[tuple[int, int, str]]:
    """Which characters of `old` to replace by what to have `new`: (start, end, text), last first, word by word."""
    from jupyter_slipway.notebooks.diff import diff_words

    return [(start, end, new[low:high]) for start, end, low, high in reversed(diff_words(old, new))]


def decide(base: Json, mine: Json, theirs: Json) -> list[dict[str, Any]]:
    """nbdime's merge decisions on our diffs, for its widget: what is left to a person is a conflict.

    Sources that merge by words are decided.
    """
    from nbdime.diff_utils import to_clean_dicts, to_diffentry_dicts
    from nbdime.merging.generic import decide_merge_with_diff
    from nbdime.merging.notebooks import notebook_merge_strategies

    strategies = notebook_merge_strategies(None)
    for path, strategy in list(strategies.items()):
        if strategy and strategy.startswith(("inline", "record")):
            # Left to the person, without marks in the notebook.
            del strategies[path]
    strategies["/cells/*/id"] = "use-local"
    diffs = [to_diffentry_dicts(diff_notebooks(base, side)) for side in (mine, theirs)]
    made: list[dict[str, Any]] = []
    settled = _sources_settled(base, mine, theirs)
    for decision in map(to_clean_dicts, decide_merge_with_diff(base, mine, theirs, *diffs, strategies)):
        path = decision["common_path"] = list(decision["common_path"])
        if path[:1] == ["cells"] and path[2:3] == ["source"] and path[1] in settled:
            if (source := settled[path[1]]) is not None:
                made.append(source)
                # nbdime has one for each line: ours is for all of them.
                settled[path[1]] = None
        else:
            made.append(decision)
    return made


def _sources_settled(base: Json, mine: Json, theirs: Json) -> dict[int, dict[str, Any] | None]:
    """Decisions for the base's cells whose source both changed and that merge by words, by index."""
    from jupyter_slipway.notebooks.diff import diff_text, pair_cells

    cells = base["cells"]
    in_mine, in_theirs = dict(pair_cells(cells, mine["cells"])), dict(pair_cells(cells, theirs["cells"]))
    settled: dict[int, dict[str, Any] | None] = {}
    for index in in_mine.keys() & in_theirs.keys():
        was = cells[index]["source"]
        ours, others = mine["cells"][in_mine[index]]["source"], theirs["cells"][in_theirs[index]]["source"]
        if was in (ours, others) or ours == others:
            continue
        merged = merge_texts(was, ours, others)
        if not merged.clashes:
            settled[index] = {
                "common_path": ["cells", index, "source"],
                "action": "custom",
                "conflict": False,
                "local_diff": diff_text(was, ours, words=True),
                "remote_diff": diff_text(was, others, words=True),
                "custom_diff": diff_text(was, merged.text, words=True),
            }
    return settled


def _named(base: Sequence[Cell], side: Sequence[Cell], name: str) -> list[Any]:
    """A name for each cell of a side: the index of the base's cell it is, or one of its own."""
    names: list[Any] = [(name, index) for index in range(len(side))]
    for i, j in same_cells(base, side):
        names[j] = i
    return names


def _join_equal_additions(
    mine: Sequence[Cell], theirs: Sequence[Cell], of_mine: Sequence[Any], of_theirs: list[Any]
) -> None:
    """What both sides added alike gets one name: a cell that was cherry-picked, or merged before."""
    new_mine = [i for i, name in enumerate(of_mine) if not isinstance(name, int)]
    new_theirs = [j for j, name in enumerate(of_theirs) if not isinstance(name, int)]
    for key in (_id, _words):
        for i, j in equal_keys([key(mine[i]) for i in new_mine], [key(theirs[j]) for j in new_theirs]):
            if mine[new_mine[i]]["cell_type"] == theirs[new_theirs[j]]["cell_type"]:
                of_theirs[new_theirs[j]] = of_mine[new_mine[i]]
        joined = set(of_theirs)
        new_mine = [i for i in new_mine if of_mine[i] not in joined]
        new_theirs = [j for j in new_theirs if of_theirs[j][0] == "theirs"]


def _id(cell: Cell) -> Any:
    return cell.get("id")


def _words(cell: Cell) -> Any:
    return (cell["cell_type"], cell["source"]) if cell["source"] else None


def _merge_cell(base: Cell | None, mine: Cell | None, theirs: Cell | None, together: bool) -> MergedCell | None:
    """One cell; None when it is gone."""
    if mine is None or theirs is None:
        there = mine if theirs is None else theirs
        assert there is not None
        text = MergedText((there["source"],))
        if base is None:
            return MergedCell(there, None, None, text)
        if base["source"] == there["source"]:
            return None
        sides = Conflict(base["source"], mine["source"] if mine else None, theirs["source"] if theirs else None)
        return MergedCell(there, None, None, text, sides)
    if mine == theirs or theirs == base:
        return MergedCell(mine, None, None, MergedText((mine["source"],)))
    # Added by both under one id: what they have in common is where they parted.
    was: Cell = {"source": _common(mine["source"], theirs["source"]), "metadata": {}} if base is None else base
    text = merge_texts(was["source"], mine["source"], theirs["source"], together=together)
    conflict = Conflict(base["source"] if base else None, mine["source"], theirs["source"]) if text.clashes else None
    cell = mine | {"source": text.text, "metadata": merge_values(was["metadata"], mine["metadata"], theirs["metadata"])}
    if "attachments" in mine or "attachments" in theirs:
        cell["attachments"] = merge_values(*(side.get("attachments", {}) for side in (was, mine, theirs)))
    if "outputs" in mine:
        cell |= _results(was, mine, theirs, cell["source"])
    return MergedCell(cell, None, None, text, conflict)


def _results(base: Mapping[str, Any], mine: Cell, theirs: Cell, source: str) -> dict[str, Any]:
    """Outputs and count of the side whose source the merged cell has; of both, of the one that ran it anew."""
    if source not in (mine["source"], theirs["source"]):
        return {"outputs": [], "execution_count": None}
    unchanged = mine["source"] == base["source"] and mine["outputs"] == base.get("outputs")
    side = theirs if source != mine["source"] or (unchanged and source == theirs["source"]) else mine
    return {key: side.get(key) for key in RESULTS}


def _order(of_mine: Sequence[Any], of_theirs: Sequence[Any], kept: Mapping[Any, object]) -> list[Any]:
    """Names of the kept cells in one order: of the side that moved cells, mine when both did.

    What only the other side has follows the cell it followed there, after what was added at that place here.
    """
    only_theirs_moved = _rises(of_mine) and not _rises(of_theirs)
    leading, other = (of_theirs, of_mine) if only_theirs_moved else (of_mine, of_theirs)
    leads = set(leading)
    following: dict[Any, list[Any]] = {}
    last: Any = None
    for name in other:
        if name in leads:
            last = name
        elif name in kept:
            following.setdefault(last, []).append(name)
    shared = set(other)
    ordered: list[Any] = []
    waiting: list[Any] = following.get(None, [])
    for name in leading:
        if name in shared or isinstance(name, int):
            ordered += waiting
            waiting = []
        if name in kept:
            ordered.append(name)
        waiting = waiting + following.get(name, [])
    return ordered + waiting


def _rises(names: Sequence[Any]) -> bool:
    """Whether the base's cells stand in the base's order."""
    old = [name for name in names if isinstance(name, int)]
    return all(a < b for a, b in pairwise(old))


def _with_own_ids(cells: Sequence[MergedCell]) -> list[MergedCell]:
    """No id twice: a cell that comes from theirs gives way."""
    taken = {one.cell.get("id") for one in cells if one.mine is not None}
    made = []
    seen: set[Any] = set()
    for one in cells:
        id = one.cell.get("id")
        if id is not None and (id in seen or (one.mine is None and id in taken)):
            number = 2
            while f"{id[:60]}-{number}" in taken | seen:
                number += 1
            id = f"{id[:60]}-{number}"
            one = replace(one, cell=one.cell | {"id": id})
        seen.add(id)
        made.append(one)
    return made


def _merge_sequences(
    base: Sequence[T], mine: Sequence[T], theirs: Sequence[T]
) -> list[list[T] | tuple[list[T], list[T], list[T]]]:
    """Stretches of the result: settled ones as lists, those both sides changed as (base, mine, theirs)."""
    ours, others = runs(base, mine), runs(base, theirs)
    made: list[list[T] | tuple[list[T], list[T], list[T]]] = []
    done = i = j = 0
    while i < len(ours) or j < len(others):
        if j == len(others) or (i < len(ours) and _before(ours[i], others[j])):
            start, end, low, high = ours[i]
            made += [list(base[done:start]), list(mine[low:high])]
            i, done = i + 1, end
        elif i == len(ours) or _before(others[j], ours[i]):
            start, end, low, high = others[j]
            made += [list(base[done:start]), list(theirs[low:high])]
            j, done = j + 1, end
        else:
            first_i, first_j = i, j
            start, end = min(ours[i][0], others[j][0]), max(ours[i][1], others[j][1])
            i, j = i + 1, j + 1
            while (more := i < len(ours) and ours[i][0] < end) or (j < len(others) and others[j][0] < end):
                if more:
                    end, i = max(end, ours[i][1]), i + 1
                else:
                    end, j = max(end, others[j][1]), j + 1
            made.append(list(base[done:start]))
            a = _side(mine, ours[first_i:i], start, end)
            b = _side(theirs, others[first_j:j], start, end)
            made.append(a if a == b else (list(base[start:end]), a, b))
            done = end
    made.append(list(base[done:]))
    return made


def _before(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Whether change `a` is over where change `b` begins; two insertions at one place are one conflict."""
    return a[1] <= b[0] and (a[0], a[1]) != (b[0], b[1]) and not (a[0] == b[0] == a[1])


def _side(items: Sequence[T], changes: Sequence[tuple[int, int, int, int]], start: int, end: int) -> list[T]:
    """What became of base[start:end] on a side, whose changes there are `changes`."""
    first, last = changes[0], changes[-1]
    return list(items[first[2] - (first[0] - start) : last[3] + (end - last[1])])


def _by_words(clash: Clash, together: bool) -> str | Clash:
    """A clash of lines, settled by words where that can be."""
    if not clash.base and not together:
        return clash
    settled = ""
    for piece in _merge_sequences(*(WORD.findall(side) for side in (clash.base, clash.mine, clash.theirs))):
        if isinstance(piece, list):
            settled += "".join(piece)
        elif together and not piece[0]:
            settled += _union("".join(piece[1]), "".join(piece[2]))
        else:
            return clash
    return settled


def _by_sides(base: str, mine: str, theirs: str, together: bool) -> list[str | Clash]:
    """Texts that are in conflict themselves: one conflict of two sides again, never one within another.

    Each text stands for both sides of its own conflict; one without is the same on either. What goes on from one of
    two sides is merged into that one. Two servers that met the same conflict each call it the other way round.
    """
    bases, ours, others = map(_two_sides, (base, mine, theirs))
    merged = _merged_sides(bases, ours, others, together)
    if bases[0] == bases[1]:
        crossed = _merged_sides(bases, ours, others[::-1], together)
        said = _words_of(*ours, *others)
        # Two that have one side in common would lose it.
        merged = min(
            merged, crossed, key=lambda pair: (len(said - _words_of(*(one.text for one in pair))), _clashes(pair))
        )
    texts = [one.text for one in merged]
    for plain, block in ((ours, others), (others, ours)):
        if plain[0] == plain[1] and block[0] != block[1]:
            clashing = [bool(one.clashes) for one in merged]
            if all(clashing):
                both = MergedText(tuple(_pieces_apart(*block))).text
                texts = [plain[0], both] if plain is ours else [both, plain[0]]
            elif any(clashing):
                # Its change is in the other side already.
                texts[clashing.index(True)] = block[clashing.index(True)]
    return [piece for piece in _pieces_apart(*map(ended, texts)) if piece]


def _two_sides(text: str) -> tuple[str, str]:
    found = sides(ended(text))
    return (found.mine, found.theirs) if found else (ended(text), ended(text))


def _merged_sides(
    bases: Sequence[str], ours: Sequence[str], others: Sequence[str], together: bool
) -> tuple[MergedText, ...]:
    three = zip(bases, ours, others, strict=True)
    return tuple(merge_texts(*sides, together=together) for sides in three)


def _clashes(merged: Sequence[MergedText]) -> int:
    return sum(len(one.clashes) for one in merged)


def _words_of(*texts: str) -> set[str]:
    return {word for text in texts for word in WORD.findall(text)}


def _pieces_apart(a: str, b: str) -> list[str | Clash]:
    lines_a, lines_b = a.splitlines(True), b.splitlines(True)
    pieces: list[str | Clash] = []
    done = 0
    for start, end, low, high in runs(lines_a, lines_b):
        pieces += ["".join(lines_a[done:start]), Clash("", "".join(lines_a[start:end]), "".join(lines_b[low:high]))]
        done = end
    return [*pieces, "".join(lines_a[done:])]


def _union(mine: str, theirs: str) -> str:
    """What both inserted at one place: mine, then theirs. What one side had from the other already is not made twice:
    all of it, or the words within a line that both begin or end with.
    """
    a, b = CHUNK.findall(mine), CHUNK.findall(theirs)
    for long, short in ((a, b), (b, a)):
        if short and any(long[at : at + len(short)] == short for at in range(len(long) - len(short) + 1)):
            return "".join(long)
    if "\n" in mine or "\n" in theirs:
        return _one_after_the_other(mine, theirs)
    shortest = min(len(a), len(b))
    head = next((i for i in range(shortest) if a[i] != b[i]), shortest)
    tail = next((i for i in range(shortest - head) if a[-1 - i] != b[-1 - i]), shortest - head)
    return _one_after_the_other("".join(a[: len(a) - tail]), "".join(b[head:]))


def _one_after_the_other(before: str, after: str) -> str:
    """One after the other, and no word of the two."""
    joint = before[-1:] + after[:1]
    return f"{before} {after}" if re.fullmatch(r"\w\w", joint) else before + after


def _common(a: str, b: str) -> str:
    words_a, words_b = WORD.findall(a), WORD.findall(b)
    shared, done = "", 0
    for start, end, *_ in runs(words_a, words_b):
        shared, done = shared + "".join(words_a[done:start]), end
    return shared + "".join(words_a[done:])


def _unended(text: str) -> str:
    return text.removesuffix("\n")


def _lined(mine: str, theirs: str) -> str:
    return ended(mine) + theirs if theirs else mine
