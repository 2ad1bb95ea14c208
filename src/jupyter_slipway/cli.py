"""`jupyter slipway …`: the whole product without a browser. Stands on `client`; scripts depend on its names and codes.

Exit codes: 0 done · 1 the run failed · 2 cannot be, as asked · 3 not found · 4 the state of things forbids it ·
5 something it needs is away.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jupyter_slipway.console import Commands, as_json, connect, present, progress_line

if TYPE_CHECKING:
    from jupyter_slipway.client import Client
    from jupyter_slipway.runs.model import Run

LATER = {
    "convert": "notebooks",
    "store": "notebooks",
    "cluster": "clusters",
    "clusters": "clusters",
    "diff": "compare",
    "git": "git",
    "console": "kernels",
    "kernel": "kernels",
    "kernels": "kernels",
    "who": "kernels",
}
"""Commands that another module has: imported when they are called or listed."""


class Main(Commands):
    def list_commands(self, context: click.Context) -> list[str]:
        return sorted([*super().list_commands(context), *LATER])

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in LATER:
            return super().get_command(context, name)
        found = getattr(import_module(f"jupyter_slipway.commands.{LATER[name]}"), name.replace("-", "_"))
        assert isinstance(found, click.Command)
        return found


@click.group(cls=Main, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="jupyter-slipway")
def main() -> None:
    """Publish notebook cells as production jobs, and run them."""


@main.command()
@click.argument("notebook", type=click.Path(path_type=Path))
@click.option(
    "--cell",
    required=True,
    metavar="ID|INDEX|NAME",
    help="The cell to publish; indexes count code cells from 0.",
)
@click.option("--name", default="", metavar="JOB", help="The job's name.")
@click.option("--run", "execute", is_flag=True, help="First run the notebook up to the cell, and prove the result.")
@click.option("--dry-run", is_flag=True, help="Print the plan; register nothing.")
@click.option(
    "--set-parameter",
    "settings",
    multiple=True,
    metavar="NAME[:TYPE]=DEFAULT",
    help="Add or change a parameter.",
)
@click.option("--note", default="", help="What is new in this version.")
@click.option("--cluster", help="Which cluster its runs compute on; as before when not given.")
@as_json
def publish(
    notebook: Path,
    cell: str,
    name: str,
    execute: bool,
    dry_run: bool,
    settings: tuple[str, ...],
    note: str,
    cluster: str | None,
    as_json: bool,
) -> None:
    """Publish one cell of NOTEBOOK as a version of a job."""
    from jupyter_slipway import publishing, views
    from jupyter_slipway.errors import BadRequest

    if not name and not dry_run:
        raise BadRequest("The job has no name.", hint="Say --name JOB, or --dry-run to see the plan.")
    with connect() as client, progress_line(as_json) as progress:
        request = publishing.request(
            client,
            notebook,
            cell,
            name=name,
            settings=settings,
            execute=execute,
            cluster=cluster,
            progress=progress,
        )
        proof = client.prove(request, progress) if execute else None
        if dry_run:
            plan = proof.plan if proof and proof.plan else client.plan(request)
            progress("", 1.0)
            present(plan, views.plan_view(plan), as_json)
            return
        proved = proof.id if proof else None
        published = client.publish(publishing.registration(request, note=note, proof_id=proved))
        progress("", 1.0)
        present(published, views.published_view(published), as_json)


@main.command()
@as_json
def jobs(as_json: bool) -> None:
    """List jobs."""
    from jupyter_slipway import views

    with connect() as client:
        found = client.jobs()
        present(found, views.jobs_table(found), as_json)


@main.command()
@click.argument("job")
@click.option("--owner", help="Who answers for it.")
@click.option("--deputy", help="Who does when the owner is away.")
@click.option("--description", help="What it is.")
@click.option("--timeout", type=float, help="Seconds after which an attempt is ended.")
@click.option("--attempts", type=int, help="How often a failed run is tried in all.")
@click.option("--backoff", type=float, help="Seconds before the second try, doubled for each further one.")
@click.option("--cluster", help="Which cluster its runs compute on; '' for none.")
@as_json
def job(job: str, as_json: bool, **changes: Any) -> None:
    """Show a job, or change who owns it and how its runs are carried."""
    from jupyter_slipway import publishing, views

    with connect() as client:
        found = client.job(job)
        if change := publishing.change(found, changes):
            found = client.change(job, change)
        present(found, views.job_view(found, client.versions(job)), as_json)


@main.command()
@click.argument("job")
@as_json
def versions(job: str, as_json: bool) -> None:
    """List a job's versions."""
    from jupyter_slipway import views

    with connect() as client:
        found = client.versions(job)
        present(found, views.versions_table(found, client.job(job).production), as_json)


@main.command()
@click.argument("job")
@click.option("--version", type=int, help="Which version; the one in production when not given.")
@click.option("--folder", type=click.Path(path_type=Path), default=Path(), help="Where to; here when not given.")
@as_json
def export(job: str, version: int | None, folder: Path, as_json: bool) -> None:
    """Write a version's module, your own modules and its lock as files that need no Slipway."""
    from jupyter_slipway import publishing

    with connect() as client:
        written = publishing.export(client.version(job, version), folder)
        present([str(path) for path in written], "\n".join(f"Wrote {path}" for path in written), as_json)


