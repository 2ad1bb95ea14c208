"""Identifiers: a word for what it is, then the time, then chance; as texts they sort by time."""

from __future__ import annotations

import secrets
import time

# Crockford's base 32, lower case: no i, l, o, u, so that an id can be read aloud and typed.
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id(prefix: str) -> str:
    """A new id such as 'run-01kb3x5a7w8h4m2n6p9q0r1s2t': 48 bits of milliseconds, 80 bits of chance."""
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    digits = (ALPHABET[number >> shift & 31] for shift in range(125, -5, -5))
    return f"{prefix}-{''.join(digits)}"
