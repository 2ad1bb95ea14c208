"""The kernels of a Jupyter server, each with a host of its own: started, taken up again, interrupted, let go.

Made by the server where `classes` has chosen it, so that JupyterLab's own requests come here. A kernelspec that names
a provisioner runs as Jupyter would run it.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_client.kernelspec import NoSuchKernel
from jupyter_client.provisioning import KernelProvisionerBase
from jupyter_client.session import Session
from jupyter_server._tz import utcnow
from jupyter_server.services.kernels.kernelmanager import (
    AsyncMappingKernelManager,
    ServerKernelManager,
    emit_kernel_action_event,
)
from tornado import web
from tornado.ioloop import IOLoop, PeriodicCallback
from traitlets import Bool, Enum, Float, Integer, default

from jupyter_slipway import hosting
from jupyter_slipway.errors import Forbidden, SlipwayError, Unavailable
from jupyter_slipway.hosting import Record
from jupyter_slipway.kernels import hosts, rights
from jupyter_slipway.kernels.channels import HostedClient
from jupyter_slipway.kernels.host.folder import Config
from jupyter_slipway.kernels.host.wire import Message
from jupyter_slipway.kernels.link import Link
from jupyter_slipway.kernels.offered import cluster_of
from jupyter_slipway.kernels.people import asking
from jupyter_slipway.kernels.pool import Pool
from jupyter_slipway.kernels.rights import Action, Role
from jupyter_slipway.settings import Settings, local_user

if TYPE_CHECKING:
    from jupyter_slipway.clusters.manager import Manager as Clusters

SOON = 0.2
"""Seconds until what changed about a kernel is told."""
LOOK = 2000
"""Milliseconds between two looks for kernels that another server of this home has started."""
STARTUP = "jupyter_slipway.kernels.startup"
"""The IPython extension that gives a kernel its cluster."""


class HostProvisioner(KernelProvisionerBase):
    """Starts a kernel's host, and holds the link to it."""

    link: Link | None = None

    @property
    def has_process(self) -> bool:
        return self.link is not None

    async def pre_launch(self, **options: Any) -> dict[str, Any]:
        command = self.parent.hosted_command(options.pop("extra_arguments", []) or [])
        options.pop("transport_encryption", None)
        found: dict[str, Any] = await super().pre_launch(cmd=command, **options)
        return found

    async def launch_kernel(self, cmd: list[str], **options: Any) -> dict[str, Any]:
        """
        Raises:
            HTTPError: it cannot be started; the message says why
        """
        config = self.parent.config_of_host(cmd, options["env"], options.get("cwd"))
        kernels = self.parent.parent
        try:
            warm = await kernels.pool_of_warm.take(config)
        except SlipwayError as error:
            warm = None
            self.log.warning("A warm kernel could not be used: %s", error.message)
        if warm is not None:
            warm.revive = hosts.start_anew
            self.link = warm
        else:
            try:
                directory, record = await asyncio.to_thread(hosts.start, kernels.home, config)
            except Unavailable as error:
                raise web.HTTPError(error.status, error.message) from error
            self.attach(directory, record)
        kernels.pool_of_warm.keep(config)
        return {}

    def attach(self, directory: Path, record: Record) -> Link:
        self.link = Link(directory, record, revive=hosts.start_anew)
        return self.link

    async def poll(self) -> int | None:
        return None if self.link is not None and not self.link.over else 1

    async def wait(self) -> int | None:
        return 0

    async def send_signal(self, signum: int) -> None:
        if self.link is not None:
            await self.link.call("signal", number=int(signum))

    async def kill(self, restart: bool = False) -> None:
        """End the kernel and its host."""
        link, self.link = self.link, None
        if link is None:
            return
        link.ended = lambda reason: None
        if not link.over:
            try:
                await link.call("shutdown", person=asking() or local_user())
            except SlipwayError as error:
                self.log.warning("%s", error.message)
            await asyncio.to_thread(_ended, link.record)
        await link.close()

    async def terminate(self, restart: bool = False) -> None:
        await self.kill(restart)

    async def cleanup(self, restart: bool = False) -> None:
        pass


