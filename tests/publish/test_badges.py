"""Badges are worked out off the loop that serves everybody, and once for all who ask the same."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_slipway.api import Slipway
from jupyter_slipway.publish import handlers
from jupyter_slipway.publish.handlers import Badge, BadgeRequest, Publish
from jupyter_slipway.settings import Settings
from jupyter_slipway.web import Asker, encode

ADA = Asker("ada")
CELLS = [{"id": "c0", "source": "month = 1"}, {"id": "c1", "source": "total = month * 2\ntotal"}]


class Page:
    """What asks, as the server would for a page."""

    def __init__(self, slipway: Slipway) -> None:
        self.slipway = slipway

    async def ask(self, path: str, body: dict) -> object:
        endpoint, params = self.slipway.table.find("POST", path)
        return (await self.slipway.table.answer(endpoint, ADA, params, {}, encode(body))).value

    async def badges(self, first: str) -> list[Badge]:
        cells = [{"id": "c0", "source": first}, *CELLS[1:]]
        return (await self.ask("/publish/badges", {"notebook": "totals.ipynb", "cells": cells})).items


@pytest.fixture
def page(home: Path, tmp_path: Path) -> Iterator[Page]:
    slipway = Slipway(Settings.read(), root=tmp_path)
    page = Page(slipway)
    asyncio.run(
        page.ask("/publish/versions", {"notebook": "totals.ipynb", "cells": CELLS, "cell": "c1", "name": "totals"})
    )
    yield page
    asyncio.run(slipway.close())


def test_they_are_worked_out_off_the_loop(page, monkeypatch):
    threads = []
    real = handlers.slice_cells

    def noted(*arguments):
        threads.append(threading.current_thread())
        return real(*arguments)

    monkeypatch.setattr(handlers, "slice_cells", noted)
    (badge,) = asyncio.run(page.badges("month = 2"))

    assert (badge.job, badge.changed) == ("totals", True)
    assert threads
    assert threading.main_thread() not in threads


def test_pages_that_ask_the_same_at_once_are_answered_by_one_look(page, monkeypatch):
    looks: list[BadgeRequest] = []
    real = Publish._badges

    def noted(self, body):
        looks.append(body)
        return real(self, body)

    monkeypatch.setattr(Publish, "_badges", noted)

    async def ask_all():
        return await asyncio.gather(*(page.badges(first) for first in ["month = 1"] * 5 + ["month = 2"]))

    *same, other = asyncio.run(ask_all())

    assert [one[0].changed for one in same] == [False] * 5
    assert other[0].changed
    assert len(looks) == 2


def test_a_page_that_leaves_takes_the_answer_from_nobody(page):
    async def two():
        leaving = asyncio.create_task(page.badges("month = 1"))
        staying = asyncio.create_task(page.badges("month = 1"))
        await asyncio.sleep(0)
        leaving.cancel()
        return await staying

    (badge,) = asyncio.run(two())

    assert not badge.changed
