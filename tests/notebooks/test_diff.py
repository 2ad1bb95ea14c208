"""Differences of notebooks: nbdime applies them, they name what changed, and their time grows with the cells."""

from __future__ import annotations

import copy
import itertools
import json
import os
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_slipway.__main__ import _compare
from jupyter_slipway.cli import main
from jupyter_slipway.errors import Unprocessable
from jupyter_slipway.notebooks.diff import diff_notebooks, diff_text, diff_words, pair_cells, runs
from jupyter_slipway.notebooks.glance import read_notebook
from jupyter_slipway.notebooks.marked import marked
from tests.notebooks.samples import Folder, code, markdown, notebook, percent, printed, result, write


def patched(a: Any, diff: list[dict[str, Any]]) -> Any:
    from nbdime import patch
    from nbdime.diff_utils import to_diffentry_dicts

    return patch(a, to_diffentry_dicts(diff))


def shown(a: Any, b: Any, **options: Any) -> list[str]:
    return ["".join(text for _, text in line) for line in marked(a, b, diff_notebooks(a, b), **options)]


# --- nbdime's format


def test_nbdime_turns_each_of_its_notebooks_into_each_other_by_our_diffs() -> None:
    folder = files("nbdime.tests") / "files"
    notebooks = [
        read_notebook(file.name, file.read_bytes()) for file in folder.iterdir() if file.name.endswith(".ipynb")
    ]
    assert len(notebooks) >= 53
    for a, b in itertools.product(notebooks, notebooks):
        diff = diff_notebooks(a, b)
        assert patched(a, diff) == b
        assert bool(diff) == (a != b)


TEXT = st.text(alphabet="ab x=1\n(\r\u2028é", max_size=24)
DATA = st.dictionaries(st.sampled_from(["text/plain", "image/png", "application/json"]), TEXT, max_size=3)
OUTPUT = st.one_of(
    st.builds(printed, TEXT),
    st.builds(lambda data, count: result("") | {"data": data, "execution_count": count}, DATA, st.integers(0, 3)),
)
METADATA = st.dictionaries(
    st.sampled_from("abc"),
    st.one_of(st.integers(0, 2), st.lists(TEXT, max_size=3), st.dictionaries(TEXT, TEXT)),
    max_size=3,
)
CELL = st.one_of(
    st.builds(
        lambda source, outputs, count, metadata, id: code(source, id, *outputs, count=count) | {"metadata": metadata},
        TEXT,
        st.lists(OUTPUT, max_size=3),
        st.one_of(st.none(), st.integers(0, 3)),
        METADATA,
        st.sampled_from(["", "p", "q", "r"]),
    ),
    st.builds(markdown, TEXT, st.sampled_from(["", "p", "q"])),
)
NOTEBOOK = st.builds(lambda cells, metadata: notebook(*cells, **metadata), st.lists(CELL, max_size=6), METADATA)


@given(NOTEBOOK, NOTEBOOK)
@settings(max_examples=300, deadline=None)
def test_a_diff_turns_any_notebook_into_any_other(a: Any, b: Any) -> None:
    before = copy.deepcopy((a, b))
    diff = diff_notebooks(a, b)
    assert patched(a, diff) == b
    assert (a, b) == before
    json.dumps(diff)


@given(TEXT, TEXT, st.booleans())
def test_a_diff_turns_any_text_into_any_other(a: str, b: str, words: bool) -> None:
    from nbdime.diff_utils import to_diffentry_dicts
    from nbdime.patching import patch_string

    assert patch_string(a, to_diffentry_dicts(diff_text(a, b, words=words))) == b


@given(st.lists(st.integers(0, 4), max_size=30), st.lists(st.integers(0, 4), max_size=30))
def test_what_is_not_in_a_run_is_equal(a: list[int], b: list[int]) -> None:
    kept_a, kept_b, done_a, done_b = [], [], 0, 0
    for start_a, end_a, start_b, end_b in [*runs(a, b), (len(a), len(a), len(b), len(b))]:
        kept_a += a[done_a:start_a]
        kept_b += b[done_b:start_b]
        done_a, done_b = end_a, end_b
    assert kept_a == kept_b


