"""A notebook that is converted and converted back is what it was, and whatever is saved meanwhile is in it."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import nbformat
import pytest

from jupyter_slipway.errors import BadRequest, Conflict
from jupyter_slipway.notebooks import convert as converting
from jupyter_slipway.notebooks import upkeep
from jupyter_slipway.notebooks.blobs import Blobs
from jupyter_slipway.notebooks.convert import convert
from jupyter_slipway.notebooks.documents import Documents
from jupyter_slipway.notebooks.sightings import state_of
from tests.notebooks.builders import PERCENT, Server, shown

HEADER = (
    "# ---\n# jupyter:\n#   kernelspec:\n#     display_name: Mine\n#     language: python\n#     name: mine\n# ---\n\n"
)
TEXTS = {
    "plain.py": PERCENT,
    "script.py": "x = 1\nprint(x)\n",
    "header.py": HEADER + PERCENT,
    "hand.py": "#%%\nx   =   1\n\n\n\n# %% [markdown]\n# Title\n\n#%%\nprint( x )\n",
    "lines.py": PERCENT.replace("\n", "\r\n"),
    "prose.md": "# Title\n\n```python\nx = 1\n```\n",
}


@pytest.fixture
def documents(tmp_path: Path, home: Path) -> Documents:
    return Documents(tmp_path, home)


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_that_was_an_ipynb_for_a_while_has_the_same_bytes(
    tmp_path: Path, documents: Documents, name: str
) -> None:
    text = tmp_path / name
    text.write_bytes(TEXTS[name].encode())

    notebook = convert(documents, text, "ipynb").target
    upkeep.collect(documents.store(text)[0], now=4e9)
    convert(documents, notebook, "markdown" if name.endswith(".md") else "percent")

    assert text.read_bytes() == TEXTS[name].encode()
    assert not notebook.exists()


def test_what_was_edited_while_it_was_an_ipynb_is_all_that_changes(tmp_path: Path, documents: Documents) -> None:
    text = tmp_path / "a.py"
    text.write_text(TEXTS["hand.py"])
    notebook = convert(documents, text, "ipynb").target
    notebook.write_text(notebook.read_text().replace("print( x )", "print(x, 2)"))

    convert(documents, notebook, "percent")

    assert text.read_text() == TEXTS["hand.py"].replace("#%%\nprint( x )", "# %%\nprint(x, 2)")


@pytest.mark.parametrize("form", ["percent", "myst", "markdown"])
@pytest.mark.parametrize("minor", [2, 4, 5])
def test_an_ipynb_that_was_a_text_for_a_while_has_the_same_bytes(
    tmp_path: Path, documents: Documents, form: Any, minor: int
) -> None:
    cells = [nbformat.v4.new_code_cell("x = 1", execution_count=1), nbformat.v4.new_markdown_cell("Title")]
    cells[0].outputs.append(nbformat.v4.new_output("stream", text="1\n"))
    made = nbformat.v4.new_notebook(cells=cells)
    made.nbformat_minor = minor
    if minor < 5:
        for cell in cells:
            del cell["id"]
    notebook = tmp_path / "a.ipynb"
    nbformat.write(made, notebook, version=nbformat.NO_CONVERT)
    before = notebook.read_bytes()

    text = convert(documents, notebook, form).target
    convert(documents, text, "ipynb")

    assert notebook.read_bytes() == before


def before_the_old_one_goes(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Something that others do when the new file is written, and was read again."""
    check = converting._check

    def check_and_act(*given: Any) -> None:
        check(*given)
        act()

    monkeypatch.setattr(converting, "_check", check_and_act)


def test_what_is_saved_while_it_is_converted_is_in_the_new_one(
    tmp_path: Path, documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = tmp_path / "a.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1")]), notebook)
    saved: list[str] = []

    def somebody_saves() -> None:
        if len(saved) < 2:
            saved.append(f"x = 1  # {len(saved)}")
            whole = json.loads(notebook.read_text())
            whole["cells"][0]["source"] = saved[-1]
            notebook.write_text(json.dumps(whole))

    before_the_old_one_goes(monkeypatch, somebody_saves)
    made = convert(documents, notebook, "percent")

    assert "x = 1  # 1\n" in made.target.read_text()
    assert sorted(one.name for one in tmp_path.iterdir()) == [".slipway", "a.py"]


