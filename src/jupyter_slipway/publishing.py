"""A notebook file, a cell and texts that a person typed, as requests of the API. For `cli`, `magics`, `demo`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET

from jupyter_slipway.client import Client
from jupyter_slipway.clusters.model import ClusterState
from jupyter_slipway.errors import BadRequest, Conflict, NotFound, Unavailable
from jupyter_slipway.files import atomic_write
from jupyter_slipway.ids import new_id
from jupyter_slipway.jobs.handlers import JobChange
from jupyter_slipway.jobs.model import Job, Version
from jupyter_slipway.kernels import startup
from jupyter_slipway.publish import kernel
from jupyter_slipway.publish.handlers import PublishRequest
from jupyter_slipway.publish.parameters import from_text, parse_setting, validate
from jupyter_slipway.publish.plan import NotebookCell, PlanRequest, result_names
from jupyter_slipway.publish.source import choose, read_notebook


def request(
    client: Client,
    notebook: Path,
    cell: str,
    *,
    name: str,
    settings: Sequence[str] = (),
    execute: bool = False,
    cluster: str | None = None,
    progress: Callable[[str, float], None] = lambda step, fraction: None,
) -> PlanRequest:
    """A request to plan a cell of a file; with `execute`, after the notebook was run up to it.

    It is run in a kernel that uses `cluster`, else the job's.

    Raises:
        SlipwayError: there is no such notebook or cell, a cell before it failed, or the cluster does not run
    """
    file = read_notebook(notebook)
    chosen = choose(file, cell)
    path = notebook.absolute()
    root = Path(client.status().root)
    asked = PlanRequest(
        notebook=str(path.relative_to(root)) if path.is_relative_to(root) else str(path),
        cells=[NotebookCell(one.id, one.source, one.name) for one in file.cells],
        cell=chosen.id,
        name=name,
        edits=[parse_setting(setting) for setting in settings],
        cluster=cluster,
    )
    if not execute:
        return asked
    names = result_names(asked)
    with _computing(client, _cluster(client, asked), progress) as first:
        ran = asyncio.run(
            kernel.run_up_to(
                file.cells,
                chosen.index,
                kernel_name=file.kernel_name,
                directory=path.parent,
                first=first,
                names=names,
                progress=progress,
            )
        )
    return msgspec.structs.replace(asked, snapshot=ran.snapshot, outputs=ran.outputs[-1])


def _cluster(client: Client, asked: PlanRequest) -> str:
    if asked.cluster is None and asked.name:
        with suppress(NotFound):
            return client.job(asked.name).policy.cluster
    return asked.cluster or ""


@contextmanager
def _computing(client: Client, cluster: str, progress: Callable[[str, float], None]) -> Iterator[str]:
    """Code that lets a kernel use the cluster, which is started if need be and held meanwhile; '' of none."""
    if not cluster:
        yield ""
        return
    if client.cluster(cluster).state in (ClusterState.STOPPED, ClusterState.FAILED):
        client.start_cluster(cluster)
    found = client.settle(cluster, lambda one: progress(f"waiting for the cluster {cluster}", one.progress or 0.0))
    if found.state in (ClusterState.STOPPED, ClusterState.FAILED):
        raise Conflict(f"The cluster {cluster} is {found.state}: {found.reason}.", hint="See its logs.")
    holder = new_id("publish")
    given = client.attach(cluster, holder).attachment
    try:
        yield startup.code(given.environ, given.code)
    finally:
        client.detach(cluster, holder)


def registration(
    asked: PlanRequest, *, note: str = "", proof_id: str | None = None, cluster: str | None = None
) -> PublishRequest:
    fields = {field: getattr(asked, field) for field in asked.__struct_fields__}
    if cluster is not None:
        fields["cluster"] = cluster
    return PublishRequest(**fields, note=note, proof_id=proof_id)


def change(job: Job, given: Mapping[str, Any]) -> JobChange | None:
    """What `given`, with None for what is to stay, changes of a job."""
    wanted = {name: value for name, value in given.items() if value is not None}
    if not wanted:
        return None
    policy = {name: wanted.pop(name) for name in ("timeout", "attempts", "backoff", "cluster") if name in wanted}
    return JobChange(**wanted, policy=msgspec.structs.replace(job.policy, **policy) if policy else UNSET)


def export(version: Version, folder: Path) -> list[Path]:
    """Write what `version` runs as plain files.

    Raises:
        Conflict: one of them is there already, and is another
        Unavailable: they cannot be written
    """
    name = f"{version.job.replace('-', '_')}.py"
    contents = {name: version.module, **version.own_modules}
    if version.environment.lock:
        contents["requirements.txt"] = version.environment.lock
    written = {folder / path: content.encode() for path, content in contents.items()}
    for path, content in written.items():
        if path.exists() and path.read_bytes() != content:
            raise Conflict(f"{path} is there already, and is another.", hint="Say --folder, or move it away.")
    try:
        for path, content in written.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(path, content)
    except OSError as error:
        raise Unavailable(f"{folder} cannot be written: {error}.", hint="Say another --folder.") from error
    return list(written)


def parameters(version: Version, settings: Sequence[str]) -> dict[str, Any]:
    """`NAME=VALUE` texts as values of the version's parameters.

    Raises:
        BadRequest: a text has no '='
        Unprocessable: no such parameter, or not of its type
    """
    known = {one.name: one for one in version.parameters}
    values = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise BadRequest(f"{setting!r} sets nothing.", hint="Say NAME=VALUE, for example month=6.")
        if name not in known:
            validate(version.parameters, {name: text})  # refuses, naming those there are
        values[name] = from_text(known[name], text)
    return values
