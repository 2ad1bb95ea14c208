"""Why a process ended is said in words that tell a crash from a kill and from too little memory."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from jupyter_slipway.kernels import death
from jupyter_slipway.kernels.death import Watch


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (3, "It ended by itself with exit code 3."),
        (-signal.SIGSEGV, "It crashed (signal 11, SIGSEGV): compiled code of a library failed."),
        (-signal.SIGTERM, "It was killed (signal 15, SIGTERM)."),
        (-signal.SIGKILL, "It was killed (signal 9, SIGKILL)."),
        (-62, "It was killed (signal 62)."),
    ],
)
def test_each_end_has_its_words(code: int, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(death, "_oom_kills", lambda events: 0)

    assert Watch(os.getpid()).reason(code) == words


def test_a_kill_by_the_system_for_memory_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = tmp_path / "memory.events"
    events.write_text("low 0\noom 0\noom_kill 1\n")
    monkeypatch.setattr(death, "_events_file", lambda pid: events)
    watch = Watch(os.getpid())
    assert "memory" not in watch.reason(-signal.SIGKILL)

    events.write_text("low 0\noom 1\noom_kill 2\n")

    assert watch.reason(-signal.SIGKILL).startswith("It ran out of memory: the system killed it")


def test_a_kill_of_who_had_nearly_all_memory_is_most_likely_for_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "memory.events").write_text("oom_kill 0\n")
    (tmp_path / "memory.max").write_text("1000000000\n")
    monkeypatch.setattr(death, "_events_file", lambda pid: tmp_path / "memory.events")
    watch = Watch(os.getpid())
    watch.peak = 900_000_000

    assert watch.reason(-signal.SIGKILL).startswith("It most likely ran out of memory")


def test_memory_is_watched() -> None:
    watch = Watch(os.getpid())
    watch.look()

    assert watch.peak > 1 << 20
