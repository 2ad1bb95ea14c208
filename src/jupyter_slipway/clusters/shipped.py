"""The text of a module that runs in a kernel which may not have Slipway."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

OURS = re.compile(r"^from jupyter_slipway\.clusters\.(\w+) import .*\n", re.MULTILINE)
FUTURE = "from __future__ import annotations\n"


@cache
def shipped(name: str) -> str:
    """Of a module of this package, with those that it imports from this package in place of their imports."""
    pasted: set[str] = set()

    def text(module: str) -> str:
        return OURS.sub(paste, (Path(__file__).parent / f"{module}.py").read_text())

    def paste(found: re.Match[str]) -> str:
        if found[1] in pasted:
            return ""
        pasted.add(found[1])
        return text(found[1]).partition(FUTURE)[2]

    return text(name)
