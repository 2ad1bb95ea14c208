"""Kernels beside a cluster's workers: their hosts started there through the worker's nanny, reached over TLS.

The host is the same as a local kernel's, shipped as it is: there it needs only pyzmq, and ipykernel for the kernel. It
lives as long as the nanny's process, not the worker's. Its directory here has the record and what it wrote down, so
that any server of this home takes the kernel up again.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import secrets
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import structs
from tornado import web

from jupyter_slipway import hosting
from jupyter_slipway.clusters import beside
from jupyter_slipway.clusters import hosts as cluster_hosts
from jupyter_slipway.decoding import from_builtins
from jupyter_slipway.errors import Conflict, SlipwayError, Unavailable
from jupyter_slipway.files import atomic_write, private_directory
from jupyter_slipway.hosting import Record
from jupyter_slipway.kernels import hosts
from jupyter_slipway.kernels.host.folder import ATTACHMENT, CONFIG, ENDED, FACTS, Config
from jupyter_slipway.kernels.host.wire import FACT, Frame
from jupyter_slipway.kernels.link import RETRY, Link, connect
from jupyter_slipway.kernels.manager import HostProvisioner
from jupyter_slipway.kernels.offered import cluster_of, gpus_of
from jupyter_slipway.settings import local_user

if TYPE_CHECKING:
    from jupyter_slipway.clusters.manager import Given, Manager

STARTUP = "_slipway_startup"
RUN = (
    "import sys; sys.path.insert(0, sys.argv[1] + '/host');"
    " from jupyter_slipway.kernels.host.__main__ import main; main()"
)
ARGV = ["-c", RUN, beside.MARK]
PLACE_WITHIN = 90.0
REACH_WITHIN = 10.0
SLOWER = 1.0
"""Seconds between two tries to reach a host that lives, and could not be reached for a while."""
ENDED_ITSELF = "shut the kernel down."


class RemoteProvisioner(HostProvisioner):
    """Starts a kernel's host beside a worker, and holds the link to it."""

    async def pre_launch(self, **options: Any) -> dict[str, Any]:
        session = (options.get("env") or {}).get("JPY_SESSION_NAME", "")
        return {"cmd": [], "env": {"JPY_SESSION_NAME": session} if session else {}, "cwd": options.get("cwd")}

    async def launch_kernel(self, cmd: list[str], **options: Any) -> dict[str, Any]:
        """
        Raises:
            HTTPError: it cannot be started there; the message says why
        """
        kernel = self.parent
        config = kernel.config_of_host(_kernel_command(), options["env"], options.get("cwd"))
        try:
            directory, record = await start(kernel.parent.home, kernel.parent.clusters, config)
        except SlipwayError as error:
            raise web.HTTPError(error.status, f"{error.message} {error.hint}".strip()) from error
        self.attach(directory, record)
        return {}

    def attach(self, directory: Path, record: Record) -> Link:
        self.link = RemoteLink(directory, record)
        return self.link

    async def kill(self, restart: bool = False) -> None:
        link = self.link
        await super().kill(restart)
        if isinstance(link, RemoteLink):
            await link.forget()


async def start(home: Path, clusters: Callable[[], Awaitable[Manager]] | None, config: Config) -> tuple[Path, Record]:
    """A kernel's host beside a worker of the cluster that its kernelspec names; its directory here, and its record.

    Args:
        clusters: gives the `Manager`; None when this server has none

    Raises:
        SlipwayError: the cluster does not run, no worker has what is wanted, it does not come up or cannot be reached
    """
    if clusters is None:
        raise Unavailable("This server has no clusters.", hint="Is Slipway's server extension on?")
    manager = await clusters()
    cluster = cluster_of(config.spec)
    given = manager.attach(cluster, config.kernel, "kernel", config.owner or local_user())
    try:
        wanted = {"memory": manager.kernel_memory(cluster), "gpus": gpus_of(config.spec)}
        request = {"holder": config.kernel, "argv": ARGV, "files": program(config, given), **wanted}
        placed = await _asked(home, cluster, "place", within=PLACE_WITHIN, **request)
    except BaseException:
        manager.detach(cluster, config.kernel)
        raise
    directory = private_directory(private_directory(hosts.folder(home)) / secrets.token_hex(4))
    record = _written_down(directory, config, cluster, placed)
    try:
        await _reached(record, placed["host"])
    except BaseException:
        await _unplace(home, record, "It could not be reached.")
        shutil.rmtree(directory, ignore_errors=True)
        manager.detach(cluster, config.kernel)
        raise
    return directory, record


