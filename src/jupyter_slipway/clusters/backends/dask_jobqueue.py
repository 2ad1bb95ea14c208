"""Dask on a batch system: the scheduler in the cluster's host, each worker a job of SLURM, PBS, LSF, SGE, OAR …"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_slipway.clusters import sizes
from jupyter_slipway.clusters.backends.hosted import HostedDask
from jupyter_slipway.clusters.hosts import Launch
from jupyter_slipway.clusters.model import Workers
from jupyter_slipway.errors import Unavailable

SYSTEMS = {
    "SLURM": "SLURMCluster",
    "PBS": "PBSCluster",
    "LSF": "LSFCluster",
    "SGE": "SGECluster",
    "OAR": "OARCluster",
    "HTCondor": "HTCondorCluster",
    "Moab": "MoabCluster",
    "local": "LocalCluster",
}
"""'local' runs the jobs as processes of this machine: to try out a profile without a queue."""


class DaskJobqueue(HostedDask):
    name = "dask-jobqueue"
    on_this_machine = False

    def schema(self) -> dict[str, Any]:
        text = {"type": "string", "default": ""}
        return {
            "type": "object",
            "properties": {
                "system": {"title": "Batch system", "enum": list(SYSTEMS), "default": "SLURM"},
                "workers": sizes.WORKERS,
                "cores": sizes.CORES,
                "memory": sizes.MEMORY,
                "queue": {**text, "title": "Queue", "description": "Or partition. Empty: the system's own choice."},
                "account": {**text, "title": "Account", "description": "Whom the jobs are charged to."},
                "walltime": {**text, "title": "Time limit of a job", "description": "As the system writes it."},
                "interface": {
                    **text,
                    "title": "Network interface",
                    "description": "By which the nodes reach this machine, such as ib0.",
                },
                "directives": {
                    "type": "array",
                    "title": "More directives",
                    "description": "Lines of the job's script, such as --constraint=avx512.",
                    "items": {"type": "string", "pattern": r"^[^\r\n]+$"},
                    "default": [],
                },
                "prologue": {
                    "type": "array",
                    "title": "Before a worker starts",
                    "description": "Shell commands in the job, such as 'module load python'.",
                    "items": {"type": "string", "pattern": r"^[^\r\n]+$"},
                    "default": [],
                },
            },
            "required": ["workers", "cores", "memory"],
            "additionalProperties": False,
        }

    def launch(self, name: str, options: Mapping[str, Any], directory: Path) -> Launch:
        if importlib.util.find_spec("dask_jobqueue") is None:
            raise Unavailable(
                "dask-jobqueue is not installed.", hint="pip install 'jupyter-slipway[jobqueue]' where Jupyter runs."
            )
        system = options.get("system", "SLURM")
        scheduler: dict[str, Any] = {"dashboard_address": "127.0.0.1:0"}
        kwargs: dict[str, Any] = {
            "name": name,
            "cores": options["cores"],
            "memory": f"{sizes.parse(options['memory'])}B",
            "processes": 1,
            "protocol": "tls",
            # The certificates of the workers: on a disk that the nodes see.
            "shared_temp_directory": "{directory}",
            "log_directory": "{directory}/jobs",
            "local_directory": "{directory}/scratch",
            "job_extra_directives": options.get("directives", []),
            "job_script_prologue": options.get("prologue", []),
            "scheduler_options": scheduler,
        }
        if interface := options.get("interface"):
            kwargs["interface"] = interface
        elif system == "local":
            scheduler["host"] = "127.0.0.1"
        if system != "local":
            # What this system has no word for, dask-jobqueue refuses, and the cluster says so.
            kwargs |= {field: options[field] for field in ("queue", "account", "walltime") if options.get(field)}
        workers = Workers(options["workers"]["minimum"], options["workers"]["maximum"])
        # It runs as soon as its scheduler does: a queue may let workers wait for hours.
        module = "dask_jobqueue.local" if system == "local" else "dask_jobqueue"
        return Launch(name, module=module, cls=SYSTEMS[system], kwargs=kwargs, workers=workers, wait_for=0)
