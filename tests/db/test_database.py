"""The store: what it promises about transactions, durability and its schema."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from sqlalchemy import insert, select

from jupyter_slipway.db import Database, migrations, tables


@pytest.fixture
def database(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/deep/slipway.db")
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
        reader.join(5)

    assert seen == [[]]
    assert names(database) == ["a"]


def test_writers_wait_for_each_other(database):
    threads = [threading.Thread(target=lambda n=n: [add(database, f"{n}-{k}") for k in range(20)]) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(names(database)) == 100


def test_sqlite_is_set_to_survive_a_power_cut(database):
    with database.read() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }

    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


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


def test_many_processes_may_create_it_at_once(tmp_path):
    code = (
        "import sys; from jupyter_slipway.db import Database; "
        "database = Database(sys.argv[1]); database.create(); database.close()"
    )
    url = f"sqlite:///{tmp_path}/slipway.db"
    processes = [subprocess.Popen([sys.executable, "-c", code, url]) for _ in range(4)]

    assert [process.wait(60) for process in processes] == [0, 0, 0, 0]


def test_creating_again_changes_nothing(database):
    add(database, "a")
    database.create()

    assert names(database) == ["a"]
