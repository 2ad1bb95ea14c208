"""Kernels and their executions as values; what the REST API answers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from msgspec import Struct

LONGEST_SOURCE = 16 << 20
"""Bytes of code that a cell may have: Python reads a megabyte in about ten seconds, and everybody's cells wait."""


def too_long(size: int) -> str:
    """Why code of `size` bytes is not run; '' when it is."""
    if size <= LONGEST_SOURCE:
        return ""
    return (
        f"A cell of {size >> 20} MB is too long: {LONGEST_SOURCE >> 20} MB at most, as all would wait while the kernel "
        "reads it. Put the data into a file and read that."
    )


class ExecutionStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    OK = "ok"
    ERROR = "error"
    ABORTED = "aborted"
    """Never begun, or ended with its kernel."""


class Execution(Struct, frozen=True):
    """One request to run code."""

    id: str
    """The request's msg_id: parent of all that it says."""
    kernel: str
    person: str
    cell: str
    """The cell's id; '' when it came from no cell."""
    code: str
    status: ExecutionStatus
    queued_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    count: int | None = None
    """The number in the cell's prompt."""
    generation: int = 1
    """Which start of the kernel it ran in: counts begin anew with each."""
    first: int = 0
    """Where in the kernel's journal it begins."""
    last: int = 0
    """Where it ends; 0: not yet."""
    reason: str = ""
    """Why it was aborted."""


class ExecutionPage(Struct, frozen=True):
    """Newest first."""

    items: tuple[Execution, ...]
    next: int | None = None
    """Ask again `before` this; None: there are no older ones."""


class Asked(Struct, frozen=True):
    """What a running cell asks of its person."""

    prompt: str
    password: bool


class Waiting(Struct, frozen=True):
    """A turn in the queue."""

    execution: str
    position: int
    """0 runs; 1 is next."""
    person: str
    cell: str
    line: str
    """The first line of its code."""
    queued_at: datetime
    started_at: datetime | None = None
    estimate: float | None = None
    """Seconds that it takes, by its last runs; None: it never ran."""
    wait: float | None = None
    """Seconds until it begins, by the estimates of those before it; None: one of them never ran."""
    session: str = ""
    """Of the page that asked for it; 'document/…' when the server runs it in a shared notebook."""
    asks: Asked | None = None
    """What it asks, and nobody has answered."""


class Present(Struct, frozen=True):
    """Somebody who has the kernel open."""

    person: str
    role: str
    pages: int


class Ran(Struct, frozen=True):
    """What a kernel ran when it died."""

    person: str
    cell: str
    line: str
    execution: str


class Death(Struct, frozen=True):
    at: datetime
    reason: str
    code: int | None = None
    """Exit code; negative: the signal."""
    running: Ran | None = None


class Grant(Struct, frozen=True):
    person: str
    """'*' is everybody else."""
    role: str


class Kernel(Struct, frozen=True):
    id: str
    spec: str
    language: str
    state: str
    """starting, idle, busy, restarting, dead."""
    owner: str
    role: str | None
    """Of who asks; None: may not even look."""
    path: str
    """Of its notebook; '' when it has none."""
    cluster: str
    """That it is attached to; ''."""
    generation: int
    """How often it was started."""
    servers: int
    """Jupyter servers that have it open."""
    people: tuple[Present, ...]
    queue: tuple[Waiting, ...]
    grants: tuple[Grant, ...]
    memory: int
    """Bytes that its process has used at most, of what was seen while cells ran."""
    oldest: int
    """The first number of its journal that is still kept."""
    latest: int
    full: bool
    """Whether its journal cannot be written: no room on the disk."""
    died: Death | None = None
    """How it last died; None: it has not."""
    silent: Literal["host", "kernel", ""] = ""
    """What does not answer though its process is there: it is stopped, or the machine is overloaded. '': all well."""
    silent_since: datetime | None = None
    ended: str = ""
    """Why it has ended for good; '' while it lives."""


class KernelList(Struct, frozen=True):
    items: tuple[Kernel, ...]


class NumberedMessage(Struct, frozen=True):
    number: int
    header: dict[str, Any]
    parent_header: dict[str, Any]
    metadata: dict[str, Any]
    content: dict[str, Any]
    buffers: tuple[str, ...] = ()
    """Base64."""
    channel: str = "iopub"


class FramePage(Struct, frozen=True):
    """What an execution said, in order, as Jupyter's messages."""

    items: tuple[NumberedMessage, ...]
    next: int
    """Ask again `after` this number."""
    end: bool
    """The execution has ended and nothing follows."""
    lost: int
    """Messages in between that are no longer kept."""


class Binding(Struct, frozen=True):
    """Which execution last gave a name its value."""

    name: str
    execution: Execution | None
    """None: none that is known."""
    how: str
    """'bound', 'changed', or '' when none is known."""
    observed: bool
    """Whether the kernel saw it happen; else it is read from the code."""
    note: str = ""
