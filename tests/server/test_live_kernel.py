"""Planning and proving against a kernel that lives in the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from jupyter_slipway.publish import kernel as kernel_module
from tests.server.conftest import Api

SOURCES = {
    "c0": "month = 1\nrows = [3, 1, 2]",
    "c1": "rows.sort()",
    "c2": "rows.count(1)",
    "c3": "import time; time.sleep(30)",
    "c4": "total = sum(rows) * month\ntotal",
}
CELLS = [{"id": cell, "source": source} for cell, source in SOURCES.items()]
REQUEST = {"notebook": "a.ipynb", "cells": CELLS, "cell": "c4", "name": "total"}


class Kernel:
    def __init__(self, id: str, client: Any) -> None:
        self.id, self.client = id, client

    def send(self, cell: str) -> str:
        """Ask for an execution as JupyterLab does, with the cell's id; the message's id."""
        content = {"code": SOURCES[cell], "silent": False, "store_history": True, "user_expressions": {}}
        content |= {"allow_stdin": False, "stop_on_error": True}
        message = self.client.session.msg("execute_request", content, metadata={"cellId": cell})
        self.client.shell_channel.send(message)
        return message["header"]["msg_id"]

    async def execute(self, *cells: str) -> None:
        for cell in cells:
            sent = self.send(cell)
            while (await self.client.get_shell_msg(timeout=30))["parent_header"].get("msg_id") != sent:
                pass


@asynccontextmanager
async def living(api: Api, jp_serverapp) -> AsyncIterator[Kernel]:
    """A kernel that is observed from its start."""
    manager = jp_serverapp.kernel_manager
    kernel_id = await manager.start_kernel()
    client = manager.get_kernel(kernel_id).client()
    client.start_channels()
    await client.wait_for_ready(timeout=60)
    assert await api("POST", "publish/observe", {"kernel": kernel_id}) == (200, {"observing": True, "note": ""})
    try:
        yield Kernel(kernel_id, client)
    finally:
        client.stop_channels()
        await manager.shutdown_kernel(kernel_id, now=True)


async def proved(api: Api, request: dict[str, Any]) -> dict[str, Any]:
    status, progress = await api("POST", "publish/proofs", request)
    assert status == 201, progress
    while not progress["done"]:
        await asyncio.sleep(0.1)
        _, progress = await api("GET", f"publish/proofs/{progress['id']}")
    return progress


async def test_what_ran_decides_what_is_kept_and_the_proof_agrees(api: Api, jp_serverapp) -> None:
    async with living(api, jp_serverapp) as kernel:
        await kernel.execute("c0", "c1", "c2", "c4")
        request = REQUEST | {"kernel": kernel.id}
        progress = await proved(api, request)
        plan = progress["plan"]

        assert [cell["id"] for cell in plan["cells"] if cell["kept"]] == ["c0", "c1", "c4"]
        assert plan["proof"]["verdict"] == "same", plan["proof"]
        status, published = await api("POST", "publish/versions", request | {"proof_id": progress["id"]})
        assert status == 201
        assert published["version"]["proof"]["verdict"] == "same"
    _, renamed = await api("POST", "publish/versions", request | {"proof_id": progress["id"], "name": "sum"})
    assert renamed["version"]["proof"]["verdict"] == "same"
    assert '"""sum.' in renamed["version"]["module"]


async def test_a_cell_edited_since_it_ran_is_warned_of(api: Api, jp_serverapp) -> None:
    async with living(api, jp_serverapp) as kernel:
        await kernel.execute("c0", "c4")
        edited = [CELLS[0] | {"source": "month = 2\nrows = [3, 1, 2]"}, *CELLS[1:]]
        _, plan = await api("POST", "publish/plan", REQUEST | {"cells": edited, "kernel": kernel.id})

        assert "edited" in [warning["code"] for warning in plan["warnings"]]


async def test_a_changed_request_does_not_take_over_a_proof(api: Api, jp_serverapp) -> None:
    async with living(api, jp_serverapp) as kernel:
        await kernel.execute("c0", "c1", "c4")
        request = REQUEST | {"kernel": kernel.id}
        progress = await proved(api, request)
        late = request | {"proof_id": progress["id"], "edits": [{"name": "month", "default": 5}]}
        _, published = await api("POST", "publish/versions", late)

        assert published["version"]["proof"]["verdict"] == "not comparable"
        assert published["version"]["parameters"][0]["default"] == 5


async def test_a_busy_kernel_gives_a_plan_that_says_so(api: Api, jp_serverapp, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kernel_module.look.__kwdefaults__ is not None
    monkeypatch.setitem(kernel_module.look.__kwdefaults__, "timeout", 0.5)
    async with living(api, jp_serverapp) as kernel:
        kernel.send("c3")
        status, plan = await api("POST", "publish/plan", REQUEST | {"kernel": kernel.id})

        assert status == 200
        assert "busy" in " ".join(warning["message"] for warning in plan["warnings"])


async def test_a_dead_kernel_gives_a_plan_that_says_so(api: Api) -> None:
    status, plan = await api("POST", "publish/plan", REQUEST | {"kernel": "gone"})

    assert status == 200
    assert "There is no kernel 'gone'." in " ".join(warning["message"] for warning in plan["warnings"])
