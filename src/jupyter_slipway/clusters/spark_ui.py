"""What Spark's own web pages tell as JSON: figures of a server, how far the work with a tag has come.

Blocking, with a time limit: `backends.spark_local` calls it in a thread.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from typing import Any

from jupyter_slipway.clusters.model import Progress
from jupyter_slipway.errors import Unavailable

WITHIN = 15.0
"""Seconds; the first question loads a thousand classes, on a busy machine for long."""
OPERATION = "SparkConnect_OperationTag_"
"""Begins the tag that all Spark jobs of one query carry."""


class Pages:
    def __init__(self, port: int) -> None:
        self._root = f"http://127.0.0.1:{port}/api/v1"

    def jobs(self, status: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._get(f"{self._application()}/jobs" + (status and f"?status={status}"))
        return found

    def executors(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._get(f"{self._application()}/executors")
        return found

    def progress(self, tag: str) -> Progress | None:
        running = [job for job in self.jobs("running") if has_tag(job, tag)]
        return progress(running, self.jobs() if running else [])

    def _application(self) -> str:
        return f"applications/{self._get('applications')[0]['id']}"

    def _get(self, path: str) -> Any:
        # No proxy of the environment: this is loopback.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self._root}/{path}", timeout=WITHIN) as answer:
                return json.load(answer)
        except (OSError, ValueError) as error:
            raise Unavailable(f"Spark does not tell its figures: {error}.", hint="Try again.") from error


def has_tag(job: Mapping[str, Any], tag: str) -> bool:
    """Spark writes the user's and the session's names before what the client said."""
    return any(one.endswith(f"_Tag_{tag}") for one in job.get("jobTags", ()))


def progress(running: Iterable[Mapping[str, Any]], jobs: Iterable[Mapping[str, Any]]) -> Progress | None:
    """Of the queries that the `running` jobs belong to; None: nothing runs.

    A query is several jobs, one after the other: those that are done count too, or the bar would jump back.

    Args:
        running: Spark jobs, as Spark tells them
        jobs: all Spark jobs
    """
    running = list(running)
    queries = {tag for job in running for tag in job["jobTags"] if tag.startswith(OPERATION)}
    mine = [job for job in jobs if queries.intersection(job["jobTags"])] or running
    if not running:
        return None
    return Progress(
        # A skipped task was computed by an earlier query.
        done=sum(job["numCompletedTasks"] + job["numSkippedTasks"] for job in mine),
        total=sum(job["numTasks"] for job in mine),
        stage=f"Spark job {max(job['jobId'] for job in running)}",
        failed=sum(job["numFailedTasks"] for job in mine),
    )
