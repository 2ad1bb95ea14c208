"""What each execution of a shell changed: a record of each."""

from __future__ import annotations

import re
import sys
import types
from time import perf_counter

from .content import exactly
from .kinds import module_of_library
from .opened import Files
from .surroundings import ambient, untouched

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SHARE = 0.05
"""Of a cell's own time, spent on looking at what it changed."""
LEAST, MOST = 0.05, 0.2
"""Seconds per cell that are spent at least, when needed, and at most."""
SPECIAL = re.compile(r"_+$|_i+$|_i?\d+$|_[ido]h$")
IMPORTED = {"warnings": "warn", "environ": "environ", "random": "random", "sys.path": "path"}


class Observer:
    """Records of what each execution changed in one shell."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.stock = set(getattr(shell, "user_ns_hidden", ())) | {"In", "Out", "get_ipython", "exit", "quit", "open"}
        self.files = Files()
        self.records: list[dict[str, Any]] = []
        self.running: list[float] = []
        self.seen: dict[str, tuple[int, str]] = {}
        self.known: set[str] = set()
        self.state: dict[str, int] = {}
        self.cost: dict[str, float] = {}
        self.saved = MOST
        self.look("", perf_counter() + MOST)

    def before(self, info: Any = None) -> None:
        self.files.start()
        self.running.append(perf_counter())

    def after(self, result: Any = None) -> None:
        self.files.on = False
        ended = perf_counter()
        if not self.running:  # the execution that installed us: what was before it is unknown
            self.look("", ended + MOST)
            return
        took = ended - self.running.pop()
        info = getattr(result, "info", None)
        source = getattr(info, "raw_cell", None) or ""
        record = {
            "source": source,
            "cell": self.cell(info),
            "count": self.count(result),
            "files_read": sorted(self.files.read),
            "files_written": self.files.kept(),
            "failed": not getattr(result, "success", True),
        }
        try:
            record.update(self.look(source, ended + self.allowance(took)))
        except Exception:  # the user's objects may do anything: then nothing was observed
            record.update(changed=None, same=[], new=[], ambient=[])
            self.seen = {}
        self.saved = max(0.0, self.saved - (perf_counter() - ended))
        self.records.append(record)

    def allowance(self, took: float) -> float:
        """Seconds for this look: the cell's share, and what earlier cells left of theirs."""
        self.saved = min(MOST, self.saved + max(LEAST, SHARE * took))
        return self.saved

    def look(self, source: str, deadline: float) -> dict[str, Any]:
        """What differs from the last look; then this is the last look.

        Names that the source mentions come first, then those that are quickly seen. A name for which no time is
        left is blind in this record; what was known of it is kept, so that a later look can tell that it is the
        same still.
        """
        names = self.names()
        mentioned = set(re.findall(r"\w+", source))
        seen: dict[str, tuple[int, str]] = {}
        changed: list[str] = []
        same: list[str] = []
        for name in sorted(names, key=lambda name: (name not in mentioned, self.cost.get(name, 0.0), name)):
            value = names[name]
            before = self.seen.get(name) if name in self.known else None
            digest, blind = self.digest(name, value, deadline)
            seen[name] = (id(value), "" if blind else digest)
            if before is None:
                continue
            if blind and before[0] == id(value):
                # Without a digest there was no time; with one it is blind by nature.
                seen[name] = before if not digest else seen[name]
            elif blind or not before[1]:
                if before[0] != id(value):
                    changed.append(name)
            else:
                (same if before[1] == digest else changed).append(name)
        new = sorted(names.keys() - self.known)
        state = self.surroundings(source)
        self.seen, self.known = seen, set(names)
        return {"changed": sorted(changed), "same": sorted(same), "new": new, "ambient": state}

    def digest(self, name: str, value: Any, deadline: float) -> tuple[str, bool]:
        """As `exactly`; not begun when the last time took longer than is left."""
        started = perf_counter()
        if started + self.cost.get(name, 0.0) > deadline:
            return "", True
        found = exactly(value, deadline)
        took = perf_counter() - started
        # Given up: it takes longer than that.
        self.cost[name] = took if found[0] else max(2 * took, self.cost.get(name, 0.0))
        return found

    def surroundings(self, source: str) -> list[str]:
        now = ambient()
        before, self.state = self.state, now
        if not before:
            return []
        changed = []
        for name, state in now.items():
            was = before[name] if name in before else untouched(name)
            if was is not None and was != state:
                changed.append(name)
        # Importing a library often adds a warnings filter or a variable: that comes with the import.
        if re.search(r"\bimport\b", source):
            changed = [name for name in changed if name not in IMPORTED or IMPORTED[name] in source]
        return sorted(changed)

    def names(self) -> dict[str, Any]:
        return {
            name: value
            for name, value in list(self.shell.user_ns.items())
            if name not in self.stock
            and not SPECIAL.match(name)
            and not name.startswith("__")
            and not (isinstance(value, types.ModuleType) and module_of_library(value))
        }

    def cell(self, info: Any) -> str:
        identity = getattr(info, "cell_id", None)
        if not identity:
            try:
                parent = self.shell.get_parent() or {}
            except Exception:  # a shell outside a kernel has no parent
                parent = {}
            identity = parent.get("metadata", {}).get("cellId") or parent.get("header", {}).get("cellId")
        return str(identity or "")

    def count(self, result: Any) -> int:
        return int(getattr(result, "execution_count", None) or getattr(self.shell, "execution_count", 0) or 0)


def install(shell: Any) -> None:
    """Observe every execution of this IPython shell from now on; the second time it does nothing."""
    if getattr(shell, "_slipway_observer", None) is not None:
        return
    observer = Observer(shell)
    shell._slipway_observer = observer
    shell.events.register("pre_run_cell", observer.before)
    shell.events.register("post_run_cell", observer.after)


def current_shell() -> Any:
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def history(shell: Any = None) -> list[dict[str, Any]]:
    """The executions observed in a shell, this process's own when none is given, oldest first."""
    observer = getattr(shell or current_shell(), "_slipway_observer", None)
    return list(observer.records) if observer is not None else []


def plain_history(shell: Any = None) -> list[tuple[int, str]]:
    """Count and source of each input that this session's own history holds, oldest first."""
    manager = getattr(shell or current_shell(), "history_manager", None)
    inputs = list(getattr(manager, "input_hist_raw", ()))
    return [(count, str(source)) for count, source in enumerate(inputs) if count and source]
