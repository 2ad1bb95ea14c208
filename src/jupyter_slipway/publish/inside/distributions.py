"""Which installed distributions stand behind modules, and what those need."""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress

from .kinds import STDLIB

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

HOLDERS: dict[str, list[str]] = {}
"""Import name -> distributions that hold it. Read once, and again when a module is in none of them."""
PLACES: dict[str, str] = {}
"""Canonical name of a distribution -> its folder of metadata."""
DESCRIBED: dict[str, dict[str, Any]] = {}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def loaded() -> list[dict[str, Any]]:
    """The distributions behind `sys.modules`, and what they cannot do without: see `installed`."""
    return installed({name.partition(".")[0] for name in list(sys.modules)} - {"__main__", "__mp_main__"})


def installed(imports: Iterable[str]) -> list[dict[str, Any]]:
    """The distributions that hold these top-level modules, and what they cannot do without.

    Each with `name`, `version`, `imports` (which of these modules it holds), `requires` (canonical names of what
    it needs), `optional` (of what it can use) and `loaded` (False: only needed by another).
    """
    tops = set(imports) - STDLIB
    holders = distributions_of(tops)
    held: dict[str, list[str]] = {}
    for top in sorted(tops):
        for name in sorted({canonical(one) for one in holders.get(top, ())}):
            held.setdefault(name, []).append(top)
    found: dict[str, dict[str, Any]] = {}
    waiting = list(held)
    while waiting:
        name = waiting.pop()
        one = None if name in found else distribution(name)
        if one is not None:
            found[name] = {**one, "imports": held.get(name, []), "loaded": name in held}
            waiting += one["requires"]
    return [found[name] for name in sorted(found)]


def distributions_of(tops: set[str]) -> dict[str, list[str]]:
    if not tops <= HOLDERS.keys():
        for memory in (HOLDERS, PLACES, DESCRIBED):
            memory.clear()
        for directory in list(sys.path):
            with suppress(OSError):
                for entry in os.scandir(directory or "."):
                    if entry.name.endswith((".dist-info", ".egg-info")):
                        note_holder(entry.path, entry.name)
        for top in tops:
            HOLDERS.setdefault(top, [])
    return HOLDERS


def note_holder(path: str, name: str) -> None:
    """Enter the top-level modules of one installed distribution.

    `importlib.metadata.packages_distributions` tells the same in 200 to 500 ms where this takes 30: it makes
    an object of each of a hundred thousand files.
    """
    distribution = re.split(r"-\d|\.(?:dist|egg)-info$", name)[0]
    PLACES.setdefault(canonical(distribution), path)
    tops = {distribution.replace("-", "_")}
    for file, pattern in (("top_level.txt", r"^([^/\s]+)\s*$"), ("RECORD", r"^([^/,\n]+)[/,]")):
        try:
            with open(os.path.join(path, file), encoding="utf-8") as lines:
                found = set(re.findall(pattern, lines.read(), re.MULTILINE))
        except (OSError, ValueError):
            continue
        tops |= {one.partition(".")[0] for one in found if not one.endswith((".dist-info", ".pth", ".data"))}
        break
    for top in tops:
        HOLDERS.setdefault(top, []).append(distribution)


def distribution(name: str) -> dict[str, Any] | None:
    """What is installed under this canonical name; None when nothing is, or when it cannot be read."""
    if name not in DESCRIBED and name in PLACES:
        head = ""
        for file in ("METADATA", "PKG-INFO"):
            with suppress(OSError, ValueError), open(os.path.join(PLACES[name], file), encoding="utf-8") as lines:
                head = lines.read().partition("\n\n")[0]
                break
        fields = dict(re.findall(r"^(Name|Version): *(\S+)", head, re.MULTILINE))
        if len(fields) == 2:
            requires, optional = needs(re.findall(r"^Requires-Dist: *(.+)", head, re.MULTILINE))
            DESCRIBED[name] = {
                "name": fields["Name"],
                "version": fields["Version"],
                "requires": requires,
                "optional": optional,
            }
    return DESCRIBED.get(name)


def needs(requirements: Iterable[str]) -> tuple[list[str], list[str]]:
    """Canonical names of what is needed, and of what belongs to an extra."""
    requires: list[str] = []
    optional: list[str] = []
    for requirement in requirements:
        match = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", requirement)
        if match:
            kept = optional if re.search(r"\bextra\s*==", requirement) else requires
            kept.append(canonical(match.group(1)))
    return sorted(set(requires)), sorted(set(optional))


def python_version() -> str:
    return ".".join(map(str, sys.version_info[:3]))
