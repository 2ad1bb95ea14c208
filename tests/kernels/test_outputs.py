"""What cells show after what a kernel said."""

from __future__ import annotations

import pytest

from jupyter_slipway.kernels.outputs import Displays, Outputs, overwritten, take


def after(*messages: tuple[str, dict]) -> list[dict]:
    """What a cell shows after some messages."""
    outputs, displays = Outputs(), Displays()
    for kind, content in messages:
        take(kind, content, outputs, displays)
    return outputs.items


def stream(text: str, name: str = "stdout") -> tuple[str, dict]:
    return "stream", {"name": name, "text": text}


def display(text: str, display_id: str = "") -> tuple[str, dict]:
    return "display_data", {"data": {"text/plain": text}, "metadata": {}, "transient": {"display_id": display_id}}


def test_what_is_printed_in_a_row_is_one_output():
    assert after(stream("a\n"), stream("b\n"), stream("c\n", "stderr"), stream("d\n")) == [
        {"output_type": "stream", "name": "stdout", "text": "a\nb\n"},
        {"output_type": "stream", "name": "stderr", "text": "c\n"},
        {"output_type": "stream", "name": "stdout", "text": "d\n"},
    ]


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        (["10%\r", "20%\r", "100%\n"], "100%\n"),
        (["abc\rX"], "Xbc"),
        (["ab\b", "c"], "ac"),
        (["one\ntwo\r", "TWO\n"], "one\nTWO\n"),
        (["\b\b", "x"], "x"),
        (["long line\rshort\n", "next\n"], "shortline\nnext\n"),
    ],
)
def test_a_progress_bar_overwrites_itself(printed, shown):
    text, column = "", 0
    for piece in printed:
        text, column = overwritten(text, column, piece)

    assert text == shown


def test_clearing_waits_for_something_else_to_show():
    waiting = [stream("old"), ("clear_output", {"wait": True})]

    assert after(*waiting) == after(stream("old"))
    assert after(*waiting, stream("new")) == after(stream("new"))
    assert after(stream("old"), ("clear_output", {"wait": False})) == []


def test_a_cell_changes_what_another_shows():
    displays, first, second = Displays(), Outputs(), Outputs()
    take(*display("waiting", "bar"), first, displays)
    take(*stream("after it"), first, displays)
    first.settle()

    changed = take("update_display_data", display("done", "bar")[1], second, displays)

    assert changed == [first]
    assert first.items[0] == {"output_type": "display_data", "data": {"text/plain": "done"}, "metadata": {}}
    assert (first.since, second.items) == (0, [])


def test_what_was_cleared_is_changed_no_more():
    displays, outputs = Displays(), Outputs()
    take(*display("waiting", "bar"), outputs, displays)
    take("clear_output", {"wait": False}, outputs, displays)

    assert take("update_display_data", display("done", "bar")[1], outputs, displays) == []
    assert outputs.items == []


def test_only_what_is_new_has_to_be_written():
    outputs, displays = Outputs(), Displays()
    take(*display("a"), outputs, displays)
    outputs.settle()
    take(*stream("b"), outputs, displays)
    assert outputs.since == 1
    outputs.settle()
    take(*stream("c"), outputs, displays)
    assert outputs.since == 1