@main.command()
@click.argument("job")
@click.argument("version", type=int)
@as_json
def rollback(job: str, version: int, as_json: bool) -> None:
    """Make VERSION the one in production."""
    with connect() as client:
        found = client.roll_back(job, version)
        present(found, f"Version {version} of {job} is in production.", as_json)


@main.command()
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


@main.command()
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


@main.command()
@click.argument("run")
@as_json
def show(run: str, as_json: bool) -> None:
    """Show a run: state, result, and for a failed one the notebook's lines that failed."""
    from jupyter_slipway import views

    with connect() as client:
        found = client.get_run(run)
        present(found, views.run_view(found), as_json)


@main.command()
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


@main.command()
@click.argument("run")
@as_json
def cancel(run: str, as_json: bool) -> None:
    """Cancel a run, and end all processes it started."""
    with connect() as client:
        found = client.cancel(run)
        present(found, f"Run {found.id} is {'being cancelled' if found.cancelling else found.state}.", as_json)


@main.command()
@click.argument("run")
@as_json
def retry(run: str, as_json: bool) -> None:
    """Run the same version with the same parameters again."""
    from jupyter_slipway import views

    with connect() as client:
        found = client.retry(run)
        present(found, views.run_view(found), as_json)


@main.command()
@click.argument("job")
@click.argument("cron", required=False)
@click.option("--tz", default="UTC", show_default=True, help="Time zone, such as Europe/Berlin.")
@click.option(
    "--catch-up",
    type=click.Choice(["skip", "latest", "all"]),
    default="latest",
    show_default=True,
    help="What came due while nothing ran.",
)
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Set a parameter of its runs.")
@click.option("--pause", "action", flag_value="pause", help="Start nothing for now.")
@click.option("--resume", "action", flag_value="resume", help="Start runs again.")
@click.option("--delete", "action", flag_value="delete", help="Forget the schedule.")
@as_json
def schedule(
    job: str,
    cron: str | None,
    tz: str,
    catch_up: Any,
    settings: tuple[str, ...],
    action: str | None,
    as_json: bool,
) -> None:
    """Run JOB by itself at the times CRON says, or show its schedule."""
    from jupyter_slipway import publishing, views
    from jupyter_slipway.jobs.handlers import ScheduleRequest

    with connect() as client:
        if action == "delete":
            client.delete_schedule(job)
            present(None, f"{job} has no schedule now.", as_json)
            return
        if action:
            found = client.pause_schedule(job) if action == "pause" else client.resume_schedule(job)
        elif cron:
            values = publishing.parameters(client.version(job), settings)
            found = client.set_schedule(job, ScheduleRequest(cron, tz, catch_up=catch_up, parameters=values))
        else:
            kept = client.job(job).schedule
            if kept is None:
                present(
                    None,
                    f"{job} has no schedule. Give one: jupyter slipway schedule {job} '0 3 * * *'",
                    as_json,
                )
                return
            found = kept
        present(found, views.schedule_view(found), as_json)


@main.command()
@click.argument("action", type=click.Choice(["start", "stop", "status"]), default="status")
@as_json
def runner(action: str, as_json: bool) -> None:
    """Start, stop or look at the process that carries runs."""
    from jupyter_slipway import service
    from jupyter_slipway.runs import runner as runners
    from jupyter_slipway.settings import Settings

    settings = Settings.read()
    if action == "start":
        service.start(settings)
    elif action == "stop":
        runners.stop(settings.home)
    status = runners.status(settings.home)
    words = (
        f"The runner lives (process {status.pid})." if status.alive else "No runner lives. It starts with the next run."
    )
    present(status, words, as_json)


@main.command("service")
@click.argument("action", type=click.Choice(["install", "uninstall", "show"]))
def service_command(action: str) -> None:
    """Let the system's service manager keep the runner alive, whether JupyterLab runs or not."""
    from jupyter_slipway import units
    from jupyter_slipway.settings import Settings

    click.echo(units.act(action, Settings.read()))


@main.command()
@as_json
def doctor(as_json: bool) -> None:
    """Check that everything that publishing and running need is there."""
    from jupyter_slipway import diagnosis
    from jupyter_slipway.settings import Settings

    findings = diagnosis.examine(Settings.read())
    present(findings, diagnosis.view(findings), as_json)
    if not all(finding.ok for finding in findings):
        sys.exit(1)


@main.command()
@click.option("--once", is_flag=True, help="End when the job has run, instead of opening JupyterLab.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where to work; a new folder when not given.")
def demo(once: bool, folder: Path | None) -> None:
    """Publish and run a cell of the example notebook."""
    from jupyter_slipway.demo import demonstrate

    demonstrate(folder, once=once)


def _watch(client: Client, started: Run, quiet: bool) -> Run:
    with progress_line(quiet) as tell:

        def progress(found: Run) -> None:
            tell(f"{found.job}: {found.state} {found.progress_text}".strip(), found.progress or 0.0)

        return client.wait(started.id, progress)


def _exit_as(ended: Run) -> None:
    if ended.state != "succeeded":
        sys.exit(1)


if __name__ == "__main__":
    main()
