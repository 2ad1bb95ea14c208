"""`jupyter slipway jobs`, `job`, `versions`, `export`, `rollback` and `schedule`: what is registered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from jupyter_slipway.console import Command, as_json, connect, present


@click.command(cls=Command)
@as_json
def jobs(as_json: bool) -> None:
    """List jobs."""
    from jupyter_slipway import views

    with connect() as client:
        found = client.jobs()
        present(found, views.jobs_table(found), as_json)


@click.command(cls=Command)
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
        if cluster := found.policy.cluster:
            known = [one.name for one in client.clusters()]
            if cluster not in known:  # it may be made later
                click.echo(views.no_cluster(cluster, known), err=True)


@click.command(cls=Command)
@click.argument("job")
@as_json
def versions(job: str, as_json: bool) -> None:
    """List a job's versions."""
    from jupyter_slipway import views

    with connect() as client:
        found = client.versions(job)
        present(found, views.versions_table(found, client.job(job).production), as_json)


@click.command(cls=Command)
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


@click.command(cls=Command)
@click.argument("job")
@click.argument("version", type=int)
@as_json
def rollback(job: str, version: int, as_json: bool) -> None:
    """Make VERSION the one in production."""
    with connect() as client:
        found = client.roll_back(job, version)
        present(found, f"Version {version} of {job} is in production.", as_json)


@click.command(cls=Command)
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
