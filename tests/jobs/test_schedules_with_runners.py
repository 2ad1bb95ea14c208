"""Two runners over one store: each due time gives exactly one run."""

from __future__ import annotations

import threading

from jupyter_slipway.db import Database
from jupyter_slipway.jobs.schedules import Schedules
from jupyter_slipway.runs.engine import Engine

NOON = 1_767_268_800.0


def test_each_due_time_gives_one_run_with_two_runners(home):
    url = f"sqlite:///{home}/slipway.db"
    Database(url).create()
    now = [NOON]

    def look() -> None:
        database = Database(url)
        engine, schedules = Engine(database, home), Schedules(database, clock=lambda: now[0])

        def submit(schedule, due):
            engine.submit(schedule.job, 1, {}, digest="", author="ada", schedule=schedule.id, due=due)

        for minute in range(1, 31):
            now[0] = max(now[0], NOON + 60 * minute)
            schedules.fire(now[0], submit)
        database.close()

    database = Database(url)
    schedules = Schedules(database, clock=lambda: NOON)
    for number in range(5):
        schedules.set(f"job-{number}", "* * * * *", "UTC", catch_up="all")
    runners = [threading.Thread(target=look) for _ in range(3)]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join(60)
    submitted = Engine(database, home).list(limit=500).items
    missed = sum(schedule.missed for schedule in schedules.all())
    database.close()

    assert len({(run.schedule, run.due) for run in submitted}) == len(submitted)
    assert len(submitted) + missed == 150
