"""The runner at work: real processes, real kills."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from jupyter_slipway.errors import Conflict, Unavailable
from jupyter_slipway.publish.model import LineMapping
from jupyter_slipway.runs import attempt, background, outputs, runner
from jupyter_slipway.runs.engine import Engine
from jupyter_slipway.runs.model import Frame, Policy, RunState
from jupyter_slipway.runs.prepared import Prepared
from jupyter_slipway.runs.runner import Runner
from tests.runs.jobs import a_runner, ended, prepared, submit
from tests.waiting import eventually

SLEEP = "import time\ndef main():\n    print('on', flush=True)\n    time.sleep({})"


def logged(engine: Engine, run_id: str, text: str = "on") -> bool:
    log = engine.directory(run_id) / "log"
    return log.exists() and text in log.read_text()


def test_a_run_succeeds_and_keeps_all_it_made(engine, runner):
    source = """
import os
from pathlib import Path
def main(*, month: int = 1):
    print("month", month)
    Path(os.environ["SLIPWAY_ARTIFACTS"], "report.txt").write_text(os.environ["SLIPWAY_RUN_ID"])
    display("shown")
    return {"result": month * 2, "who": os.environ["SLIPWAY_ATTEMPT"]}
"""
    run = ended(engine, submit(engine, source, parameters={"month": 6}))
    directory = engine.directory(run.id)

    assert (run.state, run.value, run.progress) == (RunState.SUCCEEDED, {"result": 12, "who": "1"}, 1.0)
    assert 0 < run.cpu_seconds < 5
    assert 5_000_000 < run.peak_memory < 500_000_000
    assert 0 < run.duration < 10
    assert run.queued_at <= run.started_at <= run.ended_at
    assert (directory / "log").read_text() == "month 6\n"
    assert outputs.artifact(directory, "report.txt").read_text() == run.id
    assert [one["data"]["text/plain"] for one in outputs.read(directory)] == ["'shown'", "12"]


def test_a_failure_points_to_the_notebooks_cell_and_line(database, home, engine):
    source = "def main():\n    rows = 0\n    return 1 / rows\n"
    lines = (LineMapping(2, "c7", 7, 1), LineMapping(3, "c8", 8, 4))
    with a_runner(database, home, prepare=lambda run: Prepared(sys.executable, source, lines=lines)):
        run = ended(engine, submit(engine, source))

    assert run.state is RunState.FAILED
    assert (run.error.kind, run.error.message) == ("ZeroDivisionError", "division by zero")
    assert run.error.frames == (Frame(3, "return 1 / rows", "main", "c8", 8, 4),)


def test_a_refused_preparation_fails_the_run_in_its_words(database, home, engine):
    def prepare(run):
        raise Conflict("The digest differs.", hint="Publish it again.")

    with a_runner(database, home, prepare=prepare):
        run = ended(engine, submit(engine, policy=Policy(attempts=3)))

    assert (run.state, run.attempt) == (RunState.FAILED, 1)
    assert (run.error.kind, run.error.message) == ("conflict", "The digest differs. Publish it again.")


def test_a_broken_preparation_fails_the_run_and_not_the_runner(database, home, engine):
    def prepare(run):
        if run.job == "broken":
            raise OSError(28, "No space left on device")
        return Prepared(sys.executable, "def main(): pass")

    with a_runner(database, home, prepare=prepare):
        broken = ended(engine, submit(engine, job="broken"))
        fine = ended(engine, submit(engine))

    assert (broken.state, broken.error.kind) == (RunState.FAILED, "OSError")
    assert fine.state is RunState.SUCCEEDED


def test_a_python_that_is_gone_is_told(database, home, engine):
    with a_runner(database, home, prepare=lambda run: Prepared("/no/such/python", "")):
        run = ended(engine, submit(engine))

    assert run.error.kind == "exit"
    assert "/no/such/python could not be started" in run.error.traceback


def test_a_failed_run_is_tried_again(engine, runner):
    source = """
import os
def main():
    if os.environ["SLIPWAY_ATTEMPT"] == "1":
        raise ValueError("not yet")
    return "second"
