"""Runs on clusters: what a run needs to compute on one by name, and that it holds it for as long as it lives.

Used by the process that carries runs, whose keeper brings the cluster up meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from jupyter_slipway.clusters.manager import Manager
from jupyter_slipway.clusters.model import ClusterState
from jupyter_slipway.errors import Conflict, NotFound, Unavailable

START_WITHIN = 900.0
"""Seconds that a run waits for its cluster."""
RENEW_EVERY = 15.0
POLL = 0.2


class Borrower:
    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._renewed_at = 0.0

    def environ(self, cluster: str, run: str, person: str) -> dict[str, str]:
        """What a run's process needs to compute on `cluster`, which is started when it does not run.

        Args:
            run: the run's id
            person: for whom it runs

        Raises:
            NotFound: there is no such cluster
            Conflict: it cannot be started, or fails
            Unavailable: it does not come up in time
        """
        found = self._manager.get(cluster)
        if found.state in (ClusterState.STOPPED, ClusterState.FAILED):
            # Whoever publishes on it was let use it: a schedule would else fail whenever it stopped for being idle.
            # Quota and cost are its owner's (decision 0012), who sees what it was started for.
            why = f"{person}'s run {run} started it" if person != found.owner else ""
            asyncio.run(self._manager.start(cluster, found.owner, why=why))
        until = time.monotonic() + START_WITHIN
        while (found := self._manager.get(cluster)).state in (ClusterState.STARTING, ClusterState.STOPPING):
            if time.monotonic() > until:
                raise Unavailable(f"The cluster {cluster} did not come up: it still waits for {found.waiting}.")
            time.sleep(POLL)
        if found.state in (ClusterState.STOPPED, ClusterState.FAILED):
            raise Conflict(f"The cluster {cluster} is {found.state}: {found.reason}.", hint="See its logs.")
        return self._manager.attach(cluster, run, "run", person).attachment.environ

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
