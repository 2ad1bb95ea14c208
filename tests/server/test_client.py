"""The Python client says over HTTP what it says in its own process; asked of a server in a process of its own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_slipway.client import Client, Http
from jupyter_slipway.errors import NotFound, Unavailable, Unprocessable
from jupyter_slipway.publish.handlers import PublishRequest
from jupyter_slipway.publish.plan import NotebookCell
from tests.serving import serving

CELLS = [NotebookCell("c0", "month = 1"), NotebookCell("c1", "month * 10")]
REQUEST = PublishRequest(notebook="totals.ipynb", cells=CELLS, cell="c1", name="t")


@pytest.fixture
def server(tmp_path: Path, home: Path) -> Iterator[Http]:
    with serving(tmp_path, home) as server:
        yield server.http


def test_publish_run_and_read(server: Http) -> None:
    with Client(server) as client:
        assert client.publish(REQUEST).version.number == 1
        run = client.wait(client.run("t", {"month": 3}).id)
        assert (run.state, run.value["result"], run.author) == ("succeeded", 30, "ada")
        assert client.outputs(run.id)[-1]["data"]["text/plain"] == "30"
        assert [page.end for page in client.follow(run.id)][-1]
        with pytest.raises(NotFound, match="no job 'nothing'"):
            client.job("nothing")
        with pytest.raises(Unprocessable, match="month"):
            client.run("t", {"month": "three"})


def test_a_server_that_ends_while_it_answers_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ending = threading.Thread(target=lambda: listening.accept()[0].close())
        ending.start()
        http = Http(f"http://127.0.0.1:{listening.getsockname()[1]}", "x")
        with Client(http) as client, pytest.raises(Unavailable, match="No server answers"):
            client.jobs()
        ending.join()


def test_a_server_that_is_away_is_said() -> None:
    with Client(Http("http://127.0.0.1:9", "x")) as client, pytest.raises(Unavailable, match="No server answers"):
        client.jobs()
