"""`jupyter slipway publish`: a cell of a notebook becomes a version of a job."""

from __future__ import annotations

from pathlib import Path

import click

from jupyter_slipway.console import Command, as_json, connect, present, progress_line


@click.command(cls=Command)
@click.argument("notebook", type=click.Path(path_type=Path))
@click.option(
    "--cell",
    default="",
    metavar="ID|INDEX|NAME",
    help="The cell to publish; indexes count code cells from 0. A title after `# %%` is a name, too. Without it the "
    "cells are listed.",
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

    if cell and not name and not dry_run:
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
