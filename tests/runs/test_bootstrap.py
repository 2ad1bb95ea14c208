"""What the run process does with a module, seen from outside: the real script, in a real process."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_slipway.runs import bootstrap, layout, outputs
from jupyter_slipway.runs.attempt import BOOTSTRAP, ENTRY


class Ran:
    """One run of a module's source, and the files it left."""

    def __init__(self, rundir: Path, source: str, imported: bool = False, **request: Any) -> None:
        self.rundir = rundir
        module = rundir / "slipway_job.py"
        module.write_text(source)
        asked = layout.request(module, {}, {}, str(rundir)) | request
        (rundir / "request.json").write_text(json.dumps(asked))
        entry = ["-c", ENTRY] if imported else [BOOTSTRAP]
        self.process = subprocess.run([sys.executable, *entry, str(rundir)], capture_output=True, text=True, timeout=60)
        self.code = self.process.returncode

    def __getattr__(self, name: str) -> Any:
        return json.loads((self.rundir / f"{name}.json").read_text())


@pytest.fixture
def ran(tmp_path):
    def run(source: str, **request: Any) -> Ran:
        return Ran(tmp_path, source, **request)

    return run


def test_what_main_returns_is_the_value_and_its_result_is_shown(ran):
    run = ran("def main(): return {'result': 42, 'names': ('a', 'b')}")

    assert (run.code, run.value) == (0, {"result": 42, "names": ["a", "b"]})
    assert run.outputs == [
        {
            "output_type": "execute_result",
            "data": {"text/plain": "42"},
            "metadata": {},
            "execution_count": None,
        }
    ]


def test_a_value_that_is_no_dict_is_the_result(ran):
    run = ran("def main(): return 'done'")

    assert run.value == {"result": "done"}


def test_parameters_arrive_with_their_types(ran):
    source = """
def main(**given):
    return {name: f"{type(value).__name__} {value}" for name, value in given.items()}
"""
    parameters = {
        "n": 3,
        "rate": 1,
        "day": "2026-03-29",
        "at": "2026-03-29T02:30:00Z",
        "file": "data/a.csv",
        "days": ["2026-01-01"],
        "files": {"a": "b.csv"},
        "text": "'; import os #",
        "none": None,
    }
    types = {
        "n": ["int", ""],
        "rate": ["float", ""],
        "day": ["date", ""],
        "at": ["datetime", ""],
        "file": ["path", ""],
        "days": ["list", "date"],
        "files": ["dict", "path"],
        "text": ["str", ""],
        "none": ["date", ""],
    }

    assert ran(source, parameters=parameters, types=types).value == {
        "n": "int 3",
        "rate": "float 1.0",
        "day": "date 2026-03-29",
        "at": "datetime 2026-03-29 02:30:00+00:00",
        "file": "PosixPath data/a.csv",
        "days": "list [datetime.date(2026, 1, 1)]",
        "files": "dict {'a': PosixPath('b.csv')}",
        "text": "str '; import os #",
        "none": "NoneType None",
    }


def test_values_that_json_cannot_hold_are_told_in_a_short_text(ran):
    source = """
import datetime, math, numpy as np, pandas as pd
from pathlib import Path
class Model:
    def __repr__(self): return "Model()" * 100
class Broken:
    def __repr__(self): raise RuntimeError("no")
def main():
    return {
        "mae": np.float64(1.5), "count": np.int64(3), "yes": np.bool_(True), "nan": math.nan, "big": 2**70,
        "day": datetime.date(2026, 1, 2), "moment": pd.Timestamp("2026-01-02"), "path": Path("a/b"),
        "frame": pd.DataFrame({"a": [1, 2]}), "small": np.arange(3), "large": np.zeros((50, 50)),
        "model": Model(), "broken": Broken(), "items": {1: {2}}, "many": list(range(20000)), "lam": np.float32(0.5),
    }
"""
    value = ran(source).value

    assert value.pop("model").startswith("Model()Model()")
    assert value == {
        "mae": 1.5,
        "count": 3,
        "yes": True,
        "nan": "nan",
        "big": str(2**70),
        "day": "2026-01-02",
        "moment": "2026-01-02T00:00:00",
        "path": "a/b",
        "frame": "DataFrame of shape (2, 1)",
        "small": [0, 1, 2],
        "large": "ndarray of shape (50, 50)",
        "broken": "<Broken: its repr failed with RuntimeError>",
        "items": {"1": [2]},
        "many": "list of 20000 entries",
        "lam": 0.5,
    }


def test_a_failure_names_the_users_own_lines(ran):
    source = """
import json

def load(text):
    return json.loads(text)

def main():
    print("before")
    return load("{")
"""
    run = ran(source)

    assert run.code == 1
    assert (run.error["kind"], run.error["frames"]) == (
        "JSONDecodeError",
        [
            {"line": 9, "source": 'return load("{")', "function": "main"},
            {"line": 5, "source": "return json.loads(text)", "function": "load"},
        ],
    )
    assert run.error["traceback"].startswith("Traceback (most recent call last):\n  File ")
    assert "bootstrap" not in run.error["traceback"]
    assert run.process.stdout == "before\n"
    assert run.process.stderr == run.error["traceback"]


