"""What a run costs beside bare Python and beside its peers, how many an hour, how fast a list.

`python benchmarks/runs.py`; the peers get an environment of their own, once, in .cache/peers.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import insert

from jupyter_slipway.db import Database, tables
from jupyter_slipway.runs import background
from jupyter_slipway.runs.engine import Engine, Submission

ROUNDS = 9
RUNS = 150
NOOP = "def main(): pass"
RUNNER = """
import sys
from pathlib import Path
from jupyter_slipway.db import Database
from jupyter_slipway.runs.runner import Prepared, Runner
home = Path(sys.argv[1])
Runner(
    Database(f"sqlite:///{home}/slipway.db"),
    home,
    prepare=lambda run: Prepared(sys.executable, run.digest),
    fire=lambda now: None,
).run()
"""
NOTEBOOK = {
    "cells": [{"cell_type": "code", "source": "pass", "metadata": {}, "outputs": [], "execution_count": None}],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    "nbformat": 4,
    "nbformat_minor": 4,
}


class Store:
    """A home with a runner at work in a process of its own."""

    def __init__(self, folder: str, source: str = NOOP, runner: str = RUNNER) -> None:
        self.home = Path(folder)
        self.database = Database(f"sqlite:///{folder}/slipway.db")
        self.database.create()
        self.engine = Engine(self.database, self.home)
        self.source = source
        self.code = runner

    def __enter__(self) -> Store:
        self.runner = subprocess.Popen([sys.executable, "-c", self.code, str(self.home)])
        while not background.status(self.home).alive:
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        background.stop(self.home)
        self.runner.wait(30)

    def submit(self, count: int) -> None:
        for _ in range(count):
            self.engine.submit(Submission("bench", 1, {}, self.source, "bench"))

    def drain(self) -> None:
        while any(self.engine.counts().values()):
            time.sleep(0.05)


def cpu(command: list[str], rounds: int = ROUNDS) -> float:
    """CPU-seconds of a command and what it waited for, the median."""
    found = []
    for _ in range(rounds):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, command
        found.append(usage.ru_utime + usage.ru_stime)
    return statistics.median(found)


def cpu_of(pid: int) -> float:
    """CPU-seconds of a living process and its living children."""
    ticks = sum(int(part) for part in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13])
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return ticks / os.sysconf("SC_CLK_TCK") + sum(cpu_of(int(child)) for child in children)


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


# ── one no-op run ───────────────────────────────────────────────────────────────────────────────────────────


def noop() -> Table:
    table = Table("no-op run", "CPU ms", "× python -c pass", title="What one run costs")
    bare = cpu([sys.executable, "-c", "pass"])
    table.add_row("python -c pass", f"{bare * 1000:.1f}", "1")
    with tempfile.TemporaryDirectory() as folder, Store(folder) as store:
        store.submit(5)
        store.drain()
        before = cpu_of(store.runner.pid)
        for _ in range(30):
            store.submit(1)
            store.drain()
        keeping = (cpu_of(store.runner.pid) - before) / 30
        ends = [json.loads(path.read_text()) for path in store.home.glob("runs/*/1/exit.json")]
    run = statistics.median(end["cpu_seconds"] for end in ends)
    guard = statistics.median(end["guard_cpu_seconds"] for end in ends)
    table.add_row("Slipway: the run's process", f"{run * 1000:.1f}", f"{run / bare:.1f}")
    table.add_row("Slipway: its guard", f"{guard * 1000:.1f}", f"{guard / bare:.1f}")
    table.add_row("Slipway: run and guard", f"{(run + guard) * 1000:.1f}", f"{(run + guard) / bare:.1f}")
    table.add_row("Slipway: the runner's bookkeeping", f"{keeping * 1000:.1f}", f"{keeping / bare:.1f}")
    for name, seconds in peers():
        told = ("not installed", "") if seconds is None else (f"{seconds * 1000:.0f}", f"{seconds / bare:.0f}")
        table.add_row(name, *told)
    return table


def peers() -> list[tuple[str, float | None]]:
    """CPU-seconds of the same no-op by others, None for those that are not installed."""
    python = peers_python()
    with tempfile.TemporaryDirectory() as folder:
        notebook = Path(folder, "noop.ipynb")
        notebook.write_text(json.dumps(NOTEBOOK))
        nbclient = (
            "import nbformat, sys; from nbclient import NotebookClient; "
            "NotebookClient(nbformat.read(sys.argv[1], 4)).execute()"
        )
        papermill = "import sys, papermill; papermill.execute_notebook(sys.argv[1], None, progress_bar=False)"
        scheduler = SCHEDULER.replace("FOLDER", repr(folder))
        return [
            ("nbclient", peer(python, "nbclient", [python, "-c", nbclient, str(notebook)])),
            ("papermill", peer(python, "papermill", [python, "-c", papermill, str(notebook)])),
            ("jupyter-scheduler", peer(python, "jupyter_scheduler", [python, "-c", scheduler, str(notebook)])),
        ]


def peers_python() -> str:
    """A Python that has the peers; our own, which may have some of them, when no index can be reached."""
    home = Path(__file__).parents[1] / ".cache" / "peers"
    python = home / "bin" / "python"
    if not python.exists():
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "-q", "--python", sys.executable, str(home)], check=False)
        installed = subprocess.run(
            [*uv, "pip", "install", "-q", "--python", str(python), "papermill", "jupyter_scheduler", "ipykernel"],
            check=False,
        )
        if installed.returncode:
            shutil.rmtree(home, ignore_errors=True)
    return str(python) if python.exists() else sys.executable


SCHEDULER = """
import os, shutil, sys
from jupyter_scheduler.executors import DefaultExecutionManager
from jupyter_scheduler.models import DescribeJob
from jupyter_scheduler.orm import Job, create_session, create_tables
url = "sqlite:///" + os.path.join(FOLDER, f"{os.getpid()}.sqlite")
create_tables(url)
with create_session(url)() as session:
    job = Job(job_id=str(os.getpid()), name="noop", input_filename="noop.ipynb",
              runtime_environment_name="x", output_formats=["ipynb"])
    session.add(job)
    session.commit()
