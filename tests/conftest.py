"""Shared by all tests: a home of their own, and an order in which the browser comes last."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from jupyter_slipway.clusters.sizes import machine_cores
from jupyter_slipway.kernels import hosts
from jupyter_slipway.runs import runner
from tests.stores import postgres, store

__all__ = ["postgres", "store"]


def pytest_collection_modifyitems(items):
    # Playwright's loop, once started, leaves no room for the server fixtures' own.
    items.sort(key=lambda item: item.get_closest_marker("e2e") is not None)


def pytest_xdist_auto_num_workers(config):
    """More than cores: tests wait for processes half of their time. Browsers compute."""
    cores = machine_cores()
    return cores if config.option.markexpr == "e2e" else cores + (cores + 1) // 2


def pytest_terminal_summary(terminalreporter):
    """Also of what passed at its second run, why it failed at its first."""
    for report in terminalreporter.stats.get("rerun", ()):
        terminalreporter.section(f"RERUN {report.nodeid}")
        terminalreporter.line(str(report.longrepr))


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """SLIPWAY_HOME of this test alone; jobs run in the kernel's environment, so that no index is needed.

    A runner that was started in it is stopped, and so are kernels.
    """
    home = tmp_path_factory.mktemp("slipway")
    monkeypatch.setenv("SLIPWAY_HOME", str(home))
    monkeypatch.setenv("SLIPWAY_ENVIRONMENTS", "kernel")
    monkeypatch.setenv("SLIPWAY_USER", "ada")
    for name in ("SLIPWAY_DATABASE", "SLIPWAY_URL", "SLIPWAY_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    yield home
    hosts.end_all(home)
    # Of a home that nobody has touched it takes 0.1 s to say so, in most tests. In another one may be on its way.
    if any(home.iterdir()):
        runner.stop(home)


# A machine that does other work besides is slow, not wrong.
hypothesis.settings.register_profile("slipway", suppress_health_check=[hypothesis.HealthCheck.too_slow], deadline=None)
hypothesis.settings.load_profile("slipway")