def test_one_that_does_not_rest_stays_as_it_is(
    tmp_path: Path, documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = tmp_path / "a.py"
    text.write_text(PERCENT)
    before_the_old_one_goes(monkeypatch, lambda: text.write_text(text.read_text() + "#\n"))
    with pytest.raises(Conflict, match="changes faster"):
        convert(documents, text, "ipynb")

    assert text.read_text() == PERCENT + "#\n" * converting.TRIES
    assert sorted(one.name for one in tmp_path.iterdir()) == [".slipway", "a.py"]


@pytest.mark.parametrize("is_killed", [False, True])
def test_where_the_old_one_stays_its_outputs_are_found_after_an_edit(
    tmp_path: Path, home: Path, documents: Documents, monkeypatch: pytest.MonkeyPatch, is_killed: bool
) -> None:
    text = tmp_path / "a.py"
    text.write_text(PERCENT)
    server = Server(tmp_path, home)
    server.run("a.py", server.open("a.py"))
    if is_killed:
        monkeypatch.setattr(converting.writing, "remove", fail(SystemExit()))
        with pytest.raises(SystemExit):
            convert(documents, text, "ipynb")
    else:
        convert(documents, text, "ipynb", keep=True)

    text.write_text(PERCENT.replace("x = 1", "x = 3"))

    assert shown(server.open("a.py"))[2] == "print(x) gave 1\n"


def fail(error: BaseException) -> Any:
    def failing(*_: Any, **__: Any) -> None:
        raise error

    return failing


def test_two_who_convert_one_at_once_have_both_converted_it(
    tmp_path: Path, documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = tmp_path / "a.py"
    text.write_text(PERCENT)
    before_the_old_one_goes(monkeypatch, text.unlink)

    assert convert(documents, text, "ipynb").target.exists()
    assert sorted(one.name for one in tmp_path.iterdir()) == [".slipway", "a.ipynb"]


def test_where_it_cannot_be_remembered_nothing_is_changed(
    tmp_path: Path, documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.py").write_text(PERCENT)
    monkeypatch.setattr(Blobs, "put", fail(OSError(errno.ENOSPC, "full")))

    with pytest.raises(OSError, match="full"):
        convert(documents, tmp_path / "a.py", "ipynb")

    assert [one.name for one in tmp_path.glob("a.*")] == ["a.py"]


def test_nothing_is_written_where_a_link_leads_that_has_the_name(tmp_path: Path, home: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    documents = Documents(root, home)
    (root / "a.py").write_text(PERCENT)
    notebook = convert(documents, root / "a.py", "ipynb").target
    (root / "a.py").symlink_to(tmp_path / "outside.py")

    with pytest.raises(Conflict, match="there already"):
        convert(documents, notebook, "percent")

    assert not (tmp_path / "outside.py").exists()
    assert (root / "a.py").is_symlink()


def test_what_it_was_goes_along_with_its_folder(tmp_path: Path, documents: Documents) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    (one / "a.py").write_text(TEXTS["hand.py"])
    convert(documents, one / "a.py", "ipynb")
    one.rename(two)
    documents.rename(one, two)

    convert(documents, two / "a.ipynb", "percent")

    assert (two / "a.py").read_text() == TEXTS["hand.py"]


def test_one_that_went_on_to_another_folder_is_not_looked_for_beside_the_old_one(
    tmp_path: Path, documents: Documents
) -> None:
    text, moved = tmp_path / "a.py", tmp_path / "sub" / "a.ipynb"
    text.write_text(PERCENT)
    state = state_of(text)
    assert state is not None
    notebook = convert(documents, text, "ipynb").target
    assert documents.successor(text, state) == notebook
    moved.parent.mkdir()
    notebook.rename(moved)
    documents.rename(notebook, moved)
    notebook.write_text("{}")

    assert documents.successor(text, state) is None


def test_what_it_was_is_read_from_the_store_only_and_missed_by_a_look_at_it(
    tmp_path: Path, documents: Documents
) -> None:
    (tmp_path / "a.py").write_text(TEXTS["hand.py"])
    notebook = convert(documents, tmp_path / "a.py", "ipynb").target
    store, path = documents.store(notebook)
    assert upkeep.examine(store).findings == []
    # To read it would never end.
    os.mkfifo(tmp_path / "pipe")
    store._write_head(msgspec.structs.replace(store.head(path), text=f"ab{tmp_path / 'pipe'}"))

    (finding,) = upkeep.examine(store).findings
    convert(documents, notebook, "percent")

    assert "a.ipynb was before" in finding.what
    assert "x   =   1" in (tmp_path / "a.py").read_text()


NO_NOTEBOOKS: list[tuple[dict[str, Any], str]] = [
    ({"source": None}, "cells.0.source: None is not valid"),
    ({"source": "\ud800"}, "cells.0: U+D800 is half of a character"),
    ({"source": "x", "outputs": [{"output_type": "stream", "name": "stdout", "text": 5}]}, "cells.0.outputs.0.text"),
]


@pytest.mark.parametrize(("changes", "said"), NO_NOTEBOOKS, ids=[said for _, said in NO_NOTEBOOKS])
def test_one_that_only_looks_like_a_notebook_is_refused_with_its_fault(
    tmp_path: Path, documents: Documents, changes: dict[str, Any], said: str
) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x", id="a")])
    notebook.cells[0].update(changes)
    (file := tmp_path / "a.ipynb").write_text(json.dumps(notebook))
    before = file.read_bytes()

    with pytest.raises(BadRequest) as refused:
        convert(documents, file, "percent")

    assert refused.value.message.startswith(f"a.ipynb is no notebook of nbformat 4: {said}")
    assert (file.read_bytes(), (tmp_path / "a.py").exists()) == (before, False)
