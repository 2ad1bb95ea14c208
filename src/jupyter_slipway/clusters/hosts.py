"""The process that holds one cluster, from outside: what it is to make, starting it, asking it.

It is `host`; backends of `backends.hosted` stand on this. Nothing here imports an engine.

clusters/<name>/
├── launch.json     what to make (`Launch`)
├── record.json     where the host is reached (`hosting.Record`)
├── ended.json      how it ended, when it could still say so (`Ended`)
├── host.log        what the host, the scheduler in it and worker processes printed
├── workers.log
├── tls/            certificates, mode 0600
└── leases/         a file a holder, touched while it lives
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from jupyter_slipway import hosting
from jupyter_slipway.clusters.model import Workers
from jupyter_slipway.decoding import from_json
from jupyter_slipway.errors import NotFound, SlipwayError, Unavailable, Unprocessable
from jupyter_slipway.files import atomic_write, private_directory

LAUNCH = "launch.json"
ENDED = "ended.json"
LEASES = "leases"
WORKERS_LOG = "workers.log"
ENTRY = (sys.executable, "-m", "jupyter_slipway.clusters.host")
ANSWER_WITHIN = 10.0
"""Seconds; a scheduler under tens of thousands of tasks answers late, not never."""
LONGEST = 64 * 2**20
"""Bytes of one answer."""
ATTACHED = (
    "DASK_SCHEDULER_ADDRESS",
    "DASK_CLIENT_NAME",
    "DASK_DISTRIBUTED__COMM__",
    "SPARK_REMOTE",
    "SPARK_CONNECT_MODE_ENABLED",
    "SPARK_CONNECT_AUTHENTICATE_TOKEN",
    "SLIPWAY_LEASE",
    "SLIPWAY_KERNEL_DIR",
)
"""How the names of variables begin that a kernel has from its host and its cluster."""


class Launch(Struct, frozen=True):
    """launch.json: what the host makes and holds."""

    name: str
    holds: Literal["cluster", "address"] = "cluster"
    """A cluster it makes, or a scheduler that somebody else made and it only speaks with."""
    module: str = ""
    cls: str = ""
    """Any class of `distributed.deploy`'s kind in `module`."""
    kwargs: dict[str, Any] = {}
    """For it, as JSON. '{directory}' in texts is the cluster's directory."""
    workers: Workers = Workers(0, 0)
    wait_for: int = 1
    """It runs as soon as so many workers are there: 0 where a queue may let them wait for hours."""
    tls: bool = True
    """Make certificates for this cluster alone."""
    address: str = ""
    certificates: dict[str, str] = {}
    """Paths of 'ca', 'cert', 'key' for `address`."""


class Ended(Struct, frozen=True):
    """ended.json: the host's last word."""

    state: Literal["stopped", "failed"]
    reason: str
    boot: str = ""


class Silent(Unavailable):
    """A host that lives, perhaps, and does not answer in time: nothing is known of what it was asked."""


class Answer(Struct, frozen=True):
    """What a host answers to one request."""

    nonce: str
    value: Any = None
    error: str = ""
    kind: str = ""
    """Of the error: 'not_found', 'unprocessable', 'unavailable'."""


ERRORS: dict[str, type[SlipwayError]] = {
    "not_found": NotFound,
    "unprocessable": Unprocessable,
    "unavailable": Unavailable,
}


def start(directory: Path, launch: Launch) -> hosting.Record:
    """The host of `directory`: the one that lives, else a new one. Returns long before its cluster runs.

    Raises:
        Unavailable: it does not come up
    """
    found = hosting.read(directory)
    if found is not None and hosting.alive(found):
        return found
    private_directory(directory)
    (directory / ENDED).unlink(missing_ok=True)
    atomic_write(directory / LAUNCH, msgspec.json.encode(launch))
    return hosting.spawn(directory, [*ENTRY, str(directory)], environ=without_cluster(os.environ))


def without_cluster(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` for a process of its own, started from a kernel that is attached to a cluster."""
    kept = {name: value for name, value in environ.items() if not name.startswith(ATTACHED)}
    kept.pop("SLIPWAY_CLUSTER", None)
    return kept


def ended(directory: Path) -> Ended | None:
    with suppress(OSError, msgspec.MsgspecError):
        return from_json((directory / ENDED).read_bytes(), Ended)
    return None


async def ask(record: hosting.Record, op: str, *, within: float | None = None, **arguments: Any) -> Any:
    """What the host answers to `op`; see `host.Host`.

    Raises:
        SlipwayError: what the host refused
        Unavailable: it does not answer in time, or another process answers in its place
    """
    try:
        async with asyncio.timeout(within or ANSWER_WITHIN):
            content = await _exchange(record, msgspec.json.encode({"token": record.token, "op": op, **arguments}))
        answer = from_json(content, Answer)
    except (OSError, TimeoutError, EOFError, msgspec.MsgspecError) as error:
        raise Silent(
            f"The cluster's host (process {record.pid}) does not answer: {_why(error)}.",
            hint="Try again; if it goes on, stop the cluster and start it again.",
        ) from error
    if answer.nonce != record.nonce:
        raise Unavailable("Another process answers in the place of the cluster's host.", hint="Start it again.")
    if answer.error:
        raise ERRORS.get(answer.kind, Unavailable)(answer.error)
    return answer.value


def _why(error: BaseException) -> str:
    return "it said nothing in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__


async def _exchange(record: hosting.Record, request: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(record.endpoint, limit=LONGEST)
    try:
        writer.write(request + b"\n")
        return await reader.readuntil(b"\n")
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
