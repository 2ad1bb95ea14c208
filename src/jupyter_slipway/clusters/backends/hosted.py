"""Any Dask cluster that a cluster host holds: all but what to make, which each backend of the kind says itself."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jupyter_slipway import hosting
from jupyter_slipway.clusters import hosts
from jupyter_slipway.clusters.backends.base import Ref
from jupyter_slipway.clusters.dask_attachment import VARIABLES, attachment
from jupyter_slipway.clusters.hosts import LAUNCH, Launch
from jupyter_slipway.clusters.logs import read_log
from jupyter_slipway.clusters.model import Attachment, ClusterState, Figures, Progress, Status, Workers
from jupyter_slipway.decoding import from_builtins, from_json
from jupyter_slipway.errors import Conflict, NotFound, SlipwayError, Unavailable

LOGS = {"host": hosting.LOG, "workers": hosts.WORKERS_LOG}
CLOSE_WITHIN = 25.0
INSTALL_WITHIN = 900.0


class HeldDask:
    """Base of backends whose scheduler a cluster host speaks with, whoever has made it."""

    engine = "dask"
    on_this_machine = True
    fixed_packages = ""

    async def find(self, ref: Ref) -> Status:
        directory = Path(ref["directory"])
        record = hosting.read(directory)
        if record is None:
            return Status(ClusterState.STOPPED, reason="it has no host")
        if not hosting.alive(record):
            return _gone(directory, record)
        try:
            said = await hosts.ask(record, "status")
        except Unavailable:
            if not hosting.alive(record):
                return _gone(directory, record)
            # It lives, and is too busy to say so, or held by a signal: no reason to call it failed, or idle.
            state = ClusterState.RUNNING if record.about else ClusterState.STARTING
            waiting = f"its host (process {record.pid}) to answer"
            return Status(state, waiting=waiting, workers=None, silent=True, working=True)
        if said["state"] == "stopping":
            return Status(ClusterState.RUNNING, waiting="its host to end")
        return Status(
            ClusterState(said["state"]),
            waiting=said["waiting"],
            progress=said["progress"],
            reason=said["reason"],
            workers=said.get("workers", 0),
            working=said.get("working", False),
        )

    async def scale(self, ref: Ref, workers: Workers) -> None:
        await self._ask(ref, "scale", minimum=workers.minimum, maximum=workers.maximum)

    async def stop(self, ref: Ref) -> None:
        directory = Path(ref["directory"])
        record = hosting.read(directory)
        if record is None or not hosting.alive(record):
            return
        try:
            await hosts.ask(record, "close", reason="it was stopped")
        except SlipwayError:  # it does not answer: the signals below do it
            await asyncio.to_thread(hosting.end, record, within=1.0)
        for _ in range(int(CLOSE_WITHIN / 0.05)):
            if not hosting.alive(record):
                return
            await asyncio.sleep(0.05)
        await asyncio.to_thread(hosting.end, record, within=1.0)

    def attach(self, ref: Ref, person: str, holder: str) -> Attachment:
        launch = _launch(ref)
        paths = launch.certificates
        if launch.tls and launch.holds == "cluster":
            paths = {kind: str(Path(ref["directory"], "tls", f"{kind}.pem")) for kind in VARIABLES}
        return attachment(launch.name, holder, _known(ref)["address"], paths)

    async def figures(self, ref: Ref) -> Figures:
        return from_builtins(await self._ask(ref, "figures"), Figures)

    async def progress(self, ref: Ref, holder: str, cell: str = "") -> Progress | None:
        return from_builtins(await self._ask(ref, "progress", holder=holder, cell=cell), Progress | None)

    async def cancel(self, ref: Ref, holder: str, cell: str = "", person: str = "") -> str:
        running = await self._ask(ref, "cancel", holder=holder, cell=cell, person=person)
        if not running:
            return ""
        return f"{running} {'task' if running == 1 else 'tasks'} already on a worker will end by themselves."

    async def logs(self, ref: Ref, part: str, offset: int) -> tuple[str, int]:
        if part not in LOGS:
            raise NotFound(f"This cluster has no log {part!r}.", hint=f"It has {', '.join(LOGS)}.")
        return await asyncio.to_thread(read_log, Path(ref["directory"], LOGS[part]), offset)

    def parts(self, ref: Ref) -> tuple[str, ...]:
        return tuple(LOGS)

    async def packages(self, ref: Ref) -> dict[str, dict[str, str]]:
        return from_builtins(await self._ask(ref, "packages"), dict[str, dict[str, str]])

    async def install(self, ref: Ref, requirements: Sequence[str]) -> None:
        await self._ask(ref, "install", requirements=list(requirements), within=INSTALL_WITHIN)

    def dashboard(self, ref: Ref) -> str | None:
        return _known(ref).get("dashboard") or None

    async def _ask(self, ref: Ref, op: str, **arguments: Any) -> Any:
        record = hosting.read(Path(ref["directory"]))
        if record is None or not hosting.alive(record):
            raise Conflict("The cluster does not run.", hint="Start it first.")
        return await hosts.ask(record, op, **arguments)


class HostedDask(HeldDask, ABC):
    """Base of backends whose cluster is made by its host: each says what to make."""

    @abstractmethod
    def launch(self, name: str, options: Mapping[str, Any], directory: Path) -> Launch:
        """What the host is to make.

        Raises:
            SlipwayError: it cannot be made
        """

    async def create(self, name: str, options: Mapping[str, Any], directory: Path) -> Ref:
        launch = self.launch(name, options, directory)
        await asyncio.to_thread(hosts.start, directory, launch)
        return {"directory": str(directory)}


def _launch(ref: Ref) -> Launch:
    return from_json(Path(ref["directory"], LAUNCH).read_bytes(), Launch)


def _known(ref: Ref) -> dict[str, Any]:
    """The 'address' and 'dashboard' of a cluster that runs.

    Raises:
        Conflict: it does not
    """
    record = hosting.read(Path(ref["directory"]))
    if record is None or not record.about:
        raise Conflict("The cluster does not run yet.", hint="Wait until it does.")
    return record.about


def _gone(directory: Path, record: hosting.Record) -> Status:
    if record.boot != hosting.boot_id():
        return Status(ClusterState.STOPPED, reason="the machine was started anew")
    if (said := hosts.ended(directory)) is not None:
        return Status(ClusterState(said.state), reason=said.reason)
    return Status(
        ClusterState.FAILED,
        reason=f"its host (process {record.pid}) was killed; the end of its log: "
        + hosting.last_lines(directory / hosting.LOG),
    )
