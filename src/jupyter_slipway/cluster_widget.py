"""A cluster as a widget in a notebook: state, workers, what it does, live, with its size and its dashboard at hand.

Fed by `client`. Where a notebook shows no widgets, what is shown is a table of how the cluster was.
"""

from __future__ import annotations

import io
import threading
from html import escape
from typing import Any

import ipywidgets
from rich.console import Console

from jupyter_slipway.client import Client
from jupyter_slipway.clusters import sizes, views
from jupyter_slipway.clusters.model import Cluster, ClusterState, Figures
from jupyter_slipway.errors import SlipwayError

EVERY = 2.0
"""Seconds between two looks."""
LIVE = (ClusterState.RUNNING, ClusterState.DRAINING)


class ClusterWidget(ipywidgets.VBox):
    """Shows cluster `name` and follows it until it is closed. `client` is closed then, too."""

    def __init__(self, client: Client, name: str) -> None:
        self._client, self._name = client, name
        self._over = threading.Event()
        self._title, self._figures, self._said = ipywidgets.HTML(), ipywidgets.HTML(), ipywidgets.HTML()
        self._cpu = ipywidgets.FloatProgress(min=0, max=1, description="CPU")
        self._memory = ipywidgets.FloatProgress(min=0, max=1, description="Memory")
        self._workers = ipywidgets.BoundedIntText(min=0, max=1000, description="Workers", layout={"width": "160px"})
        self._scale = ipywidgets.Button(description="Scale")
        self._scale.on_click(lambda _: self._ask(self._client.scale_cluster, self._workers.value, self._workers.value))
        self._switch = ipywidgets.Button()
        self._switch.on_click(lambda _: self._ask(self._to_other_state))
        buttons = ipywidgets.HBox([self._workers, self._scale, self._switch])
        super().__init__([self._title, self._cpu, self._memory, self._figures, buttons, self._said])
        self.cluster = client.cluster(name)
        self._workers.value = self.cluster.workers.maximum
        self._draw()
        self._thread = threading.Thread(target=self._follow, name=f"slipway-{name}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self._client.close()
        super().close()

    def _follow(self) -> None:
        while not self._over.wait(EVERY):
            try:
                self.look()
            except SlipwayError as error:
                # It was deleted, or the server is away: what is shown stays, and says so.
                self._said.value = escape(error.message)

    def look(self) -> None:
        """Draw it as it is now.

        Raises:
            SlipwayError: it is gone, or nobody can say
        """
        self.cluster = self._client.cluster(self._name)
        self._draw()

    def _ask(self, act: Any, *arguments: Any) -> None:
        try:
            act(self._name, *arguments)
            self._said.value = ""
            self.look()
        except SlipwayError as error:
            self._said.value = f"<b>{escape(error.message)}</b> {escape(error.hint)}"

    def _to_other_state(self, name: str) -> Cluster:
        stopped = self.cluster.state in (ClusterState.STOPPED, ClusterState.FAILED)
        return self._client.start_cluster(name) if stopped else self._client.stop_cluster(name)

    def _draw(self) -> None:
        found = self.cluster
        figures = self._client.figures(self._name) if found.state in LIVE else Figures()
        waits = f" <small>{escape(found.waiting or found.reason)}</small>" if found.waiting or found.reason else ""
        path = self._client.dashboard(self._name)
        link = f' <a href="{escape(path)}" target="_blank" rel="noopener">dashboard</a>' if path else ""
        workers = f"{views.workers(found)} workers" if found.engine == "dask" else found.engine
        self._title.value = f"<b>{escape(found.name)}</b> · {found.state} · {workers}{waits}{link}"
        self._cpu.value = figures.cpu
        self._memory.value = figures.memory / figures.memory_limit if figures.memory_limit else 0.0
        used = f"{sizes.words(figures.memory)} in use, " if figures.memory else ""
        tasks = f"{used}{figures.processing} tasks running, {figures.tasks} to do, {figures.done} done"
        self._figures.value = tasks if found.state in LIVE else ""
        stopped = found.state in (ClusterState.STOPPED, ClusterState.FAILED)
        self._switch.description = "Start" if stopped else "Stop"
        self._scale.disabled = "workers" not in found.options

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = super()._repr_mimebundle_(**options)
        return bundle | shown(self.cluster)


def shown(cluster: Cluster) -> dict[str, str]:
    """Text and page of how a cluster is."""
    # In a kernel rich would show the page by itself, beside the widget.
    page = Console(record=True, file=io.StringIO(), width=100, highlight=False, force_jupyter=False)
    page.print(views.cluster_view(cluster))
    text = page.export_text(clear=False)
    return {"text/plain": text, "text/html": page.export_html(inline_styles=True, code_format="<pre>{code}</pre>")}
