"""The REST API: one table of endpoints, and the objects that answer it, built lowest layer first.

`app` serves it over HTTP; `client` calls it in its own process when no server is asked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct
from sqlalchemy.exc import OperationalError

from jupyter_slipway import __version__
from jupyter_slipway.clusters.borrower import Borrower
from jupyter_slipway.clusters.handlers import Clusters
from jupyter_slipway.clusters.handlers import Kernels as ClusterKernels
from jupyter_slipway.clusters.manager import Manager
from jupyter_slipway.clusters.model import Attachment
from jupyter_slipway.db import Database
from jupyter_slipway.errors import NotFound
from jupyter_slipway.events import Changed, Events
from jupyter_slipway.files import private_directory
from jupyter_slipway.jobs.handlers import Jobs
from jupyter_slipway.jobs.registry import Registry
from jupyter_slipway.jobs.schedules import Schedules
from jupyter_slipway.kernels.handlers import Links, SharedKernels
from jupyter_slipway.kernels.home import HomeKernels
from jupyter_slipway.notebooks.compare_handlers import ENDPOINTS as COMPARE
from jupyter_slipway.notebooks.compare_handlers import Compare
from jupyter_slipway.notebooks.handlers import ENDPOINTS as NOTEBOOKS
from jupyter_slipway.notebooks.handlers import Notebooks, OpenDocuments
from jupyter_slipway.publish.handlers import Kernels, Publish
from jupyter_slipway.publish.proofs import Proofs
from jupyter_slipway.runs.engine import Engine
from jupyter_slipway.runs.handlers import Runs
from jupyter_slipway.runs.runner import RunnerStatus
from jupyter_slipway.settings import Settings
from jupyter_slipway.web import Asker, Endpoint, Table, outage


class Status(Struct, frozen=True):
    version: str
    user: str
    root: str
    """The folder that notebooks' paths in requests are relative to."""
    home: str
    runner: RunnerStatus
    note: str
    """What a person should know about when runs happen."""


class Workspace:
    """Slipway's own state."""

    def __init__(self, settings: Settings, root: Path, runner_status: Callable[[], RunnerStatus]) -> None:
        self._settings, self._root, self._runner_status = settings, root, runner_status

    def get_status(self, asker: Asker) -> Status:
        """Version, user, and whether runs are being carried."""
        return Status(
            version=__version__,
            user=asker.name,
            root=str(self._root),
            home=str(self._settings.home),
            runner=self._runner_status(),
            note="Schedules run only while this machine is on.",
        )


