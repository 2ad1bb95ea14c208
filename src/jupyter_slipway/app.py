"""The Jupyter server's extension: serves the table of endpoints, attributes each request, lends it live kernels."""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
import os
import sys
import time
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import cached_property
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
from jupyter_client.session import Session
from jupyter_server.auth.identity import IdentityProvider, PasswordIdentityProvider
from jupyter_server.base.handlers import APIHandler
from jupyter_server.extension.application import ExtensionApp
from jupyter_server.utils import JupyterServerAuthWarning
from tornado import web
from tornado.ioloop import IOLoop, PeriodicCallback
from tornado.iostream import StreamClosedError
from traitlets import Bool, Enum, Float, Integer, Unicode
from traitlets.config import Config

from jupyter_slipway import __version__
from jupyter_slipway.clusters import proxy
from jupyter_slipway.errors import Forbidden, NotFound, SlipwayError, Unavailable
from jupyter_slipway.events import Changed
from jupyter_slipway.kernels import classes, collaboration
from jupyter_slipway.kernels.actions import PATH as KERNEL_ACTIONS
from jupyter_slipway.kernels.actions import KernelActions
from jupyter_slipway.kernels.connection import LARGEST
from jupyter_slipway.kernels.link import Link
from jupyter_slipway.kernels.manager import SlipwayKernelManager, check_right
from jupyter_slipway.kernels.offered import offering
from jupyter_slipway.kernels.sessions import name_of_root
from jupyter_slipway.settings import Settings, local_user
from jupyter_slipway.web import PREFIX, Asker, Problem, Raw, encode, openapi, problem

if TYPE_CHECKING:
    from jupyter_slipway.api import Slipway
    from jupyter_slipway.clusters.manager import Manager
    from jupyter_slipway.clusters.model import Attachment
    from jupyter_slipway.kernels.documents import Documents
    from jupyter_slipway.notebooks.documents import Documents as TextNotebooks
    from jupyter_slipway.notebooks.room import OpenFiles

API = "jupyter_slipway.api"
WATCH = 1000
"""Milliseconds between two looks at the runs that are under way."""
REVIVE_AFTER = 30.0
"""Seconds after which a runner that has died again is started again."""
ATTACH = 3.0
"""Seconds to wait for a kernel that is told of its cluster; a busy one hears of it later."""
LONG = 3600.0
PIECE = 1 << 20
"""Bytes of a file that are sent at a time."""
UNAUTHENTICATED = "JUPYTER_SERVER_ALLOW_UNAUTHENTICATED_ACCESS"
"""The server's own variable."""
FORGOTTEN = r"(?s)(?!.*slipway)Extension endpoints without"
NOT_SHARED = (
    "Kernels are not shared: %s. So they are Jupyter's own: what they print while no page is open is lost, "
    "and nobody sees who runs what."
)
HINT = "https://events.jupyter.org/slipway/changed/v1"


async def imported() -> None:
    """Half a second of imports, once: not on the loop that serves everybody."""
    # A page asks several things at once: what another thread still imports is in `sys.modules` already.
    if not hasattr(sys.modules.get(API), "Slipway"):
        await asyncio.to_thread(importlib.import_module, API)


