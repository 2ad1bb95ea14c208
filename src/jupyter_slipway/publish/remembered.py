"""What a function gave for a text, remembered; what was not asked for the longest is forgotten first.

As `functools.lru_cache`, but it can also be told: who takes some statements out of a cell knows already what parsing
and reading the rest would give.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Remembered(Generic[Value]):
    """`make`, for the last `size` texts. Any number of threads may ask."""

    def __init__(self, make: Callable[[str], Value], size: int) -> None:
        self._make, self._size = make, size
        self._known: dict[str, Value] = {}
        self._lock = threading.Lock()

    def __call__(self, text: str) -> Value:
        with self._lock:
            if text in self._known:
                value = self._known[text] = self._known.pop(text)  # a dict keeps the order of insertion
                return value
        value = self._make(text)
        self.tell(text, value)
        return value

    def __contains__(self, text: str) -> bool:
        return text in self._known

    def tell(self, text: str, value: Value) -> None:
        """Remember what `make(text)` would give."""
        with self._lock:
            self._known[text] = value
            if len(self._known) > self._size:
                del self._known[next(iter(self._known))]

    def cache_clear(self) -> None:
        with self._lock:
            self._known.clear()


def remembered(size: int) -> Callable[[Callable[[str], Value]], Remembered[Value]]:
    """As a decorator."""
    return lambda make: Remembered(make, size)
