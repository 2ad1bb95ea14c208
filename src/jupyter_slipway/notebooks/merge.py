"""Three notebooks into one: the cells of both sides, in one order, and within a cell the words of both.

Pure, and of the standard library alone but for `decide`, which makes nbdime's decisions for its merge widget. Who
calls chooses the base. Nothing anybody wrote is dropped: where two sides contradict each other, both stay, and the
result says where.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from jupyter_slipway.notebooks.diff import RESULTS, WORD, Cell, Json, diff_notebooks, equal_keys, same_cells
from jupyter_slipway.notebooks.merge_text import TOGETHER, MergedText, common, merge_sequences, merge_texts

ABSENT: Any = object()
TITLE = "title"
"""Where a cell's metadata have what somebody wrote in its marker, by jupytext's rules."""


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


def merge_notebooks(base: Json, mine: Json, theirs: Json, *, together: Set[str] | None = None) -> Merged:
    """`mine` with what `theirs` changed since `base`.

    Args:
        together: what both inserted at one place is no conflict: mine, then theirs; but of these words, which both
            had before the base lost them, each once. None: it is a conflict.
    """
    cells = merge_cells(base["cells"], mine["cells"], theirs["cells"], together=together)
    around = [{key: value for key, value in side.items() if key != "cells"} for side in (base, mine, theirs)]
    notebook = merge_values(*around)
    notebook["nbformat_minor"] = max(side.get("nbformat_minor", 0) for side in (mine, theirs))
    return Merged(tuple(cells), notebook | {"cells": [one.cell for one in cells]})


def merge_cells(
    base: Sequence[Cell], mine: Sequence[Cell], theirs: Sequence[Cell], *, together: Set[str] | None = None
) -> list[MergedCell]:
    """The cells of `mine` with what `theirs` changed since `base`.

    A cell that one side edited and the other removed stays, as a conflict. Outputs stay with the source they are of:
    a source made of both sides has none.
    """
    of_mine, of_theirs = _named(base, mine, "mine"), _named(base, theirs, "theirs")
    _join_equal_additions(mine, theirs, of_mine, of_theirs, together or TOGETHER)
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
        for piece in merge_sequences(base, mine, theirs):
            made_list += piece if isinstance(piece, list) else [*piece[1], *piece[2]]
        return list(dict.fromkeys(made_list))
    return mine


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
    mine: Sequence[Cell], theirs: Sequence[Cell], of_mine: Sequence[Any], of_theirs: list[Any], again: Set[str]
) -> None:
    """What both sides added alike gets one name: a cell that was cherry-picked, or merged before; or one that both
    brought back, which has a word of `again`.
    """
    new_mine = [i for i, name in enumerate(of_mine) if not isinstance(name, int)]
    new_theirs = [j for j, name in enumerate(of_theirs) if not isinstance(name, int)]

    def brought_back(cell: Cell) -> Any:
        return next((word for word in WORD.findall(cell["source"]) if word in again), None)

    for key in (_id, _words, brought_back):
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


def _merge_cell(
    base: Cell | None, mine: Cell | None, theirs: Cell | None, together: Set[str] | None
) -> MergedCell | None:
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
    was: Cell = {"source": common(mine["source"], theirs["source"]), "metadata": {}} if base is None else base
    text = merge_texts(was["source"], mine["source"], theirs["source"], together=together)
    conflict = Conflict(base["source"] if base else None, mine["source"], theirs["source"]) if text.clashes else None
    cell = mine | {"source": text.text, "metadata": _metadata(*(side["metadata"] for side in (was, mine, theirs)))}
    if "attachments" in mine or "attachments" in theirs:
        cell["attachments"] = merge_values(*(side.get("attachments", {}) for side in (was, mine, theirs)))
    if "outputs" in mine:
        cell |= _results(was, mine, theirs, cell["source"])
    return MergedCell(cell, None, None, text, conflict)


def _metadata(base: Json, mine: Json, theirs: Json) -> Any:
    """A cell's; of its title nothing is dropped."""
    made = merge_values(base, mine, theirs)
    was, here, there = (side.get(TITLE) for side in (base, mine, theirs))
    if isinstance(here, str) and isinstance(there, str) and there not in (was, here) and here != was:
        words: list[str] = []
        for piece in merge_sequences(*(side.split() if isinstance(side, str) else [] for side in (was, here, there))):
            words += piece if isinstance(piece, list) else dict.fromkeys([*piece[1], *piece[2]])
        indent = here[: len(here) - len(here.lstrip())]
        made = made | {TITLE: indent + " ".join(words)}
    return made


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
