"""Why each cell is kept or left out, and where the analysis had to assume: in words that people read.

Called by `slice` with what `walk` found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from jupyter_slipway.publish.effects import analyse
from jupyter_slipway.publish.model import CellPlan, CellSource, Execution, Warn
from jupyter_slipway.publish.walk import BINDS, POSSIBLE, Walk

NOTEBOOK_ONLY = {
    "_": "the last shown value",
    "__": "an earlier shown value",
    "___": "an earlier shown value",
    "Out": "the shown values",
    "In": "the history",
    "get_ipython": "the notebook's own shell",
    "_ih": "the history",
    "_oh": "the shown values",
}
WORDS = {
    "bind": "defines {}",
    "import": "imports {}",
    "observed": "changed {} when it ran",
    "change": "changes {}",
    "may": "may change {}",
    "file": "writes {}, which is read later",
    "seed": "sets the random seed",
    "draw": "draws random numbers before it",
    "config": "sets options of {}",
    "star": "may define {} by its star import",
    "exec": "may define {} by running text as code",
    "all": "the whole notebook is kept",
}


def reason(reasons: Iterable[tuple[str, str]]) -> str:
    """Why a cell is kept: 'defines `df`, `x`; changes `y`'."""
    names: dict[str, list[str]] = {}
    for why, name in reasons:
        if why in WORDS and name not in names.setdefault(why, []):
            names[why].append(name)
    parts = []
    for why in WORDS:
        if why in names:
            some = sorted(names[why])
            shown = ", ".join(f"`{one}`" for one in some[:3]) + (f" and {len(some) - 3} more" if len(some) > 3 else "")
            parts.append(WORDS[why].format(shown))
    return "; ".join(parts[:3]) or "it is needed"


def place(index: int) -> str:
    """A cell as people see it named: by its index among the code cells, from 0."""
    return f"Cell [{index}]" if index >= 0 else "Code that is no longer in the notebook"


def plans_of(
    walk: Walk, cells: Sequence[CellSource], target: CellSource, executions: Sequence[Execution]
) -> tuple[CellPlan, ...]:
    why: dict[str, list[tuple[str, str]]] = {}
    gone: list[CellPlan] = []
    for run, ran in enumerate(walk.log):
        reasons = [one for k in walk.of_run(run) for one in walk.kept[k]]
        if reasons and ran.index < 0:
            gone.append(CellPlan(-1, ran.cell, True, reason(reasons), ran.source))
        elif reasons:
            why.setdefault(ran.cell, []).extend(reasons)
    ran_once = {one.cell for one in executions}
    plans = []
    for cell in cells:
        if cell is target:
            text = "the cell to publish"
        elif cell.id in why:
            text = reason(why[cell.id])
        else:
            text = _dropped(cell, target, ran_once if executions else None)
        plans.append(CellPlan(cell.index, cell.id, cell is target or cell.id in why, text, cell.source))
    return (*plans, *gone)


def _dropped(cell: CellSource, target: CellSource, ran: set[str] | None) -> str:
    analysis = analyse(cell.source)
    if analysis.error:
        return "it is not Python, and nothing in it is needed"
    if not analysis.statements:
        return "it has no code"
    if ran is None and cell.index > target.index:
        return "it stands below the cell to publish"
    if ran is not None and cell.id not in ran:
        return "it never ran"
    return "nothing in it is needed"


def warnings_of(
    walk: Walk, cells: Sequence[CellSource], target: CellSource, executions: Sequence[Execution]
) -> tuple[Warn, ...]:
    found: list[Warn] = []
    runs = [run for run in range(len(walk.log)) if walk.of_run(run)]
    found += _about_history(walk, runs, cells, target, executions)
    found += _about_code(walk, runs)
    for name, position in walk.undefined.items():
        ran = walk.log[walk.units[position].run]
        what = f"which is {NOTEBOOK_ONLY[name]}" if name in NOTEBOOK_ONLY else "which no cell above it defines"
        found.append(Warn("undefined_name", f"{place(ran.index)} uses `{name}`, {what}.", ran.cell))
    return tuple(dict.fromkeys(found))


def _about_history(
    walk: Walk, runs: list[int], cells: Sequence[CellSource], target: CellSource, executions: Sequence[Execution]
) -> list[Warn]:
    found: list[Warn] = []
    if not executions:
        message = "No kernel said what ran: the notebook's order is taken for it."
        found.append(Warn("not_observed", message))
    elif all(one.changed is None for one in executions):
        message = "The kernel did not watch what its cells changed: their text alone is taken for it."
        found.append(Warn("not_observed", message))
    if executions:
        found += _about_target(target, executions)
    found += _about_kept(walk, runs, {one.id: one.source for one in cells}, bool(executions))
    needed = {name for run in runs for k in walk.of_run(run) for name in walk.units[k].reads}
    for one in executions:
        touched = needed & {*(one.changed or ()), *one.new} if one.failed and one.cell != target.id else set()
        if touched:
            message = f"A cell that failed had changed `{min(touched)}` before: the job leaves that out."
            found.append(Warn("unknown_mutation", message, one.cell))
    return found


def _about_target(target: CellSource, executions: Sequence[Execution]) -> list[Warn]:
    last = next((one for one in reversed(executions) if one.cell == target.id), None)
    if last is None:
        return [Warn("never_ran", f"{place(target.index)} has not run in this kernel.", target.id)]
    found = []
    if last.failed:
        found.append(Warn("never_ran", f"{place(target.index)} failed when it last ran.", target.id))
    if last.source.strip() != target.source.strip():
        message = f"{place(target.index)} was edited since it ran: the job takes it as it stands now."
        found.append(Warn("edited", message, target.id))
    return found


def _about_kept(walk: Walk, runs: list[int], text: Mapping[str, str], ran_at_all: bool) -> list[Warn]:
    """
    Args:
        text: cell id -> its source now
        ran_at_all: whether a kernel said what ran
    """
    found: list[Warn] = []
    for ran in (walk.log[run] for run in runs if not walk.log[run].target):
        if ran_at_all and ran.execution is None:
            found.append(Warn("never_ran", f"{place(ran.index)} is needed, and has not run in this kernel.", ran.cell))
        elif ran.index < 0:
            message = "Code is needed that ran in the kernel and is no longer in the notebook: the job keeps it."
            found.append(Warn("deleted", message, ran.cell))
        elif ran.execution is not None and ran.source.strip() != text[ran.cell].strip():
            message = f"{place(ran.index)} was edited after it ran: the job takes what ran."
            found.append(Warn("edited", message, ran.cell))
    return found


def _about_code(walk: Walk, runs: list[int]) -> list[Warn]:
    found: list[Warn] = []
    for run, ran in enumerate(walk.log):
        analysis = walk.analyses[run]
        if analysis.error and not ran.target:
            message = (
                f"{place(ran.index)} is not Python ({analysis.error}, line {analysis.error_line}): it is left out."
            )
            found.append(Warn("unknown_mutation", message, ran.cell))
        if analysis.split.refusals and run not in runs:
            message = (
                f"{place(ran.index)} is left out, and has a line that a job cannot run: {analysis.split.refusals[0]}"
            )
            found.append(Warn("unknown_mutation", message, ran.cell))
    for run in runs:
        ran = walk.log[run]
        found += [Warn("magic", notice, ran.cell) for notice in walk.analyses[run].split.notices]
        for position in walk.of_run(run):
            statement = walk.units[position].statement
            if statement.star:
                message = (
                    f"{place(ran.index)} imports all names of `{statement.star}`: which ones are used cannot be seen."
                )
                found.append(Warn("star_import", message, ran.cell))
            if statement.opaque:
                message = f"{place(ran.index)} runs text as code: what it reads and binds cannot be seen."
                found.append(Warn("exec", message, ran.cell))
    return found + _about_doubt(walk) + _about_chance(walk)


def _about_chance(walk: Walk) -> list[Warn]:
    """Random numbers that no seed fixes: the first cell that draws some of each stream."""
    found = []
    for stream, seed in (("@random", "random.seed(0)"), ("@numpy.random", "numpy.random.seed(0)")):
        writes = walk.writes.get(stream, [])
        seeded = next((position for position, level in writes if level == BINDS), len(walk.units))
        drawn = [position for position, level in writes if level != BINDS and position in walk.kept]
        if drawn and drawn[0] < seeded:
            ran = walk.log[walk.units[drawn[0]].run]
            message = f"{place(ran.index)} draws random numbers without a seed, each run others: say `{seed}` first."
            found.append(Warn("unseeded", message, ran.cell))
    return found


def _about_doubt(walk: Walk) -> list[Warn]:
    """Possible changes of a needed name that nobody watched, and that are left out."""
    if walk.widen:
        return []
    doubts: dict[str, dict[int, str]] = {}
    for name, done in walk.done.items():
        for k in done:
            position, level = walk.writes[name][k]
            ran = walk.log[walk.units[position].run]
            if level == POSSIBLE and position not in walk.kept:
                doubts.setdefault(name, {})[ran.index] = ran.cell
    found = []
    for name, where in doubts.items():
        cells = ", ".join(f"[{index}]" for index in sorted(where))
        many = "cells" if len(where) > 1 else "cell"
        message = f"`{name}` may be changed in {many} {cells}: nobody watched, and it is left out."
        found.append(Warn("unknown_mutation", message, where[min(where)]))
    return found
