"""What many ask at one moment is asked once."""

from __future__ import annotations

import asyncio

import pytest

from jupyter_slipway.clusters import answers
from jupyter_slipway.clusters.answers import Answers
from jupyter_slipway.errors import Unavailable


def test_all_who_ask_at_one_moment_have_one_answer_and_later_ones_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "FRESH", 0.0)
    asked = 0

    async def ask() -> int:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        return asked

    async def pages() -> tuple[list[int], int]:
        known = Answers()
        at_once = await asyncio.gather(*(known.of("etl", ask) for _ in range(10)))
        return at_once, await known.of("etl", ask)

    assert asyncio.run(pages()) == ([1] * 10, 2)


def test_who_leaves_takes_the_answer_from_nobody() -> None:
    go = asyncio.Event()

    async def ask() -> str:
        await go.wait()
        return "here"

    async def pages() -> str:
        known = Answers()
        leaving, staying = (asyncio.create_task(known.of("etl", ask)) for _ in range(2))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.sleep(0)
        go.set()
        return await staying

    assert asyncio.run(pages()) == "here"


def test_a_failure_is_not_kept() -> None:
    answered = iter([Unavailable("busy"), "here"])

    async def ask() -> str:
        answer = next(answered)
        if isinstance(answer, Unavailable):
            raise answer
        return answer

    async def pages() -> str:
        known = Answers()
        with pytest.raises(Unavailable, match="busy"):
            await known.of("etl", ask)
        return await known.of("etl", ask)

    assert asyncio.run(pages()) == "here"
