"""Over REST: compare, merge, look back on cells, restore; and what bad requests get."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
from nbformat import from_dict

from jupyter_slipway.events import Changed, Events
from jupyter_slipway.notebooks import writing
from jupyter_slipway.notebooks.git import Repository
from jupyter_slipway.notebooks.glance import read_notebook
from jupyter_slipway.notebooks.history import CellHistory
from tests.notebooks.asking import Ask, asking
from tests.notebooks.builders import Server
from tests.notebooks.samples import Folder, code, notebook, percent, printed, sources, write


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "work")


@pytest.fixture
def ask(folder: Folder, home: Path) -> Ask:
    return asking(folder.top, home)


def test_each_cell_is_by_the_revision_that_made_it_what_it_is(folder: Folder, ask: Ask) -> None:
    folder.commit("a.py", percent("import os", "x = 1", "y = f(x, 10)"), "first")
    folder.commit("a.py", percent("import os", "x = 1", "y = f(x, 20)"), "second")
    folder.commit("a.py", percent("import os", "new = 0", "x = 1", "y = f(x, 20)"), "third")
    (folder.top / "a.py").write_text(percent("import os", "new = 0", "x = 1", "y = f(x, 30)", "z"))
    status, blame = ask("GET", "/notebooks/blame", path="a.py")
    assert status == 200
    assert [
        (one["index"], one["committed"], one["revision"] and one["revision"]["message"]) for one in blame["items"]
    ] == [(0, True, "first"), (1, True, "third"), (2, True, "first"), (3, False, None), (4, False, None)]


def test_a_cell_is_followed_by_what_it_is_not_by_where_it_stands(folder: Folder, ask: Ask) -> None:
    folder.commit("a.py", percent("x = 1", "y = f(x, 10)"), "first")
    folder.commit("a.py", percent("x = 2", "y = f(x, 10)"), "another cell")
    folder.commit("a.py", percent("y = f(x, 20)", "x = 2"), "moved and edited")
    folder.git("mv", "a.py", "b.py")
    folder.git("commit", "-q", "-m", "renamed")
    _, found = ask("GET", "/notebooks/history", path="b.py", cell="0")
    assert [(one["revision"]["message"], one["source"]) for one in found["cells"]] == [
        ("moved and edited", "y = f(x, 20)"),
        ("first", "y = f(x, 10)"),
    ]
    assert [one["message"] for one in found["revisions"]] == ["renamed", "moved and edited", "another cell", "first"]


def test_a_cells_past_begins_with_what_is_not_committed_and_says_what_each_step_changed(
    folder: Folder, ask: Ask
) -> None:
    folder.commit("a.py", percent("x = 1", "y = 1"), "first")
    folder.commit("a.py", percent("x = 2", "y = 1"), "second")
    (folder.top / "a.py").write_text(percent("x = 3", "y = 1"))
    _, found = ask("GET", "/notebooks/history", path="a.py", cell="0")
    said = [(one["revision"] and one["revision"]["message"], one["before"], one["source"]) for one in found["cells"]]
    assert said == [(None, "x = 2", "x = 3"), ("second", "x = 1", "x = 2"), ("first", None, "x = 1")]
    assert (found["cell_type"], found["cells"][0]["diff"][0]["op"]) == ("code", "patch")
    blamed = ask("GET", "/notebooks/blame", path="a.py")[1]["items"]
    assert [(one["title"], one["committed"]) for one in blamed] == [("x = 3", False), ("y = 1", True)]


def test_a_cell_is_named_by_its_id(folder: Folder, ask: Ask) -> None:
    write(folder.top / "a.ipynb", notebook(code("x = 1", "first"), code("y = 1", "second")))
    folder.git("add", "-A")
    folder.git("commit", "-q", "-m", "one")
    assert [one["source"] for one in ask("GET", "/notebooks/history", path="a.ipynb", cell="second")[1]["cells"]] == [
        "y = 1"
    ]
    assert ask("GET", "/notebooks/history", path="a.ipynb", cell="third")[0] == 404


def test_a_revision_that_is_no_notebook_is_passed_over(folder: Folder, ask: Ask) -> None:
    write(folder.top / "a.ipynb", notebook(code("x = 1", "a")))
    folder.git("add", "-A")
    folder.git("commit", "-q", "-m", "one")
    folder.commit("a.ipynb", "<<<<<<< HEAD\n", "broken")
    write(folder.top / "a.ipynb", notebook(code("x = 1", "a")))
    assert ask("GET", "/notebooks/blame", path="a.ipynb")[1]["items"][0]["revision"]["message"] == "one"


def test_what_was_read_once_is_not_read_again(folder: Folder) -> None:
    for number in range(4):
        folder.commit("a.py", percent(f"x = {number}", "y"))
    read = []
    history = CellHistory(lambda name, content: read.append(content) or read_notebook(name, content))
    cells = read_notebook("a.py", (folder.top / "a.py").read_bytes())["cells"]
    for _ in range(2):
        history.blame(Repository.of(folder.top / "a.py"), "a.py", cells, 99)
    assert len(read) == 4


# --- compare and merge


def test_a_notebook_is_compared_with_head_a_revision_and_what_is_not_saved(folder: Folder, ask: Ask) -> None:
    first = folder.commit("a.py", percent("x = 1", "y = 1"))
    folder.commit("a.py", percent("x = 2", "y = 1"))
    (folder.top / "a.py").write_text(percent("x = 3", "y = 1"))

    def compared(**body: object) -> tuple[str, bool]:
        status, found = ask("POST", "/notebooks/diff", {"path": "a.py", **body})
        assert status == 200
        return found["base"]["cells"][0]["source"], found["same"]

    assert compared() == ("x = 2", False)
    assert compared(base=first) == ("x = 1", False)
    assert compared(base=first, other=first) == ("x = 1", True)
    unsaved = notebook(code("x = 3", "i"), code("y = 2", "j"))
    assert compared(base="", contents={"other": unsaved}) == ("x = 3", False)


def test_outputs_of_text_notebooks_are_those_of_that_text(folder: Folder, ask: Ask, home: Path) -> None:
    from jupyter_slipway.notebooks.documents import Documents

    file = folder.top / "a.py"
    kept = notebook(code("x = 1", "kept", printed("1\n"), count=1))
    Documents(folder.top, home).save(file, from_dict(kept), "percent", trusted=True)
    folder.commit("a.py", file.read_text())
    file.write_text(percent("x = 2"))
    _, found = ask("POST", "/notebooks/diff", {"path": "a.py"})
    assert (found["base"]["cells"][0]["id"], found["base"]["cells"][0]["outputs"]) == ("kept", [printed("1\n")])


def test_both_sides_of_a_git_conflict_are_merged_for_a_person(folder: Folder, ask: Ask) -> None:
    def commit(*cells: dict[str, object]) -> None:
        folder.commit("a.ipynb", json.dumps(notebook(*cells)))

    commit(code("x = 1", "a"), code("y = 1", "b"))
    folder.git("checkout", "-q", "-b", "dev")
    commit(code("x = 3", "a"), code("y = 1 + z", "b"))
    folder.git("checkout", "-q", "main")
    commit(code("x = 2", "a"), code("y = 2", "b"))
    assert ask("GET", "/notebooks/history", path="a.ipynb")[1]["in_conflict"] is False
    folder.git("merge", "dev", check=False)
    assert ask("GET", "/notebooks/history", path="a.ipynb")[1]["in_conflict"] is True
    status, found = ask("POST", "/notebooks/merge", {"path": "a.ipynb"})
    assert (status, found["conflicts"]) == (200, 1)
    assert sources(found["merged"]["cells"]) == [
        "<<<<<<< mine\nx = 2\n=======\nx = 3\n>>>>>>> theirs",
        "y = 2 + z",
    ]
    assert [one["common_path"][1] for one in found["decisions"] if one["conflict"]] == [0]


def test_what_a_person_settled_becomes_the_file_and_what_it_was_is_kept(folder: Folder, ask: Ask) -> None:
    def commit(*cells: dict[str, object]) -> None:
        folder.commit("a.ipynb", json.dumps(notebook(*cells)))

    commit(code("x = 1", "a"), code("y = 1", "b"))
    folder.git("checkout", "-q", "-b", "dev")
    commit(code("x = 3", "a"), code("y = 1", "b"))
    folder.git("checkout", "-q", "main")
    commit(code("x = 2", "a", printed("2")))
    assert ask("POST", "/notebooks/merge", {"path": "a.ipynb"})[0] == 404
    folder.git("merge", "dev", check=False)
    marked = (folder.top / "a.ipynb").read_text()
    _, found = ask("POST", "/notebooks/merge", {"path": "a.ipynb"})
    (conflict,) = found["cells"]
    assert (conflict["index"], conflict["base"]) == (0, "x = 1")
    assert (conflict["mine"]["outputs"], conflict["theirs"]["source"]) == ([printed("2")], "x = 3")
    assert [one["conflict"] for one in conflict["decisions"]] == [True]
    assert (found["mine"], found["theirs"]) == ("main", "dev")

    body = {"path": "a.ipynb", "notebook": found["merged"]}
    assert ask("POST", "/notebooks/resolve", body)[0] == 409
    assert (folder.top / "a.ipynb").read_text() == marked
    found["merged"]["cells"][0]["source"] = "x = 5"
    status, kept = ask("POST", "/notebooks/resolve", body)
    settled = json.loads((folder.top / "a.ipynb").read_text())
    assert (status, [cell["source"] for cell in settled["cells"]]) == (200, [["x = 5"]])
    ask("POST", "/notebooks/restore", {"path": "a.ipynb", "revision": kept["snapshot"]})
    assert (folder.top / "a.ipynb").read_text() == marked


def test_a_cell_that_one_side_removed_is_a_conflict_without_that_side(folder: Folder, ask: Ask) -> None:
    sides = {
        name: notebook(*cells)
        for name, cells in {
            "base": [code("x = 1", "a"), code("y = 1", "b")],
            "mine": [code("x = 1", "a")],
            "theirs": [code("x = 1", "a"), code("y = 2", "b")],
        }.items()
    }
    folder.commit("a.ipynb", json.dumps(sides["base"]))
    _, found = ask("POST", "/notebooks/merge", {"path": "a.ipynb", "contents": sides})
    (conflict,) = found["cells"]
    assert (conflict["mine"], conflict["theirs"]["source"], conflict["decisions"]) == (None, "y = 2", [])


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [("a.py", notebook(), 400), ("a.ipynb", {}, 422), ("a.ipynb", {"cells": [1], "metadata": {}}, 422)],
)
def test_only_a_notebook_is_a_settled_file(
    folder: Folder, ask: Ask, path: str, content: dict[str, object], status: int
) -> None:
    folder.commit("a.py", percent("x = 1"))
    folder.commit("a.ipynb", json.dumps(notebook(code("x = 1", "a"))))
    assert ask("POST", "/notebooks/resolve", {"path": path, "notebook": content})[0] == status
    assert folder.git("status", "--porcelain") == ""


def test_branches_and_tags_can_be_compared_with(folder: Folder, ask: Ask) -> None:
    folder.commit("a.py", percent("x = 1"))
    folder.git("branch", "feature/one")
    folder.git("tag", "v1")
    _, found = ask("GET", "/notebooks/references", path="a.py")
    assert found == {
        "branch": "main",
        "branches": ["feature/one", "main"],
        "tags": ["v1"],
        "colleagues": [],
        "in_conflict": False,
    }


def test_without_outputs_neither_side_has_any(folder: Folder, ask: Ask) -> None:
    folder.commit("a.ipynb", json.dumps(notebook(code("x", "a", printed("1"), count=1))))
    write(folder.top / "a.ipynb", notebook(code("x", "a", printed("2"), count=2)))
    _, found = ask("POST", "/notebooks/diff", {"path": "a.ipynb", "outputs": False})
    assert (found["same"], found["base"]["cells"][0]["outputs"]) == (True, [])
    assert ask("POST", "/notebooks/diff", {"path": "a.ipynb"})[1]["same"] is False


# --- restore, keep, commit


def test_an_old_revision_comes_back_as_a_new_one_and_nothing_is_lost(folder: Folder, home: Path) -> None:
    first = folder.commit("a.py", percent("x = 1"))
    folder.commit("a.py", percent("x = 2"))
    (folder.top / "a.py").write_text(percent("x = 3"))
    events, told = Events(), []
    events.subscribe(told.append)
    ask = asking(folder.top, home, events=events)
    status, kept = ask("POST", "/notebooks/restore", {"path": "a.py", "revision": first})
    assert (status, (folder.top / "a.py").read_text()) == (200, percent("x = 1"))
    assert told == [Changed("notebook", "a.py")]
    assert [one["id"] for one in ask("GET", "/notebooks/history", path="a.py")[1]["snapshots"]] == [kept["snapshot"]]
    ask("POST", "/notebooks/restore", {"path": "a.py", "revision": kept["snapshot"]})
    assert (folder.top / "a.py").read_text() == percent("x = 3")


def test_what_was_kept_before_can_be_brought_back_after_a_restore(folder: Folder, ask: Ask) -> None:
    first = folder.commit("a.py", percent("x = 1"))
    (folder.top / "a.py").write_text(percent("x = 2"))
    kept = ask("POST", "/notebooks/snapshots", {"path": "a.py"})[1]
    assert ask("POST", "/notebooks/restore", {"path": "a.py", "revision": first}) == (200, kept)


def test_a_revision_from_before_a_rename_comes_back(folder: Folder, ask: Ask) -> None:
    first = folder.commit("a.py", percent("x = 1", "y = 1", "z = 1"))
    folder.git("mv", "a.py", "b.py")
    folder.git("commit", "-q", "-m", "renamed")
    (folder.top / "b.py").write_text("x")
    assert ask("POST", "/notebooks/restore", {"path": "b.py", "revision": first})[0] == 200
    assert (folder.top / "b.py").read_text() == percent("x = 1", "y = 1", "z = 1")


def test_a_revision_from_before_a_conversion_is_compared_and_restored_in_its_own_form(folder: Folder, ask: Ask) -> None:
    write(folder.top / "a.ipynb", notebook(code("x = 1", "x"), code("y = 1", "y")))
    first = folder.commit("other.py", "", "as .ipynb")
    (folder.top / "a.ipynb").unlink()
    folder.commit("a.py", percent("x = 1", "y = 2"), "as text")

    status, found = ask("POST", "/notebooks/diff", {"path": "a.py", "base": first, "other": ""})
    assert (status, sources(found["base"]["cells"])) == (200, ["x = 1", "y = 1"])
    status, said = ask("POST", "/notebooks/restore", {"path": "a.py", "revision": first})
    assert (status, said["message"]) == (409, "a.py was a.ipynb then.")
    assert (folder.top / "a.py").read_text() == percent("x = 1", "y = 2")


def test_a_restored_file_keeps_its_mode_and_a_link_stays_one(folder: Folder, ask: Ask) -> None:
    commit = folder.commit("a.py", percent("x = 1"))
    (folder.top / "a.py").write_text(percent("x = 2"))
    (folder.top / "a.py").chmod(0o755)
    (folder.top / "b.py").symlink_to("a.py")

    assert ask("POST", "/notebooks/restore", {"path": "b.py", "revision": commit})[0] == 200

    assert (folder.top / "b.py").is_symlink()
    assert (folder.top / "a.py").read_text() == percent("x = 1")
    assert (folder.top / "a.py").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    ("method", "path", "more"),
    [
        ("POST", "diff", {}),
        ("GET", "history", {"cell": "0"}),
        ("GET", "blame", {}),
        ("GET", "radar", {}),
    ],
)
def test_a_text_whose_header_is_broken_is_refused_with_its_line(
    folder: Folder, ask: Ask, method: str, path: str, more: dict[str, str]
) -> None:
    folder.commit("a.py", percent("x = 1"))
    (folder.top / "a.py").write_text("# ---\n# jupyter:\n#   kernelspec: {a: b\n# ---\n\n# %%\nx = 1\n")

    body = {"path": "a.py"} | more
    status, said = (
        ask("POST", f"/notebooks/{path}", body) if method == "POST" else ask("GET", f"/notebooks/{path}", **body)
    )

    assert (status, said["message"].partition(":")[0]) == (400, "a.py, line 3")


def test_what_may_not_be_written_is_not_restored_and_that_is_said(
    folder: Folder, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = folder.commit("a.py", percent("x = 1"))
    (folder.top / "a.py").write_text(percent("x = 2"))

    def refuse(path: Path, content: bytes) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(writing, "write", refuse)
    status, said = ask("POST", "/notebooks/restore", {"path": "a.py", "revision": commit})

    assert (status, said["message"]) == (403, "a.py cannot be saved: a.py may not be written.")


def test_a_repository_behind_a_linked_folder_is_looked_up(folder: Folder, home: Path, tmp_path: Path) -> None:
    commit = folder.commit("a.py", percent("x = 1"))
    (root := tmp_path / "served").mkdir()
    (root / "code").symlink_to(folder.top)

    status, said = asking(root, home)("GET", "/notebooks/history", path="code/a.py")

    assert (status, [one["id"] for one in said["revisions"]]) == (200, [commit])


def test_a_commit_is_in_the_name_of_who_asks(folder: Folder, home: Path) -> None:
    folder.commit("a.py", percent("x = 1"))
    (folder.top / "a.py").write_text(percent("x = 2"))
    status, made = asking(folder.top, home, "bob")("POST", "/notebooks/commits", {"path": "a.py", "message": "Two"})
    assert status == 201
    assert folder.git("log", "-1", "--format=%H %an %s") == f"{made['revision']} bob Two"
    assert folder.git("status", "--porcelain") == ""


# --- bad requests


@pytest.mark.parametrize("depth", [300, 450, 600, 900])
def test_what_is_nested_deeply_is_compared_or_refused(folder: Folder, ask: Ask, depth: int) -> None:
    folder.commit("a.py", percent("x = 1"))
    metadata: dict[str, object] = {}
    for _ in range(depth):
        metadata = {"in": metadata}
    contents = {"base": {"cells": [], "metadata": metadata}}
    assert ask("POST", "/notebooks/diff", {"path": "a.py", "contents": contents})[0] in (200, 400, 422)


@pytest.mark.parametrize(
    "path", ["../outside.py", "link.py", "missing.py", ".", "", "a.txt", "a\0.py", "folder", "/etc/hosts"]
)
@pytest.mark.parametrize("what", ["diff", "merge", "snapshots", "restore", "commits"])
def test_only_notebooks_below_the_root_are_reached(folder: Folder, ask: Ask, path: str, what: str) -> None:
    (folder.top.parent / "outside.py").write_text("secret = 1")
    (folder.top / "link.py").symlink_to(folder.top.parent / "outside.py")
    (folder.top / "folder").mkdir()
    folder.commit("a.py", percent("x = 1"))
    body = {"path": path, "base": "", "mine": "", "theirs": "", "revision": "HEAD", "message": "x"}
    status, said = ask("POST", f"/notebooks/{what}", body)
    assert status in (403, 404)
    assert "secret" not in json.dumps(said)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"base": "nowhere"}, 404),
        ({"base": "@bob"}, 403),
        ({"base": ":2"}, 404),
        ({"contents": {"base": {}}}, 422),
        ({"contents": {"base": {"cells": [1], "metadata": {}}}}, 422),
        ({"contents": {"base": 1}}, 422),
        ({"contents": {"base": {"cells": {}, "metadata": {}}}}, 422),
        ({"contents": {"base": {"cells": [{"cell_type": "code", "metadata": {}}], "metadata": {}}}}, 422),
        ({"contents": {"base": {"cells": [code("x", "a") | {"id": ["a"]}], "metadata": {}}}}, 422),
        ({"contents": {"base": {"cells": [code("x", "a") | {"outputs": [{}]}], "metadata": {}}}}, 422),
        ({"path": 1}, 422),
    ],
)
def test_what_cannot_be_compared_is_said(folder: Folder, ask: Ask, body: dict[str, object], status: int) -> None:
    folder.commit("a.py", percent("x = 1"))
    found, said = ask("POST", "/notebooks/diff", {"path": "a.py", **body})
    assert (found, bool(said["message"])) == (status, True)


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"x\0y", b"# ---\n# jupyter: [\n# ---\n# %%\nx", b"# %%\r\nx = 1\r\n", b"<<<<<<< a\nx\n"]
)
def test_odd_files_are_compared_or_refused_never_a_failure(folder: Folder, ask: Ask, content: bytes) -> None:
    folder.commit("a.py", percent("x = 1"))
    (folder.top / "a.py").write_bytes(content)
    for method, route in (("POST", "diff"), ("POST", "snapshots")):
        assert ask(method, f"/notebooks/{route}", {"path": "a.py"})[0] in (200, 400, 422)
    assert ask("GET", "/notebooks/blame", path="a.py")[0] in (200, 400, 422)
    assert (folder.top / "a.py").read_bytes() == content


@pytest.mark.parametrize(
    "change",
    [{"metadata": 5}, {"nbformat": "4"}, {"nbformat_minor": None}, {"cells": [{"source": "x"}]}, {"cells": {}}],
)
def test_json_that_is_nearly_a_notebook_is_refused_wherever_it_is_read(
    folder: Folder, ask: Ask, change: dict[str, object]
) -> None:
    write(folder.top / "a.ipynb", notebook(code("x = 1", "a")))
    folder.git("add", "-A")
    folder.git("commit", "-q", "-m", "one")
    (folder.top / "a.ipynb").write_text(json.dumps(notebook(code("x = 1", "a")) | change))
    assert ask("POST", "/notebooks/diff", {"path": "a.ipynb"})[0] == 422
    for what, more in (("blame", {}), ("history", {"cell": "9" * 5000}), ("history", {"cell": "0"})):
        assert ask("GET", f"/notebooks/{what}", path="a.ipynb", **more)[0] == 422


def test_a_cell_is_not_looked_for_beyond_what_a_number_may_be(folder: Folder, ask: Ask) -> None:
    folder.commit("a.py", percent("x = 1"))
    assert ask("GET", "/notebooks/history", path="a.py", cell="9" * 5000)[0] == 404


def test_a_commit_while_git_has_the_index_is_refused_and_nothing_is_committed(folder: Folder, ask: Ask) -> None:
    head = folder.commit("a.py", percent("x = 1"))
    (folder.top / "a.py").write_text(percent("x = 2"))
    lock = folder.top / ".git" / "index.lock"
    lock.touch()
    status, said = ask("POST", "/notebooks/commits", {"path": "a.py", "message": "two"})
    assert (status, "index.lock" in said["hint"], folder.git("rev-parse", "HEAD")) == (409, True, head)
    lock.unlink()
    assert ask("POST", "/notebooks/commits", {"path": "a.py", "message": "two"})[0] == 201
    assert folder.git("status", "--porcelain") == ""


def test_outside_of_git_it_is_said(tmp_path: Path, home: Path) -> None:
    (tmp_path / "a.py").write_text(percent("x"))
    ask = asking(tmp_path, home)
    assert ask("GET", "/notebooks/history", path="a.py")[0] == 404
    assert ask("POST", "/notebooks/diff", {"path": "a.py", "base": ""})[0] == 200
    # Pages ask for these by themselves.
    assert ask("GET", "/notebooks/radar", path="a.py")[1]["sharing"] == "off"
    assert ask("POST", "/notebooks/snapshots", {"path": "a.py"})[1]["snapshot"] is None


def test_what_a_kernel_says_of_itself_is_no_change_of_a_text(folder: Folder, ask: Ask, home: Path) -> None:
    folder.commit("a.py", percent("x = 1"))
    server = Server(folder.top, home)
    opened = server.open("a.py")
    opened.metadata["language_info"] = {"name": "python", "version": "3"}
    opened.cells[0].source = "x = 2"
    server.save("a.py", opened)
    _, found = ask("POST", "/notebooks/diff", {"path": "a.py", "base": "HEAD"})
    assert "language_info" not in json.dumps(found["diff"])


def test_the_kernel_that_a_text_notebook_was_opened_with_is_no_change(folder: Folder, ask: Ask) -> None:
    folder.commit("a.py", percent("x = 1", "y = 2"))
    _, told = ask("POST", "/notebooks/diff", {"path": "a.py", "base": "HEAD"})
    opened = told["base"]
    opened["metadata"] |= {"kernelspec": {"name": "python3", "display_name": "Python 3"}}

    _, found = ask("POST", "/notebooks/diff", {"path": "a.py", "base": "HEAD", "contents": {"other": opened}})

    assert (found["same"], found["diff"]) == (True, [])
