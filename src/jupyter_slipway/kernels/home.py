"""Links to the living kernels of a home, made when they are asked for: for commands, which have no Jupyter server.

Given to `handlers` where a server would give its own.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from jupyter_slipway.kernels import hosts
from jupyter_slipway.kernels.link import Link


class HomeKernels:
    def __init__(self, home: Path) -> None:
        self._home = home
        self._links: dict[Path, Link] = {}

    def links(self) -> dict[str, Link]:
        living = {path: one for path, one in hosts.living(self._home).items() if not one.about.get("warm")}
        for directory, record in living.items():
            if directory not in self._links:
                self._links[directory] = Link(directory, record)
                self._links[directory].open()
        return {record.about["kernel"]: self._links[directory] for directory, record in living.items()}

    async def close(self) -> None:
        await asyncio.gather(*(link.close() for link in self._links.values()))
