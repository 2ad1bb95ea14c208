"""The Python client says over HTTP what it says in its own process; asked of a server in a process of its own."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_slipway.client import Client, Http
from jupyter_slipway.errors import NotFound, Unavailable, Unprocessable
from jupyter_slipway.publish.handlers import PublishRequest
from jupyter_slipway.publish.plan import NotebookCell

CELLS = [NotebookCell("c0", "month = 1"), NotebookCell("c1", "month * 10")]
REQUEST = PublishRequest(notebook="totals.ipynb", cells=CELLS, cell="c1", name="t")


@pytest.fixture
def server(tmp_path: Path, home: Path) -> Iterator[Http]:
    """A Jupyter server at a base_url that is not the root."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    environ = os.environ | {"JUPYTER_DATA_DIR": str(home / "data"), "JUPYTER_RUNTIME_DIR": str(home / "runtime")}
    command = [sys.executable, "-m", "jupyter_server", f"--ServerApp.port={port}", f"--ServerApp.root_dir={tmp_path}"]
    command += ["--ServerApp.base_url=/user/ada/", f"--IdentityProvider.token={token}", "--allow-root", "--no-browser"]
    with (home / "server.log").open("w") as log:
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}/user/ada"
    try:
        until = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{url}/api?token={token}", timeout=2).close()
                break
            except OSError:
                assert process.poll() is None, (home / "server.log").read_text()
                assert time.monotonic() < until
                time.sleep(0.1)
        yield Http(url, token)
    finally:
        process.terminate()
        process.wait(20)


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


def test_a_server_that_is_away_is_said() -> None:
    with Client(Http("http://127.0.0.1:9", "x")) as client, pytest.raises(Unavailable, match="No server answers"):
        client.jobs()
