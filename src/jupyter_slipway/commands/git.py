"""`jupyter slipway git`: notebooks merged by cell in a repository, and checked before they are committed."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from jupyter_slipway.console import CODES, Commands


@click.group(cls=Commands)
def git() -> None:
    """Let git merge and compare notebooks by cell."""


@git.command()
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Of the repository.")
def install(folder: Path) -> None:
    """Merge and compare .ipynb by cell in this repository; nothing outside of .git is touched."""
    from jupyter_slipway.notebooks import installation

    click.echo("\n".join(installation.install(folder.absolute())))


@git.command()
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Of the repository.")
def uninstall(folder: Path) -> None:
    """Undo what install did."""
    from jupyter_slipway.notebooks import installation

    click.echo("\n".join(installation.uninstall(folder.absolute())))


@git.command("merge-driver", hidden=True)
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("mine", type=click.Path(path_type=Path))
@click.argument("theirs", type=click.Path(path_type=Path))
@click.argument("name")
@click.argument("mine_label", default="mine")
@click.argument("theirs_label", default="theirs")
def merge_driver(base: Path, mine: Path, theirs: Path, name: str, mine_label: str, theirs_label: str) -> None:
    """What git calls: writes into MINE what both sides did; ends with 1 when a conflict is left."""
    from jupyter_slipway.notebooks.driver import merge_files

    if left := merge_files(base, mine, theirs, name, (mine_label, theirs_label)):
        click.echo(f"{name}: {left} conflict{'s' * (left != 1)} left. Open it in JupyterLab to settle them.", err=True)
        sys.exit(1)


@git.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--staged", is_flag=True, help="What the next commit would change.")
def check(files: tuple[Path, ...], staged: bool) -> None:
    """Say which notebooks hold conflict marks or cannot be read; ends with 4 when there are any."""
    from jupyter_slipway.notebooks import installation
    from jupyter_slipway.notebooks.conflicts import problem
    from jupyter_slipway.notebooks.glance import is_notebook

    found = [(str(file), file.read_bytes()) for file in files]
    if staged:
        found += installation.staged(Path().absolute())
    said = [said for name, content in found if is_notebook(name) and (said := problem(name, content))]
    for line in said:
        click.echo(line, err=True)
    if said:
        sys.exit(CODES[409])
