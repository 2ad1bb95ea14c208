"""Dask on a batch system: what the host is told to make. That it then works, the contract suite shows with 'local'."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from jupyter_slipway.clusters.backends import dask_jobqueue
from jupyter_slipway.clusters.backends.dask_jobqueue import SYSTEMS, DaskJobqueue
from jupyter_slipway.clusters.profiles import check
from jupyter_slipway.errors import SlipwayError, Unavailable

OPTIONS: dict[str, Any] = {
    "system": "SLURM",
    "workers": {"minimum": 0, "maximum": 8},
    "cores": 4,
    "memory": "16 GiB",
    "queue": "short",
    "account": "physics",
    "walltime": "02:00:00",
    "directives": ["--constraint=avx512"],
    "prologue": ["module load python"],
}


def test_a_slurm_job_asks_for_what_the_form_says(tmp_path: Path) -> None:
    check(DaskJobqueue().schema(), OPTIONS)
    launch = DaskJobqueue().launch("etl", OPTIONS, tmp_path)
    kwargs = launch.kwargs | {"shared_temp_directory": str(tmp_path), "log_directory": str(tmp_path / "jobs")}
    job = importlib.import_module(launch.module).SLURMCluster.job_cls
    described = {
        name: value
        for name, value in kwargs.items()
        if name not in ("scheduler_options", "shared_temp_directory", "protocol")
    }

    script = job(scheduler="tls://10.0.0.1:8786", protocol="tcp://", **described).job_script()

    for line in (
        "#SBATCH -p short",
        "#SBATCH -A physics",
        "#SBATCH --cpus-per-task=4",
        "#SBATCH --mem=16G",
        "#SBATCH -t 02:00:00",
        "#SBATCH --constraint=avx512",
        "module load python",
    ):
        assert line in script.splitlines()
    assert "--nthreads 4" in script
    assert launch.tls
    assert launch.wait_for == 0, "a queue may let workers wait for hours"


@pytest.mark.parametrize("system", SYSTEMS)
def test_each_system_of_the_form_is_one_that_dask_jobqueue_knows(system: str, tmp_path: Path) -> None:
    launch = DaskJobqueue().launch("etl", OPTIONS | {"system": system}, tmp_path)

    assert hasattr(importlib.import_module(launch.module), launch.cls)


def test_a_directive_is_one_line() -> None:
    with pytest.raises(SlipwayError, match="directives"):
        check(DaskJobqueue().schema(), OPTIONS | {"directives": ["--x\nrm -r /"]})


def test_without_the_package_it_says_which(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(dask_jobqueue.importlib.util, "find_spec", lambda name: None)

    with pytest.raises(Unavailable, match="dask-jobqueue is not installed"):
        DaskJobqueue().launch("etl", OPTIONS, tmp_path)
