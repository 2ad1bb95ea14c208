"""The registered jobs: numbers each published version and remembers it, whole or not at all.

Reached from the handlers of `jobs` and `publish`, and from the runner; announces what changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Row, func, select

from jupyter_slipway.db import Database, tables
from jupyter_slipway.decoding import from_json
from jupyter_slipway.errors import Conflict, NotFound
from jupyter_slipway.events import Changed, Events
from jupyter_slipway.jobs.model import DIGEST_FORMAT, Job, Version, digest, job_name
from jupyter_slipway.publish.model import Parameter
from jupyter_slipway.runs.model import Policy

job_table, version_table = tables.job, tables.version

KNOWN = 10_000
"""Versions whose parameters are remembered, at most."""
LARGEST = 2**31 - 1
"""That a version's number can be in every store."""


class Source(Struct, frozen=True):
    """Where a job's latest version came from: kept with the job so that a listing reads no modules."""

    notebook: str = ""
    cell: str = ""
    fingerprint: str = ""


class Registered(Struct, frozen=True):
    """What publishing did."""

    version: Version
    created: bool
    """False: this content was published before, as this version."""
    proved: bool = False
    """What was published before without a verdict has one now."""


class Production(Struct, frozen=True):
    """What a job runs when no version is named."""

    number: int
    digest: str
    parameters: tuple[Parameter, ...]
    policy: Policy


class Registry:
    def __init__(self, database: Database, events: Events, *, clock: Callable[[], float] = time.time) -> None:
        self._database, self._events, self._clock = database, events, clock
        self._parameters: dict[str, tuple[Parameter, ...]] = {}

    def publish(self, draft: Version, *, description: str | None = None) -> Registered:
        """Number `draft` and keep it. The same content under the same name is kept once.

        A verdict on content that has none yet is kept with its version: it says nothing of another content.
        `production` follows, unless the proof found that the module differs from the notebook.

        Raises:
            BadRequest: its job's name cannot be one
        """
        name = job_name(draft.job)
        draft = msgspec.structs.replace(draft, digest=digest(draft), digest_format=DIGEST_FORMAT)
        with self._database.write() as connection:
            known = connection.execute(
                select(version_table.c.data).where(version_table.c.job == name, version_table.c.digest == draft.digest)
            ).scalar()
            if known is None:
                registered = Registered(self._add(connection, draft, description), created=True)
            else:
                registered = _proved(connection, _version(known), draft)
        if registered.created or registered.proved:
            self._events.announce(Changed("job", name))
        return registered

    def _add(self, connection: Connection, draft: Version, description: str | None) -> Version:
        name, now = draft.job, self._clock()
        number = 1 + (
            connection.execute(select(func.max(version_table.c.number)).where(version_table.c.job == name)).scalar()
            or 0
        )
        version = msgspec.structs.replace(draft, number=number, created_at=datetime.fromtimestamp(now, UTC))
        source = Source(version.notebook, version.cell, version.fingerprint)
        values: dict[str, Any] = {"latest": number, "data": msgspec.json.encode(source).decode()}
        if number == 1:
            connection.execute(
                job_table.insert().values(
                    name=name,
                    owner=version.author,
                    description=description or "",
                    created_at=now,
                    production=1,
                    **values,
                )
            )
        else:
            if description is not None:
                values["description"] = description
            if version.proof is None or version.proof.verdict != "differs":
                values["production"] = number
            connection.execute(job_table.update().where(job_table.c.name == name).values(**values))
        connection.execute(
            version_table.insert().values(
                job=name,
                number=number,
                digest=version.digest,
                author=version.author,
                created_at=now,
                fingerprint=version.fingerprint,
                data=msgspec.json.encode(version).decode(),
            )
        )
        return version

    def jobs(self) -> list[Job]:
        """All of them by name, without schedules and runs."""
        with self._database.read() as connection:
            rows = connection.execute(select(job_table).order_by(job_table.c.name)).all()
        return [_job(row) for row in rows]

    def job(self, name: str) -> Job:
        """
        Raises:
            NotFound: nobody published under this name
        """
        with self._database.read() as connection:
            row = connection.execute(select(job_table).where(job_table.c.name == name)).first()
        if row is None:
            raise self._unknown(name)
        return _job(row)

    def versions(self, name: str) -> list[Version]:
        """Newest first.

        Raises:
            NotFound: nobody published under this name
        """
        with self._database.read() as connection:
            rows = connection.execute(
                select(version_table.c.data).where(version_table.c.job == name).order_by(version_table.c.number.desc())
            ).scalars()
            found = [_version(data) for data in rows]
        if not found:
            raise self._unknown(name)
        return found

    def version(self, name: str, number: int | None = None) -> Version:
        """Version `number`, else the one in production.

        Raises:
            NotFound: no such job, or no such version of it
        """
        with self._database.read() as connection:
            query = select(version_table.c.data).where(version_table.c.job == name)
            if number is None:
                query = query.join(job_table, job_table.c.name == version_table.c.job).where(
                    version_table.c.number == job_table.c.production
                )
            else:
                query = query.where(version_table.c.number == number)
            # A larger one is none of ours, and SQLite would not even be asked for it.
            data = connection.execute(query).scalar() if (number or 0) <= LARGEST else None
        if data is None:
            latest = self.job(name).latest
            raise NotFound(f"Job {name!r} has no version {number}.", hint=f"It has versions 1 to {latest}.")
        return _version(data)

    def productions(self, names: Collection[str]) -> dict[str, Production]:
        """What each of these jobs has in production; a name that is no job's is left out.

        A version's text is only read when its parameters are not known yet: 200 schedules may be due at once.
        """
        version, production = version_table.c, job_table.c.production
        with self._database.read() as connection:
            rows = connection.execute(
                select(job_table.c.name, job_table.c.policy, version.number, version.digest)
                .join(version_table, (version.job == job_table.c.name) & (version.number == production))
                .where(job_table.c.name.in_(names))
            ).all()
            self._learn(connection, {row.digest for row in rows})
        return {
            row.name: Production(
                row.number,
                row.digest,
                self._parameters[row.digest],
                from_json(row.policy, Policy),
            )
            for row in rows
        }

    def _learn(self, connection: Connection, digests: Collection[str]) -> None:
        """Know the parameters of the versions with these digests, which cover them: they never change."""
        if len(self._parameters) > KNOWN:
            self._parameters.clear()
        unknown = [digest for digest in digests if digest not in self._parameters]
        if unknown:
            query = select(version_table.c.digest, version_table.c.data).where(version_table.c.digest.in_(unknown))
            for row in connection.execute(query):
                self._parameters[row.digest] = from_json(row.data, _Parametrised).parameters

    def roll_back(self, name: str, number: int) -> Job:
        """Make version `number` the one that runs when none is named.

        Raises:
            NotFound: no such job or version
            Conflict: it is in production already
        """
        self.version(name, number)
        with self._database.write() as connection:
            moved = connection.execute(
                job_table.update()
                .where(job_table.c.name == name, job_table.c.production != number)
                .values(production=number)
            ).rowcount
        if not moved:
            raise Conflict(f"Version {number} of {name!r} is in production already.")
        self._events.announce(Changed("job", name))
        return self.job(name)

    def change(self, name: str, *, policy: Policy | None = None, **changes: str) -> Job:
        """Set owner, deputy, description or how its runs are carried.

        Raises:
            NotFound: nobody published under this name
            Unprocessable: the policy cannot be carried out
        """
        self.job(name)
        if policy is not None:
            changes["policy"] = msgspec.json.encode(policy.checked()).decode()
        if changes:
            with self._database.write() as connection:
                connection.execute(job_table.update().where(job_table.c.name == name).values(**changes))
            self._events.announce(Changed("job", name))
        return self.job(name)

    def _unknown(self, name: str) -> NotFound:
        names = [job.name for job in self.jobs()]
        if close := get_close_matches(name[:100], names):
            hint = f"Did you mean {', '.join(close)}?"
        elif names:
            hint = f"There are: {', '.join(names[:10])}{' …' if len(names) > 10 else ''}."
        else:
            hint = "No job was published yet."
        return NotFound(f"There is no job {name!r}.", hint=hint)


