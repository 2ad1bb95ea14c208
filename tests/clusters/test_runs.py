"""A published cell computes on the cluster that it names: plain code, started by who needs it, held while it lives."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from jupyter_slipway import publishing
from jupyter_slipway.client import Client
from jupyter_slipway.clusters.handlers import ClusterRequest
from jupyter_slipway.clusters.model import ClusterState
from jupyter_slipway.publish.inside import distributions, fingerprints
from jupyter_slipway.publish.kernel import Snapshot
from jupyter_slipway.publish.model import Proof
from jupyter_slipway.publish.plan import PlanRequest
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
    assert "packages are the same in the run and on 1 worker" in slipway.log(run.id).text


def proved(slipway: Client, folder: Path, cluster: str, total: int) -> Proof:
    """Of the cell whose notebook has `total`."""
    notebook = write_notebook(folder / "sums.ipynb", CELL)
    asked = publishing.request(slipway, notebook, "c0", name="sums", cluster=cluster)
    report = fingerprints.report({"total": total, "result": total})
    snapshot = Snapshot([], [], report, distributions.loaded(), python="3", executable=sys.executable)
    return proof_of(slipway, msgspec.structs.replace(asked, snapshot=snapshot))


def proof_of(slipway: Client, asked: PlanRequest) -> Proof:
    progress = slipway.prove(asked)
    assert progress.plan is not None
    assert progress.plan.proof is not None
    return progress.plan.proof


def test_a_proof_starts_its_cluster_and_computes_on_it(slipway: Client, tmp_path: Path) -> None:
    slipway.new_cluster(ClusterRequest("etl", "small", SIZE, start=False))

    same = proved(slipway, tmp_path, "etl", 45)
    differs = proved(slipway, tmp_path, "etl", 46)

    assert (same.verdict, same.reason, same.cluster) == ("same", "", "etl")
    assert (differs.verdict, differs.cluster) == ("differs", "etl")
    assert slipway.figures("etl").done > 0
    assert slipway.attachments() == []


def test_a_cell_of_an_attached_kernel_is_published_with_its_cluster_and_makes_the_client_itself(
    slipway: Client, tmp_path: Path, home: Path
) -> None:
    (home / "profiles.yaml").write_text("fake: {title: Nothing real, backend: memory}\n")
    slipway.new_cluster(ClusterRequest("etl", "fake"))
    slipway.settle("etl")
    slipway.attach("etl", "kernel-1")
    total = "def total():\n    return client.submit(sum, [1]).result()"
    asked = publishing.request(slipway, write_notebook(tmp_path / "sums.ipynb", total, "total()"), "c1", name="sums")

    plan = slipway.plan(asked)
    published = slipway.publish(publishing.registration(msgspec.structs.replace(asked, kernel="kernel-1")))

    assert [one.code for one in plan.warnings] == ["not_observed", "undefined_name"]
    assert "from_cluster" in [one.code for one in slipway.plan(asked).warnings]
    assert published.job.policy.cluster == "etl"
    assert "from distributed import Client\n" in published.version.module
    assert "client = Client()\n" in published.version.module


def test_a_notebook_that_is_run_to_be_published_has_its_cluster(slipway: Client, tmp_path: Path) -> None:
    slipway.new_cluster(ClusterRequest("etl", "small", SIZE, start=False))
    notebook = write_notebook(tmp_path / "sums.ipynb", "total = client.submit(sum, [1, 2]).result()\ntotal", "3 * 4")

    asked = publishing.request(slipway, notebook, "c0", name="sums", execute=True, cluster="etl")
    on = proof_of(slipway, asked)
    beside = proof_of(slipway, msgspec.structs.replace(asked, cell="c1", snapshot=None))

    assert (on.verdict, on.cluster) == ("same", "etl"), on
    assert (beside.verdict, beside.cluster) == ("not comparable", ""), beside
    assert slipway.attachments() == []


def test_a_proof_on_a_cluster_that_is_not_there_says_so(slipway: Client, tmp_path: Path) -> None:
    proof = proved(slipway, tmp_path, "nowhere", 45)

    assert proof.verdict == "not comparable"
    assert "no cluster 'nowhere'" in proof.reason


def test_a_run_on_a_cluster_that_is_not_there_says_so(slipway: Client, tmp_path: Path) -> None:
    publish(slipway, tmp_path, "nowhere")

    run = slipway.wait(slipway.run("sums").id)

    assert run.state is RunState.FAILED
    assert run.error is not None
    assert "no cluster 'nowhere'" in run.error.message