"""
    run = ended(engine, submit(engine, source, policy=Policy(attempts=2, backoff=0.1)))

    assert (run.state, run.attempt, run.value) == (RunState.SUCCEEDED, 2, {"result": "second"})
    assert run.error is None
    assert outputs.error(engine.directory(run.id, 1))["message"] == "not yet"


def test_time_out_tells_the_line_it_was_at(engine, runner):
    run = ended(engine, submit(engine, SLEEP.format(60), policy=Policy(timeout=0.7)))

    assert (run.state, run.error.kind) == (RunState.FAILED, "timeout")
    assert [frame.source for frame in run.error.frames] == ["time.sleep(60)"]


def test_a_run_killed_by_the_system_says_so(engine, runner):
    run = ended(engine, submit(engine, "import os\ndef main(): os.kill(os.getpid(), 9)"))

    assert (run.state, run.error.kind) == (RunState.FAILED, "killed")
    assert "memory" in run.error.message


def test_cancel_ends_a_running_run_at_once(engine, runner):
    run = submit(engine, SLEEP.format(60))
    eventually(lambda: engine.get(run.id).attempt and logged(engine, run.id))
    before = time.monotonic()
    assert engine.cancel(run.id).cancelling

    assert ended(engine, run).state is RunState.CANCELLED
    assert time.monotonic() - before < 5


def test_a_run_cancelled_while_it_is_prepared_does_not_begin(database, home, engine):
    def prepare(run):
        time.sleep(0.5)
        return Prepared(sys.executable, "def main(): print('began')")

    with a_runner(database, home, prepare=prepare):
        run = submit(engine)
        eventually(lambda: engine.get(run.id).state is RunState.RUNNING)
        engine.cancel(run.id)
        assert ended(engine, run).state is RunState.CANCELLED
    assert not (engine.directory(run.id) / "log").exists()


def test_no_more_run_at_once_than_wanted(database, home, engine):
    source = """
import os, time
from pathlib import Path
def main(*, folder):
    mark, met = Path(folder, str(os.getpid())), Path(folder).with_name("met"); mark.touch()
    end = time.monotonic() + 60
    while not met.exists() and time.monotonic() < end:
        if len(list(Path(folder).iterdir())) > 1: met.touch()
    time.sleep(0.3)
    count = len(list(Path(folder).iterdir())); mark.unlink()
    return count
"""
    (home / "marks").mkdir()
    with a_runner(database, home, concurrency=2):
        runs = [submit(engine, source, parameters={"folder": str(home / "marks")}) for _ in range(6)]
        done = [ended(engine, run) for run in runs]

    assert [run.error for run in done] == [None] * 6
    assert max(run.value["result"] for run in done) == 2


def test_progress_is_read_from_the_log(engine, runner):
    source = """
import time, sys
def main():
    for n in (10, 50):
        print(f"\\r{n}%|####  | {n}/100 [00:01<00:02, 9.99it/s]", end="", file=sys.stderr, flush=True)
    time.sleep(3)
"""
    run = submit(engine, source)
    found = eventually(lambda: engine.get(run.id) if engine.get(run.id).progress else None)

    assert (found.progress, found.progress_text) == (0.5, "50%|####  | 50/100 [00:01<00:02, 9.99it/s]")
    engine.cancel(run.id)


def test_a_submitted_run_is_picked_up_when_the_runner_is_rung(engine, runner, monkeypatch):
    eventually(lambda: background.status(runner.home).alive)
    monkeypatch.setattr("jupyter_slipway.runs.runner.POLL", 3600.0)

    for _ in range(5):
        assert ended(engine, submit(engine)).state is RunState.SUCCEEDED


def test_a_due_schedule_wakes_the_runner(database, home, engine, monkeypatch):
    monkeypatch.setattr("jupyter_slipway.runs.runner.POLL", 3600.0)
    due = time.time() + 0.7
    fired = []

    def fire(now):
        if fired or now < due:
            return None if fired else due
        fired.append(now)
        return None

    with a_runner(database, home, fire=fire):
        eventually(lambda: fired)

    assert fired[0] >= due


def test_broken_schedules_do_not_stop_the_runs(database, home, engine, caplog):
    def fire(now):
        raise KeyError("bug")

    with a_runner(database, home, fire=fire):
        assert ended(engine, submit(engine)).state is RunState.SUCCEEDED
    assert "The schedules could not be fired" in caplog.text


def test_what_a_run_left_unreadable_fails_it_and_not_the_runner(engine, runner):
    source = """
import os
def main():
    open(os.path.join(os.environ["SLIPWAY_ARTIFACTS"], "..", "error.json"), "w").write("{")
    os._exit(3)
