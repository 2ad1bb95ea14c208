"""Dask on this machine: scheduler in the cluster's host, each worker a process of its own, TLS between them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_slipway.clusters import sizes
from jupyter_slipway.clusters.backends.hosted import HostedDask
from jupyter_slipway.clusters.hosts import WORKERS_LOG, Launch
from jupyter_slipway.clusters.model import Workers

# What workers print goes to a log of theirs, beside the host's.
OWN_LOG = """
import os
_log = os.open({path!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
os.dup2(_log, 1); os.dup2(_log, 2); os.close(_log)
"""
# Each worker has GPUs of its own: it holds a lock on each as long as it lives, in a folder that this home's share.
OWN_GPUS = """
import fcntl, os
_gpus = dict()
for _number in range({machine}):
    _lock = os.open(os.path.join({folder!r}, f".gpu-{{_number}}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(_lock)
        continue
    _gpus[str(_number)] = _lock
    if len(_gpus) == {wanted}:
        break
os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(_gpus)
"""


class DaskLocal(HostedDask):
    name = "dask-local"

    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {
                "workers": sizes.WORKERS,
                "cores": sizes.CORES,
                "memory": sizes.MEMORY,
                "gpus": {
                    "type": "integer",
                    "title": "GPUs of a worker",
                    "description": "Tasks ask for them with resources={'GPU': 1}.",
                    "minimum": 0,
                    "default": 0,
                },
            },
            "required": ["workers", "cores", "memory"],
            "additionalProperties": False,
        }

    def launch(self, name: str, options: Mapping[str, Any], directory: Path) -> Launch:
        workers = Workers(options["workers"]["minimum"], options["workers"]["maximum"])
        preload, more = [OWN_LOG.format(path=str(directory / WORKERS_LOG))], {}
        if gpus := options.get("gpus", 0):
            preload.append(OWN_GPUS.format(machine=sizes.machine_gpus(), folder=str(directory.parent), wanted=gpus))
            more = {"resources": {"GPU": gpus}}
        return Launch(
            name,
            module="distributed.deploy",
            cls="LocalCluster",
            kwargs={
                **more,
                "name": name,
                "n_workers": 0,
                "threads_per_worker": options["cores"],
                "memory_limit": sizes.parse(options["memory"]),
                "dashboard_address": "127.0.0.1:0",
                "local_directory": "{directory}/scratch",
                "silence_logs": logging.INFO,
                "preload": preload,
            },
            workers=workers,
            wait_for=min(1, workers.minimum),
        )
