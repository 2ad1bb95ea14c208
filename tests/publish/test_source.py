"""Notebook files as code cells, and which cell a person means."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_slipway.errors import BadRequest, NotFound, SlipwayError, Unprocessable
from jupyter_slipway.publish.own_modules import own_modules
from jupyter_slipway.publish.source import choose, read_notebook
from tests.builders import write_notebook

PERCENT = """# %% [markdown]
# # Title

# %% name="load"
x = 1

# %%
x + 1

# %%
x + 1
"""


def test_an_ipynb_keeps_its_ids(tmp_path: Path) -> None:
    notebook = read_notebook(write_notebook(tmp_path / "a.ipynb", "x = 1", "x"))

    assert [(cell.index, cell.id, cell.source) for cell in notebook.cells] == [(0, "c0", "x = 1"), (1, "c1", "x")]


def test_a_text_notebook_has_the_same_ids_each_time_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text(PERCENT)
    first, again = read_notebook(path), read_notebook(path)

    assert first.cells == again.cells
    assert first.cells[0].id == first.cells[0].name == "load"
    assert len({cell.id for cell in first.cells}) == 3


def test_a_cell_is_meant_by_its_title(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text(PERCENT + "\n# %% the score\nx * 2\n")

    assert choose(read_notebook(path), "the score").index == 3


def test_a_cell_is_meant_by_id_index_or_name(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text(PERCENT)
    notebook = read_notebook(path)

    assert choose(notebook, "load").index == choose(notebook, "0").index == 0
    assert choose(notebook, notebook.cells[2].id).index == choose(notebook, "-1").index == 2


@pytest.mark.parametrize(("wanted", "refusal"), [("9", NotFound), ("nothing", NotFound)])
def test_a_cell_that_is_not_there_is_refused(tmp_path: Path, wanted: str, refusal: type[SlipwayError]) -> None:
    notebook = read_notebook(write_notebook(tmp_path / "a.ipynb", "x = 1"))
    with pytest.raises(refusal, match=wanted):
        choose(notebook, wanted)


def test_who_names_no_cell_is_told_which_there_are(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("# %%\n\nvalues = [1, 2, 3, 4, 5, 6, 7, 8]\n\n# %% the score\nsum(values)\n")
    with pytest.raises(BadRequest) as refused:
        choose(read_notebook(path), "")

    assert refused.value.hint == "Its code cells are: 0 (values = [1, 2, 3, 4, 5,…), 1 (the score)."
    with pytest.raises(BadRequest) as refused:
        choose(read_notebook(write_notebook(tmp_path / "a.ipynb")), "")
    assert refused.value.hint == "It has no code cells."


@pytest.mark.parametrize(
    ("name", "content", "refusal"),
    [
        ("gone.ipynb", None, NotFound),
        ("broken.ipynb", "{", Unprocessable),
        ("empty.ipynb", "", Unprocessable),
        ("list.ipynb", "[]", Unprocessable),
        ("table.csv", "a,b", BadRequest),
    ],
)
def test_a_file_that_is_no_notebook_is_refused(
    tmp_path: Path, name: str, content: str | None, refusal: type[SlipwayError]
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    with pytest.raises(refusal):
        read_notebook(path)


def test_a_configuration_beside_a_text_notebook_is_not_run(tmp_path: Path) -> None:
    (tmp_path / ".jupytext.py").write_text("raise SystemExit('ran')\n")
    (tmp_path / "a.py").write_text(PERCENT)

    assert len(read_notebook(tmp_path / "a.py").cells) == 3


def test_own_modules_are_found_with_what_they_import(tmp_path: Path) -> None:
    (tmp_path / "prices.py").write_text("import helpers_of_mine\nimport os\n")
    (tmp_path / "helpers_of_mine.py").write_text("x = 1\n")
    (tmp_path / "unused.py").write_text("")
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text("from shop import till\n")
    (tmp_path / "shop" / "till.py").write_text("")

    found = own_modules(["prices", "shop", "numpy"], tmp_path)

    assert list(found) == ["helpers_of_mine.py", "prices.py", "shop/__init__.py", "shop/till.py"]