def test_nbdimes_own_words_for_a_changed_word() -> None:
    a, b = notebook(code("import os\nx = f(1, two)", "a")), notebook(code("import os\nx = f(1, three)", "a"))
    words = [{"op": "addrange", "key": 9, "valuelist": "three"}, {"op": "removerange", "key": 9, "length": 3}]
    assert diff_notebooks(a, b) == [
        {
            "op": "patch",
            "key": "cells",
            "diff": [
                {
                    "op": "patch",
                    "key": 0,
                    "diff": [{"op": "patch", "key": "source", "diff": [{"op": "patch", "key": 1, "diff": words}]}],
                }
            ],
        }
    ]


def test_images_are_replaced_whole_and_texts_by_line() -> None:
    a = notebook(code("x", "a", result("1\n2\n3", image_png="AAAA")))
    b = notebook(code("x", "a", result("1\n5\n3", image_png="BBBB")))
    (cells,) = diff_notebooks(a, b)
    data = cells["diff"][0]["diff"][0]["diff"][0]["diff"][0]["diff"]
    assert [entry["op"] for entry in data] == ["replace", "patch"]


ODD = st.one_of(OUTPUT, st.builds(lambda text: {"output_type": "error", "name": "stdout", "text": text}, TEXT))


@given(st.lists(st.tuples(st.lists(ODD, max_size=2), st.lists(ODD, max_size=2)), max_size=3), st.integers(0, 1))
def test_a_cell_that_was_run_again_is_compared_as_any_other(outputs: list[Any], count: int) -> None:
    def cells(side: int, **more: int) -> list[Any]:
        return [code("x", f"c{k}", *each[side], count=side * count) | more for k, each in enumerate(outputs)]

    # A member that no cell should have makes each be looked at in whole.
    short, whole = (
        diff_notebooks(notebook(*cells(0, **more)), notebook(*cells(1, **more))) for more in ({}, {"more": 1})
    )
    assert short == whole


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ({"execution_count": 1, "outputs": [], "more": 1}, {"execution_count": 1, "outputs": [], "more": 2}),
        ({"attachments": {}, "more": 1}, {"attachments": {}, "more": 2}),
        ({"execution_count": 1, "outputs": [printed("") | {"text": 1}]}, {"outputs": [], "execution_count": 1}),
        (
            {"execution_count": 1, "outputs": [printed("") | {"text": 1}]},
            {"execution_count": 1, "outputs": [printed("a")]},
        ),
    ],
)
def test_members_that_no_cell_should_have_are_compared_too(a: Any, b: Any) -> None:
    bare = {"cell_type": "code", "id": "c", "metadata": {}, "source": "x"}
    for old, new in [(bare | a, bare | b), (bare | b, bare | a)]:
        for member in ("id", None):
            pair = [notebook({key: value for key, value in cell.items() if key != member}) for cell in (old, new)]
            assert patched(pair[0], diff_notebooks(*pair)) == pair[1]


def test_outputs_can_be_left_out() -> None:
    a, b = notebook(code("x", "a", printed("1"), count=1)), notebook(code("x", "a", printed("2"), count=2))
    assert diff_notebooks(a, b, outputs=False) == []
    assert diff_notebooks(a, b) != []


# --- which cell is which


def test_cells_are_paired_by_id_whatever_became_of_them() -> None:
    a, b = [code("x = 1", "a"), code("y = 2", "b")], [code("new", "n"), code("all else", "a"), code("y = 2", "b")]
    assert pair_cells(a, b) == [(0, 1), (1, 2)]


def test_a_new_cell_is_not_taken_for_one_that_went_where_ids_are_kept() -> None:
    a = [code("x = 1", "a"), code("late['hour'] = late.time // 100", "b"), code("y = 1", "c")]
    b = [a[0], code("late['hour'] = late.time // 60", "d"), a[2]]
    assert pair_cells(a, b) == [(0, 0), (2, 2)]
    assert pair_cells(a, [a[0], code(a[1]["source"], "pasted"), a[2]]) == [(0, 0), (1, 1), (2, 2)]


def test_cells_without_ids_are_paired_by_what_they_are() -> None:
    a = [code("import os"), code("total = sum(values) + 1"), code("print(total)")]
    b = [code("import os"), code("# new"), code("total = sum(values) + 2"), code("print(total)")]
    assert pair_cells(a, b) == [(0, 0), (1, 2), (2, 3)]


def test_of_cells_that_changed_places_the_most_stay_paired() -> None:
    a = [code(f"x{k} = {k}", f"c{k}") for k in range(5)]
    assert pair_cells(a, [a[4], *a[:4]]) == [(0, 1), (1, 2), (2, 3), (3, 4)]