def _ended(record: Record) -> None:
    """Wait for the host to end as it was asked to; else end it."""
    import time

    until = time.monotonic() + 15
    while hosting.alive(record) and time.monotonic() < until:
        time.sleep(0.02)
    hosting.end(record)


class HostedKernelManager(ServerKernelManager):
    """One kernel. Everything that a hosted one does otherwise than Jupyter's own begins by asking for its link."""

    kernel_id: Any
    owner = ""
    path = ""

    @default("last_activity")
    def _made(self) -> datetime:
        # Jupyter sets it once the kernel has started, and lists the kernel before that.
        now: datetime = utcnow()
        return now

    @property
    def link(self) -> Link | None:
        return self.provisioner.link if isinstance(self.provisioner, HostProvisioner) else None

    @property
    def hosted(self) -> bool:
        return isinstance(self.provisioner, HostProvisioner)

    def host(self) -> HostProvisioner:
        """Make this a hosted kernel."""
        kind = HostProvisioner
        if cluster_of(self.kernel_name):
            from jupyter_slipway.kernels.remote import RemoteProvisioner

            kind = RemoteProvisioner
        self.provisioner = kind(kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self)
        return self.provisioner

    def hosted_command(self, extra: list[str]) -> list[str]:
        """What starts the kernel, but for the connection file, which the host makes."""
        command = [*self.kernel_spec.argv, *extra]
        major, minor = sys.version_info[:2]
        if command and command[0] in ("python", f"python{major}", f"python{major}.{minor}"):
            # Whose environment is not activated may find another on PATH.
            command[0] = sys.executable
        known = {"prefix": sys.prefix, "resource_dir": self.kernel_spec.resource_dir}
        command = [re.sub(r"{(\w+)}", lambda found: known.get(found[1], found[0]), word) for word in command]
        if any("ipykernel" in word for word in command) and _has_startup():
            command.append(f"--IPKernelApp.extra_extensions={STARTUP}")
        return command

    def config_of_host(self, command: list[str], environ: dict[str, str], cwd: str | None) -> Config:
        return Config(
            kernel=self.kernel_id,
            spec=self.kernel_name,
            argv=command,
            environ=environ,
            cwd=os.fspath(cwd) if cwd else None,
            owner=self.owner,
            path=environ.get("JPY_SESSION_NAME", ""),
            language=self.kernel_spec.language,
            interrupt_mode=self.kernel_spec.interrupt_mode,
            autorestart=self.autorestart,
            lease=self.parent.lease,
            everyone=self.parent.everyone,
            limit=self.parent.journal_limit,
        )

    async def _async_pre_start_kernel(self, **options: Any) -> Any:
        self.kernel_id = self.kernel_id or options.pop("kernel_id", None) or str(uuid.uuid4())
        if self.provisioner is None and self.parent.hosts(self.kernel_spec):
            self.host()
        return await super()._async_pre_start_kernel(**options)

    def client(self, **options: Any) -> Any:
        if not self.hosted:
            return super().client(**options)
        if self.link is None:
            raise Unavailable("The kernel has ended.", hint="Start it again.")
        return HostedClient(self.link, options.get("session") or Session(), self.owner)

    def update_env(self, *, env: dict[str, str]) -> None:
        super().update_env(env=env)
        if self.link is not None:
            told = self.link.call("environ", environ=env, path=env.get("JPY_SESSION_NAME", ""))
            self.parent.later(told)

    # A hosted kernel has no ports here, and its host restarts it.

    def _reconcile_connection_info(self, info: Any) -> None:
        if not self.hosted:
            super()._reconcile_connection_info(info)

    def _connect_control_socket(self) -> None:
        if not self.hosted:
            super()._connect_control_socket()

    def start_restarter(self) -> None:
        if not self.hosted:
            super().start_restarter()

    async def _async_interrupt_kernel(self) -> None:
        if not self.hosted:
            await super()._async_interrupt_kernel()
        elif self.link is not None and not self.shutting_down:
            await self.link.call("interrupt", person=asking() or "")

    @emit_kernel_action_event(success_msg="Kernel {kernel_id} was interrupted.")
    async def interrupt_kernel(self) -> None:
        await self._async_interrupt_kernel()

    async def _async_request_shutdown(self, restart: bool = False) -> None:
        if not self.hosted:
            await super()._async_request_shutdown(restart)

    async def _async_finish_shutdown(self, *arguments: Any, **options: Any) -> None:
        if not self.hosted:
            await super()._async_finish_shutdown(*arguments, **options)
        else:
            await self._async_kill_kernel()

    @emit_kernel_action_event(success_msg="Kernel {kernel_id} was restarted.")
    async def restart_kernel(self, now: bool = False, newports: bool = False, **options: Any) -> None:
        if not self.hosted:
            await self._async_restart_kernel(now, newports, **options)
            return
        if self.link is None or self.link.over:
            raise Unavailable("The kernel has ended.", hint="Start it again.")
        await self.link.restart(asking() or "")


