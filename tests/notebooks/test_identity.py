"""Which cell is which after an edit outside."""

from __future__ import annotations

import random

import pytest

from jupyter_slipway.notebooks.identity import CellText, How, Match, trace

VERBS = ("load", "fit", "plot", "clean", "join", "score", "split", "scale", "group", "sample")
NOUNS = ("rows", "model", "prices", "axes", "flights", "weather", "delays", "carriers", "weights", "folds")
WORDS = [f"{verb}_{noun}" for verb in VERBS for noun in NOUNS]


def code(source: str) -> CellText:
    return CellText("code", source)


def a_cell(number: int, rng: random.Random) -> CellText:
    if number % 5 == 4:
        return CellText("markdown", f"## Step {number}\n\n{' '.join(rng.choices(WORDS, k=8))}")
    if number % 50 == 0:  # as in any notebook, some cells are equal
        return code("df.head()")
    lines = [f"{rng.choice(WORDS)}{number} = {rng.choice(WORDS)}({number}, {rng.randrange(999)})" for _ in range(3)]
    return code("\n".join(lines))


def edited(cell: CellText, rng: random.Random) -> CellText:
    lines = cell.source.split("\n")
    at = rng.randrange(len(lines))
    lines[at] = rng.choice(
        [f"{lines[at]}  + {rng.randrange(99)}", lines[at].replace("(", "(max, "), "# now: " + lines[at]]
    )
    return cell._replace(source="\n".join(lines))


def outside_edits(cells: list[CellText], count: int, seed: int) -> tuple[list[CellText], list[int | None]]:
    """The cells after edits as in an IDE, and for each the index it had; None for a new one."""
    rng = random.Random(seed)
    now: list[tuple[CellText, int | None]] = [(cell, place) for place, cell in enumerate(cells)]
    for number in range(count):
        at = rng.randrange(len(now))
        kind = rng.random()
        if kind < 0.5:
            now[at] = (edited(now[at][0], rng), now[at][1])
        elif kind < 0.65:
            now.insert(at, (a_cell(100_000 + number, rng), None))
        elif kind < 0.8:
            del now[at]
        elif kind < 0.9:
            now.insert(rng.randrange(len(now)), now.pop(at))
        else:
            now[at] = (now[at][0]._replace(source=now[at][0].source.replace(" = ", "  =  ")), now[at][1])
    return [cell for cell, _ in now], [was for _, was in now]


@pytest.mark.parametrize(
    ("cells", "edits", "right"), [(100, 14, 97), (1000, 30, 998), (1000, 270, 991), (5000, 130, 4996)]
)
def test_cells_are_found_again(cells: int, edits: int, right: int) -> None:
    for seed in range(3):
        rng = random.Random(seed)
        old = [a_cell(number, rng) for number in range(cells)]
        new, truth = outside_edits(old, edits, seed)
        found = trace(old, new)
        correct = sum((match.old if match else None) == was for match, was in zip(found, truth, strict=True))
        assert correct / len(new) >= right / cells


def test_no_result_of_another_cell_is_taken_for_true() -> None:
    for seed in range(20):
        rng = random.Random(seed)
        old = [a_cell(number, rng) for number in range(300)]
        new, _ = outside_edits(old, 150, seed)
        for cell, match in zip(new, trace(old, new), strict=True):
            if match and match.how is How.SAME:
                assert old[match.old] == cell
            if match and match.how is How.FORMATTED:
                assert old[match.old].source.split() == cell.source.split() or "#" in cell.source


def test_which_of_several_equal_cells_went_is_not_guessed() -> None:
    old = [code("a = 1"), code("show()"), code("a = 2"), code("show()"), code("a = 3")]

    found = trace(old, [code("a = 1"), code("show()"), code("a = 3")])

    assert found == [Match(0, How.SAME), Match(1, How.UNSURE), Match(4, How.SAME)]


def test_neighbours_tell_equal_cells_apart() -> None:
    old = [code("a = 1"), code("show()"), code("a = 2"), code("show()"), code("a = 3")]

    found = trace(old, [code("a = 1"), code("a = 2"), code("show()"), code("a = 3")])

    assert found == [Match(0, How.SAME), Match(2, How.SAME), Match(3, How.SAME), Match(4, How.SAME)]


def test_a_formatter_changes_no_result() -> None:
    assert trace([code("f( 1,2 )")], [code("f(1, 2)  # two")]) == [Match(0, How.FORMATTED)]


def test_quotes_and_parentheses_are_no_layout() -> None:
    assert trace([code("x = '1'"), code("y = (1, 2) * 3")], [code("x = 1"), code("y = 1, 2 * 3")]) == [
        Match(0, How.EDITED),
        Match(1, How.EDITED),
    ]


def test_a_cell_that_was_rewritten_between_its_neighbours_is_the_same_cell() -> None:
    old = [code("a = 1"), code("b = read(path)"), code("c = 3")]

    assert trace(old, [code("a = 1"), code("b = load(path, 5)"), code("c = 3")])[1] == Match(1, How.EDITED)


def test_a_markdown_cell_never_becomes_a_code_cell() -> None:
    assert trace([CellText("markdown", "x = 1")], [code("x = 1")]) == [None]


def test_no_old_cell_is_given_twice() -> None:
    rng = random.Random(7)
    old = [a_cell(number, rng) for number in range(200)]
    new, _ = outside_edits(old * 2, 50, 7)

    given = [match.old for match in trace(old, new) if match]

    assert len(given) == len(set(given))


def test_code_that_is_not_python_is_no_formatters_work() -> None:
    assert trace([code("f( x )")], [code("f(x)")], python=False) == [Match(0, How.EDITED)]
