"""What a cluster host holds: a cluster of any `distributed.deploy` class that it makes, or a scheduler of others.

Imported by `host` alone, in its own process: this is where Dask is loaded.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
from distributed import Client, Scheduler, Security
from distributed.core import Status

from jupyter_slipway.clusters import following, packages, scheduler
from jupyter_slipway.clusters.following import Following
from jupyter_slipway.clusters.host import certificates
from jupyter_slipway.clusters.hosts import Launch
from jupyter_slipway.clusters.reach import greet
from jupyter_slipway.errors import Unavailable, Unprocessable

CONNECT_WITHIN = 10.0
# A scheduler of somebody else has no Slipway: what is asked of it goes there as it is.
for one in (following, scheduler, packages):
    cloudpickle.register_pickle_by_value(one)


class Deployed:
    """A cluster that this process makes."""

    def __init__(self, launch: Launch, directory: Path) -> None:
        self._launch, self._directory = launch, directory
        self._cluster: Any = None
        self._client: Any = None
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
        done = cluster.scale(minimum) if minimum == maximum else cluster.adapt(minimum=minimum, maximum=maximum)
        if inspect.isawaitable(done) and minimum == maximum:
            await done

    async def lost(self) -> str:
        if self._cluster is not None and self._cluster.status in (Status.closed, Status.failed):
            return "its scheduler has ended"
        return ""

    async def close(self) -> None:
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


class Connected:
    """A scheduler that somebody else made: it is spoken with, and let go."""

    def __init__(self, launch: Launch, directory: Path) -> None:
        self._launch = launch
        self._client: Any = None
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
        if self._client is not None:
            await self._client.close()


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
