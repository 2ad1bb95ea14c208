"""The registry: numbers, digests, production, and what it refuses."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from jupyter_slipway.db import Database
from jupyter_slipway.errors import BadRequest, Conflict, NotFound
from jupyter_slipway.events import Changed, Events
from jupyter_slipway.jobs.compare import Change, compare
from jupyter_slipway.jobs.model import DIGEST_FORMAT, digest
from jupyter_slipway.jobs.registry import Registry
from jupyter_slipway.publish.model import CellPlan, Difference, Environment, Package, Parameter, Proof
from tests.builders import a_version


@pytest.fixture
def registry(store: str) -> Iterator[Registry]:
    database = Database(store)
    database.create()
    yield Registry(database, Events())
    database.close()


def test_versions_count_from_one_and_production_follows(registry: Registry) -> None:
    registry.publish(a_version(module="a = 1\n"))
    second = registry.publish(a_version(module="a = 2\n"))

    assert second.created
    assert second.version.number == 2
    assert registry.job("churn-daily").production == 2
    assert registry.version("churn-daily") == second.version
    assert [version.number for version in registry.versions("churn-daily")] == [2, 1]


def test_the_same_content_makes_no_new_version(registry: Registry) -> None:
    first = registry.publish(a_version())
    again = registry.publish(a_version(author="bo", note="again"))

    assert not again.created
    assert again.version == first.version


def test_what_differs_from_the_notebook_does_not_enter_production(registry: Registry) -> None:
    registry.publish(a_version())
    differs = Proof("differs", differences=(Difference("x", "1", "2"),))
    registry.publish(a_version(module="a = 2\n", proof=differs))

    assert (registry.job("churn-daily").production, registry.job("churn-daily").latest) == (1, 2)


def test_roll_back_moves_production(registry: Registry) -> None:
    registry.publish(a_version(module="a = 1\n"))
    registry.publish(a_version(module="a = 2\n"))

    assert registry.roll_back("churn-daily", 1).production == 1
    with pytest.raises(Conflict, match="in production already"):
        registry.roll_back("churn-daily", 1)
    for number in (7, 10**30):
        with pytest.raises(NotFound, match=f"no version {number}"):
            registry.roll_back("churn-daily", number)


def test_a_digest_stays_what_it_was_in_earlier_releases() -> None:
    month = Parameter("month", "int", 6, description="of the flights", cell="c0")
    version = a_version(parameters=(month,), own_modules={"own.py": "x = 1"}, schema={"type": "object"})

    # Another digest for the same version is another DIGEST_FORMAT.
    assert (DIGEST_FORMAT, digest(version)[:16]) == (1, "97b3263ce3283cb7")


@pytest.mark.parametrize("name", ["", "Churn", "churn daily", "a" * 300, "../etc", "a--b", "1a", "a-", "é"])
def test_a_name_that_cannot_be_is_refused(registry: Registry, name: str) -> None:
    with pytest.raises(BadRequest, match="cannot be a job's name"):
        registry.publish(a_version(job=name))

    assert registry.jobs() == []


@pytest.mark.parametrize(
    ("name", "hint"),
    [("churn-dayly", "Did you mean churn-daily?"), ("sums", "There are: churn-daily, totals.")],
)
def test_an_unknown_job_names_the_closest_else_those_there_are(registry: Registry, name: str, hint: str) -> None:
    registry.publish(a_version())
    registry.publish(a_version(job="totals"))
    with pytest.raises(NotFound) as refused:
        registry.job(name)

    assert refused.value.hint == hint


def test_many_publishing_one_name_at_once_each_get_a_number(registry: Registry) -> None:
    numbers: list[int] = []

    def publish(index: int) -> None:
        numbers.append(registry.publish(a_version(module=f"a = {index}\n")).version.number)

    threads = [threading.Thread(target=publish, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(numbers) == list(range(1, 9))


def test_what_was_published_without_a_verdict_takes_the_first_one(registry: Registry) -> None:
    registry.publish(a_version(proof=None))
    late = registry.publish(a_version(proof=Proof("not comparable")))
    proved = registry.publish(a_version(proof=Proof("same", seconds=1.0), author="bob"))
    again = registry.publish(a_version(proof=Proof("differs")))

    assert [one.proved for one in (late, proved, again)] == [False, True, False]
    kept = registry.version("churn-daily", 1)
    assert kept == proved.version == again.version
    assert kept.proof == Proof("same", seconds=1.0)
    assert (kept.author, kept.number, digest(kept)) == (late.version.author, 1, kept.digest)
    assert len(registry.versions("churn-daily")) == 1


def test_a_stored_version_keeps_its_digest(registry: Registry) -> None:
    version = registry.publish(a_version(parameters=(Parameter("month", "int", 1),))).version

    assert digest(registry.version("churn-daily", 1)) == version.digest


def test_choices_count_and_their_absence_changes_no_digest_of_before() -> None:
    plain = a_version(parameters=(Parameter("month", "int", 1),))
    chosen = a_version(parameters=(Parameter("month", "int", 1, choices=(1, 2)),))

    assert digest(plain) == "5ad5b7d5dc3d8b78a2e784809d537baf693bdb5dd13f5bce50a98b726212306b"
    assert digest(chosen) != digest(plain)


def test_listeners_hear_of_a_published_version(store: str) -> None:
    database, events = Database(store), Events()
    database.create()
    heard: list[Changed] = []
    events.subscribe(heard.append)
    Registry(database, events).publish(a_version())
    database.close()

    assert heard == [Changed("job", "churn-daily")]


def test_a_comparison_names_what_changed() -> None:
    old = a_version(
        number=1,
        cells=(CellPlan(0, "c0", True, "defines x", "x = 1"),),
        parameters=(Parameter("month", "int", 1),),
        environment=Environment("3.11.7", True, (Package("pandas", "2.2.0"),)),
    )
    new = a_version(
        number=2,
        module="def main():\n    return {'x': 2}\n",
        cells=(CellPlan(0, "c0", True, "defines x", "x = 2"),),
        parameters=(Parameter("month", "int", 6),),
        environment=Environment("3.11.7", True, (Package("pandas", "3.0.0"),)),
    )
    found = compare(old, new)

    assert found.parameters == (Change("month", "int = 1", "int = 6"),)
    assert found.packages == (Change("pandas", "2.2.0", "3.0.0"),)
    assert "+    return {'x': 2}" in found.module
    assert found.notebook_diff
