"""Modules run clean, by the real run process, and compared with what a notebook gave."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_slipway.publish.inside.fingerprints import report
from jupyter_slipway.publish.model import Difference, Environment, Module, Parameter, Proof
from jupyter_slipway.publish.proof import judge, prove
from tests.waiting import eventually

HERE = Environment(python="3", locked=False, executable=sys.executable)


class Notebook:
    """A folder with a notebook in it, and a place for what is thrown away."""

    def __init__(self, folder: Path) -> None:
        self.directory = folder / "notebooks"
        self.scratch = folder / "scratch"
        self.directory.mkdir()
        self.scratch.mkdir()
        self.steps: list[str] = []

    def prove(self, source: str, expected: dict[str, Any] | None, **changes: Any) -> Any:
        """A coroutine that proves `source`; `expected` are values, whose fingerprints a kernel would give."""
        named: dict[str, Any] = {"parameters": (), "environment": HERE, "own_modules": {}, "timeout": 60.0} | changes
        return prove(
            Module(source),
            named.pop("parameters"),
            named.pop("environment"),
            None if expected is None else report(expected),
            directory=self.directory,
            scratch=self.scratch,
            progress=lambda step, fraction: self.steps.append(step),
            **named,
        )

    def proof(self, *arguments: Any, **named: Any) -> Proof:
        return asyncio.run(self.prove(*arguments, **named))


@pytest.fixture
def notebook(tmp_path) -> Notebook:
    return Notebook(tmp_path)


def test_the_same_values_are_the_same(notebook):
    source = "def main(n: int = 2):\n    return {'rows': [n * 1.5] * 3, 'result': n}\n"
    proof = notebook.proof(source, {"rows": [3.0] * 3, "result": 2}, parameters=(Parameter("n", "int", 2),))

    assert (proof.verdict, proof.differences, proof.compared) == ("same", (), ("rows", "result"))
    assert proof.seconds > 0
    assert notebook.steps == ["running it in a clean process", "comparing"]


def test_a_difference_is_named_with_both_values(notebook):
    proof = notebook.proof("def main(): return {'total': 41, 'n': 1}", {"total": 42, "n": 1})

    assert proof.verdict == "differs"
    assert proof.differences == (Difference("total", "42", "41"),)
    assert proof.reason == "total differs."


def test_frames_and_models_of_two_processes_agree(notebook):
    source = """
import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression

def main():
    rng = np.random.default_rng(7)
    df = pd.DataFrame({"x": rng.normal(size=500), "s": ["a", "b"] * 250})
    df["y"] = df.x * 3 + rng.normal(size=500)
    model = LinearRegression().fit(df[["x"]], df.y)
    return {"df": df, "model": model, "result": df.groupby("s").y.mean()}
"""
    names: dict[str, Any] = {}
    exec(source, names)
    proof = notebook.proof(source, names["main"]())

    assert (proof.verdict, proof.compared) == ("same", ("df", "model", "result"))


def test_a_class_of_the_notebook_is_the_same_class_in_the_module(notebook):
    source = "class Point:\n    def __init__(self): self.x = 1.5\n\ndef main(): return {'p': Point()}\n"
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(source, names)

    assert notebook.proof(source, names["main"]()).verdict == "same"


def test_it_sees_nothing_of_the_kernel_and_runs_in_the_notebooks_folder(notebook):
    (notebook.directory / "in.txt").write_text("7")
    source = """
from pathlib import Path
import helper

def main():
    Path("out.txt").write_text("written")
    return {"text": Path("in.txt").read_text(), "here": str(Path.cwd()), "helped": helper.VALUE, "x": "x" in globals()}
"""
    expected = {"text": "7", "here": str(notebook.directory), "helped": 5, "x": False}
    proof = notebook.proof(source, expected, own_modules={"helper.py": "VALUE = 5\n"})

    assert (proof.verdict, proof.differences) == ("same", ())
    assert (notebook.directory / "out.txt").read_text() == "written"


def test_a_module_that_fails_differs_and_says_how(notebook):
    proof = notebook.proof("def main():\n    return missing\n", {"result": 1})

    assert proof.verdict == "differs"
    assert "NameError: name 'missing' is not defined, line 2" in proof.reason


def test_without_a_kernel_nothing_is_compared(notebook):
    proof = notebook.proof("def main(): return {'a': 1}", None)

    assert (proof.verdict, "no kernel" in proof.reason) == ("not comparable", True)


def test_only_what_has_no_content_is_not_comparable(notebook):
    source = "def main():\n    return {'found': (i for i in ())}\n"
    names: dict[str, Any] = {}
    exec(source, names)
    proof = notebook.proof(source, names["main"]())

    assert proof.verdict == "not comparable"
    assert "found: a generator" in proof.reason


def test_an_environment_that_is_gone_is_not_comparable(notebook):
    proof = notebook.proof("def main(): pass", {}, environment=Environment("3", True, executable="/nowhere/python"))

    assert (proof.verdict, "/nowhere/python" in proof.reason) == ("not comparable", True)


def test_a_module_that_hangs_is_ended(notebook):
    proof = notebook.proof("import time\ndef main(): time.sleep(60)\n", {"result": 1}, timeout=1.0)

    assert (proof.verdict, "did not end within 1 s" in proof.reason) == ("not comparable", True)


def test_a_process_that_is_killed_is_told(notebook):
    source = "import os, signal\ndef main(): os.kill(os.getpid(), signal.SIGKILL)\n"
    proof = notebook.proof(source, {"result": 1})

    assert (proof.verdict, "SIGKILL" in proof.reason) == ("differs", True)


def test_cancelling_ends_the_whole_group(notebook):
    pids = notebook.directory / "pids"
    source = f"""
