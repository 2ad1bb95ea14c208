"""The database: one short write at a time, readers that never wait. A SQLite file, or PostgreSQL by its URL.

Built first by `api.Slipway` (and in the runner), then given to whatever stores something.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DataError, OperationalError

from jupyter_slipway.db import postgresql, sqlite
from jupyter_slipway.errors import BadRequest, Unavailable

FILE = "sqlite:///"
"""Begins the URL of a SQLite file; its path follows."""
BUSY_TIMEOUT = 30.0
"""Seconds a writer waits for another before it gives up."""


class Database:
    """Connections to the store at `url`: 'sqlite:////home/me/slipway/slipway.db', 'postgresql://host/slipway'.

    Raises:
        BadRequest: `url` names no store that can be used
    """

    def __init__(self, url: str) -> None:
        self.url = url
        parsed = _parsed(url)
        self.sqlite = parsed.get_backend_name() == "sqlite"
        self.path = Path(parsed.database) if self.sqlite and parsed.database else None
        self._thread = threading.local()
        self.engine = (sqlite if self.sqlite else postgresql).engine(parsed, BUSY_TIMEOUT)
        self._reading: dict[str, Any] = {"slipway_read": True}
        if not self.sqlite:
            # Else two selects of one `read()` could see two states.
            self._reading |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}

    def create(self) -> None:
        """Bring the schema to its newest state. Any number of processes may call it at once.

        Raises:
            Unavailable: a PostgreSQL server that may lose what it has confirmed, or a store of a newer release
        """
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

        Raises:
            BadRequest: a value is not one that the store can hold; what is too long for it, PostgreSQL finds out
        """
        outer = self._writing
        if outer is not None:
            part = outer.begin_nested()
            try:
                yield outer
            except BaseException as error:
                try:
                    part.rollback()
                except OperationalError:
                    # A full disk ends SQLite's whole transaction, parts and all: that it is full is what is said.
                    if not isinstance(error, OperationalError):
                        raise
                raise
            part.commit()
            return
        with _fitting(), self.engine.connect() as connection, connection.begin():
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
        with _fitting(), self.engine.connect() as connection:
            reading = connection.execution_options(**self._reading)
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

        with self.read() as connection:
            if not self.sqlite:
                postgresql.check(connection)
            known = self.engine.dialect.has_table(connection, "alembic_version")
            schema = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() if known else None
        if schema == HEAD:
            return
        if schema is not None and schema > HEAD:
            raise Unavailable(
                "A newer release of Slipway has used this database, and this one cannot read it any more.",
                hint="Install that release, or give this one a SLIPWAY_HOME or SLIPWAY_DATABASE of its own.",
            )
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        config.set_main_option("path_separator", "os")
        with self.write() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _parsed(url: str) -> URL:
    if url.startswith(FILE):
        # As it is: a '%20' or a '?' of a folder's name is neither quoted nor the beginning of options.
        return URL.create("sqlite", database=url.removeprefix(FILE))
    try:
        return make_url(url)
    except (ArgumentError, ValueError):  # the text may hold a password: it is not repeated
        raise BadRequest(
            "SLIPWAY_DATABASE is not the URL of a database.", hint="Say postgresql://user@host/name, or nothing."
        ) from None


@contextmanager
def _fitting() -> Iterator[None]:
    try:
        yield
    except DataError as error:
        said = str(error.orig).partition("\n")[0]
        raise BadRequest(f"It cannot be stored: {said}.", hint="Shorten it, or leave out what is no text.") from error
