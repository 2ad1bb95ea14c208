"""Looks into a live kernel, or runs a notebook in a fresh one. The only file here that speaks Jupyter's protocol.

Called by `handlers` and `publishing`; what it sees goes to `history`, `environment` and `proof`.
What it sends is silent: no count, no history, no output in the notebook.
"""

from __future__ import annotations

import ast
import asyncio
import os
import queue
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

from jupyter_slipway.decoding import from_builtins, from_json
from jupyter_slipway.errors import NotFound, Unavailable, Unprocessable
from jupyter_slipway.publish import probe
from jupyter_slipway.publish.inside.look import look as look_inside
from jupyter_slipway.publish.model import CellSource

PATIENCE = 10.0
"""Seconds that a kernel may take to answer; a report alone may take five."""
START = 60.0
"""Seconds that a fresh kernel may take to start."""


class Snapshot(Struct, frozen=True):
    """What a kernel ran, and what it holds."""

    executions: list[dict[str, Any]]
    """Observed; empty when it was not observed."""
    plain: list[tuple[int, str]]
    """Count and source of all inputs it remembers."""
    report: dict[str, Any]
    """Name -> fingerprint of its value."""
    loaded: list[dict[str, Any]]
    """Distributions, as `distributions.loaded` gives them."""
    python: str
    executable: str


class Ran(Struct, frozen=True):
    """A notebook run up to a cell."""

    snapshot: Snapshot
    outputs: list[list[dict[str, Any]]]
    """Of each cell that ran, as nbformat has them."""


async def observe(client: Any, *, timeout: float = PATIENCE) -> None:
    """Let the kernel record what each execution changes, from now on.

    Args:
        client: a jupyter_client AsyncKernelClient with open channels

    Raises:
        Unavailable: the kernel is busy or dead
        Unprocessable: it does not run Python
    """
    await _evaluate(client, _expression("inside.observer.install(inside.observer.current_shell())", "''"), timeout)


async def look(
    client: Any, names: Sequence[str], *, cell: CellSource | None = None, timeout: float = PATIENCE
) -> Snapshot:
    """What the kernel ran, and fingerprints of the values of `names`; 'result' is the last expression's value.

    Args:
        cell: whose values they are; when given, 'result' is of its last execution, and a value that a later
            execution changed is not comparable

    Raises:
        Unavailable: the kernel is busy or dead
        Unprocessable: it does not run Python
    """
    where = (cell.id, cell.source) if cell else ("", "")
    text = await _evaluate(client, _expression("", f"inside.look.look_as_text({list(names)!r}, *{where!r})"), timeout)
    return from_json(text, Snapshot)


def local_snapshot(shell: Any, names: Sequence[str], *, cell: CellSource | None = None) -> Snapshot:
    """`look` from inside: `shell` is the observed IPython shell of this process."""
    where = (cell.id, cell.source) if cell else ("", "")
    return from_builtins(look_inside(list(names), *where, shell=shell), Snapshot)


async def run_up_to(
    cells: Sequence[CellSource],
    last: int,
    *,
    kernel_name: str,
    directory: Path,
    first: str = "",
    names: Sequence[str] = (),
    progress: Callable[[str, float], None] = lambda step, fraction: None,
    timeout: float = 3600.0,
) -> Ran:
    """Run the code cells 0 to `last` in a fresh kernel, observed from the start. The kernel is ended in any case.

    Args:
        directory: the kernel's working directory
        first: code that runs before them, unseen: what the notebook's kernel is given by others, such as its cluster
        names: whose values to report, as in `look`
        timeout: seconds for all cells together

    Raises:
        NotFound: there is no such kernel
        Unavailable: it does not start, dies, or takes too long
        Unprocessable: it does not run Python, or a cell fails; the message names it
    """
    progress("starting a kernel", 0.0)
    async with fresh_kernel(kernel_name, directory) as fresh:
        if first:
            await _prepare(fresh.client, first, START)
        await observe(fresh.client, timeout=START)
        ends = time.monotonic() + timeout
        outputs = []
        for cell in cells[: last + 1]:
            progress(f"running cell [{cell.index}]", (cell.index + 1) / (last + 2))
            outputs.append(await fresh.run(cell, ends))
        snapshot = await look(fresh.client, names, cell=cells[last] if cells else None, timeout=60.0)
    return Ran(snapshot, outputs)


