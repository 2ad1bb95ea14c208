"""What a cluster host holds: a cluster of any `distributed.deploy` class that it makes, or a scheduler of others.

Imported by `host` alone, in its own process: this is where Dask is loaded.
"""

from __future__ import annotations

import asyncio
import getpass
import hashlib
import importlib
import inspect
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import cloudpickle
from distributed import Client, Scheduler, Security
from distributed.core import Status
from distributed.deploy import Adaptive, LocalCluster, SpecCluster

from jupyter_slipway.clusters import beside, following, overlay, packages, scheduler
from jupyter_slipway.clusters.following import Following
from jupyter_slipway.clusters.host import certificates
from jupyter_slipway.clusters.hosts import LEASES, Launch
from jupyter_slipway.clusters.near import Near
from jupyter_slipway.clusters.reach import greet
from jupyter_slipway.errors import Unavailable, Unprocessable

CONNECT_WITHIN = 10.0
INSTALL_WITHIN = 600.0
# A scheduler of somebody else has no Slipway: what is asked of it goes there as it is.
for one in (following, scheduler, packages, beside, overlay):
    cloudpickle.register_pickle_by_value(one)


class Deployed:
    """A cluster that this process makes."""

    def __init__(self, launch: Launch, directory: Path) -> None:
        self._launch, self._directory = launch, directory
        self._cluster: Any = None
        self._client: Any = None
        self._near: Near | None = None
        self.address = self.dashboard = ""

    async def open(self, tell: Callable[[str, float | None], None]) -> None:
        launch = self._launch
        tell("the scheduler", 0.3)
        kind = getattr(importlib.import_module(launch.module), launch.cls)
        kwargs = filled(launch.kwargs, str(self._directory)) | {"asynchronous": True}
        if launch.tls:
            kwargs["security"] = security = Security.temporary()
            certificates(self._directory, security)
        self._cluster = await kind(**kwargs)
        logging.getLogger("distributed").setLevel(logging.INFO)
        own = getattr(self._cluster, "scheduler", None)
        if isinstance(own, Scheduler):
            following = Following()
            own.add_plugin(following)
            await following.start(own)
        else:
            await (await self._speaking()).register_plugin(Following())
        self.address = self._cluster.scheduler_address
        self.dashboard = self._dashboard()
        await self.scale(launch.workers.minimum, launch.workers.maximum)
        while (there := len(self._cluster.scheduler_info["workers"])) < launch.wait_for:
            tell(f"{launch.wait_for - there} of {launch.wait_for} workers", 0.5 + 0.5 * there / launch.wait_for)
            await asyncio.sleep(0.05)
            if why := await self.lost():
                raise Unavailable(why)

    async def install(self, requirements: list[str]) -> None:
        folder = self._directory / "packages" / folder_of(requirements)
        local = isinstance(self._cluster, LocalCluster)
        await install(await self._speaking(), str(folder) if local else elsewhere(requirements), requirements)

    async def near(self) -> Near:
        if self._near is None:
            self._near = Near(self._launch.name, await self._speaking(), self._directory / LEASES)
        return self._near

    async def on_scheduler(self, name: str, **arguments: Any) -> Any:
        if name == "packages":
            return await packages_of(await self._speaking())
        own = getattr(self._cluster, "scheduler", None)
        if isinstance(own, Scheduler):
            return getattr(scheduler, name)(own, **arguments)
        client = await self._speaking()
        return await client.run_on_scheduler(getattr(scheduler, name), **arguments)

    async def scale(self, minimum: int, maximum: int) -> None:
        cluster = self._cluster
        if getattr(cluster, "_adaptive", None) is not None:
            cluster._adaptive.stop()
            cluster._adaptive = None
        if minimum == maximum:
            done = cluster.scale(minimum)
        elif isinstance(cluster, SpecCluster):
            done = cluster.adapt(minimum=minimum, maximum=maximum, Adaptive=partial(Sparing, spared=self._spared))
        else:
            done = cluster.adapt(minimum=minimum, maximum=maximum)
        if inspect.isawaitable(done) and minimum == maximum:
            await done

    async def _spared(self) -> set[str]:
        """Names of workers with a kernel beside them."""
        if self._near is None:
            return set()
        nannies = self._near.nannies
        return {one["name"] for one in await self.on_scheduler("workers") if one["nanny"] in nannies}

    async def lost(self) -> str:
        if self._cluster is not None and self._cluster.status in (Status.closed, Status.failed):
            return "its scheduler has ended"
        return ""

    async def close(self) -> None:
        if self._near is not None:
            await self._near.close()
        if self._client is not None:
            await self._client.close()
        if self._cluster is not None:
            await self._cluster.close()

    async def _speaking(self) -> Any:
        if self._client is None:
            self._client = await Client(self._cluster, asynchronous=True, set_as_default=False)
        return self._client

    def _dashboard(self) -> str:
        own = getattr(self._cluster, "scheduler", None)
        if not isinstance(own, Scheduler):
            return str(self._cluster.dashboard_link or "").removesuffix("/status")
        served: Any = own.services.get("dashboard")
        return f"http://127.0.0.1:{served.port}" if served is not None else ""


