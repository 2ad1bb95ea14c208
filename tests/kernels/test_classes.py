"""Whose classes a server makes its kernels with: ours, unless it is configured otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jupyter_server.serverapp import ServerApp
from traitlets.config import Config

from jupyter_slipway.kernels import hosts
from jupyter_slipway.kernels.classes import OURS, Choice, choose
from jupyter_slipway.kernels.manager import SlipwayKernelManager
from tests.kernels.servers import Page, in_loop, serving

STOCK = {
    "kernel_manager_class": "jupyter_server.services.kernels.kernelmanager.AsyncMappingKernelManager",
    "kernel_websocket_connection_class": (
        "jupyter_server.services.kernels.connection.channels.ZMQChannelsWebsocketConnection"
    ),
    "session_manager_class": "jupyter_server.services.sessions.sessionmanager.SessionManager",
}


class TheirManager(SlipwayKernelManager):
    """What somebody has made of ours."""


def configured(home: Path, *, shared: bool = True, **traits: Any) -> Choice:
    return choose(ServerApp(config=Config({"ServerApp": traits})), home, shared=shared)


def test_without_any_configuration_kernels_are_shared(tmp_path):
    assert configured(tmp_path) == Choice(OURS)


@pytest.mark.parametrize("name", STOCK)
def test_one_class_of_somebody_elses_leaves_all_as_they_are_and_is_named(tmp_path, name):
    assert configured(tmp_path, **{name: STOCK[name]}) == Choice({}, f"ServerApp.{name} is {STOCK[name]}")


def test_what_was_made_of_ours_gets_the_rest_that_it_needs(tmp_path):
    chosen = configured(tmp_path, shared=False, kernel_manager_class=TheirManager)

    assert chosen == Choice({name: one for name, one in OURS.items() if name != "kernel_manager_class"})


def test_a_gateway_runs_its_own_kernels(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_GATEWAY_URL", "http://127.0.0.1:1")

    assert configured(tmp_path) == Choice({}, "a gateway runs them")


def test_sharing_can_be_switched_off(tmp_path):
    assert configured(tmp_path, shared=False) == Choice({}, "SlipwayApp.shared_kernels is off")


def test_a_home_that_cannot_be_written_does_not_keep_the_server_from_starting(tmp_path):
    (tmp_path / "file").write_text("")

    chosen = configured(tmp_path / "file" / "home")

    assert chosen.classes == {}
    assert "cannot be written (Not a directory)" in chosen.why


@in_loop
async def test_a_server_with_sharing_switched_off_runs_kernels_as_jupyter_does(own_home: Path) -> None:
    with serving(own_home / "root", own_home, "--SlipwayApp.shared_kernels=False") as server:
        kernel = server.start_kernel()
        page = await Page.open(server, kernel)
        assert (await page.run("1 + 1"))["status"] == "ok"
        assert hosts.directories(own_home) == []
        assert server.ask("GET", "slipway/api/kernels")["items"] == []
        assert "Kernels are not shared: SlipwayApp.shared_kernels is off." in server.log.read_text()
        server.ask("DELETE", f"api/kernels/{kernel}")
