"""Walks back from a cell over all that ran before it: which statements it needs.

Called by `slice`. Facts of single statements come from `effects`; here they are joined: whose module is `pd`, what does
`f` change, which names share an object.
"""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Iterable, Sequence

from msgspec import Struct

from jupyter_slipway.publish.calls import BUILTINS, Effect, Names
from jupyter_slipway.publish.effects import analyse
from jupyter_slipway.publish.facts import Analysis, Statement
from jupyter_slipway.publish.model import CellSource, Execution

# How surely a statement changes a name, strongest first.
BINDS, CERTAIN, LIKELY, POSSIBLE, NEVER = range(5)

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


class Ran(Struct, frozen=True):
    """One entry of the log: a cell's text, run or yet to be run."""

    cell: str
    index: int
    source: str
    execution: Execution | None
    target: bool = False


# ── the log ─────────────────────────────────────────────────────────────────────────────────────────────────


def log_of(cells: Sequence[CellSource], target: CellSource, executions: Sequence[Execution]) -> list[Ran]:
    """All that ran up to the target, the target last."""
    if not executions:
        return [Ran(one.id, one.index, one.source, None, one is target) for one in cells if one.index <= target.index]
    index = {one.id: one.index for one in cells}
    last = max((at for at, one in enumerate(executions) if one.cell == target.id), default=-1)
    up_to_date = last >= 0 and executions[last].source.strip() == target.source.strip()
    before = executions[:last] if up_to_date else executions
    log = [Ran(one.cell, index.get(one.cell, -1), one.source, one) for one in before if not one.failed]
    log.append(Ran(target.id, target.index, target.source, executions[last] if up_to_date else None, True))
    return log


def with_never_run(log: list[Ran], cells: Sequence[CellSource], target: CellSource) -> list[Ran]:
    """The log with those cells above the target that never ran, each before what stands below it."""
    ran = {one.cell for one in log}
    missing = [one for one in cells if one.index < target.index and one.id not in ran]
    out = list(log)
    for cell in reversed(missing):
        at = next((k for k, one in enumerate(out) if one.index > cell.index or one.target), len(out) - 1)
        out.insert(at, Ran(cell.id, cell.index, cell.source, None))
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


class Walk:
    """Everything that the last entry of a log needs."""

    def __init__(self, log: list[Ran], widen: int) -> None:
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
