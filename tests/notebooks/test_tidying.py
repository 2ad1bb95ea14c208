"""Outputs that nothing needs go by themselves, when nobody is at work."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from pathlib import Path

from jupyter_slipway.notebooks import layout, tidying, upkeep
from jupyter_slipway.notebooks.documents import Documents
from jupyter_slipway.notebooks.tidying import EVERY, QUIET, Tidying, due
from tests.notebooks.builders import PERCENT, Server

A, B = Path("a"), Path("b")


def test_it_is_time_once_a_day_and_when_nobody_is_at_work() -> None:
    collected = {A: 100.0, B: 0.0}

    assert due([A, B], collected, idle=QUIET - 1, now=10 * EVERY) == []
    assert due([A, B], collected, idle=QUIET, now=10 * EVERY) == [B, A]
    assert due([A, B], collected, idle=QUIET, now=EVERY + 99.0) == [B]


def test_what_nothing_needs_goes_by_itself_and_is_told(tmp_path: Path, home: Path, caplog, monkeypatch) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(tidying, "QUIET", -1.0)
    (tmp_path / "a.py").write_text(PERCENT)
    server = Server(tmp_path, home)
    for number in range(upkeep.VERSIONS + 5):
        notebook = server.open("a.py")
        notebook["cells"][0]["source"] = f"x = {number}"
        notebook["cells"][0]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": f"{number}\n"}]
        server.save("a.py", notebook)
    store = tmp_path / layout.FOLDER
    for path in store.rglob("*"):
        long_ago = time.time() - 2 * upkeep.GRACE.total_seconds()
        os.utime(path, (long_ago, long_ago))
    documents: Documents = server.manager.documents
    tidy = Tidying(lambda: documents, logging.getLogger("tidying"))

    async def twice() -> None:
        await tidy.look()
        await tidy.look()

    asyncio.run(twice())

    freed = [said for said in caplog.messages if "Freed" in said]
    assert len(freed) == 1, "once a day"
    usage = upkeep.usage(documents.store(tmp_path / "a.py")[0])
    assert usage.versions == upkeep.VERSIONS
    assert usage.freed is not None
    assert freed == [f"{store}: {usage.freed.said}"]
    assert server.open("a.py")["cells"][0]["outputs"]


def test_where_another_manager_keeps_files_there_is_nothing_to_do(caplog) -> None:
    asyncio.run(Tidying(lambda: None, logging.getLogger("tidying")).look())

    assert caplog.messages == []
