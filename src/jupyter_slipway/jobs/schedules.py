"""When jobs run by themselves: cron in a time zone, each due time fired once, however many runners look.

Set from the dialog, the job's page, the command line; fired by the runner.

What is due at one moment is queued in one transaction: the runs are queued and the schedules moved on, by
compare-and-set, or neither. The queue, too, knows each run by (schedule, due).
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeAlias, get_args
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection, RowMapping, bindparam, delete, insert, select, update
from sqlalchemy.exc import OperationalError

from jupyter_slipway.db import Database
from jupyter_slipway.db.tables import schedule as table
from jupyter_slipway.decoding import from_json
from jupyter_slipway.errors import NotFound, Unprocessable
from jupyter_slipway.ids import new_id
from jupyter_slipway.jobs.model import CatchUp, Schedule

log = logging.getLogger(__name__)

UPCOMING = 5
ON_TIME = 60.0
"""Seconds after which a due time counts as missed, and the catch-up policy decides."""
LOOK_BACK = 100_000
"""Due times that are counted one by one after a long absence; beyond, `missed` says at least."""

NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


# Built once: building a statement costs more than executing it, and 200 schedules may be due at one moment.
MOVE = (
    update(table)
    .where(table.c.id == bindparam("this"), table.c.rev == bindparam("seen"))
    .values(
        next_due=bindparam("following", type_=table.c.next_due.type),
        missed=table.c.missed + bindparam("more"),
        rev=table.c.rev + 1,
    )
)
"""The compare-and-set that moves a schedule on."""


class Due(Struct, frozen=True):
    """A time at which a schedule wants a run."""

    schedule: Schedule
    at: datetime


Submit: TypeAlias = Callable[[Sequence[Due]], None]
"""Queues a run for each, all or none."""


class Move(Struct, frozen=True):
    """What firing does to one schedule: the parameters of MOVE, and the runs it wants."""

    parameters: dict[str, Any]
    due: tuple[Due, ...]


class Preview(Struct, frozen=True):
    """What a cron expression means."""

    words: str
    upcoming: tuple[datetime, ...]
    """The next five times, in its time zone."""


class Schedules:
    """The schedules in `database`; at most one for each job."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self.database = database
        self.clock = clock

    def set(
        self,
        job: str,
        cron: str,
        tz: str,
        *,
        parameters: dict[str, Any] | None = None,
        catch_up: CatchUp = "latest",
        cap: int = 10,
        enabled: bool = True,
    ) -> Schedule:
        """Give the job this schedule, in place of the one it may have.

        Raises:
            Unprocessable: cron, time zone, policy or cap cannot be
        """
        _checked(catch_up, cap)
        now = self.clock()
        row = {
            "cron": cron.strip(),
            "tz": tz,
            "enabled": int(enabled),
            "catch_up": catch_up,
            "cap": cap,
            "parameters": msgspec.json.encode(parameters or {}).decode(),
            "next_due": next_due(cron, tz, now),
            "missed": 0,
        }
        with self.database.write() as connection:
            changed = connection.execute(update(table).where(table.c.job == job).values(**row, rev=table.c.rev + 1))
            if not changed.rowcount:
                connection.execute(insert(table).values(id=new_id("schedule"), job=job, **row))
            return self._get(connection, job)

    def get(self, job: str) -> Schedule | None:
        with self.database.read() as connection:
            row = _row(connection, job)
        return None if row is None else self._schedule(row)

    def all(self) -> tuple[Schedule, ...]:
        """All of them, by job."""
        with self.database.read() as connection:
            rows = connection.execute(select(table).order_by(table.c.job)).mappings().all()
        return tuple(self._schedule(row) for row in rows)

    def pause(self, job: str) -> Schedule:
        """Fire nothing until resumed; what comes due meanwhile is no miss.

        Raises:
            NotFound: the job has no schedule
        """
        return self._change(job, {"enabled": 0})

    def resume(self, job: str) -> Schedule:
        """Fire again, from the next time on.

        Raises:
            NotFound: the job has no schedule
        """
        with self.database.read() as connection:
            found = self._get(connection, job)
        return self._change(job, {"enabled": 1, "next_due": next_due(found.cron, found.tz, self.clock())})

    def delete(self, job: str) -> None:
        """
        Raises:
            NotFound: the job has no schedule
        """
        with self.database.write() as connection:
            if not connection.execute(delete(table).where(table.c.job == job)).rowcount:
                raise _no_schedule(job)

    def preview(self, cron: str, tz: str) -> Preview:
        """What it says in words, and the next five times.

        Raises:
            Unprocessable: cron or time zone cannot be
        """
        return Preview(words(cron, tz), tuple(islice(times(cron, tz, self.clock()), UPCOMING)))

    # ── for the runner ──────────────────────────────────────────────────────────────────────────────────────

    def jobs(self) -> frozenset[str]:
        """The jobs whose schedules are not paused."""
        with self.database.read() as connection:
            return frozenset(connection.execute(select(table.c.job).where(table.c.enabled == 1)).scalars())

    def fire(self, now: float, submit: Submit) -> float | None:
        """Submit what is due at `now` (epoch seconds); when the next is due, None when nothing ever is.

        `submit` may be called again with the same schedule and due time, and must then do nothing.
        """
        import cronsim  # noqa: F401  10 ms, which the first due time must not wait for

        due = select(table).where(table.c.enabled == 1, table.c.next_due <= now).order_by(table.c.next_due)
        with self.database.read() as connection:
            rows = connection.execute(due).mappings().all()
        for some in batched(rows):
            self._fire(some, now, submit)
        with self.database.read() as connection:
            soonest: float | None = connection.execute(
                select(sa.func.min(table.c.next_due)).where(table.c.enabled == 1)
            ).scalar()
            return soonest

    def _fire(self, rows: Sequence[RowMapping], now: float, submit: Submit) -> None:
        """Move these schedules on and submit their runs, in one transaction: each costs a write to disk."""
        # Worked out before the lock is held: a month of missed minutes takes a second to count.
        moves = {row["id"]: _moved(row, now) for row in rows}
        with self.database.write() as connection:
            # A row that is locked is being fired by another runner, one with another `rev` was changed just now.
            unchanged = select(table.c.id, table.c.rev).where(table.c.id.in_(moves)).with_for_update(skip_locked=True)
            mine = [
                moves[row.id] for row in connection.execute(unchanged) if row.rev == moves[row.id].parameters["seen"]
            ]
            if not mine:
                return
            connection.execute(MOVE, [move.parameters for move in mine])
            refused = self._submitted([due for move in mine for due in move.due], submit)
            for schedule, missed in Counter(refused).items():
                connection.execute(update(table).where(table.c.id == schedule).values(missed=table.c.missed + missed))

    def _submitted(self, due: Sequence[Due], submit: Submit) -> list[str]:
        """Submit these, all at once if that works; the ids of the schedules of those that could not be."""
        try:
            with self.database.write():
                submit(due)
        except OperationalError:
            raise
        except Exception:  # not ours, and the other schedules must not wait for the one it is about
            if len(due) > 1:
                return [refused for one in due for refused in self._submitted([one], submit)]
            log.exception("The schedule of %s could not submit its run", due[0].schedule.job)
            return [due[0].schedule.id]
        return []

    def _change(self, job: str, change: dict[str, Any]) -> Schedule:
        with self.database.write() as connection:
            connection.execute(update(table).where(table.c.job == job).values(**change, rev=table.c.rev + 1))
            return self._get(connection, job)

    def _get(self, connection: Connection, job: str) -> Schedule:
        row = _row(connection, job)
        if row is None:
            raise _no_schedule(job)
        return self._schedule(row)

    def _schedule(self, row: RowMapping) -> Schedule:
        upcoming = tuple(islice(times(row["cron"], row["tz"], self.clock()), UPCOMING))
        return msgspec.structs.replace(
            _plain(row),
            words=words(row["cron"], row["tz"]),
            upcoming=upcoming if row["enabled"] else (),
        )


