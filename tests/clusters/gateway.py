"""A real dask-gateway server, whose clusters are processes of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.ports import free_port
from tests.waiting import PATIENCE

CONFIG = """
c.DaskGateway.backend_class = "dask_gateway_server.backends.local.UnsafeLocalBackend"
c.DaskGateway.authenticator_class = "dask_gateway_server.auth.SimpleAuthenticator"
c.SimpleAuthenticator.password = "secret"
c.DaskGateway.address = "127.0.0.1:{api}"
c.Proxy.address = "127.0.0.1:{proxy}"
c.UnsafeLocalBackend.clusters_directory = {folder!r}
c.UnsafeLocalBackend.sigterm_timeout = 1
c.ClusterConfig.scheduler_cmd = ["dask", "scheduler"]
c.ClusterConfig.worker_cmd = ["dask", "worker"]
"""


@contextmanager
def a_gateway(folder: Path) -> Iterator[dict[str, Any]]:
    """Its address, and as whom to ask it."""
    ports = [free_port(), free_port()]
    config, password = folder / "gateway.py", folder / "password"
    config.write_text(CONFIG.format(api=ports[0], proxy=ports[1], folder=str(folder / "clusters")))
    password.write_text("secret")
    password.chmod(0o600)
    environ = os.environ | {"PATH": f"{os.path.dirname(sys.executable)}:{os.environ.get('PATH', '')}"}
    command = [sys.executable, "-m", "dask_gateway_server", "--config", str(config)]
    with (folder / "gateway.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=environ)
    try:
        address = f"http://127.0.0.1:{ports[1]}"
        _answers(f"{address}/api/health", process, folder / "gateway.log")
        yield {"address": address, "auth": "basic", "user": "ada", "secret_file": str(password)}
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except OSError as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.1)
