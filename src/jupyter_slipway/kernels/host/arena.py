"""Memory that glibc keeps, given back."""

from __future__ import annotations

import ctypes
from contextlib import suppress

M_ARENA_MAX = -8


def keep_memory_in_one_arena() -> None:
    """So that `give_memory_back` finds it: of what another thread's arena has free at its top, glibc gives nothing."""
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def give_memory_back() -> None:
    """On its own, glibc keeps what the largest messages ever took: 49 MB after 16 MB of buffers, not 18."""
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
