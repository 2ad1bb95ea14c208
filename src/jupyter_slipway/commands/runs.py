"""`jupyter slipway run`, `runs`, `show`, `log`, `cancel` and `retry`: what jobs do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from jupyter_slipway.console import Command, as_json, connect, present, progress_line

if TYPE_CHECKING:
    from jupyter_slipway.client import Client
    from jupyter_slipway.runs.model import Run


@click.command(cls=Command)
@click.argument("job")
@click.option("--version", type=int, help="Which version; the one in production when not given.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Set a parameter.")
@click.option("--wait", is_flag=True, help="Wait until it has ended; exit code 1 when it failed.")
@as_json
def run(job: str, version: int | None, settings: tuple[str, ...], wait: bool, as_json: bool) -> None:
    """Run a job."""
    from jupyter_slipway import publishing, views

    with connect() as client:
        chosen = client.version(job, version)
        started = client.run(job, publishing.parameters(chosen, settings), version)
        if wait:
            started = _watch(client, started, as_json)
        present(started, views.run_view(started), as_json)
        if wait:
            _exit_as(started)


@click.command(cls=Command)
@click.option("--job", help="Only of this job.")
@click.option(
    "--state",
    type=click.Choice(["queued", "running", "succeeded", "failed", "cancelled"]),
    help="Only in this state.",
)
@click.option("--limit", default=50, show_default=True, help="How many.")
@as_json
def runs(job: str | None, state: str | None, limit: int, as_json: bool) -> None:
    """List runs, newest first."""
    from jupyter_slipway import views
    from jupyter_slipway.runs.model import RunState

    with connect() as client:
        found = client.runs(job, RunState(state) if state else None, limit=limit).items
        present(found, views.runs_table(found), as_json)


@click.command(cls=Command)
@click.argument("run")
@as_json
def show(run: str, as_json: bool) -> None:
    """Show a run: state, result, and for a failed one the notebook's lines that failed."""
    from jupyter_slipway import views

    with connect() as client:
        found = client.get_run(run)
        present(found, views.run_view(found), as_json)


@click.command(cls=Command)
@click.argument("run")
@click.option("--follow", is_flag=True, help="Go on until the run has ended.")
@as_json
def log(run: str, follow: bool, as_json: bool) -> None:
    """Print what a run printed."""
    with connect() as client:
        if as_json:
            chunk = client.log(run)
            present(chunk, "", True)
            return
        for chunk in client.follow(run):
            click.echo(chunk.text, nl=False)
            if not follow and not chunk.text:
                break


@click.command(cls=Command)
@click.argument("run")
@as_json
def cancel(run: str, as_json: bool) -> None:
    """Cancel a run, and end all processes it started."""
    with connect() as client:
        found = client.cancel(run)
        present(found, f"Run {found.id} is {'being cancelled' if found.cancelling else found.state}.", as_json)


@click.command(cls=Command)
@click.argument("run")
@as_json
def retry(run: str, as_json: bool) -> None:
    """Run the same version with the same parameters again."""
    from jupyter_slipway import views

    with connect() as client:
        found = client.retry(run)
        present(found, views.run_view(found), as_json)


def _watch(client: Client, started: Run, quiet: bool) -> Run:
    with progress_line(quiet) as tell:

        def progress(found: Run) -> None:
            tell(f"{found.job}: {found.state} {found.progress_text}".strip(), found.progress or 0.0)

        return client.wait(started.id, progress)


def _exit_as(ended: Run) -> None:
    if ended.state != "succeeded":
        sys.exit(1)
