"""A run goes on when the server that started it, or the runner that carries it, is killed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from jupyter_slipway.client import Client
from jupyter_slipway.publish.handlers import PublishRequest
from jupyter_slipway.publish.plan import NotebookCell
from jupyter_slipway.runs import background
from tests.serving import serving

SLOW = "import time\nfor step in range(30):\n    print(step, flush=True)\n    time.sleep(0.1)\nstep"
REQUEST = PublishRequest(notebook="slow.ipynb", cells=[NotebookCell("c0", SLOW)], cell="c0", name="slow")


def test_a_run_outlives_the_server(tmp_path: Path, home: Path) -> None:
    with serving(tmp_path, home) as server, Client(server.http) as client:
        client.publish(REQUEST)
        run = client.run("slow")
        while not client.log(run.id).text:
            pass
        server.process.kill()
        server.process.wait()

    with Client.connect(tmp_path) as client:
        ended = client.wait(run.id)
        assert (ended.state, ended.attempt, ended.value["result"]) == ("succeeded", 1, 29)
        assert client.log(run.id).text == "".join(f"{step}\n" for step in range(30))


def kill_the_runner(home: Path) -> None:
    pid = background.status(home).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while background.status(home).alive:
        pass


@pytest.mark.parametrize("of_a_server", [True, False])
def test_who_waits_for_a_run_outwaits_the_death_of_its_runner(tmp_path: Path, home: Path, of_a_server: bool) -> None:
    def watched(client: Client) -> None:
        client.publish(REQUEST)
        run = client.run("slow")
        while not client.log(run.id).text:
            pass
        kill_the_runner(home)
        assert background.died(home)
        ended = client.wait(run.id)
        assert (ended.state, ended.attempt, ended.value["result"]) == ("succeeded", 1, 29)
        assert not background.died(home)
        assert background.stop(home).alive is False
        assert not background.died(home)  # it was told to end: nobody is to start it again

    if not of_a_server:
        with Client.connect(tmp_path) as client:
            watched(client)
        return
    with serving(tmp_path, home) as server, Client(server.http) as client:
        watched(client)
