"""A Jupyter server in a process of its own, at a base_url that is not the root."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jupyter_slipway.client import Http
from tests.ports import free_port
from tests.waiting import PATIENCE


@dataclass(frozen=True)
class Server:
    http: Http
    process: subprocess.Popen[bytes]


@contextmanager
def serving(root: Path, home: Path) -> Iterator[Server]:
    """Starts it, waits for it, ends it."""
    port = free_port()
    token = secrets.token_hex(16)
    environ = os.environ | {"JUPYTER_DATA_DIR": str(home / "data"), "JUPYTER_RUNTIME_DIR": str(home / "runtime")}
    command = [sys.executable, "-m", "jupyter_server", f"--ServerApp.port={port}", f"--ServerApp.root_dir={root}"]
    command += ["--ServerApp.base_url=/user/ada/", f"--IdentityProvider.token={token}", "--allow-root", "--no-browser"]
    with (home / "server.log").open("w") as log:
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}/user/ada"
    try:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                urllib.request.urlopen(f"{url}/api?token={token}", timeout=2).close()
                break
            except OSError:
                assert process.poll() is None, (home / "server.log").read_text()
                assert time.monotonic() < until
                time.sleep(0.1)
        yield Server(Http(url, token), process)
    finally:
        process.terminate()
        process.wait(120)
