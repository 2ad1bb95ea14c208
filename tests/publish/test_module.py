"""The file a version runs: it gives what the notebook gave, from Python and from the command line."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_slipway.errors import Unprocessable
from jupyter_slipway.publish.model import CellSource, LineMapping, Module
from jupyter_slipway.publish.module import make_module
from jupyter_slipway.publish.parameters import ParameterEdit, apply_edits, find_parameters
from jupyter_slipway.publish.slice import slice_cells

from .test_slice import HARD, PANDAS, START, STATEMENTS, value_of


def module_of(*sources: str, edits: Sequence[ParameterEdit] = (), **options: Any) -> Module:
    """The module of the last cell, with the parameters it has by default and these edits."""
    cells = [CellSource(f"c{index}", source, index) for index, source in enumerate(sources)]
    slice = slice_cells(cells, cells[-1].id)
    parameters = apply_edits(find_parameters(slice), edits)
    return make_module(slice, parameters, **{"title": "A job", "notebook": "n.ipynb", **options})


def call(module: Module, path: Path, **values: Any) -> dict[str, Any]:
    """What `main` returns, the module loaded as the runner loads it."""
    file = path / "job.py"
    file.write_text(module.source)
    job = ModuleType("job")
    job.__file__ = str(file)
    sys.modules["job"] = job  # as the runner does: dataclasses look it up
    try:
        exec(compile(module.source, str(file), "exec"), job.__dict__)
        found = job.main(**values)
    finally:
        del sys.modules["job"]
    assert tuple(found) == module.outputs
    return dict(found)


def run(module: Module, path: Path, *arguments: str) -> str:
    """What `python job.py …` prints."""
    file = path / "job.py"
    file.write_text(module.source)
    done = subprocess.run(
        [sys.executable, str(file), *arguments], capture_output=True, text=True, check=False, cwd=path
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def body(module: Module) -> str:
    """The lines of `main`, the signature and docstring left out."""
    tree = ast.parse(module.source)
    main = next(one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == "main")
    lines = module.source.split("\n")[main.body[0].end_lineno : main.end_lineno]
    return "\n".join(line[4:] for line in lines)


ALL = [pytest.param(sources, id=name) for name, sources, _ in [*HARD, *PANDAS]]


@pytest.mark.filterwarnings("ignore:The inplace keyword")
@pytest.mark.parametrize("sources", ALL)
def test_the_module_gives_what_the_notebook_gives(sources: list[str], tmp_path: Path) -> None:
    module = module_of(*sources)

    found = call(module, tmp_path)

    assert found[module.outputs[-1]] == value_of(sources)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(STATEMENTS, min_size=1, max_size=3).map("\n".join), max_size=6), st.sampled_from("abcd"))
def test_any_small_notebook_gives_the_same_value(middle: list[str], name: str) -> None:
    sources = [START, *middle, f"str({name})[:500]"]
    names: dict[str, Any] = {"__name__": "job", "__file__": __file__}
    module = module_of(*sources)
    if "runpy" in module.source:
        return
    exec(compile(module.source, "job.py", "exec"), names)

    assert names["main"]()["result"] == value_of(sources)


FLIGHTS = [
    "%matplotlib inline\nimport pandas as pd\nimport numpy as np, os\nfrom collections import Counter, OrderedDict",
    "month = 6  # the month to look at\nSTART = '2013-06-01'\nnames = ['AA', 'UA']",
    "# three flights are enough here\ndf = pd.DataFrame({\n    'month': [6, 6, 7],\n    'delay': [10, 20, 60],\n})\ndf",
    "def late(table, over=15):\n    '''Those over it.'''\n    return table[table.delay > over]",
    "def chosen(table):\n    return table[table.month == month]",
    "few = late(chosen(df))\nprint(names, START)\n# how many are left\nlen(few)",
]

EXPECTED = '''\
# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "pandas==3.0.0",
# ]
# ///
"""Late flights.

