"""`jupyter slipway kernels`, `kernel`, `console` and `who`: shared kernels from a terminal, with one's own rights."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from jupyter_slipway.console import Command, as_json, connect, present
from jupyter_slipway.console import console as terminal

if TYPE_CHECKING:
    from rich.console import RenderableType

    from jupyter_slipway.kernels.handlers import BindingQuery
    from jupyter_slipway.kernels.model import Binding, Kernel


@click.command(cls=Command)
@as_json
def kernels(as_json: bool) -> None:
    """List kernels: whose, in what state, who is there."""
    from jupyter_slipway.kernels.model import KernelList

    with connect() as client:
        found = client.call(KernelList, "list_kernels").items
        present(found, _table(found), as_json)


@click.command(cls=Command)
@click.argument("kernel")
@click.argument("action", type=click.Choice(["show", "interrupt", "restart", "shutdown"]), default="show")
@click.option("--force", is_flag=True, help="Also when others are at work on it.")
@as_json
def kernel(kernel: str, action: str, force: bool, as_json: bool) -> None:
    """Show a kernel with its queue and what was run lately; interrupt, restart or shut it down."""
    from jupyter_slipway.kernels.handlers import ActionRequest, Done, ExecutionQuery
    from jupyter_slipway.kernels.model import ExecutionPage, Kernel

    with connect() as client:
        known = _whole(client, kernel)
        if action != "show":
            done = client.call(Done, f"{action}_kernel", ActionRequest(force), kernel=known)
            present(done, done.message, as_json)
            return
        found = client.call(Kernel, "get_kernel", kernel=known)
        ran = client.call(ExecutionPage, "list_executions", query=ExecutionQuery(limit=10), kernel=known).items
        present({"kernel": found, "executions": ran}, _view(found, ran), as_json)


@click.command(cls=Command)
@click.argument("kernel")
@click.option("--execute", "code", help="Run this, print what it says, and end.")
def console(kernel: str, code: str | None) -> None:
    """A terminal on a live KERNEL: the same variables, the same queue, your own name on what you run."""
    from jupyter_slipway.kernels.terminal import Terminal, work

    with connect() as client:
        known = _whole(client, kernel)
    if work(Terminal(known, terminal()), code):
        sys.exit(1)


@click.command(cls=Command)
@click.argument("name")
@click.option("--kernel", help="Id or notebook of a kernel. In a notebook, its own when none is named.")
@as_json
def who(name: str, kernel: str | None, as_json: bool) -> None:
    """Say which execution, cell and person last bound or changed NAME."""
    from jupyter_slipway.commands.attach import PROCESS, kernel_id
    from jupyter_slipway.errors import BadRequest
    from jupyter_slipway.kernels.handlers import BindingQuery
    from jupyter_slipway.kernels.model import Binding

    if not kernel and kernel_id().startswith(PROCESS):
        hint = "Say --kernel with an id or a notebook; `jupyter slipway kernels` lists them."
        raise BadRequest("No kernel was named.", hint=hint)
    with connect() as client:
        known = _whole(client, kernel) if kernel else kernel_id()
        query = BindingQuery() if kernel else _seen_here(name)
        found = client.call(Binding, "who", query=query, kernel=known, name=name)
        present(found, _binding(found), as_json)


def _seen_here(name: str) -> BindingQuery:
    """What the observer of this kernel noted of a name, when it has one."""
    from IPython import get_ipython

    from jupyter_slipway.kernels.handlers import BindingQuery

    observer = getattr(get_ipython(), "_slipway_observer", None)
    for record in reversed(getattr(observer, "records", ())):
        new = name in (record["new"] or ())
        if new or name in (record["changed"] or ()):
            return BindingQuery(record["count"], new)
    return BindingQuery(0)


def _binding(found: Binding) -> str:
    ran = found.execution
    if ran is None:
        return found.note
    line = next((text.strip() for text in ran.code.splitlines() if text.strip()), "")
    at = (ran.started_at or ran.queued_at).astimezone()
    said = f"{found.name} was last {found.how} by {ran.person} in [{ran.count}] at {at:%H:%M:%S}, in the cell {line!r}."
    return f"{said} {found.note}".strip()


def _whole(client: Any, kernel: str) -> str:
    """The kernel's id, of which `kernel` is the beginning, or of whose notebook it is the name.

    Raises:
        NotFound: there is none
        BadRequest: there are several
    """
    from jupyter_slipway.errors import BadRequest, NotFound
    from jupyter_slipway.kernels.model import KernelList

    living = client.call(KernelList, "list_kernels").items
    found = [one.id for one in living if one.id.startswith(kernel) or one.path.rpartition("/")[2] == kernel]
    if len(found) > 1:
        raise BadRequest(f"{kernel!r} may be {' or '.join(found)}.", hint="Say more of its id.")
    if not found:
        raise NotFound(f"There is no kernel {kernel!r}.", hint="`jupyter slipway kernels` lists them.")
    return str(found[0])


def _table(found: tuple[Kernel, ...]) -> RenderableType:
    from rich.markup import escape
    from rich.table import Table
    from rich.text import Text

    if not found:
        return Text("No kernel lives. JupyterLab starts them.")
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("Kernel", "State", "Notebook", "Owner", "Here", "Waiting", "Cluster"):
        table.add_column(name, overflow="fold")
    for one in found:
        here = ", ".join(person.person for person in one.people)
        waiting = str(max(0, len(one.queue) - 1)) if one.queue else ""
        notebook = one.path.rpartition("/")[2]
        state = f"no answer since {one.silent_since.astimezone():%H:%M}" if one.silent_since else one.state
        cells = (one.id[:8], state, notebook, one.owner, here, waiting, one.cluster)
        table.add_row(*(escape(cell) for cell in cells))
    return table


def _view(found: Kernel, ran: tuple[Any, ...]) -> RenderableType:
    from rich.console import Group
    from rich.markup import escape
    from rich.table import Table
    from rich.text import Text

    parts: list[RenderableType] = [
        Text(f"{found.id}  {found.spec}  {found.state}  owner {found.owner}, you: {found.role}", style="bold")
    ]
    if found.silent_since:
        what = "Its host" if found.silent == "host" else "It"
        said = (
            f"{what} has not answered since {found.silent_since.astimezone():%H:%M:%S}: its process is stopped, or the "
            "machine is overloaded. It goes on by itself; if it does not: "
            f"jupyter slipway kernel {found.id[:8]} restart"
        )
        parts.append(Text(said, style="yellow"))
    if found.died:
        ran_then = f" It ran {found.died.running.line!r} of {found.died.running.person}." if found.died.running else ""
        parts.append(Text(f"It died at {found.died.at:%Y-%m-%d %H:%M:%S}: {found.died.reason}{ran_then}", style="red"))
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("", "Person", "Cell", "Code", "State", "Seconds"):
        table.add_column(name, overflow="fold")
    for turn in reversed(found.queue):
        state = "running" if not turn.position else f"waits, {turn.position} before it"
        expected = "" if turn.estimate is None else f"about {turn.estimate:.1f}"
        table.add_row("", *(escape(one) for one in (turn.person, turn.cell[:8], turn.line, state, expected)))
    for one in ran:
        if one.ended_at is None:
            continue
        line = next((text for text in one.code.splitlines() if text.strip()), "")[:60]
        took = f"{(one.ended_at - one.started_at).total_seconds():.2f}" if one.started_at else ""
        table.add_row(
            str(one.count or ""), *(escape(text) for text in (one.person, one.cell[:8], line, one.status, took))
        )
    return Group(*parts, table)