class ApiHandler(APIHandler):
    """Every row of the table: who asks and whether they may is settled before it is called."""

    def initialize(self, opened: Callable[[], Slipway]) -> None:
        self._opened = opened

    @web.authenticated
    async def get(self, path: str) -> None:
        await self._serve()

    @web.authenticated
    async def post(self, path: str) -> None:
        await self._serve()

    @web.authenticated
    async def put(self, path: str) -> None:
        await self._serve()

    @web.authenticated
    async def patch(self, path: str) -> None:
        await self._serve()

    @web.authenticated
    async def delete(self, path: str) -> None:
        await self._serve()

    async def _serve(self) -> None:
        await imported()
        with suppress(StreamClosedError):  # who asked may go while it is answered
            try:
                # Not `path`, which Tornado has unquoted: a quoted '/' in a file's name is no '/' of the path.
                await self._answer(self.request.path.partition(f"/{PREFIX}")[2])
            except SlipwayError as error:
                self.set_status(error.status)
                self.set_header("Content-Type", "application/json")
                await self.finish(encode(problem(error)))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """What nobody foresaw, in the same shape as a refusal; the server's log has the traceback."""
        self.set_header("Content-Type", "application/json")
        said = {403: "You are not known here."}.get(status_code, "The server failed at this.")
        self.finish(encode(Problem("error", said, "Its log says more.")))

    async def _answer(self, path: str) -> None:
        if path == "/openapi.json":
            await self.finish(encode(openapi(self._opened().table.endpoints, __version__)))
            return
        endpoint, params = self._opened().table.find(self.request.method or "", path)
        for resource in endpoint.resources:
            if not await self._may(endpoint.action, resource):
                right = f"{resource}:{endpoint.action}"
                raise Forbidden(
                    f"{self.current_user.username} may not do this here: it needs the right '{right}'.",
                    hint="Ask whoever runs this server for it.",
                )
        query = {
            name: values[-1].decode(errors="replace")
            for name, values in self.request.query_arguments.items()
            if name != "token"
        }
        answer = await self._opened().table.answer(endpoint, self._asker(), params, query, self.request.body)
        self.set_status(answer.status)
        if isinstance(answer.value, Raw):
            await self._send(answer.value)
            return
        self.set_header("Content-Type", "application/json")
        await self.finish(encode(answer.value))

    async def _send(self, raw: Raw) -> None:
        self.set_header("Content-Type", raw.media_type)
        # What a run wrote is data: never a page of this origin.
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Content-Disposition", f"attachment; filename*=UTF-8''{quote(raw.path.name, safe='')}")
        try:
            opened = raw.path.open("rb")
        except OSError as error:
            raise Unavailable(f"{raw.path.name} cannot be read: {error.strerror}.") from error
        with opened as file:
            # It may be larger than memory: piece by piece.
            while piece := await asyncio.to_thread(file.read, PIECE):
                self.write(piece)
                await self.flush()
            await self.finish(set_content_type=raw.media_type)

    async def _may(self, action: str, resource: str) -> bool:
        allowed = self.authorizer.is_authorized(self, self.current_user, action, resource)
        return bool(await allowed if hasattr(allowed, "__await__") else allowed)

    def _asker(self) -> Asker:
        # A shared token or password gives each browser a random name: then it is who owns this server.
        shared = type(self.identity_provider) in (IdentityProvider, PasswordIdentityProvider)
        name = local_user() if shared else self.current_user.username
        return Asker(name, self.request.headers.get("Idempotency-Key", ""))


class ServerKernels:
    """The kernels of this server."""

    def __init__(self, manager: Any) -> None:
        self._manager = manager
        self._telling: set[asyncio.Future[None]] = set()

    @asynccontextmanager
    async def client(self, kernel_id: str) -> AsyncIterator[Any]:
        if kernel_id not in self._manager:
            raise NotFound(f"There is no kernel {kernel_id!r}.", hint="Start the notebook's kernel again.")
        kernel = self._manager.get_kernel(kernel_id)
        # A session of its own: its id names the socket, and of two sockets with one name the kernel answers one.
        client = kernel.client(session=Session(key=kernel.session.key))
        client.start_channels()
        try:
            yield client
        finally:
            client.stop_channels()

    async def check_may_run(self, kernel_id: str, person: str) -> None:
        """
        Raises:
            Forbidden: `person` may not run anything in this kernel, which lives here
        """
        link = getattr(self._manager.get_kernel(kernel_id), "link", None) if kernel_id in self._manager else None
        if link is not None:
            await check_right(link, person, "run")

    async def attach(self, kernel_id: str, cluster: str, attachment: Attachment) -> None:
        """Give a live kernel what a cluster gives; one that is busy gets it after what it runs now.

        Raises:
            SlipwayError: its host refuses
        """
        if kernel_id not in self._manager:
            return
        from jupyter_slipway.kernels import startup

        code = startup.code(attachment.environ, attachment.code)
        link = getattr(self._manager.get_kernel(kernel_id), "link", None)
        if link is None:
            telling = asyncio.ensure_future(self._silently(kernel_id, code))
        else:
            kept = {"cluster": cluster, "environ": attachment.environ, "code": attachment.code}
            telling = asyncio.ensure_future(link.call("attach", within=LONG, run=code, **kept))
        self._telling.add(telling)
        telling.add_done_callback(self._told)
        await asyncio.wait([telling], timeout=ATTACH)
        if telling.done():
            telling.result()

    def _told(self, telling: asyncio.Future[None]) -> None:
        self._telling.discard(telling)
        if not telling.cancelled():
            telling.exception()  # who still waited has been told

    async def _silently(self, kernel_id: str, code: str) -> None:
        async with self.client(kernel_id) as client:
            asked = client.execute(code, silent=True, store_history=False)
            with suppress(Empty):
                while (await client.get_shell_msg(timeout=LONG))["parent_header"].get("msg_id") != asked:
                    pass


