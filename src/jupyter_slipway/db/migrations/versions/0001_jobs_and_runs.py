"""Jobs, versions, schedules, runs, attempts, runners."""

from alembic import op

from jupyter_slipway.db import tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    names = ("job", "version", "schedule", "run", "attempt", "runner")
    # Named one by one: a later migration's table must not appear with this one.
    tables.metadata.create_all(op.get_bind(), tables=[tables.metadata.tables[name] for name in names])
