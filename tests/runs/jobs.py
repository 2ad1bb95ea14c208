"""What the tests of runs share: a store, and a runner whose jobs are given as source text."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_slipway.db import Database
from jupyter_slipway.files import atomic_write
from jupyter_slipway.runs.engine import Engine, Submission
from jupyter_slipway.runs.model import ENDED, Policy, Run
from jupyter_slipway.runs.prepared import Prepared
from jupyter_slipway.runs.runner import Runner
from tests.waiting import PATIENCE, eventually


def a_database(url: str) -> Database:
    database = Database(url)
    database.create()
    return database


ONCE = Policy()


def submit(engine: Engine, source: str = "def main(): pass", policy: Policy = ONCE, **changes: Any) -> Run:
    """Queue a run of this source: it is kept in a file, under what stands in the run's digest."""
    digest = hashlib.sha256(source.encode()).hexdigest()
    sources().mkdir(exist_ok=True)
    # Whole: a runner that is at work may be reading it for the run before.
    atomic_write(sources() / digest, source.encode())
    fields = {"job": "churn", "version": 1, "parameters": {}, "digest": digest, "author": "ada"}
    fields |= {"policy": policy} | changes
    return engine.submit(Submission(**fields))


def prepared(run: Run) -> Prepared:
    return Prepared(sys.executable, (sources() / run.digest).read_text())


def sources() -> Path:
    return Path(os.environ["SLIPWAY_HOME"]) / "sources"


@contextmanager
def a_runner(database: Database, home: Path, **changes: Any) -> Iterator[Runner]:
    """A runner at work in a thread."""
    fields = {"prepare": prepared, "fire": lambda now: None, "concurrency": 2}
    runner = Runner(database, home, **(fields | changes))
    thread = threading.Thread(target=runner.run)
    thread.start()
    try:
        yield runner
    finally:
        runner.stop()
        thread.join(120)
        assert not thread.is_alive()


def ended(engine: Engine, run: Run, seconds: float = PATIENCE) -> Run:
    return eventually(lambda: engine.get(run.id), lambda found: found.state in ENDED, seconds)