def program(config: Config, given: Given) -> dict[str, str]:
    """The files that a host is made of, by name in its directory."""
    here = Path(__file__).parent
    files = {f"host/jupyter_slipway/kernels/host/{path.name}": path.read_text() for path in here.glob("host/*.py")}
    files |= {"host/jupyter_slipway/__init__.py": "", "host/jupyter_slipway/kernels/__init__.py": ""}
    files[f"lib/{STARTUP}.py"] = (here / "startup.py").read_text()
    cluster = given.cluster.name
    there = asdict(config) | {
        "bind": beside.ADDRESS,
        "tls": {kind: f"{beside.MARK}/tls/{kind}.pem" for kind in ("ca", "cert", "key")},
        "parent": f"The process on its host that keeps the worker of {cluster} has ended, and the kernel with it.",
        "inherits": True,
    }
    files[CONFIG] = json.dumps(there)
    environ = dict(given.attachment.environ)
    # Another machine has none of these files: the cluster's own are shipped, and its host touches the lease.
    environ.pop("SLIPWAY_LEASE", None)
    attachment = json.dumps({"cluster": cluster, "environ": environ, "code": given.attachment.code})
    for variable, value in environ.items():
        if variable == "DASK_SCHEDULER_ADDRESS":
            attachment = attachment.replace(value, beside.SCHEDULER)
        elif variable.startswith("DASK_") and Path(value).is_absolute() and Path(value).is_file():
            name = f"cluster/{Path(value).name}"
            files[name] = Path(value).read_text()
            attachment = attachment.replace(value, f"{beside.MARK}/{name}")
    return files | {ATTACHMENT: attachment}


class RemoteLink(Link):
    """To a host on another machine: when it does not answer, the cluster's own host is asked what became of it."""

    def __init__(self, directory: Path, record: Record) -> None:
        super().__init__(directory, record)
        self.cluster: str = record.about["cluster"]
        self._home = directory.parent.parent
        self._facts = _Facts(directory / FACTS)
        self._early: list[dict[str, Any]] | None = []
        """Facts that came before those that were missed; None: those are here."""
        self._work: set[asyncio.Task[None]] = set()

    async def call(self, op: str, *, within: float = 20.0, **arguments: Any) -> Any:
        if op == "attach" and arguments.get("cluster") != self.cluster:
            raise Conflict(
                f"This kernel runs beside a worker of {self.cluster}, and computes on it.",
                hint="Choose a local kernel for the notebook to use another cluster.",
            )
        if op == "attach":
            return None  # it is, since its start
        if op == "environ":
            # All else is this machine's.
            name = "JPY_SESSION_NAME"
            arguments["environ"] = {name: arguments["environ"][name]} if name in arguments["environ"] else {}
        return await super().call(op, within=within, **arguments)

    # ── when the line breaks ────────────────────────────────────────────────────────────────────────────────

    async def _mend(self, tries: int) -> None:
        if not self.directory.exists():
            self.over = "It was shut down."
            return
        if (done := hosts.ended(self.directory)) is not None:
            self.over = str(done["reason"])
            return
        about = self.record.about
        where = {"holder": about["kernel"], "nanny": about["nanny"], "directory": about["directory"]}
        try:
            found = await _asked(
                self._home, self.cluster, "again", within=PLACE_WITHIN, argv=ARGV, files={}, gpus=about["gpus"], **where
            )
        except cluster_hosts.Silent:
            await asyncio.sleep(SLOWER)
        except SlipwayError as error:
            self.over = error.message
        else:
            if "record" in found:
                # Its process was killed, and the kernel with it: it starts anew where it was.
                self._break()
                self._early = []
                self.record = _record(self.directory, self.record.about, found)
            else:
                await asyncio.sleep(RETRY if tries < 10 else SLOWER)

    async def forget(self) -> None:
        """It was shut down: end what may be left of it, here and there."""
        shutil.rmtree(self.directory, ignore_errors=True)
        await _unplace(self._home, self.record, "It was shut down.")

    def _note_end(self) -> None:
        if self.over.endswith(ENDED_ITSELF) or not self.directory.exists():
            shutil.rmtree(self.directory, ignore_errors=True)
        else:
            self._answer_for_it()
            done = {"at": time.time(), "reason": self.over, "about": self.record.about}
            atomic_write(self.directory / ENDED, msgspec.json.encode(done))
            (self.directory / hosting.RECORD).unlink(missing_ok=True)
        self._later(_unplace(self._home, self.record, self.over))

    def _answer_for_it(self) -> None:
        """Its machine fell silent with it: nobody else says what became of what ran, and of what waited."""
        facts: list[dict[str, Any]] = []
        for turn in self.status.get("turns", []):
            ran = turn["started_at"] is not None
            status = "error" if ran else "aborted"
            error: dict[str, Any] = {
                "ename": "KernelDied",
                "evalue": self.over,
                "traceback": [f"The kernel ended: {self.over}"],
            }
            answer: dict[str, Any] = {
                "status": status,
                "execution_count": turn["count"] or 0,
                "user_expressions": {},
                "payload": [],
            }
            # As a host that has lost its kernel says it.
            said: list[tuple[str, str, dict[str, Any]]] = [("iopub", "status", {"execution_state": "busy"})]
            said += [("iopub", "error", error)] if ran else []
            said += [("shell", "execute_reply", answer | (error if ran else {}))]
            said += [("iopub", "status", {"execution_state": "idle"})]
            parent = {"msg_id": turn["id"], "msg_type": "execute_request", "cell_id": turn["cell"]}
            parent |= {"username": turn["person"], "session": turn["session"], "version": "5.3"}
            for channel, kind, content in said:
                message = self.say(channel, kind, content, parent)
                self.told(message)
                for page in list(self.pages):
                    page.deliver(message)
            self.last += 1
            ended = {"fact": "ended", "at": time.time(), "number": self.last, "id": turn["id"], "status": status}
            facts.append(ended | {"count": turn["count"], "reason": self.over})
        self._facts.add(facts)

    # ── what it writes down ─────────────────────────────────────────────────────────────────────────────────

    def _noticed(self, notice: dict[str, Any]) -> None:
        super()._noticed(notice)
        if "hello" in notice and self.up:
            self._later(self._catch_up())

    def _hear(self, frame: Frame) -> None:
        if frame.kind == FACT:
            fact = json.loads(frame.payload)
            if self._early is not None:
                self._early.append(fact)
            else:
                self._facts.add([fact])
        super()._hear(frame)

    async def _catch_up(self) -> None:
        """Take down what was said while no server was there."""
        self._early = []
        try:
            missed = await self.call("facts", after=self._facts.last())
        except SlipwayError:  # it broke again, and the next hello asks again
            return
        early, self._early = self._early, None
        self._facts.add([*missed, *(early or [])])
        self.changed()

    def _later(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)


