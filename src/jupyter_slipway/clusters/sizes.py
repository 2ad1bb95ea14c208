"""Sizes as people write them, '4 GiB'; what this machine has; the form fields that backends with workers share."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from jupyter_slipway.errors import Unprocessable

UNITS = {"B": 1, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40, "KB": 10**3, "MB": 10**6, "GB": 10**9}
UNITS |= {"TB": 10**12}
PATTERN = r"^\s*[0-9]+(\.[0-9]+)?\s*([kKmMgGtT]i?)?[bB]\s*$"
"""As JSON Schema and browsers read it."""
SMALLEST = 256 * 2**20
"""Bytes below which a worker does not even come up."""

WORKERS: dict[str, Any] = {
    "type": "object",
    "title": "Workers",
    "description": "The same twice for a fixed number; else the cluster grows and shrinks with the work.",
    "properties": {
        "minimum": {"type": "integer", "title": "At least", "minimum": 0, "default": 1},
        "maximum": {"type": "integer", "title": "At most", "minimum": 1, "default": 2},
    },
    "required": ["minimum", "maximum"],
    "additionalProperties": False,
}
CORES: dict[str, Any] = {"type": "integer", "title": "Cores of a worker", "minimum": 1, "default": 1}
MEMORY: dict[str, Any] = {
    "type": "string",
    "title": "Memory of a worker",
    "description": "Such as '4 GiB'.",
    "pattern": PATTERN,
    "default": "1 GiB",
}


def parse(text: str, field: str = "memory") -> int:
    """'4 GiB' in bytes.

    Raises:
        Unprocessable: it is no size; the message names `field`
    """
    found = re.match(r"^\s*([0-9]+(?:\.[0-9]+)?)\s*([kKmMgGtT]?i?[bB])\s*$", text)
    if found is None:
        raise Unprocessable(f"{field}: {text!r} is not a size.", hint="Say a number with its unit, such as '4 GiB'.")
    return int(float(found[1]) * UNITS[found[2].upper()])


def words(count: int) -> str:
    """Bytes as '4 GiB', '1.5 GiB', '512 MiB'."""
    for name in ("TiB", "GiB", "MiB", "KiB"):
        unit = UNITS[name.upper()]
        if count >= unit:
            return f"{count / unit:.1f}".removesuffix(".0") + f" {name}"
    return f"{count} B"


def machine_memory() -> int:
    """Bytes that processes on this machine can have: of its container, when that has fewer."""
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            with open(path) as file:
                return min(installed, int(file.read()))
        except (OSError, ValueError):  # no such file; or 'max', which is no number
            continue
    return installed


def machine_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine_gpus() -> int:
    """NVIDIA's that processes on this machine can have."""
    return len([path for path in Path("/dev").glob("nvidia[0-9]*") if path.name.removeprefix("nvidia").isdigit()])
