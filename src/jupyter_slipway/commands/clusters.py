"""`jupyter slipway cluster …` and `clusters`: the team's clusters without a browser."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from jupyter_slipway.console import Commands, as_json, connect, present, progress_line

if TYPE_CHECKING:
    from jupyter_slipway.client import Client
    from jupyter_slipway.clusters.model import Cluster

no_wait = click.option("--no-wait", is_flag=True, help="Do not wait until it runs.")


@click.command(cls=Commands.command_class)
@as_json
def clusters(as_json: bool) -> None:
    """List clusters."""
    from jupyter_slipway.clusters import views

    with connect() as client:
        found = client.clusters()
        present(found, views.clusters_table(found), as_json)


@click.group(cls=Commands)
def cluster() -> None:
    """Make, start, stop, scale and look at a cluster."""


@cluster.command()
@click.argument("name")
@click.option("--profile", default="small", show_default=True, help="Its size; `cluster profiles` lists them.")
@click.option("--workers", metavar="N|MIN..MAX", help="How many, or between how many.")
@click.option("--memory", help="Of a worker, such as '4 GiB'.")
@click.option("--cores", type=int, help="Of a worker.")
@click.option("--set", "settings", multiple=True, metavar="OPTION=VALUE", help="Any other option of the profile's.")
@click.option("--no-start", is_flag=True, help="Only make it.")
@no_wait
@as_json
def new(name: str, profile: str, no_start: bool, no_wait: bool, as_json: bool, **given: Any) -> None:
    """Make cluster NAME and start it."""
    from jupyter_slipway.clusters.handlers import ClusterRequest

    options = _options(given)
    with connect() as client:
        made = client.new_cluster(ClusterRequest(name, profile, options, start=not no_start))
        _show(client, made, as_json, wait=not (no_start or no_wait))


@cluster.command()
@as_json
def profiles(as_json: bool) -> None:
    """List the sizes that clusters can be made in."""
    from jupyter_slipway.clusters import views

    with connect() as client:
        found = client.profiles()
        present(found, views.profiles_table(found), as_json)


@cluster.command()
@click.argument("name")
@no_wait
@as_json
def start(name: str, no_wait: bool, as_json: bool) -> None:
    """Start cluster NAME."""
    with connect() as client:
        _show(client, client.start_cluster(name), as_json, wait=not no_wait)


@cluster.command()
@click.argument("name")
@as_json
def stop(name: str, as_json: bool) -> None:
    """Stop cluster NAME with all its processes."""
    with connect() as client:
        _show(client, client.stop_cluster(name), as_json, wait=True)


@cluster.command()
@click.argument("name")
@as_json
def keep(name: str, as_json: bool) -> None:
    """Do not stop the idle cluster NAME for now."""
    with connect() as client:
        _show(client, client.keep_cluster(name), as_json)


@cluster.command()
@click.argument("name")
@click.argument("workers", type=int)
@as_json
def scale(name: str, workers: int, as_json: bool) -> None:
    """Give cluster NAME a fixed number of WORKERS."""
    with connect() as client:
        _show(client, client.scale_cluster(name, workers, workers), as_json)


@cluster.command()
@click.argument("name")
@click.argument("minimum", type=int)
@click.argument("maximum", type=int)
@as_json
def adapt(name: str, minimum: int, maximum: int, as_json: bool) -> None:
    """Let cluster NAME have between MINIMUM and MAXIMUM workers, as the work asks."""
    with connect() as client:
        _show(client, client.scale_cluster(name, minimum, maximum), as_json)


@cluster.command()
@click.argument("name")
@click.option("--python", default=sys.executable, help="Whose packages the workers shall have; this one's.")
@click.option("--yes", is_flag=True, help="Do it; else only say what would be done.")
@as_json
def synchronise(name: str, python: str, yes: bool, as_json: bool) -> None:
    """Give the workers of cluster NAME the packages of a kernel's Python, and restart them."""
    from jupyter_slipway.clusters import views
    from jupyter_slipway.clusters.packages import installed_in

    packages = installed_in(python)
    with connect() as client:
        found = client.compare_packages(name, packages)
        if yes and found.plan.digest:
            found = client.synchronise_packages(name, packages, found.plan.digest)
            present(found, views.comparison_view(found), as_json)
        else:
            present(found, views.plan_view(found), as_json)


@cluster.command()
@click.argument("name")
@as_json
def delete(name: str, as_json: bool) -> None:
    """Stop cluster NAME and forget it."""
    with connect() as client:
        client.delete_cluster(name)
        present({"name": name}, f"{name} is deleted.", as_json)


@cluster.command()
@click.argument("name")
@as_json
def show(name: str, as_json: bool) -> None:
    """Show cluster NAME: state, what it does, who uses it."""
    with connect() as client:
        _show(client, client.cluster(name), as_json)


@cluster.command()
@click.argument("name")
@click.option("--part", default="", help="Of which process; the first when not given.")
@as_json
def logs(name: str, part: str, as_json: bool) -> None:
    """Print what the processes of cluster NAME printed."""
    with connect() as client:
        chunk = client.cluster_log(name, part)
        if as_json:
            present(chunk, "", True)
            return
        while chunk.text:
            click.echo(chunk.text, nl=False)
            chunk = client.cluster_log(name, part, chunk.offset)


def _options(given: dict[str, Any]) -> dict[str, Any]:
    options = dict(map(_setting, given["settings"]))
    if given["workers"]:
        least, _, most = given["workers"].partition("..")
        options["workers"] = {"minimum": _count(least), "maximum": _count(most or least)}
    return options | {field: given[field] for field in ("memory", "cores") if given[field] is not None}


def _setting(text: str) -> tuple[str, Any]:
    from jupyter_slipway.errors import BadRequest

    name, equals, value = text.partition("=")
    if not equals:
        raise BadRequest(f"{text!r} sets nothing.", hint="Say --set OPTION=VALUE.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _count(text: str) -> int:
    from jupyter_slipway.errors import BadRequest

    try:
        return int(text)
    except ValueError:
        raise BadRequest(f"--workers: {text!r} is not a number.", hint="Say 4, or 1..8.") from None


def _show(client: Client, found: Cluster, as_json: bool, *, wait: bool = False) -> None:
    """Print the cluster, once it is what it becomes; exit code 1 when that is 'failed'."""
    from jupyter_slipway.clusters import views
    from jupyter_slipway.errors import SlipwayError

    if wait:
        with progress_line(as_json) as tell:

            def progress(found: Cluster) -> None:
                waiting = f", waiting for {found.waiting}" if found.waiting else ""
                tell(f"{found.name}: {found.state}{waiting}", found.progress or 0.0)

            found = client.settle(found.name, progress)
    try:
        figures = client.figures(found.name) if found.state in ("running", "draining") else None
    except SlipwayError:  # it went away in between: what is known of it is shown
        figures = None
    present(found, views.cluster_view(found, figures), as_json)
    if wait and found.state == "failed":
        sys.exit(1)