def test_a_copied_id_counts_once() -> None:
    a, b = [code("x", "a"), code("y", "a")], [code("x", "a")]
    assert pair_cells(a, b) == [(0, 0)]


def test_words_are_told_apart_by_whole_words() -> None:
    assert diff_words("total = old_sum + 1", "total = new_sum + 1") == [(8, 15, 8, 15)]


@pytest.mark.parametrize(("a", "b"), [([], []), ([], [code("x")]), ([code("x")], []), ([code("")], [code("")])])
def test_empty_notebooks_and_cells(a: list[Any], b: list[Any]) -> None:
    assert patched(notebook(*a), diff_notebooks(notebook(*a), notebook(*b))) == notebook(*b)


# --- size


def rerun(cells: int, run: int, ids: bool) -> dict[str, Any]:
    return notebook(
        *(
            code(f"d = load({k})\nprint(d.mean())", f"c{k}" * ids, printed(f"{k} {run * k}\n"), count=k + run * cells)
            for k in range(cells)
        )
    )


@pytest.mark.parametrize("ids", [True, False])
def test_time_grows_with_the_cells_not_with_their_pairs(ids: bool) -> None:
    def spent(cells: int) -> float:
        a, b = rerun(cells, 1, ids), rerun(cells, 2, ids)
        b["cells"][cells // 2]["source"] += "\nmore = 1"
        times = []
        for _ in range(5):
            start = time.thread_time()
            assert diff_notebooks(a, b)
            times.append(time.thread_time() - start)
        return min(times)

    # Ten times the cells: a hundred times the pairs.
    assert spent(5000) < 35 * spent(500)


def test_thousands_of_cells_of_which_none_is_known() -> None:
    a = notebook(*(code(f"first {k} {k * 7}") for k in range(2000)))
    b = notebook(*(code(f"other {k} {k * 11}") for k in range(2000)))
    assert patched(a, diff_notebooks(a, b)) == b


def test_a_long_text_of_which_no_line_is_known() -> None:
    a, b = "\n".join(f"a{k}" for k in range(20_000)), "\n".join(f"b{k}" for k in range(20_000))
    assert [entry["op"] for entry in diff_text(a, b, words=True)] == ["addrange", "removerange"]


# --- what a person sees


def test_a_changed_cell_is_shown_with_a_little_around_it_and_the_rest_folded() -> None:
    a = notebook(*(code(f"x{k} = {k}\ny{k} = f(x{k})", f"c{k}") for k in range(5)))
    b = copy.deepcopy(a)
    b["cells"][2]["source"] = "x2 = 2\ny2 = g(x2)"
    assert shown(a, b) == [
        "… 2 unchanged cells",
        "cell 3 · code · c2",
        "  x2 = 2",
        "- y2 = f(x2)",
        "+ y2 = g(x2)",
        "… 2 unchanged cells",
    ]


def test_changed_words_are_marked() -> None:
    a, b = notebook(code("y = f(x)", "a")), notebook(code("y = g(x)", "a"))
    lines = list(marked(a, b, diff_notebooks(a, b)))
    assert [part for part in lines[1] if "word" in part[0]] == [("old word", "f")]
    assert [part for part in lines[2] if "word" in part[0]] == [("new word", "g")]


def test_cells_that_came_and_went_are_shown_whole() -> None:
    a, b = notebook(code("gone = 1", "g")), notebook(markdown("# Here", "h"))
    assert shown(a, b) == ["cell · markdown · h · added", "+ # Here", "cell 1 · code · g · removed", "- gone = 1"]


def test_outputs_are_counted_and_shown_on_demand() -> None:
    a, b = notebook(code("x", "a", printed("1\n"))), notebook(code("x", "a", printed("2\n")))
    assert shown(a, b) == ["… 1 unchanged cell", "1 cell ran again with other outputs: --outputs shows them"]
    assert shown(a, b, outputs=True)[1:] == ["  output 1 · stream", "  text", "- 1", "+ 2"]


@given(NOTEBOOK, NOTEBOOK, st.booleans())
@settings(max_examples=100, deadline=None)
def test_any_difference_can_be_shown(a: Any, b: Any, outputs: bool) -> None:
    lines = shown(a, b, outputs=outputs)
    assert bool(lines) or a == b or all(key == "id" for key in ids_only(a, b))


def ids_only(a: Any, b: Any) -> set[str]:
    return {
        key
        for one, other in zip(a["cells"], b["cells"], strict=False)
        for key in one.keys() | other.keys()
        if one.get(key) != other.get(key)
    }


# --- files


def test_text_is_cut_at_its_cell_marks() -> None:
    text = "# ---\n# jupyter: {}\n# ---\n\n# %% [markdown]\n# # Title\n# text\n\n# %% load\nx = 1\n\n# %%\ny = 2\n"
    cells = read_notebook("a.py", text.encode())["cells"]
    assert [(cell["cell_type"], cell["source"]) for cell in cells] == [
        ("markdown", "# Title\ntext"),
        ("code", "x = 1"),
        ("code", "y = 2"),
    ]


def test_what_runs_a_script_and_its_encoding_are_header_before_a_header_only() -> None:
    first = "#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n"
    for header, sources in (("# ---\n# jupyter: {}\n# ---\n", ["x = 1"]), ("", [first.strip(), "x = 1"])):
        cells = read_notebook("a.py", f"{first}{header}\n# %%\nx = 1\n".encode())["cells"]
        assert [cell["source"] for cell in cells] == sources


def test_markdown_is_cut_at_its_fences() -> None:
    text = "# Title\n\n```python\nx = 1\n```\n\nWords.\n\n```{code-cell} ipython3\ny = 2\n```\n"
    cells = read_notebook("a.md", text.encode())["cells"]
    assert [cell["source"] for cell in cells] == ["# Title", "x = 1", "\nWords.", "y = 2"]
    assert [cell["cell_type"] for cell in cells] == ["markdown", "code", "markdown", "code"]


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends_are_no_difference(end: str) -> None:
    text = percent("x = 1\ny = 2")
    assert read_notebook("a.py", text.encode()) == read_notebook("a.py", text.replace("\n", end).encode())
    text = "Words.\n\n```python\nx = 1\ny = 2\n```\n"
    assert read_notebook("a.md", text.encode()) == read_notebook("a.md", text.replace("\n", end).encode())


def test_an_old_notebook_is_read() -> None:
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [{"cells": [], "metadata": {}}]}
    assert read_notebook("a.ipynb", json.dumps(old).encode())["nbformat"] == 4


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.ipynb", b"{"),
        ("a.ipynb", b"[]"),
        ("a.ipynb", b'{"nbformat": 4}'),
        ("a.ipynb", b'{"cells": [1]}'),
        ("a.ipynb", b"\xff\xfe"),
        ("a.py", b"x = '\xe9'"),
        ("a.ipynb", b"[" * 100_000),
        ("a.ipynb", b"<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> other\n"),
    ],
)
def test_what_is_no_notebook_is_refused(name: str, content: bytes) -> None:
    with pytest.raises(Unprocessable):
        read_notebook(name, content)


