"""SQLite as `Database` needs it: its write lock from a transaction's start, and kept through a power cut."""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event


def engine(url: URL, wait: float) -> Engine:
    """
    Args:
        wait: seconds a writer waits for another before it gives up
    """
    made = create_engine(url, connect_args={"timeout": wait})

    @event.listens_for(made, "connect")
    def _opened(raw: Any, _record: Any) -> None:
        raw.isolation_level = None  # BEGIN is ours, below: the driver's own would start too late
        # WAL: a listing never waits for a publish. FULL: what was answered 201 survives a power cut.
        for pragma in (
            f"busy_timeout={int(wait * 1000)}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
        ):
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(made, "begin")
    def _begun(connection: Connection) -> None:
        reading = connection.get_execution_options().get("slipway_read")
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return made
