"""Kernels beside a cluster's workers, as the cluster's host sees them: placed, looked at, ended with the cluster.

Held by `held`, asked by `kernels.remote` through the host. What is started there is `beside`'s to say.
"""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from distributed import Security

from jupyter_slipway.clusters import beside, placement
from jupyter_slipway.clusters.placement import Wanted
from jupyter_slipway.errors import Unavailable

ANSWER_WITHIN = 10.0
"""Seconds that a nanny may take to say something."""
START_WITHIN = 60.0
BEAT = 30.0
"""Seconds between two looks at whether those that hold the cluster live."""


class Near:
    """
    Args:
        client: connected to the cluster's scheduler
        leases: folder of files that say who holds the cluster
    """

    def __init__(self, name: str, client: Any, leases: Path) -> None:
        self._name, self._client, self._leases = name, client, leases
        self._placed: dict[str, tuple[str, str, int]] = {}
        """By holder: nanny, directory, GPUs."""
        self._beating: asyncio.Task[None] | None = None

    @property
    def nannies(self) -> set[str]:
        """Those that keep a worker with a kernel beside it."""
        return {nanny for nanny, _, _ in self._placed.values()}

    async def place(
        self, workers: list[dict[str, Any]], holder: str, argv: list[str], files: dict[str, str], memory: int, gpus: int
    ) -> dict[str, Any]:
        """Start a program beside the worker that suits it best.

        Args:
            workers: as `scheduler.workers` has them

        Returns:
            'nanny', 'worker', 'directory', 'host', 'record' (as the program wrote it), 'tls' (texts by kind)

        Raises:
            Unprocessable: no worker has what is wanted
            Unavailable: it does not come up
        """
        taken = [(nanny, number) for nanny, _, number in self._placed.values()]
        spot = placement.choose(placement.spots(workers, taken), Wanted(memory, gpus))
        # Of this program alone: whoever may use the cluster has the cluster's own.
        security = Security.temporary()
        tls = {"ca": security.tls_ca_file, "cert": security.tls_client_cert, "key": security.tls_client_key}
        files = files | {f"tls/{kind}.pem": str(text) for kind, text in tls.items()}
        placed = await self._begin(spot.nanny, argv, files, "")
        self._hold(holder, spot.nanny, placed["directory"], gpus)
        return placed | {"worker": spot.name, "tls": tls}

    async def again(
        self, holder: str, nanny: str, directory: str, argv: list[str], files: dict[str, str], gpus: int
    ) -> dict[str, Any]:
        """What became of one that no longer answers: 'lives', or started anew where it was, as `place` has it.

        Raises:
            Unavailable: it cannot be; the message says why it ended
        """
        found = await self._look(nanny, directory)
        if found["lives"]:
            return found
        if found["code"] is None:
            raise Unavailable("It has ended, and the nanny that kept it does not know it any more.")
        placed = await self._begin(nanny, argv, files, directory)
        self._hold(holder, nanny, directory, gpus)
        return placed

    async def unplace(self, holder: str, nanny: str, directory: str, reason: str) -> None:
        """End it; one that has ended, or whose nanny has, neither is."""
        self._placed.pop(holder, None)
        with suppress(Unavailable):
            await self._run(nanny, beside.end, ANSWER_WITHIN * 2, directory, reason)

    async def close(self) -> None:
        """The cluster ends: so do they, and know why."""
        if self._beating is not None:
            self._beating.cancel()
        reason = f"The cluster {self._name} was stopped, and the kernel with it."
        for nanny in self.nannies:
            with suppress(Unavailable):
                await self._run(nanny, beside.end_all, ANSWER_WITHIN, reason)
        await beside.end_all(reason)

    def _hold(self, holder: str, nanny: str, directory: str, gpus: int) -> None:
        self._placed[holder] = (nanny, directory, gpus)
        if self._beating is None:
            self._beating = asyncio.create_task(self._beat())

    async def _beat(self) -> None:
        """A program on another machine cannot touch its lease: while it lives, that is done here."""
        while True:
            for holder, (nanny, directory, _) in list(self._placed.items()):
                with suppress(Unavailable):
                    if (await self._look(nanny, directory))["lives"]:
                        with suppress(OSError):  # it was let go
                            os.utime(self._leases / holder)
                    else:
                        self._placed.pop(holder, None)
            await asyncio.sleep(BEAT)

    async def _look(self, nanny: str, directory: str) -> dict[str, Any]:
        # Nannies of a local cluster are in this very process, and what they started outlives them.
        mine = beside.look(directory)
        if mine["lives"] or mine["code"] is not None:
            return mine
        found: dict[str, Any] = await self._run(nanny, beside.look, ANSWER_WITHIN, directory)
        return found

    async def _begin(self, nanny: str, argv: list[str], files: dict[str, str], directory: str) -> dict[str, Any]:
        begun: dict[str, Any] = await self._run(
            nanny, beside.begin, START_WITHIN + ANSWER_WITHIN, argv, files, START_WITHIN, directory
        )
        if "error" in begun:
            raise Unavailable(begun["error"])
        return begun | {"nanny": nanny}

    async def _run(self, nanny: str, function: Any, within: float, *arguments: Any) -> Any:
        """
        Raises:
            Unavailable: the nanny has gone
        """
        try:
            async with asyncio.timeout(within):
                # A nanny answers what a worker does, at its own address.
                answers = await self._client.run(function, *arguments, workers=[nanny])
            return answers[nanny]
        except (OSError, TimeoutError, KeyError) as error:
            logging.warning("The nanny at %s does not answer: %r", nanny, error)
            raise Unavailable(
                f"The worker of {self._name} beside which the kernel ran has gone: its nanny on "
                f"{urlsplit(nanny).hostname} does not answer."
            ) from error