class _Parametrised(Struct):
    """The part of a stored version that `productions` needs; the rest is skipped unread."""

    parameters: tuple[Parameter, ...]


def _job(row: Row[Any]) -> Job:
    source = from_json(row.data, Source) if row.data else Source()
    return Job(
        name=row.name,
        owner=row.owner,
        production=row.production,
        latest=row.latest,
        created_at=datetime.fromtimestamp(row.created_at, UTC),
        deputy=row.deputy,
        description=row.description,
        notebook=source.notebook,
        cell=source.cell,
        fingerprint=source.fingerprint,
        policy=from_json(row.policy, Policy),
    )


def _decided(version: Version) -> bool:
    """Whether a proof has found that it gives the same, or that it does not."""
    return version.proof is not None and version.proof.verdict != "not comparable"


def _proved(connection: Connection, version: Version, draft: Version) -> Registered:
    """`version`, with the verdict on its content that `draft` brings where it has none."""
    if not _decided(draft) or _decided(version):
        return Registered(version, created=False)
    version = msgspec.structs.replace(version, proof=draft.proof)
    connection.execute(
        version_table.update()
        .where(version_table.c.job == version.job, version_table.c.number == version.number)
        .values(data=msgspec.json.encode(version).decode())
    )
    return Registered(version, created=False, proved=True)


def _version(data: str) -> Version:
    return from_json(data, Version)
