"""Kernels beside a cluster's workers: chosen by resources, started by the nanny, outliving the worker's process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_slipway import hosting
from jupyter_slipway.clusters.placement import Spot, Wanted, choose
from jupyter_slipway.errors import SlipwayError
from jupyter_slipway.kernels import hosts
from jupyter_slipway.kernels.host.folder import FACTS
from jupyter_slipway.kernels.host.wire import Message
from jupyter_slipway.kernels.remote import RemoteLink
from jupyter_slipway.runs import runner
from tests.clusters.backends import a_scheduler
from tests.kernels.servers import NO_POOL, Page, Server, in_loop, serving
from tests.waiting import eventually, soon

SIZE = {"workers": {"minimum": 1, "maximum": 1}, "cores": 1, "memory": "512 MiB"}
GIB = 1 << 30


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        (Wanted(), "roomy"),
        (Wanted(memory=3 * GIB), "roomy"),
        (Wanted(gpus=1), "graphics"),
    ],
)
def test_the_worker_that_has_what_is_wanted_is_chosen(wanted: Wanted, chosen: str) -> None:
    spots = [
        Spot("small", "tls://a:1", 1 * GIB, 0),
        Spot("roomy", "tls://b:1", 4 * GIB, 0),
        Spot("graphics", "tls://c:1", 2 * GIB, 1),
        Spot("alone", "", 64 * GIB, 8),
        Spot("crowded", "tls://d:1", 8 * GIB, 0, kernels=1),
    ]

    assert choose(spots, wanted).name == chosen


@pytest.mark.parametrize(
    ("spots", "wanted", "words"),
    [
        ([], Wanted(), "No worker is there"),
        ([Spot("a", "", GIB, 0)], Wanted(), "No worker has a nanny"),
        ([Spot("a", "tls://a:1", GIB, 1)], Wanted(gpus=2), "No worker has 2 GPU free: the most that one has is 1."),
        ([Spot("a", "tls://a:1", GIB, 0)], Wanted(memory=2 * GIB), "No worker has 2 GiB free: the most .* is 1 GiB"),
    ],
)
def test_what_no_worker_has_is_refused_with_what_they_have(spots: list[Spot], wanted: Wanted, words: str) -> None:
    with pytest.raises(SlipwayError, match=words):
        choose(spots, wanted)


def test_adaptive_scaling_closes_no_worker_that_a_kernel_lives_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    held = pytest.importorskip("jupyter_slipway.clusters.held")

    async def idle(self: object, target: int) -> list[object]:
        return ["2", 1, "0"][: 3 - target]

    async def spared() -> set[str]:
        return {"1"}

    monkeypatch.setattr(held.Adaptive, "workers_to_close", idle)
    monkeypatch.setattr(held.Adaptive, "plan", {"0", "1", "2"})
    monkeypatch.delattr(held.Adaptive, "__del__")
    adaptive = held.Sparing.__new__(held.Sparing)
    adaptive._spared = spared

    assert asyncio.run(adaptive.workers_to_close(2)) == ["2"]
    assert asyncio.run(adaptive.workers_to_close(0)) == ["2", "0"]


class Heard:
    """A page, or whoever else is told."""

    def __init__(self) -> None:
        self.said: list[Message] = []

    def deliver(self, message: Message) -> None:
        self.said.append(message)


@in_loop
async def test_when_its_machine_fell_silent_the_link_answers_for_the_kernel(tmp_path: Path) -> None:
    directory = tmp_path / "kernels" / "one"
    directory.mkdir(parents=True)
    about = {"kernel": "k1", "cluster": "etl", "nanny": "tls://a:1", "directory": "/tmp/there"}
    link = RemoteLink(directory, hosting.Record("a:2", "", 0, "", "", about=about))
    told = {"person": "ada", "session": "s1", "cell": "c1", "count": 3}
    link.status = {"turns": [told | {"id": "ran", "started_at": 1.0}, told | {"id": "waited", "started_at": None}]}
    link.last, link.over, page = 7, "The worker beside which the kernel ran has gone.", Heard()
    link.pages.add(page)  # type: ignore[arg-type]

    link._note_end()

    replies = {one.parent["msg_id"]: json.loads(one.part(3)) for one in page.said if one.type == "execute_reply"}
    assert (replies["ran"]["status"], replies["ran"]["evalue"]) == ("error", link.over)
    assert replies["waited"]["status"] == "aborted"
    facts = [json.loads(line) for line in (directory / FACTS).read_text().splitlines()]
    assert [(one["id"], one["status"], one["reason"]) for one in facts] == [
        ("ran", "error", link.over),
        ("waited", "aborted", link.over),
    ]
    assert hosts.ended(directory) is not None


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("n")
    (home / "root").mkdir()
    with serving(home / "root", home, NO_POOL) as server:
        yield server
        for one in server.ask("GET", "slipway/api/clusters")["items"]:
            server.ask("DELETE", f"slipway/api/clusters/{one['name']}")
    runner.stop(home)


def a_cluster(server: Server, name: str, profile: str, options: dict[str, Any]) -> None:
    server.ask("POST", "slipway/api/clusters", {"name": name, "profile": profile, "options": options})
    eventually(lambda: server.ask("GET", f"slipway/api/clusters/{name}"), lambda one: one["live_workers"] == 1)


async def there(page: Page) -> Path:
    """The directory of the kernel's host, where it runs."""
    asked = page.execute("import os; print(os.environ['SLIPWAY_KERNEL_DIR'])")
    await page.reply(asked)
    return Path(page.text(asked).strip())


