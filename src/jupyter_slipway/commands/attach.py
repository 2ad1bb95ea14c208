"""`%cluster NAME`: the kernel that runs this computes on a cluster from now on."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jupyter_slipway.console import connect, console
from jupyter_slipway.errors import BadRequest, Conflict

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_slipway.client import Client
    from jupyter_slipway.clusters.model import Cluster

PROCESS = "process-"
"""How the ids of processes begin that are no kernels."""
USAGE = (
    "%cluster NAME to use one, %cluster to see it, %cluster --detach to let it go, %cluster --pull SIZE, "
    "%cluster --synchronise."
)


def cluster(shell: Any, words: list[str]) -> None:
    """
    Args:
        shell: IPython's
        words: what stands behind '%cluster'

    Raises:
        SlipwayError: refused, or the cluster failed
    """
    given = _parsed(words)
    if given["pull"]:
        _pull(given["pull"])
        return
    with connect() as client:
        _reached(client)
        if given["detach"]:
            _detach(shell, client)
        elif given["synchronise"]:
            _synchronise(client, yes=given["yes"])
        elif given["name"]:
            _attach(shell, client, given["name"])
        else:
            _show(client)


def _reached(client: Client) -> None:
    """
    Raises:
        Conflict: this kernel runs beside a worker on a machine where its server's home is not
    """
    from jupyter_slipway.kernels.startup import DIRECTORY

    directory, name = os.environ.get(DIRECTORY, ""), os.environ.get("SLIPWAY_CLUSTER", "")
    beside = directory and json.loads(Path(directory, "config.json").read_bytes()).get("inherits")
    if beside and name not in (one.name for one in client.clusters()):
        raise Conflict(
            f"This kernel runs beside a worker of {name}, on another machine than its server, and computes on it.",
            hint="Here, use `client`. The cluster is shown in JupyterLab's panel and in a terminal of the server.",
        )


def _attach(shell: Any, client: Client, name: str) -> None:
    from jupyter_slipway.clusters import views
    from jupyter_slipway.clusters.packages import installed
    from jupyter_slipway.kernels import startup

    found = client.cluster(name)
    if found.state in ("stopped", "failed"):
        found = client.start_cluster(name)
    found = client.settle(name, _line())
    if found.state in ("stopped", "failed"):
        raise Conflict(f"{name} is {found.state}: {found.reason}.", hint=f"%slipway cluster logs {name}")
    given = client.attach(name, kernel_id(), path=os.environ.get("JPY_SESSION_NAME", ""))
    environ, code = given.attachment.environ, given.attachment.code
    startup.attach(shell, environ, code)
    _remember({"cluster": name, "environ": environ, "code": code})
    says = f"{views.workers(given.cluster)} workers" if given.cluster.engine == "dask" else given.cluster.engine
    console().print(f"This kernel uses {name} ({says}): {', '.join(f'`{one}`' for one in given.attachment.names)}.")
    console().print(views.comparison_view(client.compare_packages(name, installed())))


def _detach(shell: Any, client: Client) -> None:
    from jupyter_slipway.kernels import startup

    name = attached()
    client.detach(name, kernel_id())
    startup.attach(shell, {}, "")
    _remember({})
    console().print(f"This kernel no longer uses {name}.")


def _synchronise(client: Client, *, yes: bool) -> None:
    """Let the workers have this kernel's packages: say what would be done, or do it."""
    from jupyter_slipway.clusters import views
    from jupyter_slipway.clusters.packages import installed

    name, packages = attached(), installed()
    found = client.compare_packages(name, packages)
    if yes and found.plan.digest:
        console().print(views.comparison_view(client.synchronise_packages(name, packages, found.plan.digest)))
        return
    console().print(views.plan_view(found))
    if found.plan.digest:
        console().print("Say `%cluster --synchronise --yes` to do it.")


def _pull(size: str) -> None:
    from jupyter_slipway.clusters import sizes

    limit = sizes.parse(size, "--pull")
    os.environ["SLIPWAY_PULL_LIMIT"] = str(limit)
    console().print(f"Results of up to {sizes.words(limit)} are brought into this kernel.")


def _show(client: Client) -> None:
    from jupyter_slipway.clusters import views

    name = attached()
    found = client.cluster(name)
    figures = client.figures(name) if found.state in ("running", "draining") else None
    console().print(views.cluster_view(found, figures))


def attached() -> str:
    name = os.environ.get("SLIPWAY_CLUSTER", "")
    if not name:
        raise Conflict("This kernel uses no cluster.", hint=f"%slipway clusters lists them. {USAGE}")
    return name


def kernel_id() -> str:
    """Of this kernel, as the server knows it; of a process that is no kernel, one that is its own."""
    from jupyter_slipway.kernels.startup import DIRECTORY

    if directory := os.environ.get(DIRECTORY):
        # A host was started for it, in a directory of another name; a warm one has got its id since.
        return str(json.loads(Path(directory, "config.json").read_bytes())["kernel"])
    try:
        from ipykernel.connect import get_connection_file
        from traitlets.config import MultipleInstanceError
    except ImportError:
        return f"{PROCESS}{os.getpid()}"
    try:
        return Path(get_connection_file()).stem.removeprefix("kernel-")
    except (RuntimeError, MultipleInstanceError):  # plain IPython, which is an application of its own in a terminal
        return f"{PROCESS}{os.getpid()}"


def _remember(attachment: dict[str, Any]) -> None:
    """For the next start of a kernel that a host keeps."""
    from jupyter_slipway.files import atomic_write
    from jupyter_slipway.kernels.startup import ATTACHMENT, DIRECTORY

    if directory := os.environ.get(DIRECTORY):
        atomic_write(Path(directory, ATTACHMENT), json.dumps(attachment).encode())


def _line() -> Callable[[Cluster], None]:
    """One line under the cell that says what is being waited for."""
    from IPython.display import TextDisplayObject, display

    class Line(TextDisplayObject):  # type: ignore[misc]
        def __repr__(self) -> str:
            return str(self.data)

    handle = display(Line(""), display_id=True)
    said = ""

    def tell(found: Cluster) -> None:
        nonlocal said
        waiting = f", waiting for {found.waiting}" if found.waiting else ""
        part = f" ({found.progress:.0%})" if found.state == "starting" and found.progress else ""
        words = f"{found.name}: {found.state}{waiting}{part}"
        if handle is not None and words != said:
            said = words
            handle.update(Line(words))

    return tell


def _parsed(words: list[str]) -> dict[str, Any]:
    @click.command(add_help_option=False)
    @click.argument("name", required=False)
    @click.option("--detach", is_flag=True)
    @click.option("--pull")
    @click.option("--synchronise", is_flag=True)
    @click.option("--yes", is_flag=True)
    def command(**given: Any) -> dict[str, Any]:
        return given

    try:
        found = command.main(args=words, prog_name="%cluster", standalone_mode=False)
    except click.ClickException as error:
        raise BadRequest(error.format_message(), hint=USAGE) from error
    assert isinstance(found, dict)
    return found
