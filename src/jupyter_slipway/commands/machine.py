"""`jupyter slipway runner`, `service`, `doctor` and `demo`: what this machine does for it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from jupyter_slipway.console import Command, as_json, present


@click.command(cls=Command)
@click.argument("action", type=click.Choice(["start", "stop", "status"]), default="status")
@as_json
def runner(action: str, as_json: bool) -> None:
    """Start, stop or look at the process that carries runs."""
    from jupyter_slipway import service as services
    from jupyter_slipway.runs import runner as runners
    from jupyter_slipway.settings import Settings

    settings = Settings.read()
    if action == "start":
        services.start(settings)
    elif action == "stop":
        runners.stop(settings.home)
    status = runners.status(settings.home)
    words = (
        f"The runner lives (process {status.pid})." if status.alive else "No runner lives. It starts with the next run."
    )
    present(status, words, as_json)


@click.command(cls=Command)
@click.argument("action", type=click.Choice(["install", "uninstall", "show"]))
@as_json
def service(action: str, as_json: bool) -> None:
    """Let the system's service manager keep the runner alive, whether JupyterLab runs or not."""
    from jupyter_slipway import units
    from jupyter_slipway.settings import Settings

    said = units.act(action, Settings.read())
    if as_json:
        present({action: said}, said, as_json)
    else:
        click.echo(said)  # as it is: a unit's lines must not be wrapped


@click.command(cls=Command)
@as_json
def doctor(as_json: bool) -> None:
    """Check that everything that publishing and running need is there."""
    from jupyter_slipway import diagnosis
    from jupyter_slipway.settings import Settings

    findings = diagnosis.examine(Settings.read())
    present(findings, diagnosis.view(findings), as_json)
    if not all(finding.ok for finding in findings):
        sys.exit(1)


@click.command(cls=Command)
@click.option("--once", is_flag=True, help="End when the job has run, instead of opening JupyterLab.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where to work; a new folder when not given.")
@as_json
def demo(once: bool, folder: Path | None, as_json: bool) -> None:
    """Publish and run a cell of the example notebook."""
    from jupyter_slipway.demo import demonstrate

    runs = demonstrate(folder, once=once or as_json, stderr=as_json)
    if as_json:
        present(runs, "", as_json)
