"""The tables, as SQLAlchemy Core. Times are epoch seconds, structured values JSON texts.

Read and written by the modules that own them: `jobs` has job, version and schedule; `runs` run, attempt and runner;
`clusters` cluster and lease; `kernels` kernel, execution and grant.
"""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

job = Table(
    "job",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("owner", String(255), nullable=False),
    Column("deputy", String(255), nullable=False, default="", server_default=""),
    Column("description", Text, nullable=False, default="", server_default=""),
    Column("created_at", Float(53), nullable=False),
    Column("latest", Integer, nullable=False),
    Column("production", Integer, nullable=False),
    Column("data", Text),
    Column("policy", Text, nullable=False, default="{}", server_default="{}"),
)

version = Table(
    "version",
    metadata,
    Column("job", String(63), nullable=False),
    Column("number", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("author", String(255), nullable=False),
    Column("created_at", Float(53), nullable=False),
    Column("fingerprint", String(255), nullable=False, default="", server_default=""),
    Column("data", Text, nullable=False),  # jobs.model.Version
    PrimaryKeyConstraint("job", "number"),
    UniqueConstraint("job", "digest"),
)

schedule = Table(
    "schedule",
    metadata,
    Column("id", String(63), primary_key=True),
    Column("job", String(63), nullable=False, index=True),
    Column("cron", String(255), nullable=False),
    Column("tz", String(64), nullable=False),
    Column("enabled", Integer, nullable=False, default=1),
    Column("catch_up", String(16), nullable=False, default="latest"),
    Column("cap", Integer, nullable=False, default=10),
    Column("missed", Integer, nullable=False, default=0),
    Column("parameters", Text, nullable=False, default="{}"),
    Column("next_due", Float(53)),
    Column("rev", Integer, nullable=False, default=0),  # raised by every write: the compare-and-set's token
    Index("ix_schedule_due", "enabled", "next_due"),
)

run = Table(
    "run",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("job", String(63), nullable=False),
    Column("version", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("queued_at", Float(53), nullable=False),
    Column("started_at", Float(53)),
    Column("ended_at", Float(53)),
    Column("ready", Float(53), nullable=False),  # not claimed before: the back-off
    Column("attempt", Integer, nullable=False, default=0),
    Column("attempts", Integer, nullable=False, default=1),  # tries in all
    Column("owner", String(128)),  # the runner that has it
    Column("host", String(255)),
    Column("fence", Integer, nullable=False, default=0),  # raised by each claim and take-over
    Column("cancel", Integer, nullable=False, default=0),
    Column("idempotency_key", String(255)),
    Column("schedule", String(63)),
    Column("due", Float(53)),
    Column("parameters", Text, nullable=False, default="{}"),
    Column("policy", Text, nullable=False, default="{}"),
    Column("value", Text),
    Column("error", Text),
    Column("digest", String(64), nullable=False, default=""),
    Column("author", String(255), nullable=False, default=""),
    Column("trigger", String(16), nullable=False, default="manual"),
    Column("progress", Float(53)),
    Column("progress_text", String(255), nullable=False, default=""),
    Column("cpu_seconds", Float(53)),
    Column("peak_memory", Float(53)),
    Column("duration", Float(53)),
    Column("retry_of", String(40)),
    UniqueConstraint("idempotency_key"),
    UniqueConstraint("schedule", "due"),
    # Every listing is a keyset page, newest first: each filter has the index that is already in its order.
    Index("ix_run_newest", "queued_at", "id"),
    Index("ix_run_job", "job", "queued_at", "id"),
    Index("ix_run_state", "state", "queued_at", "id"),
    Index("ix_run_job_state", "job", "state", "queued_at", "id"),
    Index("ix_run_ready", "state", "ready"),
    Index("ix_run_owner", "owner", "state"),
)

attempt = Table(
    "attempt",
    metadata,
    Column("run", String(40), nullable=False),
    Column("number", Integer, nullable=False),
    Column("started_at", Float(53), nullable=False),
    Column("ended_at", Float(53)),
    Column("outcome", String(16), nullable=False, default=""),  # how it ended, or '' while it runs
    Column("code", Integer),
    Column("error", Text),
    Column("host", String(255)),
    PrimaryKeyConstraint("run", "number"),
)

runner = Table(
    "runner",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("host", String(255), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("beat", Integer, nullable=False),  # counts; compared with the observer's own monotonic clock
    Column("started_at", Float(53), nullable=False),
    Column("seen_at", Float(53), nullable=False),  # for people only
)

cluster = Table(
    "cluster",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("owner", String(255), nullable=False),
    Column("backend", String(32), nullable=False),
    Column("wanted", String(16), nullable=False),  # running or stopped
    Column("state", String(16), nullable=False),
    Column("ref", Text, nullable=False, default="{}", server_default="{}"),  # how the backend finds it again
    Column("rev", Integer, nullable=False, default=0),  # raised by every write: the compare-and-set's token
    Column("counted_at", Float(53)),  # until when its cost is counted; NULL while it does not run
    Column("data", Text, nullable=False),  # clusters.model.Cluster
)

lease = Table(
    "lease",
    metadata,
    Column("cluster", String(63), nullable=False),
    Column("holder", String(80), nullable=False),  # the id of a kernel, a run or a proof
    Column("kind", String(16), nullable=False),  # kernel, run or proof
    Column("person", String(255), nullable=False),
    Column("renewed_at", Float(53), nullable=False),
    PrimaryKeyConstraint("cluster", "holder"),
)

kernel = Table(
    "kernel",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("spec", String(255), nullable=False),
    Column("owner", String(255), nullable=False),
    Column("path", Text, nullable=False, default="", server_default=""),  # of its notebook, absolute
    Column("cluster", String(63)),
    Column("started_at", Float(53), nullable=False),
    Column("ended_at", Float(53)),
    Column("reason", Text, nullable=False, default="", server_default=""),  # why it ended
    Column("data", Text, nullable=False, default="{}", server_default="{}"),
)

execution = Table(
    "execution",
    metadata,
    Column("kernel", String(40), nullable=False),
    Column("id", String(80), nullable=False),  # the request's msg_id
    Column("number", Integer, nullable=False),  # the kernel's journal's sequence number of its request
    Column("person", String(255), nullable=False),
    Column("cell", String(80), nullable=False, default="", server_default=""),
    Column("code", Text, nullable=False),
    Column("count", Integer),
    Column("status", String(16), nullable=False),
    Column("queued_at", Float(53), nullable=False),
    Column("started_at", Float(53)),
    Column("ended_at", Float(53)),
    Column("data", Text, nullable=False, default="{}", server_default="{}"),
    PrimaryKeyConstraint("kernel", "id"),
    Index("ix_execution_number", "kernel", "number"),
    Index("ix_execution_person", "person", "queued_at"),
)

grant = Table(
    "grant",
    metadata,
    Column("kind", String(16), nullable=False),  # of the object: kernel or cluster
    Column("object", String(80), nullable=False),
    Column("person", String(255), nullable=False),  # '*' is everybody
    Column("role", String(16), nullable=False),
    Column("given_by", String(255), nullable=False),
    Column("given_at", Float(53), nullable=False),
    PrimaryKeyConstraint("kind", "object", "person"),
)
