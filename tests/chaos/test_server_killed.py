"""A run goes on when the server that started it is killed."""

from __future__ import annotations

from pathlib import Path

from jupyter_slipway.client import Client
from jupyter_slipway.publish.handlers import PublishRequest
from jupyter_slipway.publish.plan import NotebookCell
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
