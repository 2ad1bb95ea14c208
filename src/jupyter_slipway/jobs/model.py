"""Jobs and their versions: a registered name, and what was published under it once and never changes."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct

from jupyter_slipway.errors import BadRequest
from jupyter_slipway.publish.model import CellPlan, Environment, LineMapping, Parameter, Proof
from jupyter_slipway.runs.model import Policy

NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
CatchUp = Literal["skip", "latest", "all"]
DIGEST_FORMAT = 1
"""Of `digest`: raised when it covers what an earlier release does not know, and would take for tampering."""


class Revision(Struct, frozen=True):
    """The state of the notebook's repository when the cell was published."""

    commit: str
    dirty: bool
    branch: str = ""


class Version(Struct, frozen=True):
    """What was published once: number, source, code, parameters, environment, proof."""

    job: str
    number: int
    notebook: str
    cell: str
    module: str
    parameters: tuple[Parameter, ...]
    environment: Environment
    author: str
    created_at: datetime
    digest: str
    digest_format: int = 1
    cells: tuple[CellPlan, ...] = ()
    lines: tuple[LineMapping, ...] = ()
    outputs: tuple[str, ...] = ()
    own_modules: dict[str, str] = {}
    schema: dict[str, Any] = {}
    """JSON Schema of the parameters."""
    proof: Proof | None = None
    revision: Revision | None = None
    note: str = ""
    directory: str = ""
    """Where it runs: the notebook's folder, so that relative paths mean what they meant."""
    fingerprint: str = ""


class Schedule(Struct, frozen=True):
    """When a job runs by itself."""

    id: str
    job: str
    cron: str
    tz: str
    enabled: bool
    catch_up: CatchUp
    next_due: datetime | None
    words: str = ""
    upcoming: tuple[datetime, ...] = ()
    parameters: dict[str, Any] = {}
    missed: int = 0
    """How many due times passed while nothing ran, and were not made up."""
    cap: int = 10
    """With catch_up 'all': at most this many runs are made up."""


class LastRun(Struct, frozen=True):
    id: str
    state: str
    duration: float | None
    queued_at: datetime


class Job(Struct, frozen=True):
    name: str
    owner: str
    production: int
    """The version that runs when none is named."""
    latest: int
    created_at: datetime
    deputy: str = ""
    description: str = ""
    notebook: str = ""
    cell: str = ""
    schedule: Schedule | None = None
    recent: tuple[LastRun, ...] = ()
    """Newest first, at most 30."""
    fingerprint: str = ""
    """Of the latest version."""
    policy: Policy = Policy()
    """How its runs are carried when they do not say."""


def job_name(name: str) -> str:
    """`name` itself when it can be a job's.

    Raises:
        BadRequest: it cannot; the message says what can
    """
    if len(name) <= 63 and NAME.fullmatch(name):
        return name
    shown = name if len(name) <= 40 else f"{name[:37]}… ({len(name)} characters)"
    raise BadRequest(
        f"{shown!r} cannot be a job's name.",
        hint="Start with a letter, then lower-case letters, digits and single hyphens, 63 at most: 'churn-daily'.",
    )


def digest(version: Version) -> str:
    """sha256 over canonical JSON of all that decides what the version does, as 64 hex digits."""
    decides = {
        "module": version.module,
        "own_modules": version.own_modules,
        "parameters": [_deciding(one) for one in version.parameters],
        "schema": version.schema,
        "lock": version.environment.lock,
        "packages": msgspec.to_builtins(version.environment.packages),
        "python": version.environment.python,
        "directory": version.directory,
    }
    return hashlib.sha256(msgspec.json.encode(decides, order="deterministic")).hexdigest()


def _deciding(parameter: Parameter) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(parameter)
    if not parameter.choices:  # versions from before there were choices keep their digest
        del fields["choices"]
    return fields
