"""The queue of runs: submits, lists and cancels for people; claims, settles and adopts for the runner.

One row of `run` is what people see of a run. A claim raises its `fence`, and whoever settles it must name the
fence of its own claim: a runner that was taken over can no longer write.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection, RowMapping, insert, select, tuple_, update

from jupyter_slipway.db import Database, tables
from jupyter_slipway.decoding import from_json
from jupyter_slipway.errors import BadRequest, Conflict, NotFound
from jupyter_slipway.ids import new_id
from jupyter_slipway.runs import attempt, wake
from jupyter_slipway.runs.model import ENDED, Policy, Run, RunError, RunState

runs = tables.run
attempts = tables.attempt
runners = tables.runner

LIVE = (RunState.QUEUED.value, RunState.RUNNING.value)
PAGE = 500
"""The longest page of a listing."""


Newest: TypeAlias = list[Run]
"""Runs, newest first."""


class RunPage(Struct, frozen=True):
    """Some runs, newest first."""

    items: tuple[Run, ...]
    next: str | None = None
    """Pass as `after` for the following page; None on the last."""


class Submission(Struct, frozen=True):
    """What is to run, for `Engine.submit`."""

    job: str
    version: int
    parameters: dict[str, Any]
    digest: str
    """Of the version; checked again before it runs."""
    author: str
    policy: Policy = Policy()
    trigger: str = "manual"
    schedule: str | None = None
    due: datetime | None = None
    idempotency_key: str | None = None
    retry_of: str | None = None


class Claim(Struct, frozen=True):
    """A run that a runner has, and may settle while nobody has taken it over."""

    run: Run
    fence: int
    attempts: int


class Ending(Struct, frozen=True):
    """How an attempt ended, for `Engine.settle`."""

    state: RunState
    """SUCCEEDED, FAILED or CANCELLED."""
    code: int | None = None
    error: RunError | None = None
    value: Any = None
    cpu_seconds: float | None = None
    peak_memory: int | None = None
    duration: float | None = None
    again: bool = True
    """A failure may be tried again when the policy has attempts left."""


class Engine:
    """The runs in `database`, whose files are under `home`/runs."""

    def __init__(self, database: Database, home: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.database = database
        self.home = home
        self.clock = clock
        # One statement, so that two who submit the same at once get the same run.
        self._insert = _insert_or_nothing(database)

    # ── for people ──────────────────────────────────────────────────────────────────────────────────────────

    def submit(self, one: Submission) -> Run:
        """Queue a run.

        The same idempotency key, or the same schedule and due time, gives the run that it gave before.
        """
        row = _row(one, self.clock())
        with self.database.write() as connection:
            written = connection.execute(self._insert.returning(*runs.c), row).mappings().first()
            if written is None:
                return _same(connection, row)
        wake.ring(self.home)
        return _run(written)

    def submit_many(self, many: Sequence[Submission]) -> None:
        """Queue them all or none, leaving those alone that were queued before.

        One write to disk and one prepared statement: 200 cost what five cost one by one.
        """
        now = self.clock()
        with self.database.write() as connection:
            connection.execute(self._insert, [_row(one, now) for one in many])
        wake.ring(self.home)

    def get(self, run_id: str) -> Run:
        """One run.

        Raises:
            NotFound: there is none with this id
        """
        with self.database.read() as connection:
            return _get(connection, run_id)

    def list(
        self,
        *,
        job: str | None = None,
        state: RunState | str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> RunPage:
        """A page of runs, newest first.

        Args:
            after: the `next` of the page before
            limit: 1 to 500

        Raises:
            BadRequest: no such state, limit or page
        """
        query = select(runs).order_by(runs.c.queued_at.desc(), runs.c.id.desc())
        if job is not None:
            query = query.where(runs.c.job == job)
        if state is not None:
            query = query.where(runs.c.state == _state(state))
        if not 1 <= limit <= PAGE:
            raise BadRequest(f"A page cannot have {limit} runs.", hint=f"Ask for 1 to {PAGE}, and for the next page.")
        with self.database.read() as connection:
            if after is not None:
                query = query.where(_older(connection, after))
            rows = connection.execute(query.limit(limit + 1)).mappings().all()
        items = tuple(_run(row) for row in rows[:limit])
        return RunPage(items, items[-1].id if len(rows) > limit else None)

    def recent(self, jobs: Iterable[str], n: int = 30) -> dict[str, Newest]:
        """The last `n` runs of each job, newest first; only what a list of jobs shows is filled in."""
        columns = (runs.c.id, runs.c.job, runs.c.version, runs.c.state, runs.c.queued_at, runs.c.duration)
        newest = select(*columns).order_by(runs.c.queued_at.desc(), runs.c.id.desc()).limit(n)
        with self.database.read() as connection:
            return {
                job: [_run(row) for row in connection.execute(newest.where(runs.c.job == job)).mappings()]
                for job in jobs
            }

    def live(self) -> frozenset[tuple[str, str, int]]:
        """Id, state and attempt of each run that has not ended: changes whenever one of them does."""
        query = select(runs.c.id, runs.c.state, runs.c.attempt).where(runs.c.state.in_(LIVE))
        with self.database.read() as connection:
            return frozenset((row.id, row.state, row.attempt) for row in connection.execute(query))

    def counts(self) -> dict[str, int]:
        """How many runs are 'queued' and how many 'running' now."""
        query = select(runs.c.state, sa.func.count()).where(runs.c.state.in_(LIVE)).group_by(runs.c.state)
        with self.database.read() as connection:
            found: dict[str, int] = {row[0]: row[1] for row in connection.execute(query)}
        return {state: found.get(state, 0) for state in LIVE}

    def cancel(self, run_id: str) -> Run:
        """End a run: a queued one at once, a running one when its process is gone (`cancelling` until then).

        Raises:
            NotFound: there is none with this id
            Conflict: it has ended already
        """
        with self.database.write() as connection:
            run = _get(connection, run_id)
            if run.state is RunState.QUEUED:
                ended = run.to(RunState.CANCELLED)
                change: dict[str, Any] = {"state": ended.state.value, "ended_at": self.clock(), "cancel": 1}
            else:
                run.to(RunState.CANCELLED)
                change = {"cancel": 1}
            connection.execute(update(runs).where(runs.c.id == run_id, runs.c.state == run.state.value).values(change))
        if run.state is RunState.RUNNING:
            # The guard sees this file by itself: it holds while no runner lives.
            with suppress(OSError):
                attempt.cancel(self.directory(run_id, run.attempt))
            wake.ring(self.home)
        return self.get(run_id)

    def retry(self, run_id: str, author: str, *, idempotency_key: str | None = None) -> Run:
        """A new run of the same version with the same parameters; again with the same key: the run that it gave.

        Raises:
            NotFound: there is none with this id
            Conflict: it has not ended yet
        """
        run = self.get(run_id)
        if run.state not in ENDED:
            raise _not_ended(run)
        again = Submission(
            run.job,
            run.version,
            run.parameters,
            digest=run.digest,
            author=author,
            policy=run.policy,
            trigger="retry",
            idempotency_key=idempotency_key,
            retry_of=run_id,
        )
        return self.submit(again)

    def directory(self, run_id: str, attempt: int | None = None) -> Path:
        """Where an attempt's files are; the newest attempt's when none is named.

        Raises:
            NotFound: there is no such run
        """
        number = self.get(run_id).attempt if attempt is None else attempt
        if not _plain(run_id):
            raise NotFound(f"There is no run {run_id[:60]!r}.")
        return self.home / "runs" / run_id / str(number)

    # ── for the runner ──────────────────────────────────────────────────────────────────────────────────────

    def claim(self, owner: str, host: str, room: int) -> tuple[Claim, ...]:
        """Take at most `room` runs whose time has come, oldest first."""
        if room <= 0:
            return ()
        now = self.clock()
        ready = (
            select(runs.c.id)
            .where(runs.c.state == RunState.QUEUED.value, runs.c.ready <= now)
            .order_by(runs.c.ready, runs.c.id)
            .limit(room)
        )
        with self.database.read() as connection:
            if connection.execute(ready.limit(1)).first() is None:
                return ()  # a look costs no write lock
        with self.database.write() as connection:
            ids = connection.execute(ready.with_for_update(skip_locked=True)).scalars().all()
            rows = (
                connection.execute(
                    update(runs)
                    .where(runs.c.id.in_(ids), runs.c.state == RunState.QUEUED.value)
                    .values(
                        state=RunState.RUNNING.value,
                        owner=owner,
                        host=host,
                        attempt=runs.c.attempt + 1,
                        fence=runs.c.fence + 1,
                        started_at=sa.func.coalesce(runs.c.started_at, now),
                        progress=None,
                        progress_text="",
                    )
                    .returning(*runs.c)
                )
                .mappings()
                .all()
            )
            for row in rows:
                connection.execute(
                    insert(attempts).values(run=row["id"], number=row["attempt"], started_at=now, host=host)
                )
        return tuple(sorted((_claim(row) for row in rows), key=lambda one: (one.run.queued_at, one.run.id)))

    def held(self, owner: str) -> tuple[Claim, ...]:
        """The running runs of this runner."""
        query = select(runs).where(runs.c.owner == owner, runs.c.state == RunState.RUNNING.value)
        with self.database.read() as connection:
            return tuple(_claim(row) for row in connection.execute(query).mappings())

    def settle(self, claim: Claim, ending: Ending) -> Run | None:
        """Write how the attempt ended: the run has ended, or is queued again after its back-off.

        Returns:
            the run, or None when the claim is no longer this runner's
        """
        run, now = claim.run, self.clock()
        with self.database.write() as connection:
            mine = _mine(claim)
            row = connection.execute(select(runs.c.cancel).where(*mine)).first()
            if row is None:
                return None
            change = _ended(claim, ending, cancelled=bool(row.cancel), now=now)
            connection.execute(update(runs).where(*mine).values(change))
            connection.execute(
                update(attempts)
                .where(attempts.c.run == run.id, attempts.c.number == run.attempt)
                .values(
                    ended_at=now,
                    outcome=ending.state.value,
                    code=ending.code,
                    error=None if ending.error is None else _text(ending.error),
                )
            )
            return _get(connection, run.id)

    def progressed(self, claim: Claim, progress: float | None, text: str) -> None:
        """Remember the progress that the log tells."""
        with self.database.write() as connection:
            connection.execute(update(runs).where(*_mine(claim)).values(progress=progress, progress_text=text[:255]))

    def beat(self, owner: str, host: str, pid: int) -> dict[str, RunnerBeat]:
        """Say that this runner lives; what all runners said last."""
        now = self.clock()
        with self.database.write() as connection:
            known = connection.execute(
                update(runners).where(runners.c.id == owner).values(beat=runners.c.beat + 1, seen_at=now)
            )
            if not known.rowcount:
                connection.execute(
                    insert(runners).values(id=owner, host=host, pid=pid, beat=0, started_at=now, seen_at=now)
                )
            rows = connection.execute(select(runners)).mappings()
            return {row["id"]: RunnerBeat(row["host"], row["pid"], row["beat"]) for row in rows}

    def adopt(self, dead: str, owner: str, host: str) -> tuple[Claim, ...]:
        """Take over the runs of a dead runner, and forget it.

        Those whose files are here are driven on, re-attached to their process if it lives. Those of another
        machine fail as lost: nobody here can see whether they still go on, and nothing may run twice.
        """
        now = self.clock()
        with self.database.write() as connection:
            theirs = (runs.c.owner == dead, runs.c.state == RunState.RUNNING.value)
            connection.execute(
                update(runs).where(*theirs, runs.c.host == host).values(owner=owner, fence=runs.c.fence + 1)
            )
            connection.execute(
                update(runs)
                .where(*theirs, runs.c.host != host)
                .values(
                    state=RunState.FAILED.value,
                    fence=runs.c.fence + 1,
                    ended_at=now,
                    error=_text(ELSEWHERE),
                )
            )
            connection.execute(sa.delete(runners).where(runners.c.id == dead))
        return self.held(owner)

    def forget(self, owner: str) -> None:
        """A runner that ends takes itself off the list, unless its runs still need to be found by it."""
        with self.database.write() as connection:
            theirs = select(runs.c.id).where(runs.c.owner == owner, runs.c.state == RunState.RUNNING.value)
            if connection.execute(theirs.limit(1)).first() is None:
                connection.execute(sa.delete(runners).where(runners.c.id == owner))

    def next_ready(self) -> float | None:
        """When the next queued run may be claimed, as epoch seconds."""
        query = select(sa.func.min(runs.c.ready)).where(runs.c.state == RunState.QUEUED.value)
        with self.database.read() as connection:
            found: float | None = connection.execute(query).scalar()
            return found


class RunnerBeat(Struct, frozen=True):
    host: str
    pid: int
    beat: int


ELSEWHERE = RunError(
    "lost",
    "The machine that carried this run stopped answering. The run may have done part of its work there, "
    "so it is not started again by itself. Retry it when that is safe.",
)


def _insert_or_nothing(database: Database) -> Any:
    """An insert into `run` that leaves a row that is there already alone."""
    # Each dialect costs 40 to 170 ms to import: only the one in use is paid.
    if database.sqlite:
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(runs).on_conflict_do_nothing()
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(runs).on_conflict_do_nothing()


def _row(one: Submission, now: float) -> dict[str, Any]:
    """The columns of a run that is queued now."""
    return {
        "id": new_id("run"),
        "job": one.job,
        "version": one.version,
        "state": RunState.QUEUED.value,
        "queued_at": now,
        "ready": now,
        "attempts": one.policy.attempts,
        "parameters": _text(one.parameters),
        "policy": _text(one.policy),
        "digest": one.digest,
        "author": one.author,
        "trigger": one.trigger,
        "schedule": one.schedule,
        "due": None if one.due is None else one.due.timestamp(),
        "idempotency_key": one.idempotency_key,
        "retry_of": one.retry_of,
    }


def _ended(claim: Claim, ending: Ending, *, cancelled: bool, now: float) -> dict[str, Any]:
    """The columns of a run whose attempt has ended like this."""
    run = claim.run
    change: dict[str, Any] = {
        "cpu_seconds": ending.cpu_seconds,
        "peak_memory": ending.peak_memory,
        "duration": ending.duration,
        "error": None if ending.error is None else _text(ending.error),
    }
    if ending.state is RunState.FAILED and ending.again and not cancelled and run.attempt < claim.attempts:
        wait = run.policy.backoff * 2 ** (run.attempt - 1)
        return {**change, "state": run.to(RunState.QUEUED).state.value, "ready": now + wait, "owner": None}
    if cancelled and ending.state is RunState.FAILED:
        change["error"] = None
        return {**change, "state": run.to(RunState.CANCELLED).state.value, "ended_at": now}
    if ending.state is RunState.SUCCEEDED:
        change |= {"value": _text(ending.value), "progress": 1.0}
    return {**change, "state": run.to(ending.state).state.value, "ended_at": now}


def _same(connection: Connection, row: Mapping[str, Any]) -> Run:
    """The run that was already submitted with this idempotency key, or for this due time."""
    if row["idempotency_key"] is not None:
        same = runs.c.idempotency_key == row["idempotency_key"]
    else:
        same = sa.and_(runs.c.schedule == row["schedule"], runs.c.due == row["due"])
    return _run(connection.execute(select(runs).where(same)).mappings().one())


def _get(connection: Connection, run_id: str) -> Run:
    row = connection.execute(select(runs).where(runs.c.id == run_id)).mappings().first()
    if row is None:
        raise NotFound(f"There is no run {run_id[:60]!r}.", hint="`jupyter slipway runs` lists those there are.")
    return _run(row)


def _older(connection: Connection, after: str) -> sa.ColumnElement[bool]:
    queued_at = connection.execute(select(runs.c.queued_at).where(runs.c.id == after)).scalar()
    if queued_at is None:
        raise BadRequest(
            f"{after[:60]!r} is not the end of a page of runs.", hint="Pass the 'next' of the page before."
        )
    return tuple_(runs.c.queued_at, runs.c.id) < tuple_(sa.literal(queued_at), sa.literal(after))


def _state(state: RunState | str) -> str:
    try:
        return RunState(state).value
    except ValueError:
        raise BadRequest(
            f"{state[:40]!r} is not a state of a run.", hint=f"The states are {', '.join(RunState)}."
        ) from None


def _not_ended(run: Run) -> Conflict:
    return Conflict(
        f"Run {run.id} is {run.state} and cannot be retried yet.",
        hint="Wait for its end, or cancel it first.",
    )


def _mine(claim: Claim) -> tuple[sa.ColumnElement[bool], ...]:
    """True only of the row of a claim that nobody has taken over since."""
    return (
        runs.c.id == claim.run.id,
        runs.c.fence == claim.fence,
        runs.c.state == RunState.RUNNING.value,
    )


def _claim(row: RowMapping) -> Claim:
    return Claim(_run(row), row["fence"], row["attempts"])


def _run(row: RowMapping) -> Run:
    given = dict(row)
    return Run(
        id=given["id"],
        job=given["job"],
        version=given["version"],
        state=RunState(given["state"]),
        queued_at=_time(given["queued_at"]),
        parameters=_read(given.get("parameters"), dict) or {},
        author=given.get("author", ""),
        trigger=given.get("trigger", "manual"),
        schedule=given.get("schedule"),
        due=_when(given.get("due")),
        attempt=given.get("attempt", 0),
        policy=_read(given.get("policy"), Policy) or Policy(),
        started_at=_when(given.get("started_at")),
        ended_at=_when(given.get("ended_at")),
        digest=given.get("digest", ""),
        value=_read(given.get("value"), Any),
        error=_read(given.get("error"), RunError),
        progress=given.get("progress"),
        progress_text=given.get("progress_text", ""),
        cpu_seconds=given.get("cpu_seconds"),
        peak_memory=None if given.get("peak_memory") is None else int(given["peak_memory"]),
        duration=given.get("duration"),
        retry_of=given.get("retry_of"),
        cancelling=bool(given.get("cancel")) and given["state"] == RunState.RUNNING,
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _when(seconds: float | None) -> datetime | None:
    return None if seconds is None else _time(seconds)


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _read(text: str | None, kind: Any) -> Any:
    return None if text is None else from_json(text, kind)


def _plain(run_id: str) -> bool:
    return run_id.replace("-", "").isalnum()
