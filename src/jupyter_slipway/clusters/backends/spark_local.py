"""Spark on this machine: one Connect server a cluster; each notebook has a session of its own on it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import psutil

from jupyter_slipway import hosting
from jupyter_slipway.clusters import packages, sizes, spark_holders, spark_java, spark_server
from jupyter_slipway.clusters.backends.base import Ref
from jupyter_slipway.clusters.logs import read_log
from jupyter_slipway.clusters.model import Attachment, ClusterState, Figures, Progress, Status, Workers
from jupyter_slipway.clusters.spark_address import Address
from jupyter_slipway.clusters.spark_attachment import attachment
from jupyter_slipway.clusters.spark_server import Launch, Server
from jupyter_slipway.clusters.spark_ui import Pages
from jupyter_slipway.decoding import from_json
from jupyter_slipway.errors import Conflict, NotFound, Unavailable, Unprocessable
from jupyter_slipway.files import atomic_write, private_directory

ENTRY = (sys.executable, "-m", "jupyter_slipway.clusters.spark_server")
LOGS = {"driver": spark_server.DRIVER_LOG, "host": hosting.LOG}
BESIDE_HEAP = 384 * 2**20
"""Bytes that Java and the Python workers take beside the heap, or a tenth if that is more: Spark's own rule."""
SMALLEST = 900 * 2**20
"""Bytes of memory; Spark does not start with a heap below 450 MiB."""
OURS = ("spark.connect.", "spark.ui.", "spark.driver.", "spark.authenticate", "spark.pyspark.", "spark.local.dir")
"""Settings that keep the server on this machine, and reachable: not to be chosen."""


class SparkLocal:
    name = "spark-local"
    engine = "spark"
    on_this_machine = True
    fixed_packages = (
        "Spark's functions run in one Python, the cluster's: make a cluster whose option 'python' names the kernel's."
    )

    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {
                "cores": {**sizes.CORES, "title": "Cores", "default": 2},
                "memory": {
                    **sizes.MEMORY,
                    "title": "Memory",
                    "description": "Of the whole server, such as '4 GiB'.",
                    "default": "2 GiB",
                },
                "python": {
                    "type": "string",
                    "title": "Python",
                    "description": "Runs the functions that notebooks hand to Spark: the notebooks' own. Empty: ours.",
                    "default": "",
                },
                "settings": {
                    "type": "object",
                    "title": "Spark settings",
                    "description": "Such as spark.sql.shuffle.partitions.",
                    "propertyNames": {"pattern": r"^spark\.[A-Za-z0-9_.]+$"},
                    "additionalProperties": {"type": "string", "pattern": r"^[^\r\n]*$"},
                    "default": {},
                },
                "java_options": {
                    "type": "array",
                    "title": "Options of Java",
                    "items": {"type": "string", "pattern": "^-"},
                    "default": [],
                },
            },
            "required": ["cores", "memory"],
            "additionalProperties": False,
        }

    async def create(self, name: str, options: Mapping[str, Any], directory: Path) -> Ref:
        launch = _launch(name, options)
        await asyncio.to_thread(_start, directory, launch)
        return {"directory": str(directory)}

    async def find(self, ref: Ref) -> Status:
        directory = Path(ref["directory"])
        record, server = hosting.read(directory), spark_server.read_server(directory)
        if record is None or server is None:
            return Status(ClusterState.STOPPED, reason="it has no host")
        if not hosting.alive(record):
            return _gone(record, server)
        (directory / spark_server.SEEN).touch()
        working = server.state == "running" and await asyncio.to_thread(_works, server)
        return Status(
            ClusterState(server.state),
            waiting=server.waiting,
            progress=server.progress,
            reason=server.reason,
            workers=int(server.state == "running"),
            working=working,
        )

    async def scale(self, ref: Ref, workers: Workers) -> None:
        raise Unprocessable(
            "A local Spark cluster is one server: it has the cores it was started with.",
            hint="Stop it, and start one with more cores or memory.",
        )

    async def stop(self, ref: Ref) -> None:
        await asyncio.to_thread(_stop, Path(ref["directory"]))

    def attach(self, ref: Ref, person: str, holder: str) -> Attachment:
        directory = Path(ref["directory"])
        record, server = _running(directory)
        environ = {
            "SPARK_REMOTE": _address(server).url(user_id=person),
            "SPARK_CONNECT_AUTHENTICATE_TOKEN": record.token,
        }
        name = from_json((directory / spark_server.LAUNCH).read_bytes(), Launch).name
        return attachment(name, holder, str(directory), environ, watched=True)

    async def figures(self, ref: Ref) -> Figures:
        directory = Path(ref["directory"])
        _, server = _running(directory)
        launch = from_json((directory / spark_server.LAUNCH).read_bytes(), Launch)
        return await asyncio.to_thread(_figures, server, launch)

    async def progress(self, ref: Ref, holder: str, cell: str = "") -> Progress | None:
        _, server = _running(Path(ref["directory"]))
        return await asyncio.to_thread(Pages(server.ui).progress, spark_holders.tag(holder, cell))

    async def cancel(self, ref: Ref, holder: str, cell: str = "", person: str = "") -> str:
        directory = Path(ref["directory"])
        record, server = _running(directory)
        await spark_holders.cancel(directory, holder, cell, address=_address(server), token=record.token)
        return ""

    async def logs(self, ref: Ref, part: str, offset: int) -> tuple[str, int]:
        if part not in LOGS:
            raise NotFound(f"This cluster has no log {part!r}.", hint=f"It has {', '.join(LOGS)}.")
        return await asyncio.to_thread(read_log, Path(ref["directory"], LOGS[part]), offset)

    def parts(self, ref: Ref) -> tuple[str, ...]:
        return tuple(LOGS)

    async def packages(self, ref: Ref) -> dict[str, dict[str, str]]:
        content = Path(ref["directory"], spark_server.LAUNCH).read_bytes()
        python = from_json(content, Launch).python
        return {"worker": await asyncio.to_thread(packages.installed_in, python)}

    async def install(self, ref: Ref, requirements: Sequence[str]) -> None:
        raise Unprocessable(self.fixed_packages)

    def dashboard(self, ref: Ref) -> str | None:
        try:
            _, server = _running(Path(ref["directory"]))
        except Conflict:
            return None
        return f"http://127.0.0.1:{server.ui}" if server.ui else None


