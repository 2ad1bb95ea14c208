"""What a cell needs of all that ran before it, and why.

Called by `plan` with the notebook's cells and what the kernel ran; hands its `Slice` to `parameters` and `module`.
`walk` finds the statements, `reasons` says why in words.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Sequence
from functools import lru_cache

from msgspec import Struct

from jupyter_slipway.errors import NotFound, Unprocessable
from jupyter_slipway.publish.effects import analyse, remember_part
from jupyter_slipway.publish.facts import Statement
from jupyter_slipway.publish.model import CellPlan, CellSource, Execution, Warn
from jupyter_slipway.publish.plain import parsed
from jupyter_slipway.publish.reasons import place, plans_of, warnings_of
from jupyter_slipway.publish.walk import Ran, Walk, log_of, with_never_run


class Step(Struct, frozen=True):
    """One execution of which something is kept, in the order things ran."""

    cell: str
    index: int
    """Of the cell among the notebook's code cells; -1 when the notebook no longer has it."""
    source: str
    python: str
    """The kept statements with their comments, each on its own line of the cell; other lines are empty."""
    target: bool = False


class Slice(Struct, frozen=True):
    steps: tuple[Step, ...]
    cells: tuple[CellPlan, ...]
    warnings: tuple[Warn, ...] = ()
    undefined: tuple[str, ...] = ()
    """Names that are used, and that no cell above defines."""


def slice_cells(
    cells: Sequence[CellSource], target: str, executions: Sequence[Execution] = (), *, widen: int = 0
) -> Slice:
    """What the cell `target` needs of all that ran before it.

    Args:
        cells: the notebook's code cells in document order
        target: the cell's id
        executions: what the kernel ran, oldest first; empty: the document's order stands for it
        widen: 0 the smallest sound slice, 1 every possible change kept too, 2 all that ran

    Raises:
        NotFound: there is no such code cell
        Unprocessable: it is empty, is not Python, or needs what a job cannot run
    """
    chosen = next((one for one in cells if one.id == target), None)
    if chosen is None:
        raise NotFound(
            f"The notebook has no code cell {target!r}.",
            hint="Choose a code cell; a Markdown cell cannot be published.",
        )
    _refuse_target(chosen)
    log = log_of(cells, chosen, executions)
    walk = _walked(log, widen)
    if executions and walk.undefined:
        fuller = with_never_run(log, cells, chosen)
        if len(fuller) > len(log):
            again = _walked(fuller, widen)
            if len(again.undefined) < len(walk.undefined):
                walk = again
    _refuse_kept(walk)
    return Slice(
        _steps(walk),
        plans_of(walk, cells, chosen, executions),
        warnings_of(walk, cells, chosen, executions),
        tuple(walk.undefined),
    )


def _walked(log: list[Ran], widen: int) -> Walk:
    walk = Walk(log, widen)
    walk.walk()
    return walk


def _refuse_target(cell: CellSource) -> None:
    analysis = analyse(cell.source)
    if analysis.split.refusals:
        raise Unprocessable(f"{place(cell.index)} cannot be published.", hint=analysis.split.refusals[0])
    if analysis.error:
        raise Unprocessable(
            f"{place(cell.index)} is not Python: {analysis.error} (line {analysis.error_line}).",
            hint="Correct the cell, run it, and publish it then.",
        )
    if not analysis.statements:
        raise Unprocessable(
            f"{place(cell.index)} has no code that a job could run.",
            hint=" ".join([*analysis.split.notices[:1], "Choose a cell that computes something."]),
        )


def _refuse_kept(walk: Walk) -> None:
    for run, ran in enumerate(walk.log):
        refusals = walk.analyses[run].split.refusals
        if refusals and walk.of_run(run) and walk.widen < 2:
            raise Unprocessable(
                f"{place(ran.index)} is needed, and has a line that a job cannot run.", hint=refusals[0]
            )


def _steps(walk: Walk) -> tuple[Step, ...]:
    steps = []
    for run, ran in enumerate(walk.log):
        kept = walk.of_run(run)
        if kept:
            whole = walk.analyses[run]
            python = whole.split.python
            if len(kept) < len(whole.statements):
                python = _only(python, [walk.units[k].statement for k in kept])
                remember_part(whole, python, [walk.units[k].at for k in kept])
            steps.append(Step(ran.cell, ran.index, ran.source, python, ran.target))
    return tuple(steps)


def _only(python: str, statements: list[Statement]) -> str:
    """These statements with the comments right above them; every other line is emptied."""
    lines = python.split("\n")
    wanted: set[int] = set()
    for one in statements:
        first = one.first
        while first > 1 and first - 1 not in wanted and lines[first - 2].lstrip().startswith("#"):
            first -= 1
        wanted.update(range(first, one.last + 1))
    return "\n".join(line if k in wanted else "" for k, line in enumerate(lines, 1))


# ── the fingerprint ─────────────────────────────────────────────────────────────────────────────────────────


def fingerprint(slice: Slice) -> str:
    """Of the code alone: comments, blank lines and formatting do not count; 64 hexadecimal digits."""
    whole = hashlib.sha256()
    for step in slice.steps:
        whole.update(_shape(step.python))
    return whole.hexdigest()


@lru_cache(maxsize=4096)
def _shape(python: str) -> bytes:
    tree = parsed(python)
    return hashlib.sha256(ast.dump(tree).encode() if tree is not None else python.encode()).digest()
