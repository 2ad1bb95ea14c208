"""Clusters, leases, kernels, executions, grants."""

from alembic import op

from jupyter_slipway.db import tables

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    names = ("cluster", "lease", "kernel", "execution", "grant")
    tables.metadata.create_all(op.get_bind(), tables=[tables.metadata.tables[name] for name in names])
