"""The database: one short write at a time, readers that never wait. SQLite now, PostgreSQL by its URL.

Built first in `app.build()` (and in the runner), then given to whatever stores something.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url

BUSY_TIMEOUT = 30.0
"""Seconds a writer waits for another before it gives up."""


class Database:
    """Connections to the store at `url`, e.g. 'sqlite:////home/me/slipway/slipway.db'."""

    def __init__(self, url: str) -> None:
        self.url = url
        parsed = make_url(url)
        self.sqlite = parsed.get_backend_name() == "sqlite"
        self.path = Path(parsed.database) if self.sqlite and parsed.database else None
        self._thread = threading.local()
        self.engine = _sqlite(url) if self.sqlite else create_engine(url, pool_pre_ping=True)

    def create(self) -> None:
        """Bring the schema to its newest state. Any number of processes may call it at once."""
        if self.path is None:
            self._upgrade()
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(f"{self.path}.lock", "w") as lock:
            os.chmod(lock.fileno(), 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._upgrade()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that holds the write lock from its start; kept at the end, undone on an error.

        Inside another one of the same thread it is a part of that: kept or undone with it, and one with an
        error is undone alone.
        """
        outer = self._writing
        if outer is not None:
            with outer.begin_nested():
                yield outer
            return
        with self.engine.connect() as connection, connection.begin():
            self._thread.writing = connection
            try:
                yield connection
            finally:
                self._thread.writing = None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view; on SQLite it neither waits for a writer nor makes one wait.

        Inside `write()` of the same thread it sees what that has written.
        """
        if self._writing is not None:
            yield self._writing
            return
        with self.engine.connect() as connection:
            reading = connection.execution_options(slipway_read=True)
            with reading.begin():
                yield reading

    @property
    def _writing(self) -> Connection | None:
        return getattr(self._thread, "writing", None)

    def close(self) -> None:
        self.engine.dispose()

    def _upgrade(self) -> None:
        # Alembic costs 0.2 s to import: a schema that is already the newest does not pay it.
        from jupyter_slipway.db.migrations import HEAD

        with self.engine.connect() as connection:
            known = self.engine.dialect.has_table(connection, "alembic_version")
            if known and connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == HEAD:
                return
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        config.set_main_option("path_separator", "os")
        with self.write() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _sqlite(url: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT})

    @event.listens_for(engine, "connect")
    def _opened(raw: Any, _record: Any) -> None:
        raw.isolation_level = None  # BEGIN is ours, below: the driver's own would start too late
        # WAL: a listing never waits for a publish. FULL: what was answered 201 survives a power cut.
        for pragma in (
            f"busy_timeout={int(BUSY_TIMEOUT * 1000)}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
        ):
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        reading = connection.get_execution_options().get("slipway_read")
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine
