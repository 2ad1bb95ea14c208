"""Kills at every place: what a person sees, and that nothing lives on unseen. On the real local Dask cluster."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from jupyter_slipway import hosting
from jupyter_slipway.client import Client
from jupyter_slipway.clusters import hosts, scheduler
from jupyter_slipway.clusters.backends.dask_local import DaskLocal
from jupyter_slipway.clusters.handlers import ClusterRequest
from jupyter_slipway.clusters.model import Cluster, ClusterState
from jupyter_slipway.errors import Conflict
from jupyter_slipway.runs import runner
from tests.waiting import eventually

SIZE = {"workers": {"minimum": 1, "maximum": 1}, "cores": 1, "memory": "512 MiB"}
WITHIN = 90.0


@pytest.fixture
def slipway(home: Path) -> Iterator[Client]:
    with Client.connect() as client:
        yield client
        for one in client.clusters():
            client.delete_cluster(one.name)


@pytest.fixture
def etl(slipway: Client) -> Cluster:
    slipway.new_cluster(ClusterRequest("etl", "small", SIZE))
    found = slipway.settle("etl")
    assert found.state is ClusterState.RUNNING, found
    return found


def record(home: Path) -> hosting.Record:
    found = hosting.read(home / "clusters" / "etl")
    assert found is not None
    return found


def family(pid: int) -> set[int]:
    """A process and all that it started."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    children: dict[int, list[int]] = {}
    for line in listed.splitlines():
        child, parent = map(int, line.split())
        children.setdefault(parent, []).append(child)
    found, todo = set(), [pid]
    while todo:
        found.add(one := todo.pop())
        todo += children.get(one, [])
    return found


def workers(home: Path) -> set[int]:
    """Processes of the cluster but the host and Python's own resource tracker."""
    return {pid for pid in family(record(home).pid) if b"spawn_main" in command(pid)}


def command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_a_killed_host_takes_its_workers_along_and_is_said(slipway: Client, etl: Cluster, home: Path) -> None:
    processes = family(record(home).pid)
    assert len(processes) > 1

    os.kill(record(home).pid, signal.SIGKILL)

    eventually(lambda: slipway.cluster("etl").state is ClusterState.FAILED)
    found = slipway.cluster("etl")
    assert f"its host (process {record(home).pid}) was killed" in found.reason
    assert found.wanted == "stopped"
    eventually(lambda: not any(map(hosting.process_start, processes)))
    with pytest.raises(Conflict, match="etl is failed"):
        slipway.attach("etl", "kernel-1")

    slipway.start_cluster("etl")

    assert slipway.settle("etl").state is ClusterState.RUNNING


def test_a_killed_worker_is_replaced_and_the_work_is_done(slipway: Client, etl: Cluster, home: Path) -> None:
    given = slipway.attach("etl", "kernel-1").attachment
    script = "from distributed import Client; import time; c = Client(); f = c.submit(lambda: time.sleep(3) or 6)\n"
    script += "print('asked', flush=True); print(f.result())"
    asking = subprocess.Popen(
        [sys.executable, "-c", script], env=os.environ | given.environ, stdout=subprocess.PIPE, text=True
    )
    assert asking.stdout is not None
    assert asking.stdout.readline().strip() == "asked"
    eventually(lambda: slipway.figures("etl").processing == 1)
    killed = workers(home)
    assert len(killed) == 1

    os.kill(killed.pop(), signal.SIGKILL)

    assert asking.communicate(timeout=WITHIN)[0].strip() == "6"
    assert slipway.cluster("etl").state is ClusterState.RUNNING


def test_a_cluster_outlives_who_started_it_and_who_looks_after_it(slipway: Client, etl: Cluster, home: Path) -> None:
    carrier = runner.status(home).pid
    assert carrier is not None
    os.kill(carrier, signal.SIGKILL)
    eventually(lambda: not runner.status(home).alive)
    command = [sys.executable, "-m", "jupyter_slipway.cli", "cluster", "show", "etl", "--json"]

    seen = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert '"state": "running"' in seen
    assert hosting.alive(record(home))
    slipway.stop_cluster("etl")
    assert slipway.settle("etl").state is ClusterState.STOPPED
    assert not hosting.alive(record(home))


def test_after_a_reboot_it_is_said_to_be_stopped(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend, directory = DaskLocal(), home / "clusters" / "etl"
    ref = asyncio.run(backend.create("etl", SIZE, directory))
    try:
        # The same record, read on a machine that has been started anew since.
        with monkeypatch.context() as rebooted:
            rebooted.setattr(hosting, "boot_id", lambda: "another start of the machine")
            found = asyncio.run(backend.find(ref))
    finally:
        asyncio.run(backend.stop(ref))

    assert (found.state, found.reason) == (ClusterState.STOPPED, "the machine was started anew")


def test_a_host_that_is_held_is_not_taken_for_dead_nor_for_idle(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend, directory = DaskLocal(), home / "clusters" / "etl"
    ref = asyncio.run(backend.create("etl", SIZE, directory))
    eventually(lambda: asyncio.run(backend.find(ref)).state is ClusterState.RUNNING)
    held = hosting.read(directory)
    assert held is not None
    monkeypatch.setattr(hosts, "ANSWER_WITHIN", 0.5)
    os.kill(held.pid, signal.SIGSTOP)
    try:
        found = asyncio.run(backend.find(ref))
        assert found.state is ClusterState.RUNNING
        assert found.working
        assert (found.waiting, found.silent) == (f"its host (process {held.pid}) to answer", True)
    finally:
        os.kill(held.pid, signal.SIGCONT)
    eventually(lambda: not asyncio.run(backend.find(ref)).silent)

    os.kill(held.pid, signal.SIGSTOP)
    monkeypatch.setattr("jupyter_slipway.clusters.backends.hosted.CLOSE_WITHIN", 0.5)
    asyncio.run(backend.stop(ref))

    assert not hosting.alive(held)


def test_a_worker_that_sends_no_beat_is_said() -> None:
    def beating(seconds: float) -> SimpleNamespace:
        return SimpleNamespace(last_seen=time.time() - seconds)

    asked = SimpleNamespace(workers={"a": beating(1.0), "b": beating(60.0)}, task_groups={})

    assert scheduler.life(asked) == {"workers": 2, "working": False, "waiting": "1 of 2 workers to answer"}
    del asked.workers["b"]
    assert scheduler.life(asked) == {"workers": 1, "working": False, "waiting": ""}


def test_a_host_whose_directory_is_gone_ends(home: Path) -> None:
    backend, directory = DaskLocal(), home / "clusters" / "etl"
    ref = asyncio.run(backend.create("etl", SIZE, directory))
    eventually(lambda: asyncio.run(backend.find(ref)).state is ClusterState.RUNNING)
    held = hosting.read(directory)
    assert held is not None
    processes = family(held.pid)

    (directory / hosting.RECORD).unlink()

    eventually(lambda: not any(map(hosting.process_start, processes)))


def test_a_host_that_cannot_write_says_so(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(hosts, "atomic_write", full)

    with pytest.raises(OSError, match="No space left"):
        asyncio.run(DaskLocal().create("etl", SIZE, home / "clusters" / "etl"))