class SlipwayKernelManager(AsyncMappingKernelManager):
    """All kernels of this server, and those that other servers of this home have started."""

    lease = Float(12 * 3600.0, help="Seconds after which a kernel without any server and without work is ended.").tag(
        config=True
    )
    everyone = Enum(
        ["", *rights.ROLES],
        "runner",
        help="What people other than a kernel's owner may do with it unless they are granted more; '': nothing.",
    ).tag(config=True)
    keep = Bool(True, help="Whether kernels live on when this server ends.").tag(config=True)
    pool = Integer(1, help="Kernels of each kind that are kept started, for who starts one next.").tag(config=True)
    journal_limit = Integer(
        256 << 20, help="Bytes of a kernel's messages that are kept for pages that come later."
    ).tag(config=True)

    clusters: Callable[[], Awaitable[Clusters]] | None = None
    """Gives the clusters of this home, beside whose workers kernels may be started."""

    @default("kernel_manager_class")
    def _hosted_class(self) -> str:
        return "jupyter_slipway.kernels.manager.HostedKernelManager"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        named = self.config.get("SlipwayApp", {}).get("home") or None
        self.home = Path(named).expanduser().absolute() if isinstance(named, str) else Settings.read().home
        self._listeners: list[Callable[[Link], None]] = []
        self._noticed: set[Link] = set()
        self._work: set[asyncio.Task[Any]] = set()
        self.pool_of_warm = Pool(self.home, self.pool, self.log.warning)
        self._adopt()
        IOLoop.current().add_callback(asyncio.to_thread, hosts.tidy, self.home)
        self._looking = PeriodicCallback(self._look, LOOK)
        IOLoop.current().add_callback(self._looking.start)

    def hosts(self, spec: Any) -> bool:
        """Whether kernels of this kernelspec get a host of ours."""
        return not spec.metadata.get("kernel_provisioner")

    async def warm(self) -> None:
        """Start a kernel of the default kind before anybody asks: somebody is here who will."""
        spec = self.kernel_spec_manager.get_kernel_spec(self.default_kernel_name)
        if not self.pool or not self.hosts(spec):
            return
        kernel, _, kernel_id = super().pre_start_kernel(None, {})
        kernel.kernel_id = kernel_id
        options = await kernel.host().pre_launch()
        self.pool_of_warm.keep(kernel.config_of_host(options["cmd"], options["env"], None))

    def links(self) -> dict[str, Link]:
        """Of the hosted kernels, by kernel."""
        self._adopt()
        return {name: kernel.link for name, kernel in self._kernels.items() if getattr(kernel, "link", None)}

    def listen(self, listener: Callable[[Link], None]) -> None:
        """Have it called, soon, when something about a kernel has changed."""
        self._listeners.append(listener)
        for link in self.links().values():
            self._notice(link)

    def _notice(self, link: Link) -> None:
        if link in self._noticed or not self._listeners:
            return
        self._noticed.add(link)

        def tell() -> None:
            self._noticed.discard(link)
            for listener in self._listeners:
                listener(link)

        # A cell that ends in a millisecond changes it three times.
        IOLoop.current().call_later(SOON, tell)

    def later(self, work: Any) -> None:
        """Let it be done; a refusal is logged."""

        async def done() -> None:
            try:
                await work
            except SlipwayError as error:
                self.log.warning("%s", error.message)

        task = asyncio.ensure_future(done())
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    # ── those of others, and of before ──────────────────────────────────────────────────────────────────────

    def __contains__(self, kernel_id: object) -> bool:
        if kernel_id in self._kernels:
            return True
        # Another server of this home may have started it a moment ago.
        self._adopt()
        return kernel_id in self._kernels

    def _adopt(self) -> None:
        """Take up every living kernel of this home that is not known yet, and those whose host was killed."""
        known = {kernel.link.directory for kernel in self._kernels.values() if getattr(kernel, "link", None)}
        for directory in hosts.directories(self.home):
            if directory in known:
                continue
            record = hosting.read(directory)
            if record is None or record.about.get("warm") or record.about.get("kernel") in self._kernels:
                continue
            if record.about.get("kernel") in self._pending_kernels:
                continue
            if hosting.alive(record) or _same_boot(record):
                self._take_up(directory, record)

    def _take_up(self, directory: Path, record: Record) -> None:
        about = record.about
        kernel = self.kernel_manager_factory(
            parent=self,
            log=self.log,
            kernel_name=about["spec"],
            kernel_spec_manager=self.kernel_spec_manager,
        )
        kernel.kernel_id, kernel.owner, kernel.path = about["kernel"], about["owner"], about["path"]
        kernel._launch_args = {}
        # Jupyter counts a kernel as pending until it has started it itself.
        kernel._attempted_start = True
        kernel.ready.set_result(None)
        provisioner = kernel.host()
        provisioner.attach(directory, record)
        kernel.execution_state, kernel.reason, kernel.last_activity = "starting", "", utcnow()
        self._kernels[kernel.kernel_id] = kernel
        self._kernel_connections[kernel.kernel_id] = 0
        self.start_watching_activity(kernel.kernel_id)
        self.log.info("Kernel taken up: %s", kernel.kernel_id)

    def _look(self) -> None:
        self._adopt()

    # ── starting and ending ─────────────────────────────────────────────────────────────────────────────────

    def pre_start_kernel(self, kernel_name: str | None, options: dict[str, Any]) -> Any:
        wanted = kernel_name or self.default_kernel_name
        try:
            self.kernel_spec_manager.get_kernel_spec(wanted)
        except NoSuchKernel:
            raise UnknownKernel(wanted, sorted(self.kernel_spec_manager.find_kernel_specs())) from None
        kernel, name, kernel_id = super().pre_start_kernel(kernel_name, options)
        kernel.owner = asking() or local_user()
        return kernel, name, kernel_id

    async def _add_kernel_when_ready(self, kernel_id: str, kernel: Any, starting: Any) -> None:
        await super()._add_kernel_when_ready(kernel_id, kernel, starting)
        if kernel_id not in self._kernels:
            # It did not start; as long as it is pending, Jupyter cannot shut down the others.
            self._pending_kernels.pop(kernel_id, None)

    async def _finish_kernel_start(self, kernel_id: str) -> None:
        if not self._kernels[kernel_id].hosted:
            await super()._finish_kernel_start(kernel_id)
            return
        self.start_watching_activity(kernel_id)

    async def _async_interrupt_kernel(self, kernel_id: str) -> None:
        self._check_kernel_id(kernel_id)
        await self.must(kernel_id, "interrupt")
        await self._kernels[kernel_id].interrupt_kernel()
        self.log.info("Kernel interrupted: %s", kernel_id)

    interrupt_kernel = _async_interrupt_kernel

    async def _async_restart_kernel(self, kernel_id: str, now: bool = False) -> Any:
        self._check_kernel_id(kernel_id)
        if not self._kernels[kernel_id].hosted:
            return await super()._async_restart_kernel(kernel_id, now=now)
        await self.must(kernel_id, "restart")
        await self._kernels[kernel_id].restart_kernel()
        return None

    restart_kernel = _async_restart_kernel

    async def _async_shutdown_kernel(self, kernel_id: str, now: bool = False, restart: bool = False) -> Any:
        self._check_kernel_id(kernel_id)
        await self.must(kernel_id, "shutdown")
        return await super()._async_shutdown_kernel(kernel_id, now=now, restart=restart)

    shutdown_kernel = _async_shutdown_kernel

    async def settle(self) -> None:
        """Start and take up nothing more: this server ends. `shutdown_all` is not called where there is no kernel."""
        self._looking.stop()
        await self.pool_of_warm.close()

    async def _async_shutdown_all(self, now: bool = False) -> None:
        """This server ends: its kernels live on, unless `keep` says otherwise."""
        await self.settle()
        living = [one for one in self._kernels.values() if one.hosted] if self.keep else []
        for kernel in living:
            self.remove_kernel(kernel.kernel_id)
            if kernel.link is not None:
                await kernel.link.close()
        if living:
            # The server has just said that it shuts them down.
            self.log.info("%d of them live on without this server: see `jupyter slipway kernels`.", len(living))
        await super()._async_shutdown_all(now=now)

    shutdown_all = _async_shutdown_all

    async def must(self, kernel_id: str, action: Action) -> None:
        """
        Raises:
            HTTPError: 403, when who asks may not
        """
        person = asking()
        kernel = self._kernels[kernel_id]
        if person is None or kernel.link is None:
            return
        try:
            await check_right(kernel.link, person, action)
        except Forbidden as error:
            raise web.HTTPError(403, error.message) from error

    # ── activity ────────────────────────────────────────────────────────────────────────────────────────────

    def start_watching_activity(self, kernel_id: str) -> None:
        kernel = self._kernels[kernel_id]
        if not kernel.hosted:
            super().start_watching_activity(kernel_id)
            return
        kernel.reason, kernel.last_activity = "", utcnow()
        link = kernel.link

        def told(message: Message) -> None:
            tracked = self.track_message_type(message.type) or self.track_message_type(message.parent.get("msg_type"))
            if tracked or kernel.execution_state == "busy":
                self.last_kernel_activity = kernel.last_activity = utcnow()

        def changed() -> None:
            kernel.execution_state = link.status["state"]
            died = link.status.get("died")
            kernel.reason = died["reason"] if died and link.status["state"] in ("dead", "restarting") else ""
            self._notice(link)

        def ended(reason: str) -> None:
            self.log.warning("Kernel %s has ended: %s", kernel_id, reason)
            for page in list(link.pages) if link.status.get("state") != "dead" else []:
                page.deliver(link.say("iopub", "status", {"execution_state": "dead"}, {}))
            self.remove_kernel(kernel_id)
            self._notice(link)

        link.told, link.changed, link.ended = told, changed, ended
        IOLoop.current().add_callback(link.open)

    def stop_watching_activity(self, kernel_id: str) -> None:
        if not self._kernels[kernel_id].hosted:
            super().stop_watching_activity(kernel_id)


