"""What the runner needs to start a run: made from the job's version by whoever knows the registry."""

from __future__ import annotations

from msgspec import Struct

from jupyter_slipway.publish.model import LineMapping


class Prepared(Struct, frozen=True):
    """A version, its environment built and its digest checked, ready to start."""

    python: str
    """Absolute path of the interpreter."""
    module: str
    """Source text of the module."""
    own_modules: dict[str, str] = {}
    """Relative path -> source text, laid beside the module."""
    types: dict[str, tuple[str, str]] = {}
    """Parameter -> (type, element type)."""
    directory: str = ""
    """Where it runs; empty for the run's own directory."""
    lines: tuple[LineMapping, ...] = ()
    environ: dict[str, str] = {}
    note: str = ""
    """Lines that stand at the beginning of the run's log."""
