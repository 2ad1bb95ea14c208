"""When jobs run by themselves: the clock on the wall, and each due time once."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from jupyter_slipway.db import Database
from jupyter_slipway.errors import Conflict, NotFound, Unprocessable
from jupyter_slipway.jobs import schedules as module
from jupyter_slipway.jobs.schedules import Schedules, caught_up, next_due, times

BERLIN = "Europe/Berlin"


class Clock:
    """A clock that a test sets, in Berlin's time."""

    def __init__(self, text: str = "2026-06-01T12:00:00") -> None:
        self.set(text)

    def set(self, text: str, zone: str = BERLIN) -> None:
        self.now = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(store):
    database = Database(store)
    database.create()
    yield database
    database.close()


@pytest.fixture
def schedules(database, clock) -> Schedules:
    return Schedules(database, clock=clock)


class Submitted(list):
    """Takes what a schedule submits, as texts of the time in its zone."""

    def __call__(self, due):
        self.extend(one.at.astimezone(ZoneInfo(one.schedule.tz)).isoformat() for one in due)


def after(cron: str, text: str, count: int, tz: str = BERLIN) -> list[str]:
    start = datetime.fromisoformat(text).timestamp()
    return [moment.isoformat() for moment in islice(times(cron, tz, start), count)]


# ── daylight saving ─────────────────────────────────────────────────────────────────────────────────────────


def test_half_past_two_comes_once_in_autumn():
    assert after("30 2 * * *", "2026-10-24T12:00+02:00", 2) == [
        "2026-10-25T02:30:00+02:00",
        "2026-10-26T02:30:00+01:00",
    ]


def test_half_past_two_comes_once_in_spring_at_three():
    assert after("30 2 * * *", "2026-03-28T12:00+01:00", 2) == [
        "2026-03-29T03:00:00+02:00",
        "2026-03-30T02:30:00+02:00",
    ]


def test_asked_within_the_doubled_hour_it_does_not_come_again():
    for moment in ("02:00+01:00", "02:15+01:00", "02:30+01:00", "02:59+01:00"):
        assert after("30 2 * * *", f"2026-10-25T{moment}", 1) == ["2026-10-26T02:30:00+01:00"]


def test_every_half_hour_goes_on_through_the_doubled_hour():
    assert after("*/30 * * * *", "2026-10-25T01:30+02:00", 5) == [
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:30:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T02:30:00+01:00",
        "2026-10-25T03:00:00+01:00",
    ]


@pytest.mark.parametrize(("start", "days", "expected"), [("2026-10-20", 10, 10), ("2026-03-25", 10, 10)])
def test_fired_day_by_day_each_day_has_one_run(schedules, clock, start, days, expected):
    submitted = Submitted()
    clock.set(f"{start}T00:00:00")
    schedules.set("churn", "30 2 * * *", BERLIN)
    end = clock.now + days * 86400
    while clock.now < end:
        schedules.fire(clock.now, submitted)
        clock.now += 900

    assert len(submitted) == expected
    assert len({text[:10] for text in submitted}) == expected


# ── what it is ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_schedule_says_itself_in_words_with_its_next_times(schedules):
    schedule = schedules.set("churn", "0 3 * * 1-5", BERLIN, parameters={"month": 6})

    assert (schedule.words, schedule.parameters) == (
        "At 03:00, Monday through Friday (Europe/Berlin)",
        {"month": 6},
    )
    assert [moment.isoformat() for moment in schedule.upcoming][:2] == [
        "2026-06-02T03:00:00+02:00",
        "2026-06-03T03:00:00+02:00",
    ]
    assert len(schedule.upcoming) == 5
    assert schedule.next_due == schedule.upcoming[0]
    assert schedules.get("churn") == schedule
    assert schedules.all() == (schedule,)
    assert schedules.get("other") is None


def test_a_preview_is_the_same_without_a_job(schedules):
    preview = schedules.preview("@daily", "UTC")

    assert preview.words == "At 00:00 (UTC)"
    assert preview.upcoming[0] == datetime(2026, 6, 2, tzinfo=UTC)
    assert schedules.all() == ()


def test_set_again_it_is_changed_and_stays_one(schedules):
    first = schedules.set("churn", "0 3 * * *", BERLIN)
    second = schedules.set("churn", "0 4 * * *", "UTC", catch_up="all", cap=3)

    assert second.id == first.id
    assert (second.cron, second.tz, second.catch_up, second.cap) == ("0 4 * * *", "UTC", "all", 3)
    assert len(schedules.all()) == 1


@pytest.mark.parametrize(
    ("cron", "tz", "named"),
    [
        ("61 * * * *", "UTC", "'61 \\* \\* \\* \\*' is not a schedule"),
        ("* * *", "UTC", "has 3 fields"),
        ("0 0 3 * * *", "UTC", "has 6 fields"),
        ("", "UTC", "has 0 fields"),
        ("0 0 30 2 *", "UTC", "is not a schedule"),
        ("every day", "UTC", "has 2 fields"),
        ("0 3 * * *", "Mars/Olympus", "'Mars/Olympus' is not a time zone"),
        ("0 3 * * *", "", "'' is not a time zone"),
        ("0 3 * * *", "../../etc/passwd", "is not a time zone"),
    ],
)
def test_what_cannot_be_is_refused_by_name(schedules, cron, tz, named):
    for call in (schedules.preview, lambda cron, tz: schedules.set("churn", cron, tz)):
        with pytest.raises(Unprocessable, match=named):
            call(cron, tz)
    assert schedules.all() == ()