Published from cell [5] of n.ipynb; it needs cells [0], [1], [2], [3], [4].
"""

import argparse
from datetime import date

import pandas as pd


def late(table, over=15):
    \'\'\'Those over it.\'\'\'
    return table[table.delay > over]


def main(
    *,
    month: int = 6,
    START: date = date(2013, 6, 1),
    names: list[str] | None = None,
) -> dict[str, object]:
    """Return `few` and `result`.

    Args:
        month: the month to look at
    """
    if names is None:
        names = ["AA", "UA"]
    START = str(START)

    # three flights are enough here
    df = pd.DataFrame({
        'month': [6, 6, 7],
        'delay': [10, 20, 60],
    })

    def chosen(table):
        return table[table.month == month]

    few = late(chosen(df))
    print(names, START)
    # how many are left
    result = len(few)
    return {"few": few, "result": result}


def arguments() -> dict[str, object]:
    """Those parameters that the command line gives."""
    parser = argparse.ArgumentParser(description=__doc__, argument_default=argparse.SUPPRESS)
    parser.add_argument("--month", type=int, help="the month to look at")
    parser.add_argument("--start", dest="START", type=date.fromisoformat, help='date, "2013-06-01" by default')
    parser.add_argument("--names", nargs="*", help='list[str], ["AA", "UA"] by default')
    return vars(parser.parse_args())


if __name__ == "__main__":
    for name, value in main(**arguments()).items():
        print(f"{name}: {value}")
'''


def test_the_file_reads_as_a_colleague_would_have_written_it() -> None:
    module = module_of(*FLIGHTS, title="Late flights", requires=["pandas==3.0.0"])

    assert module.source == EXPECTED
    assert module.outputs == ("few", "result")
    assert module.imports == ("pandas",)


def test_each_line_points_to_its_cell() -> None:
    module = module_of(*FLIGHTS)
    lines = module.source.split("\n")

    for one in module.lines:
        origin = FLIGHTS[one.index].split("\n")[one.cell_line - 1].strip()
        assert origin in lines[one.line - 1] or lines[one.line - 1].strip() in (
            "import pandas as pd",
            f"result = {origin}",
        )
    assert LineMapping(lines.index("    result = len(few)") + 1, "c5", 5, 4) in module.lines


def test_it_runs_alone_with_other_parameters(tmp_path: Path) -> None:
    module = module_of(*FLIGHTS)

    assert run(module, tmp_path).splitlines()[0] == "['AA', 'UA'] 2013-06-01"
    assert run(module, tmp_path, "--month", "7", "--start", "2014-01-01", "--names", "B6").splitlines() == [
        "['B6'] 2014-01-01",
        "few:    month  delay",
        "2      7     60",
        "result: 1",
    ]


def test_the_command_line_refuses_what_is_not_of_the_type(tmp_path: Path) -> None:
    file = tmp_path / "job.py"
    file.write_text(module_of(*FLIGHTS).source)

    done = subprocess.run([sys.executable, str(file), "--month", "June"], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "invalid int value: 'June'" in done.stderr


TYPES = """import datetime
from pathlib import Path
n = 3
f = 0.5
s = "a 'quoted' text"
b = True
d = "2013-01-01"
dd = datetime.date(2013, 1, 1)
t = "2013-01-01 05:00"
p = "data/x.csv"
pp = Path("data/x.csv")
l = [1, 2]
m = ["a"]
fs = (3, 4.5)
z = {"k": 1}
u = "https://example.org/x.csv\""""
ON_TOO = [ParameterEdit("z", on=True)]
VALUES = "[n, f, s, b, d, dd, t, p, pp, l, m, fs, z, u]"


def test_every_type_keeps_its_python_value(tmp_path: Path) -> None:
    module = module_of(TYPES, VALUES, edits=ON_TOO)

    assert call(module, tmp_path)["result"] == value_of([TYPES, VALUES])


def test_every_type_is_read_from_the_command_line(tmp_path: Path) -> None:
    module = module_of(TYPES, VALUES, edits=ON_TOO)
    given = (
        "--n 4 --f 1 --s x --no-b --d 2014-02-03 --dd 2014-02-03 --t 2014-02-03T06:30 --p y.csv --pp z.csv --l 5 6 --m"
    )
    given += ' --fs 1 2 --z {"k":2} --u v'

    assert run(module, tmp_path, *given.split()).splitlines()[-1] == (
        "result: [4, 1.0, 'x', False, '2014-02-03', datetime.date(2014, 2, 3), '2014-02-03 06:30', 'y.csv', "
        "PosixPath('z.csv'), [5, 6], [], (1.0, 2.0), {'k': 2}, 'v']"
    )


def test_values_as_the_runner_gives_them(tmp_path: Path) -> None:
    import datetime

    module = module_of(TYPES, VALUES, edits=ON_TOO)

    found = call(module, tmp_path, d=datetime.date(2014, 1, 2), t=datetime.datetime(2014, 1, 2, 3), p=Path("y.csv"))

    assert [found["result"][k] for k in (4, 6, 7)] == ["2014-01-02", "2014-01-02 03:00", "y.csv"]