def fresh_kernel(kernel_name: str, directory: Path) -> _Fresh:
    """A kernel of our own; it starts when it is entered, and is ended when it is left."""
    return _Fresh(kernel_name, directory)


class _Fresh:
    """A kernel of our own, from start to end."""

    def __init__(self, name: str, directory: Path) -> None:
        self._name, self._directory = name, directory
        self.client: Any = None
        self._manager: Any = None
        self._sockets = tempfile.mkdtemp(prefix="slipway-")

    async def __aenter__(self) -> _Fresh:
        try:
            await self._start()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    async def _start(self) -> None:
        # 0.1 s to import: only who runs a notebook pays it.
        from jupyter_client.kernelspec import NoSuchKernel
        from jupyter_client.manager import AsyncKernelManager

        # Sockets in a private folder: over TCP all that the notebook shows could be read on this machine.
        address = os.path.join(self._sockets, "k")
        manager = AsyncKernelManager(kernel_name=self._name, transport="ipc", ip=address)
        try:
            language = manager.kernel_spec.language
        except NoSuchKernel:
            raise NotFound(
                f"There is no kernel {self._name!r} here.",
                hint="`jupyter kernelspec list` shows those there are.",
            ) from None
        if language.lower() != "python":
            raise not_python(language)
        self._manager = manager
        try:
            await manager.start_kernel(cwd=str(self._directory))
            self.client = manager.client()
            self.client.start_channels()
            await self.client.wait_for_ready(timeout=START)
        except (RuntimeError, OSError) as error:
            raise Unavailable(
                f"The kernel {self._name!r} did not start: {error}",
                hint="Start it in JupyterLab to see what it says.",
            ) from error

    async def _end(self) -> None:
        if self.client is not None:
            self.client.stop_channels()
        if self._manager is not None:
            # Shielded: who cancels the run must not leave a kernel behind.
            ending = asyncio.ensure_future(self._manager.shutdown_kernel(now=True))
            try:
                await asyncio.shield(ending)
            except asyncio.CancelledError:
                await ending
                raise
        shutil.rmtree(self._sockets, ignore_errors=True)

    async def run(self, cell: CellSource, ends: float) -> list[dict[str, Any]]:
        """Execute one cell as JupyterLab would.

        Raises:
            Unprocessable: it failed
            Unavailable: the time is up, or the kernel died
        """
        content = {
            "code": cell.source,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": False,
        }
        message = self.client.session.msg("execute_request", content)
        message["metadata"]["cellId"] = cell.id
        self.client.shell_channel.send(message)
        identity = message["header"]["msg_id"]
        outputs, error = await self._outputs(identity, cell, ends)
        await self._message(self.client.get_shell_msg, identity, cell, ends)
        if error is not None:
            raise failed(cell, error)
        return outputs

    async def _outputs(
        self, identity: str, cell: CellSource, ends: float
    ) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
        outputs: list[dict[str, Any]] = []
        error = None
        while True:
            message = await self._message(self.client.get_iopub_msg, identity, cell, ends)
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                return outputs, error
            if kind == "error":
                error = content
            elif kind in ("stream", "display_data", "execute_result"):
                outputs.append(_output(kind, content))
            elif kind == "clear_output":
                outputs.clear()

    async def _message(self, get: Any, identity: str, cell: CellSource, ends: float) -> dict[str, Any]:
        """The next message that answers `identity`."""
        while True:
            try:
                message: dict[str, Any] = await get(timeout=1.0)
            except queue.Empty:
                await self._alive(cell, ends)
                continue
            if message["parent_header"].get("msg_id") == identity:
                return message

    async def _alive(self, cell: CellSource, ends: float) -> None:
        if not await self._manager.is_alive():
            raise Unavailable(
                f"The kernel died while it ran cell [{cell.index}].",
                hint="Most often it ran out of memory. Run the notebook in JupyterLab to see.",
            )
        if time.monotonic() > ends:
            raise Unavailable(
                f"The notebook did not get past cell [{cell.index}] in time.",
                hint="Publish it from a live kernel, which needs not run it again.",
            )


