"""What an observed kernel notes of each cell, and which values have the same fingerprint."""

from __future__ import annotations

import ast
import dataclasses
import json
import random
import subprocess
import sys
from pathlib import Path
from time import process_time

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from jupyter_slipway.publish import observe
from jupyter_slipway.publish.proof import compare


class Notebook:
    """An observed shell of this process."""

    def __init__(self) -> None:
        self.shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
        observe.install(self.shell)

    def run(self, source: str) -> dict:
        self.shell.run_cell(source, store_history=True)
        return observe.history(self.shell)[-1]


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


def test_the_probe_is_read_by_older_pythons():
    """Kernels run the Python of their own environment, which may be older than the server's."""
    ast.parse(Path(observe.__file__).read_text(), feature_version=(3, 8))


def test_a_failed_cell_is_noted_with_what_it_changed_before(notebook, capsys):
    notebook.run("x = [1]")
    record = notebook.run("x.append(2)\n1 / 0")

    assert (record["failed"], record["changed"]) == (True, ["x"])


def test_installing_twice_records_once(notebook):
    observe.install(notebook.shell)
    notebook.run("x = 1")

    assert [one["source"] for one in observe.history(notebook.shell)] == ["x = 1"]


def test_the_history_is_json_and_survives_a_patched_json(notebook, monkeypatch):
    monkeypatch.setattr("json.dumps", lambda *_: "patched")
    notebook.run("x = 1")

    assert json.loads(observe.dumps(observe.history(notebook.shell)))[0]["new"] == ["x"]


def test_a_cell_pays_at_most_a_fifth_of_a_second_and_the_rest_is_out_of_sight(notebook):
    notebook.run("large = [[i] for i in range(2_000_000)]; x = [1]")
    started = process_time()
    record = notebook.run("x.append(2)")

    assert process_time() - started < 1.0
    assert changes(record) == (["x"], [], [])


def test_what_there_was_no_time_for_is_found_the_same_or_changed_later(notebook):
    notebook.run("import numpy as np\nx = np.zeros(5); y = np.zeros(5)")
    observer = notebook.shell._slipway_observer
    for name in "xy":
        observer.cost[name] = 99.0
    unseen = notebook.run("x[0] = 1")
    observer.cost.clear()
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


# ── fingerprints ────────────────────────────────────────────────────────────────────────────────────────────


@dataclasses.dataclass
class Point:
    x: float
    label: str = "a"


def same(one: object, other: object) -> bool:
    first, second = (json.loads(json.dumps(observe.report({"v": value}))) for value in (one, other))
    assert "blind" not in first["v"], first
    return not compare(first, second)


def frame(**changes):
    import pandas as pd

    columns = {"n": [1, 2, 3], "x": [0.1, 0.2, float("nan")], "s": ["a", None, "c"]}
    made = pd.DataFrame(columns | changes)
    made["when"] = pd.to_datetime(["2026-01-01", "2026-01-02", None])
    return made


def test_equal_values_are_the_same():
    import numpy as np
    import pandas as pd

    for make in (
        lambda: 3,
        lambda: 0.1 + 0.2,
        lambda: "text",
        lambda: [1, 2.5, {"a": {1, 2}}],
        lambda: Point(1.5),
        lambda: np.arange(6).reshape(2, 3),
        lambda: np.linspace(0, 1, 1000),
        lambda: np.float64(3.5),
        lambda: frame(),
        lambda: frame()["s"],
        lambda: frame().groupby("s")["x"].mean(),
        lambda: pd.MultiIndex.from_product([[1, 2], ["a", "b"]]),
        lambda: pd.Series([1, None], dtype="Int64"),
        lambda: pd.Timestamp("2026-01-01", tz="Europe/Berlin"),
        lambda: Path("a/b"),
    ):
        assert same(make(), make()), make()


def test_different_values_are_not_the_same():
    import numpy as np

    many = np.linspace(0, 1, 1000)
    swapped = many.copy()
    swapped[[400, 401]] = swapped[[401, 400]]
    one_off = many.copy()
    one_off[517] += 1e-4
    for one, other in (
        (3, 4),
        (3, 3.0),
        (1.0, 1.0 + 1e-6),
        (float("nan"), 1.0),
        ([1, 2], [2, 1]),
        ({"a": 1}, {"a": 2}),
        (Point(1.5), Point(1.5, "b")),
        (np.zeros(3), np.zeros(4)),
        (np.zeros(3), np.zeros(3, dtype="float32")),
        (many, one_off),
        (many, swapped),
        (frame(), frame(n=[1, 2, 4])),
        (frame(), frame(s=["a", "b", "c"])),
        (frame(), frame(x=[0.1, 0.2, 0.3])),
        (frame(), frame().rename(columns={"n": "m"})),
        (frame(), frame().iloc[::-1]),
    ):
        assert not same(one, other), (one, other)