def test_a_renamed_parameter_leaves_the_code_its_name(tmp_path: Path) -> None:
    module = module_of(
        "X = 1\ny = 2", "X + y", edits=[ParameterEdit("X", rename="month"), ParameterEdit("y", on=False)]
    )

    assert body(module) == 'X = month\n\ny = 2\n\nresult = X + y\nreturn {"result": result}'
    assert call(module, tmp_path, month=5)["result"] == 7


def test_two_targets_on_one_line(tmp_path: Path) -> None:
    module = module_of("a, b = 1, 2", "a + b", edits=[ParameterEdit("b", on=False)])

    assert call(module, tmp_path, a=5)["result"] == 7


def test_a_literal_in_a_call_becomes_a_parameter(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1")
    (tmp_path / "b.txt").write_text("2")
    load = f"import numpy as np\nn = float(np.loadtxt('{tmp_path}/a.txt'))  # all of it"

    module = module_of(load, "n", edits=[ParameterEdit("a_txt", rename="source", on=True)])

    assert "n = float(np.loadtxt(source))  # all of it" in module.source
    assert call(module, tmp_path)["result"] == 1
    assert call(module, tmp_path, source=tmp_path / "b.txt")["result"] == 2


def test_an_added_parameter_takes_the_place_of_an_assignment(tmp_path: Path) -> None:
    module = module_of("n = len('abc')", "n * 2", edits=[ParameterEdit("n", default=7)])

    assert call(module, tmp_path)["result"] == 14


def test_a_parameter_that_nothing_assigns_is_refused() -> None:
    with pytest.raises(Unprocessable, match="Nothing that is kept assigns 'q'"):
        module_of("n = 1", "n", edits=[ParameterEdit("q", default=7)])


def test_two_calls_do_not_share_a_default(tmp_path: Path) -> None:
    module = module_of("xs = [1, 2]", "ys = xs\nsum(ys)")

    assert "xs = [1, 2]" in module.source
    assert "xs: list[int] | None = None" in module.source


def test_unused_imports_are_dropped_and_the_rest_sorted() -> None:
    module = module_of(
        "import os, json as j, sys\nfrom collections import Counter, OrderedDict as O\nimport numpy as np",
        "from __future__ import annotations\nfrom pathlib import Path",
        "(sys.platform, Counter('a'), j.dumps(1), np.pi, Path('x'))",
    )

    imports = [line for line in module.source.split("\n") if re.match("(import|from) ", line)]
    assert imports == [
        "import json as j",
        "import sys",
        "from collections import Counter",
        "from pathlib import Path",
        "import numpy as np",
    ]


def test_future_imports_stand_first_when_kept() -> None:
    module = module_of("from __future__ import annotations\nx: Undefined = 1\nx")

    tree = ast.parse(module.source)
    assert isinstance(tree.body[1], ast.ImportFrom)
    assert tree.body[1].module == "__future__"


def test_one_name_imported_from_two_places_stays_in_order(tmp_path: Path) -> None:
    sources = ["from math import sqrt as f", "a = f(9)", "from math import floor as f", "[a, f(2.5)]"]

    assert call(module_of(*sources), tmp_path)["result"] == [3.0, 2]


def test_imports_after_a_setting_of_the_environment_stay_after_it() -> None:
    module = module_of("import os", "os.environ['X_LEVEL'] = '3'", "import json", "json.dumps(os.environ['X_LEVEL'])")

    assert module.source.index("os.environ['X_LEVEL'] = ") < module.source.index("import json")


@pytest.mark.parametrize(
    "sources",
    [
        ["n = 0", "def f():\n    global n\n    n += 1", "f()", "n"],
        ["exec('q = 5')", "q"],
        ["from math import *", "floor(2.5)"],
        ["list = list('ab')", "list"],
        ["x = 1", "globals()['x'] + 1"],
    ],
)
def test_what_a_function_cannot_hold_keeps_the_notebooks_form(sources: list[str], tmp_path: Path) -> None:
    module = module_of(*sources)

    assert 'if __name__ == "__job__":' in module.source
    assert call(module, tmp_path)["result"] == value_of(sources)
    assert call(module, tmp_path)["result"] == value_of(sources)
    assert run(module, tmp_path).splitlines()[-1] == f"result: {value_of(sources)}"


def test_the_notebooks_form_has_parameters_too(tmp_path: Path) -> None:
    module = module_of("start = 4", "n = 0", "def f():\n    global n\n    n += start", "f()", "n")

    assert call(module, tmp_path, start=7)["result"] == 7
    assert run(module, tmp_path, "--start", "9") == "result: 9\n"


def test_await_at_the_top(tmp_path: Path) -> None:
    module = module_of("import asyncio\nwait = 0", "await asyncio.sleep(wait)\nx = 3\nx + 1")

    assert call(module, tmp_path) == {"x": 3, "result": 4}


def test_text_over_several_lines_is_not_indented(tmp_path: Path) -> None:
    text = 'x = """one\n  two\n"""\ny = f"""{x}\nthree"""'

    assert call(module_of(text, "y"), tmp_path)["result"] == value_of([text, "y"])


def test_what_only_shows_something_is_dropped_but_for_the_last() -> None:
    module = module_of("x = 1\nx\nx + 1", "x\n'text'\nx")

    assert body(module) == 'result = x\nreturn {"result": result}'


@pytest.mark.parametrize("last", ["print(x)", "x;", "y = x", "display(x)"])
def test_a_cell_that_shows_no_value_returns_none_as_result(last: str) -> None:
    assert "result" not in module_of("x = [1]\nx.append(2)", last).outputs


def test_display_is_imported() -> None:
    assert "from IPython.display import display" in module_of("x = 1", "display(x)").source


def test_a_value_called_result_is_not_hidden(tmp_path: Path) -> None:
    assert call(module_of("result = 1\nresult + 1"), tmp_path) == {"result": 1, "shown": 2}
    assert call(module_of("result = 1 + 1\nresult"), tmp_path) == {"result": 2}


def test_values_bound_only_perhaps_are_returned_when_they_exist(tmp_path: Path) -> None:
    module = module_of("best = 0", "for one in []:\n    best = one\nbest")

    assert call(module, tmp_path) == {"best": 0, "result": 0}


def test_plots_are_drawn_without_a_screen(tmp_path: Path) -> None:
    source = "%matplotlib inline\nimport matplotlib.pyplot as plt"
    module = module_of(source, "fig, ax = plt.subplots()\nax.plot([1, 2])\nplt.show()")

    assert module.outputs == ("fig", "ax")
    assert "Figure(640x480)" in run(module, tmp_path)


def test_a_line_that_is_left_over_when_a_magic_goes() -> None:
    module = module_of("if True:\n    %matplotlib inline\n    x = 1", "%time x + 1")

    assert "result = x + 1" in module.source


def test_statements_on_one_line() -> None:
    assert "a = 1\n" in module_of("a = 1; c = 2; a += c", "a").source


def test_odd_titles_and_notebooks_do_not_break_the_file(tmp_path: Path) -> None:
    module = module_of("1 + 1", title='a """ b \\', notebook='x"""\\n.ipynb')

    assert call(module, tmp_path) == {"result": 2}


def test_descriptions_do_not_break_the_file(tmp_path: Path) -> None:
    module = module_of('n = 1  # 100% """ of \\ it', "n + 1")

    assert run(module, tmp_path, "--n", "2") == "result: 3\n"
    assert "100%" in run(module, tmp_path, "--help")


def test_a_name_of_ours_may_be_the_users_too(tmp_path: Path) -> None:
    sources = [
        "import datetime, json",
        "start = datetime.datetime(2013, 1, 2)\nday = datetime.date(2013, 1, 3)",
        "def main(x):\n    return [x, 1]\ndef arguments(): return 2\ndate = 5",
        "json.dumps([main(start.year), day.day, date, arguments()])",
    ]
    module = module_of(*sources)

    assert call(module, tmp_path)["result"] == value_of(sources)
    assert run(module, tmp_path, "--start", "2014-01-01") == "result: [[2014, 1], 3, 5, 2]\n"


def test_code_for_the_main_program_runs_in_a_job_too(tmp_path: Path) -> None:
    assert call(module_of('x = []\nif __name__ == "__main__":\n    x.append(1)', "x"), tmp_path)["result"] == [1]


def test_a_parameters_name_that_the_code_has_already_is_refused() -> None:
    with pytest.raises(Unprocessable, match="the code has that name already"):
        module_of("x = 1\ny = x + 1", "y", edits=[ParameterEdit("x", rename="y")])


def test_a_functions_module_is_not_a_local_of_main(tmp_path: Path) -> None:
    sources = ["import math", "def area(r): return math.pi * r", "def twice(r): return 2 * area(r)", "twice(1)"]
    module = module_of(*sources)

    assert "def main() -> dict[str, object]:" in module.source.split("def twice")[1]
    assert call(module, tmp_path)["result"] == value_of(sources)


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_lines_may_end_in_any_way(end: str) -> None:
    module = module_of(end.join(["x = 1", "y = 'é'; w = 2", "[x, y, w]"]))

    assert "    result = [x, y, w]" in module.source.split("\n")
    assert "    x: int = 1," in module.source.split("\n")
