"""What would be installed on a cluster's workers for them to have a kernel's packages, and what cannot be.

Values only: shown to a person before anything is done, and done exactly so.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from msgspec import Struct

SCHEDULERS = ("dask", "distributed", "cloudpickle", "msgpack", "tornado", "toolz", "locket", "zict", "tblib", "lz4")
"""Spoken between scheduler and workers, and loaded before anything could be put in front of them."""
LOADED = ("pyyaml", "psutil", "click", "jinja2", "markupsafe", "urllib3", "sortedcontainers", "packaging", "partd")
"""Loaded by a worker before its first task."""
NAMED, VERSIONED = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?", re.I), re.compile(r"[0-9a-z.!+_-]+", re.I)
FOLDER = "from a folder"
"""Ends the version of a distribution that no index has."""


class Refusal(Struct, frozen=True):
    name: str
    why: str


class Synchronisation(Struct, frozen=True):
    install: list[str]
    """Requirements, each with its version: 'pandas==2.2.3'."""
    refused: list[Refusal]
    words: str
    """What happens, or why nothing can."""
    digest: str = ""
    """Of what is shown here; '' when there is nothing to do."""


def plan(kernel: Mapping[str, str], workers: Mapping[str, Mapping[str, str]], *, fixed: str = "") -> Synchronisation:
    """
    Args:
        workers: versions by distribution of 'scheduler' and each worker
        fixed: why the cluster's packages cannot be changed at all; '' when they can
    """
    theirs = {name: versions for name, versions in workers.items() if name != "scheduler"}
    differing = {
        name: version
        for name, version in sorted(kernel.items())
        if name not in ("python", "platform", "blas") and any(one.get(name) != version for one in theirs.values())
    }
    if fixed or not theirs or not differing:
        return Synchronisation([], [], fixed or "The workers have all that the kernel has.")
    if why := _unlike(kernel, theirs):
        return Synchronisation([], [], why)
    refused = [Refusal(name, why) for name, version in differing.items() if (why := _why_not(name, version))]
    names = {one.name for one in refused}
    install = [f"{name}=={version}" for name, version in differing.items() if name not in names]
    if not install:
        return Synchronisation([], refused, "Nothing of what differs can be installed on the workers.")
    count = len(theirs)
    words = (
        f"{_number(len(install), 'package')} put into a folder of this cluster on the workers' machines, in front of "
        f"what they have; their own environment stays as it is. Then {_number(count, 'worker')} restarted: what "
        "lies in their memory is computed anew, and tasks that run begin again. It holds until the cluster stops."
    )
    return Synchronisation(install, refused, words, hashlib.sha256("\n".join(install).encode()).hexdigest()[:16])


def _unlike(kernel: Mapping[str, str], workers: Mapping[str, Mapping[str, str]]) -> str:
    """Why no package of the kernel fits the workers."""
    for name, mine in (("python", _minor(kernel.get("python", ""))), ("platform", kernel.get("platform", ""))):
        for one in workers.values():
            other = _minor(one.get(name, "")) if name == "python" else one.get(name, "")
            if other != mine:
                what = f"Python {mine}" if name == "python" else mine
                than = f"Python {other}" if name == "python" else other
                return (
                    f"The kernel runs on {what}, the workers on {than}: packages of the one do not fit the other. "
                    "Use a kernel, or make a cluster, with the same."
                )
    return ""


def _why_not(name: str, version: str) -> str:
    if not NAMED.fullmatch(name) or not VERSIONED.fullmatch(version.removesuffix(FOLDER).strip()):
        return "that is not a package's name and version"  # and could be an option of pip's
    if version.endswith(FOLDER):
        return "it is installed from a folder of the kernel's machine: publish it to an index, or install it there"
    if "+" in version:
        return f"no index has the local version {version}"
    if name in SCHEDULERS:
        return "scheduler and workers speak by it: the kernel should have the cluster's, not the workers the kernel's"
    if name in LOADED:
        return "a worker has loaded it before anything could be put in front of it"
    return ""


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _number(count: int, what: str) -> str:
    return f"1 {what} is" if count == 1 else f"{count} {what}s are"