def test_a_module_that_does_not_compile_names_its_line(ran):
    run = ran("x = 1\ndef main(:\n    pass\n")

    assert (run.code, run.error["kind"]) == (1, "SyntaxError")
    assert run.error["frames"] == [{"line": 2, "source": "def main(:", "function": ""}]


def test_a_parameter_that_main_does_not_have_fails_the_run(ran):
    run = ran("def main(): pass", parameters={"month": 3})

    assert (run.code, run.error["kind"]) == (1, "TypeError")
    assert "month" in run.error["message"]


def test_sys_exit_zero_is_a_success_and_any_other_a_failure(ran):
    assert ran("import sys\ndef main(): sys.exit()").code == 0
    failed = ran("import sys\ndef main(): sys.exit('no rows today')")

    assert (failed.code, failed.error["kind"], failed.error["message"]) == (1, "SystemExit", "no rows today")


def test_display_shows_in_order_as_the_notebook_does(ran):
    source = """
from IPython.display import HTML, Markdown, display as show, clear_output
import pandas as pd
def main():
    display("gone")
    clear_output()
    display(HTML("<b>bold</b>"))
    show(Markdown("# title"))
    handle = show("first", display_id="one")
    handle.update("second")
    show({"text/plain": "raw"}, raw=True)
    return {"result": pd.DataFrame({"a": [1]})}
"""
    run = ran(source)
    shown = [output["data"] for output in run.outputs]

    assert run.code == 0
    assert shown[0]["text/html"] == "<b>bold</b>"
    assert shown[1]["text/markdown"] == "# title"
    assert shown[2] == {"text/plain": "'second'"}
    assert shown[3] == {"text/plain": "raw"}
    assert "<table" in shown[4]["text/html"]
    assert [output["output_type"] for output in run.outputs] == ["display_data"] * 4 + ["execute_result"]


def test_figures_are_shown_at_show_and_at_the_end(ran):
    source = """
import matplotlib.pyplot as plt
def main():
    plt.plot([1, 2]); plt.show()
    display("between")
    figure, axes = plt.subplots(); axes.plot([2, 1])
    return {"result": 1}
"""
    run = ran(source)

    assert [sorted(output["data"]) for output in run.outputs] == [
        ["image/png", "text/plain"],
        ["text/plain"],
        ["text/plain"],
        ["image/png", "text/plain"],
    ]
    assert base64.b64decode(run.outputs[0]["data"]["image/png"]).startswith(b"\x89PNG")
    assert run.outputs[0]["data"]["text/plain"] == "<Figure size 640x480 with 1 Axes>"
    assert run.process.stderr == ""


def test_a_mime_bundle_is_kept_as_it_is(ran):
    source = """
class Chart:
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"application/vnd.vegalite.v5+json": {"mark": "bar"}, "text/plain": "<chart>"}, {"a": 1}
class Broken:
    def _repr_html_(self): raise ValueError("cannot draw")
    def __repr__(self): return "Broken()"
def main():
    display(Broken())
    return Chart()
"""
    run = ran(source)

    assert run.outputs[0]["data"] == {"text/plain": "Broken()"}
    assert run.outputs[1]["data"] == {
        "application/vnd.vegalite.v5+json": {"mark": "bar"},
        "text/plain": "<chart>",
    }
    assert "Broken._repr_html_ failed: ValueError: cannot draw" in run.process.stderr


def test_what_json_has_not_is_shown_all_the_same(ran):
    run = ran(
        """
class Chart:
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"application/json": {"y": [1.0, float("nan"), float("inf")], "file": "caf\\udce9"}, "text/plain": "c"}

def main(): return Chart()
"""
    )

    (shown,) = outputs.read(run.rundir)
    assert shown["data"]["application/json"] == {"y": [1.0, None, None], "file": "caf?"}


def test_a_chart_of_altair_is_shown_without_its_page(ran):
    source = """
class Chart:
    __module__ = "altair.vegalite.v6.api"
    def _repr_mimebundle_(self, include=None, exclude=None): return {"text/html": "<script>"}
    def to_dict(self): return {"$schema": "vega-lite/v6.json", "mark": "bar"}
    def __repr__(self): return "alt.Chart(...)"
def main():
    return Chart()
"""
    assert ran(source).outputs[0]["data"] == {
        "application/vnd.vegalite.v5+json": {"mark": "bar"},
        "text/plain": "alt.Chart(...)",
    }


def test_outputs_beyond_the_limit_are_counted_in_a_note(tmp_path):
    outputs = bootstrap.Outputs(str(tmp_path), limit=1000)
    for _ in range(5):
        outputs.show("x" * 400)

    assert [output["output_type"] for output in outputs.as_nbformat()] == ["display_data"] * 2 + ["stream"]
    assert outputs.as_nbformat()[-1]["text"].startswith("3 further outputs were left out")


