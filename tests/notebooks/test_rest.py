"""Converting and looking after the store, over REST and from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner

from jupyter_slipway.cli import main
from tests.notebooks.asking import asking
from tests.notebooks.builders import PERCENT, Server, image, show, shown


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell("x = 1", metadata={"tags": ["parameters"]}),
            nbformat.v4.new_markdown_cell("![a](attachment:a.png)", attachments={"a.png": {"image/png": "aGk="}}),
            nbformat.v4.new_code_cell("print(x)"),
        ],
        metadata={"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}, "title": "T"},
    )
    show(notebook.cells[2], "1\n", 5)
    notebook.cells[2].outputs.append(nbformat.from_dict(image(5000)))
    nbformat.write(notebook, tmp_path / "a.ipynb")
    return tmp_path


def call(*arguments: str, code: int = 0):
    done = CliRunner().invoke(main, [*arguments, "--json"])
    assert done.exit_code == code, (done.output, done.exception)
    return json.loads(done.stdout if code == 0 else done.stderr)


@pytest.mark.parametrize(("form", "name"), [("percent", "a.py"), ("myst", "a.md"), ("markdown", "a.md")])
def test_to_text_and_back_nothing_is_lost(folder: Path, home: Path, form: str, name: str) -> None:
    before = json.loads((folder / "a.ipynb").read_text())

    assert call("convert", "a.ipynb", "--to", form)["outputs"] == 2
    assert not (folder / "a.ipynb").exists()
    assert shown(Server(folder, home).open(name))[2].startswith("1\n")
    assert call("convert", name)["notebook"] == "a.ipynb"

    assert json.loads((folder / "a.ipynb").read_text()) == before
    assert not (folder / name).exists()


def test_versions_go_on_under_the_new_name(folder: Path, home: Path) -> None:
    call("convert", "a.ipynb")
    server = Server(folder, home)
    opened = server.open("a.py")
    opened.cells[0].source = "x = 2"
    server.save("a.py", opened)
    call("convert", "a.py")

    head = server.manager.documents.store(folder / "a.ipynb")[0].head("a.ipynb")

    assert (head.was, len(head.versions)) == ("a.py", 2)


def test_a_file_of_the_new_name_is_not_overwritten(folder: Path) -> None:
    (folder / "a.py").write_text("mine")

    assert call("convert", "a.ipynb", code=4)["message"] == "a.py is there already."
    assert ((folder / "a.py").read_text(), (folder / "a.ipynb").exists()) == ("mine", True)


def test_what_would_come_back_otherwise_is_not_converted(folder: Path) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("a = 1\n# %%\nb = 2")])
    nbformat.write(notebook, folder / "b.ipynb")

    said = call("convert", "b.ipynb", code=2)

    assert "Cell" in said["message"] or "cells" in said["message"]
    assert sorted(path.name for path in folder.glob("b.*")) == ["b.ipynb"]


def test_a_nul_byte_is_held_by_every_format(folder: Path) -> None:
    (folder / "b.py").write_text(content := "# %%\nx = '\0'\n")

    call("convert", "b.py", "--to", "myst")
    assert "x = '\0'" in (folder / "b.md").read_text()
    call("convert", "b.md", "--to", "percent")
    assert (folder / "b.py").read_text() == content


@pytest.mark.parametrize(
    ("content", "why"), [("", "is empty"), ("{", "line 1: no JSON"), ('{"cells": 3}', "not of a notebook")]
)
def test_a_broken_ipynb_is_refused(folder: Path, content: str, why: str) -> None:
    (folder / "b.ipynb").write_text(content)

    assert why in call("convert", "b.ipynb", code=2)["message"]
    assert (folder / "b.ipynb").read_text() == content


def test_what_is_wrong_with_an_ipynb_is_said_as_when_it_is_opened(folder: Path) -> None:
    (folder / "b.ipynb").write_text('{"cells": [\n<<<<<<< HEAD\n1\n=======\n2\n>>>>>>> other\n]}')

    assert call("convert", "b.ipynb", code=2)["message"] == "b.ipynb holds git's conflict marks."


def test_an_ipynb_that_is_too_large_is_not_read(folder: Path) -> None:
    with (folder / "b.ipynb").open("wb") as file:
        file.truncate(2**30)

    assert "1,024 MB" in call("convert", "b.ipynb", code=2)["message"]


@pytest.mark.parametrize(("name", "form"), [("b.py", "myst"), ("b.md", "percent")])
def test_a_text_without_cells_is_not_converted(folder: Path, name: str, form: str) -> None:
    (folder / name).write_text("")

    assert call("convert", name, "--to", form, code=2)["message"] == f"{name} has no cells."


def test_the_store_is_looked_after(folder: Path) -> None:
    call("convert", "a.ipynb")

    found = call("store", "show")
    assert (found["notebooks"], found["versions"], found["blobs"]) == (1, 1, 1)
    assert call("store", "gc")["kept_versions"] == 1
    assert call("store", "fsck")["findings"] == []
    (payload,) = (path for path in (folder / ".slipway" / "blobs").rglob("*") if path.is_file())
    payload.unlink()
    done = CliRunner().invoke(main, ["store", "fsck"])
    assert (done.exit_code, "a version of a.py that misses 1 outputs" in done.stdout) == (1, True)


def test_a_path_out_of_the_root_is_refused(folder: Path) -> None:
    assert "is outside of" in call("convert", "../a.ipynb", code=2)["message"]
    assert "is outside of" in call("store", "show", "/", code=2)["message"]


def test_a_notebook_in_another_place_finds_its_outputs_from_the_command_line(folder: Path, home: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "c.py").write_text(PERCENT)
    server = Server(folder, home)
    server.run("deep/c.py", server.open("deep/c.py"))

    assert call("store", "show", "deep")["notebooks"] == 1


@pytest.mark.parametrize(("name", "status"), [("x" * 300 + ".py", 400), ("a.ipynb/x.py", 404)])
def test_a_path_that_no_file_can_have_is_no_outage(folder: Path, home: Path, name: str, status: int) -> None:
    notebooks = asking(folder, home)

    for ask in (
        lambda: notebooks("GET", "/notebooks/history", path=name),
        lambda: notebooks("POST", "/notebooks/follow-text", {"path": name, "base": "", "mine": ""}),
        lambda: notebooks("POST", "/notebooks/follow", {"notebook": name, "base": [], "mine": []}),
    ):
        assert ask()[0] == status
