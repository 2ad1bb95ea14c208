"""Which statements a cell needs, and why: walks back from the cell over all that ran before it.

Called by `plan` with the notebook's cells and what the kernel ran; hands its `Slice` to `parameters` and `module`.
Facts of single statements come from `effects`; here they are joined: whose module is `pd`, what does `f` change, which
names share an object.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import lru_cache

from msgspec import Struct

from jupyter_slipway.errors import NotFound, Unprocessable
from jupyter_slipway.publish.calls import BUILTINS, Effect, Names
from jupyter_slipway.publish.effects import analyse, remember_part
from jupyter_slipway.publish.facts import Analysis, Statement
from jupyter_slipway.publish.model import CellPlan, CellSource, Execution, Warn
from jupyter_slipway.publish.plain import parsed


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


# How surely a statement changes a name, strongest first.
BINDS, CERTAIN, LIKELY, POSSIBLE, NEVER = range(5)

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
ANYWHERE = frozenset({"os", "sys", "warnings", "logging", "locale", "IPython"})
IMPLIED = {
    "seaborn": ("matplotlib", "pandas", "numpy"),
    "pandas": ("numpy",),
    "sklearn": ("numpy",),
    "scipy": ("numpy",),
}
PLOTTING = frozenset({"plot", "hist", "boxplot"})
AMBIENT_PACKAGE = {"environ": "os", "cwd": "os", "sys.path": "sys", "matplotlib": "matplotlib", "pandas": "pandas"}
STREAMS = {"random": "@random", "numpy.random": "@numpy.random"}


class _Ran(Struct, frozen=True):
    """One entry of the log: a cell's text, run or yet to be run."""

    cell: str
    index: int
    source: str
    execution: Execution | None
    target: bool = False


# ── the log ─────────────────────────────────────────────────────────────────────────────────────────────────


def _log(cells: Sequence[CellSource], target: CellSource, executions: Sequence[Execution]) -> list[_Ran]:
    """All that ran up to the target, the target last."""
    if not executions:
        return [_Ran(one.id, one.index, one.source, None, one is target) for one in cells if one.index <= target.index]
    index = {one.id: one.index for one in cells}
    last = max((at for at, one in enumerate(executions) if one.cell == target.id), default=-1)
    up_to_date = last >= 0 and executions[last].source.strip() == target.source.strip()
    before = executions[:last] if up_to_date else executions
    log = [_Ran(one.cell, index.get(one.cell, -1), one.source, one) for one in before if not one.failed]
    log.append(_Ran(target.id, target.index, target.source, executions[last] if up_to_date else None, True))
    return log


def _with_never_run(log: list[_Ran], cells: Sequence[CellSource], target: CellSource) -> list[_Ran]:
    """The log with those cells above the target that never ran, each before what stands below it."""
    ran = {one.cell for one in log}
    missing = [one for one in cells if one.index < target.index and one.id not in ran]
    out = list(log)
    for cell in reversed(missing):
        at = next((k for k, one in enumerate(out) if one.index > cell.index or one.target), len(out) - 1)
        out.insert(at, _Ran(cell.id, cell.index, cell.source, None))
    return out


# ── shared objects ──────────────────────────────────────────────────────────────────────────────────────────


class _Sharing:
    """Which names may hold the same object at this point of the log."""

    def __init__(self) -> None:
        self.group: dict[str, set[str]] = {}

    def of(self, name: str) -> set[str]:
        return self.group.get(name) or {name}

    def leave(self, name: str) -> None:
        group = self.group.pop(name, None)
        if group is not None:
            group.discard(name)

    def join(self, names: Iterable[str]) -> None:
        groups = {id(group): group for name in names for group in [self.group.setdefault(name, {name})]}
        if len(groups) > 1:
            largest = max(groups.values(), key=len)
            for group in groups.values():
                if group is not largest:
                    largest |= group
                    for name in group:
                        self.group[name] = largest


# ── the walk ────────────────────────────────────────────────────────────────────────────────────────────────


class _Unit(Struct, frozen=True, gc=False):
    """A statement at its place in the log."""

    run: int
    at: int
    statement: Statement
    reads: frozenset[str]
    config: frozenset[str]


