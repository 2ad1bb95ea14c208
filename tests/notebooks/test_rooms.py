"""Shared documents and the disk: whoever writes where, nobody's word is lost. No server and no browser is started."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jupyter_server_ydoc import rooms

from jupyter_slipway.events import Events
from jupyter_slipway.notebooks import bases, disk, openfile, room, views, writing
from jupyter_slipway.notebooks.bases import Bases
from jupyter_slipway.notebooks.handlers import ConvertRequest, Notebooks
from jupyter_slipway.web import Asker
from tests.notebooks.builders import PERCENT
from tests.notebooks.rooms import Shared, in_loop, ipynb, is_kept, until
from tests.notebooks.samples import Folder

FILES = {"a.py": PERCENT, "a.md": "# Title\n\n```python\nx = 1\n```\n\n```python\nprint(x)\n```\n"}

ONE, TWO, THREE = "# %%\none = 1\n\n", "# %%\ntwo = 2\n\n", "# %%\nthree = 3\n"


@pytest.mark.parametrize("name", FILES)
@in_loop
async def test_a_change_on_disk_is_merged_into_what_is_typed(tmp_path: Path, home: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text(FILES[name])
    page = await Shared(tmp_path, home).notebook(name)
    code = page.sources.index("x = 1")
    ids = page.ids

    page.type(code, -1, "  # typed")
    file.write_text(FILES[name].replace("print(x)", "print(x, y)"))

    await until(lambda: "typed" in file.read_text() and "print(x, y)" in page.sources)
    assert page.ids == ids
    assert page.sources[code] == "x = 1  # typed"
    assert file.read_text() == FILES[name].replace("x = 1", "x = 1  # typed").replace("print(x)", "print(x, y)")


@in_loop
async def test_a_change_of_an_ipynb_on_disk_is_merged_too(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "a.ipynb"
    file.write_text(ipynb("x = 1", "print(x)"))
    page = await Shared(tmp_path, home).notebook("a.ipynb")

    page.type(0, -1, "  # typed")
    file.write_text(ipynb("x = 1", "print(x, y)", "new"))

    await until(lambda: "typed" in file.read_text())
    await until(lambda: page.sources == ["x = 1  # typed", "print(x, y)", "new"])
    cells = json.loads(file.read_text())["cells"]
    assert ["".join(cell["source"]) for cell in cells] == page.sources


@in_loop
async def test_a_change_of_a_plain_text_is_merged_and_line_ends_stay(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_bytes(b"one\r\ntwo\r\nthree\r\n")
    page = await Shared(tmp_path, home).text("notes.txt")

    page.write(3, " typed")
    file.write_bytes(b"one\r\ntwo\r\nthree changed\r\n")

    await until(lambda: file.read_bytes() == b"one typed\r\ntwo\r\nthree changed\r\n", file.read_bytes)
    assert page.text == "one typed\ntwo\nthree changed\n"


@in_loop
async def test_two_servers_on_one_folder_come_to_the_same(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text(PERCENT)
    one = await Shared(tmp_path, home).notebook("a.py")
    other = await Shared(tmp_path, home).notebook("a.py")

    for number in range(10):
        one.type(0, -1, f" one{number}")
        other.type(0, 0, f"other{number} ")
        other.type(2, -1, f"  # {number}")
        await asyncio.sleep(0.05)

    await until(
        lambda: (
            one.sources == other.sources
            and all(f"{who}{n}" in file.read_text() for who in ("one", "other") for n in range(10))
        )
    )
    assert "<<<<" not in file.read_text()
    await _rests(lambda: file.stat().st_mtime_ns)


@pytest.mark.parametrize("is_beside_its_text", [False, True])
@in_loop
async def test_outputs_of_another_server_come_without_a_change_of_the_text(
    tmp_path: Path, home: Path, is_beside_its_text: bool
) -> None:
    file = tmp_path / "a.py"
    file.write_text(PERCENT)
    here, there = Shared(tmp_path, home), Shared(tmp_path, home)
    one, other = await here.notebook("a.py"), await there.notebook("a.py")
    if is_beside_its_text:
        await here.text("a.py")
    one.type(0, -1, "0")
    await until(lambda: other.sources[0] == "x = 10")

    ran = {"output_type": "stream", "name": "stdout", "text": "10\n"}
    with other.document.ydoc.transaction():
        other.document.ycells[2]["outputs"].append(ran)
        other.document.ycells[2]["execution_count"] = 1.0

    await until(lambda: one.document.get()["cells"][2]["outputs"], lambda: one.document.get())
    assert one.document.get()["cells"][2] == other.document.get()["cells"][2]
    await _rests(lambda: [path.stat().st_mtime_ns for path in (tmp_path / ".slipway" / "outputs").rglob("*")])


@in_loop
async def test_the_notebook_and_the_text_of_one_file_show_each_others_typing(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text(PERCENT)
    # Nothing is saved: what the other shows has not come by way of the disk.
    shared = Shared(tmp_path, home, delay=None)
    notebook, words = await shared.notebook("a.py"), await shared.text("a.py")
    ids = notebook.ids

    notebook.type(0, -1, "0  # in the notebook")
    await until(lambda: "x = 10  # in the notebook" in words.text)
    words.write(-1, "\n# %%\nnew = 1\n")
    await until(lambda: notebook.sources[-1] == "new = 1")
    words.write(words.text.encode().index(b"print(x)"), "show = ")
    notebook.type(0, 0, "y = ")
    await until(lambda: notebook.sources[2] == "show = print(x)" and "y = x = 10" in words.text)

    assert notebook.ids[:3] == ids
    assert notebook.sources == ["y = x = 10  # in the notebook", "Title", "show = print(x)", "new = 1"]
    assert words.text == (
        "# %%\ny = x = 10  # in the notebook\n\n# %% [markdown]\n# Title\n\n# %%\nshow = print(x)\n\n# %%\nnew = 1\n"
    )
    assert file.read_text() == PERCENT


@in_loop
async def test_a_title_that_is_typed_in_the_text_stays(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("# %%\none\n\n# %% [markdown]\n# two\n")
    here = Shared(tmp_path, home)
    notebook, words = await here.notebook("a.py"), await here.text("a.py")

    words.write(words.text.index(" [markdown]"), " Title")
    await until(lambda: "# %% Title [markdown]\n" in file.read_text())
    await until(lambda: notebook.document.get()["cells"][1]["metadata"].get("title") == "Title")
    notebook.type(1, -1, " more")

    expected = "# %%\none\n\n# %% Title [markdown]\n# two more\n"
    await until(lambda: words.text == file.read_text() == expected, lambda: words.text)


@in_loop
async def test_a_text_that_cannot_be_read_just_now_holds_nobody_up(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "a.py"
    kernel = "# ---\n# jupyter:\n#   kernelspec:\n#     display_name: P\n#     language: python\n#     name: python3\n"
    kernel += "# ---\n\n"
    file.write_text(kernel + PERCENT)
    shared = Shared(tmp_path, home)
    notebook, words = await shared.notebook("a.py"), await shared.text("a.py")

    words.write(words.text.index("python3"), '"')
    await until(lambda: 'name: "python3\n' in file.read_text())
    notebook.type(0, -1, "0")
    await until(lambda: "x = 10" in words.text and "x = 10" in file.read_text())
    words.write(words.text.index("\nx = 10") + 1, "y = ")
    words.write(words.text.index("python3") + 7, '"')

    await until(lambda: notebook.sources == ["y = x = 10", "Title", "print(x)"], lambda: notebook.sources)
    assert words.text == kernel.replace("python3", '"python3"') + PERCENT.replace("x = 1", "y = x = 10")
    await until(lambda: file.read_text() == words.text, file.read_text)


@in_loop
async def test_what_a_kernel_said_of_its_language_stays_when_git_changes_the_text(tmp_path: Path, home: Path) -> None:
    (tmp_path / "work").mkdir()
    folder, file = Folder(tmp_path / "work"), tmp_path / "work" / "a.py"
    header = "# ---\n# jupyter:\n#   kernelspec:\n#     display_name: P\n#     language: python\n#     name: python3\n"
    header += "# ---\n\n"
    folder.commit("a.py", header + PERCENT.replace("x = 1", "x = 0"))
    folder.commit("a.py", header + PERCENT)
    page = await Shared(tmp_path / "work", home).notebook("a.py")
    page.document._ymeta["metadata"] = {
        "kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"},
        "jupytext": {"text_representation": {"format_name": "percent", "extension": ".py"}},
        "language_info": {"name": "python"},
    }
    page.type(0, -1, "0")
    await until(lambda: "x = 10" in file.read_text())

    folder.git("checkout", "-q", "HEAD~1", "--", "a.py")

    await until(lambda: page.sources[0] == "x = 0")
    assert page.document.get()["metadata"].get("language_info") == {"name": "python"}


@in_loop
async def test_what_is_typed_without_a_pause_is_on_disk_within_two_seconds(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text(PERCENT)
    page = await Shared(tmp_path, home, delay=1.0).notebook("a.py")
    loop = asyncio.get_running_loop()
    page.type(0, -1, "  # first")
    began = loop.time()

    while "first" not in file.read_text():
        page.type(0, -1, ".")
        await asyncio.sleep(0.05)
        assert loop.time() - began < 60


@in_loop
async def test_what_was_typed_and_taken_back_at_once_is_nothing_unsaved(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text(PERCENT)
    page = await Shared(tmp_path, home).notebook("a.py")

    page.type(0, -1, "0")
    del page.document.ycells[0]["source"][5:6]
    page.document.dirty = True

    await until(lambda: page.document.dirty is False)
    assert file.read_text() == PERCENT


@in_loop
async def test_what_was_typed_before_a_crash_is_there_again(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text(PERCENT)
    shared = Shared(tmp_path, home, delay=30.0)
    page = await shared.notebook("a.py")
    page.type(0, -1, "  # not saved")
    await until(lambda: is_kept(home, b"not saved"))
    await shared.end(crash=True)
    assert file.read_text() == PERCENT
    file.write_text(PERCENT.replace("print(x)", "print(x, y)"))

    again = await Shared(tmp_path, home).notebook("a.py")

    await until(lambda: "not saved" in file.read_text() and "print(x, y)" in file.read_text(), file.read_text)
    assert again.sources == ["x = 1  # not saved", "Title", "print(x, y)"]
    assert again.ids == page.ids


@in_loop
async def test_what_changed_while_nobody_had_it_open_is_what_is_opened(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text(PERCENT)
    shared = Shared(tmp_path, home)
    page = await shared.notebook("a.py")
    page.type(0, -1, "0")
    await until(lambda: "x = 10" in file.read_text())
    await shared.leave("a.py", "notebook")
    file.write_text(PERCENT.replace("print(x)", "print(x, y)"))

    assert (await shared.notebook("a.py")).sources == ["x = 1", "Title", "print(x, y)"]


@in_loop
async def test_what_was_run_while_nobody_had_it_open_is_shown(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "a.ipynb"
    file.write_text(ipynb("x = 1", "print(x)"))
    shared = Shared(tmp_path, home)
    page = await shared.notebook("a.ipynb")
    page.type(0, -1, "0")
    await until(lambda: "x = 10" in file.read_text())
    await shared.leave("a.ipynb", "notebook")
    run = json.loads(file.read_text())
    run["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["10\n"]}]
    file.write_text(json.dumps(run))

    again = await shared.notebook("a.ipynb")

    assert [one["text"] for one in again.document.get()["cells"][1]["outputs"]] == ["10\n"]


@in_loop
async def test_both_sides_of_a_conflict_are_kept_and_marked(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text(PERCENT)
    shared = Shared(tmp_path, home, poll=None, delay=None)
    page = await shared.notebook("a.py")
    cell = page.document.ycells[0]["source"]
    del cell[4:5]
    cell.insert(4, "7")

    file.write_text(PERCENT.replace("x = 1", "x = 8"))
    await page.room._save_to_disc()

    assert page.sources[0] == "<<<<<<< here\nx = 7\n=======\nx = 8\n>>>>>>> on disk"
    assert "# %%\n<<<<<<< here\nx = 7\n=======\nx = 8\n>>>>>>> on disk\n" in file.read_text()


@pytest.mark.parametrize("is_beside_its_text", [False, True])
@in_loop
async def test_outputs_of_a_cell_that_changed_on_disk_are_marked_as_old_until_that_is_taken_back(
    tmp_path: Path, home: Path, is_beside_its_text: bool
) -> None:
    file = tmp_path / "a.py"
    file.write_text(PERCENT)
    shared = Shared(tmp_path, home, poll=None, delay=None)
    page = await shared.notebook("a.py")
    if is_beside_its_text:
        await shared.text("a.py")
    page.document.ycells[2]["outputs"].append({"output_type": "stream", "name": "stdout", "text": "1\n"})
    page.document.ycells[2]["execution_count"] = 1.0
    await page.room._save_to_disc()

    said = []
    for text in (PERCENT.replace("print(x)", "print(x, 2)"), PERCENT):
        file.write_text(text)
        await page.room._save_to_disc()
        cell = page.document.get()["cells"][2]
        said.append((cell["source"], cell["outputs"][0]["text"], "stale" in cell["metadata"].get("slipway", {})))

    assert said == [("print(x, 2)", "1\n", True), ("print(x)", "1\n", False)]


@pytest.mark.parametrize("view", ["notebook", "text"])
@pytest.mark.parametrize("settled", ["x = 123", "x = 9", "x = 123\nx = 9", "x = 123  # not 9"])
@in_loop
async def test_a_conflict_that_is_settled_elsewhere_is_settled(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, settled: str, view: str
) -> None:
    monkeypatch.setattr(bases, "UNSEEN", 0.0)
    file = tmp_path / "a.py"
    file.write_text(PERCENT)
    shared = Shared(tmp_path, home, poll=None, delay=None)
    page = await (shared.notebook("a.py") if view == "notebook" else shared.text("a.py"))
    for before, typed in (("1", "12"), ("12", "123")):
        # What was on disk before the conflict is nearly what it is settled to.
        source = page.document.ycells[0]["source"] if view == "notebook" else page.document._ysource
        at = str(source).index("x = ") + 4
        del source[at : at + len(before)]
        source.insert(at, typed)
        if typed == "12":
            await page.room._save_to_disc()
    file.write_text(PERCENT.replace("x = 1", "x = 9"))
    await page.room._save_to_disc()
    assert "<<<<<<< here\nx = 123\n=======\nx = 9\n>>>>>>> on disk" in file.read_text()

    file.write_text(PERCENT.replace("x = 1", settled))
    await page.room._save_to_disc()

    assert file.read_text() == PERCENT.replace("x = 1", settled)


@pytest.mark.parametrize("is_beside_its_text", [False, True])
@in_loop
async def test_a_merge_in_conflict_is_taken_back_and_what_was_typed_since_stays(
    tmp_path: Path, home: Path, is_beside_its_text: bool
) -> None:
    file = tmp_path / "a.py"
    file.write_text(PERCENT)
    shared = Shared(tmp_path, home, delay=None)
    page = await shared.notebook("a.py")
    if is_beside_its_text:
        await shared.text("a.py")
    cell = page.document.ycells[0]["source"]
    del cell[4:5]
    cell.insert(4, "7")
    file.write_text(PERCENT.replace("x = 1", "x = 8").replace("Title", "Other title"))
    await until(lambda: "<<<<" in page.sources[0] and page.sources[1] == "Other title")
    page.type(2, -1, "  # since")

    assert await shared.files.undo_merge("a.py")

    await until(lambda: page.sources == ["x = 7", "Title", "print(x)  # since"], lambda: page.sources)
    assert not await shared.files.undo_merge("a.py"), "once"
    await page.room._save_to_disc()
    assert file.read_text() == PERCENT.replace("x = 1", "x = 7").replace("print(x)", "print(x)  # since")


@in_loop
async def test_in_a_folder_that_may_not_be_written_what_is_typed_stays_and_is_saved_once_it_may(
    tmp_path: Path, home: Path, monkeypatch
) -> None:
    monkeypatch.setattr(openfile, "AGAIN", 0.05)
    file = tmp_path / "a.py"
    file.write_text(PERCENT)
    shared = Shared(tmp_path, home)
    page = await shared.notebook("a.py")

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path))

    with monkeypatch.context() as disk:
        # Who runs the tests may be root, to whom every folder is open.
        disk.setattr(writing, "_beside", refused)
        page.type(0, -1, "  # typed")
        await until(lambda: any("may not be" in one.get("msg", "") for one in shared.events.said))
        file.write_text(PERCENT.replace("print(x)", "print(x, y)"))
        await until(lambda: page.sources == ["x = 1  # typed", "Title", "print(x, y)"], lambda: page.sources)
        assert "typed" not in file.read_text()

    await until(lambda: "typed" in file.read_text())


@pytest.mark.parametrize("name", ["a.py", "a.ipynb"])
@in_loop
async def test_a_word_on_its_way_into_a_cell_that_the_disk_removes_brings_it_back(
    tmp_path: Path, home: Path, name: str
) -> None:
    file = tmp_path / name
    file.write_text(ipynb("one = 1", "two = 2", "three = 3") if name == "a.ipynb" else f"{ONE}{TWO}{THREE}")
    shared = Shared(tmp_path, home)
    near, far = await shared.notebook(name), await shared.notebook(name, lag=None)

    file.write_text(_without(file, 1) if name == "a.ipynb" else f"{ONE}{THREE}")
    await until(lambda: near.sources == ["one = 1", "three = 3"])
    far.type(1, -1, "  # typed")
    far.type(1, 0, "so ")
    far.arrive()

    assert near.sources == ["one = 1", "<<<<<<< here\nso two = 2  # typed\n=======\n>>>>>>> on disk", "three = 3"]
    assert far.sources == near.sources
    assert any("it is kept" in one.get("msg", "") for one in shared.events.said)
    await until(lambda: "so two = 2  # typed" in file.read_text())


@in_loop
async def test_a_word_on_its_way_into_a_cell_that_moves_on_disk_goes_along(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "a.ipynb"
    file.write_text(ipynb("one = 1", "two = 2", "three = 3"))
    shared = Shared(tmp_path, home)
    near, far = await shared.notebook("a.ipynb"), await shared.notebook("a.ipynb", lag=None)
    moved = json.loads(file.read_text())
    moved["cells"].insert(0, moved["cells"].pop())

    file.write_text(json.dumps(moved))
    await until(lambda: near.sources == ["three = 3", "one = 1", "two = 2"])
    far.type(2, -1, "  # typed")
    far.arrive()

    assert near.sources == far.sources == ["three = 3  # typed", "one = 1", "two = 2"]
    assert not any("it is kept" in one.get("msg", "") for one in shared.events.said)


def _without(file: Path, cell: int) -> str:
    left = json.loads(file.read_text())
    del left["cells"][cell]
    return json.dumps(left)


@in_loop
async def test_an_editor_that_had_not_seen_the_last_save_takes_nothing_away(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.py"
    file.write_text(PERCENT)
    page = await Shared(tmp_path, home).notebook("a.py")
    page.type(0, -1, "  # typed meanwhile")
    await until(lambda: "meanwhile" in file.read_text())

    file.write_text(PERCENT + "\n# %%\nold_editor = 1\n")

    await until(lambda: "old_editor" in page.sources[-1])
    await until(lambda: "meanwhile" in file.read_text() and "old_editor" in file.read_text(), file.read_text)
    monkeypatch.setattr(bases, "UNSEEN", 0.0)
    file.write_text(PERCENT)
    await until(lambda: page.sources == ["x = 1", "Title", "print(x)"], lambda: page.sources)


@in_loop
async def test_who_takes_words_away_in_an_editor_can_put_them_back_a_little_different(
    tmp_path: Path, home: Path
) -> None:
    file = tmp_path / "a.py"
    whole = PERCENT + "\n# %%\nlong = 1\nlonger = 2\n"
    file.write_text(whole)
    shared = Shared(tmp_path, home, poll=None, delay=None)
    page = await shared.notebook("a.py")
    file.write_text(PERCENT)
    await page.room._save_to_disc()

    file.write_text(whole.replace("Title", "Heading"))
    await page.room._save_to_disc()

    assert file.read_text() == whole.replace("Title", "Heading")
    assert page.sources == ["x = 1", "Heading", "print(x)", "long = 1\nlonger = 2"]


@in_loop
async def test_an_editor_that_read_what_was_taken_back_at_once_takes_nothing_away(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.py"
    file.write_text(PERCENT)
    shared = Shared(tmp_path, home, poll=None, delay=None)
    page = await shared.notebook("a.py")
    page.type(0, -1, "  # and a good deal more was typed meanwhile")
    exchange, read = writing._exchange, []

    def late(one: Path, other: Path) -> bool:
        if read or other != file:
            return exchange(one, other)
        (tmp_path / "beside").write_text(PERCENT.replace("print(x)", "print(x, word)"))
        (tmp_path / "beside").replace(file)
        done = exchange(one, other)
        read.append(file.read_text())
        return done

    monkeypatch.setattr(writing, "_exchange", late)
    await page.room._save_to_disc()
    file.write_text(read[0] + "\n# %%\nnew = 1\n")
    await page.room._save_to_disc()

    assert [one in file.read_text() for one in ("meanwhile", "print(x, word)", "new = 1")] == [True] * 3


def test_who_knows_nothing_of_what_was_new_in_a_state_has_not_begun_with_it(tmp_path: Path) -> None:
    bases = Bases(tmp_path / "kept.json")
    two = "two = 2\nthree = 3 + 4 - 5\n"
    for state in (f"{two}a b c d e f g h i j k l m\n", "one\n", f"{two}one here are words\n"):
        bases.add(state)

    # Another server, which still had what one of ours has put back as well, saved over it.
    assert bases.of(f"{two}one other\n", lambda: False) == "one\n"
    assert bases.of(f"{two}one there are words\n", lambda: False) == f"{two}one here are words\n"


def test_who_knows_nothing_of_what_has_gone_again_may_have_begun_without_it(tmp_path: Path) -> None:
    bases = Bases(tmp_path / "kept.json")
    for state in ("one two\n", "one two a b c d\n", "one\n", "one a b c d e f\n"):
        bases.add(state)

    assert bases.of("one three\n", lambda: False) == "one\n"


def test_an_editor_that_adds_a_cell_to_what_it_had_read_takes_no_cell_away(tmp_path: Path) -> None:
    """That both are cells says nothing of what it had read."""
    bases = Bases(tmp_path / "kept.json")
    read = "# %%\none\n"
    bases.add(read)
    bases.add(f"{read} typed\n# %%\nhere\n")

    assert bases.of(f"{read}# %%\nthere\n", lambda: False) == read


async def _rests(look: Callable[[], object]) -> None:
    """Two servers do not answer each other for ever."""
    for _ in range(120):
        before = look()
        await asyncio.sleep(0.5)
        if look() == before:
            return
    raise AssertionError("It is written without an end.")


@in_loop
async def test_two_servers_that_never_come_to_agree_on_outputs_rest(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.py").write_text(PERCENT)
    pages = [await Shared(tmp_path, home, delay=0.02).notebook("a.py") for _ in range(2)]
    write, written = disk.Disk.write, []

    async def counted(*given: Any) -> disk.Written:
        written.append(given)
        return await write(*given)

    monkeypatch.setattr(disk.Disk, "write", counted)
    monkeypatch.setattr(views.NotebookView, "merge", lambda *_: 0)
    for place, page in enumerate(pages):
        page.document.ycells[place * 2]["outputs"].append({"output_type": "stream", "name": "stdout", "text": "ran"})

    await until(lambda: len(written) >= 2)
    await _rests(lambda: len(written))


@in_loop
async def test_what_cannot_be_read_replaces_nothing_and_is_not_saved_over(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text(PERCENT)
    shared = Shared(tmp_path, home)
    page = await shared.notebook("a.py")
    broken = b"# %%\nx = '\xff'\n"

    file.write_bytes(broken)
    await until(lambda: any("line 2" in one.get("msg", "") for one in shared.events.said))
    page.type(0, -1, "  # typed")
    await page.room._save_to_disc()
    assert file.read_bytes() == broken
    file.write_text(PERCENT.replace("print(x)", "print(x, y)"))

    await until(lambda: "typed" in file.read_text() and "print(x, y)" in file.read_text(), file.read_bytes)
    assert page.sources == ["x = 1  # typed", "Title", "print(x, y)"]


@pytest.mark.parametrize("id_is_kept", [True, False], ids=["by another program", "in JupyterLab"])
@in_loop
async def test_a_file_that_was_deleted_comes_back_with_the_next_word(
    tmp_path: Path, home: Path, id_is_kept: bool
) -> None:
    file = tmp_path / "a.py"
    file.write_text(PERCENT)
    shared = Shared(tmp_path, home)
    page = await shared.notebook("a.py")

    file.unlink()
    if not id_is_kept:
        shared.ids.places["a.py"] = ""
    await until(lambda: any("deleted" in one.get("msg", "") for one in shared.events.said))
    assert not file.exists()
    # As jupyter-collaboration does every second: it logs what is raised, or looks no more.
    await shared._loaders["a.py"].maybe_notify()
    page.type(0, -1, "  # typed")

    await until(lambda: file.exists() and "typed" in file.read_text())
    assert page.sources == ["x = 1  # typed", "Title", "print(x)"]


@pytest.mark.parametrize("type", ["notebook", "file"])
@pytest.mark.parametrize("is_left", [False, True])
@in_loop
async def test_what_was_typed_right_before_it_was_deleted_is_there_when_the_file_comes_back(
    tmp_path: Path, home: Path, type: str, is_left: bool
) -> None:
    """As when another branch is checked out, which does not have it, and then the first again."""
    (file := tmp_path / "a.py").write_text(PERCENT)
    shared = Shared(tmp_path, home, poll=None)
    page = await (shared.notebook("a.py") if type == "notebook" else shared.text("a.py"))
    said = page.document.ycells[0]["source"] if type == "notebook" else page.document._ysource
    said.insert(len("# %%\nx = 1") if type == "file" else len("x = 1"), " + typed")
    file.unlink()
    await page.room._save_to_disc()
    assert not file.exists()
    await until(lambda: is_kept(home, b"typed"))

    if is_left:
        await shared.leave("a.py", type)
        assert not file.exists()
    file.write_text(PERCENT)
    if is_left:
        page = await (shared.notebook("a.py") if type == "notebook" else shared.text("a.py"))
    await page.room._save_to_disc()

    assert file.read_text() == PERCENT.replace("x = 1", "x = 1 + typed")


@in_loop
async def test_one_that_was_deleted_in_the_moment_of_its_save_comes_back_with_the_next_word(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.py"
    file.write_text(PERCENT)
    shared = Shared(tmp_path, home)
    page = await shared.notebook("a.py")
    save = shared.manager.save

    async def and_deleted(*given: Any) -> Any:
        monkeypatch.undo()
        told = await save(*given)
        file.unlink()
        return told

    monkeypatch.setattr(shared.manager, "save", and_deleted)
    page.type(0, -1, "  # saved")
    await until(lambda: any("deleted" in one.get("msg", "") for one in shared.events.said))
    page.type(0, -1, " and typed")

    await until(lambda: file.exists() and "saved and typed" in file.read_text())
    deleted = [one for one in shared.events.said if "deleted" in one.get("msg", "")]
    assert len(deleted) == 1


@in_loop
async def test_a_file_that_was_renamed_is_followed(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text(PERCENT)
    shared = Shared(tmp_path, home)
    page = await shared.notebook("a.py")
    page.type(0, -1, "  # before")
    await until(lambda: "before" in file.read_text())

    await shared.manager.rename("a.py", "b.py")
    shared.ids.places["a.py"] = "b.py"
    page.type(0, -1, " and after")

    await until(lambda: "before and after" in (tmp_path / "b.py").read_text())
    assert not file.exists()


@in_loop
async def test_a_text_that_was_given_another_suffix_keeps_what_is_typed(tmp_path: Path, home: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n")
    shared = Shared(tmp_path, home, poll=None, delay=None)
    page = await shared.text("a.txt")
    page.write(0, "typed ")

    await shared.manager.rename("a.txt", "a.md")
    shared.ids.places["a.txt"] = "a.md"
    await page.room._save_to_disc()

    assert page.text == (tmp_path / "a.md").read_text() == "typed one\n"
    assert not list(tmp_path.glob("*.typed*"))


@in_loop
async def test_one_that_is_converted_goes_on_as_the_other_kind(tmp_path: Path, home: Path) -> None:
    (tmp_path / "a.ipynb").write_text(ipynb("x = 1", "<<<<<<< HEAD\ny = 2\n=======\ny = 3\n>>>>>>> other\n"))
    shared = Shared(tmp_path, home)
    page = await shared.notebook("a.ipynb")
    notebooks = Notebooks(tmp_path, home, Events(), shared.files)
    page.type(0, -1, "  # before")

    converting = asyncio.ensure_future(notebooks.convert_notebook(Asker("ada"), ConvertRequest("a.ipynb")))
    for word in range(20):
        page.type(0, -1, f" w{word}")
        await asyncio.sleep(0.02)
    await converting

    await until(lambda: "w19" in (tmp_path / "a.py").read_text())
    assert page.sources[0] == "x = 1  # before " + " ".join(f"w{word}" for word in range(20))
    assert not (tmp_path / "a.ipynb").exists()
    assert not [one for one in shared.events.said if "deleted" in one.get("msg", "")]
    await notebooks.convert_notebook(Asker("ada"), ConvertRequest("a.py", "ipynb"))
    page.type(0, -1, " again")
    await until(lambda: "w19 again" in (tmp_path / "a.ipynb").read_text())
    assert not (tmp_path / "a.py").exists()


@pytest.mark.parametrize("by", ["this server", "another", "another with the same list of ids"])
@in_loop
async def test_what_is_typed_in_the_text_of_one_that_is_converted_goes_along(
    tmp_path: Path, home: Path, by: str
) -> None:
    (tmp_path / "a.py").write_text(PERCENT)
    shared, other = Shared(tmp_path, home), Shared(tmp_path, home)
    if "ids" in by:
        other.ids = shared.ids
    await other.notebook("a.py")
    page, words = await shared.notebook("a.py"), await shared.text("a.py")
    words.write(words.text.index("x = 1") + 5, "0")
    notebooks = Notebooks(tmp_path, home, Events(), shared.files if by == "this server" else other.files)

    await notebooks.convert_notebook(Asker("ada"), ConvertRequest("a.py", "ipynb"))
    await until(lambda: words.text.startswith("{"))
    page.type(0, -1, "  # typed")

    await until(lambda: "x = 10  # typed" in words.text, lambda: words.text)
    assert page.sources == ["x = 10  # typed", "Title", "print(x)"]
    assert words.text == (tmp_path / "a.ipynb").read_text()
    await notebooks.convert_notebook(Asker("ada"), ConvertRequest("a.ipynb"))
    await until(lambda: words.text == PERCENT.replace("x = 1", "x = 10  # typed"), lambda: words.text)
    words.write(words.text.index("print(x)") + 8, "  # again")
    await until(lambda: page.sources[2] == "print(x)  # again", lambda: page.sources)
    await until(lambda: (tmp_path / "a.py").read_text() == words.text)


@in_loop
async def test_the_text_of_an_ipynb_has_what_is_typed_in_its_notebook_without_a_conflict(
    tmp_path: Path, home: Path
) -> None:
    file = tmp_path / "a.ipynb"
    file.write_text(ipynb("x = 1"))
    shared = Shared(tmp_path, home)
    page, words = await shared.notebook("a.ipynb"), await shared.text("a.ipynb")

    # It is saved in the middle of a word: then the version without the word is closer to the next one.
    for typed in ("  # one", " w", "ord a", "nother an", "d more"):
        page.type(0, -1, typed)
        await until(lambda: page.sources[0] in file.read_text(), file.read_text)
        await until(lambda: words.text == file.read_text(), lambda: words.text)

    assert json.loads(words.text)["cells"][0]["source"] == ["x = 1  # one word another and more"]


@in_loop
async def test_what_nobody_else_was_told_of_when_a_text_is_converted_is_kept_beside_it(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.py").write_text(PERCENT)
    shared = Shared(tmp_path, home)
    words = await shared.text("a.py")

    async with shared.files.moving("a.py") as follow:
        words.write(words.text.index("x = 1") + 5, "0")
        (tmp_path / "a.ipynb").write_text(made := ipynb("x = 1"))
        (tmp_path / "a.py").unlink()
        follow("a.ipynb")
    # What a page had sent before it heard of that arrives, some of it while the disk is looked at.
    words.write(0, "late")
    look = disk.Disk.state
    more = iter(["more"])

    async def state(one: disk.Disk) -> Any:
        words.write(0, next(more, ""))
        return await look(one)

    monkeypatch.setattr(disk.Disk, "state", state)

    def aside() -> list[str]:
        return sorted(one.read_text() for one in tmp_path.glob("a.typed[2-9].py"))

    await until(lambda: aside() == ["late", "more"], aside)
    assert (tmp_path / "a.typed.py").read_text() == PERCENT.replace("x = 1", "x = 10")
    assert any("is in a.typed.py" in one.get("msg", "") for one in shared.events.said)
    assert words.text == (tmp_path / "a.ipynb").read_text() == made


@pytest.mark.parametrize(("old", "new", "form"), [("a.ipynb", "a.py", "percent"), ("a.py", "a.ipynb", "ipynb")])
@in_loop
async def test_one_that_is_converted_on_another_server_goes_on_as_the_other_kind(
    tmp_path: Path, home: Path, old: str, new: str, form: str
) -> None:
    (tmp_path / old).write_text(ipynb("x = 1", "y = 2") if old == "a.ipynb" else f"{ONE}{TWO}")
    here, there = Shared(tmp_path, home), Shared(tmp_path, home)
    page, far = await here.notebook(old), await there.notebook(old)
    notebooks = Notebooks(tmp_path, home, Events(), here.files)

    converting = asyncio.ensure_future(notebooks.convert_notebook(Asker("ada"), ConvertRequest(old, form)))
    for word in range(30):
        far.type(0, -1, f" w{word}")
        page.type(1, -1, f" p{word}")
        await asyncio.sleep(0.02)
    await converting

    said = ["".join(f" {who}{word}" for word in range(30)) for who in "wp"]
    await until(lambda: all(one in (tmp_path / new).read_text() for one in said), (tmp_path / new).read_text)
    await until(lambda: page.sources == far.sources and page.sources[0].endswith(said[0]), lambda: far.sources)
    assert not (tmp_path / old).exists()
    assert not [one for one in there.events.said if "deleted" in one.get("msg", "")]


@in_loop
async def test_a_file_that_was_made_anew_after_its_conversion_and_deleted_is_deleted(
    tmp_path: Path, home: Path
) -> None:
    (tmp_path / "a.ipynb").write_text(ipynb("x = 1"))
    await Notebooks(tmp_path, home, Events()).convert_notebook(Asker("ada"), ConvertRequest("a.ipynb"))
    (tmp_path / "a.ipynb").write_text(ipynb("z = 3"))
    shared = Shared(tmp_path, home)
    page = await shared.notebook("a.ipynb")

    (tmp_path / "a.ipynb").unlink()

    await until(lambda: any("deleted" in one.get("msg", "") for one in shared.events.said))
    assert (page.sources, (tmp_path / "a.py").read_text().count("x = 1")) == (["z = 3"], 1)


@in_loop
async def test_what_cannot_be_saved_is_kept_and_saved_once_it_can_be(tmp_path: Path, home: Path, monkeypatch) -> None:
    monkeypatch.setattr(openfile, "AGAIN", 0.05)
    file = tmp_path / "a.py"
    file.write_text(PERCENT)
    shared = Shared(tmp_path, home)
    page = await shared.notebook("a.py")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(writing.os, "replace", full)
        page.type(0, -1, "  # typed")
        await until(lambda: any("disk is full" in one.get("msg", "") for one in shared.events.said))
        assert file.read_text() == PERCENT

    await until(lambda: "typed" in file.read_text())


@in_loop
async def test_marks_of_a_git_merge_are_merged_like_any_change(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text(PERCENT)
    page = await Shared(tmp_path, home).notebook("a.py")
    page.type(2, -1, "  # typed")

    file.write_text(PERCENT.replace("x = 1\n", "<<<<<<< HEAD\nx = 1\n=======\nx = 2\n>>>>>>> other\n"))

    await until(lambda: page.sources[0] == "<<<<<<< HEAD\nx = 1\n=======\nx = 2\n>>>>>>> other", lambda: page.sources)
    await until(lambda: "typed" in file.read_text())
    assert page.sources[2] == "print(x)  # typed"


@in_loop
async def test_a_checkout_is_taken_as_it_is_though_it_takes_something_away(tmp_path: Path, home: Path) -> None:
    def git(*said: str) -> None:
        who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
        subprocess.run(["git", "-C", tmp_path, *who, *said], check=True, capture_output=True)

    file = tmp_path / "a.py"
    file.write_text(PERCENT.replace("x = 1", "x = 1\nother = 'branch'"))
    git("init", "-q")
    git("add", "a.py")
    git("commit", "-qm", "one")
    git("branch", "other")
    page = await Shared(tmp_path, home).notebook("a.py")
    page.type(0, -1, "\nmore = 'of this branch'")
    await until(lambda: "of this branch" in file.read_text())
    page.type(2, -1, "\nand = 'more'")
    await until(lambda: "and =" in file.read_text())
    git("commit", "-qam", "two")

    git("checkout", "-q", "other")

    await until(lambda: page.sources == ["x = 1\nother = 'branch'", "Title", "print(x)"], lambda: page.sources)
    assert "of this branch" not in file.read_text()


def test_an_unknown_jupyter_collaboration_is_left_alone(home: Path, monkeypatch, caplog) -> None:
    monkeypatch.setattr(room, "KNOWN", ("99.",))
    before = rooms.DocumentRoom

    assert room.install(lambda: None, home, logging.getLogger("rooms")) is None

    assert rooms.DocumentRoom is before
    assert "is not known" in caplog.text


@in_loop
async def test_a_tool_that_writes_what_it_had_read_right_before_a_save_takes_nothing_away_unless_it_does_so_again(
    tmp_path: Path, home: Path
) -> None:
    file = tmp_path / "a.py"
    file.write_text(PERCENT)
    page = await Shared(tmp_path, home, poll=None, delay=None).notebook("a.py")
    page.type(0, -1, "  # typed")
    await page.room._save_to_disc()

    file.write_text(PERCENT)
    await page.room._save_to_disc()

    assert "# typed" in file.read_text()
    assert page.sources[0] == "x = 1  # typed"

    file.write_text(PERCENT)
    await page.room._save_to_disc()

    assert file.read_text() == PERCENT
    assert page.sources[0] == "x = 1"


@in_loop
async def test_an_editor_that_had_not_seen_a_conflict_yet_settles_nothing(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text(PERCENT + "\n# %%\ngone = 1\n")
    shared = Shared(tmp_path, home, poll=None, delay=None)
    page = await shared.notebook("a.py")
    page.type(3, -1, "  # typed")
    file.write_text(PERCENT)
    await page.room._save_to_disc()
    assert "# typed" in file.read_text()

    file.write_text(PERCENT.replace("print(x)", "print(x)  # old editor"))
    await page.room._save_to_disc()

    assert "# typed" in file.read_text()
    assert "# old editor" in file.read_text()