"""
    assert ended(engine, submit(engine, source)).error.kind == "unreadable"
    assert ended(engine, submit(engine)).state is RunState.SUCCEEDED


def test_a_run_whose_files_cannot_be_reached_fails_and_holds_nobody_up(database, home, engine, caplog):
    run = submit(engine, SLEEP.format(60))
    with a_runner(database, home, lease=1.0):
        eventually(lambda: engine.get(run.id).attempt and logged(engine, run.id))
        (engine.directory(run.id) / "lock").rename(home / "lock")
        (engine.directory(run.id) / "lock").symlink_to("lock")  # a loop: ELOOP, also for root
        assert ended(engine, run).error.kind == "unreadable"
        assert ended(engine, submit(engine)).state is RunState.SUCCEEDED
        attempt.cancel(engine.directory(run.id))
        eventually(lambda: (engine.directory(run.id) / "exit.json").exists())


def test_a_claimed_run_that_the_runner_lost_sight_of_is_found_again(engine, runner):
    eventually(lambda: background.status(runner.home).alive)
    run = submit(engine, SLEEP.format(1))
    eventually(lambda: engine.get(run.id).attempt and logged(engine, run.id))
    runner.live.clear()

    assert ended(engine, run).state is RunState.SUCCEEDED


def test_stopping_does_not_wait_for_an_environment_that_is_being_built(database, home, engine):
    begun = threading.Event()

    def prepare(run):
        begun.set()
        time.sleep(3)
        return prepared(run)

    before = time.monotonic()
    with a_runner(database, home, prepare=prepare):
        run = submit(engine)
        assert begun.wait(120)
    assert time.monotonic() - before < 2.5
    with a_runner(database, home):
        assert ended(engine, run).state is RunState.SUCCEEDED


# ── runners that die ────────────────────────────────────────────────────────────────────────────────────────

WORKER = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from pathlib import Path
from jupyter_slipway.db import Database
from jupyter_slipway.runs.runner import Runner
from tests.runs.jobs import prepared
home = Path(sys.argv[1])
database = Database(os.environ["SLIPWAY_DATABASE"])
database.create()
Runner(database, home, prepare=prepared, fire=lambda now: None, lease=2.0, **eval(sys.argv[2])).run()
"""


@pytest.fixture
def worker(home, store):
    """Start a runner as a process of its own."""
    processes = []

    def start(home: Path = home, **options) -> subprocess.Popen:
        processes.append(subprocess.Popen([sys.executable, "-c", WORKER, str(home), repr(options)]))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait()


COUNTED = """
import os, time
from pathlib import Path
def main(*, marks, seconds=0.0):
    with open(marks, "a") as file: file.write("x")
    print("on", flush=True)
    time.sleep(seconds)
    return len(Path(marks).read_text())
"""


def test_a_run_outlives_its_runner_and_is_adopted_by_the_next(engine, worker, tmp_path):
    run = submit(engine, COUNTED, parameters={"marks": str(tmp_path / "m"), "seconds": 2.0})
    first = worker()
    eventually(lambda: engine.get(run.id).attempt and logged(engine, run.id))
    first.kill()
    first.wait()
    worker()

    found = ended(engine, run)
    assert (found.state, found.value, found.attempt) == (RunState.SUCCEEDED, {"result": 1}, 1)


def test_a_run_that_ended_while_no_runner_lived_is_settled(engine, worker, tmp_path):
    run = submit(engine, COUNTED, parameters={"marks": str(tmp_path / "m"), "seconds": 0.5})
    first = worker()
    eventually(lambda: engine.get(run.id).attempt and logged(engine, run.id))
    first.kill()
    first.wait()
    eventually(lambda: (engine.directory(run.id) / "exit.json").exists())
    worker()

    assert ended(engine, run).value == {"result": 1}


@pytest.mark.parametrize(("attempts", "state"), [(1, RunState.FAILED), (2, RunState.SUCCEEDED)])
def test_a_run_whose_process_died_with_its_runner_is_settled_within_a_lease(engine, worker, tmp_path, attempts, state):
    import json

    policy = Policy(attempts=attempts, backoff=0.1)
    run = submit(engine, COUNTED, policy, parameters={"marks": str(tmp_path / "m"), "seconds": 1.0})
    first = worker()
    eventually(lambda: engine.get(run.id).attempt and logged(engine, run.id))
    first.kill()
    first.wait()
    started = json.loads((engine.directory(run.id) / "started.json").read_text())
    os.kill(started["guard"], signal.SIGKILL)
    worker()
    found = ended(engine, run, seconds=120)

    assert (found.state, found.attempt) == (state, attempts)
    if attempts == 1:
        assert found.error.kind == "lost"


def test_a_run_cancelled_while_no_runner_lives_ends(engine, worker, tmp_path):
    run = submit(engine, COUNTED, parameters={"marks": str(tmp_path / "m"), "seconds": 60.0})
    first = worker()
    eventually(lambda: engine.get(run.id).attempt and logged(engine, run.id))
    first.kill()
    first.wait()
    engine.cancel(run.id)
    eventually(lambda: (engine.directory(run.id) / "exit.json").exists())
    worker()

    assert ended(engine, run).state is RunState.CANCELLED


