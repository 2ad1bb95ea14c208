"""Kernels with a host of ours beside a stock Jupyter server's, in one run, interleaved. `python benchmarks/kernels.py`

QUICK=1 takes fewer samples. CPU is the server process's own; memory is PSS.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.kernels.servers import NO_POOL, Page, Server

from jupyter_slipway.kernels import hosts

QUICK = bool(os.environ.get("QUICK"))
SAMPLES = 20 if QUICK else 100
FEWER = 3 if QUICK else 20
"""Of what takes longer than a moment."""
STOCK = (
    "--SlipwayApp.shared_kernels=False",
    # Its limit would drop output and win.
    "--ZMQChannelsWebsocketConnection.limit_rate=False",
    "--ServerApp.tornado_settings={'websocket_max_message_size': 1073741824}",
)
PRINTS = "for i in range({}):\n    print(i, flush=True)"
TEXT = "for _ in range(100):\n    print('x' * 1_000_000, flush=True)"
BUFFERS = (
    "from ipykernel.comm import Comm\ncomm = Comm('bench')\n"
    "for _ in range(16):\n    comm.send({}, buffers=[bytes(1 << 20)])"
)
Row = tuple[str, list[float], list[float], str]


class Side:
    """One server with one kernel and pages on it."""

    def __init__(self, name: str, server: Server) -> None:
        self.name, self.server = name, server
        self.kernel = server.start_kernel()
        self.pages: list[Page] = []

    async def with_pages(self, count: int) -> None:
        while len(self.pages) < count:
            self.pages.append(await Page.open(self.server, self.kernel))
        await self.pages[0].run("1")

    async def round_trip(self) -> float:
        started = time.perf_counter()
        await self.pages[0].run("1")
        return 1000 * (time.perf_counter() - started)

    async def work(self, code: str) -> tuple[float, float]:
        """Seconds until every page has all of it, and milliseconds of the server's CPU."""
        before, started = cpu(self.server.process.pid), time.perf_counter()
        asked = self.pages[0].execute(code)
        await self.pages[0].reply(asked, 300)
        for page in self.pages:
            await page.until(lambda page=page: page.idle(asked), 300)
        took = time.perf_counter() - started
        spent = cpu(self.server.process.pid) - before
        for page in self.pages:
            page.said.clear()
        return took, 1000 * spent


async def main() -> None:
    with tempfile.TemporaryDirectory(prefix="sb") as folder:
        home = Path(folder)
        ours = made(home / "a", NO_POOL)
        theirs = made(home / "b", *STOCK)
        try:
            rows = await compare(Side("ours", ours), Side("stock", theirs))
            rows += await connects(ours, theirs)
            rows += await starts(ours, theirs)
            rows += memory(ours, theirs, home / "a")
            show(rows)
        finally:
            for page in Page.opened:
                await page.close()
            ours.stop()
            theirs.stop()
            hosts.end_all(home / "a")


def made(home: Path, *options: str) -> Server:
    (home / "root").mkdir(parents=True)
    return Server(home / "root", home, *options)


async def compare(ours: Side, theirs: Side) -> list[Row]:
    rows: list[Row] = []
    for count in (1, 10, 50):
        await ours.with_pages(count)
        await theirs.with_pages(count)
        found: list[list[float]] = [[], []]
        for _ in range(SAMPLES):
            for side, times in zip((ours, theirs), found, strict=True):
                times.append(await side.round_trip())
        rows.append((f"execute and answer, {count} pages", *found, "ms"))
        if count == 10:
            rows += await amounts(ours, theirs, "1,000 prints to 10 pages", PRINTS.format(1000), FEWER)
    for side in (ours, theirs):
        for page in side.pages[1:]:
            await page.close()
        side.pages = side.pages[:1]
    rows += await amounts(ours, theirs, "1,000 small outputs", PRINTS.format(1000), SAMPLES)
    rows += await amounts(ours, theirs, "100 MB of text", TEXT, FEWER)
    rows += await amounts(ours, theirs, "16 MB of buffers", BUFFERS, SAMPLES)
    return rows


async def amounts(ours: Side, theirs: Side, name: str, code: str, times: int) -> list[Row]:
    took: list[list[float]] = [[], []]
    spent: list[list[float]] = [[], []]
    for _ in range(times):
        for index, side in enumerate((ours, theirs)):
            seconds, milliseconds = await side.work(code)
            took[index].append(1000 * seconds)
            spent[index].append(milliseconds)
    return [(f"{name}, until all is there", *took, "ms"), (f"{name}, server's CPU", *spent, "ms")]


async def connects(ours: Server, theirs: Server) -> list[Row]:
    """What all pages are told in all while one after another opens, and asks what JupyterLab asks."""
    rows: list[Row] = []
    for count in (10, 50):
        told: list[list[float]] = []
        for server in (ours, theirs):
            kernel = server.start_kernel()
            pages = []
            for _ in range(count):
                pages.append(await Page.open(server, kernel))
                for kind in ("kernel_info_request", "comm_info_request"):
                    await pages[-1].reply(pages[-1].send(kind, {}))
            for page in pages:
                # What was said before this has come to all.
                await page.run("1")
                await page.close()
                Page.opened.remove(page)
            told.append([float(sum(_before(page, "execute_input") for page in pages))])
            server.ask("DELETE", f"api/kernels/{kernel}")
        rows.append((f"messages while {count} pages open", told[0], told[1], ""))
    return rows


def _before(page: Page, kind: str) -> int:
    return next(index for index, one in enumerate(page.said) if one.type == kind)


async def starts(ours: Server, theirs: Server) -> list[Row]:
    """A new kernel until it has answered; ours also out of the pool."""
    cold: list[list[float]] = [[], []]
    for _ in range(FEWER):
        for server, times in zip((ours, theirs), cold, strict=True):
            times.append(await first_answer(server))
    rows: list[Row] = [("new kernel to first answer, cold", *cold, "ms")]
    home = ours.home.parent / "c"
    pooled = made(home)
    try:
        pooled.ask("GET", "slipway/api/status")
        warm = []
        for _ in range(FEWER):
            await pooled.warm()
            warm.append(await first_answer(pooled))
    finally:
        pooled.stop()
        hosts.end_all(home)
    return [*rows, ("new kernel to first answer, warm", warm, cold[1], "ms")]


async def first_answer(server: Server) -> float:
    started = time.perf_counter()
    kernel = server.start_kernel()
    page = await Page.open(server, kernel)
    await page.run("1")
    took = time.perf_counter() - started
    await page.close()
    Page.opened.remove(page)
    server.ask("DELETE", f"api/kernels/{kernel}")
    return 1000 * took


def memory(ours: Server, theirs: Server, home: Path) -> list[Row]:
    host = [pss(record.pid) for record in hosts.living(home).values()]
    return [
        ("memory of the server", [pss(ours.process.pid)], [pss(theirs.process.pid)], "MB"),
        ("memory of a kernel's host", host[:1], [0.0], "MB"),
    ]


def cpu(pid: int) -> float:
    """Seconds, of all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pss(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def show(rows: list[Row]) -> None:
    print(f"{'medians':46}{'Slipway':>12}{'stock':>12}{'share':>8}   samples")
    for name, ours, theirs, unit in rows:
        mine, other = statistics.median(ours), statistics.median(theirs)
        share = f"{mine / other:.0%}" if other else ""
        print(f"{name:46}{mine:9.1f} {unit}{other:9.1f} {unit}{share:>8}   {len(ours)}")


if __name__ == "__main__":
    os.environ.setdefault("SLIPWAY_ENVIRONMENTS", "kernel")
    asyncio.run(main())
