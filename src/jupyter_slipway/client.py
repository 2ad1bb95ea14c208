"""The REST API from Python: of a server by its URL, else of this machine's own store in this very process.

Commands and magics stand on it. Same endpoints, same errors, with a server or without.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from jupyter_slipway import errors
from jupyter_slipway.api import ENDPOINTS, Slipway, Status
from jupyter_slipway.clusters.handlers import (
    Attached,
    AttachmentItem,
    AttachmentList,
    AttachRequest,
    ClusterList,
    ClusterRequest,
    Deleted,
    DetachRequest,
    LogChunk,
    LogsQuery,
    PackagesRequest,
    ProfileList,
    ScaleRequest,
    SynchroniseRequest,
)
from jupyter_slipway.clusters.model import Cluster, ClusterState, Figures
from jupyter_slipway.clusters.packages import PackageComparison
from jupyter_slipway.clusters.profiles import Profile
from jupyter_slipway.decoding import from_json
from jupyter_slipway.errors import BadRequest, SlipwayError, Unavailable
from jupyter_slipway.jobs.compare import Comparison
from jupyter_slipway.jobs.handlers import (
    DiffQuery,
    JobChange,
    JobList,
    RollBack,
    RunRequest,
    ScheduleRequest,
    VersionList,
)
from jupyter_slipway.jobs.model import Job, Schedule, Version
from jupyter_slipway.publish.handlers import Published, PublishRequest
from jupyter_slipway.publish.model import Plan
from jupyter_slipway.publish.plan import PlanRequest
from jupyter_slipway.publish.proofs import ProofProgress
from jupyter_slipway.runs.background import died
from jupyter_slipway.runs.engine import RunPage
from jupyter_slipway.runs.handlers import LogPage, LogQuery, OutputList, RunQuery
from jupyter_slipway.runs.model import ENDED, Run, RunState
from jupyter_slipway.settings import Settings, local_user
from jupyter_slipway.web import PREFIX, Asker, Endpoint, encode

T = TypeVar("T")
POLL = 0.2
"""Seconds between two looks at what is under way."""


class Transport(Protocol):
    def request(self, endpoint: Endpoint, path: str, query: Mapping[str, str], body: bytes) -> Any:
        """
        Raises:
            SlipwayError: refused
        """
        ...

    def revive(self) -> None:
        """Start a runner when the one before it died: who waits for a run would wait for ever.

        Raises:
            Unavailable: it does not start
        """
        ...

    def close(self) -> None: ...


class InProcess:
    """Calls the table here, on a loop of its own, so that a kernel's or a test's loop is left alone."""

    def __init__(self, settings: Settings, root: Path) -> None:
        from jupyter_slipway.service import start

        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="slipway-client", daemon=True)
        self._thread.start()

        def start_runner() -> None:
            start(settings)

        self._home, self._start_runner = settings.home, start_runner
        self._slipway = Slipway(settings, root=root, start_runner=start_runner)

    def request(self, endpoint: Endpoint, path: str, query: Mapping[str, str], body: bytes) -> Any:
        found, params = self._slipway.table.find(endpoint.method, path)
        answering = self._slipway.table.answer(found, Asker(local_user()), params, query, body)
        return self._wait(answering).value

    def revive(self) -> None:
        if died(self._home):
            self._start_runner()

    def close(self) -> None:
        self._wait(self._slipway.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


class Http:
    """Asks a Jupyter server that has the extension.

    Raises:
        BadRequest: `url` is none of a server
    """

    def __init__(self, url: str, token: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise BadRequest(
                f"{url!r} is not the URL of a server.", hint="Say http://127.0.0.1:8888, or unset SLIPWAY_URL."
            )
        self._url, self._token = url.rstrip("/"), token

    def request(self, endpoint: Endpoint, path: str, query: Mapping[str, str], body: bytes) -> Any:
        url = f"{self._url}/{PREFIX}{path}" + (f"?{urlencode(query)}" if query else "")
        request = urllib.request.Request(url, data=body or None, method=endpoint.method)
        request.add_header("Authorization", f"token {self._token}")
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request) as response:
                return _decoded(response.read(), endpoint, self._url)
        except urllib.error.HTTPError as error:
            raise _refused(error.code, error.read()) from error
        except (OSError, HTTPException) as error:  # also one that ends while it answers
            why = getattr(error, "reason", error)
            raise Unavailable(
                f"No server answers at {self._url}: {why}.", hint="Start it, or unset SLIPWAY_URL."
            ) from error

    def revive(self) -> None:
        """The server does it."""

    def close(self) -> None:
        pass


def _decoded(content: bytes, endpoint: Endpoint, url: str) -> Any:
    """
    Raises:
        Unavailable: it is nothing that this endpoint answers, but such as a login page
    """
    try:
        return from_json(content, endpoint.returns)
    except msgspec.DecodeError as error:
        raise Unavailable(
            f"What answers at {url} is no Jupyter server with this release of Slipway.",
            hint="SLIPWAY_URL ends where the server's base URL ends, and SLIPWAY_TOKEN is its token.",
        ) from error


class Client:
    """`with Client.connect() as slipway: slipway.jobs()`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @classmethod
    def connect(cls, root: Path | None = None) -> Client:
        """The server that SLIPWAY_URL and SLIPWAY_TOKEN name, else this machine's own store."""
        if url := os.environ.get("SLIPWAY_URL"):
            return cls(Http(url, os.environ.get("SLIPWAY_TOKEN", "")))
        return cls(InProcess(Settings.read(), (root or Path.cwd()).absolute()))

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

    def status(self) -> Status:
        return self.call(Status, "get_status")

    def jobs(self) -> list[Job]:
        return self.call(JobList, "list_jobs").items

    def job(self, name: str) -> Job:
        return self.call(Job, "get_job", job=name)

    def change(self, job: str, change: JobChange) -> Job:
        return self.call(Job, "change_job", change, job=job)

    def versions(self, job: str) -> list[Version]:
        return self.call(VersionList, "list_versions", job=job).items

    def version(self, job: str, number: int | None = None) -> Version:
        """Version `number`, else the one in production."""
        return self.call(Version, "get_version", job=job, version=number or self.job(job).production)

    def diff(self, job: str, old: int, new: int) -> Comparison:
        return self.call(Comparison, "diff_versions", query=DiffQuery(old, new), job=job)

    def roll_back(self, job: str, version: int) -> Job:
        return self.call(Job, "roll_back", RollBack(version), job=job)

    def set_schedule(self, job: str, schedule: ScheduleRequest) -> Schedule:
        return self.call(Schedule, "set_schedule", schedule, job=job)

    def pause_schedule(self, job: str) -> Schedule:
        return self.call(Schedule, "pause_schedule", job=job)

    def resume_schedule(self, job: str) -> Schedule:
        return self.call(Schedule, "resume_schedule", job=job)

    def delete_schedule(self, job: str) -> Job:
        return self.call(Job, "delete_schedule", job=job)

    def plan(self, request: PlanRequest) -> Plan:
        return self.call(Plan, "plan", request)

    def prove(
        self, request: PlanRequest, progress: Callable[[str, float], None] = lambda step, fraction: None
    ) -> ProofProgress:
        """Prove a plan, and wait for the verdict. An interrupt cancels the proof."""
        proof = self.call(ProofProgress, "start_proof", request)
        try:
            while not proof.done:
                progress(proof.step, proof.fraction)
                time.sleep(POLL)
                proof = self.call(ProofProgress, "get_proof", proof=proof.id)
        except KeyboardInterrupt:
            return self.call(ProofProgress, "cancel_proof", proof=proof.id)
        return proof

    def publish(self, request: PublishRequest) -> Published:
        return self.call(Published, "publish_version", request)

    def run(self, job: str, parameters: Mapping[str, Any] | None = None, version: int | None = None) -> Run:
        return self.call(Run, "start_run", RunRequest(job, version, dict(parameters or {})))

    def runs(
        self,
        job: str | None = None,
        state: RunState | None = None,
        *,
        limit: int = 50,
        after: str | None = None,
    ) -> RunPage:
        return self.call(RunPage, "list_runs", query=RunQuery(job, state, after, limit))

    def get_run(self, run: str) -> Run:
        return self.call(Run, "get_run", run=run)

    def outputs(self, run: str) -> list[dict[str, Any]]:
        return self.call(OutputList, "list_outputs", run=run).items

    def log(self, run: str, offset: int = 0) -> LogPage:
        return self.call(LogPage, "read_log", query=LogQuery(offset), run=run)

    def follow(self, run: str) -> Iterator[LogPage]:
        """The log in chunks until the run has ended."""
        offset = 0
        while True:
            self.revive()
            chunk = self.log(run, offset)
            offset = chunk.offset
            yield chunk
            if chunk.end:
                return
            if not chunk.text:
                time.sleep(POLL)

    def cancel(self, run: str) -> Run:
        return self.call(Run, "cancel_run", run=run)

    def retry(self, run: str) -> Run:
        return self.call(Run, "retry_run", run=run)

    def clusters(self) -> list[Cluster]:
        return self.call(ClusterList, "list_clusters").items

    def cluster(self, name: str) -> Cluster:
        return self.call(Cluster, "get_cluster", cluster=name)

    def profiles(self) -> list[Profile]:
        return self.call(ProfileList, "list_profiles").items

    def new_cluster(self, request: ClusterRequest) -> Cluster:
        return self.call(Cluster, "create_cluster", request)

    def start_cluster(self, name: str) -> Cluster:
        return self.call(Cluster, "start_cluster", cluster=name)

    def stop_cluster(self, name: str) -> Cluster:
        return self.call(Cluster, "stop_cluster", cluster=name)

    def keep_cluster(self, name: str) -> Cluster:
        return self.call(Cluster, "keep_cluster", cluster=name)

    def scale_cluster(self, name: str, minimum: int, maximum: int) -> Cluster:
        return self.call(Cluster, "scale_cluster", ScaleRequest(minimum, maximum), cluster=name)

    def delete_cluster(self, name: str) -> None:
        self.call(Deleted, "delete_cluster", cluster=name)

    def figures(self, cluster: str) -> Figures:
        return self.call(Figures, "cluster_figures", cluster=cluster)

    def cluster_log(self, name: str, part: str = "", offset: int = 0) -> LogChunk:
        return self.call(LogChunk, "cluster_logs", query=LogsQuery(part, offset), cluster=name)

    def attach(self, cluster: str, holder: str, kind: Literal["kernel", "run"] = "kernel", path: str = "") -> Attached:
        return self.call(Attached, "attach_cluster", AttachRequest(holder, kind, path), cluster=cluster)

    def detach(self, cluster: str, holder: str) -> Cluster:
        return self.call(Cluster, "detach_cluster", DetachRequest(holder), cluster=cluster)

    def attachments(self) -> list[AttachmentItem]:
        return self.call(AttachmentList, "list_attachments").items

    def compare_packages(self, cluster: str, packages: dict[str, str]) -> PackageComparison:
        return self.call(PackageComparison, "compare_packages", PackagesRequest(packages), cluster=cluster)

    def synchronise_packages(self, cluster: str, packages: dict[str, str], digest: str) -> PackageComparison:
        return self.call(
            PackageComparison, "synchronise_packages", SynchroniseRequest(packages, digest), cluster=cluster
        )

    def dashboard(self, cluster: str) -> str:
        """Its path on the server that a browser has this notebook from; '' when there is none, or it is not known."""
        base = _base_url()
        if not base or not self.cluster(cluster).dashboard:
            return ""
        return f"{base.rstrip('/')}/slipway/clusters/{quote(cluster)}/dashboard/"

    def settle(self, cluster: str, progress: Callable[[Cluster], None] = lambda cluster: None) -> Cluster:
        """The cluster, once it has stopped starting or stopping."""
        while True:
            found = self.cluster(cluster)
            progress(found)
            if found.state not in (ClusterState.STARTING, ClusterState.STOPPING):
                return found
            time.sleep(POLL)

    def revive(self) -> None:
        """To be called while one waits for a run: see `Transport.revive`."""
        self._transport.revive()

    def wait(self, run: str, progress: Callable[[Run], None] = lambda run: None) -> Run:
        """The run, once it has ended."""
        while True:
            self.revive()
            found = self.get_run(run)
            progress(found)
            if found.state in ENDED:
                return found
            time.sleep(POLL)

    def call(self, returns: type[T], name: str, /, body: Any = None, *, query: Any = None, **params: Any) -> T:
        """The endpoint `name`, such as 'get_job', with what stands in its path as keywords.

        Raises:
            SlipwayError: refused
        """
        endpoint = BY_NAME[name]
        asked = msgspec.to_builtins(query) if query is not None else {}
        texts = {key: str(value) for key, value in asked.items() if value is not None}
        try:
            path = re.sub(r"{(\w+)}", lambda found: quote(str(params[found[1]]), safe=""), endpoint.path)
            payload = encode(body) if body is not None else b""
            urlencode(texts)
        except UnicodeEncodeError as error:  # bytes of a command line that are no UTF-8 come as half surrogates
            raise BadRequest(f"{error.object!r} is no text: it holds bytes that are not UTF-8.") from error
        value = self._transport.request(endpoint, path, texts, payload)
        assert isinstance(value, returns)
        return value


BY_NAME = {endpoint.name: endpoint for endpoint in ENDPOINTS}


def _refused(status: int, body: bytes) -> SlipwayError:
    try:
        said = json.loads(body)
        message, hint = str(said["message"]), str(said.get("hint") or "")
    except (ValueError, KeyError, TypeError):
        message, hint = f"The server answered {status}, not as Slipway would.", "See SLIPWAY_URL and the server's log."
    for kind in SlipwayError.__subclasses__():
        if kind.status == status:
            return kind(message, hint=hint)
    return errors.SlipwayError(message, hint=hint)


def _base_url() -> str:
    """Path of the Jupyter server that this process is a kernel of; '' when that is not known."""
    if url := os.environ.get("SLIPWAY_URL"):
        return urlsplit(url).path or "/"
    if prefix := os.environ.get("JUPYTERHUB_SERVICE_PREFIX"):
        return prefix
    from jupyter_core.paths import jupyter_runtime_dir

    server = Path(jupyter_runtime_dir(), f"jpserver-{os.environ.get('JPY_PARENT_PID', '')}.json")
    with suppress(OSError, ValueError, KeyError):
        return str(json.loads(server.read_text())["base_url"])
    return ""
