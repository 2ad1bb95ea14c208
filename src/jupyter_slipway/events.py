"""Facts, told in the past tense to whoever listens. Hints to refetch, never the data itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from msgspec import Struct


class Changed(Struct, frozen=True):
    """One of these is not what it was."""

    kind: Literal["job", "run", "schedule", "cluster", "kernel", "notebook"]
    id: str


class Events:
    """Listeners are called in the announcer's thread, in the order they came."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[Changed], None]] = []

    def subscribe(self, listener: Callable[[Changed], None]) -> None:
        self._listeners.append(listener)

    def announce(self, event: Changed) -> None:
        for listener in self._listeners:
            listener(event)