def _output(kind: str, content: dict[str, Any]) -> dict[str, Any]:
    if kind == "stream":
        return {"output_type": kind, "name": content["name"], "text": content["text"]}
    output = {"output_type": kind, "data": content["data"], "metadata": content["metadata"]}
    return output | ({"execution_count": content["execution_count"]} if kind == "execute_result" else {})


def failed(cell: CellSource, error: dict[str, Any]) -> Unprocessable:
    named = f" ({cell.name})" if cell.name else ""
    return Unprocessable(
        f"Cell [{cell.index}]{named} failed: {error.get('ename')}: {error.get('evalue')}",
        hint="The notebook has to run from its first cell to the chosen one. Mend this cell, then publish again.",
    )


def not_python(language: str) -> Unprocessable:
    return Unprocessable(
        f"The kernel runs {language}, not Python.", hint="Slipway publishes cells of Python notebooks."
    )


# ── silent questions ────────────────────────────────────────────────────────────────────────────────────────


def _expression(do: str, give: str) -> str:
    """An expression that loads the probe once, does something with it and gives a text; it binds no name."""
    loader = (
        "import sys\n"
        f"inside = sys.modules.get({probe.PACKAGE!r})\n"
        "if getattr(inside, '__text__', None) != text:\n"
        "    exec(text)\n"
        "    inside.__text__ = text\n"
        f"{do}\n"
        f"answer = {give}\n"
    )
    return (
        "(lambda space: (__import__('builtins').exec(" + repr(loader) + ", space), space['answer'])[1])"
        "({'text': " + repr(probe.text()) + ", '__name__': " + repr(probe.PACKAGE) + "})"
    )


async def _prepare(client: Any, code: str, timeout: float) -> None:
    identity = client.execute(code, silent=True, store_history=False, allow_stdin=False)
    content = await _reply(client, identity, timeout)
    if content["status"] != "ok":
        raise Unavailable(
            f"The kernel cannot be given its cluster: {content.get('ename')}: {content.get('evalue')}",
            hint="Publish without --run, or from a live kernel.",
        )


async def _evaluate(client: Any, expression: str, timeout: float) -> str:
    """What the expression gives, a text, evaluated in the kernel between two executions."""
    identity = client.execute(
        "", silent=True, store_history=False, user_expressions={"answer": expression}, allow_stdin=False
    )
    content = await _reply(client, identity, timeout)
    answer = content.get("user_expressions", {}).get("answer")
    if answer is None:
        await _must_be_python(client, timeout)
        raise Unavailable("The kernel does not tell what it ran.", hint="Restart it.")
    if answer.get("status") != "ok":
        raise Unavailable(
            f"The kernel cannot be looked into: {answer.get('ename')}: {answer.get('evalue')}",
            hint="Restart it, and run the notebook again.",
        )
    return str(ast.literal_eval(answer["data"]["text/plain"]))


async def _reply(client: Any, identity: str, timeout: float) -> dict[str, Any]:
    ends = time.monotonic() + timeout
    while (left := ends - time.monotonic()) > 0:
        try:
            message = await client.get_shell_msg(timeout=left)
        except queue.Empty:
            break
        if message["parent_header"].get("msg_id") == identity:
            content: dict[str, Any] = message["content"]
            return content
    alive = False
    with suppress(Exception):  # a client whose channels went away: as dead as its kernel
        alive = await client.is_alive()
    if alive:
        raise Unavailable(
            "The kernel is busy: it did not answer in time.", hint="Wait for the running cell, or interrupt it."
        )
    raise Unavailable("The kernel is dead.", hint="Restart it, and run the notebook again.")


async def _must_be_python(client: Any, timeout: float) -> None:
    content = await _reply(client, client.kernel_info(), timeout)
    language = content.get("language_info", {}).get("name", "another language")
    if language.lower() != "python":
        raise not_python(language)
