"""What is remembered of texts: the last ones, what was told, and never something else than would be made."""

from __future__ import annotations

import ast
from pathlib import Path

import jupytext
import pytest

from jupyter_slipway.errors import Unprocessable
from jupyter_slipway.publish import effects, plain
from jupyter_slipway.publish.model import CellSource
from jupyter_slipway.publish.remembered import Remembered
from jupyter_slipway.publish.slice import slice_cells

NOTEBOOKS = sorted(Path(__file__).parents[2].glob("benchmarks/notebooks/*.py"))


def test_the_last_ones_asked_for_are_kept():
    made = []
    double = Remembered(lambda text: made.append(text) or text * 2, 2)
    answers = [double(text) for text in "abacab"]

    assert answers == ["aa", "bb", "aa", "cc", "aa", "bb"]
    assert made == ["a", "b", "c", "b"]


def test_what_was_told_is_not_made():
    told = Remembered(lambda text: pytest.fail("made"), 2)
    told.tell("a", "x")

    assert told("a") == "x"
    assert ("a" in told, "b" in told) == (True, False)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_part_of_a_cell_is_remembered_as_it_would_be_read(notebook):
    cells = [
        CellSource(f"c{index}", cell.source, index)
        for index, cell in enumerate(one for one in jupytext.read(notebook).cells if one.cell_type == "code")
    ]
    for cell in cells:
        effects.analyse.cache_clear()
        plain.parsed.cache_clear()
        try:
            steps = slice_cells(cells, cell.id).steps
        except Unprocessable:
            continue
        remembered = [(effects.analyse(step.python), dumped(step.python)) for step in steps]
        effects.analyse.cache_clear()
        plain.parsed.cache_clear()

        fresh = [(effects.analyse(step.python), dumped(step.python)) for step in steps]
        assert [(a.statements, tree) for a, tree in remembered] == [(a.statements, tree) for a, tree in fresh]


def dumped(python: str) -> str:
    tree = plain.parsed(python)
    return "" if tree is None else ast.dump(tree, include_attributes=True)
