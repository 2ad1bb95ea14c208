"""Beside which worker a kernel is started, by what it wants and what they have.

Called in the cluster's host, with what its scheduler says of the workers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from jupyter_slipway.clusters import sizes
from jupyter_slipway.errors import Unavailable, Unprocessable


class Wanted(Struct, frozen=True):
    """What a kernel needs of the host that it is started on."""

    memory: int = 0
    """Bytes that its worker shall not be using; 0: any."""
    gpus: int = 0


class Spot(Struct, frozen=True):
    """A worker, and what is free beside it."""

    name: str
    """As people know the worker."""
    nanny: str
    """The address of the process that keeps the worker; '': none does."""
    memory: int
    """Bytes of its limit that it does not use; 0: it has no limit."""
    gpus: int
    kernels: int = 0
    """Already beside it."""


def choose(spots: Sequence[Spot], wanted: Wanted) -> Spot:
    """The one with the fewest kernels beside it, then with the most memory free.

    Raises:
        Unavailable: no worker is there
        Unprocessable: none of them has what is wanted; the message says what they have
    """
    if not spots:
        raise Unavailable("No worker is there to start a kernel beside.", hint="Scale the cluster, or wait for one.")
    kept = [one for one in spots if one.nanny]
    if not kept:
        raise Unprocessable(
            "No worker has a nanny, the process that could start a kernel beside it.",
            hint="Start workers without --no-nanny, or attach a local kernel to the cluster.",
        )
    able = [one for one in kept if one.gpus >= wanted.gpus]
    if not able:
        raise Unprocessable(
            f"No worker has {wanted.gpus} GPU free: the most that one has is {max(one.gpus for one in kept)}.",
            hint="Workers say what they have with `dask worker --resources GPU=1`.",
        )
    roomy = [one for one in able if not one.memory or one.memory >= wanted.memory]
    if not roomy:
        most = max(one.memory for one in able)
        raise Unprocessable(
            f"No worker has {sizes.words(wanted.memory)} free: the most that one has is {sizes.words(most)}.",
            hint="Wait until less lies in the workers' memory, or take a cluster with larger workers.",
        )
    return min(roomy, key=lambda one: (one.kernels, -one.memory, one.name))


def spots(workers: Iterable[Mapping[str, Any]], beside: Sequence[tuple[str, int]]) -> list[Spot]:
    """
    Args:
        workers: as `scheduler.workers` has them
        beside: nanny and GPUs of each kernel that was started and lives
    """
    found = []
    for one in workers:
        taken = [gpus for nanny, gpus in beside if nanny == one["nanny"]]
        free = max(one["limit"] - one["used"], 1) if one["limit"] else 0
        found.append(Spot(one["name"], one["nanny"], free, one["gpus"] - sum(taken), len(taken)))
    return found