class UnknownKernel(NoSuchKernel, web.HTTPError):
    """Jupyter has an answer of its own for a session that asks for it, by the first; a kernel alone gets the second."""

    def __init__(self, name: str, known: list[str]) -> None:
        NoSuchKernel.__init__(self, name)
        web.HTTPError.__init__(self, 404, f"There is no kernel {name!r} here. There are: {', '.join(known)}.")


def role_in(link: Link, person: str) -> Role | None:
    status = link.status
    owner = status.get("about", link.record.about).get("owner", "")
    return rights.role_of(person, owner, status.get("grants", {}), status.get("everyone", ""))


async def check_right(link: Link, person: str, action: Action) -> None:
    """
    Raises:
        Forbidden: `person` may not do that with the kernel
    """
    with suppress(SlipwayError):  # its owner may end one that has never answered
        await link.greeted()
    role = role_in(link, person)
    turns = link.status.get("turns", [])
    if not rights.decide(role, action, own=bool(turns) and turns[0]["person"] == person):
        owner = (link.status.get("about") or link.record.about)["owner"]
        raise Forbidden(rights.refusal(role, action, owner))


def _same_boot(record: Record) -> bool:
    return record.boot == hosting.boot_id()


def _has_startup() -> bool:
    return Path(__file__).with_name("startup.py").exists()
