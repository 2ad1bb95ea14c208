"""A published job computes on the cluster that it names: plain code, started by the run, held while it lives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_slipway import publishing
from jupyter_slipway.client import Client
from jupyter_slipway.clusters.handlers import ClusterRequest
from jupyter_slipway.clusters.model import ClusterState
from jupyter_slipway.runs.model import RunState
from tests.builders import write_notebook

SIZE = {"workers": {"minimum": 1, "maximum": 1}, "cores": 1, "memory": "512 MiB"}
CELL = """from distributed import Client

def added(numbers):
    return sum(numbers)

client = Client()
total = client.submit(added, range(10)).result()
total"""


@pytest.fixture
def slipway(home: Path) -> Iterator[Client]:
    with Client.connect() as client:
        yield client
        for one in client.clusters():
            client.delete_cluster(one.name)


def publish(slipway: Client, folder: Path, cluster: str) -> None:
    notebook = write_notebook(folder / "sums.ipynb", CELL)
    asked = publishing.request(slipway, notebook, "c0", name="sums")
    slipway.publish(publishing.registration(asked, cluster=cluster))


def test_a_run_starts_its_cluster_and_computes_on_it(slipway: Client, tmp_path: Path) -> None:
    slipway.new_cluster(ClusterRequest("etl", "small", SIZE, start=False))
    publish(slipway, tmp_path, "etl")
    assert slipway.job("sums").policy.cluster == "etl"

    run = slipway.wait(slipway.run("sums").id)

    assert run.state is RunState.SUCCEEDED, run.error
    assert run.value["total"] == 45
    assert slipway.cluster("etl").state is ClusterState.RUNNING
    assert slipway.figures("etl").done == 1
    assert run.id in slipway.cluster_log("etl", "host").text


def test_a_run_on_a_cluster_that_is_not_there_says_so(slipway: Client, tmp_path: Path) -> None:
    publish(slipway, tmp_path, "nowhere")

    run = slipway.wait(slipway.run("sums").id)

    assert run.state is RunState.FAILED
    assert run.error is not None
    assert "no cluster 'nowhere'" in run.error.message
