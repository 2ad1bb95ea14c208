"""The backends that the contract suite runs over: a line each."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_slipway.clusters.backends.base import Backend
from jupyter_slipway.clusters.backends.dask_address import DaskAddress
from jupyter_slipway.clusters.backends.dask_gateway import DaskGateway
from jupyter_slipway.clusters.backends.dask_jobqueue import DaskJobqueue
from jupyter_slipway.clusters.backends.dask_local import DaskLocal
from jupyter_slipway.clusters.backends.memory import Memory
from jupyter_slipway.clusters.backends.spark_local import SparkLocal
from tests.clusters.gateway import a_gateway
from tests.clusters.spark import OPTIONS
from tests.waiting import PATIENCE


@contextmanager
def nothing(folder: Path) -> Iterator[dict[str, Any]]:
    """What a backend needs that needs nothing."""
    yield {}


@contextmanager
def a_scheduler(folder: Path) -> Iterator[dict[str, Any]]:
    """A Dask scheduler with one worker, as somebody else would start it."""
    file = folder / "scheduler.json"
    scheduler = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    scheduler += ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file)]
    worker += ["--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1", "--local-directory", str(folder)]
    with (folder / "others.log").open("w") as log:
        processes = [subprocess.Popen(one, stdout=log, stderr=log) for one in (scheduler, worker)]
        try:
            yield {"address": _address(file)}
        finally:
            for process in reversed(processes):
                process.terminate()
                process.wait(120)


def _address(file: Path) -> str:
    import json
    import time

    until = time.monotonic() + PATIENCE
    while not file.exists() or not file.read_text():
        assert time.monotonic() < until
        time.sleep(0.05)
    return str(json.loads(file.read_text())["address"])


@dataclass(frozen=True)
class Case:
    """A backend and what the suite has to know of it."""

    backend: Callable[[], Backend]
    options: dict[str, Any] = field(default_factory=dict)
    needs: Callable[[Path], Any] = nothing
    """A context manager over a folder that gives more options."""
    scales: bool = True
    computes: str = ""
    """Code that prints 45 after it was computed on the cluster by what `attach` gives; '': nothing real computes."""

    @property
    def name(self) -> str:
        return self.backend().name


DASK = "print(client.submit(sum, range(10)).result())"
SIZE = {"workers": {"minimum": 1, "maximum": 1}, "cores": 1, "memory": "512 MiB"}
CASES = [
    Case(Memory, SIZE),
    Case(DaskLocal, SIZE, computes=DASK),
    Case(DaskAddress, needs=a_scheduler, scales=False, computes=DASK),
    Case(DaskJobqueue, SIZE | {"system": "local"}, computes=DASK),
    Case(DaskGateway, {"workers": SIZE["workers"]}, needs=a_gateway, computes=DASK),
    Case(SparkLocal, OPTIONS, scales=False, computes="print(spark.range(10).groupBy().sum().first()[0])"),
]
