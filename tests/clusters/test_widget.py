"""A cluster shown in a notebook: live where there are widgets, a table where there are none."""

from __future__ import annotations

from pathlib import Path

import pytest

import jupyter_slipway
from jupyter_slipway.client import Client
from jupyter_slipway.clusters.handlers import ClusterRequest
from jupyter_slipway.errors import Conflict, NotFound
from jupyter_slipway.runs import runner
from tests.waiting import eventually


@pytest.fixture
def tiny(home: Path) -> None:
    (home / "profiles.yaml").write_text(
        "tiny: {backend: memory, options: {workers: {minimum: 1, maximum: 1}}, limits: {workers: 4}}\n"
    )
    with Client.connect() as client:
        client.new_cluster(ClusterRequest("etl", "tiny"))
        client.settle("etl")


@pytest.mark.usefixtures("tiny")
def test_a_cluster_is_followed_scaled_and_stopped_from_its_widget(home: Path) -> None:
    widget = jupyter_slipway.cluster("etl")
    try:
        assert "<b>etl</b> · running · 1 of 1 workers" in widget._title.value
        widget._workers.value = 3
        widget._scale.click()
        assert widget.cluster.workers.maximum == 3
        widget._workers.value = 9
        widget._scale.click()
        assert "workers.maximum: 9 is more than 4" in widget._said.value
        with Client.connect() as client:
            client.stop_cluster("etl")
        eventually(lambda: widget._title.value, lambda title: "· stopped ·" in title)
        assert widget._switch.description == "Start"
    finally:
        widget.close()
        runner.stop(home)


@pytest.mark.usefixtures("tiny")
def test_where_no_widgets_are_shown_it_is_a_table_without_an_address(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[object] = []
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr("IPython.display.display", shown.append)
    widget = jupyter_slipway.cluster("etl")
    bundle = widget._repr_mimebundle_()
    widget.close()
    runner.stop(home)

    # Once: a kernel shows what the cell gives.
    assert shown == []
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "State    running" in bundle["text/plain"]
    assert "running" in bundle["text/html"]
    assert "127.0.0.1" not in str(bundle)


def test_a_kernel_without_a_cluster_and_a_name_that_is_none_are_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SLIPWAY_CLUSTER", raising=False)
    with pytest.raises(Conflict, match="uses no cluster"):
        jupyter_slipway.cluster()
    with pytest.raises(NotFound):
        jupyter_slipway.cluster("none")
