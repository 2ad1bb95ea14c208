"""Which packages a Python has, and how those of a kernel and of workers differ.

`installed` is shipped to workers that have no Slipway: it imports what it needs itself.
"""

from __future__ import annotations

import inspect
import subprocess
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct, structs

from jupyter_slipway.clusters import synchronise
from jupyter_slipway.clusters.synchronise import Synchronisation
from jupyter_slipway.decoding import from_json
from jupyter_slipway.errors import Unavailable

ASK_WITHIN = 60.0
"""Seconds."""


def installed() -> dict[str, str]:
    """Versions by distribution of this very process, with 'python', 'platform' and 'blas' among them."""
    import platform
    import sys
    from importlib.metadata import distributions

    found: dict[str, str] = {}
    for one in distributions():
        name = one.metadata["Name"]
        if name:
            # As PEP 610 has it: no index knows what was installed from a folder.
            local = "dir_info" in (one.read_text("direct_url.json") or "")
            version = f"{one.version} from a folder" if local else one.version
            found.setdefault(name.lower().replace("_", "-").replace(".", "-"), version)
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


def installed_in(python: str) -> dict[str, str]:
    """As `installed`, of another Python.

    Args:
        python: path of its program

    Raises:
        Unavailable: it does not tell
    """
    code = f"{inspect.getsource(installed)}\nimport json\nprint(json.dumps(installed()))"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=ASK_WITHIN)
        return from_json(done.stdout, dict[str, str])
    except (OSError, subprocess.TimeoutExpired, msgspec.MsgspecError) as error:
        said = str(error) if isinstance(error, OSError | subprocess.TimeoutExpired) else done.stderr[-300:]
        raise Unavailable(f"{python} does not tell its packages: {said}", hint="Is it a Python?") from error


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
    plan: Synchronisation = Synchronisation([], [], "")
    """What `synchronise` would do."""


WEIGHTY = ("python", "platform", "dask", "distributed", "cloudpickle", "msgpack", "numpy", "pandas", "pyarrow", "blas")
"""Differences in these break work rather than change its result: they stand first."""


Of = Literal["kernel", "run"]


def compare(
    kernel: Mapping[str, str], workers: Mapping[str, Mapping[str, str]], *, fixed: str = "", of: Of = "kernel"
) -> PackageComparison:
    """Package by package: one line when all is equal, else the rows that are not, and what can be done about it.

    Args:
        kernel: versions by distribution of the kernel, or of the run
        workers: those of 'scheduler' and each worker
        fixed: why the cluster's packages cannot be changed; '' when they can
        of: whose they are; what the workers have beyond a run's own environment is nothing to it
    """
    if of == "run":
        workers = {where: {name: its for name, its in one.items() if name in kernel} for where, one in workers.items()}
    compared = _compared(kernel, workers, of)
    return structs.replace(compared, plan=synchronise.plan(kernel, workers, fixed=fixed))


def _compared(kernel: Mapping[str, str], workers: Mapping[str, Mapping[str, str]], of: Of) -> PackageComparison:
    if not workers:
        return PackageComparison(True, "No worker is there to compare with.", [])
    names = set(kernel).union(*workers.values())
    rows = [row for name in names if (row := _row(name, kernel.get(name, ""), workers)) is not None]
    rows.sort(key=lambda row: (WEIGHTY.index(row.name) if row.name in WEIGHTY else len(WEIGHTY), row.name))
    count = sum(name != "scheduler" for name in workers)
    if not rows:
        return PackageComparison(True, f"{len(names)} packages are the same in the {of} and on {_number(count)}.", [])
    few = ", ".join(row.name for row in rows[:3]) + (", …" if len(rows) > 3 else "")
    return PackageComparison(False, f"{len(rows)} of {len(names)} packages differ: {few}.", rows)


def _number(workers: int) -> str:
    return "1 worker" if workers == 1 else f"{workers} workers"


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