class SlipwayApp(ExtensionApp):
    name = "jupyter_slipway"
    extension_url = "/slipway"
    load_other_extensions = True

    home = Unicode("", help="Folder of Slipway's database, environments and runs; SLIPWAY_HOME when empty.").tag(
        config=True
    )
    database = Unicode("", help="SQLAlchemy URL of the store; SLIPWAY_DATABASE, else a SQLite file, when empty.").tag(
        config=True
    )
    environments = Enum(
        ["", "locked", "kernel"],
        "",
        help="'locked': each version runs in an environment built from its lock. 'kernel': in the kernel's own.",
    ).tag(config=True)
    concurrency = Integer(0, help="Runs at once; 0: as many as there are processors.").tag(config=True)
    profiles = Unicode("", help="File of clusters' profiles; 'profiles.yaml' in the home when empty.").tag(config=True)
    cluster_workers = Integer(0, help="Workers of one person's running clusters; 0: no limit.").tag(config=True)
    cluster_memory = Unicode("", help="Memory of one person's running clusters, such as '64 GiB'.").tag(config=True)
    cluster_idle = Float(0.0, help="Minutes after which an idle cluster is stopped; 0: SLIPWAY_CLUSTER_IDLE.").tag(
        config=True
    )

    shared_kernels = Bool(
        True,
        help="Whether kernels are shared and outlive the server, unless the server is configured with other classes.",
    ).tag(config=True)
    collect_outputs = Bool(
        True,
        help="Whether outputs that nothing needs are removed by themselves, once a day, when nobody is at work.",
    ).tag(config=True)

    def _link_jupyter_server_extension(self, serverapp: Any) -> None:
        """Before the server makes its managers: let them be ours, but for what is configured otherwise."""
        super()._link_jupyter_server_extension(serverapp)
        from jupyter_slipway.notebooks.contents import text_notebooks

        chosen: dict[str, Any] = {
            "contents_manager_class": text_notebooks(serverapp.contents_manager_class, self._home())
        }
        kernels = classes.choose(serverapp, self._home(), shared=self.shared_kernels)
        chosen |= kernels.classes
        if not kernels.why:
            chosen["kernel_spec_manager_class"] = offering(serverapp, self._home())
        if not (serverapp.trait_has_value("allow_unauthenticated_access") or os.environ.get(UNAUTHENTICATED)):
            # Jupyter's own default lets everybody in wherever an extension has forgotten to ask.
            chosen["allow_unauthenticated_access"] = False
            # Where others have forgotten is nothing that who starts a server can mend.
            warnings.filterwarnings("ignore", FORGOTTEN, JupyterServerAuthWarning)
        serverapp.update_config(Config({"ServerApp": chosen}))
        self._not_shared = kernels.why
        if kernels.why:
            self.log.log(logging.WARNING if self.shared_kernels else logging.INFO, NOT_SHARED, kernels.why)
        collaboration.keep_tidy(serverapp, self._home())
        self._open_files = self._merge_in_rooms(serverapp) if collaboration.extension(serverapp) is not None else None

    def _merge_in_rooms(self, serverapp: Any) -> OpenFiles | None:
        from jupyter_slipway.notebooks import room

        folder = collaboration.folder(self._home()) / name_of_root(serverapp.root_dir)
        return room.install(lambda: serverapp.contents_manager, folder, self.log)

    def _home(self) -> Path:
        return Path(self.home).expanduser().absolute() if self.home else Settings.read().home

    def initialize_settings(self) -> None:
        # A page listens before it asks for anything, and never hears what was not known when it began to.
        self.serverapp.event_logger.register_event_schema(Path(__file__).parent / "data" / "changed.yaml")
        settings = Settings.read()
        home = Path(self.home).expanduser().absolute() if self.home else None
        chosen: dict[str, Any] = {
            "home": home,
            "database": self.database or (home and f"sqlite:///{home}/slipway.db"),
            "environments": self.environments,
            "concurrency": self.concurrency,
            "profiles": self.profiles,
            "cluster_workers": self.cluster_workers,
            "cluster_memory": self.cluster_memory,
            "cluster_idle": self.cluster_idle,
        }
        self._chosen = msgspec.structs.replace(settings, **{name: value for name, value in chosen.items() if value})
        # Tornado's own limit of 10 MB closes a page's websocket without a word.
        self.settings["websocket_max_message_size"] = LARGEST + (64 << 20)
        self._watch = PeriodicCallback(self._look, WATCH)
        self._away = False
        self._revived_at = -REVIVE_AFTER
        """The database did not answer when it was last looked at."""
        from jupyter_slipway.notebooks.tidying import LOOK, Tidying

        tidying = Tidying(self._keeping_outputs, self.log)
        self._tidying = PeriodicCallback(tidying.look, LOOK * 1000)
        self._starting: asyncio.Future[None] | None = None
        """A runner that is on its way."""

    @cached_property
    def slipway(self) -> Slipway:
        """Opened by the first request: a server on which nobody publishes pays neither its import nor a database."""
        from jupyter_slipway.api import Slipway
        from jupyter_slipway.runs.runner import status

        slipway = Slipway(
            self._chosen,
            root=Path(self.serverapp.root_dir).absolute(),
            kernels=ServerKernels(self.serverapp.kernel_manager),
            links=self.serverapp.kernel_manager if self._shares_kernels() else None,
            start_runner=self._start_runner,
            shared_documents=self._open_files,
            hidden=self.serverapp.contents_manager.allow_hidden,
        )
        slipway.events.subscribe(self._hint)
        if self._shares_kernels():
            self.serverapp.kernel_manager.listen(self._kernel_changed)
            IOLoop.current().add_callback(self.serverapp.kernel_manager.warm)
        self._live = slipway.engine.live()
        self._revisions = slipway.clusters.revisions()
        self._watch.start()
        work = self._live or slipway.clusters.unsettled() or any(one.enabled for one in slipway.schedules.all())
        if work or status(self._chosen.home).alive:  # one that lives may have outlived an upgrade
            self._start_runner()
        return slipway

    def _shares_kernels(self) -> bool:
        return isinstance(self.serverapp.kernel_manager, SlipwayKernelManager)

    def _kernel_changed(self, link: Link) -> None:
        async def take_up() -> None:
            await asyncio.to_thread(self.slipway.shared.noticed, link)
            self.slipway.events.announce(Changed("kernel", link.kernel))

        IOLoop.current().add_callback(take_up)

    def _keeping_outputs(self) -> TextNotebooks | None:
        return getattr(self.serverapp.contents_manager, "documents", None)

    def initialize_handlers(self) -> None:
        if self.collect_outputs:
            self._tidying.start()
        self.handlers.append((rf"/{PREFIX}/(.+)", ApiHandler, {"opened": lambda: self.slipway}))
        self.handlers.append((KERNEL_ACTIONS, KernelActions))
        self.handlers.extend(proxy.handlers(self._dashboard))
        # Pages ask about kernels only where there is something to tell.
        page = self.serverapp.web_app.settings.setdefault("page_config_data", {})
        page["slipwaySharedKernels"] = "true" if self._shares_kernels() else "false"
        page["slipwayKernelsNotShared"] = self._not_shared
        if self._shares_kernels():
            self.serverapp.kernel_manager.clusters = self._clusters
            if collaboration.extension(self.serverapp) is not None:
                self._share_documents()

    def _share_documents(self) -> None:
        """Cells of shared notebooks are run by the server."""
        from jupyter_slipway.kernels import execute

        self.handlers.extend(execute.handlers(lambda: self._documents))
        execute.switch_on(self.serverapp)

        async def resume() -> None:
            await self._documents.resume(self.serverapp.kernel_manager.links().values())

        IOLoop.current().add_callback(resume)

    @cached_property
    def _documents(self) -> Documents:
        from jupyter_slipway.kernels.documents import Documents

        return Documents(collaboration.extension(self.serverapp), self.log)

    async def _clusters(self) -> Manager:
        await imported()
        return self.slipway.clusters

    async def _dashboard(self, cluster: str) -> str:
        return (await self._clusters()).dashboard(cluster)

    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:
        # All extensions are there, nothing was asked. What is there now stays as long as the server: each full garbage
        # collection would look through it, 200,000 objects, while nobody is answered: 97 ms, and 6 ms without it.
        if not gc.get_freeze_count():
            gc.freeze()

    async def stop_extension(self) -> None:
        self._watch.stop()
        self._tidying.stop()
        if "_documents" in vars(self):
            await self._documents.close()
        if self._open_files:
            await self._open_files.close()
        if (found := collaboration.extension(self.serverapp)) is not None:
            await collaboration.let_go_of_rooms(found)
        if self._shares_kernels():
            await self.serverapp.kernel_manager.settle()
        if "slipway" in vars(self):
            await self.slipway.close()

    def _look(self) -> None:
        """The runner is another process: what it did to runs is seen in the database."""
        from jupyter_slipway.api import is_outage
        from jupyter_slipway.runs.background import died

        if time.monotonic() - self._revived_at > REVIVE_AFTER and died(self._chosen.home):
            self._revived_at = time.monotonic()
            self._start_runner()
        try:
            live, revisions = self.slipway.engine.live(), self.slipway.clusters.revisions()
        except Exception as error:
            if not is_outage(error):
                raise
            if not self._away:  # once, not each second: the disk may be full of it already
                self.log.error("The database does not answer; looking again each second: %s", _reason(error))
            self._away = True
            return
        self._away = False
        for run in {one for one, *_ in live ^ self._live}:
            self._hint(Changed("run", run))
        self._live = live
        for cluster, _ in revisions.items() ^ self._revisions.items():
            self._hint(Changed("cluster", cluster))
        self._revisions = revisions

    def _hint(self, event: Changed) -> None:
        self.serverapp.event_logger.emit(schema_id=HINT, data={"kind": event.kind, "id": event.id})

    def _start_runner(self) -> None:
        from jupyter_slipway.runs.runner import status

        if (self._starting is None or self._starting.done()) and not status(self._chosen.home).serves(__version__):
            # It takes a second to come up: not on the loop that serves everybody.
            self._starting = IOLoop.current().run_in_executor(None, self._started_runner)

    def _started_runner(self) -> None:
        from jupyter_slipway.service import start

        try:
            start(self._chosen)
        except SlipwayError as error:
            self.log.error("%s %s", error.message, error.hint)


def _reason(error: Exception) -> str:
    """In the driver's own words, without the statement."""
    return str(getattr(error, "orig", None) or error)