# --- the command


@pytest.fixture
def slipway(tmp_path: Path):
    """`slipway("diff", …)` gives exit code and output."""

    def call(*words: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "jupyter_slipway", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=240,
        )
        return done.returncode, done.stdout + done.stderr

    return call


def test_two_files_are_compared(slipway, tmp_path: Path) -> None:
    write(tmp_path / "a.ipynb", notebook(code("x = 1", "a")))
    write(tmp_path / "b.ipynb", notebook(code("x = 2", "a")))
    status, said = slipway("diff", "a.ipynb", "b.ipynb")
    assert (status, said.splitlines()) == (
        0,
        ["--- a.ipynb", "+++ b.ipynb", "cell 1 · code · a", "- x = 1", "+ x = 2"],
    )
    assert slipway("diff", "a.ipynb", "b.ipynb", "--exit-code")[0] == 1
    assert slipway("diff", "a.ipynb", "a.ipynb", "--exit-code") == (0, "")
    assert json.loads(slipway("diff", "a.ipynb", "b.ipynb", "--json")[1])[0]["key"] == "cells"
    assert "\x1b[7m" in slipway("diff", "a.ipynb", "b.ipynb", "--color", "always")[1]


def test_two_files_are_shown_alike_by_the_short_way_and_the_whole_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from click.testing import CliRunner

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GIT_PAGER_IN_USE", raising=False)
    write(tmp_path / "a.ipynb", notebook(code("x = 1", "a", printed("1\n"))))
    write(tmp_path / "b.ipynb", notebook(code("x = 2", "a", printed("2\n"))) | {"metadata": {"title": "ü"}})
    (tmp_path / "c.ipynb").write_text((tmp_path / "a.ipynb").read_text() + "\n")
    (tmp_path / "d.ipynb").write_text("{")
    for names, short in (("ab", True), ("aa", True), ("ac", True), ("ad", False), ("dd", True), ("ae", False)):
        files = [f"{name}.ipynb" for name in names]
        for words in (["diff", *files], ["diff", "--outputs", *files], ["diff", *files, "--outputs"]):
            assert _compare(words) == short
            assert capsys.readouterr().out == CliRunner().invoke(main, words).output * short


