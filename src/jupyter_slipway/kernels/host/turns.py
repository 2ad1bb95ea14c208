"""Whose turn it is: one execution at a time, and one person's error drops nobody else's.

Pure: the host tells what came, and does what is answered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Turn:
    """One asked execution."""

    id: str
    """The request's msg_id."""
    person: str
    session: str
    """The page's (or other client's) session: what an error drops is of the same session and person."""
    cell: str
    code: str
    stops: bool
    """Whether its error drops what its session has queued behind it."""
    header: dict[str, Any]
    parts: list[bytes] = field(repr=False)
    queued_at: float = 0.0
    started_at: float | None = None
    status: str = ""
    """Of its reply: 'ok', 'error', 'aborted'; '' before."""
    count: int | None = None
    asks: dict[str, Any] | None = None
    """The content of its `input_request`, while nobody has answered."""
    begun: bool = False
    """The kernel has said that it runs the code."""
    to_interrupt: bool = False
    """Somebody wanted it to stop before that."""
    idle: bool = False

    @property
    def settled(self) -> bool:
        """Both the reply and the end of its outputs are here."""
        return bool(self.status) and self.idle

    def told(self) -> dict[str, Any]:
        """What others are told of it."""
        first = next((line for line in self.code.splitlines() if line.strip()), "")
        told: dict[str, Any] = {
            "id": self.id,
            "person": self.person,
            "session": self.session,
            "cell": self.cell,
            "line": first[:200],
        }
        times = {"queued_at": self.queued_at, "started_at": self.started_at}
        return told | times | {"count": self.count, "asks": self.asks}


class Turns:
    def __init__(self) -> None:
        self.running: Turn | None = None
        self.queue: list[Turn] = []

    def __bool__(self) -> bool:
        return self.running is not None or bool(self.queue)

    def all(self) -> list[Turn]:
        """The running one first, then as they will come."""
        return ([self.running] if self.running else []) + self.queue

    def find(self, identity: str) -> Turn | None:
        return next((turn for turn in self.all() if turn.id == identity), None)

    def next(self) -> Turn | None:
        """The one that runs from now on; None while another runs, or none waits."""
        if self.running is not None or not self.queue:
            return None
        self.running = self.queue.pop(0)
        return self.running

    def end(self) -> tuple[Turn, list[Turn]]:
        """The running one has ended: it, and those that its error drops."""
        ended = self.running
        assert ended is not None
        self.running = None
        if ended.status == "ok" or not ended.stops:
            return ended, []
        return ended, self._take(lambda turn: turn.session == ended.session and turn.person == ended.person)

    def cancel(self, identity: str) -> Turn | None:
        """Take a queued one out; None when none of that name waits."""
        return next(iter(self._take(lambda turn: turn.id == identity)), None)

    def clear(self) -> tuple[Turn | None, list[Turn]]:
        """The kernel is gone: what ran, and what waited."""
        running, waiting = self.running, self.queue
        self.running, self.queue = None, []
        return running, waiting

    def _take(self, wanted: Callable[[Turn], bool]) -> list[Turn]:
        taken = [turn for turn in self.queue if wanted(turn)]
        self.queue = [turn for turn in self.queue if not wanted(turn)]
        return taken
