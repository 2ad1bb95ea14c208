"""Clusters over REST: list, make, start, stop, scale, look at, attach to."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from msgspec import Struct, structs

from jupyter_slipway.clusters.answers import Turns
from jupyter_slipway.clusters.manager import Manager
from jupyter_slipway.clusters.model import Attachment, Cluster, Figures, Lease, Progress, Workers
from jupyter_slipway.clusters.packages import PackageComparison
from jupyter_slipway.clusters.profiles import Profile
from jupyter_slipway.errors import SlipwayError
from jupyter_slipway.web import Asker

PROGRESS = 1.0
"""Seconds between two looks at a running cell's work, when one page looks."""
FIGURES = 2.0
"""The same, of a cluster's figures."""


class ClusterList(Struct, frozen=True):
    items: list[Cluster]


class ProfileList(Struct, frozen=True):
    items: list[Profile]


class ClusterRequest(Struct, frozen=True):
    name: str
    profile: str = "small"
    options: dict[str, Any] = {}
    """Over the profile's defaults; its schema says what may be."""
    start: bool = True


class ScaleRequest(Struct, frozen=True):
    """The same twice for a fixed number; else as the work asks."""

    minimum: int
    maximum: int


class LogsQuery(Struct, frozen=True):
    part: str = ""
    """One of `parts`; '' for the first."""
    offset: int = 0
    """Bytes already read."""


class LogChunk(Struct, frozen=True):
    text: str
    offset: int
    """Ask again from here."""
    parts: list[str]


class AttachRequest(Struct, frozen=True):
    holder: str
    """The kernel's or the run's id."""
    kind: Literal["kernel", "run"] = "kernel"
    path: str = ""
    """Of the kernel's notebook."""


class Attached(Struct, frozen=True):
    cluster: Cluster
    attachment: Attachment


class DetachRequest(Struct, frozen=True):
    holder: str


class AttachmentItem(Struct, frozen=True):
    holder: str
    kind: Literal["kernel", "run", "proof"]
    cluster: str
    person: str


class AttachmentList(Struct, frozen=True):
    items: list[AttachmentItem]


class ProgressQuery(Struct, frozen=True):
    holder: str
    cell: str = ""
    """'' for all that the holder has asked for."""


class ProgressAnswer(Struct, frozen=True):
    progress: Progress | None
    """None: nothing is under way."""
    again: float
    """Seconds after which to ask again: the longer, the more pages ask."""


class FiguresAnswer(Figures, frozen=True, kw_only=True):
    again: float
    """Seconds after which to ask again: the longer, the more pages ask."""


class CancelRequest(Struct, frozen=True):
    holder: str
    cell: str = ""


class Cancelled(Struct, frozen=True):
    remaining: str
    """What cannot be stopped, in words; '' when all was."""


class PackagesRequest(Struct, frozen=True):
    packages: dict[str, str]
    """Of the kernel: version by distribution."""


class SynchroniseRequest(Struct, frozen=True):
    packages: dict[str, str]
    """Of the kernel: version by distribution."""
    digest: str
    """Of the plan that was shown."""


class Deleted(Struct, frozen=True):
    name: str


class Kernels(Protocol):
    """Where live kernels are told of their cluster; a Jupyter server has them, a command line has none."""

    async def check_may_run(self, kernel_id: str, person: str) -> None:
        """
        Raises:
            Forbidden: `person` may not run anything in this kernel, which lives here
        """
        ...

    async def attach(self, kernel_id: str, cluster: str, attachment: Attachment) -> None:
        """Nothing, when it does not live here."""
        ...