@pytest.mark.parametrize("wrong", [{"catch_up": "some"}, {"cap": 0}, {"cap": 5000}])
def test_a_policy_that_cannot_be_is_refused(schedules, wrong):
    with pytest.raises(Unprocessable):
        schedules.set("churn", "0 3 * * *", BERLIN, **wrong)


def test_pause_resume_and_delete(schedules, clock):
    submitted = Submitted()
    schedules.set("churn", "0 * * * *", BERLIN, catch_up="all")
    assert (schedules.pause("churn").enabled, schedules.get("churn").upcoming) == (False, ())
    clock.now += 4 * 3600
    assert schedules.fire(clock.now, submitted) is None
    resumed = schedules.resume("churn")
    assert (resumed.enabled, resumed.missed) == (True, 0)
    assert schedules.fire(clock.now, submitted) == resumed.next_due.timestamp()
    assert submitted == []
    schedules.delete("churn")
    assert schedules.fire(clock.now + 7200, submitted) is None
    for call in (schedules.pause, schedules.resume, schedules.delete):
        with pytest.raises(NotFound, match="'churn' has no schedule"):
            call("churn")


# ── firing ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_due_is_submitted_once(schedules, clock):
    submitted = Submitted()
    schedules.set("churn", "0 * * * *", BERLIN)
    assert schedules.fire(clock.now, submitted) == clock.now + 3600
    clock.now += 3600
    following = [schedules.fire(clock.now, submitted) for _ in range(3)]

    assert following == [clock.now + 3600] * 3
    assert submitted == ["2026-06-01T13:00:00+02:00"]
    assert schedules.get("churn").missed == 0


@pytest.mark.parametrize(
    ("policy", "kept", "missed"),
    [
        ("skip", [], 5),
        ("latest", ["2026-06-01T17:00:00+02:00"], 4),
        (
            "all",
            ["2026-06-01T15:00:00+02:00", "2026-06-01T16:00:00+02:00", "2026-06-01T17:00:00+02:00"],
            2,
        ),
    ],
)
def test_what_came_due_while_all_was_down_follows_the_policy_and_is_counted(schedules, clock, policy, kept, missed):
    submitted = Submitted()
    schedules.set("churn", "0 * * * *", BERLIN, catch_up=policy, cap=3)
    clock.now += 5.5 * 3600
    schedules.fire(clock.now, submitted)

    assert submitted == kept
    assert schedules.get("churn").missed == missed


def test_a_long_absence_is_counted_and_does_not_flood(schedules, clock):
    submitted = Submitted()
    schedules.set("churn", "* * * * *", "UTC", catch_up="all", cap=10)
    clock.now += 7 * 86400 + 90  # 10,081 minutes: the last of them is not late yet
    schedules.fire(clock.now, submitted)

    assert len(submitted) == 11
    assert schedules.get("churn").missed == 10081 - 11


def test_a_time_that_is_barely_late_always_runs():
    assert caught_up([0.0, 60.0, 120.0], 130.0, "skip", 10) == ([120.0], 2)
    assert caught_up([0.0, 60.0, 120.0], 130.0, "latest", 10) == ([120.0], 2)
    assert caught_up([0.0, 60.0, 120.0], 130.0, "all", 1) == ([60.0, 120.0], 1)


def test_one_job_that_cannot_be_submitted_does_not_hold_the_others(schedules, clock):
    submitted = Submitted()

    def submit(due):
        jobs = {one.schedule.job for one in due}
        if "broken" in jobs:
            raise Conflict("The digest differs.")
        if "bug" in jobs:
            raise KeyError("a bug")
        submitted(due)

    for job in ("broken", "bug", "fine"):
        schedules.set(job, "0 * * * *", BERLIN)
    clock.now += 3600
    schedules.fire(clock.now, submit)

    assert submitted == ["2026-06-01T13:00:00+02:00"]
    assert [schedules.get(job).missed for job in ("broken", "bug", "fine")] == [1, 1, 0]


def test_killed_in_between_nothing_is_lost(schedules, clock):
    submitted = Submitted()
    schedules.set("churn", "0 * * * *", BERLIN)
    clock.now += 3600

    def killed(due):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        schedules.fire(clock.now, killed)
    schedules.fire(clock.now, submitted)

    assert submitted == ["2026-06-01T13:00:00+02:00"]


def test_a_schedule_changed_meanwhile_is_not_fired_by_what_was_read_before(schedules, clock, monkeypatch):
    submitted = Submitted()
    schedules.set("a", "0 * * * *", BERLIN)
    schedules.set("b", "0 * * * *", BERLIN)
    clock.now += 3600
    moved = module._moved

    def paused_just_then(row, now):
        if row["job"] == "b":
            schedules.pause("b")
        return moved(row, now)

    monkeypatch.setattr(module, "_moved", paused_just_then)
    schedules.fire(clock.now, submitted)

    assert len(submitted) == 1


def test_a_time_that_never_comes_again_ends_quietly(schedules):
    assert (
        next_due("0 0 29 2 *", "UTC", datetime(2026, 6, 1, tzinfo=UTC).timestamp())
        == datetime(2028, 2, 29, tzinfo=UTC).timestamp()
    )
