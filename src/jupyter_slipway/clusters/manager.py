"""The clusters of this home: what is wanted of each, and the steps from what is to what is wanted.

Called by `handlers` for people, and by `keeper`, once a second, for time passing. Any number of processes may do so
at once: a row is written only as it was read (`store`), and only who holds a cluster's lock acts on it.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar

from msgspec import Struct, structs

from jupyter_slipway.clusters import hosts, life, quota, sizes
from jupyter_slipway.clusters.answers import Answers
from jupyter_slipway.clusters.backends import Backends
from jupyter_slipway.clusters.backends.base import Backend, Ref
from jupyter_slipway.clusters.life import Rules
from jupyter_slipway.clusters.model import (
    Attachment,
    Cluster,
    ClusterState,
    Figures,
    Lease,
    Progress,
    Workers,
)
from jupyter_slipway.clusters.packages import Of, PackageComparison, compare
from jupyter_slipway.clusters.profiles import FILE, Profiles, size_of
from jupyter_slipway.clusters.quota import Quota
from jupyter_slipway.clusters.store import Row, Stale, Store
from jupyter_slipway.db import Database
from jupyter_slipway.errors import BadRequest, Conflict, Forbidden, NotFound, SlipwayError, Unavailable, Unprocessable
from jupyter_slipway.events import Changed, Events
from jupyter_slipway.files import private_directory
from jupyter_slipway.settings import Settings

NAME = re.compile(r"[a-z][a-z0-9-]{0,61}[a-z0-9]")
"""As jobs' names."""
HOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
"""It is a file's name, and a part of a Dask client's."""
LEASE = 120.0
"""Seconds a holder may be silent, by this process's own clock, before it no longer holds."""
COUNT_EVERY = 60.0
"""Seconds between two writes of what a running cluster has cost."""
PATIENCE = 60.0

Kind = Literal["kernel", "run", "proof"]
T = TypeVar("T")
LIVE = (ClusterState.STARTING, *life.LIVE, ClusterState.STOPPING)


class Given(Struct, frozen=True):
    """A holder's cluster as it stands, and how to use it."""

    cluster: Cluster
    attachment: Attachment


