"""The text of a module that runs in a kernel which may not have Slipway."""

from __future__ import annotations

from functools import cache
from pathlib import Path

SHARED = "from jupyter_slipway.clusters.in_kernel import follow_cells, when_imported\n"
FUTURE = "from __future__ import annotations\n"


@cache
def shipped(name: str) -> str:
    """Of a module of this package, with `in_kernel` in place of its import."""
    here = Path(__file__).parent
    text, shared = (here / f"{name}.py").read_text(), (here / "in_kernel.py").read_text()
    before, found, after = text.partition(SHARED)
    assert found, f"{name} no longer imports what it shares with the others"
    return f"{before}{shared.partition(FUTURE)[2]}{after}"
