"""The Python client says over HTTP what it says in its own process; asked of a server in a process of its own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_slipway.client import Client, Http
from jupyter_slipway.errors import BadRequest, NotFound, Unavailable, Unprocessable
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


def test_what_answers_otherwise_than_slipway_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def login() -> None:
            with listening.accept()[0] as asked:
                asked.recv(4096)
                asked.sendall(b"HTTP/1.0 200 OK\r\n\r\n<html>")

        answering = threading.Thread(target=login)
        answering.start()
        http = Http(f"http://127.0.0.1:{listening.getsockname()[1]}", "x")
        with Client(http) as client, pytest.raises(Unavailable, match="no Jupyter server with this release"):
            client.jobs()
        answering.join()


def test_a_server_that_is_away_is_said() -> None:
    with Client(Http("http://127.0.0.1:9", "x")) as client, pytest.raises(Unavailable, match="No server answers"):
        client.jobs()


def test_a_name_that_is_no_text_is_said() -> None:
    # Bytes of a command line that are not UTF-8 come as half surrogates.
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    with Client(Http("http://127.0.0.1:9", "x")) as client:
        for ask in (lambda: client.job(name), lambda: client.runs(job=name), lambda: client.run(name)):
            with pytest.raises(BadRequest, match="not UTF-8"):
                ask()
