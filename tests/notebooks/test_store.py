"""What is kept beside texts: found again, signed, thrown away when nothing needs it, whole."""

from __future__ import annotations

import os
import stat
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import nbformat
import pytest
from tornado.web import HTTPError

from jupyter_slipway.notebooks import layout, upkeep
from jupyter_slipway.notebooks.documents import Documents
from jupyter_slipway.notebooks.manifests import seal
from jupyter_slipway.notebooks.store import RING, Store
from tests.notebooks.builders import PERCENT, Server, image, shown

NONE = timedelta(0)


@pytest.fixture
def store(tmp_path: Path, home: Path) -> Store:
    return Documents(tmp_path, home).store(tmp_path / "a.py")[0]


def saved(server: Server, *, edits: int) -> None:
    """Save that many versions of a.py, each with an image of its own."""
    (server.root / "a.py").write_text(PERCENT)
    opened = server.open("a.py")
    for number in range(edits):
        opened.cells[0].source = f"x = {number}"
        opened.cells[0].outputs = [nbformat.from_dict(image(5000, seed=number))]
        server.save("a.py", opened)


def test_a_repository_keeps_all_outputs_at_its_top(tmp_path: Path) -> None:
    (tmp_path / "repo" / ".git").mkdir(parents=True)

    assert layout.store_of(tmp_path / "repo/deep/a.py", tmp_path) == tmp_path / "repo/.slipway"
    assert layout.store_of(tmp_path / "repo/deep/a.py", tmp_path / "repo/deep") == tmp_path / "repo/.slipway"
    assert layout.store_of(tmp_path / "else/a.py", tmp_path) == tmp_path / ".slipway"


