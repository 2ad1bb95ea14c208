"""A kernel computes on a named cluster: by the magic and over REST, in real kernels and on real clusters."""

from __future__ import annotations

import asyncio
import json
import os
import re
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

from jupyter_slipway.client import Client
from jupyter_slipway.clusters.handlers import Cancelled, CancelRequest, ClusterRequest
from jupyter_slipway.errors import Conflict
from jupyter_slipway.kernels import hosts
from jupyter_slipway.kernels.link import Link
from tests.serving import serving

Execute = Callable[[str], str]
SIZE = {"workers": {"minimum": 1, "maximum": 1}, "cores": 1, "memory": "512 MiB"}


def plain(text: str) -> str:
    """Without its colours."""
    return re.sub(r"\x1b\[[\d;]*m", "", text)


def shown(client: BlockingKernelClient, code: str) -> str:
    """What the kernel shows for `code`."""
    found: list[str] = []

    def hear(message: dict[str, Any]) -> None:
        content = message["content"]
        found.append(content.get("text") or content.get("data", {}).get("text/plain", ""))
        if message["msg_type"] == "error":
            found.extend(content["traceback"])

    client.execute_interactive(code, output_hook=hear, timeout=120)
    return "\n".join(found)


@pytest.fixture
def execute(tmp_path: Path) -> Iterator[Execute]:
    """Runs code in a kernel that has our magics."""
    manager, client = start_new_kernel(env=os.environ | {"COLUMNS": "120"}, cwd=str(tmp_path))
    try:
        shown(client, "%load_ext jupyter_slipway")
        yield lambda code: shown(client, code)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


@pytest.fixture
def slipway(home: Path) -> Iterator[Client]:
    """This home from a command; its clusters are deleted afterwards."""
    with Client.connect() as client:
        yield client
        for one in client.clusters():
            client.delete_cluster(one.name)


def test_the_magic_starts_a_cluster_and_the_kernel_computes_on_it(execute: Execute, slipway: Client) -> None:
    slipway.new_cluster(ClusterRequest("etl", "small", SIZE, start=False))

    said = execute("%cluster etl")

    assert "This kernel uses etl (1 of 1 workers): `client`." in said
    assert "packages are the same in the kernel and on 1 worker" in said
    assert execute("import sys; 'distributed' in sys.modules").strip() == "False"
    assert execute("client.submit(sum, [1, 2, 3]).result()").strip() == "6"
    assert execute("import dask; dask.delayed(sum)([4, 5]).compute()").strip() == "9"
    assert execute("from distributed import Client; Client().submit(sum, [6, 7]).result()").strip() == "13"
    assert execute("isinstance(client, Client)").strip() == "True"
    assert execute("client").strip().startswith("<client of etl: 1 workers, 1 threads, 512.0 MiB>")
    assert "127.0.0.1" not in execute("print(Client(), Client()._repr_html_())")
    assert "client" not in execute("%who")
    assert "tls://" not in execute("%cluster")
    assert slipway.figures("etl").done >= 3
    assert slipway.cluster("etl").holders == 1

    execute("import time; kept = client.submit(time.sleep, 600)")
    interrupted = execute(
        "waiting = client.map(time.sleep, [600] * 20, pure=False)\n"
        "while sum(map(len, client.processing().values())) < 2:\n    time.sleep(0.05)\n"
        "import signal\nsignal.signal(signal.SIGALRM, signal.default_int_handler)\nsignal.alarm(1)\n"
        "client.gather(waiting)"
    )
    assert "1 task already on a worker ends by itself." in interrupted
    assert "client.gather(waiting)" in plain(interrupted)
    assert "KeyboardInterrupt" in interrupted
    assert "/distributed/" not in interrupted
    assert execute("{one.status for one in waiting}, kept.status").strip() == "({'cancelled'}, 'pending')"

    (lease,) = slipway.attachments()
    slipway.call(Cancelled, "cancel_work", CancelRequest(lease.holder), cluster="etl")
    words = f"{lease.person} cancelled what this notebook or job had on the cluster: 1 task was not done."
    for asked in ("kept.result()", "client.gather([kept])", "from distributed import wait; wait(kept)"):
        cancelled = execute(asked)
        assert words in cancelled
        assert "/distributed/" not in cancelled

    assert "no longer uses etl" in execute("%cluster --detach")
    assert "uses no cluster" in execute("%cluster")
    assert slipway.attachments() == []


def test_the_magic_says_what_cannot_be(execute: Execute, slipway: Client) -> None:
    assert "There is no cluster 'nowhere'" in execute("%cluster nowhere")
    assert "No such option" in execute("%cluster --sideways")
    slipway.new_cluster(
        ClusterRequest("far", "address", {"address": "tcp://127.0.0.1:9"}, start=False),
    )

    said = execute("%cluster far")

    assert "far is failed" in said
    assert "127.0.0.1:9 does not answer" in said


@contextmanager
def kernel_of(url: str, token: str) -> Iterator[str]:
    """A kernel of that server's own."""

    def ask(method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(f"{url}/api/kernels{path}", method=method)
        request.add_header("Authorization", f"token {token}")
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(request, data) as answer:
            return json.loads(answer.read() or b"null")

    found = ask("POST", "", {"name": "python3"})
    try:
        yield found["id"]
    finally:
        ask("DELETE", f"/{found['id']}")


async def evaluated(home: Path, kernel: str, expression: str) -> str:
    """What an expression gives in a kernel of a server."""
    directory = hosts.find(home, kernel)
    assert directory is not None
    link = Link(directory, hosts.living(home)[directory])
    try:
        return str(await link.call("evaluate", within=120, expression=expression, seconds=120))
    finally:
        await link.close()


def test_a_servers_kernel_is_given_its_client_without_a_cell(home: Path, tmp_path: Path) -> None:
    with serving(tmp_path, home) as server, kernel_of(server.http._url, server.http._token) as kernel:
        slipway = Client(server.http)
        slipway.new_cluster(ClusterRequest("etl", "small", SIZE))
        with pytest.raises(Conflict, match="etl is starting"):
            slipway.attach("etl", kernel)
        slipway.settle("etl")

        given = slipway.attach("etl", kernel)

        assert given.attachment.names == ("client",)
        assert asyncio.run(evaluated(home, kernel, "client.submit(sum, [1, 2, 3]).result()")) == "6"
        assert [(one.holder, one.cluster) for one in slipway.attachments()] == [(kernel, "etl")]
        assert slipway.detach("etl", kernel).holders == 0
        slipway.delete_cluster("etl")
        assert slipway.clusters() == []