class _Facts:
    """The host's facts.jsonl, here. Any number of servers write it; each fact stands in it once."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def last(self) -> int:
        """Number of the last one; 0: there is none."""
        with suppress(OSError, ValueError, IndexError), self._path.open("rb") as file:
            file.seek(max(0, self._path.stat().st_size - (1 << 20)))
            return int(json.loads(file.read().splitlines()[-1])["number"])
        return 0

    def add(self, facts: list[dict[str, Any]]) -> None:
        with suppress(OSError):  # a full disk, or the kernel was shut down: its messages come all the same
            self._add(facts)

    def _add(self, facts: list[dict[str, Any]]) -> None:
        with open(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            last = self.last()
            for fact in sorted(facts, key=lambda one: int(one["number"])):
                if fact["fact"] != "gap" and fact["number"] > last:
                    file.write(json.dumps(fact).encode() + b"\n")
                    last = fact["number"]


def _kernel_command() -> list[str]:
    module = ["-m", "ipykernel_launcher", "-f", "{connection_file}", f"--IPKernelApp.extra_extensions={STARTUP}"]
    return [beside.PYTHON, *module]


def _written_down(directory: Path, config: Config, cluster: str, placed: Mapping[str, Any]) -> Record:
    """What this machine keeps of it."""
    for kind, text in placed["tls"].items():
        path = private_directory(directory / "tls") / f"{kind}.pem"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(text)
    with open(os.open(directory / CONFIG, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        file.write(msgspec.json.encode(asdict(config)))
    about = {"cluster": cluster, "gpus": gpus_of(config.spec)}
    about |= {name: placed[name] for name in ("nanny", "directory", "worker", "host")}
    return _record(directory, about, placed)


def _record(directory: Path, about: Mapping[str, Any], placed: Mapping[str, Any]) -> Record:
    """Written into the directory. No process of this machine is meant, whatever its number there."""
    theirs = from_builtins(placed["record"], Record)
    tls = {kind: str(directory / "tls" / f"{kind}.pem") for kind in ("ca", "cert", "key")}
    record = structs.replace(
        theirs, pid=0, started="", boot=hosting.boot_id(), tls=tls, about=dict(about) | theirs.about
    )
    with open(os.open(directory / ".record", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(record))
    os.replace(directory / ".record", directory / hosting.RECORD)
    return record


async def _reached(record: Record, host: str) -> None:
    """
    Raises:
        Unavailable: it listens where this machine cannot reach it
    """
    try:
        async with asyncio.timeout(REACH_WITHIN):
            stream = await connect(record, lambda frame: None)
    except (OSError, TimeoutError) as error:
        raise Unavailable(
            f"The kernel started on {host}, but {record.endpoint} cannot be reached from here: {error or 'no answer'}.",
            hint="The workers' network must let this machine in; else attach a local kernel to the cluster.",
        ) from error
    stream.close()


async def _unplace(home: Path, record: Record, reason: str) -> None:
    about = record.about
    where = {"holder": about["kernel"], "nanny": about["nanny"], "directory": about["directory"]}
    with suppress(SlipwayError):  # the cluster has ended, and all beside its workers with it
        await _asked(home, about["cluster"], "unplace", within=PLACE_WITHIN, reason=reason, **where)


async def _asked(home: Path, cluster: str, op: str, *, within: float, **arguments: Any) -> Any:
    """
    Raises:
        Unavailable: the cluster has ended, or refuses
        Silent: its host does not answer
    """
    record = hosting.read(home / "clusters" / cluster)
    if record is None or not hosting.alive(record):
        raise Unavailable(f"The cluster {cluster} has ended, and all beside its workers with it.", hint="Start it.")
    return await cluster_hosts.ask(record, op, within=within, **arguments)
