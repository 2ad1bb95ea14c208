"""Whether an execution has ended, as host and shared documents tell it, when a page asks something in between."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

import pytest

from jupyter_slipway.kernels.documents import Documents, Run, Writer
from jupyter_slipway.kernels.host.kernel import Kernel
from jupyter_slipway.kernels.host.turns import Turn
from jupyter_slipway.kernels.link import Link
from tests.kernels.servers import in_loop

RUN = {"msg_id": "run", "session": "page"}


def heard(kernel: Kernel, kind: str, parent: dict[str, Any], **content: Any) -> None:
    parts = [{"msg_type": kind, "session": "kernel"}, parent, {}, content]
    kernel._heard("iopub", [json.dumps(part).encode() for part in parts])


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What the host says in the kernel's place: a state, or the kind of an answer, and to which request."""
    told: list[tuple[str, str]] = []

    def say(kernel: Kernel, channel: str, kind: str, content: dict[str, Any], parent: dict[str, Any]) -> None:
        told.append((content.get("execution_state", kind), parent["msg_id"]))

    monkeypatch.setattr(Kernel, "_say", say)
    return told


@in_loop
async def test_a_kernel_is_not_said_to_be_busy_again_once_it_is_done(said: list[tuple[str, str]]) -> None:
    listener = SimpleNamespace(said=lambda *parts: None, changed=lambda: None)
    kernel = Kernel(*cast(Any, (None, None, None, listener)))
    kernel.turns.queue.append(Turn("run", "ada", "page", "c0", "x", True, RUN, []))
    kernel.turns.next()
    heard(kernel, "status", {"msg_id": "subshell", "session": "page"}, execution_state="idle")
    assert said.pop() == ("busy", "run")
    kernel._answer_info({"msg_id": "ask", "session": "page"})
    assert said.pop() == ("busy", "run")

    heard(kernel, "status", RUN, execution_state="idle")  # its reply is on its way
    heard(kernel, "status", {"msg_id": "subshell", "session": "page"}, execution_state="idle")
    kernel._answer_info({"msg_id": "ask", "session": "page"})
    assert said[-1] == ("idle", "ask")
    assert ("busy", "run") not in said[-3:]


@in_loop
async def test_a_run_that_is_done_stays_done() -> None:
    writer = Writer(cast(Documents, None), cast(Link, SimpleNamespace(pages=set())), logging.getLogger())
    run = writer._runs["run"] = Run("run", "ada", "room", "c0")

    def comes(kind: str, channel: str = "iopub", **content: Any) -> None:
        writer._take(cast(Any, SimpleNamespace(type=kind, channel=channel, parent=RUN, content=content, number=1)))

    comes("status", execution_state="busy")
    comes("status", execution_state="idle")
    assert not run.ended
    comes("status", execution_state="busy")
    comes("execute_reply", "shell", status="ok", execution_count=1)
    assert run.ended
    with suppress(asyncio.CancelledError):
        await writer.close()