def test_a_notebook_is_compared_with_its_revisions(slipway, tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.commit("a.py", percent("x = 1"))
    folder.git("branch", "old")
    folder.commit("a.py", percent("x = 2"))
    (tmp_path / "a.py").write_text(percent("x = 3"))
    for words, old, new in (((), 2, 3), (("old",), 1, 3), (("old", "HEAD"), 1, 2)):
        _, said = slipway("diff", "a.py", *words)
        assert f"- x = {old}\n+ x = {new}" in said
    status, said = slipway("diff", "a.py", "nowhere")
    assert (status, "There is no revision 'nowhere'" in said) == (3, True)


def test_git_calls_it_for_its_own_diffs(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.commit("a.py", percent("x = 1"))
    folder.commit("b.py", percent("x = 1"))
    (tmp_path / "a.py").write_text(percent("x = 2"))
    (tmp_path / "b.py").unlink()
    external = f"{sys.executable} -m jupyter_slipway diff"
    said = folder.git("-c", f"diff.external={external}", "diff")
    assert "--- a/a.py\n+++ b/a.py\ncell 1 · code\n- x = 1\n+ x = 2" in said
    assert "cell 1 · code · removed\n- x = 1" in said
    assert "+ x = 2" in folder.git("difftool", "-y", "-x", external)


def test_other_files_and_missing_ones_are_refused_in_words(slipway, tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").write_text("{")
    write(tmp_path / "b.ipynb", notebook())
    assert slipway("diff", "a.ipynb", "b.ipynb")[0] == 2
    status, said = slipway("diff", "missing.ipynb", "b.ipynb")
    assert status == 3
    assert "missing.ipynb cannot be read: No such file or directory." in said
    assert slipway("diff", "missing.ipynb", "gone.ipynb")[1] == said
    Folder(tmp_path).commit("c.py", percent("x"))
    status, said = slipway("diff", "b.ipynb", "missing.ipynb")
    assert status == 3
    assert "missing.ipynb is neither a file nor a revision here." in said
    assert "There is no revision 'missing' here." in slipway("diff", "b.ipynb", "missing")[1]
    assert slipway("diff", "a", "b", "c", "d")[0] == 2


def test_versions_of_a_job_are_compared_as_before(slipway) -> None:
    status, said = slipway("diff", "churn-daily", "1", "2")
    assert status == 3
    assert "churn-daily" in said


LARGE = ["nbdime", "nbformat", "jupytext", "rich", "msgspec", "pygit2", "difflib", "sqlalchemy"]


@pytest.mark.parametrize(
    ("options", "large"), [([], ["click", *LARGE]), (["--outputs"], ["click", *LARGE]), (["--exit-code"], LARGE)]
)
def test_the_command_imports_nothing_large(tmp_path: Path, options: list[str], large: list[str]) -> None:
    write(tmp_path / "a.ipynb", notebook(code("x = 1", "a")))
    write(tmp_path / "b.ipynb", notebook(code("x = 2", "a")))
    script = (
        "import contextlib, sys\nfrom jupyter_slipway.__main__ import main\n"
        f"with contextlib.suppress(SystemExit): main()\nprint(sorted(set({large}) & set(sys.modules)))"
    )
    command = [sys.executable, "-c", script, "diff", "a.ipynb", "b.ipynb", *options]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["+ x = 2", "[]"]


def test_help_names_every_form(monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    said = CliRunner().invoke(main, ["diff", "--help"], env=os.environ | {"COLUMNS": "120"}).output
    assert all(form in said for form in ("diff A B", "diff NOTEBOOK REV REV", "diff JOB OLD NEW"))
