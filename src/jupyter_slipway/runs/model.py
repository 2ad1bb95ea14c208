"""A run is one execution of a version; an attempt is one try of it. Values, and what may follow what.

queued ──► running ──► succeeded
   ▲  │       │  ├───► failed
   │  │       │  └───► cancelled
   │  └───────┼──────► cancelled
   └──────────┘ (another attempt, after its back-off)
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from jupyter_slipway.errors import Conflict, Unprocessable


class RunState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


NEXT: dict[RunState, frozenset[RunState]] = {
    RunState.QUEUED: frozenset({RunState.RUNNING, RunState.CANCELLED}),
    RunState.RUNNING: frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED, RunState.QUEUED}),
    RunState.SUCCEEDED: frozenset(),
    RunState.FAILED: frozenset(),
    RunState.CANCELLED: frozenset(),
}
ENDED = frozenset(state for state, following in NEXT.items() if not following)


class Frame(Struct, frozen=True):
    """One line of the user's own code in a traceback."""

    line: int
    source: str
    function: str = ""
    cell: str = ""
    cell_index: int = -1
    cell_line: int = 0


class RunError(Struct, frozen=True):
    """Why a run failed. `kind` is the exception's name, or 'lost', 'timeout', 'killed', 'digest'."""

    kind: str
    message: str
    frames: tuple[Frame, ...] = ()
    traceback: str = ""


class Policy(Struct, frozen=True):
    """How a run is carried."""

    timeout: float = 3600.0
    """Seconds for one attempt."""
    attempts: int = 1
    """Tries in all."""
    backoff: float = 10.0
    """Seconds before the second try, doubled for each further one."""
    cluster: str = ""
    """Name of the cluster that it computes on; '' for none."""

    def checked(self) -> Policy:
        """This policy, when it can be carried out.

        Raises:
            Unprocessable: it cannot; the message names what
        """
        for name, least, most in (("timeout", 1, 30 * 86400), ("attempts", 1, 20), ("backoff", 0, 86400)):
            value = getattr(self, name)
            if not least <= value <= most:
                raise Unprocessable(f"{name} cannot be {value:g}.", hint=f"Say {least} to {most}.")
        return self


class Run(Struct, frozen=True):
    """What people see of a run."""

    id: str
    job: str
    version: int
    state: RunState
    queued_at: datetime
    parameters: dict[str, Any] = {}
    author: str = ""
    trigger: str = "manual"
    """'manual', 'schedule' or 'retry'."""
    schedule: str | None = None
    due: datetime | None = None
    attempt: int = 0
    policy: Policy = Policy()
    started_at: datetime | None = None
    ended_at: datetime | None = None
    digest: str = ""
    value: Any = None
    """What `main` returned, as JSON; a text when it cannot be."""
    error: RunError | None = None
    progress: float | None = None
    """0 to 1, read from the log's progress lines."""
    progress_text: str = ""
    cpu_seconds: float | None = None
    peak_memory: int | None = None
    """Bytes."""
    duration: float | None = None
    """Seconds of the last attempt."""
    retry_of: str | None = None
    cancelling: bool = False

    def to(self, state: RunState, **changes: Any) -> Run:
        """The run in its next state.

        Raises:
            Conflict: a run in this state cannot go there
        """
        if state not in NEXT[self.state]:
            raise Conflict(f"Run {self.id} is {self.state} and cannot become {state}.")
        return msgspec.structs.replace(self, state=state, **changes)
