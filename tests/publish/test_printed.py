"""Printed lines compared: what counts as the same, what differs, and what cannot be compared."""

from __future__ import annotations

from datetime import date

import pytest

from jupyter_slipway.publish.model import Difference
from jupyter_slipway.publish.printed import Printed, compare_printed

TODAY = date(2026, 6, 1)


def compared(notebook: str, run: str) -> Printed:
    return compare_printed([{"output_type": "stream", "name": "stdout", "text": notebook}], run, today=TODAY)


@pytest.mark.parametrize(
    ("notebook", "run"),
    [
        ("rows 12\n", "rows 12\n"),
        ("mae 21.2\n", "mae 21.200000000001\n"),
        ("mae  21.2", "mae 21.2\n\n"),
        ("x -1e-3 nan inf.\n", "x -0.001 nan inf.\n"),
        ("<Model at 0x7f0c0a5b1d30>\n", "<Model at 0x7fffffff0000>\n"),
        ("written to /tmp/tmpab12/out.csv\n", "written to /tmp/tmpcd99/out.csv\n"),
        ("{'a', 'b', 'c'}\n", "{'c', 'a', 'b'}\n"),
        ("   a\n-----\n", "   a\n--------\n"),
        ("\x1b[32mdone\x1b[0m\n", "done\n"),
    ],
)
def test_lines_that_say_the_same_are_the_same(notebook, run):
    assert compared(notebook, run) == Printed(same=len([one for one in notebook.splitlines() if one]))


@pytest.mark.parametrize(
    ("notebook", "run"),
    [
        ("rows 12\n", "rows 13\n"),
        ("mae 21.2\n", "mae 21.3\n"),
        ("version 1.2.3\n", "version 1.2.4\n"),
        ("found a\n", "found b\n"),
        ("until 2013-01-31\n", "until 2013-02-28\n"),
        ("mean time 5.2 of 10 rows\n", "mean time 5.2 of 10 columns\n"),
    ],
)
def test_lines_that_say_something_else_differ(notebook, run):
    assert compared(notebook, run) == Printed(
        differ=1, differences=(Difference("printed line", notebook.strip(), run.strip()),)
    )


@pytest.mark.parametrize(
    ("notebook", "run"),
    [
        ("fitted in 0.53s\n", "fitted in 0.61s\n"),
        ("CPU times: user 3 ms, total: 4 ms\n", "CPU times: user 12 ms, total: 14 ms\n"),
        ("took 1.25 seconds for 10 rows\n", "took 3 seconds for 10 rows\n"),
        ("started 2026-05-12 10:00:01\n", "started 2026-06-01 07:11:22\n"),
        ("10:00:01 INFO start\n", "07:11:22 INFO start\n"),
    ],
)
def test_lines_that_tell_a_time_cannot_be_compared(notebook, run):
    assert compared(notebook, run) == Printed(left="1 printed line telling a time")


def test_progress_bars_are_not_compared():
    notebook = " 10%|█         | 1/10 [00:01<00:09]\rdone\rall done\nend\n"

    assert compared(notebook, "end\n") == Printed(same=1, left="1 printed line redrawn")


def test_what_other_cells_printed_before_does_not_count():
    assert compared("a\nb\n", "loading\nb\nready\na\nb\n") == Printed(same=2)


def test_a_line_too_many_or_too_few_within_the_cells_own_differs():
    assert compared("a\nb\n", "loading\na\nnoise\nb\nmore\n").differences == (
        Difference("printed line", "nothing printed", "noise"),
        Difference("printed line", "nothing printed", "more"),
    )
    assert compared("a\nb\nc\n", "a\nc\n").differences == (Difference("printed line", "b", "not printed"),)


def test_a_first_line_that_differs_stands_beside_its_own():
    assert compared("mae 1.5\nend\n", "loading\nmae 2.5\nend\n").differences == (
        Difference("printed line", "mae 1.5", "mae 2.5"),
    )


def test_a_cell_that_shows_nothing_printed_is_not_compared():
    assert compare_printed([], "much\n", today=TODAY) == Printed()
    assert compare_printed([{"output_type": "stream", "name": "stderr", "text": "w"}], "", today=TODAY) == Printed()


def test_of_very_many_lines_the_last_are_compared():
    many = "".join(f"line {n}\n" for n in range(3000))

    assert compared(many, "first\n" + many) == Printed(same=500, left="2500 printed lines at its beginning")
    assert compared(many, many.replace("line 2999", "line x")).differ == 1
    assert len(compared(many, "").differences) == 5