class Clusters:
    """The service behind the rows of `api.ENDPOINTS` that speak of clusters."""

    def __init__(self, manager: Manager, kernels: Kernels) -> None:
        self._manager, self._kernels = manager, kernels
        self._turns = Turns()

    def list_clusters(self, asker: Asker) -> ClusterList:
        """All clusters, by name."""
        return ClusterList(self._manager.all())

    async def create_cluster(self, asker: Asker, body: ClusterRequest) -> Cluster:
        """Make a cluster, and start it unless told not to. What is refused is not made."""
        made = self._manager.create(body.name, body.profile, body.options, asker.name)
        if not body.start:
            return made
        try:
            return await self._manager.start(body.name, asker.name)
        except SlipwayError:
            # Whoever corrects what was wrong asks for the same name again.
            await self._manager.delete(body.name, asker.name)
            raise

    def get_cluster(self, asker: Asker, cluster: str) -> Cluster:
        """One cluster."""
        return self._manager.get(cluster)

    async def delete_cluster(self, asker: Asker, cluster: str) -> Deleted:
        """Stop a cluster and forget it."""
        await self._manager.delete(cluster, asker.name)
        return Deleted(cluster)

    async def start_cluster(self, asker: Asker, cluster: str) -> Cluster:
        """Start a cluster; it runs a while later."""
        return await self._manager.start(cluster, asker.name)

    async def stop_cluster(self, asker: Asker, cluster: str) -> Cluster:
        """Stop a cluster with all its processes."""
        return await self._manager.stop(cluster, asker.name)

    def keep_cluster(self, asker: Asker, cluster: str) -> Cluster:
        """Do not stop an idle cluster for now."""
        return self._manager.keep(cluster, asker.name)

    async def scale_cluster(self, asker: Asker, cluster: str, body: ScaleRequest) -> Cluster:
        """Say how many workers, or between how many."""
        return await self._manager.scale(cluster, asker.name, Workers(body.minimum, body.maximum))

    async def cluster_figures(self, asker: Asker, cluster: str) -> FiguresAnswer:
        """What a cluster does just now."""
        found = await self._manager.figures(cluster)
        again = self._turns.after(("figures", cluster), FIGURES)
        return FiguresAnswer(**structs.asdict(found), again=again)

    async def cluster_logs(self, asker: Asker, cluster: str, query: LogsQuery) -> LogChunk:
        """What its processes printed, from an offset on."""
        text, offset, parts = await self._manager.log(cluster, query.part, query.offset)
        return LogChunk(text, offset, list(parts))

    def list_profiles(self, asker: Asker) -> ProfileList:
        """The sizes that clusters can be made in, each with its form."""
        return ProfileList(self._manager.profiles.all())

    async def attach_cluster(self, asker: Asker, cluster: str, body: AttachRequest) -> Attached:
        """Let a kernel or a run compute on a cluster."""
        await self._kernels.check_may_run(body.holder, asker.name)
        given = self._manager.attach(cluster, body.holder, body.kind, asker.name)
        if body.kind == "kernel":
            await self._kernels.attach(body.holder, cluster, given.attachment)
        return Attached(given.cluster, given.attachment)

    async def detach_cluster(self, asker: Asker, cluster: str, body: DetachRequest) -> Cluster:
        """Let it go."""
        await self._kernels.check_may_run(body.holder, asker.name)
        found = self._manager.detach(cluster, body.holder)
        await self._kernels.attach(body.holder, "", Attachment({}))
        return found

    def list_attachments(self, asker: Asker) -> AttachmentList:
        """Which kernel and which run uses which cluster."""
        return AttachmentList([_item(lease) for lease in self._manager.attachments()])

    async def cluster_progress(self, asker: Asker, cluster: str, query: ProgressQuery) -> ProgressAnswer:
        """How far what a kernel, a run or one cell has asked for has come."""
        found = await self._manager.progress(cluster, query.holder, query.cell)
        return ProgressAnswer(found, self._turns.after((cluster, query.holder, query.cell), PROGRESS))

    async def cancel_work(self, asker: Asker, cluster: str, body: CancelRequest) -> Cancelled:
        """Stop what a kernel, a run or one cell has asked for."""
        await self._kernels.check_may_run(body.holder, asker.name)
        return Cancelled(await self._manager.cancel(cluster, body.holder, body.cell, asker.name))

    async def compare_packages(self, asker: Asker, cluster: str, body: PackagesRequest) -> PackageComparison:
        """Compare a kernel's packages with those of the cluster's processes."""
        return await self._manager.compare(cluster, body.packages, asker.name)

    async def synchronise_packages(self, asker: Asker, cluster: str, body: SynchroniseRequest) -> PackageComparison:
        """Do what the comparison's plan says: install packages for the workers, and restart them."""
        return await self._manager.synchronise(cluster, body.packages, body.digest, asker.name)


def _item(lease: Lease) -> AttachmentItem:
    return AttachmentItem(lease.holder, lease.kind, lease.cluster, lease.person)
