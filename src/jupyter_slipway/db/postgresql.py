"""PostgreSQL as `Database` needs it: one writer at a time as on SQLite, and kept through a power cut.

The lock is an advisory one, of this database, held until the transaction ends. It lets what reads and then writes
(the next version's number, a runner's beat) be written once, for both stores.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

from jupyter_slipway.errors import BadRequest, Unavailable

DRIVERS = ("postgres", "postgresql", "postgresql+psycopg")
LOCK = int.from_bytes(b"slipway", "big")
"""The advisory lock's number."""


def engine(url: URL, wait: float) -> Engine:
    """
    Args:
        url: 'postgresql://…', also as 'postgres://…' or with '+psycopg'
        wait: seconds a writer waits for another before it gives up, and may idle before the server ends it

    Raises:
        BadRequest: another driver is named, or psycopg is not installed
    """
    if url.drivername not in DRIVERS:
        raise BadRequest(f"{url.drivername!r} is not a driver that is known here.", hint="Say postgresql://….")
    try:
        made = create_engine(url.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    except ImportError:
        raise BadRequest(
            "A PostgreSQL database needs psycopg, which is not installed.",
            hint="Install it: pip install 'jupyter-slipway[postgres]'.",
        ) from None
    milliseconds = str(int(wait * 1000))
    settings = {
        "lock_timeout": milliseconds,
        # A machine that vanished within a transaction must not keep the lock.
        "idle_in_transaction_session_timeout": milliseconds,
    }

    @event.listens_for(made, "connect")
    def _opened(raw: Any, _record: Any) -> None:
        with raw.cursor() as cursor:
            for name, value in settings.items():
                cursor.execute("SELECT set_config(%s, %s, false)", (name, value))
            # Some turn it off for a whole server: then what was answered 201 would be lost in a power cut.
            cursor.execute(
                "SELECT set_config('synchronous_commit', 'on', false)"
                " WHERE current_setting('synchronous_commit') IN ('off', 'local')"
            )
        raw.commit()

    @event.listens_for(made, "begin")
    def _begun(connection: Connection) -> None:
        if not connection.get_execution_options().get("slipway_read"):
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")

    return made


def check(connection: Connection) -> None:
    """
    Raises:
        Unavailable: the server may lose what it has confirmed
    """
    for name in ("fsync", "full_page_writes", "synchronous_commit"):
        value = connection.exec_driver_sql(f"SHOW {name}").scalar()
        if value == "off":
            raise Unavailable(
                f"The PostgreSQL server runs with {name} = {value}: a power cut may lose what it has confirmed.",
                hint=f"Set {name} = on in its configuration.",
            )
