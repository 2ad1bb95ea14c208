"""One at a time, in order; and an error drops what its own page has queued, nobody else's."""

from __future__ import annotations

from jupyter_slipway.kernels.host.turns import Turn, Turns


def a_turn(identity: str, person: str = "ada", session: str = "", *, stops: bool = True) -> Turn:
    return Turn(identity, person, session or person, "c", "x", stops, {}, [])


def queued(*turns: Turn) -> Turns:
    found = Turns()
    found.queue += turns
    return found


def ids(turns: list[Turn]) -> str:
    return "".join(turn.id for turn in turns)


def test_one_runs_and_the_others_wait() -> None:
    turns = queued(a_turn("a"), a_turn("b"))

    assert turns.next() is turns.running
    assert turns.next() is None
    assert ids(turns.all()) == "ab"


def test_an_error_drops_what_the_same_page_has_queued() -> None:
    turns = queued(a_turn("a"), a_turn("b"), a_turn("c", "bob"), a_turn("d", "ada", "another page"))
    failed = turns.next()
    assert failed is not None
    failed.status = "error"

    assert ids(turns.end()[1]) == "b"
    assert ids(turns.queue) == "cd"


def test_a_session_of_the_same_name_is_not_the_same_person() -> None:
    turns = queued(a_turn("a", "ada", "s"), a_turn("b", "bob", "s"))
    failed = turns.next()
    assert failed is not None
    failed.status = "error"

    assert turns.end()[1] == []


def test_an_error_that_does_not_stop_drops_nothing() -> None:
    turns = queued(a_turn("a", stops=False), a_turn("b"))
    failed = turns.next()
    assert failed is not None
    failed.status = "error"

    assert turns.end() == (failed, [])


def test_only_what_waits_can_be_taken_out() -> None:
    turns = queued(a_turn("a"), a_turn("b"))
    turns.next()

    assert turns.cancel("a") is None
    assert turns.cancel("b") is not None
    assert ids(turns.all()) == "a"
