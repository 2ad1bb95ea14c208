"""Runs and proofs on clusters: what they need to compute on one by name, and that they hold it while they live.

Used by the process that carries runs, whose keeper brings the cluster up meanwhile, and by proofs of published cells.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import StringIO

from msgspec import Struct

from jupyter_slipway.clusters import packages
from jupyter_slipway.clusters.manager import Kind, Manager
from jupyter_slipway.clusters.model import ClusterState
from jupyter_slipway.errors import Conflict, NotFound, SlipwayError, Unavailable

START_WITHIN = 900.0
"""Seconds that a run waits for its cluster."""
RENEW_EVERY = 15.0
POLL = 0.2
NAMES = {"dask": ("client",), "spark": ("spark",)}
"""What a kernel is given, by engine."""
LOG_WIDTH = 100
"""Characters of a line that is written into a run's log."""


class Lent(Struct, frozen=True):
    """What a run on a cluster is given."""

    environ: dict[str, str]
    note: str
    """For its log: how its packages compare with the workers'."""


class Borrower:
    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._renewed_at = 0.0

    def lend(self, cluster: str, run: str, person: str, python: str) -> Lent:
        """What a run's process needs to compute on `cluster`, which is started when it does not run.

        Args:
            run: the run's id
            person: for whom it runs
            python: path of the program that runs it

        Raises:
            NotFound: there is no such cluster
            Conflict: it cannot be started, or fails
            Unavailable: it does not come up in time
        """

        async def lent() -> Lent:
            environ = await self._attached(cluster, run, "run", person)
            return Lent(environ, await self._compared(cluster, person, python))

        return asyncio.run(lent())

    @asynccontextmanager
    async def held(self, cluster: str, proof: str, person: str) -> AsyncIterator[dict[str, str]]:
        """The same for a proof, which holds the cluster until this is left.

        Raises:
            SlipwayError: as `lend`
        """
        environ = await self._attached(cluster, proof, "proof", person)
        holding = asyncio.create_task(self._hold(cluster, proof))
        try:
            yield environ
        finally:
            holding.cancel()
            self._manager.detach(cluster, proof)

    def used_by(self, kernel: str) -> str:
        """Name of the cluster that a kernel is attached to; ''."""
        return next((lease.cluster for lease in self._manager.attachments() if lease.holder == kernel), "")

    def provides(self, cluster: str) -> tuple[str, ...]:
        """Names that a kernel has that is attached to it; none when there is no such cluster."""
        try:
            return NAMES[self._manager.get(cluster).engine]
        except NotFound:
            return ()

    def renew(self, lives: Callable[[str], bool]) -> None:
        """Hold on for runs that live, let go for those that have ended. May be called as often as one likes."""
        if time.monotonic() - self._renewed_at < RENEW_EVERY:
            return
        self._renewed_at = time.monotonic()
        for lease in self._manager.attachments():
            if lease.kind != "run":
                continue
            try:
                living = lives(lease.holder)
            except NotFound:
                living = False
            if living:
                self._manager.renew(lease.cluster, lease.holder)
            else:
                self._manager.detach(lease.cluster, lease.holder)

    async def _hold(self, cluster: str, holder: str) -> None:
        while True:
            await asyncio.sleep(RENEW_EVERY)
            self._manager.renew(cluster, holder)

    async def _attached(self, cluster: str, holder: str, kind: Kind, person: str) -> dict[str, str]:
        found = self._manager.get(cluster)
        if found.state in (ClusterState.STOPPED, ClusterState.FAILED):
            # Whoever publishes on it was let use it: a schedule would else fail whenever it stopped for being idle.
            # Quota and cost are its owner's (decision 0012), who sees what it was started for.
            why = f"{person}'s {kind} {holder} started it" if person != found.owner else ""
            await self._manager.start(cluster, found.owner, why=why)
        until = time.monotonic() + START_WITHIN
        while (found := self._manager.get(cluster)).state in (ClusterState.STARTING, ClusterState.STOPPING):
            if time.monotonic() > until:
                raise Unavailable(f"The cluster {cluster} did not come up: it still waits for {found.waiting}.")
            await asyncio.sleep(POLL)
        if found.state in (ClusterState.STOPPED, ClusterState.FAILED):
            raise Conflict(f"The cluster {cluster} is {found.state}: {found.reason}.", hint="See its logs.")
        return self._manager.attach(cluster, holder, kind, person).attachment.environ

    async def _compared(self, cluster: str, person: str, python: str) -> str:
        try:
            mine = await asyncio.to_thread(packages.installed_in, python)
            found = await self._manager.compare(cluster, mine, person, of="run")
        except SlipwayError as error:  # the run may go well all the same
            return f"[slipway] Its packages were not compared with those of {cluster}: {error.message}\n"
        if found.equal:
            return f"[slipway] {cluster}: {found.words}\n"
        return f"[slipway] {cluster}: {found.words}\n{_table(found)}"


def _table(comparison: packages.PackageComparison) -> str:
    from rich.console import Console

    from jupyter_slipway.clusters.views import comparison_view

    text = StringIO()
    Console(file=text, width=LOG_WIDTH, color_system=None).print(comparison_view(comparison, of="run"))
    return "\n".join(line.rstrip() for line in text.getvalue().rstrip().splitlines()) + "\n"
