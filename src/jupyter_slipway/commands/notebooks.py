"""`jupyter slipway convert` and `jupyter slipway store`: text notebooks and what is kept beside them."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path

import click

from jupyter_slipway.console import Command, Commands, as_json, connect, present

folder = click.argument("folder", type=click.Path(path_type=Path, exists=True), default=Path())


@click.command(cls=Command)
@click.argument("notebook", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "form",
    type=click.Choice(["percent", "myst", "markdown", "ipynb"]),
    help="Percent for an .ipynb, .ipynb for a text, when not given.",
)
@click.option("--keep", is_flag=True, help="Leave the old file where it is.")
@as_json
def convert(notebook: Path, form: str | None, keep: bool, as_json: bool) -> None:
    """Write NOTEBOOK as plain text with its outputs kept beside it, or as .ipynb again."""
    from jupyter_slipway.notebooks.handlers import ConvertedNotebook, ConvertRequest

    chosen = form or ("percent" if notebook.suffix == ".ipynb" else "ipynb")
    with connect() as client:
        request = ConvertRequest(_asked(client.status().root, notebook), chosen, keep)
        made = client.call(ConvertedNotebook, "convert_notebook", request)
        present(made, made.message, as_json)


@click.group(cls=Commands)
def store() -> None:
    """Look after the outputs that are kept beside text notebooks."""


@store.command()
@folder
@as_json
def show(folder: Path, as_json: bool) -> None:
    """Say how much the project of FOLDER keeps."""
    from jupyter_slipway.notebooks.handlers import StoreQuery
    from jupyter_slipway.notebooks.model import Usage, as_size

    with connect() as client:
        found = client.call(Usage, "get_store", query=StoreQuery(_asked(client.status().root, folder)))
        said = f"{found.folder}: {found.versions} versions of {found.notebooks} notebooks, {found.blobs} outputs"
        said = f"{said}, {as_size(found.size)}"
        if found.freed and found.collected_at:
            said += f"\n{datetime.fromtimestamp(found.collected_at):%Y-%m-%d %H:%M}: {found.freed.said}"
        present(found, said, as_json)


@store.command()
@folder
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@as_json
def gc(folder: Path, dry_run: bool, as_json: bool) -> None:
    """Take out what no commit that can be reached and none of the last 20 versions needs."""
    from jupyter_slipway.notebooks.handlers import CollectRequest
    from jupyter_slipway.notebooks.model import Freed

    with connect() as client:
        request = CollectRequest(_asked(client.status().root, folder), dry_run)
        freed = client.call(Freed, "collect_store", request)
        present(freed, freed.said.replace("Freed", "Would free", 1) if dry_run else freed.said, as_json)


@store.command()
@folder
@as_json
def fsck(folder: Path, as_json: bool) -> None:
    """Read all that is kept, and say what is not whole; exit code 1 when something is not."""
    from jupyter_slipway.notebooks.handlers import FsckRequest
    from jupyter_slipway.notebooks.model import Health, as_size

    with connect() as client:
        found = client.call(Health, "check_store", FsckRequest(_asked(client.status().root, folder)))
        said = f"{found.versions} versions, {found.blobs} outputs, {as_size(found.size)} read"
        lines = [f"{said}: {'all whole' if not found.findings else f'{len(found.findings)} findings'}"]
        lines += [f"  {finding.name[:12]}  {finding.what}" for finding in found.findings]
        present(found, "\n".join(lines), as_json)
    if found.findings:
        sys.exit(1)


def _asked(root: str, path: Path) -> str:
    """A path as the API names it; '' for the root itself."""
    from jupyter_slipway.errors import BadRequest

    absolute = Path(os.path.normpath(path.absolute()))
    if not absolute.is_relative_to(root):
        raise BadRequest(f"{path} is outside of {root}.", hint="Go to its folder first.")
    asked = absolute.relative_to(root).as_posix()
    return "" if asked == "." else asked