import os, subprocess, time

def main():
    child = subprocess.Popen(["sleep", "60"])
    open({str(pids) + ".tmp"!r}, "w").write(f"{{os.getpid()}} {{child.pid}}")
    os.rename({str(pids) + ".tmp"!r}, {str(pids)!r})
    time.sleep(60)
"""

    async def cancelled() -> None:
        task = asyncio.ensure_future(notebook.prove(source, {"result": 1}))
        while not pids.exists():
            await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    eventually(lambda: not any(_lives(int(pid)) for pid in pids.read_text().split()))


def _lives(pid: int) -> bool:
    """Not gone, and not merely waiting to be buried."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


# ── verdicts ────────────────────────────────────────────────────────────────────────────────────────────────


def verdict(expected: dict[str, Any], found: dict[str, Any]) -> Proof:
    return judge(report(expected), report(found))


def test_a_cell_that_was_not_run_is_told_from_one_that_leaves_nothing() -> None:
    assert "run it, then prove again" in judge({}, report({"total": 3})).reason
    assert "leaves no value" in judge({}, {}).reason


def test_what_is_out_of_sight_is_named_beside_a_verdict():
    proof = verdict({"n": 1, "g": (i for i in ())}, {"n": 1, "g": (i for i in ())})

    assert (proof.verdict, proof.compared, proof.reason) == ("same", ("n",), "Not compared: g: a generator.")


def test_a_part_out_of_sight_is_named():
    proof = verdict({"pair": [1, verdict]}, {"pair": [1, verdict]})

    assert (proof.verdict, proof.reason) == ("same", "Not compared: inside pair, a function.")


@pytest.mark.parametrize(
    ("expected", "found", "words"),
    [
        (1, 1.0, ("int: 1", "float: 1.0")),
        (0.5, 0.25, ("0.5", "0.25")),
        ([0] * 100 + [1], [0] * 100 + [2], None),
        ([0.5] * 100, [0.5] * 99 + [0.75], None),
    ],
)
def test_differences_read_apart(expected, found, words):
    (difference,) = verdict({"v": expected}, {"v": found}).differences

    assert difference.expected != difference.found
    assert words is None or (difference.expected, difference.found) == words


def test_shapes_and_missing_values_are_differences():
    import numpy as np

    shape = verdict({"v": np.zeros((2, 3))}, {"v": np.zeros((3, 2))})
    missing = verdict({"v": 1}, {})

    assert shape.differences == (Difference("v", "shape (2, 3)", "shape (3, 2)"),)
    assert missing.differences == (Difference("v", "1", "no such value"),)


def test_a_float_within_the_tolerance_is_the_same():
    assert verdict({"v": 0.1 + 0.2}, {"v": 0.3}).verdict == "same"
    assert verdict({"v": 0.3001}, {"v": 0.3}).verdict == "differs"
    assert verdict({"v": 1.0}, {"v": 1.0}).tolerance == 1e-9


# ── what is printed ─────────────────────────────────────────────────────────────────────────────────────────


def printed(text: str) -> list[dict[str, Any]]:
    return [{"output_type": "stream", "name": "stdout", "text": text}]


def test_a_cell_that_only_prints_is_compared_by_what_it_prints(notebook):
    source = "def main():\n    print('loaded')\n    print('mae', 0.1 + 0.2)\n    return {}\n"
    proof = notebook.proof(source, {}, shown=printed("mae 0.3\n"))

    assert (proof.verdict, proof.reason, proof.compared) == ("same", "", ("printed lines",))


def test_a_printed_line_that_differs_is_named(notebook):
    source = "def main():\n    print('mae 0.25')\n    return {'n': 1}\n"
    proof = notebook.proof(source, {"n": 1}, shown=printed("mae 0.3\n"))

    assert (proof.verdict, proof.reason) == ("differs", "1 printed line differs.")
    assert proof.differences == (Difference("printed line", "mae 0.3", "mae 0.25"),)


def test_what_printed_lines_could_not_be_compared_is_said(notebook):
    source = "def main():\n    print('took 3.5 s')\n    return {'n': 1}\n"
    proof = notebook.proof(source, {"n": 1}, shown=printed("took 1.2 s\n"))

    assert (proof.verdict, proof.reason) == ("same", "Not compared: 1 printed line telling a time.")