class _Walk:
    """Everything that the last entry of a log needs."""

    def __init__(self, log: list[_Ran], widen: int) -> None:
        self.log, self.widen = log, widen
        self.analyses: list[Analysis] = [analyse(one.source) for one in log]
        self.names = Names(one for each in self.analyses for one in each.statements)
        self.units: list[_Unit] = []
        self.start: list[int] = []
        """Where each entry's units start; one more at the end."""
        self.writes: dict[str, list[tuple[int, int]]] = {}
        """Name -> (unit, how surely), in the log's order."""
        self.observed: set[tuple[int, str]] = set()
        """(unit, name) that changed when it ran, though no text says so."""
        self.kept: dict[int, list[tuple[str, str]]] = {}
        """Unit -> (why, name)."""
        self.undefined: dict[str, int] = {}
        """Name -> the unit that reads it."""
        self._stars: list[int] = []
        self._settings: list[int] = []
        self.done: dict[str, set[int]] = {}
        """Name -> which of its writes were looked at."""
        self._todo: list[tuple[str, int]] = []
        self._sharing = _Sharing()
        for run in range(len(log)):
            self._place(run)
        self.start.append(len(self.units))

    # ── placing statements

    def _place(self, run: int) -> None:
        self.start.append(len(self.units))
        execution = self.log[run].execution
        covered: set[str] = set()
        for at, statement in enumerate(self.analyses[run].statements):
            covered |= self._place_one(run, at, statement, execution)
        if execution is not None and execution.changed is not None:
            self._observe(run, execution, covered)

    def _place_one(self, run: int, at: int, statement: Statement, execution: Execution | None) -> set[str]:
        position = len(self.units)
        effect = self.names.effect(statement.calls, ends=statement.ends)
        self.names.look(statement.attributes, effect)
        self._share(statement)
        levels = self._levels(statement, effect)
        for name, level in levels.items():
            level = _as_seen(name, level, execution, direct=name in effect.certain or name in statement.changes)
            if level != NEVER:
                self.writes.setdefault(name, []).append((position, level))
        reads = statement.reads | (statement.words & self.names.bound) | effect.reads
        config = frozenset(
            effect.config | {self.names.modules[one] for one in _roots(statement.settings) if one in self.names.modules}
        )
        self.units.append(_Unit(run, at, statement, frozenset(reads), config))
        if statement.star or statement.opaque:
            self._stars.append(position)
        if config:
            self._settings.append(position)
        if execution is None or execution.changed is None:
            return set()
        # What reading alone uses up says nothing of who else changed it, and a possible change not much.
        return {name for name, level in self._levels(statement, effect, reading=False).items() if level <= LIKELY}

    def _share(self, statement: Statement) -> None:
        skip = self.names.modules
        for alias in statement.aliases:
            shared = self.names.shared(alias)
            if self.widen:
                shared |= alias.possible
            if alias.name in statement.binds and alias.name not in shared:
                self._sharing.leave(alias.name)
            others = [
                one for one in shared if one not in skip and one not in BUILTINS and one not in self.names.functions
            ]
            if others and alias.name:
                self._sharing.join([alias.name, *others])

    def _levels(self, statement: Statement, effect: Effect, *, reading: bool = True) -> dict[str, int]:
        """How surely each name is changed, names that share its object included."""
        levels: dict[str, int] = {}

        def put(name: str, level: int) -> None:
            if level < levels.get(name, NEVER):
                levels[name] = level

        def spread(names: Iterable[str], level: int, others: int) -> None:
            for name in names:
                if name in self.names.modules and level != CERTAIN:
                    continue
                put(name, level)
                if name not in self.names.modules:
                    for one in self._sharing.of(name):
                        put(one, level if one == name else others)

        spread(statement.changes | effect.certain, CERTAIN, LIKELY)
        if reading:
            spread((one for one in statement.reads if one in self.names.iterators), LIKELY, LIKELY)
        spread(effect.likely, LIKELY, LIKELY)
        spread(effect.possible, POSSIBLE, POSSIBLE)
        for name in (*statement.weak, *effect.binds, *effect.writes):
            put(name, CERTAIN)
        for name in (*statement.binds, *effect.seeds):
            levels[name] = BINDS
        for name in statement.deletes:
            if name in BUILTINS and name not in statement.binds:
                levels[name] = BINDS
            elif name not in statement.binds:
                levels.pop(name, None)
        for name in [one for one in levels if one in BUILTINS and one not in self.names.bound]:
            del levels[name]
        return levels

    def _observe(self, run: int, execution: Execution, covered: set[str]) -> None:
        """What the kernel saw change though the text does not say so: all of the cell did it."""
        unseen = [name for name in (*(execution.changed or ()), *execution.new) if name not in covered]
        unseen += [STREAMS[one] for one in execution.ambient if one in STREAMS and STREAMS[one] not in covered]
        files = {f"@file:{one.rsplit('/', 1)[-1]}" for one in execution.files_written}
        unseen += sorted(files - covered)
        imports = any(one.kind == "import" for one in self.analyses[run].statements)
        packages = {AMBIENT_PACKAGE[one] for one in execution.ambient if one in AMBIENT_PACKAGE}
        configured = {one for unit in self.units[self.start[run] :] for one in unit.config}
        for position in range(self.start[run], len(self.units)):
            unit = self.units[position]
            for name in unseen if unit.statement.kind not in ("import", "def") or unit.statement.calls else ():
                self._mark(name, position)
            new = frozenset() if imports else frozenset(packages - configured)
            reads = (
                {f"@file:{one.rsplit('/', 1)[-1]}" for one in execution.files_read}
                if "@file:*" in unit.reads
                else set()
            )
            reads |= {STREAMS[one] for one in execution.ambient if one in STREAMS and unit.statement.calls}
            if new or reads:
                self.units[position] = _Unit(unit.run, unit.at, unit.statement, unit.reads | reads, unit.config | new)
                if new:
                    self._settings.append(position)

    def _mark(self, name: str, position: int) -> None:
        """The statement changes the name for certain, whatever its text says."""
        writes = self.writes.setdefault(name, [])
        at = bisect_left(writes, (position, 0))
        if at < len(writes) and writes[at][0] == position:
            writes[at] = (position, min(writes[at][1], CERTAIN))
        else:
            writes.insert(at, (position, CERTAIN))
        self.observed.add((position, name))

    # ── walking back

    def walk(self) -> None:
        """Fills `kept`, from the last entry of the log backwards."""
        everything = self.widen >= 2
        for position in range(0 if everything else self.start[-2], len(self.units)):
            self.keep(position, "target" if position >= self.start[-2] else "all", "")
        while self._todo:
            while self._todo:
                name, at = self._todo.pop()
                self._need(name, at)
            self._keep_settings()

    def keep(self, position: int, why: str, name: str) -> None:
        reasons = self.kept.setdefault(position, [])
        if (why, name) not in reasons and len(reasons) < 20:
            reasons.append((why, name))
        if len(reasons) > 1:
            return
        unit = self.units[position]
        end = self.start[-1]
        for one in unit.reads:
            if one == "@file:*" and not self.widen:
                continue
            self._todo.append((one, position))
            for late in self.names.late(one):
                self._todo.append((late, position))
                if one in unit.statement.escapes or self.widen or self.names.is_class(one):
                    self._todo.append((late, end))
            if self.names.is_class(one):
                self._need_later(one, position)
            for late in self.names.held(one):
                self._todo += [(late, position), (late, end)]
        for call in unit.statement.calls:
            for method in self.names.methods.get(call.name, ()) if call.owner else ():
                self._todo += [(one, position) for one in method.reads]
        for _, attribute in unit.statement.attributes if self.names.properties else ():
            if attribute in self.names.properties:
                self._todo += [(one, position) for method in self.names.methods[attribute] for one in method.reads]
        self._keep_line(position, unit)

    def _keep_line(self, position: int, unit: _Unit) -> None:
        """Statements on one line stay together."""
        for other in (position - 1, position + 1):
            if 0 <= other < len(self.units) and self.units[other].run == unit.run and other not in self.kept:
                statement = self.units[other].statement
                if statement.first <= unit.statement.last and statement.last >= unit.statement.first:
                    self.keep(other, "line", "")

    def _need(self, name: str, at: int) -> None:
        if name[:1] == "@":
            self._need_stream(name, at)
            return
        writes = self.writes.get(name, [])
        done = self.done.setdefault(name, set())
        found = False
        for k in range(bisect_left(writes, (at, 0)) - 1, -1, -1):
            if k in done:
                return
            done.add(k)
            position, level = writes[k]
            if level <= LIKELY or self.widen:
                self.keep(position, self._why(position, name, level), name)
                found = found or level == BINDS or self._binds(position, name)
            if level == BINDS:
                return
        if not found and name not in BUILTINS:
            self._seek(name, at)

    def _need_later(self, name: str, at: int) -> None:
        """What changes a class after `at`, its instances see: up to where the name is bound anew."""
        writes = self.writes.get(name, [])
        for position, level in writes[bisect_left(writes, (at + 1, 0)) :]:
            if level == BINDS:
                return
            if level <= CERTAIN:
                self.keep(position, self._why(position, name, level), name)

    def _need_stream(self, name: str, at: int) -> None:
        """Random streams count only from a seed on; files whenever they are written."""
        writes = self.writes.get(name, [])
        upto = bisect_left(writes, (at, 0))
        if not name.startswith("@file:") and all(level != BINDS for _, level in writes[:upto]):
            return
        done = self.done.setdefault(name, set())
        for k in range(upto - 1, -1, -1):
            if k in done:
                return
            done.add(k)
            position, level = writes[k]
            why = "file" if name.startswith("@file:") else "seed" if level == BINDS else "draw"
            self.keep(position, why, name.removeprefix("@file:").strip("<>"))
            if level == BINDS:
                return

    def _binds(self, position: int, name: str) -> bool:
        statement = self.units[position].statement
        return name in statement.weak or (position, name) in self.observed or name not in statement.reads

    def _why(self, position: int, name: str, level: int) -> str:
        if (position, name) in self.observed:
            return "observed"
        if self.units[position].statement.kind == "import":
            return "import"
        if level == BINDS or name in self.units[position].statement.weak:
            return "bind"
        execution = self.log[self.units[position].run].execution
        if execution is not None and execution.changed is not None and name in execution.changed:
            return "observed"
        return "change" if level == CERTAIN else "may"

    def _seek(self, name: str, at: int) -> None:
        """A name that nothing visible binds: perhaps a star import or exec does."""
        hidden = [one for one in self._stars if one < at]
        for position in hidden:
            self.keep(position, "star" if self.units[position].statement.star else "exec", name)
        if not hidden:
            self.undefined.setdefault(name, min(at, len(self.units) - 1))

    def _keep_settings(self) -> None:
        waiting = [one for one in self._settings if one not in self.kept]
        if not waiting:
            return
        used = {one.module.lstrip(".").split(".")[0] for k in self.kept for one in self.units[k].statement.imports}
        used |= {one for package in list(used) for one in IMPLIED.get(package, ())}
        if any(attribute in PLOTTING for k in self.kept for _, attribute in self.units[k].statement.attributes):
            used.add("matplotlib")
        if "matplotlib" in used:
            used.add("seaborn")  # its themes are matplotlib's settings
        if used - sys.stdlib_module_names or any("@file:*" in self.units[k].reads for k in self.kept):
            used |= ANYWHERE
        for position in waiting:
            touched = self.units[position].config & used
            if touched:
                self.keep(position, "config", min(touched))

    def of_run(self, run: int) -> list[int]:
        """The kept units of one entry, in order."""
        return [k for k in range(self.start[run], self.start[run + 1]) if k in self.kept]


