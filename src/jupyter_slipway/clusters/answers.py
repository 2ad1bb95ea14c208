"""Many who ask the same of a cluster at one moment, as all pages of a notebook do each second: one answer serves them.

Used by `manager`, for what only looks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, TypeVar

T = TypeVar("T")

FRESH = 0.5
"""Seconds for which an answer serves, from when it was asked for; one that takes longer serves all who wait for it."""


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
