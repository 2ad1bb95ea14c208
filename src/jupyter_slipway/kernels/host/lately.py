"""What each page has seen, and which executions of late it may lack when it comes back.

Kept by the host.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

RESENT = 60.0
"""Seconds after its end for which an execution is told again to a page that comes back: what was on its way to it
when the line broke is lost, and a page passes over what it knows."""
KEPT = 2000
"""Sessions and executions."""


@dataclass
class _Execution:
    session: str
    header: dict[str, Any]
    first: int
    last: int = 0
    """0: it has not ended."""
    ended_at: float = 0.0


class Lately:
    """
    Args:
        last: the number of what was said last
    """

    def __init__(self, last: Callable[[], int]) -> None:
        self.sessions: dict[str, dict[str, Any]] = {}
        """By session: whose it is, and up to which number its page has seen all."""
        self._last = last
        self._executions: dict[str, _Execution] = {}

    def know(self, session: str, person: str) -> None:
        if session not in self.sessions:
            while len(self.sessions) >= KEPT:
                self.sessions.pop(next(iter(self.sessions)))
            self.sessions[session] = {"person": person, "seen": self._last()}

    def saw(self, session: str, number: int) -> None:
        if session in self.sessions:
            self.sessions[session]["seen"] = number

    def __contains__(self, execution: str) -> bool:
        return execution in self._executions

    def begins(self, header: dict[str, Any], first: int | None = None) -> None:
        """
        Args:
            header: of its request
            first: the number before it; None: the last one
        """
        while len(self._executions) >= KEPT:
            self._executions.pop(next(iter(self._executions)))
        first = self._last() if first is None else first
        self._executions[str(header["msg_id"])] = _Execution(str(header.get("session", "")), header, first)

    def ended(self, execution: str) -> None:
        if (one := self._executions.get(execution)) is not None:
            one.last, one.ended_at = self._last(), time.time()

    def unseen(self, session: str) -> list[dict[str, Any]]:
        """Executions of a session whose page may lack something of them."""
        seen = self.sessions.get(session, {}).get("seen", self._last())
        recent = time.time() - RESENT
        return [
            {"id": identity, "first": one.first, "header": one.header}
            for identity, one in self._executions.items()
            if one.session == session and (not one.last or one.last > seen or one.ended_at > recent)
        ]