def _as_seen(name: str, level: int, execution: Execution | None, *, direct: bool) -> int:
    """What the kernel saw decides what the text leaves open; what the text is certain of stays."""
    if (
        execution is None
        or execution.changed is None
        or (level <= CERTAIN and (direct or level == BINDS))
        or name[:1] == "@"
    ):
        return level
    if name in execution.changed:
        return min(level, CERTAIN)
    if name in execution.same and level >= LIKELY:
        return NEVER
    return min(level, LIKELY)


def _roots(paths: Iterable[str]) -> set[str]:
    return {one.split(".")[0].removesuffix("()") for one in paths}


# ── in words ────────────────────────────────────────────────────────────────────────────────────────────────

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


# ── the door ────────────────────────────────────────────────────────────────────────────────────────────────


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
    log = _log(cells, chosen, executions)
    walk = _walked(log, widen)
    if executions and walk.undefined:
        fuller = _with_never_run(log, cells, chosen)
        if len(fuller) > len(log):
            again = _walked(fuller, widen)
            if len(again.undefined) < len(walk.undefined):
                walk = again
    _refuse_kept(walk)
    return Slice(
        _steps(walk),
        _plans(walk, cells, chosen, executions),
        _warnings(walk, cells, chosen, executions),
        tuple(walk.undefined),
    )


