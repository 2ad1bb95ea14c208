"""`jupyter_slipway.cluster()`: a cluster shown in a notebook, live where there are widgets."""

from __future__ import annotations

import importlib.util
from typing import Any

from jupyter_slipway.client import Client
from jupyter_slipway.clusters.model import Cluster
from jupyter_slipway.commands.attach import attached


class Still:
    """How a cluster was when it was asked for."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def __repr__(self) -> str:
        one = self.cluster
        return f"<cluster {one.name}: {one.state}, {one.live_workers} of {one.workers.maximum} workers>"


def cluster(name: str = "") -> Any:
    """As `jupyter_slipway.cluster`."""
    name = name or attached()
    client = Client.connect()
    if importlib.util.find_spec("ipywidgets") is None:
        with client:
            return Still(client.cluster(name))
    from jupyter_slipway.cluster_widget import ClusterWidget

    try:
        return ClusterWidget(client, name)
    except BaseException:
        client.close()
        raise
