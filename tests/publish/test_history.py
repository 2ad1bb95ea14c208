"""Executions find their cells, in the order in which they ran."""

from __future__ import annotations

from jupyter_slipway.publish.history import executions
from jupyter_slipway.publish.model import CellSource, Execution


def cells(*sources: str) -> list[CellSource]:
    return [CellSource(f"c{index}", source, index) for index, source in enumerate(sources)]


def test_records_keep_their_cell_and_what_was_seen():
    record = {
        "source": "x.append(1)",
        "cell": "c0",
        "count": 4,
        "changed": ["x"],
        "same": ["y"],
        "new": [],
        "ambient": ["random"],
        "files_read": ["/data/a.csv"],
        "files_written": [],
        "failed": False,
    }

    assert executions(cells("x.append(1)"), [record]) == (
        Execution("x.append(1)", "c0", 4, ("x",), ("y",), (), ("random",), ("/data/a.csv",)),
    )


def test_a_plain_history_is_joined_by_text_and_keeps_repeats():
    ran = executions(cells("a = 1", "b = 2"), [], [(1, "b = 2"), (2, "a = 1\n"), (5, "b = 2")])

    assert [(one.cell, one.count, one.changed) for one in ran] == [("c1", 1, None), ("c0", 2, None), ("c1", 5, None)]


def test_a_cell_edited_since_it_ran_is_found_when_only_one_is_near():
    source = "model = fit(data, depth=3, seed=1)"
    edited = "model = fit(data, depth=4, seed=1)"

    assert executions(cells(edited, "other = 1"), [], [(1, source)])[0].cell == "c0"
    assert executions(cells(edited, edited.replace("4", "5")), [], [(1, source)])[0].cell == ""


def test_an_execution_of_a_deleted_cell_belongs_to_none():
    assert executions(cells("a = 1"), [{"source": "a = 1", "cell": "gone"}])[0].cell == ""


def test_a_text_notebook_opened_anew_knows_its_cells_by_their_text():
    ran = executions(cells("a = 1", "b = 2"), [{"source": "b = 2", "cell": "of the last time"}], ids_last=False)

    assert [one.cell for one in ran] == ["c1"]


def test_what_ran_before_the_observation_comes_first():
    observed = {"source": "b = 2", "cell": "c1", "count": 2, "changed": [], "new": ["b"]}
    ran = executions(cells("a = 1", "b = 2"), [observed], [(1, "a = 1"), (2, "b = 2")])

    assert [(one.cell, one.changed) for one in ran] == [("c0", None), ("c1", ())]


def test_our_own_code_and_empty_cells_are_left_out():
    ours = "from jupyter_slipway.publish.inside.observer import install"

    assert executions(cells("a = 1"), [{"source": "  "}, {"source": ours}]) == ()