@in_loop
async def test_a_kernel_beside_a_worker_outlives_it_and_its_own_host_and_ends_with_the_cluster(server: Server) -> None:
    a_cluster(server, "etl", "small", SIZE)
    specs = server.ask("GET", "api/kernelspecs")["kernelspecs"]
    assert specs["slipway-on-etl"]["spec"]["display_name"] == "Python on etl"
    kernel = server.start_kernel(name="slipway-on-etl")
    page = await Page.open(server, kernel)
    directory = await there(page)
    asked = page.execute("print(client.submit(sum, range(10)).result()); x = 1; print(*client.run(os.getpid).values())")
    await page.reply(asked)
    total, worker = page.text(asked).split()
    assert total == "45"
    held = server.ask("GET", "slipway/api/attachments")["items"]
    assert held == [{"holder": kernel, "kind": "kernel", "cluster": "etl", "person": "ada"}]

    os.kill(int(worker), signal.SIGKILL)
    asked = page.execute("print(x + client.submit(sum, range(10)).result())")
    await page.reply(asked)
    assert page.text(asked) == "46\n"

    host = json.loads((directory / "record.json").read_text())["pid"]
    os.kill(host, signal.SIGKILL)
    await page.until(lambda: "restarting" in page.states())
    await soon(lambda: server.ask("GET", "api/kernels")[0]["execution_state"], lambda state: state == "idle")
    asked = page.execute("print('x' in globals(), client.submit(sum, range(10)).result())")
    await page.reply(asked)
    assert page.text(asked) == "False 45\n"

    server.ask("POST", "slipway/api/clusters/etl/stop")
    await page.until(lambda: "dead" in page.states())
    await soon(lambda: server.ask("GET", "slipway/api/kernels")["items"] == [])
    status, said = server.refused("GET", f"slipway/api/kernels/{kernel}")
    assert (status, "The cluster etl was stopped, and the kernel with it." in said["message"]) == (404, True), said
    await soon(lambda: not directory.exists())
    assert server.refused("POST", "api/kernels", {"name": "slipway-on-etl"})[0] == 409


@in_loop
async def test_the_death_of_the_nanny_is_said_at_once_and_a_shutdown_leaves_nothing(
    server: Server, tmp_path: Path
) -> None:
    with a_scheduler(tmp_path) as others:
        a_cluster(server, "theirs", "address", others)
        first, second = (server.start_kernel(name="slipway-on-theirs") for _ in range(2))
        page = await Page.open(server, first)
        directory = await there(page)
        server.ask("DELETE", f"api/kernels/{first}")
        await soon(lambda: not directory.exists())
        assert [one["id"] for one in server.ask("GET", "slipway/api/kernels")["items"]] == [second]

        with serving(server.root, server.home, NO_POOL) as other:
            page = await Page.open(other, second, "bob")
            directory = await there(page)
            ran = other.ask("GET", f"slipway/api/kernels/{second}/executions")["items"]
            assert [(one["person"], one["status"]) for one in ran] == [("bob", "ok")]
        page = await Page.open(server, second)
        asked = page.execute("import time; time.sleep(600)")
        await page.until(lambda: page.of(asked, "execute_input"))
        host = json.loads((directory / "record.json").read_text())["pid"]
        os.kill(parent(host), signal.SIGKILL)
        await page.until(lambda: "dead" in page.states())
        reply = await page.reply(asked)
        assert "keeps the worker of theirs has ended" in reply["evalue"], reply
        await soon(lambda: server.ask("GET", "slipway/api/kernels")["items"] == [])

        status, said = server.refused("GET", f"slipway/api/kernels/{second}")
        assert (status, "keeps the worker of theirs has ended" in said["message"]) == (404, True), said
        await soon(lambda: not directory.exists())


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
