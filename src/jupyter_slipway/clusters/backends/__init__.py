"""Which backends there are: ours by name, others by the entry point group `jupyter_slipway.backends`."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, cast

from jupyter_slipway.errors import Unprocessable

if TYPE_CHECKING:
    from jupyter_slipway.clusters.backends.base import Backend

GROUP = "jupyter_slipway.backends"
HERE = "jupyter_slipway.clusters.backends"
OURS = {
    "dask-local": "dask_local:DaskLocal",
    "dask-address": "dask_address:DaskAddress",
    "dask-gateway": "dask_gateway:DaskGateway",
    "dask-jobqueue": "dask_jobqueue:DaskJobqueue",
    "dask-kubernetes": "dask_kubernetes:DaskKubernetes",
    "spark-local": "spark_local:SparkLocal",
    "spark-connect": "spark_connect:SparkConnect",
    "memory": "memory:Memory",
}


class Backends:
    """Makes each backend when it is first asked for: none is imported before."""

    def __init__(self) -> None:
        self._made: dict[str, Backend] = {}

    def __getitem__(self, name: str) -> Backend:
        """
        Raises:
            Unprocessable: there is none of this name, or it is not installed; the message lists those that are
        """
        if name not in self._made:
            self._made[name] = _make(name)
        return self._made[name]

    def names(self) -> list[str]:
        return [*OURS, *(one.name for one in entry_points(group=GROUP) if one.name not in OURS)]


def _make(name: str) -> Backend:
    try:
        if name in OURS:
            module, _, kind = OURS[name].partition(":")
            return cast("Backend", getattr(import_module(f"{HERE}.{module}"), kind)())
        for one in entry_points(group=GROUP, name=name):
            return cast("Backend", one.load()())
    except ImportError as error:
        raise Unprocessable(
            f"The backend {name!r} is not installed: {error}.", hint=f"Install jupyter-slipway[{name.split('-')[-1]}]."
        ) from error
    raise Unprocessable(f"There is no backend {name!r}.", hint=f"There are {', '.join(Backends().names())}.")
