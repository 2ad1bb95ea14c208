"""Two runners over one store: each due time gives exactly one run, whoever of them is killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from jupyter_slipway.db import Database
from jupyter_slipway.events import Events
from jupyter_slipway.jobs.registry import Registry
from jupyter_slipway.jobs.schedules import Schedules
from jupyter_slipway.publish.model import Environment
from jupyter_slipway.runs.engine import Engine, Submission
from jupyter_slipway.runs.model import ENDED
from tests.builders import a_version
from tests.waiting import eventually

NOON = 1_767_268_800.0
JOBS = 8
MINUTES = 8
KILLS = 6

RUNNER = """
import os, sys, time
from pathlib import Path
from jupyter_slipway.db import Database
from jupyter_slipway.events import Events
from jupyter_slipway.jobs.registry import Registry
from jupyter_slipway.jobs.schedules import Schedules
from jupyter_slipway.runs.engine import Engine
from jupyter_slipway.runs.runner import Runner
from jupyter_slipway.service import Carrier
from jupyter_slipway.settings import Settings
home, noon, real = Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
def clock():
    return noon + 60 * (time.time() - real)  # a minute each second
settings = Settings.read(os.environ | {"SLIPWAY_HOME": str(home)})
database = Database(settings.database)
engine = Engine(database, home, clock=clock)
carrier = Carrier(settings, Registry(database, Events()), Schedules(database, clock=clock), engine)
Runner(database, home, prepare=carrier.prepare, fire=carrier.fire, lease=2.0, clock=clock).run()
"""


@pytest.fixture
def database(store):
    database = Database(store)
    database.create()
    yield database
    database.close()


class Two:
    """Two runners as processes of their own, each of its own home; one that was killed is started again."""

    def __init__(self, home: Path, real: float) -> None:
        self.homes = [home / "one", home / "two"]
        self.real = real
        self.processes = [self.started(one) for one in self.homes]

    def started(self, home: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", RUNNER, str(home), str(NOON), str(self.real)])

    def kill(self, which: int) -> None:
        self.processes[which].send_signal(signal.SIGKILL)
        self.processes[which].wait()
        self.processes[which] = self.started(self.homes[which])

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


def test_each_due_time_gives_one_run_with_two_runners_that_are_killed(database, home):
    registry, schedules = Registry(database, Events()), Schedules(database, clock=lambda: NOON)
    for number in range(JOBS):
        here = Environment(python="3.11", locked=False, executable=sys.executable)
        registry.publish(a_version(job=f"job-{number}", environment=here, directory=""))
        schedules.set(f"job-{number}", "* * * * *", "UTC", catch_up="all", cap=1000)
    engine = Engine(database, home)
    chance = random.Random(int(os.environ.get("SLIPWAY_SEED", "1")))
    two = Two(home, time.time())
    try:
        for kill in range(KILLS):
            time.sleep(chance.uniform(0.5, 2.0) * MINUTES / KILLS)
            two.kill(kill % 2)
        eventually(lambda: len(engine.list(limit=500).items) >= JOBS * MINUTES)
        for number in range(JOBS):
            schedules.pause(f"job-{number}")
        eventually(lambda: not any(engine.counts().values()))
    finally:
        two.close()
    runs = engine.list(limit=500).items
    due = {job: sorted(run.due.timestamp() for run in runs if run.job == job) for job in Counter(r.job for r in runs)}

    assert len(due) == JOBS
    for times in due.values():
        assert times == [NOON + 60 * (minute + 1) for minute in range(len(times))]
    assert {run.state in ENDED for run in runs} == {True}
    assert [schedule.missed for schedule in schedules.all()] == [0] * JOBS


def test_each_due_time_gives_one_run_with_three_looking_at_once(store, database, home):
    now = [NOON]

    def look() -> None:
        own = Database(store)
        engine, schedules = Engine(own, home), Schedules(own, clock=lambda: now[0])

        def submit(due):
            engine.submit_many(
                [Submission(one.schedule.job, 1, {}, "", "ada", schedule=one.schedule.id, due=one.at) for one in due]
            )

        for minute in range(1, 31):
            now[0] = max(now[0], NOON + 60 * minute)
            schedules.fire(now[0], submit)
        own.close()

    schedules = Schedules(database, clock=lambda: NOON)
    for number in range(5):
        schedules.set(f"job-{number}", "* * * * *", "UTC", catch_up="all")
    lookers = [threading.Thread(target=look) for _ in range(3)]
    for looker in lookers:
        looker.start()
    for looker in lookers:
        looker.join(60)
    submitted = Engine(database, home).list(limit=500).items
    missed = sum(schedule.missed for schedule in schedules.all())

    assert len({(run.schedule, run.due) for run in submitted}) == len(submitted)
    assert len(submitted) + missed == 150
