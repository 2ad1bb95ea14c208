"""Kernels started before anybody asks: whoever starts one gets it at once, as if it had been started for them.

Filled and asked by `manager`. A warm host ends a few seconds after the server that keeps it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_slipway import hosting
from jupyter_slipway.errors import SlipwayError
from jupyter_slipway.hosting import Record
from jupyter_slipway.kernels import hosts
from jupyter_slipway.kernels.host.folder import Config
from jupyter_slipway.kernels.link import Link

LEASE = 5.0
"""Seconds that a warm host lives without the server that keeps it."""
PAUSE = 2.0
"""Seconds after one was taken until the next is started: the first cell of who took it comes first."""
CHANGES = ("JPY_SESSION_NAME", "JPY_PARENT_PID")
"""Variables that are each kernel's own: all others must be what a warm one was started with."""


class Pool:
    """
    Args:
        size: how many of each kernelspec
        log: called with what could not be done
    """

    def __init__(self, home: Path, size: int, log: Callable[[str], None]) -> None:
        self._home, self._size, self._log = home, size, log
        self._warm: list[tuple[Config, Link]] = []
        self._specs: dict[str, Config] = {}
        self._work: asyncio.Task[None] | None = None

    def keep(self, config: Config, *, pause: float = PAUSE) -> None:
        """From now on have warm kernels of this kind; only those of IPython can be made somebody's afterwards."""
        if self._size and config.language == "python" and any("ipykernel" in word for word in config.argv):
            self._specs[config.spec] = replace(config, owner="", path="", cwd=None, lease=LEASE, warm=True)
            if self._work is None or self._work.done():
                self._work = asyncio.ensure_future(self._fill(pause))

    async def take(self, config: Config) -> Link | None:
        """A warm kernel as `config` wants it, claimed; None: there is none.

        Raises:
            SlipwayError: it could not be made so
        """
        for pair in list(self._warm):
            warm, link = pair
            if not _fits(warm, config) or not link.status.get("ready") or link.over:
                continue
            self._warm.remove(pair)
            claim = {name: getattr(config, name) for name in ("kernel", "owner", "path", "cwd", "environ", "everyone")}
            try:
                await link.call("claim", **claim, lease=config.lease, run=_settle_in(config, warm))
            except SlipwayError:
                # It may be half made so: nobody is to find two kernels under one name.
                await link.close()
                await asyncio.to_thread(_remove, link.directory, link.record)
                raise
            link.record = hosting.read(link.directory) or link.record
            return link
        return None

    async def close(self) -> None:
        """Let go of the warm ones: they end by themselves."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.wait([self._work])
        for _, link in self._warm:
            await link.close()
        self._warm.clear()

    async def _fill(self, pause: float) -> None:
        await asyncio.sleep(pause)
        self._warm = [(config, link) for config, link in self._warm if not link.over]
        for config in list(self._specs.values()):
            have = sum(1 for warm, _ in self._warm if _fits(warm, config))
            for _ in range(self._size - have):
                try:
                    directory, record = await asyncio.to_thread(hosts.start, self._home, replace(config))
                except SlipwayError as error:
                    self._log(f"No warm kernel of {config.spec}: {error.message}")
                    self._specs.pop(config.spec, None)
                    break
                link = Link(directory, record)
                link.open()
                self._warm.append((config, link))


def _remove(directory: Path, record: Record) -> None:
    hosting.end(record, within=1.0)
    shutil.rmtree(directory, ignore_errors=True)


def _fits(warm: Config, wanted: Config) -> bool:
    return (warm.spec, warm.argv, warm.autorestart) == (wanted.spec, wanted.argv, wanted.autorestart) and _common(
        warm.environ
    ) == _common(wanted.environ)


def _common(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name not in CHANGES}


def _settle_in(config: Config, warm: Config) -> str:
    """Python that makes a kernel what it would be if it had been started as `config` says."""
    own: dict[str, Any] = {name: config.environ.get(name) for name in CHANGES if name in config.environ}
    where = config.cwd if config.cwd and os.path.isdir(config.cwd) else None
    return (
        "(lambda os, shell, own, where: ("
        "os.environ.update(own), where and os.chdir(where),"
        " where and shell.user_ns['_dh'].__setitem__(slice(None), [os.getcwd()])"
        f"))(__import__('os'), get_ipython(), {own!r}, {where!r})"
    )
