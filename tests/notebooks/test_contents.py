"""A text notebook through the contents manager: the text is all that git sees, and nothing is forgotten."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import nbformat
import pytest
from tornado.web import HTTPError

from jupyter_slipway.notebooks.age import is_old
from jupyter_slipway.notebooks.convert import convert
from jupyter_slipway.notebooks.documents import Documents
from jupyter_slipway.publish.source import read_notebook
from tests.notebooks.builders import PERCENT, Server, ids, image, show, shown


def test_outputs_ids_and_counts_come_back_and_the_text_is_not_touched(server: Server, notebook: Path) -> None:
    before = notebook.stat()
    opened = server.open("a.py")
    server.run("a.py", opened)

    again = server.open("a.py")

    assert shown(again) == ["x = 1 gave 1\n", "", "print(x) gave 1\n"]
    assert ids(again) == ids(opened)
    assert [cell.get("execution_count") for cell in again.cells] == [1, None, 1]
    assert (notebook.read_text(), notebook.stat().st_mtime_ns) == (PERCENT, before.st_mtime_ns)
    assert all(cell.metadata.trusted for cell in again.cells if cell.cell_type == "code")


def test_what_is_kept_hides_itself_from_git(server: Server, notebook: Path) -> None:
    subprocess.run(["git", "init", "-q", server.root], check=True)
    server.run("a.py", server.open("a.py"))

    seen = subprocess.run(["git", "-C", server.root, "status", "--short"], capture_output=True, text=True, check=True)

    assert seen.stdout == "?? a.py\n"


def test_only_the_edited_cell_gets_new_bytes(server: Server, notebook: Path) -> None:
    by_hand = "#%%\nx   =   1\n\n\n\n# %% [markdown]\n# Title\n\n#%%\nprint( x )\n"
    notebook.write_text(by_hand)
    opened = server.open("a.py")
    opened.cells[2].source = "print(x + 1)"

    server.save("a.py", opened)

    assert notebook.read_text() == by_hand.replace("#%%\nprint( x )", "# %%\nprint(x + 1)")


def test_an_edit_outside_keeps_ids_and_says_which_outputs_are_old(server: Server, notebook: Path) -> None:
    opened = server.open("a.py")
    server.run("a.py", opened)
    notebook.write_text(PERCENT.replace("x = 1", "x   =   1  # one").replace("print(x)", "print(x, 2)"))

    again = server.open("a.py")

    assert ids(again) == ids(opened)
    assert shown(again) == ["x = 1 gave 1\n", "", "print(x) gave 1\n (old)"]


def test_an_edit_that_is_taken_back_makes_outputs_true_again(server: Server, notebook: Path) -> None:
    server.run("a.py", server.open("a.py"))
    notebook.write_text(PERCENT.replace("print(x)", "print(x, 2)"))
    server.open("a.py")
    notebook.write_text(PERCENT.replace("x = 1", "x = 3"))

    assert shown(server.open("a.py")) == ["x = 1 gave 1\n (old)", "", "print(x) gave 1\n"]


def test_a_cell_that_runs_again_is_no_longer_old(server: Server, notebook: Path) -> None:
    server.run("a.py", server.open("a.py"))
    notebook.write_text(PERCENT.replace("print(x)", "print(x, 2)"))
    opened = server.open("a.py")
    show(opened.cells[2], "1 2\n", 2)

    server.save("a.py", opened)

    assert shown(server.open("a.py"))[2] == "1 2\n"
    assert "slipway" not in notebook.read_text()


def test_outputs_follow_commits_and_branches(server: Server, notebook: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=ada", "-c", "user.email=ada@example.org")
        subprocess.run(["git", "-C", server.root, *identity, *arguments], check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    server.run("a.py", server.open("a.py"), count=1)
    git("add", "a.py")
    git("commit", "-qm", "one")
    opened = server.open("a.py")
    opened.cells[0].source = "x = 2"
    server.run("a.py", opened, count=2)
    git("commit", "-qam", "two")

    git("checkout", "-q", "HEAD~1")

    assert shown(server.open("a.py")) == ["x = 1 gave 1\n", "", "print(x) gave 1\n"]
    git("checkout", "-q", "main")
    assert shown(server.open("a.py")) == ["x = 2 gave 2\n", "", "print(x) gave 2\n"]


def test_an_edit_of_a_version_that_was_checked_out_shows_what_that_version_did(server: Server, notebook: Path) -> None:
    server.run("a.py", server.open("a.py"), count=1)
    notebook.write_text(PERCENT.replace("x = 1", "x = 7"))
    server.run("a.py", server.open("a.py"), count=7)
    notebook.write_text(PERCENT)
    server.open("a.py")

    notebook.write_text(PERCENT.replace("# Title", "# A title"))

    assert shown(server.open("a.py")) == ["x = 1 gave 1\n", "", "print(x) gave 1\n"]


def test_a_fresh_clone_opens_without_outputs_and_with_the_same_ids(tmp_path: Path, home: Path) -> None:
    found = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.py").write_text(PERCENT + "\n# %%\nprint(x)\n")
        opened = Server(tmp_path / name, home).open("a.py")
        assert shown(opened) == ["", "", "", ""]
        found.append(ids(opened))

    assert found[0] == found[1]
    assert len(set(found[0])) == 4


def test_a_plain_script_that_is_only_read_and_edited_leaves_no_folder_behind(server: Server, notebook: Path) -> None:
    opened = server.open("a.py")
    server.save("a.py", opened)

    assert not (server.root / ".slipway").exists()


def test_images_are_kept_once_and_not_in_the_text(server: Server, notebook: Path) -> None:
    opened = server.open("a.py")
    opened.cells[0].outputs = [nbformat.from_dict(image(100_000))]
    opened.cells[2].outputs = [nbformat.from_dict(image(100_000))]
    server.save("a.py", opened)

    assert server.open("a.py").cells[2].outputs == opened.cells[0].outputs
    assert len(list((server.root / ".slipway" / "blobs").glob("*/*"))) == 1
    assert notebook.read_text() == PERCENT


def test_a_change_on_disk_is_merged_with_what_is_saved(server: Server, notebook: Path) -> None:
    opened = server.open("a.py")
    server.run("a.py", opened)
    notebook.write_text(PERCENT.replace("x = 1", "x = 7"))
    opened.cells[2].source = "print(x, 'mine')"

    server.save("a.py", opened)

    assert notebook.read_text() == PERCENT.replace("x = 1", "x = 7").replace("print(x)", "print(x, 'mine')")
    opened.cells[1].source = "Title, again mine"
    server.save("a.py", opened)
    assert notebook.read_text().count("x = 7") == 1
    assert "Title, again mine" in notebook.read_text()


def test_a_change_of_the_same_place_is_not_overwritten_unseen(server: Server, notebook: Path) -> None:
    opened = server.open("a.py")
    server.run("a.py", opened)
    theirs = PERCENT.replace("x = 1", "x = 7")
    notebook.write_text(theirs)
    opened.cells[0].source = "x = 8"

    with pytest.raises(HTTPError) as refused:
        server.save("a.py", opened)

    assert refused.value.status_code == 409
    assert "changed on disk" in refused.value.log_message
    assert notebook.read_text() == theirs
    server.save("a.py", opened)
    assert "x = 8" in notebook.read_text()


def test_an_ipynb_that_changed_on_disk_is_not_overwritten_unseen(server: Server) -> None:
    file = server.root / "b.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("a = 1")]), file)
    opened = server.open("b.ipynb")
    server.save("b.ipynb", opened)
    server.save("b.ipynb", opened)
    theirs = file.read_text().replace("a = 1", "a = 22")
    file.write_text(theirs)

    with pytest.raises(HTTPError) as refused:
        server.save("b.ipynb", opened)

    assert refused.value.status_code == 409
    assert file.read_text() == theirs
    assert "slipway" not in theirs


@pytest.mark.parametrize("where", ["jupytext.toml", "within/jupytext.toml", "within/deep/.jupytext", "pyproject.toml"])
def test_a_configuration_that_is_written_while_a_notebook_is_open_holds_from_its_next_save(
    tmp_path: Path, home: Path, where: str
) -> None:
    server = Server(tmp_path, home, allow_hidden=True)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("a = 1")])
    (tmp_path / "within/deep").mkdir(parents=True)
    server.save("within/deep/p.py", notebook)
    begins = "[tool.jupytext]\n" if where == "pyproject.toml" else ""

    (tmp_path / where).write_text(f'{begins}formats = "md"\n')
    server.save("within/deep/p.py", notebook)
    alone = not (tmp_path / "within/deep/p.ipynb").exists()
    (tmp_path / where).write_text(f'{begins}formats = "ipynb,py:percent"\n')
    server.save("within/deep/p.py", notebook)

    assert alone
    assert (tmp_path / "within/deep/p.ipynb").exists()


def test_a_configuration_of_the_person_holds_from_the_next_save(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "person"))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("a = 1")])
    server.save("p.py", notebook)

    (tmp_path / "person/jupytext").mkdir(parents=True)
    (tmp_path / "person/jupytext/jupytext.toml").write_text('formats = "ipynb,py:percent"\n')
    server.save("p.py", notebook)

    assert (server.root / "p.ipynb").exists()


def test_a_configuration_is_not_read_again_while_it_is_as_it_was(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("a = 1")])
    server.save("p.py", notebook)
    read: list[object] = []
    monkeypatch.setattr(type(server.manager), "load_config_file", lambda *_, **more: read.append(more))

    server.save("p.py", notebook)

    assert read == []


def test_a_paired_notebook_goes_on_by_the_rules_of_jupytext(server: Server) -> None:
    paired = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("a = 1")], metadata={"jupytext": {"formats": "ipynb,py:percent"}}
    )
    show(paired.cells[0], "out\n")
    server.save("p.ipynb", paired)

    assert sorted(os.listdir(server.root)) == [".ipynb_checkpoints", "p.ipynb", "p.py"]
    assert shown(server.open("p.py")) == ["out\n"]


@pytest.mark.parametrize(("ext", "name"), [(".py", "Untitled.py"), (".md:myst", "Untitled.md")])
def test_a_new_text_notebook_is_a_text(server: Server, ext: str, name: str) -> None:
    made = server.ask("new_untitled", "", type="notebook", ext=ext)

    assert made["path"].strip("/") == name
    assert "jupytext:" in (server.root / name).read_text()
    assert "jupytext_version" not in (server.root / name).read_text()
    assert server.open(name).cells == []


def test_outputs_follow_a_renamed_notebook_through_the_next_edit(server: Server, notebook: Path) -> None:
    server.run("a.py", server.open("a.py"))
    server.ask("rename_file", "a.py", "b.py")
    (server.root / "b.py").write_text(PERCENT.replace("x = 1", "x = 2"))

    assert shown(server.open("b.py")) == ["x = 1 gave 1\n (old)", "", "print(x) gave 1\n"]


def test_a_restored_checkpoint_has_its_outputs(server: Server, notebook: Path) -> None:
    opened = server.open("a.py")
    server.run("a.py", opened, count=1)
    kept = server.ask("create_checkpoint", "a.py")
    opened.cells[0].source = "x = 2"
    server.run("a.py", opened, count=2)

    server.ask("restore_checkpoint", kept["id"], "a.py")

    assert shown(server.open("a.py")) == ["x = 1 gave 1\n", "", "print(x) gave 1\n"]


def test_a_manager_that_somebody_wraps_makes_checkpoints(server: Server, notebook: Path) -> None:
    made = type(server.manager)

    class Wrapped(made):  # type: ignore[misc, valid-type]
        def get(self, path: str, **options: Any) -> Any:
            return super().get(path, **options)

    server.manager = Wrapped(root_dir=str(server.root))

    assert server.ask("create_checkpoint", "a.py")["id"] == "checkpoint"


KERNEL = {"name": "python3", "language": "python", "display_name": "Python 3 (ipykernel)"}


@pytest.mark.parametrize(("name", "spoken"), [("python3", "python"), ("ir", None)])
def test_what_its_kernel_speaks_stays_as_long_as_a_text_names_that_kernel(
    server: Server, notebook: Path, name: str, spoken: str | None
) -> None:
    header = "# ---\n# jupyter:\n#   kernelspec:\n#     display_name: {}\n#     language: l\n#     name: {}\n# ---\n\n"
    notebook.write_text(header.format("My Python", "python3") + PERCENT)
    opened = server.open("a.py")
    # As JupyterLab does when the kernel is there.
    opened.metadata["kernelspec"]["display_name"] = "Python 3 (ipykernel)"
    opened.metadata["language_info"] = {"name": "python"}
    server.run("a.py", opened)

    notebook.write_text(header.format("My Python", name) + PERCENT.replace("x = 1", "x = 2"))

    assert server.open("a.py").metadata.get("language_info", {}).get("name") == spoken


@pytest.mark.parametrize(
    ("name", "text", "kernel"),
    [
        ("a.py", PERCENT, KERNEL),
        ("a.md", "# Title\n\n```python\nx = 1\n```\n", KERNEL),
        ("a.hs", PERCENT.replace("#", "--"), None),
        ("a.py", "# ---\n# jupyter:\n#   kernelspec:\n#     name: mine\n# ---\n\n" + PERCENT, {"name": "mine"}),
    ],
)
def test_a_text_that_names_no_kernel_starts_one_of_its_language(
    server: Server, name: str, text: str, kernel: dict[str, str] | None
) -> None:
    (server.root / name).write_text(text)

    opened = server.open(name)

    assert opened.metadata.get("kernelspec") == kernel
    opened.cells[-1].source += "  # edited"
    server.save(name, opened)
    edited = (server.root / name).read_text()
    assert edited.count("\n") == text.count("\n")
    assert edited.startswith(text[:20])


def test_a_header_of_another_version_of_jupytext_is_no_change(server: Server) -> None:
    header = (
        "# ---\n# jupyter:\n#   jupytext:\n#     text_representation:\n#       extension: .py\n"
        "#       format_name: percent\n#       format_version: '1.2'\n#       jupytext_version: 1.4.0\n"
        "#   kernelspec:\n#     display_name: My Python\n#     language: python\n#     name: python3\n# ---\n\n"
    )
    (server.root / "a.py").write_text(header + PERCENT)
    opened = server.open("a.py")
    opened.metadata["kernelspec"]["display_name"] = "Python 3 (ipykernel)"
    opened.cells[0].source = "x = 5"

    server.save("a.py", opened)

    assert (server.root / "a.py").read_text() == header + PERCENT.replace("x = 1", "x = 5")


@pytest.mark.parametrize("name", ["a.py", "a.md"])
def test_line_ends_and_the_byte_order_mark_stay(server: Server, name: str) -> None:
    text = PERCENT if name == "a.py" else "# Title\n\n```python\nx = 1\n```\n\n```python\nprint(x)\n```\n"
    before = b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()
    (server.root / name).write_bytes(before)
    opened = server.open(name)
    assert "\r" not in "".join(cell.source for cell in opened.cells)
    opened.cells[-1].source = "print(x, x)"

    server.save(name, opened)

    assert (server.root / name).read_bytes() == before.replace(b"print(x)", b"print(x, x)")


def test_publishing_knows_an_unnamed_cell_by_the_same_id_after_an_edit(server: Server, notebook: Path) -> None:
    server.run("a.py", server.open("a.py"))
    before = [cell.id for cell in read_notebook(notebook).cells]
    notebook.write_text(PERCENT.replace("print(x)", "print(x, 2)"))

    after = [cell.id for cell in read_notebook(notebook).cells]

    assert before == after == [ids(server.open("a.py"))[place] for place in (0, 2)]


def test_a_page_hears_of_outputs_that_another_server_kept(server: Server, notebook: Path, home: Path) -> None:
    def heard() -> str:
        return str(server.ask("get", "a.py", content=False, type="notebook", require_hash=True)["outputs"])

    mine = server.save("a.py", server.open("a.py"))
    before = heard()
    other = Server(server.root, home)
    other.run("a.py", other.open("a.py"), count=2)

    after = heard()
    assert (mine["outputs"] == before, after == before) == (True, False)
    assert shown(server.open("a.py"))[0] == "x = 1 gave 2\n"
    assert heard() == after


def test_two_people_who_only_open_a_notebook_write_nothing(server: Server, notebook: Path, tmp_path: Path) -> None:
    server.run("a.py", server.open("a.py"))
    other = Server(server.root, tmp_path.with_name("anothers"))
    heard = []
    for one in (other, server, other, server):
        assert shown(one.open("a.py"))[0] == "x = 1 gave 1\n"
        heard.append(one.ask("get", "a.py", content=False, type="notebook", require_hash=True)["outputs"])
    assert len(set(heard)) == 1


def test_old_outputs_stay_marked_in_an_ipynb_until_their_cell_runs(server: Server, notebook: Path, home: Path) -> None:
    server.run("a.py", server.open("a.py"))
    notebook.write_text(PERCENT.replace("x = 1", "x = 2"))
    documents = Documents(server.root, home)

    convert(documents, notebook, "ipynb")

    opened = server.open("a.ipynb")
    assert [cell for cell in opened.cells if is_old(cell)] == opened.cells[:1]
    server.save("a.ipynb", opened)
    assert is_old(server.open("a.ipynb").cells[0])
    convert(documents, server.root / "a.ipynb", "percent")
    assert is_old(server.open("a.py").cells[0])
    convert(documents, notebook, "ipynb")
    opened = server.open("a.ipynb")
    server.run("a.ipynb", opened, count=2)
    assert "slipway" not in (server.root / "a.ipynb").read_text()
