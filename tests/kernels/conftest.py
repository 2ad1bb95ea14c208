"""A server for each file of tests, with two people on it; what it leaves behind is ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_slipway.kernels import hosts
from jupyter_slipway.runs import runner
from tests.kernels.servers import NO_POOL, Server, serving


@pytest.fixture(scope="module")
def kernels_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home for servers; its kernels are ended."""
    home = tmp_path_factory.mktemp("h")
    (home / "root").mkdir()
    yield home
    hosts.end_all(home)
    runner.stop(home)


@pytest.fixture
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home that no other server looks at."""
    home = tmp_path_factory.mktemp("o")
    (home / "root").mkdir()
    yield home
    hosts.end_all(home)
    runner.stop(home)


@pytest.fixture(scope="module")
def server(kernels_home: Path) -> Iterator[Server]:
    with serving(kernels_home / "root", kernels_home, NO_POOL) as server:
        yield server


@pytest.fixture(scope="module")
def kernel(server: Server) -> str:
    """One of ada's."""
    return server.start_kernel()
