"""Clusters and leases on disk: every write names the revision it changes, so that of two writers one is refused.

Owned by `manager`. A row has the cluster as people see it, and beside it what they do not: `ref`, `rev`, `counted_at`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct, structs
from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from jupyter_slipway.clusters.backends.base import Ref
from jupyter_slipway.clusters.model import Cluster, Lease
from jupyter_slipway.db import Database
from jupyter_slipway.db.tables import cluster as clusters
from jupyter_slipway.db.tables import lease as leases
from jupyter_slipway.decoding import from_json
from jupyter_slipway.errors import Conflict, NotFound


class Row(Struct, frozen=True):
    cluster: Cluster
    ref: Ref
    rev: int
    counted_at: float | None
    """Epoch seconds until when the cost is counted; None while it does not run."""


class Stale(Conflict):
    """Somebody else has changed it in between."""

    code = "stale"


class Store:
    def __init__(self, database: Database) -> None:
        self._database = database

    def together(self) -> AbstractContextManager[Any]:
        """What is read and written inside is one transaction."""
        return self._database.write()

    def add(self, cluster: Cluster) -> Row:
        """
        Raises:
            Conflict: the name is taken
        """
        try:
            with self._database.write() as connection:
                connection.execute(insert(clusters).values(name=cluster.name, rev=0, ref="{}", **_values(cluster)))
        except IntegrityError as error:
            raise Conflict(
                f"There is already a cluster {cluster.name!r}.", hint="Choose another name, or start that one."
            ) from error
        return Row(cluster, {}, 0, None)

    def get(self, name: str) -> Row:
        """
        Raises:
            NotFound: there is none
        """
        with self._database.read() as connection:
            found = connection.execute(select(clusters).where(clusters.c.name == name)).mappings().first()
        if found is None:
            raise NotFound(f"There is no cluster {name!r}.", hint="`jupyter slipway clusters` lists those there are.")
        return _row(found)

    def all(self) -> list[Row]:
        """By name."""
        with self._database.read() as connection:
            found = connection.execute(select(clusters).order_by(clusters.c.name)).mappings().all()
        return [_row(one) for one in found]

    def revisions(self) -> dict[str, int]:
        """Of every cluster: when one has changed, so has the cluster."""
        with self._database.read() as connection:
            return {row.name: row.rev for row in connection.execute(select(clusters.c.name, clusters.c.rev))}

    def live(self) -> list[str]:
        """Names of those that somebody has to look after."""
        live = select(clusters.c.name).where((clusters.c.wanted == "running") | clusters.c.state.in_(UNSETTLED))
        with self._database.read() as connection:
            return list(connection.execute(live.order_by(clusters.c.name)).scalars())

    def write(self, row: Row, cluster: Cluster, **changes: Any) -> Row:
        """Replace `row` as it was read, with `ref` or `counted_at` among the `changes`.

        Raises:
            Stale: it is not as it was read
        """
        new = structs.replace(row, cluster=cluster, rev=row.rev + 1, **changes)
        values = _values(cluster) | {"ref": _json(new.ref), "counted_at": new.counted_at, "rev": new.rev}
        same = (clusters.c.name == cluster.name) & (clusters.c.rev == row.rev)
        with self._database.write() as connection:
            done = connection.execute(update(clusters).where(same).values(values))
        if not done.rowcount:
            raise Stale(f"Somebody else has just changed {cluster.name!r}.", hint="Look at it again.")
        return new

    def delete(self, row: Row) -> None:
        """
        Raises:
            Stale: it is not as it was read
        """
        same = (clusters.c.name == row.cluster.name) & (clusters.c.rev == row.rev)
        with self._database.write() as connection:
            if not connection.execute(delete(clusters).where(same)).rowcount:
                raise Stale(f"Somebody else has just changed {row.cluster.name!r}.", hint="Look at it again.")
            connection.execute(delete(leases).where(leases.c.cluster == row.cluster.name))

    # ── leases ──────────────────────────────────────────────────────────────────────────────────────────────

    def hold(self, lease: Lease) -> None:
        """A holder has one cluster at a time: what it had before it lets go."""
        values = structs.asdict(lease) | {"renewed_at": lease.renewed_at.timestamp()}
        with self._database.write() as connection:
            connection.execute(delete(leases).where(leases.c.holder == lease.holder))
            connection.execute(insert(leases).values(values))

    def release(self, cluster: str, holders: Sequence[str]) -> None:
        with self._database.write() as connection:
            connection.execute(delete(leases).where(leases.c.cluster == cluster, leases.c.holder.in_(holders)))

    def leases(self, cluster: str | None = None) -> list[Lease]:
        query = select(leases).order_by(leases.c.cluster, leases.c.holder)
        if cluster is not None:
            query = query.where(leases.c.cluster == cluster)
        with self._database.read() as connection:
            found = connection.execute(query).mappings().all()
        return [_lease(one) for one in found]


UNSETTLED = ("starting", "running", "draining", "stopping")


def _values(cluster: Cluster) -> dict[str, Any]:
    return {
        "owner": cluster.owner,
        "backend": cluster.backend,
        "wanted": cluster.wanted,
        "state": str(cluster.state),
        "data": _json(cluster),
    }


def _row(found: RowMapping) -> Row:
    cluster = from_json(found["data"], Cluster)
    return Row(cluster, from_json(found["ref"], dict[str, Any]), found["rev"], found["counted_at"])


def _lease(found: RowMapping) -> Lease:
    renewed = datetime.fromtimestamp(found["renewed_at"], UTC)
    return Lease(found["cluster"], found["holder"], found["kind"], found["person"], renewed)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
