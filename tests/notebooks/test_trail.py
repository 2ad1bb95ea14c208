"""Two servers on one folder: each tells what it put there, so that none has to guess with what a change began."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from jupyter_slipway.notebooks import layout
from jupyter_slipway.notebooks.sightings import state_of
from jupyter_slipway.notebooks.trail import Step, Trail
from tests.notebooks.builders import PERCENT
from tests.notebooks.rooms import Page, Shared, in_loop, ipynb

TEXTS = {"a.py": PERCENT, "a.ipynb": ipynb("x = 1", "y = 2", "print(x)")}


async def _pair(folder: Path, home: Path, name: str, *, is_kept: bool = True) -> list[Page]:
    """The notebook as two servers have it open, which look at the disk and save only when they are told to."""
    (folder / name).write_text(TEXTS[name])
    if is_kept:
        layout.prepare(folder / layout.FOLDER)
    servers = [Shared(folder, home, poll=None, delay=None) for _ in range(2)]
    return [await one.notebook(name) for one in servers]


@pytest.mark.parametrize("is_kept", [True, False])
@pytest.mark.parametrize("name", TEXTS)
@in_loop
async def test_an_editor_that_read_what_only_another_server_saw_takes_nothing_away(
    tmp_path: Path, home: Path, name: str, is_kept: bool
) -> None:
    file = tmp_path / name
    here, there = await _pair(tmp_path, home, name, is_kept=is_kept)
    there.type(0, -1, "  # so many words that nobody here has read")
    await there.room._save_to_disc()
    read = file.read_text()
    there.type(0, -1, " later")
    await there.room._save_to_disc()
    await here.room._save_to_disc()

    file.write_text(read.replace("print(x)", "print(x, outside)"))
    await here.room._save_to_disc()
    await there.room._save_to_disc()

    assert (tmp_path / layout.FOLDER).exists() == (is_kept or name == "a.py")
    for said in (file.read_text(), *map(str, (here.sources, there.sources))):
        assert all(said.count(word) == 1 for word in ("read later", "print(x, outside)")), said


@in_loop
async def test_what_is_taken_away_on_another_server_is_gone_at_once(tmp_path: Path, home: Path) -> None:
    """Though the file is then what it was a moment before: that server had seen what was new."""
    file = tmp_path / "a.py"
    here, there = await _pair(tmp_path, home, "a.py")
    here.type(0, -1, "  # typed")
    await here.room._save_to_disc()
    await there.room._save_to_disc()
    source = there.document.ycells[0]["source"]
    del source[len("x = 1") :]

    await there.room._save_to_disc()
    await here.room._save_to_disc()

    assert file.read_text() == PERCENT
    assert here.sources == there.sources == ["x = 1", "Title", "print(x)"]


@in_loop
async def test_what_a_server_makes_of_an_editors_text_is_no_reason_to_drop_what_it_had_not_seen(
    tmp_path: Path, home: Path
) -> None:
    file = tmp_path / "a.py"
    here, there = await _pair(tmp_path, home, "a.py")
    here.type(0, -1, "  # here")
    await here.room._save_to_disc()

    # It puts its own over what was saved here, and the other server goes on from there.
    file.write_text(PERCENT.replace("Title", "Heading"))
    there.type(2, -1, "  # there")
    await there.room._save_to_disc()
    await here.room._save_to_disc()
    await there.room._save_to_disc()

    assert here.sources == there.sources == ["x = 1  # here", "Heading", "print(x)  # there"]


def _trail(folder: Path) -> Trail:
    return Trail(folder, folder.parents[2] / "aside" / "trail")


def test_each_server_has_its_own_notion_of_what_an_editor_had_read(tmp_path: Path) -> None:
    old, new, outside, merged = (time.time_ns(), 1, 1), (2, 2, 2), (3, 3, 3), (4, 4, 4)
    layout.prepare(tmp_path)
    folder = layout.recent_path(tmp_path, "a.py")
    here, there = _trail(folder), _trail(folder)
    here.leave(Step(new, old, "text"))
    here.leave(Step(outside, new))
    there.leave(Step(outside, old))
    there.leave(Step(merged, outside, "merged"))

    steps = here.read()

    assert steps.known_to_writer(merged) == [outside, old]
    assert steps.known_to_writer(new) == [old]
    assert steps.known_to_writer(outside) == steps.known_to_writer(old) == []
    assert steps.known_here(outside) == [new, old]
    assert there.read().known_here(outside) == [old]


def test_a_trail_is_short_and_goes_with_its_server(tmp_path: Path) -> None:
    folder = layout.recent_path(tmp_path / "store", "a.py")
    trail = _trail(folder)
    layout.prepare(tmp_path / "store")
    for number in range(100):
        trail.leave(Step((number, 1, 1), None, "text"))
    kept = [state[0] for state in trail.read().written]
    assert max(kept) == 99
    assert len(kept) <= 32

    (folder / "0-0-0.x.json").write_text("{")
    (folder / "0-0-1.x.json").symlink_to("/dev/zero")
    assert sorted(state[0] for state in trail.read().written) == sorted(kept)
    trail.end()
    assert not trail.read().written


@pytest.mark.parametrize("name", ["recent", "recent/trail"])
def test_nothing_is_left_or_removed_behind_a_link(tmp_path: Path, name: str) -> None:
    """A repository that is cloned may hold anything."""
    store, elsewhere = tmp_path / "store", tmp_path / "elsewhere"
    layout.prepare(store)
    folder = layout.recent_path(store, "a.py")
    link = folder if name == "recent/trail" else folder.parent
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(elsewhere)
    elsewhere.mkdir()
    (elsewhere / "mine.json").write_text("{}")
    os.utime(elsewhere / "mine.json", (0, 0))
    _trail(folder).leave(Step((1, 1, 1), None, "text"))
    _trail(layout.recent_path(store, "b.py")).leave(Step((1, 1, 1), None, "text"))

    assert sorted(path.name for path in elsewhere.iterdir()) == ["mine.json"]


def test_what_a_killed_server_left_goes_with_the_first_step_of_another(tmp_path: Path) -> None:
    layout.prepare(tmp_path)
    killed, here = (_trail(layout.recent_path(tmp_path, name)) for name in ("a.py", "b.py"))
    for number in (1, 2):
        killed.leave(Step((number, 1, 1), None, "text"))
    os.utime(min(killed.folder.iterdir()), (0, 0))

    here.leave(Step((3, 1, 1), None, "text"))

    assert list(killed.read().written) == [(2, 1, 1)]


@pytest.mark.parametrize("said", ["{}", "[1]", '{"cells": [{"cell_type": 1}], "metadata": {}}', "[" * 10**5, "{"])
@in_loop
async def test_a_step_that_somebody_made_up_is_passed_over(tmp_path: Path, home: Path, said: str) -> None:
    file = tmp_path / "a.ipynb"
    here, there = await _pair(tmp_path, home, "a.ipynb")
    there.type(0, -1, "  # later")
    await there.room._save_to_disc()
    await here.room._save_to_disc()
    seen = state_of(file)
    assert seen
    made_up = Step((seen[0] + 1, 1, 1), seen, said, is_json=True)
    _trail(layout.recent_path(tmp_path / layout.FOLDER, "a.ipynb")).leave(made_up)

    file.write_text(ipynb("x = 1", "y = 2", "print(x)", "z = 3"))
    await here.room._save_to_disc()

    assert here.sources[-1] == "z = 3"
