"""What an observed kernel notes of each cell."""

from __future__ import annotations

import json
import random
import sys
from time import process_time

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from jupyter_slipway.publish.inside import look, observer


class Notebook:
    """An observed shell of this process."""

    def __init__(self) -> None:
        self.shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
        observer.install(self.shell)

    def run(self, source: str) -> dict:
        self.shell.run_cell(source, store_history=True)
        return observer.history(self.shell)[-1]


@pytest.fixture
def notebook():
    return Notebook()


def changes(record: dict) -> tuple[list, list, list]:
    return record["changed"], record["same"], record["new"]


def test_a_new_a_changed_and_an_unchanged_name_are_told_apart(notebook):
    notebook.run("x = [1]; y = {'a': 1}")

    assert changes(notebook.run("x.append(2); z = 3")) == (["x"], ["y"], ["z"])


@pytest.mark.parametrize(
    ("made", "change"),
    [
        ("import numpy as np; v = np.zeros(5)", "np.add.at(v, [1, 1], 1)"),
        ("import pandas as pd; v = pd.DataFrame({'a': [1, 2], 'b': ['x', 'y']})", "v['c'] = 1"),
        ("import pandas as pd; v = pd.DataFrame({'a': [1, 2], 'b': ['x', 'y']})", "v.loc[0, 'b'] = 'z'"),
        ("import pandas as pd; v = pd.Series([1.5, None], dtype='Float64')", "v[1] = 2.0"),
        ("import pandas as pd; v = pd.Series(['a', 'b'], dtype='category')", "v[1] = 'a'"),
        ("from collections import defaultdict; v = defaultdict(list)", "v['read']"),
        ("from collections import deque; v = deque([1])", "v.append(2)"),
        ("def v(): pass\nv.calls = 0", "v.calls += 1"),
        ("class P: pass\nv = P(); v.a = [1]", "v.a.append(2)"),
        ("import random; v = random.Random(1)", "v.random()"),
        ("import numpy as np; v = np.random.default_rng(1)", "v.normal()"),
        ("def v(): return 1", "def v(): return 2"),
        ("v = {'a': {1, 2}}", "v['a'].add(3)"),
    ],
)
def test_a_change_is_seen_without_a_list_of_method_names(notebook, made, change):
    notebook.run(made)

    assert notebook.run("pass")["changed"] == []
    assert notebook.run(change)["changed"] == ["v"]


def test_plots_and_generators_are_out_of_sight(notebook):
    notebook.run("g = (i for i in range(3)); from matplotlib.figure import Figure; f = Figure()")

    changed, same, _ = changes(notebook.run("next(g); f.add_subplot()"))
    assert not {"g", "f"} & {*changed, *same}


@pytest.mark.parametrize(
    ("source", "state"),
    [
        ("import random; random.seed(1)", "random"),
        ("import os; os.environ['SLIPWAY_TEST_STATE'] = '1'", "environ"),
        ("import sys; sys.path.append('/nowhere')", "sys.path"),
        ("import numpy as np; np.random.seed(3)", "numpy.random"),
        ("import pandas as pd; pd.set_option('display.max_rows', 7)", "pandas"),
        ("import matplotlib; matplotlib.rcParams['lines.linewidth'] = 9", "matplotlib"),
        ("import warnings; warnings.simplefilter('ignore')", "warnings"),
    ],
)
def test_changes_around_the_names_are_noted(notebook, monkeypatch, source, state):
    import matplotlib
    import numpy as np
    import pandas as pd

    monkeypatch.setenv("SLIPWAY_TEST_STATE", "0")
    monkeypatch.setattr(sys, "path", list(sys.path))
    kept = random.getstate(), np.random.get_state()
    with matplotlib.rc_context(), pytest.MonkeyPatch.context():
        notebook.run("import numpy, pandas, matplotlib")
        found = notebook.run(source)["ambient"]
    pd.reset_option("display.max_rows")
    random.setstate(kept[0])
    np.random.set_state(kept[1])

    assert found == [state]


