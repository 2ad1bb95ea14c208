"""Publishing over REST: plan, observe, prove, register, and the badges of what was published."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from jupyter_slipway.db import Database
from jupyter_slipway.errors import Forbidden, NotFound, Unavailable, Unprocessable
from jupyter_slipway.events import Events
from jupyter_slipway.jobs.compare import unified
from jupyter_slipway.jobs.handlers import Jobs, RunRequest, ScheduleRequest
from jupyter_slipway.jobs.model import Job, Version, job_name
from jupyter_slipway.jobs.registry import Registered, Registry
from jupyter_slipway.publish import kernel
from jupyter_slipway.publish.kernel import Snapshot
from jupyter_slipway.publish.model import CellPlan, CellSource, Plan, Proof, Warn
from jupyter_slipway.publish.parameters import schema
from jupyter_slipway.publish.plan import (
    NotebookCell,
    Planned,
    PlanRequest,
    make_plan,
    result_names,
    sources,
    target,
    with_environment,
)
from jupyter_slipway.publish.proofs import Clusters, On, ProofProgress, Proofs
from jupyter_slipway.publish.revision import revision
from jupyter_slipway.publish.slice import fingerprint, slice_cells
from jupyter_slipway.publish.source import lasting_ids
from jupyter_slipway.runs.model import Run
from jupyter_slipway.web import Answer, Asker


class Kernels(Protocol):
    """Where live kernels are found; a Jupyter server has them, a command line has none."""

    def client(self, kernel_id: str) -> AbstractAsyncContextManager[Any]:
        """A jupyter_client AsyncKernelClient with open channels.

        Raises:
            NotFound: no such kernel lives
        """
        ...

    async def check_may_run(self, kernel_id: str, person: str) -> None:
        """
        Raises:
            Forbidden: `person` may not run anything in this kernel, which lives here
        """
        ...


class ObserveRequest(Struct, frozen=True):
    kernel: str


class Observed(Struct, frozen=True):
    observing: bool
    note: str = ""


class PublishRequest(PlanRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    description: str | None = None
    note: str = ""
    proof_id: str | None = None
    """An ended proof of the same plan: its environment and verdict are registered."""
    schedule: ScheduleRequest | None = None
    run: bool = False


class Published(Struct, frozen=True):
    job: Job
    version: Version
    created: bool
    """False: the same content is registered already, as this version."""
    message: str
    run: Run | None = None


class BadgeRequest(Struct, frozen=True):
    notebook: str
    cells: list[NotebookCell]


class Badge(Struct, frozen=True):
    """A published cell, and whether its code is still what was published."""

    cell: str
    job: str
    version: int
    changed: bool
    diff: str = ""
    """Unified diff of the cells that it needs; empty when nothing changed."""


class BadgeList(Struct, frozen=True):
    items: list[Badge]


class Publish:
    """The service behind the rows of `api.ENDPOINTS` that speak of publishing."""

    def __init__(
        self,
        database: Database,
        registry: Registry,
        jobs: Jobs,
        proofs: Proofs,
        events: Events,
        *,
        root: Path,
        kernels: Kernels,
        clusters: Clusters,
        wake: Callable[[], None],
    ) -> None:
        self._database, self._registry, self._jobs, self._proofs = database, registry, jobs, proofs
        self._events, self._root, self._kernels, self._wake = events, root, kernels, wake
        self._clusters = clusters
        self._looking: dict[tuple[Any, ...], asyncio.Task[BadgeList]] = {}
        """What is asked of badges, and is being worked out."""

    async def plan(self, asker: Asker, body: PlanRequest) -> Plan:
        """What publishing a cell would register."""
        planner = await self._planner(asker, body)
        # Up to 0.3 s of computing for a large notebook: not on the loop that serves everybody.
        return (await asyncio.to_thread(planner, 0)).plan

    async def observe(self, asker: Asker, body: ObserveRequest) -> Observed:
        """Let a kernel note what each cell changes, from now on."""
        try:
            await self._kernels.check_may_run(body.kernel, asker.name)
            async with self._kernels.client(body.kernel) as client:
                await kernel.observe(client)
        except (Unavailable, Forbidden) as error:
            return Observed(False, error.message)
        return Observed(True)

    async def start_proof(self, asker: Asker, body: PlanRequest) -> ProofProgress:
        """Begin to prove that the module gives what the notebook gave."""
        return await self._proofs.start(await self._planner(asker, body), On(self._cluster(body) or "", asker.name))

    def get_proof(self, asker: Asker, proof: str) -> ProofProgress:
        """How far a proof has come."""
        return self._proofs.progress(proof)

    async def cancel_proof(self, asker: Asker, proof: str) -> ProofProgress:
        """End a proof; publishing stays possible without it."""
        return await self._proofs.cancel(proof)

    async def publish_version(self, asker: Asker, body: PublishRequest) -> Answer[Published]:
        """Register a cell as a version of a job."""
        job_name(body.name)
        planned = await self._settled(asker, body)
        draft = _draft(planned, body, asker, await asyncio.to_thread(revision, planned.notebook))
        before = self._job(body.name)
        with self._database.write():  # a version whose schedule is refused is not registered either
            registered = self._registry.publish(draft, description=body.description)
            version = registered.version
            if not registered.created and body.description is not None:
                self._registry.change(version.job, description=body.description)
            if (cluster := self._cluster(body)) is not None:
                policy = msgspec.structs.replace(self._registry.job(version.job).policy, cluster=cluster)
                self._registry.change(version.job, policy=policy)
            if body.schedule is not None:
                self._jobs.set_schedule(asker, version.job, body.schedule)
        self._wake()  # before there is a run: a runner of an earlier release could not carry it
        run = self._jobs.start_run(asker, RunRequest(version.job, version.number)) if body.run else None
        job = self._jobs.get_job(asker, version.job)
        message = _message(job, registered, self._also_set(body, before, job))
        published = Published(job, version, registered.created, message, run)
        return Answer(published, 201 if registered.created else 200)

    def _also_set(self, body: PublishRequest, before: Job | None, job: Job) -> str:
        """What publishing set of the job, beside the version."""
        told = []
        if (cluster := job.policy.cluster) != (before.policy.cluster if before else ""):
            told.append(f"Its runs compute on {cluster or 'this machine'} now.")
            if cluster and not self._clusters.provides(cluster):
                told.append("There is no cluster of that name yet: until it is made, each run fails.")
        if body.schedule is not None and job.schedule is not None:
            told.append(f"Its schedule is set: {job.schedule.words}.")
        if before and before.description != job.description:
            told.append("Its description is set.")
        return " ".join(told)

    async def badges(self, asker: Asker, body: BadgeRequest) -> BadgeList:
        """Which cells of a notebook are published, and which of them have changed since."""
        # All pages of a shared document ask at once, after each edit: one answer serves them.
        asked = (body.notebook, tuple(body.cells))
        looking = self._looking.get(asked)
        if looking is None:
            looking = asyncio.create_task(asyncio.to_thread(self._badges, body))
            self._looking[asked] = looking
            looking.add_done_callback(lambda _: self._looking.pop(asked, None))
        return await asyncio.shield(looking)  # who leaves must not take it from the others

    def _badges(self, body: BadgeRequest) -> BadgeList:
        cells = sources(body.cells)
        notebook = (self._root / body.notebook).absolute()
        known = dict(zip(lasting_ids(notebook.name, cells), (cell.id for cell in cells), strict=True))
        jobs = [job for job in self._registry.jobs() if job.notebook == str(notebook) and job.cell in known]
        return BadgeList([self._badge(job, cells, known[job.cell]) for job in jobs])

    def _badge(self, job: Job, cells: tuple[CellSource, ...], cell: str) -> Badge:
        unchanged = Badge(cell, job.name, job.latest, changed=False)
        try:
            now = slice_cells(cells, cell)
        except Unprocessable as error:
            return msgspec.structs.replace(unchanged, changed=True, diff=error.message)
        if fingerprint(now) == job.fingerprint:
            return unchanged
        published = self._registry.version(job.name, job.latest)
        before, after = _kept(published.cells), _kept(now.cells)
        return msgspec.structs.replace(
            unchanged, changed=True, diff=unified(before, after, f"v{job.latest}", "notebook")
        )

    async def _planner(self, asker: Asker, request: PlanRequest) -> Callable[[int], Planned]:
        snapshot, notes = await self._look(asker, request)
        remembered = self._remembered(request.name)
        provided = self._clusters.provides(self._cluster(request) or "")

        def planner(widen: int) -> Planned:
            planned = make_plan(
                request,
                self._root,
                snapshot=snapshot,
                notes=notes,
                remembered=remembered,
                widen=widen,
                provided=provided,
            )
            return msgspec.structs.replace(planned, request=_asked(request))

        return planner

    def _cluster(self, request: PlanRequest) -> str | None:
        """Name of the cluster that it computes on, '' for none; None: nobody has said, and it is not a job yet."""
        if request.cluster is not None:
            return request.cluster
        if request.kernel and (used := self._clusters.used_by(request.kernel)):
            return used
        job = self._job(request.name)
        return None if job is None else job.policy.cluster

    def _job(self, name: str) -> Job | None:
        with suppress(NotFound):
            return self._registry.job(name)
        return None

    def _remembered(self, job: str) -> dict[str, str]:
        """What was said of the parameters when the job was last published."""
        try:
            latest = self._registry.version(job, self._registry.job(job).latest)
        except NotFound:
            return {}
        return {one.name: one.description for one in latest.parameters}

    async def _look(self, asker: Asker, request: PlanRequest) -> tuple[Snapshot | None, tuple[Warn, ...]]:
        """What the kernel ran and holds; without it, why not."""
        names = result_names(request)
        if request.snapshot is not None:
            return request.snapshot, ()
        if request.kernel is None:
            return None, ()
        try:
            # What a kernel ran and holds is asked by running something in it.
            await self._kernels.check_may_run(request.kernel, asker.name)
            async with self._kernels.client(request.kernel) as client:
                return await kernel.look(client, names, cell=target(request)), ()
        except (Unavailable, NotFound, Forbidden) as error:
            note = f"{error.message} The plan follows the order of the document, and cannot be compared."
            return None, (Warn("not_observed", note),)

    async def _settled(self, asker: Asker, body: PublishRequest) -> Planned:
        """The plan to register: the proved one when it is of this request, else a new one."""
        if body.proof_id is not None:
            proved = self._proofs.proved(body.proof_id)
            if proved.request == _asked(body):
                return proved.named(body.name)
        planned = await asyncio.to_thread(await self._planner(asker, body), 0)
        environment = await self._proofs.environment(planned.plan.environment, lambda step, fraction: None)
        planned = with_environment(planned, environment)
        if body.proof_id is None:
            return planned
        late = Proof("not comparable", "The notebook, its parameters or its cluster were changed after the proof.")
        return msgspec.structs.replace(planned, plan=msgspec.structs.replace(planned.plan, proof=late))


def _asked(request: PlanRequest) -> tuple[Any, ...]:
    """What a plan depends on, and a proof is of."""
    return request.notebook, request.cells, request.cell, request.edits, request.cluster


def _kept(cells: Sequence[CellPlan]) -> str:
    return "\n\n".join(cell.source for cell in cells if cell.kept)


def _draft(planned: Planned, body: PublishRequest, asker: Asker, found: Any) -> Version:
    plan = planned.plan
    return Version(
        job=body.name,
        number=0,
        notebook=str(planned.notebook),
        cell=plan.cell,
        module=plan.module,
        parameters=tuple(parameter for parameter in plan.parameters if parameter.on),
        environment=plan.environment,
        author=asker.name,
        created_at=datetime.now(UTC),
        digest="",
        cells=plan.cells,
        lines=plan.lines,
        outputs=plan.outputs,
        own_modules=plan.own_modules,
        schema=schema(plan.parameters),
        proof=plan.proof,
        revision=found,
        note=body.note,
        directory=str(planned.directory),
        fingerprint=plan.fingerprint,
    )


def _message(job: Job, registered: Registered, also: str) -> str:
    version = registered.version
    verdict = version.proof.verdict if version.proof else ""
    if registered.created:
        said = "Registered"
    else:
        said = "The code is unchanged: this is" if also or registered.proved else "Nothing changed: this is"
    said += f" version {version.number} of {job.name}."
    if registered.proved:
        said += f" It was not proved before; its proof says {verdict!r}."
    if job.production != version.number:
        said += f" Version {job.production} stays in production"
        differs = registered.created and verdict == "differs"
        said += ", since the proof found that this one differs from the notebook." if differs else "."
    return f"{said} {also}".rstrip()
