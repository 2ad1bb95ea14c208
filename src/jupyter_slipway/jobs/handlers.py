"""Jobs over REST: list, look, change, compare, roll back, schedule, run."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from jupyter_slipway.events import Changed, Events
from jupyter_slipway.jobs.compare import Comparison, compare
from jupyter_slipway.jobs.model import CatchUp, Job, LastRun, Schedule, Version
from jupyter_slipway.jobs.registry import Registry
from jupyter_slipway.jobs.schedules import Preview, Schedules
from jupyter_slipway.publish.parameters import validate
from jupyter_slipway.runs.engine import Engine, Submission
from jupyter_slipway.runs.model import Policy, Run
from jupyter_slipway.web import Asker

RECENT = 30


class JobList(Struct, frozen=True):
    items: list[Job]


class VersionList(Struct, frozen=True):
    items: list[Version]


class JobChange(Struct, frozen=True, forbid_unknown_fields=True):
    owner: str | UnsetType = UNSET
    deputy: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    policy: Policy | UnsetType = UNSET


class DiffQuery(Struct, frozen=True):
    old: int
    new: int


class RollBack(Struct, frozen=True, forbid_unknown_fields=True):
    version: int


class ScheduleRequest(Struct, frozen=True, forbid_unknown_fields=True):
    cron: str
    tz: str = "UTC"
    enabled: bool = True
    catch_up: CatchUp = "latest"
    cap: int = 10
    parameters: dict[str, Any] = {}


class PreviewQuery(Struct, frozen=True):
    cron: str
    tz: str = "UTC"


class RunRequest(Struct, frozen=True, forbid_unknown_fields=True):
    job: str
    version: int | None = None
    """None: the one in production."""
    parameters: dict[str, Any] = {}
    policy: Policy | None = None
    """None: the job's."""


class Jobs:
    """The service behind the rows of `api.ENDPOINTS` that speak of jobs."""

    def __init__(self, registry: Registry, schedules: Schedules, engine: Engine, events: Events) -> None:
        self._registry, self._schedules, self._engine, self._events = registry, schedules, engine, events

    def list_jobs(self, asker: Asker) -> JobList:
        """All jobs by name, each with its schedule and last runs."""
        jobs = self._registry.jobs()
        schedules = {schedule.job: schedule for schedule in self._schedules.all()}
        recent = self._engine.recent([job.name for job in jobs], RECENT)
        return JobList([_whole(job, schedules.get(job.name), recent.get(job.name, [])) for job in jobs])

    def get_job(self, asker: Asker, job: str) -> Job:
        """One job."""
        return _whole(
            self._registry.job(job), self._schedules.get(job), self._engine.recent([job], RECENT).get(job, [])
        )

    def change_job(self, asker: Asker, job: str, body: JobChange) -> Job:
        """Set owner, deputy, description or how its runs are carried."""
        policy = body.policy if isinstance(body.policy, Policy) else None
        texts = msgspec.to_builtins(msgspec.structs.replace(body, policy=UNSET))
        self._registry.change(job, policy=policy, **texts)
        return self.get_job(asker, job)

    def list_versions(self, asker: Asker, job: str) -> VersionList:
        """All versions of a job, newest first."""
        return VersionList(self._registry.versions(job))

    def get_version(self, asker: Asker, job: str, version: int) -> Version:
        """One version of a job."""
        return self._registry.version(job, version)

    def diff_versions(self, asker: Asker, job: str, query: DiffQuery) -> Comparison:
        """What changed between two versions: cells, module, parameters, packages."""
        return compare(self._registry.version(job, query.old), self._registry.version(job, query.new))

    def roll_back(self, asker: Asker, job: str, body: RollBack) -> Job:
        """Make an earlier version the one in production."""
        self._registry.roll_back(job, body.version)
        return self.get_job(asker, job)

    def set_schedule(self, asker: Asker, job: str, body: ScheduleRequest) -> Schedule:
        """Say when the job runs by itself."""
        version = self._registry.version(job)
        validate(version.parameters, body.parameters)
        schedule = self._schedules.set(
            job,
            body.cron,
            body.tz,
            parameters=body.parameters,
            catch_up=body.catch_up,
            cap=body.cap,
            enabled=body.enabled,
        )
        return self._changed(schedule)

    def pause_schedule(self, asker: Asker, job: str) -> Schedule:
        """Keep the schedule, and let it start nothing."""
        self._registry.job(job)
        return self._changed(self._schedules.pause(job))

    def resume_schedule(self, asker: Asker, job: str) -> Schedule:
        """Let a paused schedule start runs again, from now on."""
        self._registry.job(job)
        return self._changed(self._schedules.resume(job))

    def delete_schedule(self, asker: Asker, job: str) -> Job:
        """Forget when the job runs by itself."""
        self._registry.job(job)
        self._schedules.delete(job)
        self._events.announce(Changed("schedule", job))
        return self.get_job(asker, job)

    def preview_schedule(self, asker: Asker, query: PreviewQuery) -> Preview:
        """A cron line in words, with its next five times."""
        return self._schedules.preview(query.cron, query.tz)

    def start_run(self, asker: Asker, body: RunRequest) -> Run:
        """Queue a run of a job with these parameters."""
        version = self._registry.version(body.job, body.version)
        run = self._engine.submit(
            Submission(
                version.job,
                version.number,
                validate(version.parameters, body.parameters),
                digest=version.digest,
                author=asker.name,
                policy=(body.policy or self._registry.job(version.job).policy).checked(),
                idempotency_key=asker.idempotency_key or None,
            )
        )
        self._events.announce(Changed("run", run.id))
        return run

    def _changed(self, schedule: Schedule) -> Schedule:
        self._events.announce(Changed("schedule", schedule.job))
        return schedule


def _whole(job: Job, schedule: Schedule | None, recent: list[Run]) -> Job:
    runs = tuple(LastRun(run.id, str(run.state), run.duration, run.queued_at) for run in recent)
    return msgspec.structs.replace(job, schedule=schedule, recent=runs)
