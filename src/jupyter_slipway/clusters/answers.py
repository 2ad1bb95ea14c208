"""Many who ask the same of a cluster, as all pages of a notebook do: one answer serves them, and they take turns.

Used by `manager` and `handlers`, for what only looks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, TypeVar

T = TypeVar("T")

FRESH = 0.5
"""Seconds for which an answer serves, from when it was asked for; one that takes longer serves all who wait for it."""


MOST = 5.0
"""Times a second that one question is worth answering, however many pages ask it."""
SELDOM = 10.0
"""Seconds that a page never waits beyond."""


class Turns:
    """When each of those who ask the same thing again and again is to ask next.

    Each gets the moment after that of who asked before: so they need no names, and their requests come evenly.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next: dict[Hashable, float] = {}

    def after(self, question: Hashable, least: float) -> float:
        """Seconds until who asks now may ask again.

        Args:
            least: when nobody else asks
        """
        now = self._clock()
        for known, at in list(self._next.items()):
            if at < now:
                del self._next[known]
        at = min(max(self._next.get(question, 0.0) + 1 / MOST, now + least), now + SELDOM)
        self._next[question] = at
        return round(at - now, 1)


class Answers:
    def __init__(self) -> None:
        self._asked: dict[Hashable, tuple[float, asyncio.Task[Any]]] = {}

    async def of(self, question: Hashable, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What `ask` gives, or has just given to somebody else; its error is everybody's who waits."""
        now, loop = time.monotonic(), asyncio.get_running_loop()
        for known, (at, task) in list(self._asked.items()):
            if not _serves(at, task, now, loop):
                del self._asked[known]
        if question not in self._asked:
            task = loop.create_task(ask())
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._asked[question] = now, task
        answer: T = await asyncio.shield(self._asked[question][1])  # who leaves must not take it from the others
        return answer


def _serves(at: float, task: asyncio.Task[Any], now: float, loop: asyncio.AbstractEventLoop) -> bool:
    if task.get_loop() is not loop:
        return False
    if not task.done():
        return True
    return now - at < FRESH and not task.cancelled() and task.exception() is None
