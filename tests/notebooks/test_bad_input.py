"""What cannot be read is refused with its line and what to do; never a 500, never a save over it."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from tornado.web import HTTPError

from jupyter_slipway.notebooks import documents, writing
from jupyter_slipway.notebooks.conflicts import is_conflicted
from jupyter_slipway.notebooks.marks import sides
from jupyter_slipway.notebooks.paths import as_shown
from tests.notebooks.builders import PERCENT, Server, ids, show, shown
from tests.notebooks.test_convert import fail

HEADER = "# ---\n# jupyter:\n#   kernelspec: {a: b\n# ---\n\n"


@pytest.fixture
def opened(server: Server, notebook: Path):
    opened = server.open("a.py")
    server.run("a.py", opened)
    return opened


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [
        ((HEADER + PERCENT).encode(), 400, "a.py, line 3: its header cannot be read"),
        (PERCENT.encode() + b"# \xe4\n", 400, "a.py, line 9: byte 0xe4 is not UTF-8"),
        (PERCENT.encode("utf-16"), 400, "a.py, line 1: byte 0xff is not UTF-8"),
    ],
)
def test_what_cannot_be_read_is_refused_and_not_saved_over(
    server: Server, notebook: Path, opened, content: bytes, status: int, said: str
) -> None:
    notebook.write_bytes(content)

    for attempt in (lambda: server.open("a.py"), lambda: server.save("a.py", opened)):
        with pytest.raises(HTTPError) as refused:
            attempt()
        assert refused.value.status_code == status
        assert said in refused.value.log_message
        assert "It was not touched" in refused.value.log_message
    assert notebook.read_bytes() == content
    assert server.ask("get", "a.py", content=False)["size"] == len(content)


WHOLE = nbformat.writes(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1")]))


@pytest.mark.parametrize(
    ("content", "said", "todo"),
    [
        (WHOLE.replace('"cells": [', '"cells": [\n<<<<<<< HEAD\n=======\n>>>>>>> dev'), "marks", "'Resolve Merge of"),
        (WHOLE.replace('"x = 1"', '"x = 1'), "a.ipynb, line 10: no JSON goes on like this", "text editor"),
        (WHOLE[:-30] + "\0", "a.ipynb, line ", "text editor"),
        (WHOLE.replace("x = 1", "x = '\udce4'"), "a.ipynb, line 10: byte 0xe4 is not UTF-8", "iconv"),
        ("", "a.ipynb is empty", "make a new notebook"),
        ("[1, 2]", "not of a notebook", "earlier version"),
        (f"\ufeff{WHOLE}", "a.ipynb begins with a byte order mark", "text editor"),
        (f'{{"cells": {"[" * 10_000}{"]" * 10_000}}}', "a.ipynb is nested too deeply", "text editor"),
        (
            WHOLE.replace('"metadata": {}', '"metadata": null', 1),
            "cells.0.metadata: None is not of type",
            "text editor",
        ),
        (
            json.dumps(json.loads(WHOLE) | {"cells": [{**json.loads(WHOLE)["cells"][0], "source": 5}]}),
            "source",
            "editor",
        ),
        (WHOLE.replace('"nbformat": 4', '"nbformat": 5'), "not of a notebook: nbformat is 5", "text editor"),
        (WHOLE.replace('"cell_type": "code",', ""), "not of a notebook: cells.0", "text editor"),
        (WHOLE.replace("x = 1", r"x = \ud800"), "cells.0: U+D800 is half of a character", "text editor"),
    ],
    ids=[
        "conflict",
        "not JSON",
        "NUL",
        "not UTF-8",
        "empty",
        "no notebook",
        "mark",
        "deep",
        "null",
        "number",
        "5",
        "no type",
        "half",
    ],
)
def test_an_ipynb_that_is_none_is_refused_with_what_to_do(server: Server, content: str, said: str, todo: str) -> None:
    file = server.root / "a.ipynb"
    file.write_text(content, errors="surrogateescape")
    before = file.read_bytes()

    attempts = [lambda: server.open("a.ipynb"), lambda: server.save("a.ipynb", nbformat.reads(WHOLE, 4))]
    # Nothing is lost where nothing is.
    for attempt in attempts if content else attempts[:1]:
        with pytest.raises(HTTPError) as refused:
            attempt()
        assert (refused.value.status_code, file.read_bytes()) == (400, before)
        assert said in refused.value.log_message
        assert todo in refused.value.log_message


def a_model(**changes: Any) -> dict[str, Any]:
    """A notebook of one cell; what is changed is named by where it stands: `cells__0__source`."""
    made = json.loads(WHOLE)
    for name, value in changes.items():
        *path, last = (int(part) if part.isdigit() else part for part in name.split("__"))
        place = made
        for part in path:
            place = place[part]
        place[last] = value
    return made


def nested(depth: int) -> dict[str, Any]:
    return json.loads('{"a":' * depth + "{}" + "}" * depth)


def a_display(data: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
    return {"output_type": "display_data", "data": data, "metadata": metadata}


NO_NOTEBOOKS = [
    ([], "it is []"),
    (None, "it is None"),
    ("x", "it is 'x'"),
    ({}, "nbformat is None"),
    (a_model(nbformat=3), "nbformat is 3"),
    (a_model(cells=None), "cells: None is not of type 'array'"),
    (a_model(metadata=None), "metadata: None is not of type 'object'"),
    (a_model(cells__0=None), "cells.0: None is not of type 'object'"),
    (a_model(cells__0={"cell_type": "code"}), "cells.0: "),
    (a_model(cells__0__metadata=[]), "cells.0.metadata: [] is not of type 'object'"),
    (a_model(cells__0__source=[1]), "cells.0.source: [1] is not valid"),
    (a_model(cells__0__source="\ud800"), "cells.0: U+D800 is half of a character"),
    (a_model(metadata={"title": "\ud800"}), "metadata: U+D800 is half of a character"),
    (a_model(cells__0__outputs=None), "cells.0.outputs: None is not of type 'array'"),
    (a_model(cells__0__outputs=[{**a_display({}, {}), "data": None}]), "cells.0.outputs.0"),
    (a_model(cells__0__id=["a"]), "cells.0.id: ['a'] is not of type 'string'"),
    (a_model(cells__0__cell_type=["code"]), "the cell_type of a cell is no text"),
    (a_model(cells__0__metadata={"a": nested(700)}), "it is nested too deeply"),
    (a_model(cells__0__outputs=[a_display({"application/json": nested(700)}, {})]), "it is nested too deeply"),
    (a_model(cells__0__outputs=[a_display({}, nested(700))]), "it is nested too deeply"),
]
NO_PAIRS = [
    (None, "metadata.jupytext: None is not of type 'object'"),
    ({"formats": 5}, "metadata.jupytext.formats: 5 is not of type"),
    ({"formats": "ipynb,py:nonsense"}, "nonsense is not a valid format name"),
]
"""What a notebook's metadata may say of files that it is paired with, and why it cannot be."""


