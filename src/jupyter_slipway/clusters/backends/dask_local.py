"""Dask on this machine: scheduler in the cluster's host, each worker a process of its own, TLS between them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_slipway.clusters import sizes
from jupyter_slipway.clusters.backends.hosted import HostedDask
from jupyter_slipway.clusters.hosts import Launch
from jupyter_slipway.clusters.model import Workers

# What workers print goes to a log of theirs, beside the host's.
OWN_LOG = """
import os
_log = os.open({path!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
os.dup2(_log, 1); os.dup2(_log, 2); os.close(_log)
"""


class DaskLocal(HostedDask):
    name = "dask-local"

    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {"workers": sizes.WORKERS, "cores": sizes.CORES, "memory": sizes.MEMORY},
            "required": ["workers", "cores", "memory"],
            "additionalProperties": False,
        }

    def launch(self, name: str, options: Mapping[str, Any], directory: Path) -> Launch:
        workers = Workers(options["workers"]["minimum"], options["workers"]["maximum"])
        return Launch(
            name,
            module="distributed.deploy",
            cls="LocalCluster",
            kwargs={
                "name": name,
                "n_workers": 0,
                "threads_per_worker": options["cores"],
                "memory_limit": sizes.parse(options["memory"]),
                "dashboard_address": "127.0.0.1:0",
                "local_directory": "{directory}/scratch",
                "silence_logs": logging.INFO,
                "preload": [OWN_LOG.format(path=str(directory / "workers.log"))],
            },
            workers=workers,
            wait_for=min(1, workers.minimum),
        )
