"""How much one person's clusters may have in all, and how much this machine has for everybody's. Values only."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from jupyter_slipway.clusters import sizes
from jupyter_slipway.clusters.model import Cluster
from jupyter_slipway.errors import Conflict


class Quota(Struct, frozen=True):
    """Zeros: no limit."""

    workers: int = 0
    """Of all running clusters of one person, when all their workers are there."""
    memory: int = 0
    """Bytes, of the same."""
    machine: int = 0
    """Bytes that all clusters on this machine may have together."""


class Beyond(Conflict):
    """It would be more than the quota."""

    code = "quota"


def check(cluster: Cluster, running: Iterable[tuple[Cluster, bool]], quota: Quota, *, here: bool) -> None:
    """Whether `cluster` may run beside those that do.

    Args:
        running: others that run or start, each with whether it is on this machine
        here: whether `cluster` is on this machine

    Raises:
        Beyond: the message names the figures
    """
    others = [(one, on_it) for one, on_it in running if one.name != cluster.name]
    own = [one for one, _ in others if one.owner == cluster.owner]
    workers = sum(one.workers.maximum for one in own)
    if quota.workers and workers + cluster.workers.maximum > quota.workers:
        raise Beyond(
            f"{cluster.name} may have {cluster.workers.maximum} workers; with the {workers} of {cluster.owner}'s other "
            f"clusters that is more than the quota of {quota.workers}.",
            hint=_stop(own),
        )
    memory = sum(map(_memory, own))
    if quota.memory and memory + _memory(cluster) > quota.memory:
        raise Beyond(
            f"{cluster.name} may have {sizes.words(_memory(cluster))} of memory; with the {sizes.words(memory)} of "
            f"{cluster.owner}'s other clusters that is more than the quota of {sizes.words(quota.memory)}.",
            hint=_stop(own),
        )
    beside = [one for one, on_it in others if on_it]
    taken = sum(map(_memory, beside))
    if here and quota.machine and taken + _memory(cluster) > quota.machine:
        raise Beyond(
            f"{cluster.name} may have {sizes.words(_memory(cluster))} of memory; the clusters that run here may have "
            f"{sizes.words(taken)} of this machine's {sizes.words(quota.machine)}.",
            hint=_stop(beside),
        )


def _memory(cluster: Cluster) -> int:
    return cluster.workers.maximum * cluster.memory


def _stop(clusters: list[Cluster]) -> str:
    names = ", ".join(one.name for one in clusters)
    return f"Stop one first ({names}), or take fewer workers or less memory." if names else "Take less."
