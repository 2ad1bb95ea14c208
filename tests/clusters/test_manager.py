"""What people do with clusters, and what time does to them: on the backend that is instant, with a clock of ours."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jupyter_slipway.clusters.backends import Backends
from jupyter_slipway.clusters.backends.memory import Memory
from jupyter_slipway.clusters.life import Rules
from jupyter_slipway.clusters.manager import LEASE, Manager
from jupyter_slipway.clusters.model import ClusterState, Status, Workers
from jupyter_slipway.clusters.profiles import Profiles
from jupyter_slipway.clusters.quota import Beyond, Quota
from jupyter_slipway.clusters.store import Store
from jupyter_slipway.db import Database
from jupyter_slipway.errors import BadRequest, Conflict, Forbidden, NotFound, SlipwayError, Unavailable, Unprocessable
from jupyter_slipway.events import Changed, Events

PROFILES = """
tiny:
  backend: memory
  title: Tiny
  options: {workers: {minimum: 2, maximum: 2}, cores: 1, memory: 1 GiB}
  limits: {workers: 8, cores: 4, memory: 8 GiB}
  price: 1.5
  currency: EUR
doomed:
  backend: memory
  options: {fails: no room in the data centre}
"""
MINUTE = 60.0


@dataclass
class Bench:
    """A home with clusters, a clock that stands until it is moved, and what was announced."""

    home: Path
    database: Database
    quota: Quota = field(default_factory=Quota)
    now: float = 1_000_000.0
    told: list[Changed] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.home / "profiles.yaml").write_text(PROFILES)
        self.manager = self.another_manager()

    def another_manager(self) -> Manager:
        """As another process would make it, on the same home."""
        events = Events()
        events.subscribe(self.told.append)
        backends = Backends()
        return Manager(
            Store(self.database),
            backends,
            Profiles(self.home / "profiles.yaml", backends),
            events,
            self.home,
            quota=self.quota,
            rules=Rules(timedelta(minutes=20), timedelta(seconds=10)),
            clock=lambda: self.now,
        )

    def new(self, name: str = "etl", owner: str = "ada", **options: Any) -> None:
        self.manager.create(name, "tiny", options, owner)

    def running(self, name: str = "etl", owner: str = "ada", **options: Any) -> None:
        self.new(name, owner, **options)
        asyncio.run(self.manager.start(name, owner))
        assert self.step(name) is ClusterState.RUNNING

    def step(self, name: str = "etl") -> ClusterState:
        asyncio.run(self.manager.step(name))
        return self.manager.get(name).state

    def ref(self, name: str = "etl") -> dict[str, str]:
        return {"directory": str(self.home / "clusters" / name)}


@pytest.fixture
def bench(home: Path, store: str) -> Iterator[Bench]:
    database = Database(store)
    database.create()
    yield Bench(home, database)
    database.close()


# ── names, profiles, owners ─────────────────────────────────────────────────────────────────────────────────────


def test_a_new_cluster_is_its_makers_and_stopped(bench: Bench) -> None:
    bench.new("etl", "ada", workers={"maximum": 4})

    found = bench.manager.get("etl")
    assert (found.owner, found.state, found.profile, found.price, found.currency) == (
        "ada",
        ClusterState.STOPPED,
        "tiny",
        1.5,
        "EUR",
    )
    assert found.workers == Workers(2, 4)
    assert found.memory == 2**30


@pytest.mark.parametrize("name", ["", "Etl", "9etl", "etl_dask", "etl/dask", "../etl", "e", "etl-", "e" * 64])
def test_a_name_that_cannot_be_one_is_refused(bench: Bench, name: str) -> None:
    with pytest.raises(Unprocessable, match="cannot be a cluster's name"):
        bench.new(name)


@pytest.mark.parametrize("question", ["packages", "figures"])
def test_one_that_is_stopped_while_it_is_asked_says_so(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, question: str
) -> None:
    bench.running()

    async def cut_off(self: Memory, ref: Any) -> None:
        await bench.manager.stop("etl", "ada")
        raise Unavailable("CommClosedError: in <TLS (closed)>")

    monkeypatch.setattr(Memory, question, cut_off)
    ask = {"packages": lambda: bench.manager.compare("etl", {}, "ada"), "figures": lambda: bench.manager.figures("etl")}

    with pytest.raises(Conflict, match="etl is stop"):
        asyncio.run(ask[question]())


def test_a_name_is_taken_once(bench: Bench) -> None:
    bench.new()

    with pytest.raises(Conflict, match="already a cluster 'etl'"):
        bench.new(owner="bob")


def test_an_unknown_profile_is_refused_with_those_there_are(bench: Bench) -> None:
    with pytest.raises(NotFound, match="'huge'") as refused:
        bench.manager.create("etl", "huge", {}, "ada")

    assert "tiny" in refused.value.hint


def test_an_unknown_cluster_is_not_found(bench: Bench) -> None:
    for act in (bench.manager.get, lambda name: bench.manager.keep(name, "ada")):
        with pytest.raises(NotFound, match="no cluster 'etl'"):
            act("etl")


@pytest.mark.parametrize("verb", ["start", "stop", "scale", "delete"])
def test_only_its_owner_changes_a_cluster(bench: Bench, verb: str) -> None:
    bench.running()
    more = (Workers(1, 1),) if verb == "scale" else ()

    with pytest.raises(Forbidden, match=r"etl is ada's: bob can use it"):
        asyncio.run(getattr(bench.manager, verb)("etl", "bob", *more))

    assert bench.manager.get("etl").state is ClusterState.RUNNING


# ── its life ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_started_cluster_runs_and_a_stopped_one_has_stopped(bench: Bench) -> None:
    bench.running()
    assert bench.manager.get("etl").live_workers == 2

    found = asyncio.run(bench.manager.stop("etl", "ada"))

    assert (found.state, found.reason, found.live_workers) == (ClusterState.STOPPED, "ada stopped it", 0)


def test_one_that_does_not_answer_is_what_it_was_and_says_since_when(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.running()
    since = bench.now

    async def silent(self: Memory, ref: Any) -> Status:
        return Status(ClusterState.RUNNING, waiting="its host to answer", workers=None, silent=True, working=True)

    with monkeypatch.context() as held:
        held.setattr(Memory, "find", silent)
        bench.step()
        bench.now += MINUTE
        bench.step()

        found = bench.manager.get("etl")
        assert (found.state, found.live_workers, found.waiting) == (ClusterState.RUNNING, 2, "its host to answer")
        assert found.silent_since == datetime.fromtimestamp(since, UTC)

    bench.step()
    found = bench.manager.get("etl")
    assert (found.live_workers, found.waiting, found.silent_since) == (2, "", None)


def test_each_change_is_told(bench: Bench) -> None:
    bench.running()
    bench.told.clear()

    asyncio.run(bench.manager.stop("etl", "ada"))

    assert set(bench.told) == {Changed("cluster", "etl")}


def test_starting_one_that_runs_changes_nothing(bench: Bench) -> None:
    bench.running()
    before = bench.manager.revisions()

    asyncio.run(bench.manager.start("etl", "ada"))

    assert bench.manager.revisions() == before


def test_one_that_cannot_be_made_has_failed_and_says_why(bench: Bench) -> None:
    bench.manager.create("etl", "doomed", {}, "ada")

    with pytest.raises(SlipwayError, match="no room in the data centre"):
        asyncio.run(bench.manager.start("etl", "ada"))

    found = bench.manager.get("etl")
    assert (found.state, found.wanted, found.reason) == (ClusterState.FAILED, "stopped", "no room in the data centre")


def test_one_that_failed_can_be_started_again(bench: Bench) -> None:
    bench.running()
    Memory().lose(bench.ref(), "failed", "its host was killed")
    assert bench.step() is ClusterState.FAILED

    asyncio.run(bench.manager.start("etl", "ada"))

    assert bench.step() is ClusterState.RUNNING
    assert bench.manager.get("etl").reason == ""


def test_after_a_reboot_it_is_stopped_and_nobody_wants_it_running(bench: Bench) -> None:
    bench.running()
    Memory().lose(bench.ref(), "stopped", "the machine was started anew")

    assert bench.step() is ClusterState.STOPPED

    found = bench.manager.get("etl")
    assert (found.wanted, found.reason) == ("stopped", "the machine was started anew")
    assert bench.manager.unsettled() == []


def test_another_process_finds_what_the_first_began(bench: Bench) -> None:
    bench.new()
    asyncio.run(bench.manager.start("etl", "ada"))

    asyncio.run(bench.another_manager().step("etl"))

    assert bench.manager.get("etl").state is ClusterState.RUNNING


def test_a_start_that_was_killed_before_it_had_made_anything_is_carried_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    bench.new()
    with monkeypatch.context() as patched:
        patched.setattr(Memory, "create", killed)
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(bench.manager.start("etl", "ada"))
    assert bench.manager.get("etl").state is ClusterState.STARTING

    bench.step()

    assert bench.step() is ClusterState.RUNNING


def test_two_managers_at_once_make_one_cluster(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    create = Memory.create

    async def counted(self: Memory, name: str, *rest: Any) -> Any:
        made.append(name)
        await asyncio.sleep(0.05)
        return await create(self, name, *rest)

    monkeypatch.setattr(Memory, "create", counted)
    managers = [bench.another_manager() for _ in range(4)]
    bench.new()

    async def all_at_once() -> None:
        await asyncio.gather(*(one.start("etl", "ada") for one in managers))
        await asyncio.gather(*(one.step("etl") for one in managers))

    asyncio.run(all_at_once())

    assert made == ["etl"]
    assert bench.step() is ClusterState.RUNNING


def test_one_that_is_stopped_while_it_is_being_made_leaves_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, other = Memory.create, bench.another_manager()

    async def slow(self: Memory, *rest: Any) -> Any:
        ref = await create(self, *rest)
        await other.stop("etl", "ada")
        return ref

    monkeypatch.setattr(Memory, "create", slow)
    bench.new()
    asyncio.run(bench.manager.start("etl", "ada"))
    assert bench.step() is ClusterState.STOPPED

    assert asyncio.run(Memory().find(bench.ref())).state is ClusterState.STOPPED


def test_a_deleted_cluster_leaves_no_file(bench: Bench) -> None:
    bench.running()

    asyncio.run(bench.manager.delete("etl", "ada"))

    assert bench.manager.all() == []
    assert not (bench.home / "clusters" / "etl").exists()
    bench.running()


# ── who uses it ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_idle_cluster_warns_and_then_stops(bench: Bench) -> None:
    bench.running()
    bench.now += 19 * MINUTE
    assert bench.step() is ClusterState.RUNNING
    bench.now += 1 * MINUTE
    assert bench.step() is ClusterState.DRAINING
    assert bench.manager.get("etl").stops_at is not None
    bench.now += 9
    assert bench.step() is ClusterState.DRAINING
    bench.now += 1

    assert bench.step() is ClusterState.STOPPED
    assert bench.manager.get("etl").reason == "it was idle for 20 min"


def test_keep_undoes_the_warning_for_anybody(bench: Bench) -> None:
    bench.running()
    bench.step()
    bench.now += 20 * MINUTE
    assert bench.step() is ClusterState.DRAINING

    assert bench.manager.keep("etl", "bob").state is ClusterState.RUNNING

    bench.now += 19 * MINUTE
    assert bench.step() is ClusterState.RUNNING


def test_whose_run_has_started_anothers_cluster_is_said_and_the_owner_stays_the_owner(bench: Bench) -> None:
    bench.running()
    asyncio.run(bench.manager.stop("etl", "ada"))

    started = asyncio.run(bench.manager.start("etl", "ada", why="bob's run r1 started it"))

    assert (started.owner, started.reason) == ("ada", "bob's run r1 started it")
    bench.step()
    assert bench.manager.get("etl").reason == "bob's run r1 started it"


def test_work_under_way_keeps_it(bench: Bench) -> None:
    bench.running()
    Memory().work(bench.ref(), "kernel-1", 3)
    bench.now += 60 * MINUTE
    assert bench.step() is ClusterState.RUNNING

    Memory().work(bench.ref(), "kernel-1", 0)
    assert bench.step() is ClusterState.RUNNING
    bench.now += 20 * MINUTE
    assert bench.step() is ClusterState.DRAINING

    Memory().work(bench.ref(), "kernel-1", 1)
    assert bench.step() is ClusterState.RUNNING


def test_who_never_held_it_lets_go_of_nothing_else(bench: Bench, tmp_path: Path) -> None:
    bench.running()
    theirs = tmp_path / "theirs.txt"
    theirs.touch()

    bench.manager.detach("etl", str(theirs))

    assert theirs.exists()


def test_a_kernel_that_is_attached_keeps_it(bench: Bench) -> None:
    bench.running()
    given = bench.manager.attach("etl", "kernel-1", "kernel", "bob")
    assert given.cluster.holders == 1
    assert given.attachment.environ["SLIPWAY_CLUSTER"] == "etl"
    bench.now += 60 * MINUTE
    assert bench.step() is ClusterState.RUNNING

    bench.manager.detach("etl", "kernel-1")

    assert bench.step() is ClusterState.RUNNING
    bench.now += 20 * MINUTE
    assert bench.step() is ClusterState.DRAINING


def test_a_dead_kernels_lease_runs_out(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.running()
    bench.manager.attach("etl", "kernel-1", "kernel", "ada")
    monotonic = [0.0]
    monkeypatch.setattr("jupyter_slipway.clusters.manager.time.monotonic", lambda: monotonic[0])
    bench.step()
    monotonic[0] += LEASE / 2
    os.utime(bench.home / "clusters" / "etl" / "leases" / "kernel-1", (1, 1))
    bench.step()
    monotonic[0] += LEASE - 1
    bench.step()
    assert bench.manager.get("etl").holders == 1

    monotonic[0] += 2
    bench.step()

    assert bench.manager.get("etl").holders == 0
    assert bench.manager.attachments() == []


def test_a_holder_has_one_cluster_at_a_time(bench: Bench) -> None:
    bench.running("one")
    bench.running("two")
    bench.manager.attach("one", "kernel-1", "kernel", "ada")

    bench.manager.attach("two", "kernel-1", "kernel", "ada")

    assert [(lease.cluster, lease.holder) for lease in bench.manager.attachments()] == [("two", "kernel-1")]


def test_nothing_attaches_to_a_cluster_that_does_not_run(bench: Bench) -> None:
    bench.new()

    with pytest.raises(Conflict, match="etl is stopped"):
        bench.manager.attach("etl", "kernel-1", "kernel", "ada")


@pytest.mark.parametrize("holder", ["", "../../x", "a/b", "a b", "x" * 81])
def test_an_id_that_could_be_a_path_is_refused(bench: Bench, holder: str) -> None:
    bench.running()

    with pytest.raises(BadRequest, match="cannot be the id"):
        bench.manager.attach("etl", holder, "kernel", "ada")


# ── what it costs ───────────────────────────────────────────────────────────────────────────────────────────────


def test_its_cost_is_workers_times_hours_times_price(bench: Bench) -> None:
    bench.running()
    bench.now += 3600
    assert bench.manager.get("etl").cost == pytest.approx(2 * 1.5)

    asyncio.run(bench.manager.scale("etl", "ada", Workers(4, 4)))
    bench.step()
    bench.manager.keep("etl", "ada")
    bench.now += 1800
    asyncio.run(bench.manager.stop("etl", "ada"))
    bench.now += 3600

    assert bench.manager.get("etl").cost == pytest.approx(2 * 1.5 + 4 * 1.5 / 2)


def test_what_nobody_saw_run_is_not_charged(bench: Bench) -> None:
    bench.running()
    Memory().work(bench.ref(), "kernel-1", 1)
    for _ in range(10):
        bench.now += MINUTE
        bench.step()
    Memory().lose(bench.ref(), "stopped", "the machine was started anew")
    bench.now += 10 * 3600

    bench.step()

    assert bench.manager.get("etl").cost == pytest.approx(2 * 1.5 / 6)


# ── how much one may have ───────────────────────────────────────────────────────────────────────────────────────


def test_a_persons_clusters_are_counted_together(home: Path, bench: Bench) -> None:
    bench.quota = Quota(workers=5)
    bench.manager = bench.another_manager()
    bench.running("one")
    bench.running("two")
    bench.new("three")

    with pytest.raises(Beyond, match=r"three may have 2 workers; with the 4 of ada's other clusters .* quota of 5"):
        asyncio.run(bench.manager.start("three", "ada"))

    assert bench.manager.get("three").state is ClusterState.STOPPED
    bench.running("four", owner="bob")
    asyncio.run(bench.manager.stop("one", "ada"))
    asyncio.run(bench.manager.start("three", "ada"))


def test_growing_beyond_the_quota_is_refused(bench: Bench) -> None:
    bench.quota = Quota(memory=3 * 2**30)
    bench.manager = bench.another_manager()
    bench.running()

    with pytest.raises(Beyond, match=r"etl may have 4 GiB .* quota of 3 GiB"):
        asyncio.run(bench.manager.scale("etl", "ada", Workers(1, 4)))

    assert bench.manager.get("etl").workers == Workers(2, 2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"memory": "-4 GiB"}, "memory: '-4 GiB' is not a size"),
        ({"memory": "lots"}, "memory: 'lots' is not a size"),
        ({"memory": 4}, "memory: 4 is not text"),
        ({"memory": "9 GiB"}, "memory: '9 GiB' is more than 8 GiB, the most that profile 'tiny' allows"),
        ({"memory": "1 KiB"}, "memory: '1 KiB' is less than 256 MiB"),
        ({"cores": 0}, "cores: 0 is less than 1"),
        ({"cores": 99}, "cores: 99 is more than 4"),
        ({"workers": {"maximum": 1000000}}, "workers.maximum: 1000000 is more than 8"),
        ({"workers": {"minimum": -1}}, "workers.minimum: -1 is less than 0"),
        ({"workers": {"minimum": 3}}, "workers.minimum: 3 is more than workers.maximum, 2"),
        ({"workers": 4}, "workers: 4 is not a group of fields"),
        ({"wrokers": 4}, "wrokers"),
    ],
)
def test_a_size_that_cannot_be_is_refused_with_field_and_limit(
    bench: Bench, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(Unprocessable) as refused:
        bench.new(**options)

    assert words in refused.value.message
    assert bench.manager.all() == []


def test_scaling_keeps_to_the_same_limits(bench: Bench) -> None:
    bench.running()

    with pytest.raises(Unprocessable, match=r"workers\.maximum: 9 is more than 8"):
        asyncio.run(bench.manager.scale("etl", "ada", Workers(1, 9)))