@pytest.mark.parametrize("name", ["a.ipynb", "a.py"])
@pytest.mark.parametrize(("content", "said"), NO_NOTEBOOKS, ids=[said for _, said in NO_NOTEBOOKS])
def test_what_is_sent_as_a_notebook_and_is_none_is_refused(server: Server, name: str, content: Any, said: str) -> None:
    file = server.root / name
    file.write_text(WHOLE if name == "a.ipynb" else PERCENT)
    before = file.read_bytes()

    with pytest.raises(HTTPError) as refused:
        server.save(name, content)

    assert refused.value.status_code == 400
    assert refused.value.log_message.startswith(f"{name} cannot be saved as a notebook: {said}")
    assert file.read_bytes() == before


@pytest.mark.parametrize(("pair", "said"), NO_PAIRS, ids=[said for _, said in NO_PAIRS])
def test_a_pair_that_cannot_be_is_refused_in_a_text(server: Server, notebook: Path, pair: Any, said: str) -> None:
    with pytest.raises(HTTPError, match=said) as refused:
        server.save("a.py", a_model(metadata={"jupytext": pair}))

    assert (refused.value.status_code, notebook.read_text()) == (400, PERCENT)


@pytest.mark.parametrize("pair", [pair for pair, _ in NO_PAIRS] + [{"formats": "py:percent"}], ids=repr)
def test_an_ipynb_whose_pair_cannot_be_is_opened_and_saved_alone(server: Server, pair: Any) -> None:
    file = server.root / "a.ipynb"
    file.write_text(json.dumps(a_model(metadata={"jupytext": pair})))
    opened = server.open("a.ipynb")
    opened.cells[0].source = "x = 2"

    server.save("a.ipynb", opened)

    saved = json.loads(file.read_text())
    assert (saved["metadata"]["jupytext"], saved["cells"][0]["source"]) == (pair, ["x = 2"])
    assert not list(server.root.glob("*.py"))


@pytest.mark.parametrize("formats", ["ipynb,java:light", "notebooks//ipynb,scripts//py:percent"])
def test_a_text_that_was_taken_out_of_its_pair_is_opened_and_saved_alone(server: Server, formats: str) -> None:
    before = f"# ---\n# jupyter:\n#   jupytext:\n#     formats: {formats}\n# ---\n\n{PERCENT}"
    (server.root / "a.py").write_text(before)
    opened = server.open("a.py")
    opened.cells[0].source = "x = 2"

    server.run("a.py", opened)

    assert (server.root / "a.py").read_text() == before.replace("x = 1", "x = 2")
    assert shown(server.open("a.py"))[0] == "x = 2 gave 1\n"
    assert not [*server.root.rglob("*.ipynb"), *server.root.rglob("*.java")]


def test_a_pair_that_cannot_be_read_is_no_reason_to_leave_it(server: Server) -> None:
    (server.root / "a.ipynb").write_text(json.dumps(a_model(metadata={"jupytext": {"formats": "ipynb,py:percent"}})))
    (server.root / "a.py").write_text(HEADER + PERCENT)

    with pytest.raises(HTTPError) as refused:
        server.open("a.ipynb")

    assert refused.value.status_code == 400