def _plain(row: RowMapping) -> Schedule:
    """The schedule without what has to be worked out: its words and next times."""
    zone = ZoneInfo(row["tz"])
    return Schedule(
        id=row["id"],
        job=row["job"],
        cron=row["cron"],
        tz=row["tz"],
        enabled=bool(row["enabled"]),
        catch_up=row["catch_up"],
        next_due=None if row["next_due"] is None else datetime.fromtimestamp(row["next_due"], zone),
        parameters=from_json(row["parameters"]),
        missed=row["missed"],
        cap=row["cap"],
    )


def _moved(row: RowMapping, now: float) -> Move:
    came_due, following = _came_due(row, now)
    chosen, missed = caught_up(came_due, now, row["catch_up"], row["cap"])
    schedule = _plain(row)
    return Move(
        {"this": row["id"], "seen": row["rev"], "following": following, "more": missed},
        tuple(Due(schedule, datetime.fromtimestamp(due, UTC)) for due in chosen),
    )


def batched(rows: Sequence[RowMapping], size: int = 200) -> Iterator[Sequence[RowMapping]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


def caught_up(due: list[float], now: float, policy: CatchUp, cap: int) -> tuple[list[float], int]:
    """Which of the times that came due are run, oldest first, and how many are not.

    One that is at most a minute late is no miss and always runs.
    """
    late = [one for one in due if now - one > ON_TIME]
    on_time = due[len(late) :]
    if policy == "skip":
        kept = on_time
    elif policy == "latest":
        kept = on_time or late[-1:]
    else:
        kept = late[-cap:] + on_time
    return kept, len(due) - len(kept)


def times(cron: str, tz: str, after: float) -> Iterator[datetime]:
    """The due times after this moment (epoch seconds), in the zone `tz`; none when it never comes.

    They keep to the clock on the wall: 02:30 comes once on the day that has it twice, and once, at 03:00, on
    the day that has it not.

    Raises:
        Unprocessable: cron or time zone cannot be
    """
    found = _simulated(cron, datetime.fromtimestamp(after, _zone(tz)))
    # Asked within an hour that comes twice, cronsim may answer with a time of its first pass.
    return (moment for moment in found if moment.timestamp() > after)


def next_due(cron: str, tz: str, after: float) -> float | None:
    found = next(times(cron, tz, after), None)
    return None if found is None else found.timestamp()


def words(cron: str, tz: str) -> str:
    """'At 03:00, only on Monday (Europe/Berlin)'.

    Raises:
        Unprocessable: cron or time zone cannot be
    """
    _simulated(cron, datetime.fromtimestamp(0, _zone(tz)))
    # 130 ms to import: only who shows a schedule pays them.
    from cron_descriptor import Options, get_description

    options = Options()
    options.use_24hour_time_format = True
    try:
        said = get_description(_fields(cron), options)
    except Exception:  # the library's own limits: what cronsim accepts is right even when it has no words
        said = _fields(cron)
    return f"{said} ({tz})"


def _came_due(row: RowMapping, now: float) -> tuple[list[float], float | None]:
    """The schedule's times up to `now`, oldest first, and the first one after."""
    due, following = [row["next_due"]], None
    for moment in times(row["cron"], row["tz"], row["next_due"]):
        if moment.timestamp() > now:
            following = moment.timestamp()
            break
        due.append(moment.timestamp())
        if len(due) >= LOOK_BACK:
            return due, next_due(row["cron"], row["tz"], now)
    return due, following


def _fields(cron: str) -> str:
    """Five fields.

    Raises:
        Unprocessable: it has another number of them
    """
    fields = NICKNAMES.get(cron.strip().lower(), cron.strip())
    if len(fields.split()) != 5:
        raise Unprocessable(
            f"{cron[:80]!r} has {len(fields.split())} fields, and a schedule has five.",
            hint="Minute, hour, day, month, weekday: '0 3 * * *' is each day at 03:00.",
        )
    return fields


def _simulated(cron: str, after: datetime) -> Iterator[datetime]:
    # 10 ms to import: a server that nobody sets a schedule on does not pay them.
    from cronsim import CronSim, CronSimError

    fields = _fields(cron)
    try:
        return iter(CronSim(fields, after))
    except CronSimError as error:
        raise Unprocessable(
            f"{cron[:80]!r} is not a schedule: {str(error) or 'it cannot be read'}.",
            hint="Minute, hour, day, month, weekday: '30 2 * * 1-5' is 02:30 from Monday to Friday.",
        ) from None


def _zone(tz: str) -> ZoneInfo:
    try:
        return ZoneInfo(tz)
    except (KeyError, ValueError, OSError):
        raise Unprocessable(
            f"{tz[:60]!r} is not a time zone.", hint="Use a name such as 'Europe/Berlin' or 'UTC'."
        ) from None


def _checked(catch_up: str, cap: int) -> None:
    if catch_up not in get_args(CatchUp):
        raise Unprocessable(
            f"{catch_up[:40]!r} is not a way to catch up.",
            hint="'skip' drops what was missed, 'latest' runs the last of it, 'all' runs each, up to the cap.",
        )
    if not 1 <= cap <= 1000:
        raise Unprocessable(f"At most {cap} runs cannot be made up.", hint="The cap is 1 to 1000.")


def _row(connection: Connection, job: str) -> RowMapping | None:
    return connection.execute(select(table).where(table.c.job == job)).mappings().first()


def _no_schedule(job: str) -> NotFound:
    return NotFound(f"{job!r} has no schedule.", hint="Set one from its page or with: jupyter slipway schedule.")
