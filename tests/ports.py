"""Ports for servers that tests start in processes of their own."""

from __future__ import annotations

import random
import socket

BELOW_EPHEMERAL = range(12_000, 32_000)
"""The system hands out none of these by itself: nothing takes one between our look and the server's start."""


def free_port() -> int:
    """Of the loopback; nobody listens there."""
    while True:
        port = random.SystemRandom().choice(BELOW_EPHEMERAL)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
