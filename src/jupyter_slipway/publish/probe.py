"""The files of `inside` as one text, for a process in which our package is not installed.

`kernel` sends it into a live kernel; a run executes it by path.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

PACKAGE = "_slipway_inside"
"""Name in `sys.modules` of the process that executes it."""
FOLDER = Path(__file__).with_name("inside")
FILES = (
    "kinds",
    "texts",
    "floats",
    "content",
    "fingerprints",
    "surroundings",
    "opened",
    "observer",
    "distributions",
    "look",
)
"""Each after those that it imports."""
LOADER = """\
import sys, types

def load(package, files):
    parent = sys.modules[package] = types.ModuleType(package)
    parent.__path__ = []
    for name, source in files.items():
        module = sys.modules[f"{package}.{name}"] = types.ModuleType(f"{package}.{name}")
        module.__package__ = package
        exec(compile(source, f"<{package}.{name}>", "exec"), module.__dict__)
        setattr(parent, name, module)
    return parent
"""


@cache
def text() -> str:
    """Python source; executed, it leaves `inside`, the package with its modules, in its namespace."""
    files = {name: (FOLDER / f"{name}.py").read_text("utf-8") for name in FILES}
    return f"{LOADER}\ninside = load({PACKAGE!r}, {files!r})\n"
