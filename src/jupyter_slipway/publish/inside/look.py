"""All that a plan asks of a kernel: what ran, what it holds, what is loaded."""

from __future__ import annotations

import re
import sys
from json import dumps

from .distributions import loaded, python_version
from .fingerprints import report
from .kinds import is_drawing
from .observer import current_shell, history, plain_history

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


def shown_name(names: list[str]) -> str:
    """Under which of a module's outputs the last expression's value stands; '' when under none.

    It is 'result', or 'shown' in a cell that binds a `result` itself, and comes last.
    """
    if names and names[-1] in ("result", "shown"):
        return names[-1]
    return "result" if "result" in names else ""


def values_of(shell: Any, names: list[str], count: int, source: str) -> dict[str, Any]:
    """The values of these names; what the execution `count` showed stands for the name that `shown_name` gives.

    A name that is not there is left out.
    """
    space = shell.user_ns
    found = {name: space[name] for name in names if name in space}
    last = shown_name(names)
    out = space.get("Out")
    if not last or not isinstance(out, dict):
        return found
    count = count or max((one for one in out if isinstance(one, int)), default=0)
    if count in out:
        found[last] = out[count]
    elif source and not re.search(rf"\b{last}\b", source):
        found.pop(last, None)  # another cell's variable of this name; this one showed nothing
    return found


def later(shell: Any, identity: str, source: str) -> tuple[int, set[str]]:
    """The count of a cell's last execution, 0 when it never ran, and the names that later ones changed.

    Whether a drawing was changed is not looked at: it counts as changed by whoever mentions it.
    """
    count = 0
    changed: set[str] = set()
    drawings = {name for name, value in list(shell.user_ns.items()) if is_drawing(value)}
    for record in history(shell):
        if record["cell"] == identity or (not record["cell"] and record["source"].strip() == source.strip()):
            count, changed = record["count"], set()
        else:
            changed.update(record["changed"] or (), record["new"])
            changed.update(drawings.intersection(re.findall(r"\w+", record["source"])))
    if count:
        return count, changed
    counts = [count for count, text in plain_history(shell) if text.strip() == source.strip()]
    return (counts[-1] if counts else 0), set()


def look(names: Iterable[str], cell: str = "", source: str = "", shell: Any = None) -> dict[str, Any]:
    """All that a plan asks of a kernel.

    Args:
        names: whose values to report
        cell: id of the cell whose values they are, and its source; empty: whatever ran last
    """
    names = list(names)
    shell = shell or current_shell()
    count, changed = later(shell, cell, source) if cell else (0, set())
    values = values_of(shell, names, count, source)
    found = report(values)
    out = shell.user_ns.get("Out")
    for name in changed & found.keys():
        if not (name == shown_name(names) and isinstance(out, dict) and count in out):
            found[name]["blind"] = "a later cell changed it"
    if cell and not count:
        found = {}
    return {
        "executions": history(shell),
        "plain": plain_history(shell),
        "report": found,
        "loaded": loaded(),
        "python": python_version(),
        "executable": sys.executable,
    }


def look_as_text(names: Iterable[str], cell: str = "", source: str = "") -> str:
    return dumps(look(names, cell, source), default=str)