def test_the_values_of_a_module_beside_the_notebook_are_watched(notebook, tmp_path, monkeypatch):
    (tmp_path / "slipway_beside.py").write_text("SEEN = []\ndef tidy(x):\n    SEEN.append(x)\n    return x\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "slipway_beside", raising=False)
    notebook.run("import slipway_beside, json\nfrom slipway_beside import tidy")

    assert changes(notebook.run("y = tidy(1)"))[0] == ["slipway_beside", "tidy"]
    assert {"slipway_beside", "tidy"} <= set(changes(notebook.run("z = 1"))[1])


def test_the_values_of_a_module_are_watched_through_what_was_imported_from_it(notebook, tmp_path, monkeypatch):
    source = "SEEN = []\nclass Box:\n    def put(self, x): SEEN.append(x)\ndef look(): return len(SEEN)\n"
    (tmp_path / "slipway_behind.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "slipway_behind", raising=False)
    notebook.run("from slipway_behind import Box, look")

    assert set(changes(notebook.run("n = look()"))[1]) >= {"Box", "look"}
    assert changes(notebook.run("Box().put(1)"))[0] == ["Box", "look"]


def test_files_read_and_written_are_noted(notebook, tmp_path):
    (tmp_path / "in.txt").write_text("1")
    source = f"text = open({str(tmp_path / 'in.txt')!r}).read()\nopen({str(tmp_path / 'out.txt')!r}, 'w').write(text)"
    record = notebook.run(f"import warnings\nwarnings.simplefilter('ignore')\n{source}")

    assert record["files_read"] == [str(tmp_path / "in.txt")]
    assert record["files_written"] == [str(tmp_path / "out.txt")]


def test_a_temporary_file_is_no_file_written(notebook):
    record = notebook.run("import tempfile\nwith tempfile.NamedTemporaryFile() as file: file.write(b'1')")

    assert record["files_written"] == []


def test_a_failed_cell_is_noted_with_what_it_changed_before(notebook, capsys):
    notebook.run("x = [1]")
    record = notebook.run("x.append(2)\n1 / 0")

    assert (record["failed"], record["changed"]) == (True, ["x"])


def test_installing_twice_records_once(notebook):
    observer.install(notebook.shell)
    notebook.run("x = 1")

    assert [one["source"] for one in observer.history(notebook.shell)] == ["x = 1"]


def test_the_history_is_json_and_survives_a_patched_json(notebook, monkeypatch):
    monkeypatch.setattr("json.dumps", lambda *_: "patched")
    notebook.run("x = 1")

    assert json.loads(look.dumps(observer.history(notebook.shell)))[0]["new"] == ["x"]


def test_a_cell_pays_at_most_a_fifth_of_a_second_and_the_rest_is_out_of_sight(notebook):
    notebook.run("large = [[i] for i in range(2_000_000)]; x = [1]")
    started = process_time()
    record = notebook.run("x.append(2)")

    assert process_time() - started < 1.0
    assert changes(record) == (["x"], [], [])


def test_what_there_was_no_time_for_is_found_the_same_or_changed_later(notebook):
    notebook.run("import numpy as np\nx = np.zeros(5); y = np.zeros(5)")
    watching = notebook.shell._slipway_observer
    for name in "xy":
        watching.cost[name] = 99.0
    unseen = notebook.run("x[0] = 1")
    watching.cost.clear()
    seen = notebook.run("y")

    assert changes(unseen) == ([], [], [])
    assert changes(seen) == (["x"], ["y"], [])


def test_objects_that_raise_or_loop_do_not_hurt_the_cell(notebook, capsys):
    notebook.run(
        "class Evil:\n"
        "    def __getattr__(self, name): raise RuntimeError(name)\n"
        "    def __eq__(self, other): raise RuntimeError\n"
        "    def __repr__(self): raise RuntimeError\n"
        "evil = Evil(); loop = []; loop.append(loop)"
    )
    record = notebook.run("x = 1")

    assert (record["failed"], record["new"]) == (False, ["x"])
    assert "Traceback" not in capsys.readouterr().out


def test_a_drawing_that_a_later_cell_mentions_is_not_compared(notebook):
    notebook.run("from matplotlib.figure import Figure; fig = Figure(); other = Figure()")
    source = notebook.run("ax = fig.add_subplot()")["source"]
    notebook.run("ax.plot([1, 2])")

    found = look.look(["ax", "other"], source=source, cell="c1", shell=notebook.shell)["report"]
    assert found["ax"]["blind"] == "a later cell changed it"
    assert "blind" not in found["other"]
