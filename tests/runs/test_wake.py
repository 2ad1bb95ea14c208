"""The bell wakes the runner, and never hurts whoever rings it."""

from __future__ import annotations

import threading
import time

import pytest

from jupyter_slipway.runs import wake
from jupyter_slipway.runs.wake import Bell


@pytest.fixture
def bell(home):
    bell = Bell(home)
    yield bell
    bell.close()


def test_a_ring_wakes_at_once_and_once(home, bell):
    threading.Timer(0.1, wake.ring, [home]).start()
    before = time.monotonic()

    assert bell.wait(120)
    assert time.monotonic() - before < 2
    assert not bell.wait(0)


def test_many_rings_neither_block_nor_wake_twice(home, bell):
    for _ in range(100_000):
        bell.ring()
    wake.ring(home)

    assert bell.wait(0)
    assert not bell.wait(0)


def test_without_a_runner_ringing_does_nothing(home):
    wake.ring(home)
    bell = Bell(home)
    bell.close()
    bell.ring()
    wake.ring(home)


def test_where_no_pipe_can_be_the_runner_can_still_ring_itself(home):
    (home / wake.NAME).write_text("not a pipe")
    bell = Bell(home)
    bell.ring()

    assert (bell.wait(0), bell.wait(0)) == (True, False)
    bell.close()
