"""Which packages a Python has, and how those of a kernel and of workers differ.

`installed` is shipped to workers that have no Slipway: it imports what it needs itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct


def installed() -> dict[str, str]:
    """Versions by distribution of this very process, with 'python', 'platform' and 'blas' among them."""
    import platform
    import sys
    from importlib.metadata import distributions

    found: dict[str, str] = {}
    for one in distributions():
        name = one.metadata["Name"]
        if name:
            found.setdefault(name.lower().replace("_", "-").replace(".", "-"), one.version)
    found["python"] = platform.python_version()
    found["platform"] = f"{platform.system()} {platform.machine()}"
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None:
        try:
            blas = numpy.show_config(mode="dicts")["Build Dependencies"]["blas"]
            found["blas"] = f"{blas.get('name', '')} {blas.get('version', '')}".strip()
        except (AttributeError, KeyError, TypeError):  # a NumPy that does not tell
            found["blas"] = ""
    return found


class PackageRow(Struct, frozen=True):
    """One distribution that is not the same everywhere."""

    name: str
    kernel: str
    """Its version; '' where it is not installed."""
    workers: str
    """Theirs; several, when they differ among themselves."""
    where: str
    """Who has it: 'all workers', 'scheduler', or the workers that differ."""


class PackageComparison(Struct, frozen=True):
    equal: bool
    words: str
    rows: list[PackageRow]


WEIGHTY = ("python", "platform", "dask", "distributed", "cloudpickle", "msgpack", "numpy", "pandas", "pyarrow", "blas")
"""Differences in these break work rather than change its result: they stand first."""


def compare(kernel: Mapping[str, str], workers: Mapping[str, Mapping[str, str]]) -> PackageComparison:
    """Package by package: one line when all is equal, else the rows that are not.

    Args:
        workers: versions by distribution of 'scheduler' and each worker
    """
    if not workers:
        return PackageComparison(True, "No worker is there to compare with.", [])
    names = set(kernel).union(*workers.values())
    rows = [row for name in names if (row := _row(name, kernel.get(name, ""), workers)) is not None]
    rows.sort(key=lambda row: (WEIGHTY.index(row.name) if row.name in WEIGHTY else len(WEIGHTY), row.name))
    count = sum(name != "scheduler" for name in workers)
    if not rows:
        return PackageComparison(True, f"{len(names)} packages are the same in the kernel and on {count} workers.", [])
    few = ", ".join(row.name for row in rows[:3]) + (", …" if len(rows) > 3 else "")
    return PackageComparison(False, f"{len(rows)} of {len(names)} packages differ: {few}.", rows)


def _row(name: str, kernel: str, workers: Mapping[str, Mapping[str, str]]) -> PackageRow | None:
    theirs = {where: versions.get(name, "") for where, versions in workers.items()}
    if name == "blas" and not (kernel and all(theirs.values())):
        return None  # a process that has not loaded NumPy cannot tell
    differing = {where: version for where, version in theirs.items() if version != kernel}
    if not differing:
        return None
    versions = ", ".join(sorted({version or "none" for version in differing.values()}))
    where = "all workers" if len(differing) == len(theirs) else ", ".join(sorted(differing))
    return PackageRow(name, kernel, versions, where)