def test_a_text_is_known_by_gits_own_id(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(PERCENT)
    said = subprocess.run(["git", "hash-object", tmp_path / "a.py"], capture_output=True, text=True, check=True)

    assert layout.text_id(PERCENT.encode()) == said.stdout.strip()


def test_the_key_lies_in_slipways_home_for_its_owner_only(server: Server, home: Path) -> None:
    saved(server, edits=1)

    assert stat.S_IMODE((home / "outputs.key").stat().st_mode) == 0o600
    assert len((home / "outputs.key").read_bytes()) == 32
    assert not list(server.root.rglob("outputs.key"))


def test_outputs_of_another_machine_are_shown_and_not_trusted(server: Server, store: Store, home: Path) -> None:
    saved(server, edits=1)
    (home / "outputs.key").write_bytes(os.urandom(32))

    opened = Server(server.root, home).open("a.py")

    assert opened.cells[0].outputs[0].data["image/png"] == image(5000)["data"]["image/png"]
    assert [cell.metadata.trusted for cell in opened.cells if cell.cell_type == "code"] == [False, False]


def test_a_record_put_under_another_text_is_not_trusted(server: Server, store: Store) -> None:
    saved(server, edits=1)
    other = PERCENT.replace("Title", "Other").replace("x = 1", "x = 0").encode()
    mine = layout.manifest_path(store.folder, layout.text_id((server.root / "a.py").read_bytes()))
    theirs = layout.manifest_path(store.folder, layout.text_id(other))
    theirs.parent.mkdir(exist_ok=True)
    theirs.write_bytes(mine.read_bytes())

    found = store.load(layout.text_id(other))

    assert found is not None
    assert not found.ours


@pytest.mark.parametrize("broken", [b"", b"slipway-outputs 1 00\n", b"\0" * 500, b"slipway-outputs 1 aa\nnot zlib"])
def test_a_broken_record_never_blocks(server: Server, store: Store, broken: bytes) -> None:
    saved(server, edits=1)
    id = layout.text_id((server.root / "a.py").read_bytes())
    layout.manifest_path(store.folder, id).write_bytes(broken)

    assert [cell.source for cell in server.open("a.py").cells] == ["x = 0", "# Title".strip("# "), "print(x)"]


@pytest.mark.parametrize(
    "change",
    [
        {"made": ["of one of three"]},
        {"cells": [{}, {}, {}]},
        {"cells": [{"id": "a", "cell_type": "code", "source": "x = 0", "metadata": {}}]},
        {"cells": [{"id": "a", "cell_type": "raw", "source": "x", "metadata": {"slipway": 1}}]},
    ],
)
def test_a_record_of_somebody_that_says_anything_never_blocks(server: Server, store: Store, change: Any) -> None:
    saved(server, edits=1)
    id = layout.text_id((server.root / "a.py").read_bytes())
    kept = store.load(id)
    assert kept is not None
    theirs = seal(msgspec.structs.replace(kept.record, **change), id, b"their key")
    layout.manifest_path(store.folder, id).write_bytes(theirs)

    assert [cell.source for cell in server.open("a.py").cells] == ["x = 0", "Title", "print(x)"]


def test_a_missing_output_is_said_and_comes_back_with_its_bytes(server: Server, store: Store, home: Path) -> None:
    saved(server, edits=1)
    ((_, path),) = store.blobs.all()
    content = path.read_bytes()
    path.unlink()

    opened = Server(server.root, home).open("a.py")

    assert "not on this machine" in opened.cells[0].outputs[0].data["text/plain"]
    Server(server.root, home).save("a.py", opened)
    path.write_bytes(content)
    assert "image/png" in Server(server.root, home).open("a.py").cells[0].outputs[0].data


def test_changed_bytes_are_not_shown(server: Server, store: Store, home: Path) -> None:
    saved(server, edits=1)
    ((_, path),) = store.blobs.all()
    path.write_bytes(b"x" * 5000)

    assert "not on this machine" in shown(Server(server.root, home).open("a.py"))[0]


def test_the_last_versions_of_a_path_are_remembered(server: Server, store: Store) -> None:
    saved(server, edits=70)

    versions = store.head("a.py").versions

    assert len(versions) == RING
    loaded = store.load(versions[-1].id)
    assert loaded is not None
    assert loaded.record.cells[0]["source"] == "x = 69"


def test_versions_are_found_after_a_note_that_was_cut_short(server: Server, store: Store) -> None:
    saved(server, edits=3)
    before = store.head("a.py").versions
    with layout.head_path(store.folder, "a.py").open("ab") as stored:
        stored.write(b'\n{"id":"' + b"\0" * 20)

    store.note("a.py", "f" * 40)

    assert store.head("a.py").versions[:-1] == before
    assert store.head("a.py").versions[-1].id == "f" * 40


def test_nothing_is_noted_through_a_link(server: Server, store: Store, tmp_path: Path) -> None:
    saved(server, edits=3)
    listed = layout.head_path(store.folder, "a.py")
    elsewhere = listed.rename(tmp_path / "elsewhere.json")
    listed.symlink_to(elsewhere)
    before = elsewhere.read_bytes()

    store.note("a.py", "f" * 40)

    assert elsewhere.read_bytes() == before
    assert store.head("a.py").versions[-1].id == "f" * 40


def test_a_list_of_versions_that_was_noted_in_parts_goes_where_its_path_goes(server: Server, store: Store) -> None:
    saved(server, edits=3)
    versions = store.head("a.py").versions

    store.rename("a.py", "b.py")

    assert store.head("b.py").versions == versions
    assert [head.path for head in store.heads()] == ["b.py"]


def test_making_room_keeps_the_last_twenty_versions(server: Server, store: Store) -> None:
    saved(server, edits=30)

    freed = upkeep.collect(store, grace=NONE)

    assert (freed.versions, freed.blobs, freed.kept_versions) == (10, 10, 20)
    assert freed.size > 10 * 5000
    assert len(list(store.blobs.all())) == 20
    assert "image/png" in server.open("a.py").cells[0].outputs[0].data


def test_what_is_young_is_kept(server: Server, store: Store) -> None:
    saved(server, edits=30)

    assert upkeep.collect(store).versions == 0


def test_a_look_before_making_room_takes_nothing(server: Server, store: Store) -> None:
    saved(server, edits=30)

    assert upkeep.collect(store, grace=NONE, dry_run=True).versions == 10
    assert len(list(store.blobs.all())) == 30


def test_making_room_keeps_what_commits_need(server: Server, home: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=ada", "-c", "user.email=ada@example.org")
        subprocess.run(["git", "-C", server.root, *identity, *arguments], check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    saved(server, edits=1)
    git("add", "a.py")
    git("commit", "-qm", "one")
    git("switch", "-qc", "aside")
    saved(server, edits=30)
    store = Documents(server.root, home).store(server.root / "a.py")[0]

    freed = upkeep.collect(store, grace=NONE)

    assert freed.kept_versions == 21
    git("checkout", "-q", "--force", "main")
    assert "image/png" in server.open("a.py").cells[0].outputs[0].data


def test_where_git_cannot_tell_nothing_is_dropped(server: Server, home: Path) -> None:
    saved(server, edits=30)
    (server.root / ".git").mkdir()
    (server.root / ".git" / "HEAD").write_text("nonsense")
    store = Documents(server.root, home).store(server.root / "a.py")[0]

    freed = upkeep.collect(store, grace=NONE)

    assert freed.versions == 0
    assert "no version was dropped" in freed.note


def test_a_look_at_everything_finds_what_is_not_whole(server: Server, store: Store) -> None:
    saved(server, edits=3)
    assert upkeep.examine(store).findings == []
    (_, path), (_, gone), _ = store.blobs.all()
    path.write_bytes(b"other bytes")
    gone.unlink()

    health = upkeep.examine(store)

    assert sorted(finding.what for finding in health.findings) == [
        "a version of a.py that misses 1 outputs",
        "a version of a.py that misses 1 outputs",
        "its bytes are not what its name says: moved to 'lost'",
    ]
    assert not path.exists()
    saved(server, edits=3)
    assert upkeep.examine(store).findings == []


def endless(file: Path) -> None:
    """In its place, a pipe into which nobody writes."""
    file.unlink()
    os.mkfifo(file)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ["blobs", "outputs", "heads", "locks"])
def test_a_pipe_in_the_place_of_what_is_kept_holds_nobody_up(server: Server, store: Store, kind: str) -> None:
    saved(server, edits=2)
    for found in [path for path in (store.folder / kind).rglob("*") if path.is_file()]:
        endless(found)

    opened = server.open("a.py")
    opened.cells[0].source = "y = 1"
    opened.cells[0].outputs = [nbformat.from_dict(image(5000, seed=7))]
    server.save("a.py", opened)

    upkeep.usage(store)
    upkeep.examine(store)
    upkeep.collect(store, grace=NONE)
    assert server.open("a.py").cells[0].source == "y = 1"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["a.py", "a.md", "a.ipynb", "a.txt"])
@pytest.mark.parametrize("leads", ["pipe", "/dev/zero"])
def test_what_is_no_file_is_neither_read_nor_replaced(server: Server, name: str, leads: str) -> None:
    file = server.root / name
    if leads == "pipe":
        os.mkfifo(file)
    else:
        file.symlink_to(leads)
    model = {"type": "notebook", "format": "json", "content": nbformat.v4.new_notebook()}
    if name == "a.txt":
        model = {"type": "file", "format": "text", "content": "x"}

    for method, *arguments in (
        ("save", model, name),
        ("save", {"type": "file", "format": "text", "content": "x", "chunk": 1}, name),
        ("get", name),
        ("trust_notebook", name),
        ("create_checkpoint", name),
        ("restore_checkpoint", "checkpoint", name),
    ):
        with pytest.raises(HTTPError) as refused:
            server.ask(method, *arguments)
        assert refused.value.status_code in (400, 404), method
    with pytest.raises(HTTPError, match="a pipe, a device or a link that leads nowhere"):
        server.ask("get", name, content=False, require_hash=True, type=model["type"])
    assert not file.is_file()


@pytest.mark.parametrize("place", [".slipway", ".slipway/outputs", ".slipway/blobs", ".slipway/heads"])
@pytest.mark.parametrize("becomes", ["a file", "a link to nowhere", "a link"])
def test_what_lies_where_outputs_are_to_be_kept_is_said(
    server: Server, store: Store, tmp_path_factory: pytest.TempPathFactory, place: str, becomes: str
) -> None:
    (server.root / "a.py").write_text(PERCENT)
    opened = server.open("a.py")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    if place != ".slipway":
        layout.prepare(store.folder)
    if becomes == "a file":
        (server.root / place).write_text("mine")
    elif becomes == "a link" and place == ".slipway":
        (server.root / place).symlink_to(elsewhere)
    else:
        (server.root / place).symlink_to("nowhere")
    opened.cells[0].source = "x = 2"
    opened.cells[0].outputs = [nbformat.from_dict(image(5000))]

    with pytest.raises(HTTPError, match=r"The code of a\.py is saved; its outputs are not: .* in the way") as refused:
        server.save("a.py", opened)

    assert refused.value.status_code == 403
    assert "x = 2" in (server.root / "a.py").read_text()
    assert os.listdir(elsewhere) == []


@pytest.mark.parametrize("kind", ["blobs", "outputs"])
def test_nothing_behind_a_link_is_thrown_away(server: Server, store: Store, kind: str) -> None:
    """Such as git's own objects, which lie as what is kept does."""
    saved(server, edits=1)
    objects = server.root / "objects"
    (objects / "ab").mkdir(parents=True)
    (objects / "ab" / ("c" * 62)).write_text("git's")
    (store.folder / kind / "ab").symlink_to(objects / "ab")
    layout.collected_path(store.folder).symlink_to(server.root / "mine")
    (server.root / "mine").write_text("mine")

    upkeep.examine(store)
    upkeep.collect(store, now=2e9, grace=NONE, versions=0)

    assert os.listdir(objects / "ab") == ["c" * 62]
    assert (server.root / "mine").read_text() == "mine"


@pytest.mark.parametrize("kind", ["blobs", "outputs"])
def test_a_folder_that_is_a_link_is_not_looked_after(server: Server, store: Store, kind: str) -> None:
    objects = server.root / "objects"
    (objects / "ab").mkdir(parents=True)
    (objects / "ab" / ("c" * 62)).write_text("git's")
    layout.prepare(store.folder)
    (store.folder / kind).symlink_to(objects)

    upkeep.examine(store)
    upkeep.collect(store, now=2e9, grace=NONE, versions=0)

    assert os.listdir(objects / "ab") == ["c" * 62]
