"""The queue: what people see of it, and what keeps two runners apart."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from jupyter_slipway.errors import BadRequest, Conflict, NotFound
from jupyter_slipway.runs import attempt
from jupyter_slipway.runs.engine import Ending, Engine
from jupyter_slipway.runs.model import Policy, Run, RunError, RunState
from tests.runs.jobs import submit

NOON = 1_767_268_800.0
DONE = Ending(RunState.SUCCEEDED, code=0, value={"result": 1}, cpu_seconds=0.5, peak_memory=10**9, duration=2.0)
BROKEN = Ending(RunState.FAILED, code=1, error=RunError("ValueError", "no rows"))


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine(database, home, clock) -> Engine:
    return Engine(database, home, clock=clock)


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def test_a_submitted_run_waits(engine):
    run = submit(engine, digest="abc", parameters={"month": 6}, policy=Policy(timeout=60))

    assert run == Run(
        id=run.id,
        job="churn",
        version=1,
        state=RunState.QUEUED,
        queued_at=at(NOON),
        parameters={"month": 6},
        author="ada",
        policy=Policy(timeout=60),
        digest="abc",
    )
    assert engine.get(run.id) == run
    assert engine.counts() == {"queued": 1, "running": 0}


def test_an_idempotency_key_gives_the_same_run(engine):
    submit(engine), submit(engine)  # neither key nor due time: none of them is meant
    first = submit(engine, idempotency_key="k1")

    assert submit(engine, idempotency_key="k1") == first
    assert submit(engine, idempotency_key="k2") != first
    assert submit(engine) != submit(engine)


def test_a_due_time_gives_one_run_whoever_submits_it(engine):
    def due(_: int) -> str:
        return submit(engine, schedule="s1", due=at(NOON), trigger="schedule").id

    submit(engine), submit(engine)
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(due, range(40)))) == 1
    assert submit(engine, schedule="s2", due=at(NOON)).due == at(NOON)
    assert engine.counts()["queued"] == 4


def test_pages_hold_each_run_once_newest_first(engine, clock):
    submitted = []
    for number in range(7):
        clock.now += number % 2  # some at the very same time
        submitted.append(submit(engine, job=f"job-{number % 2}").id)
    pages, after = [], None
    while True:
        page = engine.list(after=after, limit=3)
        pages.append([run.id for run in page.items])
        if page.next is None:
            break
        after = page.next

    assert [len(page) for page in pages] == [3, 3, 1]
    listed = [engine.get(run_id) for page in pages for run_id in page]
    assert [run.id for run in listed] == sorted(
        submitted, key=lambda run_id: (engine.get(run_id).queued_at, run_id), reverse=True
    )


def test_lists_filter_by_job_and_state(engine):
    one, other = submit(engine, job="one"), submit(engine, job="other")
    engine.cancel(other.id)

    assert [run.id for run in engine.list(job="one").items] == [one.id]
    assert [run.id for run in engine.list(state="cancelled").items] == [other.id]
    assert engine.list(job="one", state=RunState.CANCELLED).items == ()


@pytest.mark.parametrize("asked", [{"state": "done"}, {"after": "run-no"}, {"limit": 0}, {"limit": 501}])
def test_a_list_that_cannot_be_is_refused(engine, asked):
    with pytest.raises(BadRequest):
        engine.list(**asked)


def test_recent_runs_of_several_jobs(engine, clock):
    for _ in range(3):
        clock.now += 1
        newest = submit(engine, job="a")

    recent = engine.recent(["a", "b"], n=2)
    assert [len(recent["a"]), recent["b"]] == [2, []]
    assert (recent["a"][0].id, recent["a"][0].state) == (newest.id, RunState.QUEUED)


def test_unknown_runs_are_not_found(engine):
    for call in (engine.get, engine.cancel, engine.directory):
        with pytest.raises(NotFound, match="There is no run 'run-no'"):
            call("run-no")
    with pytest.raises(NotFound):
        engine.retry("run-no", "ada")
    with pytest.raises(NotFound):
        engine.directory("../../etc", 1)


def test_each_run_is_claimed_once_oldest_first(engine, clock):
    runs = []
    for _ in range(5):
        clock.now += 1
        runs.append(submit(engine).id)
    with ThreadPoolExecutor(4) as pool:
        claims = list(pool.map(lambda name: engine.claim(name, "here", 2), "abcd"))

    claimed = [claim.run.id for some in claims for claim in some]
    assert sorted(claimed) == sorted(runs)
    assert engine.claim("e", "here", 5) == ()


def test_a_settled_run_tells_how_it_ended(engine, clock):
    run = submit(engine)
    clock.now += 1
    (claim,) = engine.claim("a", "here", 1)
    assert (claim.run.state, claim.run.attempt, claim.run.started_at) == (RunState.RUNNING, 1, at(NOON + 1))
    clock.now += 2
    settled = engine.settle(claim, DONE)

    assert settled == engine.get(run.id)
    assert settled == Run(
        **{field: getattr(run, field) for field in ("id", "job", "version", "queued_at", "author", "digest")},
        state=RunState.SUCCEEDED,
        attempt=1,
        started_at=at(NOON + 1),
        ended_at=at(NOON + 3),
        value={"result": 1},
        progress=1.0,
        cpu_seconds=0.5,
        peak_memory=10**9,
        duration=2.0,
    )
    assert engine.settle(claim, BROKEN) is None


def test_a_failed_attempt_is_tried_again_after_its_back_off(engine, clock):
    run = submit(engine, policy=Policy(attempts=3, backoff=10))
    waits = []
    for _ in range(2):
        (claim,) = engine.claim("a", "here", 1)
        assert engine.settle(claim, BROKEN).state is RunState.QUEUED
        assert engine.claim("a", "here", 1) == ()
        waits.append(engine.next_ready() - clock.now)
        clock.now += waits[-1]
    (claim,) = engine.claim("a", "here", 1)
    settled = engine.settle(claim, BROKEN)

    assert waits == [10, 20]
    assert (settled.state, settled.attempt, settled.error) == (RunState.FAILED, 3, BROKEN.error)
    assert settled.id == run.id


def test_a_failure_that_would_come_again_is_not_tried_again(engine):
    submit(engine, policy=Policy(attempts=3))
    (claim,) = engine.claim("a", "here", 1)
    ending = Ending(RunState.FAILED, error=RunError("digest", "differs"), again=False)

    assert engine.settle(claim, ending).state is RunState.FAILED


def test_a_queued_run_is_cancelled_at_once(engine):
    run = engine.cancel(submit(engine).id)

    assert (run.state, run.cancelling, run.ended_at) == (RunState.CANCELLED, False, at(NOON))
    assert engine.claim("a", "here", 1) == ()
    with pytest.raises(Conflict, match="is cancelled and cannot become cancelled"):
        engine.cancel(run.id)


def test_a_running_run_is_cancelling_until_its_process_is_gone(engine):
    run = submit(engine, policy=Policy(attempts=3))
    (claim,) = engine.claim("a", "here", 1)
    assert engine.cancel(run.id).cancelling
    assert (engine.directory(run.id) / "cancel").exists()
    assert engine.cancel(run.id).state is RunState.RUNNING

    # Its process failed just then: it is not tried again.
    assert engine.settle(claim, BROKEN).state is RunState.CANCELLED


def test_retry_is_a_new_run_of_the_same(engine):
    run = submit(engine, parameters={"month": 6})
    with pytest.raises(Conflict, match="cannot be retried yet"):
        engine.retry(run.id, "bob")
    engine.cancel(run.id)
    again = engine.retry(run.id, "bob")

    assert (again.retry_of, again.trigger, again.author) == (run.id, "retry", "bob")
    keyed = engine.retry(run.id, "bob", idempotency_key="k")
    assert engine.retry(run.id, "bob", idempotency_key="k") == keyed
    assert (again.parameters, again.digest, again.state) == ({"month": 6}, run.digest, RunState.QUEUED)


def test_whoever_was_taken_over_can_no_longer_write(engine):
    run = submit(engine)
    (old,) = engine.claim("a", "here", 1)
    engine.beat("a", "here", 1)
    (new,) = engine.adopt("a", "b", "here")

    assert (new.run.id, new.run.attempt, new.fence) == (run.id, 1, old.fence + 1)
    assert engine.held("a") == ()
    assert engine.settle(old, DONE) is None
    engine.progressed(old, 0.5, "half")
    assert engine.get(run.id).progress is None
    assert engine.settle(new, DONE).state is RunState.SUCCEEDED
    assert set(engine.beat("b", "here", 2)) == {"b"}


def test_runs_of_a_dead_machine_fail_as_lost(engine):
    run = submit(engine, policy=Policy(attempts=3))
    engine.claim("a", "there", 1)

    assert engine.adopt("a", "b", "here") == ()
    found = engine.get(run.id)
    assert (found.state, found.error.kind) == (RunState.FAILED, "lost")


def test_an_ending_runner_forgets_itself_only_without_runs(engine):
    submit(engine)
    engine.beat("a", "here", 1)
    (claim,) = engine.claim("a", "here", 1)
    engine.forget("a")
    assert set(engine.beat("b", "here", 2)) == {"a", "b"}
    engine.settle(claim, DONE)
    engine.forget("a")
    assert set(engine.beat("b", "here", 2)) == {"b"}


def test_what_a_cancel_leaves_is_seen_by_the_guard_without_a_runner(engine):
    run = submit(engine)
    engine.claim("a", "here", 1)
    engine.cancel(run.id)

    assert attempt.look(engine.directory(run.id)) == (attempt.Look.NONE, None)