class Sparing(Adaptive):
    """Closes no worker that a kernel lives beside, however idle: on another machine the kernel would go with it."""

    def __init__(self, *arguments: Any, spared: Callable[[], Awaitable[set[str]]], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._spared = spared

    async def workers_to_close(self, target: int) -> list[Any]:
        spared = await self._spared()
        # Of so many, that others are left to close.
        idle = await super().workers_to_close(max(target - len(spared), 0))
        return [name for name in idle if str(name) not in spared][: max(len(self.plan) - target, 0)]


class Connected:
    """A scheduler that somebody else made: it is spoken with, and let go."""

    def __init__(self, launch: Launch, directory: Path) -> None:
        self._launch, self._directory = launch, directory
        self._client: Any = None
        self._near: Near | None = None
        self.address, self.dashboard = launch.address, ""

    async def open(self, tell: Callable[[str, float | None], None]) -> None:
        tell("the scheduler to answer", 0.3)
        paths = self._launch.certificates
        security = Security(
            tls_ca_file=paths.get("ca"),
            tls_client_cert=paths.get("cert"),
            tls_client_key=paths.get("key"),
            require_encryption=self.address.startswith("tls://"),
        )
        if self.address.startswith("gateway://"):
            importlib.import_module("dask_gateway.comm")  # teaches Dask this kind of address
        else:
            await greet(self.address, security.get_connection_args("client").get("ssl_context"))
        async with asyncio.timeout(CONNECT_WITHIN):
            self._client = await Client(
                self.address, security=security, asynchronous=True, set_as_default=False, timeout=CONNECT_WITHIN
            )
            await self._client.register_plugin(Following())

    async def install(self, requirements: list[str]) -> None:
        await install(self._client, elsewhere(requirements), requirements)

    async def near(self) -> Near:
        if self._near is None:
            self._near = Near(self._launch.name, self._client, self._directory / LEASES)
        return self._near

    async def on_scheduler(self, name: str, **arguments: Any) -> Any:
        if name == "packages":
            return await packages_of(self._client)
        return await self._client.run_on_scheduler(getattr(scheduler, name), **arguments)

    async def scale(self, minimum: int, maximum: int) -> None:
        raise Unprocessable("This scheduler is not Slipway's: it has the workers that it has.")

    async def lost(self) -> str:
        if self._client.status in ("closed", "closing"):
            return f"the scheduler at {self.address} has gone"
        return ""

    async def close(self) -> None:
        if self._near is not None:
            await self._near.close()
        if self._client is not None:
            await self._client.close()


async def install(client: Any, folder: str, requirements: list[str]) -> None:
    """
    Args:
        folder: absolute, or relative to each machine's folder for temporary files

    Raises:
        Unavailable: it failed somewhere, and nothing was changed
    """
    arguments = (folder, requirements, INSTALL_WITHIN)
    nannies = [one["nanny"] for one in await client.run_on_scheduler(scheduler.workers)]
    if not all(nannies):
        raise Unavailable("Some workers have no nanny, which could restart them.")
    failed = set((await client.run(overlay.install, *arguments, workers=nannies)).values()) - {""}
    if failed:
        raise Unavailable(f"{'; '.join(sorted(failed))}. Nothing was changed.")
    await client.register_plugin(overlay.Overlay(*arguments), name=overlay.NAME)
    await client.wait_for_workers(len(nannies), timeout=INSTALL_WITHIN)


def folder_of(requirements: list[str]) -> str:
    return hashlib.sha256("\n".join(requirements).encode()).hexdigest()[:16]


def elsewhere(requirements: list[str]) -> str:
    """On machines that are not this one, in their folder for temporary files."""
    return f"slipway-packages-{getpass.getuser()}/{folder_of(requirements)}"


async def packages_of(client: Any) -> dict[str, dict[str, str]]:
    """Versions by distribution of the scheduler and of each worker."""
    mine: dict[str, str] = await client.run_on_scheduler(packages.installed)
    theirs: dict[str, dict[str, str]] = await client.run(packages.installed)
    return {"scheduler": mine, **theirs}


def filled(value: Any, directory: str) -> Any:
    """`value` with '{directory}' in its texts replaced."""
    if isinstance(value, str):
        return value.replace("{directory}", directory)
    if isinstance(value, list):
        return [filled(one, directory) for one in value]
    if isinstance(value, dict):
        return {name: filled(one, directory) for name, one in value.items()}
    return value


def held(launch: Launch, directory: Path) -> Deployed | Connected:
    return Connected(launch, directory) if launch.holds == "address" else Deployed(launch, directory)
