"""Kills of servers, kernels, hosts and pages while cells run: no output is lost or told twice, no cell is forgotten.

`SLIPWAY_KILLS=200` makes it the long form; its figures are printed (`pytest -s`).
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_slipway import hosting
from jupyter_slipway.kernels import hosts
from jupyter_slipway.runs import runner
from tests.kernels.servers import NO_POOL, Page, Server, in_loop

KILLS = int(os.environ.get("SLIPWAY_KILLS", "4"))
SEED = int(os.environ.get("SLIPWAY_SEED", "1"))
TICKS = 30
CELL = f"import time\nfor tick in range({TICKS}):\n    print('tick', tick, flush=True)\n    time.sleep(0.03)"
WHOLE = "".join(f"tick {number}\n" for number in range(TICKS))
VICTIMS = (("server", 50), ("kernel", 20), ("host", 20), ("page", 10))


class Chaos:
    def __init__(self, home: Path, seed: int) -> None:
        self.home, self.random = home, random.Random(seed)
        self.killed: collections.Counter[str] = collections.Counter()
        self.wrong: list[str] = []
        self.server = Server(home / "root", home, NO_POOL)
        self.kernel = self.server.start_kernel()

    async def round(self) -> None:
        """A cell with outputs and one queued behind it; a kill in between; then all that must be there is."""
        page = await Page.open(self.server, self.kernel)
        await page.run("1")
        running, queued = page.execute(CELL), page.execute("40 + 2")
        wanted = self.random.randrange(1, TICKS - 4)
        await page.until(lambda: f"tick {wanted}" in page.text(running))
        victim = self.random.choices([name for name, _ in VICTIMS], [weight for _, weight in VICTIMS])[0]
        lives = victim in ("server", "page")
        seen = page.text(running)
        page = await self.kill(victim, page)
        first, second = await page.reply(running), await page.reply(queued)
        text, statuses = page.text(running), (first["status"], second["status"])
        if lives and (text, statuses) != (WHOLE, ("ok", "ok")):
            self.wrong.append(f"{victim}: {statuses} {text!r}")
        if not lives and not (statuses == ("error", "aborted") and text.startswith(seen) and WHOLE.startswith(text)):
            self.wrong.append(f"{victim}: {statuses} {text!r} after {seen!r}")
        if (
            await page.run(
                "1",
            )
        )["status"] != "ok":
            self.wrong.append(f"{victim}: the kernel does not answer any more")
        await page.close()

    async def kill(self, victim: str, page: Page) -> Page:
        self.killed[victim] += 1
        record = hosting.read(self.directory)
        assert record is not None
        if victim == "server":
            self.server.kill()
            self.server = Server(self.home / "root", self.home, NO_POOL, port=self.server.port)
        elif victim == "page":
            await page.close()
        elif victim == "host":
            os.kill(record.pid, signal.SIGKILL)
        else:
            children = Path(f"/proc/{record.pid}/task/{record.pid}/children").read_text().split()
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(children[0]), signal.SIGKILL)
        if victim in ("server", "page"):
            return await Page.open(self.server, self.kernel, session=page.session)
        return page

    @property
    def directory(self) -> Path:
        found = hosts.find(self.home, self.kernel)
        assert found is not None
        return found


@pytest.fixture
def chaos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chaos]:
    home = tmp_path_factory.mktemp("k")
    (home / "root").mkdir()
    chaos = Chaos(home, SEED)
    yield chaos
    chaos.server.stop()
    hosts.end_all(home)
    runner.stop(home)


@pytest.mark.timeout(3600)
@in_loop
async def test_kills_lose_no_output_and_forget_no_cell(chaos: Chaos) -> None:
    started = time.monotonic()
    while sum(chaos.killed.values()) < KILLS:
        await chaos.round()
        await asyncio.sleep(0)
    took = time.monotonic() - started
    print(f"\n{sum(chaos.killed.values())} kills ({dict(chaos.killed)}) in {took:.0f} s: {len(chaos.wrong)} wrong")

    assert chaos.wrong == []
    chaos.server.ask("DELETE", f"api/kernels/{chaos.kernel}")
    # Nothing lives on unseen.
    assert hosts.living(chaos.home) == {}