def test_what_speaks_to_us_in_metadata_and_says_nothing_is_refused_in_a_text(server: Server, notebook: Path) -> None:
    with pytest.raises(HTTPError, match=r"metadata.slipway: 'x' is not of type 'object'"):
        server.save("a.py", a_model(metadata={"slipway": "x"}))

    assert notebook.read_text() == PERCENT


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cells__0__cell_type": {}}, "the cell_type of a cell is no text"),
        ({"cells__0__attachments": [1]}, r"cells\.0\.attachments: \[1\] are none"),
        ({"cells__0__attachments": {"a.png": 5}}, r"cells\.0\.attachments: \{'a.png': 5\} are none"),
        ({"metadata": {"jupytext": {"formats": [5]}}}, r"metadata\.jupytext\.formats\.0: 5 is not of type"),
    ],
)
def test_what_a_text_would_take_and_nobody_could_open_is_refused(
    server: Server, notebook: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(HTTPError, match=said) as refused:
        server.save("a.py", a_model(**changes))

    assert (refused.value.status_code, notebook.read_text()) == (400, PERCENT)


@pytest.mark.parametrize("outputs", [5, ["a"], {"a": 1}], ids=repr)
def test_outputs_of_prose_are_none(server: Server, notebook: Path, outputs: Any) -> None:
    server.save("a.py", a_model(cells__0={**a_model()["cells"][0], "cell_type": "markdown", "outputs": outputs}))

    assert [cell.get("outputs") for cell in server.open("a.py").cells] == [None]


@pytest.mark.parametrize("said", ["title: x: y", "!!python/object:os.system x"])
def test_a_text_that_is_left_to_jupytext_and_cannot_be_read_is_not_saved_over(server: Server, said: str) -> None:
    file = server.root / "a.Rmd"
    file.write_text(broken := f"---\njupyter:\n  {said}\n---\n\ntheirs\n")

    for _ in range(2):
        with pytest.raises(HTTPError, match="It was not touched") as refused:
            server.save("a.Rmd", a_model())
        assert (refused.value.status_code, file.read_text()) == (400, broken)
    file.write_text("theirs\n")
    server.ask("get", "a.Rmd", type="notebook")
    server.save("a.Rmd", a_model())
    assert "x = 1" in file.read_text()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a.py", "main_language: [a]"),
        *((name, f"x: {said}") for name in ("a.py", "a.Rmd") for said in ("!!set {a}", ".nan")),
    ],
)
def test_a_header_may_say_what_no_json_does(server: Server, name: str, said: str) -> None:
    header = f"---\njupyter:\n  {said}\n---\n"
    comment = "# " if name == "a.py" else ""
    (server.root / name).write_text("".join(f"{comment}{line}\n" for line in header.splitlines()) + "\n")

    json.dumps(server.open(name), allow_nan=False)


def test_what_jupytext_cannot_read_is_no_fault_of_the_server(server: Server) -> None:
    (server.root / "a.Rmd").write_text("---\njupyter:\n  main_language: [a]\n---\n")

    with pytest.raises(HTTPError, match=r"a\.Rmd cannot be read as a notebook: 'list' object") as refused:
        server.open("a.Rmd")

    assert refused.value.status_code == 400


def test_sources_in_lines_are_saved_in_both_files_of_a_pair(server: Server) -> None:
    paired = a_model(cells__0__source=["x = 1\n", "y = 2"], metadata={"jupytext": {"formats": "ipynb,py:percent"}})

    server.save("a.ipynb", paired)

    assert server.open("a.ipynb").cells[0].source == "x = 1\ny = 2"
    assert "x = 1\ny = 2" in (server.root / "a.py").read_text()


