"""The runner's own process: `python -m jupyter_slipway.service`. Joins the registry to the runs that it carries.

Started detached by a server, a command or the system's service manager; it needs none of them to live on.
"""

from __future__ import annotations

import math
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from jupyter_slipway import __version__
from jupyter_slipway.clusters.borrower import Borrower, Lent
from jupyter_slipway.clusters.hosts import without_cluster
from jupyter_slipway.clusters.keeper import Keeper
from jupyter_slipway.clusters.manager import Manager
from jupyter_slipway.db import Database
from jupyter_slipway.errors import Conflict, NotFound, SlipwayError
from jupyter_slipway.events import Events
from jupyter_slipway.files import private_directory
from jupyter_slipway.jobs.model import DIGEST_FORMAT, digest
from jupyter_slipway.jobs.registry import Production, Registry
from jupyter_slipway.jobs.schedules import Due, Schedules
from jupyter_slipway.publish import environment as environments
from jupyter_slipway.publish.parameters import validate
from jupyter_slipway.runs import runner
from jupyter_slipway.runs.engine import Engine, Submission
from jupyter_slipway.runs.model import ENDED, Run
from jupyter_slipway.runs.prepared import Prepared
from jupyter_slipway.runs.runner import Runner, RunnerStatus
from jupyter_slipway.settings import Settings

ENTRY = (sys.executable, "-m", "jupyter_slipway.service")
IDLE_AFTER = 600.0
"""Seconds without work, a schedule or a cluster that runs after which the runner ends."""
LOOK = 60.0


def start(settings: Settings) -> RunnerStatus:
    """Make sure that a runner of this home lives, and is of no earlier release."""
    environ = without_cluster(os.environ) | settings.environ()
    return runner.start(settings.home, ENTRY, release=__version__, environ=environ)


class Tampered(Conflict):
    """What is stored is not what was registered."""

    code = "digest"


class Later(Conflict):
    """A later release registered it, and covers more by its digest than this one knows."""

    code = "release"


class Carrier:
    """What the runner asks of the registry: what a run is, and which schedules are due."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        schedules: Schedules,
        engine: Engine,
        clusters: Manager | None = None,
    ) -> None:
        self._settings, self._registry, self._schedules, self._engine = settings, registry, schedules, engine
        self._ready = False
        self._clusters = clusters
        self._borrower = Borrower(clusters) if clusters is not None else None

    def prepare(self, run: Run) -> Prepared:
        """
        Raises:
            Later: the version is of a later release
            Tampered: the version is not what was registered
            SlipwayError: its environment cannot be had
        """
        version = self._registry.version(run.job, run.version)
        if version.digest_format > DIGEST_FORMAT:
            raise Later(
                f"Version {run.version} of {run.job} was published with a later Slipway than {__version__}, "
                "which carries the runs here.",
                hint="Upgrade it, or say where the later one is installed: jupyter slipway runner start.",
            )
        if not digest(version) == version.digest == run.digest:
            raise Tampered(
                f"Version {run.version} of {run.job} is not what was registered: its digest differs.",
                hint="Somebody changed the store. Publish the cell again.",
            )
        environment = version.environment
        if environment.locked and not Path(environment.executable).is_file():
            environment = environments.build(environment, self._settings.home)
        if not Path(environment.executable).is_file():
            raise Conflict(
                f"The environment of version {run.version} is gone: {environment.executable} does not exist.",
                hint="Publish the cell again.",
            )
        lent = self._lent(run, environment.executable)
        return Prepared(
            python=environment.executable,
            module=version.module,
            own_modules=version.own_modules,
            types={one.name: (one.type, one.item) for one in version.parameters},
            directory=version.directory,
            lines=version.lines,
            environ=lent.environ,
            note=lent.note,
        )

    def fire(self, now: float) -> float | None:
        """Queue what is due; when the next is, or when to look again because a cluster lives."""
        following = self._schedules.fire(now, self._submit)
        if self._clusters is None or self._borrower is None:
            return following
        self._borrower.renew(lambda run: self._engine.get(run).state not in ENDED)
        return min(following or math.inf, now + LOOK) if self._clusters.unsettled() else following

    def _lent(self, run: Run, python: str) -> Lent:
        if not run.policy.cluster or self._borrower is None:
            return Lent({}, "")
        return self._borrower.lend(run.policy.cluster, run.id, run.author, python)

    def _submit(self, due: Sequence[Due]) -> None:
        productions = self._registry.productions({one.schedule.job for one in due})
        self._engine.submit_many([self._submission(one, productions) for one in due])

    def _submission(self, due: Due, productions: Mapping[str, Production]) -> Submission:
        schedule = due.schedule
        if schedule.job not in productions:
            raise NotFound(f"There is no job {schedule.job!r} to run by its schedule.")
        production = productions[schedule.job]
        try:
            parameters = validate(production.parameters, schedule.parameters)
        except SlipwayError as error:
            # The version in production has other parameters now: the run says so, instead of never being there.
            parameters = schedule.parameters
            print(f"schedule of {schedule.job}: {error.message}", file=sys.stderr)
        return Submission(
            schedule.job,
            production.number,
            parameters,
            digest=production.digest,
            author=f"schedule of {schedule.job}",
            policy=production.policy,
            trigger="schedule",
            schedule=schedule.id,
            due=due.at,
        )


def main() -> None:
    settings = Settings.read()
    private_directory(settings.home)
    stays = "--stay" in sys.argv
    if stays:
        runner.stop(settings.home)  # one that JupyterLab or a command started: a service takes its place
    database = Database(settings.database)
    database.create()
    engine = Engine(database, settings.home)
    events = Events()
    clusters = Manager.of(settings, database, events)
    keeper = Keeper(clusters, settings.home)
    carrier = Carrier(settings, Registry(database, events), Schedules(database), engine, clusters)
    carrying = Runner(
        database,
        settings.home,
        prepare=carrier.prepare,
        fire=carrier.fire,
        concurrency=settings.concurrency or os.cpu_count() or 1,
        idle_after=None if stays else IDLE_AFTER,
    )
    signal.signal(signal.SIGTERM, lambda *_: carrying.stop())
    keeper.start()
    try:
        carrying.run()
    except KeyboardInterrupt:
        carrying.stop()
    finally:
        keeper.stop()
    if carrying.replaced:
        sys.exit(os.EX_TEMPFAIL)  # a service manager that restarts it on failure starts the later one


if __name__ == "__main__":
    main()
