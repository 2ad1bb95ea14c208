"""Why a process ended is said in words that tell a crash from a kill and from too little memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_slipway.kernels.host import death
from jupyter_slipway.kernels.host.death import Group, Watch


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
def test_each_end_has_its_words(code: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(death, "group_of", lambda pid: Group(tmp_path, tmp_path, "memory.events", "memory.max"))

    assert Watch(os.getpid()).reason(code) == words


VERSIONS = [("memory.events", "memory.max"), ("memory.oom_control", "memory.limit_in_bytes")]


@pytest.mark.parametrize(("counts", "limit"), VERSIONS)
def test_a_kill_by_the_system_for_memory_is_said(
    counts: str, limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / counts).write_text("under_oom 0\noom_kill 1\n")
    monkeypatch.setattr(death, "group_of", lambda pid: Group(tmp_path, tmp_path, counts, limit))
    watch = Watch(os.getpid())
    assert "memory" not in watch.reason(-signal.SIGKILL)

    (tmp_path / counts).write_text("under_oom 1\noom_kill 2\n")

    assert watch.reason(-signal.SIGKILL).startswith("It ran out of memory: the system killed it")


@pytest.mark.parametrize(("counts", "limit"), VERSIONS)
def test_a_kill_of_who_had_nearly_all_memory_is_most_likely_for_that(
    counts: str, limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    (inner / counts).write_text("oom_kill 0\n")
    (inner / limit).write_text("max\n")
    (inner.parent / limit).write_text("1000000000\n")
    monkeypatch.setattr(death, "group_of", lambda pid: Group(inner, tmp_path, counts, limit))
    watch = Watch(os.getpid())
    watch.peak = 900_000_000

    assert watch.reason(-signal.SIGKILL).startswith("It most likely ran out of memory")


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A control group of this machine that may have 64 MiB."""
    group = Path("/sys/fs/cgroup/memory", f"slipway-test-{os.getpid()}")
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(64 << 20))
    except OSError:
        pytest.skip("needs the right to make a control group of version 1 for memory")
    yield group
    group.rmdir()


def test_a_process_that_really_runs_out_of_memory_has_it_said(small_group: Path) -> None:
    hungry = "import sys; sys.stdin.read(1); held = bytearray(256 << 20); print(len(held))"
    with subprocess.Popen([sys.executable, "-c", hungry], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        (small_group / "cgroup.procs").write_text(str(process.pid))
        watch = Watch(process.pid)

        process.communicate(b"\n")

    assert watch.reason(process.returncode).startswith("It ran out of memory: the system killed it (signal 9, SIGKILL")


def test_memory_is_watched() -> None:
    watch = Watch(os.getpid())
    watch.look()

    assert watch.peak > 1 << 20