@pytest.mark.parametrize("name", ["a.ipynb", "a.py"])
def test_a_disk_that_fails_once_it_is_saved_holds_nobody_up(
    server: Server, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (server.root / name).write_text(WHOLE if name == "a.ipynb" else PERCENT)
    opened = server.open(name)
    opened.cells[0].source = "x = 2"

    def fail(*_: object) -> None:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    monkeypatch.setattr(server.manager, "_base_model", fail)
    with pytest.raises((OSError, HTTPError)) as failed:
        server.save(name, opened)

    assert "Stale file handle" in str(failed.value)
    assert "x = 2" in (server.root / name).read_text()


def test_an_ipynb_that_becomes_unreadable_while_it_is_open_is_not_saved_over(server: Server) -> None:
    file = server.root / "a.ipynb"
    file.write_text(WHOLE)
    opened = server.open("a.ipynb")
    file.write_text(WHOLE[:-20])

    # The first to try is told that it changed; who insists, why it is not replaced.
    for status in (409, 400, 400):
        with pytest.raises(HTTPError) as refused:
            server.save("a.ipynb", opened)
        assert (refused.value.status_code, file.read_text()) == (status, WHOLE[:-20])
    file.write_text(WHOLE.replace("x = 1", "x = 2"))
    with pytest.raises(HTTPError):
        server.save("a.ipynb", opened)
    server.save("a.ipynb", opened)
    assert "x = 1" in file.read_text()


@pytest.mark.parametrize("form", ["light", "nonsense"])
def test_what_became_a_text_in_another_form_is_not_saved_over_unasked(
    server: Server, notebook: Path, opened, form: str
) -> None:
    lines = ["---", "jupyter:", "  jupytext:", "    text_representation:", "      extension: .py"]
    header = "".join(f"# {line}\n" for line in [*lines, f"      format_name: {form}", "---"])
    notebook.write_text(other := f"{header}\n# +\ntheirs = 1\n")

    with pytest.raises(HTTPError, match="changed on disk since it was opened here, to a form without cell markers"):
        server.save("a.py", opened)
    assert notebook.read_text() == other
    server.save("a.py", opened)
    assert notebook.read_text() != other


@pytest.mark.parametrize(
    ("content", "cells"),
    [("", 0), ("\n\n", 1), (PERCENT + "# %%\ny = '\0'\n", 4)],
    ids=["empty", "blank", "nul"],
)
def test_odd_texts_open_and_save(server: Server, notebook: Path, content: str, cells: int) -> None:
    notebook.write_text(content)
    opened = server.open("a.py")

    assert len(opened.cells) == cells
    opened.cells.append(nbformat.v4.new_code_cell("z = 1"))
    server.save("a.py", opened)
    assert content.strip() in notebook.read_text()
    assert server.open("a.py").cells[-1].source == "z = 1"


def test_equal_ids_are_told_apart(server: Server, notebook: Path) -> None:
    opened = server.open("a.py")
    for cell in opened.cells:
        cell["id"] = "same"
    server.save("a.py", opened)

    assert len(set(ids(server.open("a.py")))) == 3


def test_a_text_too_large_is_refused(server: Server, notebook: Path) -> None:
    os.truncate(notebook, 2**30)

    with pytest.raises(HTTPError) as refused:
        server.open("a.py")

    assert refused.value.status_code == 400
    assert "1,024 MB of text" in refused.value.log_message


def test_an_ipynb_too_large_is_refused(server: Server) -> None:
    (server.root / "b.ipynb").touch()
    os.truncate(server.root / "b.ipynb", 2**30)

    for attempt in (lambda: server.open("b.ipynb"), lambda: server.save("b.ipynb", nbformat.reads(WHOLE, 4))):
        with pytest.raises(HTTPError) as refused:
            attempt()
        assert refused.value.status_code == 400
        assert (server.root / "b.ipynb").stat().st_size == 2**30


@pytest.mark.parametrize("name", ["a.py", "a.ipynb"])
def test_more_cells_than_a_server_can_hold_are_refused(server: Server, name: str) -> None:
    file = server.root / name
    if name == "a.py":
        file.write_text("# %%\nx = 1\n\n" * 100_000)
    else:
        cell = '{"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": null, "source": ""}'
        file.write_text(
            f'{{"nbformat": 4, "nbformat_minor": 4, "metadata": {{}}, "cells": [{", ".join([cell] * 20_001)}]}}'
        )
    before = file.read_bytes()

    for attempt in (lambda: server.open(name), lambda: server.save(name, a_model())):
        with pytest.raises(HTTPError) as refused:
            attempt()
        assert refused.value.status_code == 400
        assert "Up to 20,000 are opened. Open it with the text editor" in refused.value.log_message
        assert file.read_bytes() == before


@pytest.mark.slow
def test_very_many_cells(tmp_path: Path, home: Path) -> None:
    server = Server(tmp_path, home)
    (tmp_path / "a.py").write_text("".join(f"# %%\nx = {number}\n\n" for number in range(20_000)))

    opened = server.open("a.py")
    opened.cells[10_000].source = "y = 1"
    server.save("a.py", opened)

    assert len(server.open("a.py").cells) == 20_000


@pytest.mark.parametrize("name", ["a.py", "light.py", "a.ipynb"])
def test_a_link_out_of_the_root_is_written_where_it_leads(server: Server, tmp_path_factory, name: str) -> None:
    outside = tmp_path_factory.mktemp("outside") / name
    outside.write_text({"a.py": PERCENT, "light.py": "# +\nx = 1\n\n# -\ny = 1\n", "a.ipynb": WHOLE}[name])
    (server.root / name).symlink_to(outside)
    opened = server.open(name)
    opened.cells[0].source = "x = 2"
    show(opened.cells[0], "2\n")

    server.save(name, opened)

    assert (server.root / name).is_symlink()
    assert "x = 2" in outside.read_text()
    assert server.open(name).cells[0].source.startswith("x = 2")
    assert os.listdir(outside.parent) == [name]


def test_a_link_within_the_root_stays_a_link(server: Server, notebook: Path) -> None:
    (server.root / "b.py").symlink_to("a.py")
    opened = server.open("b.py")
    opened.cells[0].source = "x = 2"

    server.save("b.py", opened)

    assert (server.root / "b.py").is_symlink()
    assert "x = 2" in notebook.read_text()


def test_a_file_keeps_its_mode(server: Server, notebook: Path, opened) -> None:
    notebook.chmod(0o754)
    opened.cells[0].source = "x = 2"

    server.save("a.py", opened)

    assert notebook.stat().st_mode & 0o777 == 0o754


def test_a_notebook_deleted_under_an_open_editor_is_written_anew(server: Server, notebook: Path, opened) -> None:
    notebook.unlink()
    with pytest.raises(HTTPError) as refused:
        server.open("a.py")
    assert refused.value.status_code == 404
    show(opened.cells[0], "again\n")

    server.save("a.py", opened)

    assert shown(server.open("a.py"))[0] == "again\n"


def test_a_notebook_that_is_a_folder_now(server: Server, notebook: Path, opened) -> None:
    notebook.unlink()
    notebook.mkdir()

    with pytest.raises(HTTPError) as refused:
        server.save("a.py", opened)

    assert refused.value.status_code == 400


@pytest.mark.parametrize("name", ["a.py", "a.ipynb", "a.txt"])
@pytest.mark.parametrize(
    ("becomes", "status", "said"),
    [
        ("gone", 404, "its folder is gone. Make it anew, or save under another name."),
        ("a file", 400, "its folder is a file now. Save it under another name."),
        ("long", 400, "its name is too long. Save it under a shorter one."),
    ],
)
def test_where_nothing_can_be_saved_says_what_to_do(
    server: Server, name: str, becomes: str, status: int, said: str
) -> None:
    if becomes == "a file":
        (server.root / "folder").write_text("here")
    path = f"{'x' * 300}{name}" if becomes == "long" else f"folder/{name}"
    model = {"type": "notebook", "format": "json", "content": a_model()}
    if name == "a.txt":
        model = {"type": "file", "format": "text", "content": "x"}

    with pytest.raises(HTTPError) as refused:
        server.ask("save", model, path)

    assert (refused.value.status_code, refused.value.log_message) == (status, f"{path} is not saved: {said}")


def test_nothing_is_written_beside_the_root(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    beside: list[Path] = []
    monkeypatch.setattr(writing, "replacing", lambda file, **_: beside.append(file))

    with pytest.raises(HTTPError, match="/ is not saved: it is a folder now"):
        server.ask("save", {"type": "file", "format": "text", "content": "x"}, "")

    assert beside == []


def test_an_ipynb_that_is_a_folder_now_is_said_to_be(server: Server) -> None:
    (server.root / "a.ipynb").mkdir()

    with pytest.raises(HTTPError, match="it is a folder now"):
        server.save("a.ipynb", a_model())


def test_what_lies_in_the_place_of_something_kept_beside_it_is_not_taken_for_the_file(
    server: Server, notebook: Path, opened
) -> None:
    (head,) = (server.root / ".slipway/heads").iterdir()
    head.unlink()
    head.mkdir()
    opened.cells[0].source = "x = 2"

    with pytest.raises(HTTPError, match="is in the way") as refused:
        server.save("a.py", opened)

    assert refused.value.status_code == 403
    assert "x = 2" in notebook.read_text()


@pytest.mark.parametrize("name", ["a.py", "a.ipynb", "a.txt"])
def test_what_is_asked_of_checkpoints_that_are_not_there(server: Server, name: str) -> None:
    (server.root / name).write_text("")

    for method in ("restore_checkpoint", "delete_checkpoint"):
        with pytest.raises(HTTPError) as refused:
            server.ask(method, "checkpoint", name)
        assert refused.value.status_code == 404


NO_PATHS = [5, True, None, ["a"], {"a": 1}]


@pytest.mark.parametrize("given", NO_PATHS, ids=repr)
def test_what_is_no_path_is_refused(server: Server, notebook: Path, given: Any) -> None:
    attempts = [("update", {"path": given}, "a.py"), ("is_hidden", given), ("copy", given), ("copy", "a.py", given)]
    for method, *arguments in attempts if given is not None else attempts[:1]:
        with pytest.raises(HTTPError, match="is no text") as refused:
            server.ask(method, *arguments)
        assert refused.value.status_code == 400
    assert os.listdir(server.root) == ["a.py"]


@pytest.mark.parametrize("given", NO_PATHS[:2] + NO_PATHS[3:], ids=repr)
def test_what_is_no_format_and_no_suffix_is_refused(server: Server, given: Any) -> None:
    for method, *arguments in (
        ("save", {"type": "file", "format": given, "content": "x"}, "a.txt"),
        ("new_untitled", "", "notebook", given),
    ):
        with pytest.raises(HTTPError) as refused:
            server.ask(method, *arguments)
        assert refused.value.status_code == 400
    assert os.listdir(server.root) == []


def test_a_name_that_no_file_can_have_is_refused(server: Server, notebook: Path) -> None:
    long = "x" * 300 + ".py"
    for method, *arguments in (
        ("is_hidden", long),
        ("get", long),
        ("update", {"path": long}, "a.py"),
        ("copy", "a.py", long),
        ("delete", long),
        ("trust_notebook", long),
        ("delete_checkpoint", "checkpoint", long),
    ):
        with pytest.raises(HTTPError) as refused:
            server.ask(method, *arguments)
        assert refused.value.status_code in (400, 404), method
    assert notebook.read_text() == PERCENT


@pytest.mark.parametrize("path", ["loop.py", "loop.py/a.py", "a.py/b.py"])
def test_what_leads_nowhere_is_refused_with_why(server: Server, notebook: Path, path: str) -> None:
    (server.root / "loop.py").symlink_to("loop.py")
    a_text = {"type": "file", "format": "text", "content": "x"}
    for method, *arguments in (
        ("is_hidden", path),
        ("get", path),
        ("save", a_text, path),
        ("save", {"type": "notebook", "format": "json", "content": a_model()}, path),
        ("update", {"path": path}, "a.py"),
        ("update", {"path": "b.py"}, path),
        ("delete", path),
        ("copy", path, ""),
        ("create_checkpoint", path),
        ("trust_notebook", path),
    ):
        with pytest.raises(HTTPError) as refused:
            server.ask(method, *arguments)
        assert refused.value.status_code in (400, 404), method
    assert sorted(one for one in os.listdir(server.root) if one.endswith(".py")) == ["a.py", "loop.py"]


def test_a_folder_has_no_hash(server: Server) -> None:
    with pytest.raises(HTTPError, match="is a folder, and has no hash") as refused:
        server.ask("get", "", require_hash=True)

    assert refused.value.status_code == 400


def test_what_is_gone_is_not_renamed_to_what_is_there(server: Server, notebook: Path) -> None:
    with pytest.raises(HTTPError, match=r"There is no gone\.py any more") as refused:
        server.ask("update", {"path": "a.py"}, "gone.py")

    assert (refused.value.status_code, notebook.read_text()) == (404, PERCENT)


def test_a_suffix_that_is_said_to_be_none_is_not_said(server: Server) -> None:
    assert server.ask("new_untitled", path="", type="notebook", ext=None)["name"] == "Untitled.ipynb"


@pytest.mark.parametrize("into", ["folder", "folder/deep", "folder/link"])
def test_a_folder_is_not_copied_into_itself(server: Server, into: str) -> None:
    """shutil would go on for ever, and hold up the server."""
    (server.root / "folder/deep").mkdir(parents=True)
    (server.root / "folder/link").symlink_to("deep")

    with pytest.raises(HTTPError, match="into itself") as refused:
        server.ask("copy", "folder", into)

    assert refused.value.status_code == 400
    assert os.listdir(server.root / "folder/deep") == []


def test_a_folder_is_copied_beside_itself(server: Server) -> None:
    (server.root / "folder/deep").mkdir(parents=True)

    assert server.ask("copy", "folder", "")["path"] == "folder-Copy1"
    assert os.listdir(server.root / "folder-Copy1") == ["deep"]


def test_what_is_no_notebook_is_not_trusted_and_the_root_not_renamed(server: Server) -> None:
    (server.root / "a.txt").write_text("x")
    for method, *arguments in (("trust_notebook", ""), ("trust_notebook", "a.txt"), ("update", {"path": "x"}, "")):
        with pytest.raises(HTTPError) as refused:
            server.ask(method, *arguments)
        assert refused.value.status_code in (400, 409)


def test_what_has_no_type_is_refused(server: Server) -> None:
    with pytest.raises(HTTPError) as refused:
        server.ask("save", {"content": a_model()}, "a.py")

    assert refused.value.status_code == 400


def test_what_is_gone_or_cannot_be_read_is_not_trusted(server: Server, notebook: Path) -> None:
    for content, status in ((None, 404), (b"\xff", 400)):
        if content is None:
            notebook.unlink()
        else:
            notebook.write_bytes(content)
        with pytest.raises(HTTPError) as refused:
            server.ask("trust_notebook", "a.py")
        assert refused.value.status_code == status


@pytest.mark.parametrize(
    ("failing", "status", "todo"),
    [
        (errno.ENOSPC, 503, "Make room, then save again."),
        (errno.EACCES, 403, "Save it under another name"),
        (errno.EROFS, 403, "Save it under another name"),
    ],
)
def test_an_ipynb_that_cannot_be_written_says_what_to_do(
    server: Server, failing: int, status: int, todo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (server.root / "a.ipynb").write_text(WHOLE)
    opened = server.open("a.ipynb")

    def refuse(*_: object) -> None:
        raise OSError(failing, os.strerror(failing))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(HTTPError) as refused:
        server.save("a.ipynb", opened)

    assert (refused.value.status_code, (server.root / "a.ipynb").read_text()) == (status, WHOLE)
    assert todo in refused.value.log_message


def test_what_others_say_of_it_is_cut_between_two_words(server: Server) -> None:
    (server.root / "a.ipynb").write_text(WHOLE.replace('"x = 1"', f"{'{}, ' * 99}{{}}"))

    with pytest.raises(HTTPError, match=r"source: .* \{\},…\. Mend it"):
        server.open("a.ipynb")


def test_on_a_full_disk_an_ipynb_opens_and_says_why_it_is_not_saved(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    (server.root / "a.ipynb").write_text(WHOLE)

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(HTTPError) as refused:
            server.ask("create_checkpoint", "a.ipynb")
    # What a page takes for a folder that may only be read: it opens the notebook without.
    assert (refused.value.status_code, "the disk is full" in refused.value.log_message) == (403, True)

    # Who signs what is saved keeps that in a database.
    database = sqlite3.connect(":memory:")
    database.execute("PRAGMA max_page_count = 1")
    monkeypatch.setattr(server.manager.notary, "sign", lambda _: database.execute("CREATE TABLE a (b)"))
    monkeypatch.setattr(server.manager.notary, "check_cells", lambda _: True)
    opened = server.open("a.ipynb")
    with pytest.raises(HTTPError) as refused:
        server.save("a.ipynb", opened)
    assert refused.value.status_code == 503
    assert "a.ipynb is not saved: the disk is full." in refused.value.log_message


@pytest.mark.parametrize(("folder", "called"), [("b", "b"), ("", "its folder")], ids=["below", "root"])
@pytest.mark.parametrize("name", ["a.py", "a.ipynb"])
def test_what_may_not_be_written_is_called_as_in_the_file_browser(
    server: Server, name: str, folder: str, called: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (server.root / folder).mkdir(exist_ok=True)
    (server.root / folder / name).write_text(PERCENT if name == "a.py" else WHOLE)
    opened = server.open(f"{folder}/{name}")
    opened.cells[0].source = "x = 2"

    def refuse(target: Path, *_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(target.with_name(".~0123")))

    monkeypatch.setattr(writing, "_beside", refuse)
    with pytest.raises(HTTPError, match=rf"\({re.escape(name)} cannot be saved: {called} may not be written\. "):
        server.save(f"{folder}/{name}", opened)


def test_where_a_folder_may_not_be_made_is_said_as_in_the_file_browser(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    (server.root / "b").mkdir()
    monkeypatch.setattr(os, "mkdir", fail(OSError(errno.EROFS, "read-only", str(server.root / "b/c"))))

    with pytest.raises(HTTPError) as refused:
        server.ask("save", {"type": "directory"}, "b/c")

    assert (refused.value.status_code, refused.value.log_message) == (403, "b/c may not be written.")


@pytest.mark.parametrize("name", ["a.py", "b/a.ipynb"])
def test_a_text_that_is_not_utf8_says_what_to_do_and_not_where_the_disk_has_it(server: Server, name: str) -> None:
    (server.root / "b").mkdir()
    (server.root / name).write_bytes(b"\xe4")

    with pytest.raises(HTTPError) as refused:
        server.ask("get", name, type="file", format="text")

    said = f"{name} is not UTF-8. Convert it to that, for example with iconv, then open it again. It was not touched."
    assert (refused.value.status_code, refused.value.reason, refused.value.log_message) == (400, "bad format", said)


def test_what_the_server_itself_refuses_is_called_as_in_the_file_browser(server: Server) -> None:
    (server.root / "b").mkdir()
    os.mkfifo(server.root / "b/a")

    (server.root / "b/c").symlink_to("nowhere")

    for name in "b/a", "b/c":
        with pytest.raises(HTTPError) as refused:
            server.ask("get", name)
        said = f"{name} is a pipe, a device or a link that leads nowhere: no file. Open another, or delete it."
        assert (refused.value.status_code, refused.value.log_message) == (400, said)
    (server.root / "b/d").touch()
    with pytest.raises(HTTPError) as refused:
        server.ask("save", {"type": "directory"}, "b/d")
    assert (refused.value.status_code, refused.value.log_message) == (400, "Not a directory: b/d")


def test_a_folder_is_not_moved_into_itself(server: Server) -> None:
    (server.root / "folder").mkdir()

    with pytest.raises(HTTPError) as refused:
        server.ask("rename_file", "folder", "folder/deep")

    said = "folder cannot be moved into itself. Choose another folder."
    assert (refused.value.status_code, refused.value.log_message) == (400, said)


@pytest.mark.parametrize(
    ("place", "called"),
    [
        ("root/b/.~0123", "b"),
        ("root/b/a.py", "b/a.py"),
        ("root/.~0123", "its folder"),
        (".slipway/blobs", "../.slipway/blobs"),
        ("root/.slipway", ".slipway"),
        ("elsewhere/a.py", "a.py"),
    ],
)
def test_a_place_is_called_as_it_is_from_the_root(tmp_path: Path, place: str, called: str) -> None:
    assert as_shown(tmp_path / place, tmp_path / "root") == called


@pytest.mark.parametrize("failing", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_disk_that_refuses_leaves_the_text_whole(
    server: Server, notebook: Path, opened, failing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened.cells[0].source = "x = 2"

    def refuse(*_: object) -> None:
        raise OSError(failing, os.strerror(failing))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(HTTPError) as refused:
            server.save("a.py", opened)

    assert refused.value.status_code == (503 if failing == errno.ENOSPC else 403)
    assert notebook.read_text() == PERCENT
    assert not [name for name in os.listdir(server.root) if name.startswith(".~")]
    server.save("a.py", opened)
    assert "x = 2" in notebook.read_text()


def test_without_locks_it_goes_on(server: Server, notebook: Path, opened, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    opened.cells[0].source = "x = 2"

    server.save("a.py", opened)

    assert "x = 2" in notebook.read_text()


def test_a_configuration_that_is_code_is_not_run(tmp_path: Path, home: Path) -> None:
    (tmp_path / ".jupytext.py").write_text("open('ran', 'w')\nraise SystemExit")
    (tmp_path / "a.py").write_text(PERCENT)

    Server(tmp_path, home, allow_hidden=True).open("a.py")

    assert not (tmp_path / "ran").exists()
    assert not Path("ran").exists()


def test_a_broken_configuration_is_said_and_the_folder_is_still_listed(server: Server, notebook: Path) -> None:
    server.open("a.py")
    (server.root / "jupytext.toml").write_text("nonsense = [")

    for _ in range(2):
        with pytest.raises(HTTPError) as refused:
            server.open("a.py")

        assert refused.value.status_code == 400
        assert "jupytext.toml" in refused.value.log_message
    assert {entry["name"] for entry in server.ask("get", "")["content"]} == {"a.py", "jupytext.toml"}


def test_who_asks_for_it_is_told_that_only_the_code_is_saved_and_who_does_not_is_refused(
    server: Server, notebook: Path, opened
) -> None:
    shutil.rmtree(server.root / ".slipway/outputs")
    (server.root / ".slipway/outputs").write_text("mine")
    opened.cells[0].source = "x = 2"
    show(opened.cells[0], "2\n")
    model = {"type": "notebook", "format": "json", "content": opened}
    said = (
        "The code of a.py is saved; its outputs are not: .slipway/outputs is in the way. Move it away, then save again."
    )

    told = server.ask("save", {**model, "without_outputs": True}, "a.py")
    with pytest.raises(HTTPError) as refused:
        server.ask("save", model, "a.py")

    assert (told["not_kept"], refused.value.log_message) == (said, said)
    assert "x = 2" in notebook.read_text()
    (server.root / ".slipway/outputs").unlink()
    assert "not_kept" not in server.ask("save", {**model, "without_outputs": True}, "a.py")
    assert shown(Server(server.root, server.manager.home).open("a.py"))[0] == "2\n"


def test_where_it_cannot_be_kept_who_saved_what_it_is_remembered(server: Server, notebook: Path, opened) -> None:
    shutil.rmtree(server.root / ".slipway/heads")
    (server.root / ".slipway/heads").write_text("mine")
    for source in ("x = 2", "x = 3", "x = 1"):
        opened.cells[0].source = source
        with pytest.raises(HTTPError, match="its outputs are not"):
            server.save("a.py", opened)
        assert notebook.read_text() == PERCENT.replace("x = 1", source)


@pytest.fixture
def for_all() -> Iterator[Path]:
    """A folder that other users can reach: pytest closes its own to them, anew each time that it starts anywhere."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.mark.skipif(sys.platform != "linux", reason="needs to become another user")
@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")
@pytest.mark.parametrize(("of_folder", "of_file"), [(0o755, 0o644), (0o777, 0o444)], ids=["folder", "file"])
def test_what_may_only_be_read_is_not_replaced(for_all: Path, of_folder: int, of_file: int) -> None:
    """As root nothing is forbidden, so a process gives its rights up, once all is imported."""
    folder = for_all / "theirs"
    folder.mkdir()
    (folder / "a.py").write_text(PERCENT)
    (folder / "a.py").chmod(of_file)
    folder.chmod(of_folder)
    home = for_all / "home"
    home.mkdir()
    home.chmod(0o777)
    code = f"""
import os, sys
from pathlib import Path
from jupyter_slipway.errors import SlipwayError
from jupyter_slipway.notebooks.documents import Documents
Documents(Path({str(folder)!r}), Path({str(for_all / "first")!r})).open(Path({str(folder / "a.py")!r}))
os.setgid(65534); os.setuid(65534)
documents = Documents(Path({str(folder)!r}), Path({str(home / "own")!r}))
opened = documents.open(Path({str(folder / "a.py")!r}))
opened.notebook["cells"][0]["source"] = "x = 2"
try:
    documents.save(Path({str(folder / "a.py")!r}), opened.notebook, "percent")
except SlipwayError as error:
    print(error.status, error.message)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.stdout.startswith("403 a.py cannot be saved"), done.stderr
    assert (folder / "a.py").read_text() == PERCENT


@pytest.mark.skipif(sys.platform != "linux", reason="needs to become another user")
@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")
@pytest.mark.parametrize("place", ["", "outputs", "heads"])
def test_where_only_what_is_kept_may_not_be_written_the_code_is_saved_and_that_is_said(
    for_all: Path, home: Path, place: str
) -> None:
    server = Server(for_all, home)
    (for_all / "a.py").write_text(PERCENT)
    opened = server.open("a.py")
    show(opened.cells[0], "long " * 2000)
    server.save("a.py", opened)
    for one in (for_all, for_all / "a.py", for_all / ".slipway", *(for_all / ".slipway").rglob("*")):
        one.chmod(0o777)
    for one in (for_all / ".slipway" / place, *(for_all / ".slipway" / place).rglob("*")):
        one.chmod(0o555)
    code = f"""
import os
from pathlib import Path
from jupyter_slipway.errors import SlipwayError
from jupyter_slipway.notebooks.documents import Documents
from tests.notebooks.builders import PERCENT, show
file = Path({str(for_all / "a.py")!r})
documents = Documents(file.parent, file.parent / "home")
opened = documents.open(file)
os.setgid(65534); os.setuid(65534)
opened.notebook["cells"][0]["source"] = "x = 2"
show(opened.notebook["cells"][0], "other " * 2000)
try:
    documents.save(file, opened.notebook, "percent")
except SlipwayError as error:
    print(error.status, error.message)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    said = f"403 The code of a.py is saved; its outputs are not: .slipway{'/' if place else ''}{place}"
    assert done.stdout.startswith(said), done.stdout + done.stderr
    assert "x = 2" in (for_all / "a.py").read_text()


def test_the_limit_of_a_text_is_one_that_no_notebook_meets() -> None:
    assert documents.LARGEST >= 16 * 2**20


def test_a_write_that_is_given_up_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")

    def give_up() -> None:
        with writing.replacing(tmp_path / "a") as file:
            file.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        give_up()

    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "old"


TORN = """# %%
x = 1

<<<<<<< HEAD
# %%
y = 2

# %% [markdown]
# mine
=======
# %% [markdown]
# theirs
>>>>>>> other

# %%
last()
"""


def test_conflicts_across_cells_open_as_conflicts_of_cells(server: Server, notebook: Path) -> None:
    notebook.write_text(TORN)

    opened = server.open("a.py")

    assert [cell.source for cell in opened.cells if not is_conflicted(cell)] == ["x = 1", "last()"]
    assert {(found.mine, found.theirs) for cell in opened.cells if (found := sides(cell.source))} == {
        ("y = 2\n", ""),
        ("mine\n", ""),
        ("", "theirs\n"),
    }
    server.save("a.py", opened)
    assert notebook.read_text() == TORN
    opened.cells[0].source = "x = 10"
    server.save("a.py", opened)
    assert [cell.source for cell in server.open("a.py").cells] == [cell.source for cell in opened.cells]


def test_a_conflict_in_the_header_opens_under_mine(server: Server, notebook: Path) -> None:
    def header(name: str) -> str:
        return f"#   kernelspec:\n#     display_name: {name}\n#     language: python\n#     name: {name}\n"

    torn = f"<<<<<<< HEAD\n{header('here')}=======\n{header('there')}>>>>>>> other\n"
    notebook.write_text(f"# ---\n# jupyter:\n{torn}# ---\n\n# %%\nx = 1\n")

    opened = server.open("a.py")

    assert (opened.metadata.kernelspec.name, [cell.source for cell in opened.cells]) == ("here", ["x = 1"])
