"""What many ask at one moment is asked once, and they are told when to ask again."""

from __future__ import annotations

import asyncio

import pytest

from jupyter_slipway.clusters import answers
from jupyter_slipway.clusters.answers import MOST, SELDOM, Answers, Turns
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


def test_however_many_pages_ask_the_server_answers_a_question_so_often_at_most() -> None:
    now = 0.0
    turns = Turns(lambda: now)

    def asked(pages: int) -> float:
        """Requests a second, when each page does as it is told; all begin at once."""
        nonlocal now
        begun, due, count = now, [now] * pages, 0
        while now < begun + 60:
            index = min(range(pages), key=lambda one: due[one])
            now = max(now, due[index])
            due[index] = now + turns.after("etl", 1.0)
            count += now > begun + 20
        return count / 40

    assert asked(1) == pytest.approx(1, abs=0.05)
    assert asked(4) == pytest.approx(4, abs=0.4)
    assert asked(30) == pytest.approx(MOST, abs=0.5)
    assert turns.after("spark", 1.0) == 1.0  # another question
    assert max(turns.after("etl", 1.0) for _ in range(1000)) == SELDOM
