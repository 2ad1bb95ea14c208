"""Real kernels: what they ran and hold, read without leaving a trace in the notebook."""

from __future__ import annotations

import asyncio
import functools
import shutil
import sys
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

from jupyter_slipway.errors import NotFound, Unavailable, Unprocessable
from jupyter_slipway.publish import kernel
from jupyter_slipway.publish.history import executions
from jupyter_slipway.publish.model import CellSource


def cells(*sources: str) -> list[CellSource]:
    return [CellSource(f"c{index}", source, index) for index, source in enumerate(sources)]


@asynccontextmanager
async def a_kernel():
    folder = tempfile.mkdtemp()
    manager = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=f"{folder}/k")
    await manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=60)
        yield manager, client
    finally:
        client.stop_channels()
        await manager.shutdown_kernel(now=True)
        shutil.rmtree(folder)


async def run(client, source: str) -> int:
    reply = await client.execute_interactive(source, allow_stdin=False, output_hook=lambda message: None)
    return reply["content"]["execution_count"]


def in_loop(test):
    """pytest-asyncio's and pytest-jupyter's loops do not agree; these tests bring their own."""

    @functools.wraps(test)
    def run_in_loop(*arguments, **named):
        asyncio.run(test(*arguments, **named))

    return pytest.mark.timeout(60)(run_in_loop)


@in_loop
async def test_a_kernel_is_looked_into_without_a_trace():
    async with a_kernel() as (_, client):
        await run(client, "before = 1")
        await kernel.observe(client)
        await kernel.observe(client)
        await run(client, "rows = [1.5]")
        await run(client, "rows.append(2.5)\nsum(rows)")
        snapshot = await kernel.look(client, ["rows", "result", "absent"])
        count = await run(client, "names = sorted(name for name in dir() if 'slip' in name or 'probe' in name)")
        traces = await kernel.look(client, ["names"])

    assert [(one["source"], one["changed"], one["new"]) for one in snapshot.executions] == [
        ("rows = [1.5]", [], ["rows"]),
        ("rows.append(2.5)\nsum(rows)", ["rows"], []),
    ]
    assert [source for _, source in snapshot.plain] == ["before = 1", "rows = [1.5]", "rows.append(2.5)\nsum(rows)"]
    assert {name: one["short"] for name, one in snapshot.report.items()} == {"rows": "[1.5, 2.5]", "result": "4.0"}
    assert snapshot.executable == sys.executable
    assert "ipykernel" in {one["name"] for one in snapshot.loaded}
    assert (count, traces.report["names"]["short"]) == (4, "[]")


@in_loop
async def test_values_are_those_of_the_chosen_cell():
    async with a_kernel() as (_, client):
        await kernel.observe(client)
        chosen = CellSource("c0", "a = [1]; b = [2]\nlen(a)", 0)
        await run(client, chosen.source)
        await run(client, "a.append(5)\n99")
        snapshot = await kernel.look(client, ["a", "b", "result"], cell=chosen)
        never = await kernel.look(client, ["a"], cell=CellSource("c9", "a = 7", 9))

    assert snapshot.report["a"]["blind"] == "a later cell changed it"
    assert (snapshot.report["b"]["short"], snapshot.report["result"]["short"]) == ("[2]", "1")
    assert never.report == {}


@in_loop
async def test_a_result_is_what_the_cell_showed_and_no_variable_of_that_name():
    async with a_kernel() as (_, client):
        binds = CellSource("c0", "result = 1\nresult + 1", 0)
        silent = CellSource("c1", "3;", 1)
        for cell in (binds, silent):
            await run(client, cell.source)
        bound = await kernel.look(client, ["result", "shown"], cell=binds)
        none = await kernel.look(client, ["result"], cell=silent)

    assert {name: one["short"] for name, one in bound.report.items()} == {"result": "1", "shown": "2"}
    assert none.report == {}


@in_loop
async def test_a_busy_kernel_says_so():
    async with a_kernel() as (manager, client):
        client.execute("import time; time.sleep(30)")
        await asyncio.sleep(0.2)
        with pytest.raises(Unavailable, match="The kernel is busy"):
            await kernel.look(client, [], timeout=1.0)
        await manager.interrupt_kernel()


@in_loop
async def test_a_dead_kernel_says_so():
    async with a_kernel() as (manager, client):
        await manager.shutdown_kernel(now=True)
        with pytest.raises(Unavailable, match="The kernel is dead"):
            await kernel.look(client, [], timeout=1.0)


@in_loop
async def test_a_notebook_runs_up_to_a_cell_in_a_kernel_of_its_own(tmp_path):
    notebook = cells(
        "from pathlib import Path\nhere = Path.cwd()", "x = [1]", "x.append(2)\nprint('two')\nlen(x)", "1 / 0"
    )
    steps = []
    ran = await kernel.run_up_to(
        notebook,
        2,
        kernel_name="python3",
        directory=tmp_path,
        names=["x", "result", "here"],
        progress=lambda step, fraction: steps.append(step),
    )

    assert [(one.cell, one.changed, one.new) for one in executions(notebook, ran.snapshot.executions)] == [
        ("c0", (), ("Path", "here")),
        ("c1", (), ("x",)),
        ("c2", ("x",), ()),
    ]
    assert ran.snapshot.report["result"]["short"] == "2"
    assert str(tmp_path) in ran.snapshot.report["here"]["short"]
    assert ran.outputs[2] == [
        {"output_type": "stream", "name": "stdout", "text": "two\n"},
        {"output_type": "execute_result", "data": {"text/plain": "2"}, "metadata": {}, "execution_count": 3},
    ]
    assert steps[0] == "starting a kernel"
    assert steps[-1] == "running cell [2]"


@in_loop
async def test_a_failing_cell_is_named(tmp_path):
    with pytest.raises(Unprocessable, match=r"Cell \[1\] failed: ZeroDivisionError: division by zero"):
        await kernel.run_up_to(cells("x = 1", "1 / 0", "y"), 2, kernel_name="python3", directory=tmp_path)


@in_loop
async def test_a_kernel_that_dies_is_told(tmp_path):
    with pytest.raises(Unavailable, match=r"The kernel died while it ran cell \[0\]"):
        await kernel.run_up_to(cells("import os; os._exit(1)"), 0, kernel_name="python3", directory=tmp_path)


@in_loop
async def test_a_notebook_that_takes_too_long_is_ended_with_its_kernel(tmp_path):
    source = f"import os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)"
    with pytest.raises(Unavailable, match="did not get past"):
        await kernel.run_up_to(cells(source), 0, kernel_name="python3", directory=tmp_path, timeout=1.0)

    assert not Path("/proc", (tmp_path / "pid").read_text()).exists()


@in_loop
async def test_a_kernel_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(NotFound, match="no kernel 'nowhere'"):
        await kernel.run_up_to(cells("1"), 0, kernel_name="nowhere", directory=tmp_path)


@in_loop
async def test_a_kernel_of_another_language_is_refused(tmp_path, monkeypatch):
    other = KernelSpec(argv=["R"], display_name="R", language="R")
    monkeypatch.setattr(AsyncKernelManager, "kernel_spec", other)
    with pytest.raises(Unprocessable, match="The kernel runs R, not Python"):
        await kernel.run_up_to(cells("1"), 0, kernel_name="ir", directory=tmp_path)