staging = {"input": sys.argv[1], "ipynb": os.path.join(FOLDER, f"{os.getpid()}.ipynb")}
DefaultExecutionManager(job_id=str(os.getpid()), root_dir=FOLDER, db_url=url, staging_paths=staging).process()
"""


def peer(python: str, module: str, command: list[str]) -> float | None:
    if subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode:
        return None
    try:
        return cpu(command, rounds=3)
    except AssertionError:
        return None


# ── many ────────────────────────────────────────────────────────────────────────────────────────────────────


def throughput() -> Table:
    table = Table("", "runs an hour", "goal", title=f"{RUNS} no-op runs on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder, Store(folder) as store:
        store.submit(2)
        store.drain()
        start = time.perf_counter()
        store.submit(RUNS)
        store.drain()
        hourly = RUNS / (time.perf_counter() - start) * 3600
    table.add_row("Slipway", f"{hourly:,.0f}", "20,000")
    return table


def listing() -> Table:
    table = Table("runs", "list", "p50 ms", "p99 ms", title="A page of 50 (goal: p99 under 50 ms)")
    for count in (100, 10_000, 1_000_000):
        with tempfile.TemporaryDirectory() as folder:
            store = Store(folder)
            ids = filled(store.database, count)
            for name, look in looks(store.engine, ids).items():
                taken = timed(look, 200)
                table.add_row(f"{count:,}", name, f"{percentile(taken, 0.5):.1f}", f"{percentile(taken, 0.99):.1f}")
            store.database.close()
    return table


def filled(database: Database, count: int) -> list[str]:
    """This many ended runs of a hundred jobs, one in ten failed; their ids, oldest first."""
    ids = [f"run-{number:026d}" for number in range(count)]
    rows = (
        {
            "id": run_id,
            "job": f"job-{number % 100}",
            "version": 1,
            "state": "failed" if number % 10 == 0 else "succeeded",
            "queued_at": 1_700_000_000.0 + number,
            "started_at": 1_700_000_000.0 + number,
            "ended_at": 1_700_000_010.0 + number,
            "ready": 0.0,
            "attempt": 1,
            "parameters": '{"month": 6}',
            "value": '{"mae": 21.2}',
            "duration": 10.0,
        }
        for number, run_id in enumerate(ids)
    )
    while batch := [row for row, _ in zip(rows, range(50_000), strict=False)]:
        with database.write() as connection:
            connection.execute(insert(tables.run), batch)
    return ids


def looks(engine: Engine, ids: list[str]) -> dict[str, Callable[[], object]]:
    def job() -> str:
        return f"job-{random.randrange(100)}"

    return {
        "newest": lambda: engine.list(),
        "anywhere in between": lambda: engine.list(after=random.choice(ids)),
        "of a job": lambda: engine.list(job=job(), after=random.choice(ids)),
        "in a state": lambda: engine.list(state="failed", after=random.choice(ids)),
        "of a job in a state": lambda: engine.list(job=job(), state="succeeded", after=random.choice(ids)),
        "none found": lambda: engine.list(job=job(), state="cancelled"),
        "counts": engine.counts,
        "last 30 of a job": lambda: engine.recent([job()]),
    }


def timed(look: Callable[[], object], times: int) -> list[float]:
    """Milliseconds of each call, after three that warm up."""
    taken = []
    for _ in range(times + 3):
        start = time.perf_counter()
        look()
        taken.append((time.perf_counter() - start) * 1000)
    return taken[3:]


if __name__ == "__main__":
    console = Console()
    for measured in (noop, throughput, listing):
        console.print(measured())
