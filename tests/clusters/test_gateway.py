"""A dask-gateway server: who is let in, and what is left when a side of it dies. The rest is in the contract suite."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_slipway import hosting
from jupyter_slipway.clusters.backends.dask_gateway import DaskGateway, _asked, _booked
from jupyter_slipway.clusters.gateway import Gateway, basic
from jupyter_slipway.clusters.model import ClusterState
from jupyter_slipway.errors import Forbidden, NotFound, SlipwayError, Unavailable, Unprocessable
from tests.clusters.gateway import a_gateway
from tests.waiting import eventually

NONE = {"workers": {"minimum": 0, "maximum": 0}}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with a_gateway(tmp_path_factory.mktemp("gateway")) as given:
        yield given


@pytest.fixture
def backend() -> DaskGateway:
    return DaskGateway()


@pytest.mark.slow
def test_its_cluster_outlives_our_host_and_is_told_when_it_was_stopped_there(
    backend: DaskGateway, gateway: dict[str, Any], tmp_path: Path
) -> None:
    ref = asyncio.run(backend.create("etl", NONE | gateway, tmp_path / "etl"))
    eventually(lambda: asyncio.run(backend.find(ref)).state is ClusterState.RUNNING)
    record, booked = hosting.read(tmp_path / "etl"), _booked(tmp_path / "etl")
    assert record is not None
    assert booked is not None

    os.kill(record.pid, signal.SIGKILL)
    eventually(lambda: asyncio.run(backend.find(ref)).state is ClusterState.RUNNING)

    assert _booked(tmp_path / "etl") == booked
    _asked(booked).stop(booked.cluster)
    ended = eventually(lambda: (found := asyncio.run(backend.find(ref))).state is not ClusterState.RUNNING and found)
    assert ended.state in (ClusterState.STOPPED, ClusterState.FAILED)
    asyncio.run(backend.stop(ref))
    assert asyncio.run(backend.find(ref)).state is ClusterState.STOPPED


@pytest.mark.slow
def test_a_wrong_password_is_told(backend: DaskGateway, gateway: dict[str, Any], tmp_path: Path) -> None:
    wrong = tmp_path / "password"
    wrong.write_text("guess")
    wrong.chmod(0o600)

    with pytest.raises(Forbidden, match="The gateway does not let you in"):
        asyncio.run(backend.create("etl", NONE | gateway | {"secret_file": str(wrong)}, tmp_path / "etl"))

    assert not (tmp_path / "etl").exists()


@pytest.mark.slow
def test_an_option_that_it_does_not_offer_is_told(
    backend: DaskGateway, gateway: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(Unprocessable, match=r"The gateway refuses: .*colour"):
        asyncio.run(backend.create("etl", NONE | gateway | {"options": {"colour": "red"}}, tmp_path / "etl"))


@pytest.mark.slow
def test_a_cluster_that_it_does_not_know_is_told(gateway: dict[str, Any]) -> None:
    with pytest.raises(NotFound, match="knows no such cluster"):
        Gateway(gateway["address"], basic("ada", "secret")).report("nowhere")


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"address": "http://127.0.0.1:9"}, Unavailable, "No dask-gateway answers at http://127.0.0.1:9: .*refused"),
        ({"address": "http://x", "auth": "jupyterhub"}, Unprocessable, "auth: 'jupyterhub' needs a token"),
        ({"address": "http://x", "auth": "basic", "secret_file": "/nowhere"}, Unprocessable, "secret_file: /nowhere"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    backend: DaskGateway, tmp_path: Path, options: dict[str, Any], error: type[SlipwayError], said: str
) -> None:
    with pytest.raises(error, match=said):
        asyncio.run(backend.create("etl", NONE | options, tmp_path / "etl"))
