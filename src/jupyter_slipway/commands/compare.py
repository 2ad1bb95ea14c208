"""`jupyter slipway diff`: two notebooks, a notebook and its revisions, or two versions of a job."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from jupyter_slipway.console import Command, as_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jupyter_slipway.notebooks.marked import Line, Style

STYLES: dict[Style, dict[str, Any]] = {
    "": {},
    "head": {"fg": "cyan", "bold": True},
    "dim": {"dim": True},
    "old": {"fg": "red"},
    "new": {"fg": "green"},
    "old word": {"fg": "red", "reverse": True},
    "new word": {"fg": "green", "reverse": True},
}


class Side:
    """One of the two that are compared: how it is called, and its bytes."""

    def __init__(self, label: str, content: bytes, name: str = "") -> None:
        self.label, self.content, self.name = label, content, name or label


@click.command(cls=Command)
@click.argument("what", nargs=-1, required=True, metavar="A B | NOTEBOOK [REV [REV]] | JOB OLD NEW")
@click.option("--outputs", is_flag=True, help="Show how outputs differ.")
@click.option("--exit-code", "tell", is_flag=True, help="End with 1 when they differ, with 0 when they do not.")
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True)
@as_json
def diff(what: tuple[str, ...], outputs: bool, tell: bool, color: str, as_json: bool) -> None:
    """Compare notebooks cell by cell, or two versions of a job.

    \b
    diff A B               two files: .ipynb, .py or .md
    diff NOTEBOOK          with what was committed last
    diff NOTEBOOK REV      with a commit, branch or tag
    diff NOTEBOOK REV REV  one with another
    diff JOB OLD NEW       two versions of a job, by number

    As git's own: git config diff.external 'jupyter slipway diff' or git difftool -x 'jupyter slipway diff'.
    """
    if (job := _job(what)) is not None:
        _diff_versions(*job, as_json)
        return
    old, new = _sides(what)
    same = old.content == new.content
    if not same:
        from jupyter_slipway.notebooks.diff import uncollected

        with uncollected():
            _show(old, new, outputs, color, as_json)
    elif as_json:
        click.echo("[]")
    if tell and not same:
        sys.exit(1)


def _diff_versions(job: str, old: int, new: int, as_json: bool) -> None:
    from jupyter_slipway import views
    from jupyter_slipway.console import connect, present

    with connect() as client:
        found = client.diff(job, old, new)
        present(found, views.comparison_view(found), as_json)


def _job(what: tuple[str, ...]) -> tuple[str, int, int] | None:
    """What names a job and two of its versions; a job's name has no dot and no slash, a notebook's file has."""
    if len(what) != 3 or os.path.exists(what[0]) or not all(text.isdecimal() for text in what[1:]):
        return None
    return what[0], int(what[1]), int(what[2])


def _sides(what: tuple[str, ...]) -> tuple[Side, Side]:
    """What is compared.

    Raises:
        BadRequest: too many words
        NotFound: a file or a revision is not there
    """
    if len(what) in (7, 9):
        # git's external diff: path, then file, blob id and mode on either side; for a rename its new path and facts.
        return Side(f"a/{what[0]}", _bytes(what[1])), Side(
            f"b/{what[7] if len(what) == 9 else what[0]}", _bytes(what[4])
        )
    if len(what) == 2 and os.path.exists(what[1]):
        return Side(what[0], _bytes(what[0])), Side(what[1], _bytes(what[1]))
    if len(what) > 3:
        from jupyter_slipway.errors import BadRequest

        raise BadRequest(f"{len(what)} things cannot be compared.", hint="Say two files, or a notebook and revisions.")
    return _revisions(*what)


def _revisions(notebook: str, base: str = "HEAD", other: str = "") -> tuple[Side, Side]:
    from pathlib import Path

    from jupyter_slipway.errors import NotFound
    from jupyter_slipway.notebooks.git import Repository
    from jupyter_slipway.notebooks.glance import is_notebook

    path = Path(notebook)
    now = None if other else Side(notebook, _bytes(notebook))
    repository = Repository.of(path.absolute())
    name = repository.name(path.absolute())
    try:
        old = Side(f"{notebook} ({base})", repository.content(base, name), notebook)
    except NotFound as error:
        if other or not is_notebook(base):
            raise
        hint = "Name a notebook's file, or a commit, a branch or a tag."
        raise NotFound(f"{base} is neither a file nor a revision here.", hint=hint) from error
    return old, now or Side(f"{notebook} ({other})", repository.content(other, name), notebook)


def _bytes(path: str) -> bytes:
    if path == os.devnull:
        return b""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        from jupyter_slipway.errors import NotFound

        raise NotFound(f"{path} cannot be read: {error.strerror}.", hint="Name a notebook's file.") from error


def _show(old: Side, new: Side, outputs: bool, color: str, as_json: bool) -> None:
    from jupyter_slipway.notebooks.diff import diff_notebooks
    from jupyter_slipway.notebooks.glance import read_notebook
    from jupyter_slipway.notebooks.marked import compared

    a, b = read_notebook(old.name, old.content), read_notebook(new.name, new.content)
    found = diff_notebooks(a, b)
    if as_json:
        import json

        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    _print(compared(old.label, new.label, a, b, found, outputs=outputs), _colored(color))


def _colored(color: str) -> bool:
    """Whether to colour: git's pager takes colours though it is no terminal."""
    if color == "auto":
        return not os.environ.get("NO_COLOR") and (sys.stdout.isatty() or "GIT_PAGER_IN_USE" in os.environ)
    return color == "always"


def _print(lines: Iterable[Line], colored: bool) -> None:
    text = "\n".join(
        "".join(click.style(part, **STYLES[style]) if colored and style else part for style, part in line)
        for line in lines
    )
    click.echo(text, color=colored)
