"""`%slipway …` and `%%publish NAME`: the command line's words inside a notebook, on `client`.

Loaded by `%load_ext jupyter_slipway`, which also begins to note what each cell changes.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import click
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class

from jupyter_slipway.errors import BadRequest, SlipwayError


def load(shell: Any) -> None:
    from jupyter_slipway.publish.inside import observer

    observer.install(shell)
    shell.register_magics(SlipwayMagics)


@magics_class
class SlipwayMagics(Magics):
    @line_magic
    def slipway(self, line: str) -> None:
        """The command line: `%slipway jobs`, `%slipway run JOB --set month=6 --wait`; `%slipway --help` lists all."""
        from rich.console import Console

        from jupyter_slipway.cli import main
        from jupyter_slipway.views import refusal

        words = shlex.split(line) or ["--help"]
        try:
            if words[0] == "run" and "--json" not in words and "--help" not in words and _shows_widgets(self.shell):
                self._run(words[1:])
            else:
                main.main(args=words, prog_name="%slipway", standalone_mode=False)
        except SlipwayError as error:
            Console().print(refusal(error))
        except click.ClickException as error:
            print(error.format_message())
        except SystemExit:
            pass

    @line_magic
    def cluster(self, line: str) -> None:
        """Compute on a cluster: `%cluster NAME` starts it if need be; `%cluster` shows it, `--detach` lets it go."""
        from rich.console import Console

        from jupyter_slipway.commands.attach import cluster
        from jupyter_slipway.views import refusal

        try:
            cluster(self.shell, shlex.split(line))
        except SlipwayError as error:
            Console().print(refusal(error))

    @cell_magic
    def publish(self, line: str, cell: str) -> None:
        """Run this cell, then publish it as a job.

        `%%publish NAME [--note TEXT] [--dry-run] [--set-parameter NAME=DEFAULT] [--json]`
        """
        from jupyter_slipway.console import refuse

        done = self.shell.run_cell(cell)
        if not done.success:
            return
        try:
            self._publish(line, cell)
        except SlipwayError as error:
            refuse(error, "--json" in line.split(), stderr=False)

    def _run(self, words: list[str]) -> None:
        """Start a run, and show it as a widget that follows it."""
        from IPython.display import display

        from jupyter_slipway import publishing
        from jupyter_slipway.client import Client
        from jupyter_slipway.commands.runs import run
        from jupyter_slipway.widgets import RunWidget

        given = run.make_context("%slipway run", words).params
        client = Client.connect()
        try:
            version = client.version(given["job"], given["version"])
            started = client.run(version.job, publishing.parameters(version, given["settings"]), version.number)
        except BaseException:
            client.close()  # else the widget does, when the run has ended
            raise
        widget = RunWidget(client, started, wait=given["wait"])
        display(widget)
        if given["wait"]:
            widget.follow()

    def _publish(self, line: str, cell: str) -> None:
        from jupyter_slipway import publishing, views
        from jupyter_slipway.client import Client
        from jupyter_slipway.console import present

        options = _options(line)
        with Client.connect() as client:
            asked = self._request(client, cell, options)
            if options["dry_run"]:
                plan = client.plan(asked)
                present(plan, views.plan_view(plan), options["as_json"])
                return
            proof = client.prove(asked)
            asked = publishing.registration(asked, note=options["note"], proof_id=proof.id)
            published = client.publish(asked)
            present(published, views.published_view(published), options["as_json"])

    def _request(self, client: Any, cell: str, options: dict[str, Any]) -> Any:
        import msgspec

        from jupyter_slipway import publishing
        from jupyter_slipway.publish.kernel import local_snapshot
        from jupyter_slipway.publish.plan import result_names, target

        notebook, wanted = _where(self.shell, cell)
        asked = publishing.request(client, notebook, wanted, name=options["name"], settings=options["set_parameter"])
        snapshot = local_snapshot(self.shell, result_names(asked), cell=target(asked))
        # What this kernel computes on, its job does; one that uses none leaves the job's as it is.
        return msgspec.structs.replace(asked, snapshot=snapshot, cluster=os.environ.get("SLIPWAY_CLUSTER"))


def _shows_widgets(shell: Any) -> bool:
    """A notebook does, where ipywidgets is installed; a terminal never."""
    from importlib.util import find_spec

    return hasattr(shell, "kernel") and find_spec("ipywidgets") is not None


def _options(line: str) -> dict[str, Any]:
    @click.command(add_help_option=False)
    @click.argument("name")
    @click.option("--note", default="")
    @click.option("--dry-run", is_flag=True)
    @click.option("--set-parameter", multiple=True)
    @click.option("--json", "as_json", is_flag=True)
    def command(**given: Any) -> dict[str, Any]:
        return given

    try:
        found = command.main(args=shlex.split(line), prog_name="%%publish", standalone_mode=False)
    except click.ClickException as error:
        raise BadRequest(error.format_message(), hint="%%publish NAME [--note TEXT] [--dry-run]") from error
    assert isinstance(found, dict)
    return found


def _where(shell: Any, cell: str) -> tuple[Path, str]:
    """The notebook that this kernel belongs to, and the cell of it that runs now.

    Raises:
        BadRequest: the kernel belongs to no saved notebook, or the cell was not saved
    """
    from jupyter_slipway.publish.source import read_notebook

    named = os.environ.get("JPY_SESSION_NAME", "")
    if not named or not Path(named).is_file():
        raise BadRequest(
            "This kernel belongs to no notebook file.",
            hint="Open the notebook in JupyterLab, or publish from a terminal.",
        )
    path = Path(named)
    identity = (shell.get_parent() or {}).get("metadata", {}).get("cellId")
    cells = read_notebook(path).cells
    for one in cells:
        if one.id == identity or one.source.partition("\n")[2].strip() == cell.strip():
            return path, one.id
    raise BadRequest("This cell is not in the saved notebook.", hint="Save the notebook, then run the cell again.")