def test_floats_are_the_same_within_the_tolerance():
    import numpy as np

    many = np.random.default_rng(0).normal(size=10_000)
    assert same(1.0, 1.0 + 1e-12)
    assert same([0.1] * 100, [0.1 + 1e-15] * 100)
    assert same(many, many * (1 + 1e-12))
    assert same(frame(), frame(x=[0.1 + 1e-14, 0.2, float("nan")]))
    assert not same(many, many * (1 + 1e-7))


def test_an_estimator_is_compared_by_what_it_learned():
    import numpy as np
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.linear_model import LinearRegression
    from sklearn.neighbors import KNeighborsRegressor

    data = np.random.default_rng(0).normal(size=(50, 3))

    def forest(seed: int) -> RandomForestRegressor:
        return RandomForestRegressor(3, random_state=seed).fit(data, data[:, 0])

    assert same(LinearRegression().fit(data, data[:, 0]), LinearRegression().fit(data, data[:, 0]))
    assert not same(LinearRegression().fit(data, data[:, 0]), LinearRegression().fit(data, data[:, 1]))
    assert same(KNeighborsRegressor().fit(data, data[:, 0]), KNeighborsRegressor().fit(data, data[:, 0]))
    assert not same(KNeighborsRegressor().fit(data, data[:, 0]), KNeighborsRegressor().fit(data, data[:, 1]))
    assert same(forest(1), forest(1))
    assert not same(forest(1), forest(2))


@pytest.mark.parametrize("make", ["generator", "function", "random"])
def test_what_cannot_be_compared_says_why(make):
    value = {"generator": lambda: (i for i in ()), "function": lambda: same, "random": random.Random}
    assert observe.report({"v": value[make]()})["v"]["blind"]


@pytest.mark.parametrize(
    "drawn",
    [
        "ax.plot([0, 1], [2, {n}])",
        "ax.scatter([0, 1], [2, {n}])",
        "ax.bar(['a', 'b'], [2, {n}])",
        "ax.fill_between([0, 1], [2, {n}])",
        "ax.pie([2, {n}])",
        "ax.imshow([[2, {n}]])",
        "ax.hist([2, {n}, 4])",
        "ax.set_title('mean of {n}')",
        "ax.contourf([[2, {n}], [5, 6]])",
    ],
)
def test_drawings_are_compared_by_what_they_draw(drawn):
    from matplotlib.figure import Figure

    def figure(n: int) -> Figure:
        made = Figure()
        exec(drawn.format(n=n), {"ax": made.add_subplot()})
        return made

    assert same(figure(3), figure(3))
    assert not same(figure(3), figure(9))
    assert same(figure(3).axes[0], figure(3).axes[0])


@pytest.mark.parametrize(
    "drawn",
    [
        "ax.plot([0, 1], [2, 3], label='a'); ax.legend()",
        "ax.bar(['a', 'b'], [2, 3]); ax.figure.tight_layout()",
        "ax.quiver([0, 1], [0, 1], [1, 1], [0, 1])",
        "ax.annotate('here', (0, 0), (1, 1), arrowprops={})",
        "ax.figure.add_subplot(projection='3d').scatter([0, 1], [0, 1], [0, 1])",
    ],
)
def test_drawing_it_does_not_change_what_it_draws(drawn):
    from matplotlib.figure import Figure

    figure = Figure()
    exec(drawn, {"ax": figure.add_subplot()})
    before = observe.report({"v": figure})
    figure.canvas.draw()

    assert observe.report({"v": figure}) == before


def test_a_drawing_that_a_later_cell_mentions_is_not_compared(notebook):
    notebook.run("from matplotlib.figure import Figure; fig = Figure(); other = Figure()")
    source = notebook.run("ax = fig.add_subplot()")["source"]
    notebook.run("ax.plot([1, 2])")

    found = observe.look(["ax", "other"], source=source, cell="c1", shell=notebook.shell)["report"]
    assert found["ax"]["blind"] == "a later cell changed it"
    assert "blind" not in found["other"]


def test_memory_addresses_are_no_content():
    class Thing:
        pass

    one, other = observe.report({"v": Thing()}), observe.report({"v": Thing()})
    assert (one, "0x" in one["v"]["short"]) == (other, False)


def test_a_short_text_is_short():
    assert len(observe.report({"v": "long " * 1000})["v"]["short"]) <= 200
    assert observe.report({"v": frame()})["v"]["short"]


def test_fingerprints_do_not_depend_on_the_process():
    code = (
        "import json, sys; names = {'__name__': 'probe'}\n"
        "exec(open(sys.argv[1]).read(), names)\n"
        "print(json.dumps(names['report']({'v': {'b': {'x', 'y', 'z'}, 'a': [1.5, None]}})))"
    )
    found = [
        subprocess.run(
            [sys.executable, "-S", "-c", code, observe.__file__], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]

    assert found[0] == found[1]


def test_loaded_names_distributions_and_what_they_need():
    import sklearn

    found = {one["name"]: one for one in observe.loaded()}

    assert found["scikit-learn"]["version"] == sklearn.__version__
    assert found["scikit-learn"]["imports"] == ["sklearn"]
    assert "scipy" in found["scikit-learn"]["requires"]
    assert {"scipy", "threadpoolctl"} <= found.keys()
