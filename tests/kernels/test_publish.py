"""A cell is planned from what ran in a hosted kernel, which has no ports that a client could dial."""

from __future__ import annotations

from tests.kernels.servers import Page, Server, in_loop

CELLS = [
    {"id": "c0", "source": "month = 1\nrows = [3, 1, 2]"},
    {"id": "c1", "source": "rows.sort()"},
    {"id": "c2", "source": "rows.count(1)"},
    {"id": "c3", "source": "total = sum(rows) * month\ntotal"},
]


@in_loop
async def test_the_plan_follows_what_ran_in_a_hosted_kernel(server: Server) -> None:
    kernel = server.start_kernel()
    page = await Page.open(server, kernel)
    await page.run("1")
    assert server.ask("POST", "slipway/api/publish/observe", {"kernel": kernel})["observing"]
    for cell in CELLS:
        await page.run(cell["source"], cell=cell["id"])
    request = {"notebook": "a.ipynb", "cells": CELLS, "cell": "c3", "name": "total", "kernel": kernel}
    plan = server.ask("POST", "slipway/api/publish/plan", request)

    assert [one["id"] for one in plan["cells"] if one["kept"]] == ["c0", "c1", "c3"]
    assert not [one for one in plan["warnings"] if one["code"] == "not_observed"]
    # What we ask the kernel is nobody's execution.
    assert len(server.ask("GET", f"slipway/api/kernels/{kernel}/executions")["items"]) == 5
    server.ask("DELETE", f"api/kernels/{kernel}")
