"""What every command does alike: refusals as messages and exit codes, tables or JSON, progress on standard error.

The commands of `cli` and `commands` stand on it.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import click

from jupyter_slipway.errors import SlipwayError, Unavailable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from jupyter_slipway.client import Client

CODES = {400: 2, 403: 4, 404: 3, 409: 4, 422: 2, 503: 5}
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class Command(click.Command):
    """Turns our refusals into a message and an exit code."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except SlipwayError as error:
            _end(context, error)
        except OSError as error:
            if error.errno == errno.EPIPE:  # who read what is printed has gone, and is told nothing
                raise
            said = f"{error.filename}: {error.strerror}" if error.filename else str(error)
            _end(context, Unavailable(f"{said}."))


def _end(context: click.Context, error: SlipwayError) -> NoReturn:
    refuse(error, bool(context.params.get("as_json")))
    context.exit(CODES.get(error.status, 1))


class Commands(click.Group):
    command_class = Command


def connect() -> Client:
    from jupyter_slipway.client import Client

    return Client.connect()


def console(**options: Any) -> Any:
    from rich.console import Console

    return Console(highlight=False, **options)


def refuse(error: SlipwayError, as_json: bool, *, stderr: bool = True) -> None:
    """Say why not, in the words that the panel has."""
    if as_json:
        from jupyter_slipway.web import encode, problem

        click.echo(encode(problem(error)).decode(), err=stderr)
    else:
        from jupyter_slipway.views import refusal

        console(stderr=stderr).print(refusal(error))


def present(value: Any, words: RenderableType, as_json: bool) -> None:
    if as_json:
        import msgspec

        # A text: what a notebook's kernel writes to takes no bytes.
        click.echo(msgspec.json.format(msgspec.json.encode(value)).decode())
    else:
        console().print(words)


class progress_line:
    """A line on standard error that says what is going on; nothing when JSON is asked for or nobody watches."""

    def __init__(self, quiet: bool) -> None:
        self._console = console(stderr=True)
        self._quiet = quiet or not self._console.is_terminal
        self._status: Any = None

    def __enter__(self) -> Callable[[str, float], None]:
        return self._tell

    def __exit__(self, *_: object) -> None:
        self._tell("", 1.0)

    def _tell(self, step: str, fraction: float) -> None:
        if self._quiet:
            return
        if not step:
            if self._status:
                self._status.stop()
                self._status = None
            return
        words = f"{step} ({fraction:.0%})"
        if self._status is None:
            self._status = self._console.status(words)
            self._status.start()
        self._status.update(words)