def test_a_frozen_runner_is_taken_over_and_can_do_no_harm(database, home, engine, worker, tmp_path):
    run = submit(engine, COUNTED, parameters={"marks": str(tmp_path / "m"), "seconds": 6.0})
    first = worker()
    eventually(lambda: engine.get(run.id).attempt and logged(engine, run.id))
    first.send_signal(signal.SIGSTOP)
    second = Runner(database, home, prepare=lambda run: pytest.fail("begun again"), fire=lambda now: None, lease=2.0)
    try:
        eventually(lambda: second.step() and run.id in second.live)
        first.send_signal(signal.SIGCONT)
        eventually(lambda: second.step() and engine.get(run.id).state is RunState.SUCCEEDED)
    finally:
        second.close()

    assert engine.get(run.id).value == {"result": 1}


def test_two_runners_in_one_home_are_refused(database, home, worker):
    worker()
    eventually(lambda: background.status(home).alive)
    second = Runner(database, home, prepare=None, fire=lambda now: None)
    with pytest.raises(Conflict, match="already at work"):
        second.run()


def test_sigterm_leaves_the_runs_alone(engine, worker, tmp_path):
    run = submit(engine, COUNTED, parameters={"marks": str(tmp_path / "m"), "seconds": 1.5})
    first = worker()
    eventually(lambda: engine.get(run.id).attempt and logged(engine, run.id))
    first.terminate()
    assert first.wait(120) == 0
    assert engine.get(run.id).state is RunState.RUNNING
    worker()

    assert ended(engine, run).value == {"result": 1}


def test_a_runner_with_nothing_to_do_ends(worker):
    assert worker(idle_after=0.5).wait(120) == 0


def test_a_runner_whose_home_is_gone_ends(tmp_path, worker):
    process = worker(tmp_path / "gone")
    eventually(lambda: background.status(tmp_path / "gone").alive)
    shutil.rmtree(tmp_path / "gone")

    assert process.wait(120) is not None


def test_a_runner_with_a_schedule_stays(database, home):
    with a_runner(database, home, fire=lambda now: now + 3600, idle_after=0.2) as runner:
        time.sleep(1)
        assert background.status(home).alive
        assert not runner.stopping.is_set()


# ── in the background ───────────────────────────────────────────────────────────────────────────────────────


def test_the_background_runner_starts_once_and_stops(home, engine):
    assert runner.status(home) == background.RunnerStatus(False)
    entry = [sys.executable, "-c", WORKER, str(home), "{}"]
    started = runner.start(home, entry)
    try:
        assert (started.alive, started.beating, runner.start(home, entry).pid) == (True, True, started.pid)
        assert ended(engine, submit(engine)).state is RunState.SUCCEEDED
        assert runner.status(home, engine.counts()).running == 0
    finally:
        stopped = runner.stop(home)

    assert stopped == background.RunnerStatus(False)
    assert runner.stop(home) == stopped


def test_a_runner_that_outlived_an_upgrade_makes_room_and_its_run_goes_on(home, engine, tmp_path):
    def entry(release: str) -> list[str]:
        return [sys.executable, "-c", WORKER, str(home), repr({"release": release})]

    old = runner.start(home, entry("0.9.1"), release="0.9.1")
    try:
        run = submit(engine, COUNTED, parameters={"marks": str(tmp_path / "m"), "seconds": 2.0})
        eventually(lambda: logged(engine, run.id))
        new = runner.start(home, entry("0.10.0"), release="0.10.0")
        # The later one stays, also when the earlier is asked for again, in an environment of its own.
        asked = [runner.start(home, entry(one), release=one) for one in ("0.10.0", "0.9.1")]

        assert (old.release, new.release, [one.pid for one in asked]) == ("0.9.1", "0.10.0", [new.pid, new.pid])
        assert ended(engine, run).value == {"result": 1}
    finally:
        runner.stop(home)


def test_a_runner_that_does_not_come_up_tells_why(home):
    with pytest.raises(Unavailable, match="no such database"):
        runner.start(home, [sys.executable, "-c", "raise SystemExit('no such database')"])


HOLDER = """
import fcntl, json, os, socket, sys, time
from pathlib import Path
home = Path(sys.argv[1])
lock = open(home / "runner.lock", "w")
(home / f"waits-{os.getpid()}").touch()
fcntl.flock(lock, fcntl.LOCK_EX)
about = {"id": "r", "pid": os.getpid(), "host": socket.gethostname(), "started_at": time.time()}
(home / "new").write_text(json.dumps(about))
os.rename(home / "new", home / "runner.json")
time.sleep(600)
"""


def test_stopping_ends_also_the_runner_that_takes_over_at_that_moment(tmp_path):
    holders = [subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)]) for _ in range(2)]
    eventually(lambda: len(list(tmp_path.glob("waits-*"))) == 2 and (tmp_path / "runner.json").exists())

    assert not background.stop(tmp_path).alive
    assert [holder.wait(60) for holder in holders] == [-signal.SIGTERM, -signal.SIGTERM]