ENDPOINTS = (
    Endpoint("GET", "/status", Workspace.get_status, "read"),
    Endpoint("GET", "/jobs", Jobs.list_jobs, "read"),
    Endpoint("GET", "/jobs/{job}", Jobs.get_job, "read"),
    Endpoint("PATCH", "/jobs/{job}", Jobs.change_job, "write"),
    Endpoint("GET", "/jobs/{job}/versions", Jobs.list_versions, "read"),
    Endpoint("GET", "/jobs/{job}/versions/{version}", Jobs.get_version, "read"),
    Endpoint("GET", "/jobs/{job}/diff", Jobs.diff_versions, "read"),
    Endpoint("POST", "/jobs/{job}/rollback", Jobs.roll_back, "write"),
    Endpoint("PUT", "/jobs/{job}/schedule", Jobs.set_schedule, "write"),
    Endpoint("DELETE", "/jobs/{job}/schedule", Jobs.delete_schedule, "write"),
    Endpoint("POST", "/jobs/{job}/schedule/pause", Jobs.pause_schedule, "write"),
    Endpoint("POST", "/jobs/{job}/schedule/resume", Jobs.resume_schedule, "write"),
    Endpoint("GET", "/schedules/preview", Jobs.preview_schedule, "read"),
    Endpoint("POST", "/publish/plan", Publish.plan, "read"),
    Endpoint("POST", "/publish/observe", Publish.observe, "execute"),
    Endpoint("POST", "/publish/proofs", Publish.start_proof, "execute", status=201),
    Endpoint("GET", "/publish/proofs/{proof}", Publish.get_proof, "read"),
    Endpoint("POST", "/publish/proofs/{proof}/cancel", Publish.cancel_proof, "execute"),
    Endpoint("POST", "/publish/versions", Publish.publish_version, "write", status=201),
    Endpoint("POST", "/publish/badges", Publish.badges, "read"),
    Endpoint("GET", "/runs", Runs.list_runs, "read"),
    Endpoint("POST", "/runs", Jobs.start_run, "execute", status=201),
    Endpoint("GET", "/runs/{run}", Runs.get_run, "read"),
    Endpoint("GET", "/runs/{run}/log", Runs.read_log, "read"),
    Endpoint("GET", "/runs/{run}/outputs", Runs.list_outputs, "read"),
    Endpoint("GET", "/runs/{run}/artifacts", Runs.list_artifacts, "read"),
    Endpoint("GET", "/runs/{run}/artifacts/{name}", Runs.read_artifact, "read"),
    Endpoint("POST", "/runs/{run}/cancel", Runs.cancel_run, "execute"),
    Endpoint("POST", "/runs/{run}/retry", Runs.retry_run, "execute", status=201),
    Endpoint("GET", "/kernels", SharedKernels.list_kernels, "read"),
    Endpoint("GET", "/kernels/{kernel}", SharedKernels.get_kernel, "read"),
    Endpoint("GET", "/kernels/{kernel}/executions", SharedKernels.list_executions, "read"),
    Endpoint("POST", "/kernels/{kernel}/executions/{execution}/cancel", SharedKernels.cancel_execution, "execute"),
    Endpoint("PUT", "/kernels/{kernel}/grants", SharedKernels.grant, "write"),
    Endpoint("GET", "/kernels/{kernel}/frames", SharedKernels.read_frames, "read"),
    Endpoint("GET", "/kernels/{kernel}/names/{name}", SharedKernels.who, "read"),
    Endpoint("POST", "/kernels/{kernel}/interrupt", SharedKernels.interrupt_kernel, "execute"),
    Endpoint("POST", "/kernels/{kernel}/restart", SharedKernels.restart_kernel, "execute"),
    Endpoint("POST", "/kernels/{kernel}/shutdown", SharedKernels.shutdown_kernel, "execute"),
    Endpoint("GET", "/profiles", Clusters.list_profiles, "read"),
    Endpoint("GET", "/attachments", Clusters.list_attachments, "read"),
    Endpoint("GET", "/clusters", Clusters.list_clusters, "read"),
    Endpoint("POST", "/clusters", Clusters.create_cluster, "execute", status=201),
    Endpoint("GET", "/clusters/{cluster}", Clusters.get_cluster, "read"),
    Endpoint("DELETE", "/clusters/{cluster}", Clusters.delete_cluster, "execute"),
    Endpoint("POST", "/clusters/{cluster}/start", Clusters.start_cluster, "execute"),
    Endpoint("POST", "/clusters/{cluster}/stop", Clusters.stop_cluster, "execute"),
    Endpoint("POST", "/clusters/{cluster}/keep", Clusters.keep_cluster, "execute"),
    Endpoint("POST", "/clusters/{cluster}/scale", Clusters.scale_cluster, "execute"),
    Endpoint("GET", "/clusters/{cluster}/figures", Clusters.cluster_figures, "read"),
    Endpoint("GET", "/clusters/{cluster}/logs", Clusters.cluster_logs, "read"),
    Endpoint("POST", "/clusters/{cluster}/attach", Clusters.attach_cluster, "execute"),
    Endpoint("POST", "/clusters/{cluster}/detach", Clusters.detach_cluster, "execute"),
    Endpoint("GET", "/clusters/{cluster}/progress", Clusters.cluster_progress, "read"),
    Endpoint("POST", "/clusters/{cluster}/cancel", Clusters.cancel_work, "execute"),
    Endpoint("POST", "/clusters/{cluster}/packages", Clusters.compare_packages, "read"),
    Endpoint("POST", "/clusters/{cluster}/synchronise", Clusters.synchronise_packages, "execute"),
    *NOTEBOOKS,
    *COMPARE,
)