class Manager:
    """
    Args:
        home: Slipway's; each cluster has a directory under `clusters/`
        clock: epoch seconds
    """

    def __init__(
        self,
        store: Store,
        backends: Backends,
        profiles: Profiles,
        events: Events,
        home: Path,
        *,
        quota: Quota | None = None,
        rules: Rules | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.profiles = profiles
        self._store, self._backends, self._events = store, backends, events
        self._directory = home / "clusters"
        self._quota, self._rules, self._clock = quota or Quota(), rules or Rules(), clock
        self._answers = Answers()
        self._beats: dict[str, tuple[float, float]] = {}
        """Of each lease's file: when it was touched, and when that was first seen, by the monotonic clock."""

    @classmethod
    def of(cls, settings: Settings, database: Database, events: Events) -> Manager:
        """As the settings say.

        Raises:
            Unprocessable: one of them says what cannot be
        """
        backends = Backends()
        file = Path(settings.profiles).expanduser() if settings.profiles else settings.home / FILE
        memory = sizes.parse(settings.cluster_memory, "SLIPWAY_CLUSTER_MEMORY") if settings.cluster_memory else 0
        return cls(
            Store(database),
            backends,
            Profiles(file, backends),
            events,
            settings.home,
            quota=Quota(settings.cluster_workers, memory, sizes.machine_memory()),
            rules=Rules(timedelta(minutes=settings.cluster_idle)),
        )

    # ── people ──────────────────────────────────────────────────────────────────────────────────────────────

    def all(self) -> list[Cluster]:
        """By name."""
        holders = _counted(self._store.leases())
        return [self._shown(row, holders.get(row.cluster.name, 0)) for row in self._store.all()]

    def get(self, name: str) -> Cluster:
        """
        Raises:
            NotFound: there is none
        """
        return self._shown(self._store.get(name), len(self._store.leases(name)))

    def create(self, name: str, profile: str, options: dict[str, Any], owner: str) -> Cluster:
        """A new one, stopped.

        Raises:
            Unprocessable: its name or an option cannot be
            NotFound: no such profile
            Conflict: the name is taken
        """
        if not NAME.fullmatch(name):
            raise Unprocessable(
                f"{name!r} cannot be a cluster's name.",
                hint="Start with a letter, then lower-case letters, digits, hyphens; 2 to 63 in all: 'etl-dask'.",
            )
        chosen = self.profiles.get(profile)
        options = self.profiles.options(chosen, options)
        size = size_of(options)
        cluster = Cluster(
            name=name,
            owner=owner,
            backend=chosen.backend,
            engine="spark" if chosen.engine == "spark" else "dask",
            profile=profile,
            options=options,
            workers=size.workers,
            cores=size.cores,
            memory=size.memory,
            state=ClusterState.STOPPED,
            wanted="stopped",
            created_at=self._now(),
            price=chosen.price,
            currency=chosen.currency,
        )
        self._store.add(cluster)
        return self._changed(cluster)

    async def start(self, name: str, person: str, *, why: str = "") -> Cluster:
        """Returns when it can be found again, long before it runs. One that runs is left as it is.

        Args:
            why: what it is started for, when its owner has not asked for it now

        Raises:
            Forbidden: it is another person's
            Beyond: of the quota
            SlipwayError: the backend cannot
        """

        def starting(cluster: Cluster) -> Cluster:
            if cluster.state in LIVE:
                if cluster.state is ClusterState.STOPPING:
                    raise Conflict(f"{name} is just being stopped.", hint="Start it when it has stopped.")
                return cluster
            quota.check(cluster, self._running(), self._quota, here=self._here(cluster))
            return cluster.to(
                ClusterState.STARTING, wanted="running", reason=why, waiting="its host", progress=0.0, started_at=None
            )

        self._change(name, person, starting, ref={}, tell=False)
        try:
            await self.step(name)
        finally:
            # Who listens starts a keeper, which takes a second: not before the cluster itself has begun.
            self._events.announce(Changed("cluster", name))
        return self.get(name)

    async def stop(self, name: str, person: str) -> Cluster:
        """Returns when it is being stopped, or has.

        Raises:
            Forbidden: it is another person's
        """

        def stopping(cluster: Cluster) -> Cluster:
            if cluster.state in (ClusterState.STOPPED, ClusterState.STOPPING):
                return cluster
            return cluster.to(
                ClusterState.STOPPING, wanted="stopped", reason=f"{person} stopped it", stops_at=None, progress=None
            )

        self._change(name, person, stopping)
        await self.step(name)
        return self.get(name)

    def keep(self, name: str, person: str) -> Cluster:
        """An idle one is not stopped for now. Anybody may say so: who attaches a kernel holds it longer."""
        self._change(name, None, lambda cluster: life.kept(cluster, self._now()))
        return self.get(name)

    async def scale(self, name: str, person: str, workers: Workers) -> Cluster:
        """
        Raises:
            Forbidden: it is another person's
            Unprocessable: it cannot be; the message names field and limit
            Beyond: of the quota
        """
        cluster = self._store.get(name).cluster
        wanted = {"minimum": workers.minimum, "maximum": workers.maximum}
        if "workers" not in cluster.options:
            raise Unprocessable(f"{name} has the workers that it has: its backend makes none.")
        options = self.profiles.options(self.profiles.get(cluster.profile), cluster.options | {"workers": wanted})

        def scaled(cluster: Cluster) -> Cluster:
            new = structs.replace(cluster, workers=workers, options=options)
            if new.state in LIVE:
                quota.check(new, self._running(), self._quota, here=self._here(new))
            return new

        row = self._change(name, person, scaled)
        if row.cluster.state in life.LIVE:
            await self._backends[row.cluster.backend].scale(row.ref, workers)
        return self.get(name)

    async def delete(self, name: str, person: str) -> None:
        """Stop it and forget it.

        Raises:
            Forbidden: it is another person's
        """
        row = self._store.get(name)
        _owned(row.cluster, person)
        if row.cluster.state not in (ClusterState.STOPPED, ClusterState.FAILED):
            await self.stop(name, person)
        async with self._patiently(name):
            row = self._store.get(name)
            if row.cluster.state is ClusterState.STOPPING:
                # Whoever was at it had looked before it was to be stopped.
                await self._stop(row)
                row = self._store.get(name)
            if row.cluster.state not in (ClusterState.STOPPED, ClusterState.FAILED):
                raise Conflict(f"{name} is {row.cluster.state}: it cannot be deleted now.", hint="Try again shortly.")
            if row.ref:
                await self._backends[row.cluster.backend].stop(row.ref)
            self._store.delete(row)
            await asyncio.to_thread(shutil.rmtree, self._directory / name, ignore_errors=True)
        self._events.announce(Changed("cluster", name))

    # ── who uses it ─────────────────────────────────────────────────────────────────────────────────────────

    def attach(self, name: str, holder: str, kind: Kind, person: str) -> Given:
        """Let a kernel or a run use it, and hold it; again, to renew.

        Raises:
            Conflict: it does not run
            BadRequest: the holder's id cannot be one
        """
        if not HOLDER.fullmatch(holder):
            raise BadRequest(f"{holder!r} cannot be the id of a kernel or a run.")
        row = self._store.get(name)
        if row.cluster.state not in life.LIVE:
            raise Conflict(f"{name} is {row.cluster.state}: nothing can use it now.", hint="Start it first.")
        given = self._backends[row.cluster.backend].attach(row.ref, person, holder)
        lease = self._lease(name, holder)
        private_directory(lease.parent)
        lease.touch(0o600)
        self._store.hold(Lease(name, holder, kind, person, self._now()))
        environ = given.environ | {"SLIPWAY_CLUSTER": name, "SLIPWAY_LEASE": str(lease)}
        self._events.announce(Changed("cluster", name))
        return Given(self.get(name), structs.replace(given, environ=environ))

    def detach(self, name: str, holder: str) -> Cluster:
        """It holds no longer. One that did not, neither did."""
        self._store.get(name)
        if HOLDER.fullmatch(holder):  # another text may be the path of somebody's file
            self._release(name, [holder])
        return self.get(name)

    def attachments(self) -> list[Lease]:
        return self._store.leases()

    def kernel_memory(self, name: str) -> int:
        """Bytes that a kernel beside one of its workers needs, as its profile says; 0: it says nothing."""
        with suppress(NotFound):  # the profile is offered no longer
            said = self.profiles.get(self._store.get(name).cluster.profile).kernel_memory
            return sizes.parse(said, "kernel_memory") if said else 0
        return 0

    def renew(self, name: str, holder: str) -> None:
        """The holder lives. For those that cannot touch the lease's file themselves."""
        with suppress(FileNotFoundError):
            os.utime(self._lease(name, holder))

    # ── what it does ────────────────────────────────────────────────────────────────────────────────────────

    async def figures(self, name: str) -> Figures:
        """
        Raises:
            Conflict: it does not run
        """

        async def figures() -> Figures:
            return await self._ask(name, lambda backend, ref: backend.figures(ref))

        return await self._answers.of(("figures", name), figures)

    async def progress(self, name: str, holder: str, cell: str) -> Progress | None:
        """
        Raises:
            Conflict: it does not run
        """

        async def progress() -> Progress | None:
            return await self._ask(name, lambda backend, ref: backend.progress(ref, holder, cell))

        return await self._answers.of(("progress", name, holder, cell), progress)

    async def cancel(self, name: str, holder: str, cell: str, person: str) -> str:
        """
        Raises:
            Conflict: it does not run
        """
        return await self._ask(name, lambda backend, ref: backend.cancel(ref, holder, cell, person))

    async def compare(
        self, name: str, kernel: Mapping[str, str], person: str, *, of: Of = "kernel"
    ) -> PackageComparison:
        """How the packages of a kernel or a run compare with the cluster's, and what `person` can do about it.

        Raises:
            Conflict: it does not run
        """
        row, backend = self._live(name)
        fixed = backend.fixed_packages
        if not fixed and row.cluster.owner != person:
            fixed = f"Its workers would restart: only {row.cluster.owner}, whose cluster it is, can do that."
        found = await self._ask(name, lambda backend, ref: backend.packages(ref))
        return compare(kernel, found, fixed=fixed, of=of)

    async def synchronise(self, name: str, kernel: Mapping[str, str], digest: str, person: str) -> PackageComparison:
        """Do what `compare` has shown; how they compare afterwards.

        Args:
            digest: of the plan that was shown

        Raises:
            Forbidden: it is another person's
            Conflict: it does not run, or another plan would be shown now
            Unprocessable: nothing can be done; the message says why
            Unavailable: it failed, and nothing was changed
        """
        row, backend = self._live(name)
        _owned(row.cluster, person)
        plan = (await self.compare(name, kernel, person)).plan
        if not plan.install:
            raise Unprocessable(plan.words, hint="Compare the packages to see what differs.")
        if plan.digest != digest:
            raise Conflict(
                "The packages are not what they were when this was shown.", hint="Compare them again, and look."
            )
        await backend.install(row.ref, plan.install)
        self._changed(row.cluster)
        return await self.compare(name, kernel, person)

    def dashboard(self, name: str) -> str:
        """Where its dashboard is reached from this machine.

        Raises:
            Conflict: it does not run
            NotFound: there is no such cluster, or it has none
        """
        row, backend = self._live(name)
        if (address := backend.dashboard(row.ref)) is None:
            raise NotFound(f"{name} has no dashboard that can be shown here.")
        return address

    async def log(self, name: str, part: str, offset: int) -> tuple[str, int, tuple[str, ...]]:
        """Text, next offset, and which parts there are; of one that has ended, too."""
        row = self._store.get(name)
        if not row.ref:
            return "", offset, ()
        backend = self._backends[row.cluster.backend]
        parts = backend.parts(row.ref)
        text, following = await backend.logs(row.ref, part or parts[0], offset)
        return text, following, parts

    # ── time passing ────────────────────────────────────────────────────────────────────────────────────────

    def unsettled(self) -> list[str]:
        """Names of those that somebody has to look after."""
        return self._store.live()

    def revisions(self) -> dict[str, int]:
        """Of every cluster: when one has changed, so has the cluster, whoever did it."""
        return self._store.revisions()

    async def step(self, name: str) -> Cluster | None:
        """Bring one cluster nearer to what is wanted; None when somebody else is at it, or it is gone."""
        with self._alone(name) as mine:
            if not mine:
                return None
            try:
                row = self._store.get(name)
                return await self._step(row)
            except Stale:  # a person was quicker; the next step sees what they did
                return None

    async def _step(self, row: Row) -> Cluster:
        cluster = row.cluster
        if cluster.state is ClusterState.STARTING and not row.ref:
            return await self._create(row)
        if cluster.state is ClusterState.STOPPING:
            return await self._stop(row)
        if cluster.state not in LIVE:
            return cluster
        backend = self._backends[cluster.backend]
        status = await backend.find(row.ref)
        holders = self._holders(cluster.name)
        new = life.seen(cluster, status, holders, self._now(), self._rules)
        if new.state in life.LIVE and cluster.state is ClusterState.STARTING:
            new = structs.replace(new, dashboard=backend.dashboard(row.ref) is not None)
        row = self._write(row, new)
        return await self._stop(row) if new.state is ClusterState.STOPPING else new

    async def _create(self, row: Row) -> Cluster:
        cluster = row.cluster
        try:
            backend = self._backends[cluster.backend]
            ref = await backend.create(cluster.name, cluster.options, self._directory / cluster.name)
        except (SlipwayError, OSError) as error:
            said = error.message if isinstance(error, SlipwayError) else f"it could not be stored: {error}"
            self._write(row, life.gone(cluster, ClusterState.FAILED, said))
            raise
        try:
            return self._write(row, cluster, ref=ref).cluster
        except Stale:
            # It was stopped or deleted meanwhile: what is wanted now knows nothing of what was just made.
            await self._keep_or_end(cluster.name, backend, ref)
            raise

    async def _keep_or_end(self, name: str, backend: Backend, ref: dict[str, Any]) -> None:
        with suppress(NotFound), self._store.together():
            row = self._store.get(name)
            if row.cluster.state in LIVE:
                self._write(row, row.cluster, ref=ref)
                return
        await backend.stop(ref)

    async def _stop(self, row: Row) -> Cluster:
        if row.ref:
            await self._backends[row.cluster.backend].stop(row.ref)
        self._release(row.cluster.name, [lease.holder for lease in self._store.leases(row.cluster.name)])
        stopped = life.gone(row.cluster, ClusterState.STOPPED, row.cluster.reason)
        return self._write(row, stopped).cluster

    # ── inside ──────────────────────────────────────────────────────────────────────────────────────────────

    def _change(
        self, name: str, person: str | None, change: Callable[[Cluster], Cluster], *, tell: bool = True, **more: Any
    ) -> Row:
        """Write what `change` makes of it; `more` only when that is something else."""
        # As one transaction: of two clusters that are started at once, the second sees what the first claims.
        with self._store.together():
            row = self._store.get(name)
            if person is not None:
                _owned(row.cluster, person)
            new = change(row.cluster)
            row = row if new == row.cluster else self._write(row, new, tell=False, **more)
        if tell:
            self._changed(row.cluster)
        return row

    def _write(self, row: Row, cluster: Cluster, *, tell: bool = True, **changes: Any) -> Row:
        """Store it with what it has cost until now, and tell; nothing when nothing has changed."""
        now, counted = self._clock(), row.counted_at
        count = counted is not None and cluster.price > 0 and now - counted >= COUNT_EVERY
        if cluster == row.cluster and not changes and not count:
            return row
        ended = cluster.state in (ClusterState.STOPPED, ClusterState.FAILED)
        if counted is not None:
            # Nobody looked for a while, and it is gone: when it went, nobody knows. It is not charged for.
            until = counted if ended and now - counted > 2 * COUNT_EVERY else now
            cluster = structs.replace(cluster, cost=row.cluster.cost + _cost(row, until))
        runs = cluster.state in (*life.LIVE, ClusterState.STOPPING)
        new = self._store.write(row, cluster, counted_at=now if runs else None, **changes)
        if tell:
            self._changed(cluster)
        return new

    def _shown(self, row: Row, holders: int) -> Cluster:
        cost = row.cluster.cost + _cost(row, self._clock())
        return structs.replace(row.cluster, cost=round(cost, 6), holders=holders)

    def _live(self, name: str) -> tuple[Row, Backend]:
        row = self._store.get(name)
        if row.cluster.state not in life.LIVE:
            raise Conflict(f"{name} is {row.cluster.state}.", hint="Start it first.")
        return row, self._backends[row.cluster.backend]

    async def _ask(self, name: str, ask: Callable[[Backend, Ref], Awaitable[T]]) -> T:
        """What a live one answers.

        Raises:
            Conflict: it does not run, or was stopped while it was asked
            Unavailable: it does not answer
        """
        row, backend = self._live(name)
        try:
            return await ask(backend, row.ref)
        except Unavailable:
            self._live(name)
            raise

    def _running(self) -> Iterator[tuple[Cluster, bool]]:
        for row in self._store.all():
            if row.cluster.state in LIVE:
                yield row.cluster, self._here(row.cluster)

    def _here(self, cluster: Cluster) -> bool:
        return self._backends[cluster.backend].on_this_machine

    def _holders(self, name: str) -> list[str]:
        """Who holds it and lives. Whoever has been silent for too long is let go of."""
        silent: list[str] = []
        living: list[str] = []
        for lease in self._store.leases(name):
            (living if self._beats_still(name, lease.holder) else silent).append(lease.holder)
        self._release(name, silent)
        return living

    def _beats_still(self, name: str, holder: str) -> bool:
        # The monotonic clock stands still while a laptop sleeps: a kernel that slept along has not died of it.
        path, now = self._lease(name, holder), time.monotonic()
        try:
            touched = path.stat().st_mtime
        except FileNotFoundError:
            return False
        known = self._beats.get(str(path))
        if known is None or known[0] != touched:
            known = self._beats[str(path)] = (touched, now)
        return now - known[1] < LEASE

    def _release(self, name: str, holders: list[str]) -> None:
        if not holders:
            return
        self._store.release(name, holders)
        for holder in holders:
            path = self._lease(name, holder)
            path.unlink(missing_ok=True)
            self._beats.pop(str(path), None)
        self._events.announce(Changed("cluster", name))

    def _lease(self, name: str, holder: str) -> Path:
        return self._directory / name / hosts.LEASES / holder

    @contextmanager
    def _alone(self, name: str) -> Iterator[bool]:
        """Whether nobody else acts on this cluster meanwhile, in any process."""
        private_directory(self._directory)
        # Beside the cluster's directory, which a deletion removes.
        with open(self._directory / f".{name}.lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True

    @asynccontextmanager
    async def _patiently(self, name: str) -> AsyncIterator[None]:
        """Alone, once whoever is at it has done.

        Raises:
            Conflict: that takes too long
        """
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            with self._alone(name) as mine:
                if mine:
                    yield
                    return
            await asyncio.sleep(0.05)
        raise Conflict(f"{name} is being changed by somebody else.", hint="Try again shortly.")

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def _changed(self, cluster: Cluster) -> Cluster:
        self._events.announce(Changed("cluster", cluster.name))
        return cluster


def _owned(cluster: Cluster, person: str) -> None:
    if cluster.owner != person:
        raise Forbidden(
            f"{cluster.name} is {cluster.owner}'s: {person} can use it and look at it, not change it.",
            hint=f"Ask {cluster.owner}, or make one of your own.",
        )


def _cost(row: Row, until: float) -> float:
    """What it has cost since that was last counted."""
    if row.counted_at is None:
        return 0.0
    return row.cluster.live_workers * row.cluster.price * max(until - row.counted_at, 0.0) / 3600


def _counted(leases: Iterable[Lease]) -> Counter[str]:
    return Counter(lease.cluster for lease in leases)
