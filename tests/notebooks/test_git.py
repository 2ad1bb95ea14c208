"""A repository is read and written without running anything that it brought along."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from jupyter_slipway.cli import main
from jupyter_slipway.errors import Forbidden, NotFound
from jupyter_slipway.notebooks import exchange, snapshots
from jupyter_slipway.notebooks.git import Person, Repository
from jupyter_slipway.notebooks.marks import sides
from tests.notebooks.asking import asking
from tests.notebooks.samples import Folder, code, notebook, percent, sources, write

ADA = Person("Ada", "ada@example.org")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "work")


def opened(folder: Folder, name: str = "a.py") -> Repository:
    return Repository.of(folder.top / name)


def test_a_file_as_it_was_in_a_revision(folder: Folder) -> None:
    first = folder.commit("a.py", "one")
    folder.git("tag", "v1")
    folder.commit("a.py", "two")
    repository = opened(folder)
    assert [repository.content(one, "a.py") for one in (first, "v1", "HEAD~1", "main", first[:8])] == [
        b"one",
        b"one",
        b"one",
        b"two",
        b"one",
    ]


@pytest.mark.parametrize(
    "revision", ["nowhere", "", "HEAD~9", "main:a.py", "\0", ":/[", "HEAD^{tree}", "--help", "@{-9}"]
)
def test_what_is_no_revision_is_said(folder: Folder, revision: str) -> None:
    folder.commit("a.py", "one")
    with pytest.raises(NotFound):
        opened(folder).content(revision, "a.py")


def test_a_repository_without_a_commit(folder: Folder) -> None:
    (folder.top / "a.py").write_text("x")
    repository = opened(folder)
    assert (repository.head, repository.branch, repository.history("a.py")) == (None, "main", [])
    with pytest.raises(NotFound, match="no revision 'HEAD'") as refused:
        repository.content("HEAD", "a.py")
    assert "Nothing has been committed" in refused.value.hint


def test_a_folder_without_a_repository(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="in no git repository"):
        Repository.of(tmp_path / "a.py")


def test_a_detached_head_and_a_worktree(folder: Folder) -> None:
    folder.commit("a.py", "one")
    folder.git("worktree", "add", "-q", "../tree", "-b", "side")
    tree = Repository.of(folder.top.parent / "tree" / "a.py")
    assert (tree.branch, tree.content("HEAD", "a.py")) == ("side", b"one")
    assert tree.objects == opened(folder).objects
    folder.git("checkout", "-q", "--detach")
    assert opened(folder).branch == "HEAD"


def test_history_goes_through_renames_and_merges(folder: Folder) -> None:
    folder.commit("a.py", percent("x = 1", "y = 1", "z = 1"), "one")
    folder.git("checkout", "-q", "-b", "dev")
    folder.commit("a.py", percent("x = 1", "y = 1", "z = 2"), "on dev")
    folder.git("checkout", "-q", "main")
    folder.commit("other.py", "x", "elsewhere")
    folder.git("merge", "-q", "--no-ff", "-m", "merged", "dev")
    folder.git("mv", "a.py", "b.py")
    folder.git("commit", "-q", "-m", "renamed")
    folder.commit("b.py", percent("x = 2", "y = 1", "z = 2"), "last")
    found = opened(folder, "b.py").history("b.py")
    assert [(one.message, one.path, one.author) for one in found] == [
        ("last", "b.py", "Ada"),
        ("renamed", "b.py", "Ada"),
        ("on dev", "a.py", "Ada"),
        ("one", "a.py", "Ada"),
    ]


def test_history_goes_through_conversions(folder: Folder) -> None:
    folder.commit("b.ipynb", json.dumps(notebook(code("x = 1", "x"), code("y = 1", "y"))), "another")
    for form, message in (("ipynb", "one"), ("py", "as text"), ("ipynb", "back")):
        for one in folder.top.glob("a.*"):
            one.unlink()
        cells = [code("x = 1", "x"), code(f"y = '{message}'", "y")]
        said = json.dumps(notebook(*cells)) if form == "ipynb" else percent(*sources(cells))
        folder.commit(f"a.{form}", said, message)

    found = opened(folder, "a.ipynb").history("a.ipynb")

    assert [(one.message, one.path) for one in found] == [("back", "a.ipynb"), ("as text", "a.py"), ("one", "a.ipynb")]


def test_a_commit_carries_the_identity_of_who_made_it_and_leaves_the_rest_staged(folder: Folder) -> None:
    folder.commit("a.py", "one")
    (folder.top / "staged.py").write_text("staged")
    folder.git("add", "staged.py")
    made = opened(folder).commit_file("a.py", b"two", "Second", Person("Bob", "bob@example.org"))
    (folder.top / "a.py").write_text("two")
    assert folder.git("log", "-1", "--format=%H %an %ae %cn %s") == f"{made} Bob bob@example.org Bob Second"
    assert folder.git("status", "--porcelain") == "A  staged.py"


def test_who_asks_is_known_by_their_own_config_or_by_name(folder: Folder) -> None:
    folder.git("config", "user.name", "Ada Lovelace")
    folder.git("config", "user.email", "ada@example.org")
    (folder.top / "a.py").write_text("x")
    repository = opened(folder)
    assert repository.person("ada", "ada") == Person("Ada Lovelace", "ada@example.org")
    assert repository.person("bob", "ada").name == "bob"


def test_an_executable_stays_one(folder: Folder) -> None:
    folder.commit("a.py", "one")
    (folder.top / "a.py").chmod(0o755)
    folder.git("commit", "-q", "-am", "Executable")
    opened(folder).commit_file("a.py", b"two", "Second", ADA)
    assert folder.git("ls-tree", "HEAD", "a.py").startswith("100755")


def test_snapshots_touch_neither_index_nor_head_nor_files(folder: Folder) -> None:
    head = folder.commit("a.py", "one")
    (folder.top / "a.py").write_text("two")
    (folder.top / "b.py").write_text("staged")
    folder.git("add", "b.py")
    before = (folder.git("status", "--porcelain"), (folder.top / ".git" / "index").read_bytes())
    repository = opened(folder)
    kept = snapshots.take(repository, {"a.py": b"two"}, "ada", ADA)
    assert snapshots.take(repository, {"a.py": b"two"}, "ada", ADA) is None
    again = snapshots.take(repository, {"a.py": b"three"}, "ada", ADA)
    assert (folder.git("status", "--porcelain"), (folder.top / ".git" / "index").read_bytes()) == before
    assert folder.git("rev-parse", "HEAD") == head
    chain = list(snapshots.chain(repository, "refs/slipway/snapshots/ada/main", 9))
    assert [(one.id, one.base) for one in chain] == [(again, head), (kept, head)]
    assert [repository.content(one.id, "a.py") for one in chain] == [b"three", b"two"]
    assert folder.git("branch", "--all") == "* main"


def test_snapshots_of_several_notebooks_are_kept_together(folder: Folder) -> None:
    folder.commit("a.py", "one")
    repository = opened(folder)
    snapshots.take(repository, {"a.py": b"a"}, "ada", ADA)
    last = snapshots.take(repository, {"b.py": b"b"}, "ada", ADA)
    assert (repository.content(last or "", "a.py"), repository.content(last or "", "b.py")) == (b"a", b"b")


@pytest.mark.parametrize("user", ["ada", "../../heads/main", "a b~^:?*[\\", "été@example.org", ".lock", "x.lock", ""])
def test_any_name_is_a_part_of_a_ref(folder: Folder, user: str) -> None:
    head = folder.commit("a.py", "one")
    repository = opened(folder)
    made = snapshots.take(repository, {"a.py": b"two"}, user, ADA)
    (name,) = repository.references("refs/slipway/")
    assert repository.references("refs/slipway/") == {name: made}
    assert name.startswith("refs/slipway/snapshots/")
    assert folder.git("rev-parse", "main") == head


def test_a_chain_of_snapshots_begins_anew_when_it_is_long(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "KEPT", 3)
    folder.commit("a.py", "one")
    repository = opened(folder)
    for number in range(5):
        snapshots.take(repository, {"a.py": str(number).encode()}, "ada", ADA)
    chain = list(snapshots.chain(repository, "refs/slipway/snapshots/ada/main", 9))
    assert [repository.content(one.id, "a.py") for one in chain] == [b"4", b"3"]


def test_snapshots_are_cheap(folder: Folder) -> None:
    folder.commit("a.py", "one")
    repository = opened(folder)
    for number in range(30):
        snapshots.take(repository, {"a.py": b"x" * number}, "ada", ADA)
    loose = [path for path in (folder.top / ".git" / "objects").rglob("*") if path.is_file()]
    assert len(loose) <= 3 + 3 * 30


# --- repositories that mean harm


@pytest.fixture
def hostile(folder: Folder) -> Folder:
    """A repository whose every hook, filter, driver and command would leave a file."""
    folder.commit("a.py", percent("x = 1"))
    trap = folder.top / ".git" / "trap"
    trap.write_text(f"#!/bin/sh\ntouch '{trapped(folder)}'\ncat\n")
    trap.chmod(0o755)
    for hook in (
        "pre-commit",
        "commit-msg",
        "post-commit",
        "post-checkout",
        "pre-push",
        "reference-transaction",
        "post-index-change",
        "post-merge",
        "pre-receive",
        "update",
        "post-receive",
        "fsmonitor-watchman",
    ):
        target = folder.top / ".git" / "hooks" / hook
        target.parent.mkdir(exist_ok=True)
        target.write_text(trap.read_text())
        target.chmod(0o755)
    for key, value in {
        "core.fsmonitor": trap,
        "core.sshCommand": trap,
        "core.pager": trap,
        "core.editor": trap,
        "core.askPass": trap,
        "core.gitProxy": trap,
        "credential.helper": f"!{trap}",
        "diff.external": trap,
        "diff.trap.textconv": trap,
        "diff.trap.command": trap,
        "filter.trap.clean": trap,
        "filter.trap.smudge": trap,
        "filter.trap.process": trap,
        "filter.trap.required": "true",
        "merge.trap.driver": trap,
        "gpg.program": trap,
        "commit.gpgSign": "true",
        "remote.evil.url": f"ext::{trap}",
        "remote.evil.uploadpack": trap,
        "remote.evil.receivepack": trap,
        "remote.shell.url": f"ssh://-oProxyCommand={trap}/x",
        "uploadpack.packObjectsHook": trap,
        "url.ext::sh.insteadOf": "https:",
        "alias.push": f"!{trap}",
    }.items():
        folder.git("config", key, str(value))
    (folder.top / ".gitattributes").write_text("* filter=trap diff=trap merge=trap\n")
    (folder.top / ".jupytext.py").write_text(f"open({str(trapped(folder))!r}, 'w').close()\n")
    (folder.top / "jupytext.py").write_text(f"open({str(trapped(folder))!r}, 'w').close()\n")
    return folder


def trapped(folder: Folder) -> Path:
    return folder.top.parent / "it ran"


def test_the_trap_works(hostile: Folder) -> None:
    (hostile.top / "a.py").write_text("x = 2")
    hostile.git("-c", "gpg.program=true", "add", "a.py", check=False)
    assert trapped(hostile).exists()


def test_nothing_of_a_hostile_repository_runs(hostile: Folder, home: Path) -> None:
    (hostile.top / "a.py").write_text(percent("x = 2"))
    ask = asking(hostile.top, home)
    assert ask("POST", "/notebooks/diff", {"path": "a.py"})[0] == 200
    assert ask("GET", "/notebooks/history", path="a.py", cell="0")[0] == 200
    assert ask("GET", "/notebooks/blame", path="a.py")[0] == 200
    assert ask("POST", "/notebooks/snapshots", {"path": "a.py"})[0] == 200
    for remote in ("evil", "shell"):
        status, view = ask("PUT", "/notebooks/radar", {"path": "a.py", "sharing": "notebook", "remote": remote})
        assert (status, bool(view["problem"])) == (200, True)
    assert ask("POST", "/notebooks/merge", {"path": "a.py", "base": "HEAD", "mine": "HEAD", "theirs": ""})[0] == 200
    assert ask("POST", "/notebooks/commits", {"path": "a.py", "message": "Second"})[0] == 201
    assert ask("POST", "/notebooks/restore", {"path": "a.py", "revision": "HEAD~1"})[0] == 200
    assert not trapped(hostile).exists()


def test_a_folder_as_remote_runs_no_hook_of_its_own(hostile: Folder, tmp_path: Path) -> None:
    there = Folder(tmp_path / "there")
    there.commit("b.py", "x")
    made = snapshots.take(opened(there, "b.py"), {"b.py": b"y"}, "bob", ADA, kind="refs/slipway/radar")
    exchange.push(opened(there, "b.py").objects, str(hostile.top), {"refs/slipway/radar/bob/main": made or ""})
    assert opened(hostile).references("refs/slipway/radar") == {"refs/slipway/radar/bob/main": made}
    assert exchange.fetch(opened(there, "b.py").objects, str(hostile.top), "refs/slipway/radar")
    assert not trapped(hostile).exists()


def test_files_elsewhere_are_not_the_repositorys(folder: Folder, tmp_path: Path) -> None:
    folder.commit("a.py", "one")
    (tmp_path / "elsewhere").mkdir()
    folder.git("config", "core.worktree", str(tmp_path / "elsewhere"))
    with pytest.raises(NotFound, match="no git repository"):
        opened(folder)


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_a_repository_of_another_owner_is_not_opened(folder: Folder) -> None:
    folder.commit("a.py", "one")
    for path in (folder.top, folder.top / ".git"):
        os.chown(path, 12345, 12345)
    if stat.S_ISDIR(folder.top.stat().st_mode):
        with pytest.raises(Forbidden, match="cannot be opened"):
            Repository.of(folder.top / "a.py")


@pytest.mark.parametrize(
    ("told", "named"),
    [((), ("mine", "theirs")), (("%X", "%Y"), ("mine", "theirs")), (("HEAD", "a branch"), ("HEAD", "a branch"))],
    ids=["nothing", "a git that does not know", "a git that does"],
)
def test_the_marks_that_the_driver_leaves_name_what_git_names(tmp_path: Path, told: Sequence[str], named: Any) -> None:
    files = [write(tmp_path / one, notebook(code(f"x = {one!r}", "a"))) for one in ("base", "mine", "theirs")]

    done = CliRunner().invoke(main, ["git", "merge-driver", *map(str, files), "a.ipynb", *told])

    (cell,) = json.loads((tmp_path / "mine").read_text())["cells"]
    left = sides("".join(cell["source"]))
    assert (done.exit_code, left and (left.mine_label, left.theirs_label)) == (1, named)


ASKED = [
    ("GET", "/notebooks/history", {"path": "a.py"}),
    ("GET", "/notebooks/references", {"path": "a.py"}),
    ("POST", "/notebooks/diff", {"path": "a.py", "base": "HEAD~1", "other": ""}),
    ("POST", "/notebooks/snapshots", {"path": "a.py"}),
    ("POST", "/notebooks/commits", {"path": "a.py", "message": "m"}),
]


def answers(folder: Folder, home: Path) -> set[tuple[int, str]]:
    """Status of each refusal, and what to do about it."""
    ask = asking(folder.top, home)
    told = [
        ask(method, route, **said) if method == "GET" else ask(method, route, said) for method, route, said in ASKED
    ]
    return {(status, said["hint"]) for status, said in told if status >= 400}


@pytest.mark.parametrize("broken", ["index", "HEAD"])
def test_what_is_broken_of_git_itself_is_said(folder: Folder, home: Path, broken: str) -> None:
    folder.commit("a.py", percent("x = 1"))
    folder.commit("a.py", percent("x = 2"))
    (folder.top / ".git" / broken).write_bytes(b"\xff\xfe")

    told = answers(folder, home)
    assert (503, "'git status' and 'git fsck' say what is wrong.") in told
    # Of a revision that a broken HEAD does not lead to.
    assert {status for status, _ in told} <= {404, 503}


def test_what_a_partial_clone_has_left_out_is_said(folder: Folder, home: Path) -> None:
    folder.commit("a.py", percent("x = 1"))
    folder.commit("a.py", percent("x = 2"))
    for before in ("HEAD", "HEAD~1"):
        id = folder.git("rev-parse", f"{before}:a.py")
        (folder.top / ".git/objects" / id[:2] / id[2:]).unlink()

    (refused,) = answers(folder, home)
    assert refused[0] == 503
    assert "git show" in refused[1]


def test_a_branch_whose_name_is_not_utf_8_is_not_listed(folder: Folder, home: Path) -> None:
    commit = folder.commit("a.py", percent("x = 1"))
    Path(os.fsdecode(os.fsencode(folder.top) + b"/.git/refs/heads/\xff")).write_text(f"{commit}\n")

    status, told = asking(folder.top, home)("GET", "/notebooks/references", path="a.py")

    assert (status, told["branches"]) == (200, ["main"])