def test_the_job_finds_its_folder_its_modules_and_who_it_is(ran, tmp_path):
    folder, modules = tmp_path / "notebooks", tmp_path / "modules"
    folder.mkdir()
    modules.mkdir()
    (folder / "data.txt").write_text("3")
    (folder / "beside.py").write_text("WHERE = 'folder'")
    (modules / "own.py").write_text("def tripled(x): return 3 * x")
    source = """
import os, own, beside, pickle
from pathlib import Path
class Thing: pass
def main():
    Path(os.environ["SLIPWAY_ARTIFACTS"], "model.bin").write_text("x")
    pickle.loads(pickle.dumps(Thing()))
    return {"result": own.tripled(int(Path("data.txt").read_text())), "where": beside.WHERE}
"""
    run = ran(source, directory=str(folder), path=[str(modules)])

    assert (run.code, run.value) == (0, {"result": 9, "where": "folder"})
    assert (tmp_path / "artifacts" / "model.bin").exists()


def test_our_own_files_do_not_shadow_the_jobs(ran):
    run = ran("def main():\n    try:\n        import outputs\n    except ImportError:\n        return 'not there'")

    assert run.value == {"result": "not there"}


def test_the_command_line_of_the_module_is_not_run(ran):
    run = ran("def main(): return 1\nif __name__ == '__main__':\n    raise SystemExit(3)")

    assert run.code == 0


def test_a_probe_reports_on_values_and_outputs(ran, tmp_path):
    probe = tmp_path / "probe.py"
    probe.write_text("def report(values, outputs): return {'n': values['result'] + 1, 'outputs': len(outputs)}")
    run = ran("def main(): return 41", probe=str(probe))

    assert run.fingerprints == {"n": 42, "outputs": 1}


def test_workers_of_the_job_do_not_write_its_outputs(ran):
    source = """
import multiprocessing
def work(n):
    display(n)
    return n * n
def main():
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return {"result": pool.map(work, [1, 2, 3])}
"""
    run = ran(source)

    assert run.value == {"result": [1, 4, 9]}
    assert len(run.outputs) == 1


def test_spawned_workers_find_the_modules_functions(ran):
    source = """
import multiprocessing
def work(n): return n * n
def main():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return {"result": pool.map(work, [1, 2, 3])}
"""
    assert ran(source).value == {"result": [1, 4, 9]}


def test_a_large_value_is_told_in_a_short_text(ran):
    run = ran("def main(): return {'mae': 1.5, 'rows': [['x' * 50] * 100] * 100, 'text': 'y' * 200_000}")

    assert run.value["mae"] == 1.5
    assert run.value["rows"] == "list of 100 entries"
    assert len(run.value["text"]) == 200


def test_notebook_progress_bars_go_to_the_log(ran):
    source = """
from tqdm.notebook import tqdm
def main(): return sum(tqdm(range(10)))
"""
    run = ran(source)

    assert run.value == {"result": 45}
    assert "100%|" in run.process.stderr


def test_a_terminated_run_tidies_up(tmp_path):
    module = tmp_path / "slipway_job.py"
    module.write_text(
        "import time\n"
        "def main():\n"
        "    try:\n"
        "        print('on', flush=True)\n"
        "        time.sleep(60)\n"
        "    finally:\n"
        "        print('tidy', flush=True)\n"
    )
    (tmp_path / "request.json").write_text(json.dumps(layout.request(module, {}, {}, str(tmp_path))))
    with subprocess.Popen(
        [sys.executable, BOOTSTRAP, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "on\n"
        process.terminate()
        assert process.communicate(timeout=120)[0] == "tidy\n"

    assert json.loads((tmp_path / "error.json").read_text())["kind"] == "Terminated"


@pytest.mark.parametrize(
    "text",
    ['{"a": [1, -2.5e3, true, null, "\\u00e4\\ud83d\\ude00\\n/"], "b": {}}', " [] \n", '"x"', "1", '{"a": NaN}'],
)
def test_json_is_read_as_json_reads_it(text):
    assert repr(bootstrap.json_value(text)) == repr(json.loads(text))


@pytest.mark.parametrize("text", ["", "{", '{"a": 1} x', "{'a': 1}"])
def test_what_is_no_json_is_refused(text):
    with pytest.raises(ValueError, match=r"line 1 column"):
        bootstrap.json_value(text)


def test_a_no_op_run_imports_next_to_nothing(ran):
    run = ran("import sys\ndef main(): print(sorted({'json', 're', 'enum', 'signal'} & set(sys.modules)))")

    assert run.process.stdout == "[]\n"


def test_imported_by_the_guard_it_is_the_same(ran, tmp_path):
    (tmp_path / "bootstrap.py").write_text("SAMPLES = 999")
    run = ran("import bootstrap\ndef main(): return bootstrap.SAMPLES", imported=True)
    failed = ran("def main(): return 1 / 0", imported=True)

    assert run.value == {"result": 999}
    assert (failed.code, failed.error["traceback"].count("File")) == (1, 1)
