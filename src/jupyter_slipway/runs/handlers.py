"""Runs over REST: list, look, read their log and what they made, cancel, retry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct

from jupyter_slipway.events import Changed, Events
from jupyter_slipway.runs import logs, outputs
from jupyter_slipway.runs.engine import Engine, RunPage
from jupyter_slipway.runs.model import ENDED, Run, RunState
from jupyter_slipway.runs.outputs import Artifact
from jupyter_slipway.web import Asker, Raw


class RunQuery(Struct, frozen=True):
    job: str | None = None
    state: RunState | None = None
    after: str | None = None
    """`next` of the page before."""
    limit: int = 50


class LogQuery(Struct, frozen=True):
    offset: int = 0
    """Bytes already read."""


class LogPage(Struct, frozen=True):
    """A piece of a run's log."""

    text: str
    offset: int
    """Ask again from here."""
    end: bool
    """The run has ended and nothing follows."""
    progress: float | None = None
    progress_text: str = ""


class OutputList(Struct, frozen=True):
    items: list[dict[str, Any]]
    """nbformat outputs, in the order they were shown."""


class ArtifactList(Struct, frozen=True):
    items: tuple[Artifact, ...]


class Runs:
    """The service behind the rows of `api.ENDPOINTS` that speak of runs."""

    def __init__(self, engine: Engine, events: Events, *, job: Callable[[str], object]) -> None:
        """`job` gives the job of a name, and raises NotFound when nobody published under it."""
        self._engine, self._events, self._job = engine, events, job

    def list_runs(self, asker: Asker, query: RunQuery) -> RunPage:
        """Runs, newest first, a page at a time."""
        page = self._engine.list(job=query.job, state=query.state, after=query.after, limit=min(query.limit, 200))
        if not page.items and query.job is not None:
            self._job(query.job)  # no runs yet, or a name that is no job's
        return page

    def get_run(self, asker: Asker, run: str) -> Run:
        """One run."""
        return self._engine.get(run)

    def read_log(self, asker: Asker, run: str, query: LogQuery) -> LogPage:
        """What the run printed, from an offset on."""
        found = self._engine.get(run)
        ended = found.state in ENDED
        chunk = logs.read(self._engine.directory(run, found.attempt) / "log", query.offset, ended=ended)
        return LogPage(chunk.text, chunk.end, ended and not chunk.text, chunk.progress, chunk.progress_text)

    def list_outputs(self, asker: Asker, run: str) -> OutputList:
        """What the run showed, as in the notebook."""
        return OutputList(outputs.read(self._directory(run)))

    def list_artifacts(self, asker: Asker, run: str) -> ArtifactList:
        """Files that the run wrote."""
        return ArtifactList(tuple(outputs.artifacts(self._directory(run))))

    def read_artifact(self, asker: Asker, run: str, name: str) -> Raw:
        """One of them."""
        return Raw(outputs.artifact(self._directory(run), name))

    def cancel_run(self, asker: Asker, run: str) -> Run:
        """End a run and all the processes it started."""
        return self._changed(self._engine.cancel(run))

    def retry_run(self, asker: Asker, run: str) -> Run:
        """Queue a new run with the same version and parameters."""
        return self._changed(self._engine.retry(run, asker.name, idempotency_key=asker.idempotency_key or None))

    def _directory(self, run: str) -> Path:
        return self._engine.directory(run, self._engine.get(run).attempt)

    def _changed(self, run: Run) -> Run:
        self._events.announce(Changed("run", run.id))
        return run
