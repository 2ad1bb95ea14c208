"""A notebook that is converted and converted back is what it was, and whatever is saved meanwhile is in it."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import nbformat
import pytest

from jupyter_slipway.errors import BadRequest, Conflict, Forbidden, Unavailable
from jupyter_slipway.events import Events
from jupyter_slipway.notebooks import conversions, upkeep, writing
from jupyter_slipway.notebooks import convert as converting
from jupyter_slipway.notebooks.blobs import Blobs
from jupyter_slipway.notebooks.convert import convert
from jupyter_slipway.notebooks.documents import Documents
from jupyter_slipway.notebooks.handlers import ConvertRequest, FsckRequest, Notebooks
from jupyter_slipway.notebooks.sightings import state_of
from jupyter_slipway.web import Asker
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
MYST = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Mine
  language: python
  name: mine
---

```{code-cell}
x = 1
```
"""


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


@pytest.mark.parametrize("name", [*TEXTS, "myst.md"])
@pytest.mark.parametrize("otherwise", ["percent", "myst"])
def test_who_does_not_say_a_format_has_the_text_again_that_it_was(
    tmp_path: Path, home: Path, name: str, otherwise: str
) -> None:
    text = tmp_path / name
    text.write_bytes((TEXTS | {"myst.md": MYST})[name].encode())
    notebooks = Notebooks(tmp_path, home, Events())

    def converted(*request: Any) -> str:
        return asyncio.run(notebooks.convert_notebook(Asker("ada"), ConvertRequest(*request))).notebook

    became = converted(name, "ipynb")

    assert converted(became, otherwise, False, True) == name
    assert text.read_bytes() == (TEXTS | {"myst.md": MYST})[name].encode()
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1")]), tmp_path / "new.ipynb")
    assert converted("new.ipynb", otherwise, False, True) == ("new.py" if otherwise == "percent" else "new.md")


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
    assert [one.name for one in tmp_path.iterdir()] == ["a.py"]


def test_where_the_old_one_stays_its_outputs_are_found_after_an_edit(
    tmp_path: Path, home: Path, documents: Documents
) -> None:
    text = tmp_path / "a.py"
    text.write_text(PERCENT)
    server = Server(tmp_path, home)
    server.run("a.py", server.open("a.py"))
    convert(documents, text, "ipynb", keep=True)

    text.write_text(PERCENT.replace("x = 1", "x = 3"))

    assert shown(server.open("a.py"))[2] == "print(x) gave 1\n"


def fail(error: BaseException) -> Any:
    def failing(*_: Any, **__: Any) -> None:
        raise error

    return failing


@pytest.mark.parametrize("is_gone", [False, True])
def test_two_who_convert_one_at_once_have_both_converted_it(
    tmp_path: Path, home: Path, documents: Documents, monkeypatch: pytest.MonkeyPatch, is_gone: bool
) -> None:
    text = tmp_path / "a.py"
    text.write_text(PERCENT)
    others: list[Callable[[], object]] = [
        text.unlink if is_gone else lambda: convert(Documents(tmp_path, home), text, "ipynb")
    ]
    before_the_old_one_goes(monkeypatch, lambda: others and others.pop()())

    assert convert(documents, text, "ipynb").target.exists()
    assert left(tmp_path) == ["a.ipynb"]