class LiveKernels(Kernels, ClusterKernels, Protocol):
    """What a Jupyter server lends of its kernels."""


class NoKernels:
    """Outside a Jupyter server no kernel can be looked at."""

    @asynccontextmanager
    async def client(self, kernel_id: str) -> AsyncIterator[Any]:
        raise NotFound(f"There is no kernel {kernel_id!r} here.", hint="Run the notebook first: publish … --run.")
        yield

    async def check_may_run(self, kernel_id: str, person: str) -> None:
        """Nobody stands between a command and the kernels of its own user."""

    async def attach(self, kernel_id: str, cluster: str, attachment: Attachment) -> None:
        """A kernel of nobody's server is told by the command that it runs itself."""


class Slipway:
    """One object of each kind. Whoever makes it closes it.

    Args:
        hidden: whether files whose names begin with a dot may be asked for

    Raises:
        Unavailable: the home cannot be written, or the database is away
    """

    def __init__(
        self,
        settings: Settings,
        *,
        root: Path,
        kernels: LiveKernels | None = None,
        links: Links | None = None,
        start_runner: Callable[[], None] = lambda: None,
        shared_documents: OpenDocuments | None = None,
        hidden: bool = True,
    ) -> None:
        from jupyter_slipway.runs.runner import status

        self.settings = settings
        self.events = Events()
        self.database = Database(settings.database)
        try:
            private_directory(settings.home)
            self.database.create()
        except Exception as error:
            self.database.close()
            if not is_outage(error):
                raise
            raise outage(error) from error
        self.engine = Engine(self.database, settings.home)
        self.registry = Registry(self.database, self.events)
        self.schedules = Schedules(self.database)
        self.clusters = Manager.of(settings, self.database, self.events)
        borrower = Borrower(self.clusters)
        self.proofs = Proofs(settings, borrower)
        kernels = kernels or NoKernels()
        jobs = Jobs(self.registry, self.schedules, self.engine, self.events)
        publish = Publish(
            self.database,
            self.registry,
            jobs,
            self.proofs,
            self.events,
            root=root,
            kernels=kernels,
            clusters=borrower,
            wake=start_runner,
        )
        workspace = Workspace(settings, root, lambda: status(settings.home, self.engine.counts()))
        # A command has no server whose links it could use.
        self._home_kernels = HomeKernels(settings.home)
        # A server's has a length: without kernels, as it usually is when this is made, it counts as false.
        links = self._home_kernels if links is None else links
        self.shared = SharedKernels(self.database, self.events, settings.home, links)
        services = (
            workspace,
            jobs,
            publish,
            Runs(self.engine, self.events, job=self.registry.job),
            Clusters(self.clusters, kernels),
            self.shared,
            Notebooks(root, settings.home, self.events, shared_documents, hidden=hidden),
            Compare(root, settings.home, self.events, hidden=hidden),
        )
        self.table = Table(ENDPOINTS, services, is_outage)

        def carried(event: Changed) -> None:
            if event.kind in ("run", "schedule") or (event.kind == "cluster" and self.clusters.unsettled()):
                start_runner()

        self.events.subscribe(carried)

    async def close(self) -> None:
        await self.proofs.stop()
        await self._home_kernels.close()
        self.database.close()


def is_outage(error: Exception) -> bool:
    """Whether the disk or the database is away or full; a store of another version is a fault, and is logged."""
    if isinstance(error, OperationalError):
        return "no such" not in str(error.orig)
    return isinstance(error, OSError)
