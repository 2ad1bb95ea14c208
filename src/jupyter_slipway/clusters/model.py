"""A cluster as values, and what may follow what in its life.

stopped ──► starting ──► running ◄──► draining ──► stopping ──► stopped
               │            │            │            │
               └────────────┴──► failed ◄┴────────────┘

One that is found gone (the machine was started anew) becomes stopped from wherever it was.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from msgspec import Struct, structs

from jupyter_slipway.errors import Conflict


class ClusterState(StrEnum):
    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"
    """Idle: it stops soon unless somebody uses it or says 'keep'."""
    STOPPING = "stopping"
    FAILED = "failed"


NEXT = {
    ClusterState.STOPPED: frozenset({ClusterState.STARTING}),
    ClusterState.STARTING: frozenset(
        {ClusterState.RUNNING, ClusterState.STOPPING, ClusterState.FAILED, ClusterState.STOPPED}
    ),
    ClusterState.RUNNING: frozenset(
        {ClusterState.DRAINING, ClusterState.STOPPING, ClusterState.FAILED, ClusterState.STOPPED}
    ),
    ClusterState.DRAINING: frozenset(
        {ClusterState.RUNNING, ClusterState.STOPPING, ClusterState.FAILED, ClusterState.STOPPED}
    ),
    ClusterState.STOPPING: frozenset({ClusterState.STOPPED, ClusterState.FAILED}),
    ClusterState.FAILED: frozenset({ClusterState.STARTING, ClusterState.STOPPING, ClusterState.STOPPED}),
}


class Workers(Struct, frozen=True):
    """How many workers: fixed when both are equal, else between the two, as the work asks."""

    minimum: int
    maximum: int


class Cluster(Struct, frozen=True):
    name: str
    owner: str
    backend: str
    """'dask-local', 'spark-local' …: see `backends`."""
    engine: Literal["dask", "spark"]
    profile: str
    """The profile's name."""
    options: dict[str, Any]
    """What the profile's form was filled with; holds no secret."""
    workers: Workers
    """Wanted."""
    cores: int
    """Of one worker."""
    memory: int
    """Bytes of one worker."""
    state: ClusterState
    wanted: Literal["running", "stopped"]
    created_at: datetime
    waiting: str = ""
    """What is being waited for while it starts, or stops."""
    progress: float | None = None
    """From 0 to 1, while it starts."""
    reason: str = ""
    """Why it failed, or who or what stopped it."""
    started_at: datetime | None = None
    idle_since: datetime | None = None
    stops_at: datetime | None = None
    """When an idle cluster is stopped; set while it drains."""
    silent_since: datetime | None = None
    """When it stopped answering, of one that lives; None while it answers."""
    price: float = 0.0
    """A worker's hour, in `currency`."""
    currency: str = ""
    cost: float = 0.0
    """So far, since it was created."""
    live_workers: int = 0
    holders: int = 0
    """Kernels and runs that hold a lease."""
    dashboard: bool = False
    """Whether it has one that can be opened."""

    def to(self, state: ClusterState, **changes: Any) -> Cluster:
        """
        Raises:
            Conflict: a cluster in its state does not become that; the message names both
        """
        if state != self.state and state not in NEXT[self.state]:
            raise Conflict(f"{self.name} is {self.state}: it cannot become {state}.", hint="Look at it again.")
        return structs.replace(self, state=state, **changes)


class Lease(Struct, frozen=True):
    """That a kernel or a run uses a cluster; one that nobody renews runs out."""

    cluster: str
    holder: str
    """The kernel's or the run's id."""
    kind: Literal["kernel", "run", "proof"]
    person: str
    renewed_at: datetime


class Figures(Struct, frozen=True):
    """What a cluster does just now."""

    workers: int = 0
    cores: int = 0
    cpu: float = 0.0
    """Share of all cores that is busy, 0 to 1."""
    memory: int = 0
    """Bytes in use by all workers."""
    memory_limit: int = 0
    """Bytes; 0: none is known."""
    tasks: int = 0
    """Not yet done."""
    processing: int = 0
    done: int = 0
    """Since it started."""


class Progress(Struct, frozen=True):
    """How far the work of one cell, run or person has come."""

    done: int
    total: int
    stage: str = ""
    """What runs, in the engine's words: a task's prefix, a Spark stage."""
    failed: int = 0


class Attachment(Struct, frozen=True):
    """How a process uses a cluster without naming an address in its code."""

    environ: dict[str, str]
    """Set before user code runs. Paths of certificates, never their content."""
    code: str = ""
    """Python that gives the kernel its lazy `client` or `spark`; imports nothing heavy when it runs."""
    names: tuple[str, ...] = ()
    """What it gives: 'client' or 'spark'."""


class Status(Struct, frozen=True):
    """What a backend sees of one of its clusters."""

    state: ClusterState
    """Only starting, running, stopped, failed."""
    waiting: str = ""
    progress: float | None = None
    reason: str = ""
    workers: int | None = 0
    """None: nothing is known of them just now."""
    silent: bool = False
    """It lives, and does not answer."""
    working: bool = False
    """Whether tasks are under way: an idle stop looks at this."""