def test_one_that_was_converted_there_and_back_meanwhile_is_another(
    tmp_path: Path, home: Path, documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = tmp_path / "a.py"
    text.write_text(PERCENT)

    def there_and_back() -> None:
        monkeypatch.undo()
        notebook = convert(Documents(tmp_path, home), text, "ipynb").target
        convert(Documents(tmp_path, home), notebook, "percent", keep=True)

    before_the_old_one_goes(monkeypatch, there_and_back)
    # Whoever is converting it back would take the other one away.
    with pytest.raises(Conflict, match="there already"):
        convert(documents, text, "ipynb")

    assert left(tmp_path) == ["a.ipynb", "a.py"]


@pytest.mark.parametrize("mode", [0o600, 0o755, 0o444])
def test_who_may_read_it_and_run_it_stays(tmp_path: Path, documents: Documents, mode: int) -> None:
    text = tmp_path / "a.py"
    text.write_text(PERCENT)
    text.chmod(mode)

    notebook = convert(documents, text, "ipynb").target
    modes = [notebook.stat().st_mode & 0o777]
    convert(documents, notebook, "percent")

    assert [*modes, text.stat().st_mode & 0o777] == [mode, mode]


def test_where_nothing_may_be_written_it_says_so(
    tmp_path: Path, documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.py").write_text(PERCENT)
    monkeypatch.setattr(os, "access", lambda *_: False)

    with pytest.raises(Forbidden, match=r"^a\.py cannot be converted: its folder may not be written"):
        convert(documents, tmp_path / "a.py", "ipynb")


def test_where_it_cannot_be_remembered_nothing_is_changed(
    tmp_path: Path, documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.py").write_text(PERCENT)
    monkeypatch.setattr(Blobs, "put", fail(OSError(errno.ENOSPC, "full")))

    with pytest.raises(Unavailable, match=r"a\.py is not saved: the disk is full"):
        convert(documents, tmp_path / "a.py", "ipynb")

    assert sorted(one.name for one in tmp_path.iterdir()) == [".slipway", "a.py"]
    assert not conversions.are_left(documents)


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


@pytest.mark.parametrize("moved", [("a.ipynb", "b.ipynb"), ("a.ipynb", "other/a.ipynb"), ("", "other")])
def test_what_it_was_is_remembered_under_another_name(tmp_path: Path, home: Path, moved: tuple[str, str]) -> None:
    folder, other = tmp_path / "one", tmp_path / "other"
    folder.mkdir()
    if moved[0]:
        other.mkdir()
    server = Server(tmp_path, home)
    (folder / "a.py").write_text(TEXTS["hand.py"])
    convert(server.manager.documents, folder / "a.py", "ipynb")
    old, new = f"one/{moved[0]}".strip("/"), moved[1] if "other" in moved[1] else f"one/{moved[1]}"
    server.ask("rename", old, new)
    notebook = tmp_path / new
    notebook = notebook / "a.ipynb" if notebook.is_dir() else notebook

    text = convert(server.manager.documents, notebook, "percent").target

    assert text.read_text() == TEXTS["hand.py"]


def test_a_text_that_names_no_kernel_opens_as_a_notebook_without_asking_for_one(
    tmp_path: Path, documents: Documents
) -> None:
    file = tmp_path / "a.py"
    file.write_text("# %%\nx = 1\n")

    made = convert(documents, file, "ipynb").target

    assert json.loads(made.read_text())["metadata"]["kernelspec"]["name"] == "python3"
    assert convert(documents, made, "percent").target.read_text() == "# %%\nx = 1\n"


OF_THE_NOTEBOOK: dict[str, Any] = {
    "kernelspec": {"name": "python3", "display_name": "Python", "language": "python"},
    "language_info": {"name": "python", "version": "3.11"},
    "colab": {"provenance": []},
    "title": "Prices",
}


@pytest.mark.parametrize("form", ["percent", "markdown"])
@pytest.mark.parametrize("filter", ["", "title,-all", "all", "-all"])
@pytest.mark.parametrize("is_edited", [True, False])
def test_what_a_text_does_not_hold_of_the_notebook_itself_comes_back(
    tmp_path: Path, documents: Documents, form: Any, filter: str, is_edited: bool
) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1")], metadata=OF_THE_NOTEBOOK)
    if filter:
        notebook.metadata["jupytext"] = {"notebook_metadata_filter": filter}
    if not is_edited:  # and there is nothing else to be kept
        notebook.nbformat_minor = 4
        del notebook.cells[0]["id"]
    nbformat.write(notebook, tmp_path / "a.ipynb", version=nbformat.NO_CONVERT)

    text = convert(documents, tmp_path / "a.ipynb", form).target
    if is_edited:
        text.write_text(text.read_text().replace("x = 1", "x = 2"))
    convert(documents, text, "ipynb")

    found = json.loads((tmp_path / "a.ipynb").read_text())["metadata"]
    found.pop("jupytext", None)
    assert found == OF_THE_NOTEBOOK


class Killed(BaseException):
    pass


CHANGES = ("mkdir", "link", "rename", "replace", "unlink", "rmdir", "fsync")
"""What of `os` changes a folder, or ends a file's writing."""


def is_killed(patch: pytest.MonkeyPatch, documents: Documents, file: Path, changes: int) -> bool:
    """Convert to the other form, unless that takes more changes on disk: then nothing is done after so many."""
    made = 0

    def counted(change: Callable[..., Any]) -> Callable[..., Any]:
        def act(*given: Any, **more: Any) -> Any:
            nonlocal made
            made += 1
            if made > changes:
                raise Killed
            return change(*given, **more)

        return act

    with patch.context() as within:
        for name in CHANGES:
            within.setattr(os, name, counted(getattr(os, name)))
        try:
            convert(documents, file, "ipynb" if file.suffix == ".py" else "percent")
        except Killed:
            return True
    return False


def convert_until(step: str, documents: Documents, file: Path) -> None:
    """Convert an .ipynb or a text, and be killed before this is done to notebooks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conversions, "finish_left", lambda _: None)
        patch.setattr(conversions, "_take_back", fail(Killed()))
        patch.setattr(writing, step, fail(Killed()))
        with pytest.raises(Killed):
            convert(documents, file, "ipynb" if file.suffix == ".py" else "percent")


def left(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir() if one.name != ".slipway")


@pytest.mark.parametrize("with_links", [True, False])
@pytest.mark.parametrize("name", ["a.py", "a.ipynb"])
def test_whatever_was_done_when_it_is_killed_one_notebook_is_left(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, name: str, with_links: bool
) -> None:
    (tmp_path / "a.py").write_text(TEXTS["hand.py"])
    server = Server(tmp_path, home)
    server.run("a.py", server.open("a.py"))
    documents = server.manager.documents
    if not with_links:
        monkeypatch.setattr(os, "link", fail(PermissionError(errno.EPERM, "no links")))
    found, changes = ["a.py"], 0
    while True:
        if found != [name]:
            convert(documents, tmp_path / found[0], "ipynb" if name == "a.ipynb" else "percent")
        if not is_killed(monkeypatch, Documents(tmp_path, home), tmp_path / name, changes):
            break
        changes += 1

        found = [one["name"] for one in server.ask("get", "", type="directory")["content"]]

        assert left(tmp_path) == found
        assert len(found) == 1
        assert not conversions.are_left(documents)
        assert shown(server.open(found[0])) == ["x   =   1\n\n gave 1\n", "", "print( x ) gave 1\n"]
    assert changes > 20
    if name == "a.ipynb":
        assert (tmp_path / "a.py").read_text() == TEXTS["hand.py"]


LOOKS: dict[str, Callable[[Path, Path], object]] = {
    "who starts a server": Server,
    "who lists the folder": lambda root, home: Server(root, home).ask("get", "", type="directory"),
    "who converts another": lambda root, home: convert(Documents(root, home), root / "b.py", "ipynb"),
    "who asks whether all is whole": lambda root, home: asyncio.run(
        Notebooks(root, home, Events()).check_store(Asker("ada"), FsckRequest())
    ),
}


@pytest.mark.parametrize("who", LOOKS)
def test_what_a_kill_left_is_finished_by(tmp_path: Path, home: Path, documents: Documents, who: str) -> None:
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text(PERCENT)
    convert_until("remove", documents, tmp_path / "a.py")
    assert left(tmp_path)[-3:] == ["a.ipynb", "a.py", "b.py"]

    LOOKS[who](tmp_path, home)

    assert [one for one in left(tmp_path) if not one.startswith("b")] == ["a.ipynb"]


def test_where_somebody_changed_one_of_the_two_since_both_are_kept(tmp_path: Path, documents: Documents) -> None:
    for name in "abcd":
        (tmp_path / f"{name}.py").write_text(PERCENT)
        convert_until("remove", documents, tmp_path / f"{name}.py")
    (tmp_path / "a.py").write_text("# %%\nmore\n")
    (tmp_path / "b.ipynb").write_text("{}")
    (tmp_path / "c.py").unlink()
    (tmp_path / "d.py").unlink()
    os.mkfifo(tmp_path / "d.py")

    conversions.finish_left(documents)

    assert left(tmp_path) == ["a.ipynb", "a.py", "b.ipynb", "b.py", "c.ipynb", "d.ipynb", "d.py"]
    assert not conversions.are_left(documents)


def test_what_is_under_way_or_elsewhere_is_left_alone_and_what_is_no_note_stops_nobody(
    tmp_path: Path, home: Path
) -> None:
    root, other = tmp_path / "root", tmp_path / "other"
    for folder in (root, other):
        folder.mkdir()
        (folder / "a.py").write_text(PERCENT)
    documents, elsewhere = Documents(root, home), Documents(other, home)
    convert_until("remove", elsewhere, other / "a.py")
    notes = home / conversions.FOLDER
    (notes / "torn").write_bytes(b'{"name": "tor')
    (notes / "folder").mkdir()
    seen: list[list[str]] = []

    def look() -> None:
        conversions.finish_left(documents)
        seen.append(left(root))

    with pytest.MonkeyPatch.context() as patch:
        before_the_old_one_goes(patch, look)
        convert(documents, root / "a.py", "ipynb")

    assert [name[:2] for name in seen[0]] == [".~", "a."]
    assert left(root) == ["a.ipynb"]
    assert left(other)[-2:] == ["a.ipynb", "a.py"]
    (notes / "folder").rmdir()
    conversions.finish_left(elsewhere)
    assert (left(other), left(notes)) == (["a.ipynb"], [])


def test_what_fails_in_its_last_step_is_taken_back(
    tmp_path: Path, documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.py").write_text(PERCENT)
    monkeypatch.setattr(Documents, "succeed", fail(OSError(errno.EROFS, "read-only")))

    with pytest.raises(Forbidden, match="may not be written"):
        convert(documents, tmp_path / "a.py", "ipynb")

    monkeypatch.undo()
    conversions.finish_left(documents)
    assert left(tmp_path) == ["a.py"]


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
