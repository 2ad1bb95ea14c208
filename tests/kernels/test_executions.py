"""What the host wrote down becomes rows, once, whoever derives them; and past runs give estimates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_slipway.db import Database
from jupyter_slipway.errors import NotFound
from jupyter_slipway.kernels.executions import Executions, binds, estimate, waits
from jupyter_slipway.kernels.host.folder import FACTS
from jupyter_slipway.kernels.model import ExecutionStatus

ABOUT = {"kernel": "k", "spec": "python3", "owner": "ada", "path": "/a.ipynb"}


@pytest.fixture
def database(home: Path):
    database = Database(f"sqlite:///{home}/slipway.db")
    database.create()
    yield database
    database.close()


def write(directory: Path, *facts: dict[str, Any]) -> None:
    with (directory / FACTS).open("a") as file:
        file.writelines(json.dumps(fact) + "\n" for fact in facts)


def queued(identity: str, number: int, person: str = "ada", cell: str = "c", code: str = "x = 1") -> dict[str, Any]:
    return {
        "fact": "queued",
        "at": 100.0,
        "number": number,
        "id": identity,
        "person": person,
        "cell": cell,
        "code": code,
    }


def started(identity: str, at: float) -> dict[str, Any]:
    return {"fact": "started", "at": at, "number": 0, "id": identity}


def ended(identity: str, number: int, at: float, status: str = "ok") -> dict[str, Any]:
    return {"fact": "ended", "at": at, "number": number, "id": identity, "status": status, "count": 1}


BORN = {"fact": "kernel_started", "at": 99.0, "number": 1, "generation": 1, "pid": 1}


def test_an_execution_is_followed_from_its_request_to_its_end(tmp_path: Path, database: Database) -> None:
    executions = Executions(database)
    write(tmp_path, BORN, queued("a", 2))
    assert executions.derive(ABOUT, tmp_path)
    assert executions.get("k", "a").status is ExecutionStatus.QUEUED

    write(tmp_path, started("a", 101.0))
    executions.derive(ABOUT, tmp_path)
    assert executions.get("k", "a").status is ExecutionStatus.RUNNING

    write(tmp_path, ended("a", 9, 103.0))
    executions.derive(ABOUT, tmp_path)
    found = executions.get("k", "a")
    assert (found.status, found.person, found.cell, found.count, found.first, found.last) == ("ok", "ada", "c", 1, 2, 9)
    assert not executions.derive(ABOUT, tmp_path)


def test_two_that_derive_the_same_make_it_once(tmp_path: Path, database: Database) -> None:
    write(tmp_path, BORN, queued("a", 2), started("a", 101.0), ended("a", 9, 103.0), queued("b", 10))
    for executions in (Executions(database), Executions(database)):
        executions.derive(ABOUT, tmp_path)

    assert [(one.id, one.status) for one in Executions(database).page("k").items] == [("b", "queued"), ("a", "ok")]


def test_what_a_killed_host_left_half_written_is_passed_over(tmp_path: Path, database: Database) -> None:
    write(tmp_path, BORN, queued("a", 2))
    with (tmp_path / FACTS).open("a") as file:
        file.write('{"fact": "ended", "id"')
    executions = Executions(database)
    executions.derive(ABOUT, tmp_path)

    assert [one.id for one in executions.page("k").items] == ["a"]


def test_the_file_may_be_rotated_in_between(tmp_path: Path, database: Database) -> None:
    executions = Executions(database)
    write(tmp_path, BORN, queued("a", 2))
    executions.derive(ABOUT, tmp_path)
    write(tmp_path, ended("a", 3, 101.0))
    (tmp_path / FACTS).rename(tmp_path / f"{FACTS}.old")
    write(tmp_path, queued("b", 4))
    executions.derive(ABOUT, tmp_path)

    assert [(one.id, one.status) for one in executions.page("k").items] == [("b", "queued"), ("a", "ok")]


def test_pages_follow_one_another(tmp_path: Path, database: Database) -> None:
    executions = Executions(database)
    write(tmp_path, BORN, *(queued(f"e{number}", number) for number in range(2, 12)))
    executions.derive(ABOUT, tmp_path)
    first = executions.page("k", limit=6)
    second = executions.page("k", limit=6, before=first.next)

    assert [one.id for one in (*first.items, *second.items)] == [f"e{number}" for number in range(11, 1, -1)]
    assert second.next is None


def test_what_nobody_wrote_down_the_end_of_ends_with_its_kernel(tmp_path: Path, database: Database) -> None:
    executions = Executions(database)
    write(tmp_path, BORN, queued("ran", 2), started("ran", 101.0), queued("waited", 4), queued("done", 5))
    write(tmp_path, started("done", 102.0), ended("done", 7, 103.0))
    executions.derive(ABOUT, tmp_path)
    executions.ended("k", "The machine was started anew.", 200.0)
    executions.ended("k", "said again", 300.0)

    ran, waited, done = (executions.get("k", name) for name in ("ran", "waited", "done"))
    assert (ran.status, waited.status, done.status) == (
        ExecutionStatus.ERROR,
        ExecutionStatus.ABORTED,
        ExecutionStatus.OK,
    )
    assert ran.reason == waited.reason == "The machine was started anew."
    assert (done.reason, ran.ended_at and ran.ended_at.timestamp()) == ("", 200.0)


def test_an_unknown_execution_is_not_found(database: Database) -> None:
    with pytest.raises(NotFound, match="no execution 'z'"):
        Executions(database).get("k", "z")


def test_an_estimate_is_of_past_runs_that_went_well(tmp_path: Path, database: Database) -> None:
    executions = Executions(database)
    write(tmp_path, BORN)
    for number, (took, status) in enumerate([(1.0, "ok"), (3.0, "ok"), (5.0, "ok"), (90.0, "error")], start=2):
        name = f"e{number}"
        write(tmp_path, queued(name, number), started(name, 200.0), ended(name, number, 200.0 + took, status))
    executions.derive(ABOUT, tmp_path)

    assert estimate(executions.durations("k", ["c", "other"])["c"]) == 3.0
    assert estimate([]) is None


def test_a_wait_is_the_sum_of_those_before_less_what_has_passed() -> None:
    assert waits([10.0, 2.0, None, 1.0], running_for=4.0) == [0.0, 6.0, 8.0, None]
    assert waits([10.0, 2.0], running_for=None) == [0.0, 10.0]
    assert waits([10.0, 2.0], running_for=60.0) == [0.0, 0.0]


@pytest.mark.parametrize(
    "code",
    [
        "df = 1",
        "import pandas as df",
        "for df in x: pass",
        "def df(): pass",
        "with open('x') as df: pass",
        "%time\ndf += 1",
        "(a, (df, b)) = f()",
    ],
)
def test_code_that_binds_a_name_is_recognised(code: str) -> None:
    assert binds(code, "df")


@pytest.mark.parametrize("code", ["df.x", "def f():\n    df = 1", "[df for df in x]", "lambda df: df", "df = ("])
def test_code_that_binds_it_elsewhere_or_not_at_all_does_not(code: str) -> None:
    assert not binds(code, "df")
