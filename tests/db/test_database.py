"""The store: what it promises about transactions, durability and its schema."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest
from sqlalchemy import insert, select, text

from jupyter_slipway.db import Database, migrations, tables
from jupyter_slipway.errors import BadRequest, Unavailable


@pytest.fixture
def database(store):
    database = Database(store)
    database.create()
    yield database
    database.close()


def add(database: Database, name: str) -> None:
    row = {"id": name, "host": "h", "pid": 1, "beat": 0, "started_at": 0.0, "seen_at": 0.0}
    with database.write() as connection:
        connection.execute(insert(tables.runner).values(row))


def names(database: Database) -> list[str]:
    with database.read() as connection:
        return sorted(connection.execute(select(tables.runner.c.id)).scalars())


class Stop(Exception):
    """Something goes wrong within a transaction."""


def add_and_stop(database: Database, name: str) -> None:
    with database.write():
        add(database, name)
        assert name in names(database)
        raise Stop


def test_a_write_is_kept_and_one_with_an_error_undone(database):
    add(database, "a")
    with pytest.raises(Stop):
        add_and_stop(database, "b")

    assert names(database) == ["a"]


def test_a_write_within_a_write_is_a_part_of_it(database):
    with database.write():
        add(database, "a")
        with pytest.raises(Stop):
            add_and_stop(database, "b")
        add(database, "c")
    assert names(database) == ["a", "c"]


def test_a_reader_neither_waits_for_a_writer_nor_sees_what_is_not_kept(database):
    seen = []
    with database.write():
        add(database, "a")
        reader = threading.Thread(target=lambda: seen.append(names(database)))
        reader.start()
        reader.join(120)

    assert seen == [[]]
    assert names(database) == ["a"]


def test_writers_wait_for_each_other(database):
    threads = [threading.Thread(target=lambda n=n: [add(database, f"{n}-{k}") for k in range(20)]) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(names(database)) == 100


def test_sqlite_is_set_to_survive_a_power_cut(home):
    database = Database(f"sqlite:///{home}/deep/slipway.db")
    database.create()
    with database.read() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }

    database.close()

    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def sent(database: Database, *statements: str) -> None:
    """Statements that no transaction may hold, to a PostgreSQL server."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@pytest.fixture
def postgresql(store):
    if store.startswith("sqlite"):
        pytest.skip("of PostgreSQL")
    return Database(store)


def test_postgresql_is_set_to_survive_a_power_cut_whatever_its_default(postgresql):
    name = postgresql.engine.url.database
    sent(postgresql, f"ALTER DATABASE {name} SET synchronous_commit = off")
    database = Database(postgresql.url)
    database.create()
    with database.read() as connection:
        kept = connection.exec_driver_sql("SHOW synchronous_commit").scalar()
    database.close()
    postgresql.close()

    assert kept == "on"


def test_the_newest_migration_is_the_one_named_and_the_tables_are_its_own(database):
    from alembic.autogenerate import compare_metadata
    from alembic.config import Config
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", migrations.__path__[0])
    config.set_main_option("path_separator", "os")

    assert ScriptDirectory.from_config(config).get_heads() == [migrations.HEAD]
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []


def test_a_file_lies_where_its_folder_says_whatever_that_is_called(tmp_path):
    path = tmp_path / "hö me%20x?y#z" / "slipway.db"
    database = Database(f"sqlite:///{path}")
    database.create()
    database.close()

    assert (database.path, path.is_file()) == (path, True)
    assert [one.name for one in tmp_path.iterdir()] == [path.parent.name]


def test_a_store_of_a_newer_release_is_said_to_be_one(database):
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(Unavailable, match="newer release"):
        database.create()


def test_many_processes_may_create_it_at_once(store):
    code = (
        "import sys; from jupyter_slipway.db import Database; "
        "database = Database(sys.argv[1]); database.create(); database.close()"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, store]) for _ in range(4)]

    assert [process.wait(60) for process in processes] == [0, 0, 0, 0]


def test_creating_again_changes_nothing(database):
    add(database, "a")
    database.create()

    assert names(database) == ["a"]


def test_a_value_that_no_store_can_hold_is_refused_in_words(postgresql):
    for use in (postgresql.read, postgresql.write):
        with pytest.raises(BadRequest, match=r"cannot be stored: .*NUL"), use() as connection:
            connection.execute(text("SELECT :word"), {"word": "a\0b"})
    postgresql.close()


def test_a_server_that_may_lose_what_it_confirmed_is_refused(postgresql):
    if os.environ.get("SLIPWAY_TEST_POSTGRES"):
        pytest.skip("only a server of the tests' own is set so")
    sent(postgresql, "ALTER SYSTEM SET full_page_writes = off", "SELECT pg_reload_conf()")
    try:
        with pytest.raises(Unavailable, match="full_page_writes = off"):
            refused(postgresql.url)
    finally:
        sent(postgresql, "ALTER SYSTEM RESET full_page_writes", "SELECT pg_reload_conf()")
        postgresql.close()


def refused(url: str, seconds: float = 60) -> None:
    """Create the store again and again until it is refused: a server takes a moment to be set otherwise."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        database = Database(url)
        try:
            database.create()
        finally:
            database.close()


@pytest.mark.parametrize("form", ["postgres", "postgresql", "postgresql+psycopg"])
def test_a_url_may_name_the_driver_or_not(postgresql, form):
    url = postgresql.engine.url.set(drivername=form)
    database = Database(url.render_as_string(hide_password=False))
    database.create()
    add(database, "a")

    assert names(database) == ["a"]
    database.close()
    postgresql.close()


@pytest.mark.parametrize("url", ["postgresql+asyncpg://host/name", "mysql://host/name", "no url", "postgresql://h:x/n"])
def test_a_url_that_names_no_store_is_refused(url):
    with pytest.raises(BadRequest, match=r"driver that is known|not the URL of a database"):
        Database(url)