def _walked(log: list[_Ran], widen: int) -> _Walk:
    walk = _Walk(log, widen)
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


def _refuse_kept(walk: _Walk) -> None:
    for run, ran in enumerate(walk.log):
        refusals = walk.analyses[run].split.refusals
        if refusals and walk.of_run(run) and walk.widen < 2:
            raise Unprocessable(
                f"{place(ran.index)} is needed, and has a line that a job cannot run.", hint=refusals[0]
            )


def _steps(walk: _Walk) -> tuple[Step, ...]:
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


def _plans(
    walk: _Walk, cells: Sequence[CellSource], target: CellSource, executions: Sequence[Execution]
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


def _warnings(
    walk: _Walk, cells: Sequence[CellSource], target: CellSource, executions: Sequence[Execution]
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
    walk: _Walk, runs: list[int], cells: Sequence[CellSource], target: CellSource, executions: Sequence[Execution]
) -> list[Warn]:
    found: list[Warn] = []
    text = {one.id: one.source for one in cells}
    last = {one.cell: one for one in executions}
    if not executions:
        message = "No kernel said what ran: the notebook's order is taken for it."
        found.append(Warn("not_observed", message))
    elif all(one.changed is None for one in executions):
        message = "The kernel did not watch what its cells changed: their text alone is taken for it."
        found.append(Warn("not_observed", message))
    if executions and target.id not in last:
        found.append(Warn("never_ran", f"{place(target.index)} has not run in this kernel.", target.id))
    elif executions and last[target.id].failed:
        found.append(Warn("never_ran", f"{place(target.index)} failed when it last ran.", target.id))
    if target.id in last and last[target.id].source.strip() != target.source.strip():
        message = f"{place(target.index)} was edited since it ran: the job takes it as it stands now."
        found.append(Warn("edited", message, target.id))
    for run in runs:
        ran = walk.log[run]
        if ran.target:
            continue
        if executions and ran.execution is None:
            found.append(Warn("never_ran", f"{place(ran.index)} is needed, and has not run in this kernel.", ran.cell))
        elif ran.index < 0:
            message = "Code is needed that ran in the kernel and is no longer in the notebook: the job keeps it."
            found.append(Warn("deleted", message, ran.cell))
        elif ran.execution is not None and ran.source.strip() != text[ran.cell].strip():
            message = f"{place(ran.index)} was edited after it ran: the job takes what ran."
            found.append(Warn("edited", message, ran.cell))
    needed = {name for run in runs for k in walk.of_run(run) for name in walk.units[k].reads}
    for one in executions:
        touched = needed & {*(one.changed or ()), *one.new} if one.failed and one.cell != target.id else set()
        if touched:
            message = f"A cell that failed had changed `{min(touched)}` before: the job leaves that out."
            found.append(Warn("unknown_mutation", message, one.cell))
    return found


def _about_code(walk: _Walk, runs: list[int]) -> list[Warn]:
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


def _about_chance(walk: _Walk) -> list[Warn]:
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


def _about_doubt(walk: _Walk) -> list[Warn]:
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