def _launch(name: str, options: Mapping[str, Any]) -> Launch:
    """
    Raises:
        Unavailable: no Java, no Spark
        Unprocessable: too little memory, no such Python, a setting that is not to be chosen
    """
    memory = sizes.parse(options["memory"])
    if memory < SMALLEST:
        raise Unprocessable(
            f"memory: {options['memory']} is too little for Spark.", hint=f"{sizes.words(SMALLEST)} is the least."
        )
    settings = dict(options.get("settings", {}))
    if forbidden := [key for key in settings if key.startswith(OURS)]:
        raise Unprocessable(
            f"settings: {forbidden[0]} cannot be chosen: it keeps the server to this machine.",
            hint="Leave it out.",
        )
    python = options.get("python") or sys.executable
    if not os.access(python, os.X_OK):
        raise Unprocessable(f"python: {python} is no program.", hint="Name the Python of the notebooks.")
    return Launch(
        name,
        java=str(spark_java.find_java()),
        spark=str(spark_java.find_spark()),
        python=python,
        cores=options["cores"],
        heap=memory - max(BESIDE_HEAP, memory // 10),
        memory=memory,
        settings=settings,
        java_options=tuple(options.get("java_options", ())),
    )


def _start(directory: Path, launch: Launch) -> None:
    """The host of `directory`: the one that lives, else a new one."""
    record = hosting.read(directory)
    if record is not None and hosting.alive(record):
        return
    private_directory(directory)
    if spark_server.is_held(directory):
        raise Conflict("The cluster's host is just starting.", hint="Wait a moment.")
    for old in (spark_server.SERVER, spark_server.SEEN):
        (directory / old).unlink(missing_ok=True)
    atomic_write(directory / spark_server.LAUNCH, msgspec.json.encode(launch))
    hosting.spawn(directory, [*ENTRY, str(directory)])


def _stop(directory: Path) -> None:
    record, server = hosting.read(directory), spark_server.read_server(directory)
    if record is not None:
        hosting.end(record, within=spark_server.ENDS_WITHIN + 5)
    if server is None:
        return
    _end_java(server)
    last = spark_server.read_server(directory)
    if last is not None and last.state != "stopped":
        stopped = msgspec.structs.replace(last, state="stopped", waiting="", progress=None, reason="")
        atomic_write(directory / spark_server.SERVER, msgspec.json.encode(stopped))


def _gone(record: hosting.Record, server: Server) -> Status:
    if record.boot != hosting.boot_id():
        return Status(ClusterState.STOPPED, reason="the machine was started anew")
    if server.state in ("stopped", "failed"):
        return Status(ClusterState(server.state), reason=server.reason)
    # Java dies with its host where the system can see to it; elsewhere it must not live on unseen.
    _end_java(server)
    return Status(ClusterState.FAILED, reason=f"its host (process {record.pid}) was killed, and Spark with it")


def _end_java(server: Server) -> None:
    if server.boot == hosting.boot_id() and server.started and hosting.process_start(server.pid) == server.started:
        with suppress(ProcessLookupError):
            os.kill(server.pid, signal.SIGKILL)


def _running(directory: Path) -> tuple[hosting.Record, Server]:
    """
    Raises:
        Conflict: it does not run
    """
    record, server = hosting.read(directory), spark_server.read_server(directory)
    if record is None or server is None or not hosting.alive(record) or server.state != "running":
        raise Conflict("The cluster does not run.", hint="Start it, and wait until it runs.")
    return record, server


def _address(server: Server) -> Address:
    # pyspark sends a token to 'localhost' without encryption, and to no other name.
    return Address("localhost", server.port, ssl=False)


def _works(server: Server) -> bool:
    try:
        return bool(Pages(server.ui).jobs("running"))
    except Unavailable:  # too busy to say so: no reason to call it idle
        return True


def _figures(server: Server, launch: Launch) -> Figures:
    pages = Pages(server.ui)
    driver, jobs = pages.executors()[0], pages.jobs("running")
    processing = sum(job["numActiveTasks"] for job in jobs)
    return Figures(
        workers=1,
        cores=driver["totalCores"],
        cpu=min(1.0, driver["activeTasks"] / max(1, driver["totalCores"])),
        memory=_resident(server.pid),
        memory_limit=launch.memory,
        tasks=sum(job["numTasks"] - job["numCompletedTasks"] - job["numSkippedTasks"] for job in jobs),
        processing=processing,
        done=driver["completedTasks"],
    )


def _resident(pid: int) -> int:
    """Bytes of Java and of the Pythons under it."""
    total = 0
    with suppress(psutil.NoSuchProcess):
        java = psutil.Process(pid)
        for process in [java, *java.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
    return total
