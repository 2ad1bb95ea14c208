"""Waiting for what comes soon: with patience, so that a slow machine only takes longer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 120.0
"""Seconds. Only a failing test waits that long."""


def eventually(look: Callable[[], T], good: Callable[[T], object] = bool, seconds: float = PATIENCE) -> T:
    """What `look` gives, once it is `good`.

    Raises:
        AssertionError: it did not become so; with what it was last
    """
    end = time.monotonic() + seconds
    while not good(found := look()):
        assert time.monotonic() < end, found
        time.sleep(0.02)
    return found


async def soon(look: Callable[[], T], good: Callable[[T], object] = bool, seconds: float = PATIENCE) -> T:
    """`eventually`, while the loop goes on."""
    end = time.monotonic() + seconds
    while not good(found := look()):
        assert time.monotonic() < end, found
        await asyncio.sleep(0.05)
    return found
