"""Kills of everything that carries runs, at any moment: nothing is lost, nothing is doubled.

`SLIPWAY_KILLS=200` makes it the long form; its figures are printed (`pytest -s`).
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jupyter_slipway.runs import background
from jupyter_slipway.runs.engine import Engine
from jupyter_slipway.runs.model import ENDED, Policy, RunState
from tests.runs.jobs import a_database, submit
from tests.runs.test_runner import WORKER
from tests.waiting import eventually

KILLS = int(os.environ.get("SLIPWAY_KILLS", "10"))
AT_ONCE = 6
"""Runs that are queued or running while the kills go on."""

JOB = """
import fcntl, os, time
def main(*, marks, seconds):
    run, attempt = os.environ["SLIPWAY_RUN_ID"], os.environ["SLIPWAY_ATTEMPT"]
    alone = open(os.path.join(marks, run), "w")
    try:
        fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
        word = "start"
    except BlockingIOError:
        word = "overlap"
    all_marks = os.open(os.path.join(marks, "all"), os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    os.write(all_marks, f"{word} {run} {attempt}\\n".encode())
    time.sleep(seconds)
    os.write(all_marks, f"end {run} {attempt}\\n".encode())
    return {"result": run}
"""


class Chaos:
    """A runner that is always started again, and something that kills."""

    def __init__(self, home: Path, seed: int) -> None:
        self.home = home
        self.random = random.Random(seed)
        self.engine = Engine(a_database(os.environ["SLIPWAY_DATABASE"]), home)
        self.marks = home / "marks"
        self.marks.mkdir()
        self.submitted: list[str] = []
        self.killed: collections.Counter[str] = collections.Counter()
        self.runner = self.started()

    def started(self) -> subprocess.Popen[bytes]:
        options = repr({"concurrency": 4})
        return subprocess.Popen([sys.executable, "-c", WORKER, str(self.home), options])

    def submit_some(self) -> None:
        while sum(self.engine.counts().values()) < AT_ONCE:
            parameters = {"marks": str(self.marks), "seconds": self.random.uniform(0.0, 2.5)}
            run = submit(self.engine, JOB, Policy(attempts=100, backoff=0.01), parameters=parameters)
            self.submitted.append(run.id)

    def wait(self) -> None:
        """Mostly until the runner is at work, and a moment more; else it is killed while it starts."""
        if self.random.random() < 0.8:
            eventually(lambda: background.status(self.home).pid == self.runner.pid)
        time.sleep(self.random.uniform(0.0, 0.8))

    def kill(self) -> None:
        """One kill -9: most often of the runner, else of a guard, a run's process or the nest of guards."""
        victim = self.random.choices(("runner", "guard", "run", "nest"), (55, 20, 15, 10))[0]
        pids = {"runner": lambda: [self.runner.pid], "guard": self.guards, "run": self.runs, "nest": self.nests}
        found = pids[victim]()
        if not found:
            victim, found = "runner", [self.runner.pid]
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.random.choice(found), signal.SIGKILL)
        self.killed[victim] += 1
        if self.runner.poll() is not None or victim == "runner":
            self.runner.wait()
            self.runner = self.started()

    def guards(self) -> list[int]:
        begun = [path.parent for path in self.home.glob("runs/*/*/started.json")]
        live = [path for path in begun if not (path / "exit.json").exists()]
        pids = [json.loads((path / "started.json").read_text() or "{}").get("guard") for path in live]
        # A number may be another process's by now.
        return [pid for pid in pids if pid and "guard.py" in command_of(pid)]

    def runs(self) -> list[int]:
        return [pid for guard in self.guards() for pid in children_of(guard)]

    def nests(self) -> list[int]:
        return [pid for pid in children_of(self.runner.pid) if "--nest" in command_of(pid)]

    def settle(self, seconds: float = 120) -> None:
        until = time.monotonic() + seconds
        while sum(self.engine.counts().values()) and time.monotonic() < until:
            time.sleep(0.1)

    def close(self) -> None:
        self.runner.kill()
        self.runner.wait()
        self.engine.database.close()


def command_of(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


def children_of(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


@pytest.fixture
def chaos(home, store):
    chaos = Chaos(home, seed=int(os.environ.get("SLIPWAY_SEED", "1")))
    yield chaos
    chaos.close()


@pytest.mark.timeout(1800)
def test_kills_lose_nothing_and_double_nothing(chaos):
    while sum(chaos.killed.values()) < KILLS:
        chaos.submit_some()
        chaos.wait()
        chaos.kill()
    chaos.settle()

    runs = [chaos.engine.get(run_id) for run_id in chaos.submitted]
    marks = collections.Counter((chaos.marks / "all").read_text().splitlines())
    begun = {mark: count for mark, count in marks.items() if not mark.startswith("end")}
    lost = [run.id for run in runs if run.state not in ENDED]
    failed = [run.id for run in runs if run.state in ENDED and run.state is not RunState.SUCCEEDED]
    doubled = [mark for mark, count in begun.items() if count > 1 or mark.startswith("overlap")]
    untold = [run.id for run in runs if not any(mark.startswith(f"end {run.id} ") for mark in marks)]
    print(
        f"\n{sum(chaos.killed.values())} kills ({dict(chaos.killed)}), {len(runs)} runs, {len(begun)} attempts: "
        f"{len(lost)} lost, {len(doubled)} doubled, {len(failed)} failed, {len(untold)} said to have run that did not"
    )

    assert (lost, doubled, failed, untold) == ([], [], [], [])
