"""What becomes of a cluster, given what its backend sees of it, who uses it and what time it is. Values only.

`manager` asks, then acts: it alone talks to backends and to the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct, structs

from jupyter_slipway.clusters.model import Cluster, ClusterState, Status

LIVE = (ClusterState.RUNNING, ClusterState.DRAINING)


class Rules(Struct, frozen=True):
    idle_after: timedelta = timedelta(minutes=20)
    """Without work and without holders for so long, it drains."""
    grace: timedelta = timedelta(seconds=10)
    """So long it drains before it is stopped: time to say 'keep'."""


def seen(cluster: Cluster, status: Status, holders: Sequence[str], now: datetime, rules: Rules) -> Cluster:
    """A cluster that is starting, running or draining, as `status` tells it."""
    if status.state in (ClusterState.STOPPED, ClusterState.FAILED):
        return gone(cluster, status.state, status.reason)
    if status.state is ClusterState.STARTING:
        if cluster.state is ClusterState.STARTING:
            return structs.replace(cluster, waiting=status.waiting, progress=status.progress)
        return structs.replace(cluster, waiting=status.waiting)
    running = cluster
    if cluster.state is ClusterState.STARTING:
        running = cluster.to(ClusterState.RUNNING, started_at=now, idle_since=None, progress=None)
    there = running.live_workers if status.workers is None else status.workers
    since = (running.silent_since or now) if status.silent else None
    running = structs.replace(running, live_workers=there, waiting=status.waiting, silent_since=since)
    return _used(running, bool(status.working or holders), now, rules)


def gone(cluster: Cluster, state: ClusterState, reason: str) -> Cluster:
    """It is no more. Nobody is surprised by one that starts again by itself: it is not wanted any longer."""
    return cluster.to(
        state,
        wanted="stopped",
        reason=reason,
        waiting="",
        progress=None,
        idle_since=None,
        stops_at=None,
        silent_since=None,
        live_workers=0,
        dashboard=False,
    )


def kept(cluster: Cluster, now: datetime) -> Cluster:
    """Somebody said 'keep': idleness is counted from now."""
    state = ClusterState.RUNNING if cluster.state is ClusterState.DRAINING else cluster.state
    return cluster.to(state, idle_since=now, stops_at=None)


def _used(cluster: Cluster, used: bool, now: datetime, rules: Rules) -> Cluster:
    if used:
        return cluster.to(ClusterState.RUNNING, idle_since=None, stops_at=None)
    since = cluster.idle_since or now
    cluster = structs.replace(cluster, idle_since=since)
    if cluster.state is ClusterState.DRAINING:
        if cluster.stops_at is not None and now >= cluster.stops_at:
            minutes = int((now - since).total_seconds() // 60)
            return cluster.to(ClusterState.STOPPING, wanted="stopped", reason=f"it was idle for {minutes} min")
        return cluster
    if now - since >= rules.idle_after:
        return cluster.to(ClusterState.DRAINING, stops_at=now + rules.grace)
    return cluster
