"""A notebook's git repository, read and written without running anything of it.

libgit2, behind pygit2, knows no hooks, no fsmonitor, no external diff, no textconv and no filter commands: what a
cloned repository's config names is never called. It opens no repository of another owner. Only `exchange` needs the
git command.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from msgspec import Struct

from jupyter_slipway.errors import Conflict, Forbidden, NotFound, Unavailable
from jupyter_slipway.notebooks.glance import is_notebook

if TYPE_CHECKING:
    import pygit2

WALKED = 20_000
"""Commits looked at for one history."""


STAGES = (":1", ":2", ":3")
"""As revisions: what a file in conflict was, is on our side, is on theirs."""


class Person(Struct, frozen=True):
    """Who a commit is by."""

    name: str
    email: str


class FileRevision(Struct, frozen=True):
    """A state of a notebook file that git keeps."""

    id: str
    """The commit's."""
    blob: str
    path: str
    """Where the file was then, from the repository's top; it may have been renamed since."""
    author: str
    at: datetime
    message: str
    """Its first line."""


class Repository:
    """One repository; paths are relative to its top, with slashes."""

    def __init__(self, opened: pygit2.Repository) -> None:
        self._git = opened
        self.top = Path(opened.workdir)

    @classmethod
    def of(cls, path: Path) -> Repository:
        """The repository in whose working tree `path` lies.

        Raises:
            NotFound: it lies in none
            Forbidden: it is somebody else's
        """
        import pygit2

        folder = path if path.is_dir() else path.parent
        try:
            found = pygit2.discover_repository(str(folder))
            if found is None:
                raise KeyError
            repository = pygit2.Repository(found)
        except KeyError as error:
            raise NotFound(f"{path.name} is in no git repository.", hint="Make one with 'git init'.") from error
        except pygit2.GitError as error:
            raise Forbidden(
                f"The git repository of {path.name} cannot be opened: {error}.",
                hint="If it is another person's and you trust it: git config --global --add safe.directory FOLDER.",
            ) from error
        if repository.is_bare or repository.workdir is None:
            raise NotFound(f"{path.name} is in a git repository without files.", hint="Clone it.")
        # `core.worktree` of a foreign repository may point anywhere: not to where its own folder is.
        if not path.resolve().is_relative_to(Path(repository.workdir).resolve()):
            raise NotFound(f"{path.name} is in no git repository.", hint="Its repository says its files are elsewhere.")
        return cls(repository)

    def name(self, path: Path) -> str:
        """`path` from the repository's top."""
        return PurePosixPath(path.resolve().relative_to(self.top.resolve())).as_posix()

    @property
    def branch(self) -> str:
        """The branch that is checked out; 'HEAD' when none is."""
        if self._git.head_is_detached:
            return "HEAD"
        return self._git.lookup_reference("HEAD").target.removeprefix("refs/heads/")  # type: ignore[union-attr]

    @property
    def id(self) -> str:
        """Tells this repository from others, however its folder is reached."""
        return str(Path(self._git.path).resolve())

    @property
    def objects(self) -> Path:
        """Where git keeps contents; worktrees of one repository share it."""
        folder = Path(self._git.path)
        common = folder / "commondir"
        return (folder / common.read_text().strip() if common.is_file() else folder).resolve() / "objects"

    def person(self, name: str, local: str) -> Person:
        """The identity of the one who asks: as they configured it on their own machine, else by the name known here.

        Args:
            local: who this machine's user is
        """
        config = self._git.config
        if name == local and "user.name" in config and "user.email" in config:
            return Person(str(config["user.name"]), str(config["user.email"]))
        return Person(name, f"{name}@{socket.gethostname()}")

    def remotes(self) -> dict[str, str]:
        """URLs by name."""
        return {str(remote.name): remote.url for remote in self._git.remotes if remote.url}

    def content(self, revision: str, name: str) -> bytes:
        """The file `name` as it was in `revision`: a commit, a branch, a tag, HEAD~2.

        Raises:
            NotFound: there is no such revision, or no such file in it
        """
        return self.blob(self.blob_id(revision, name))

    def blob_id(self, revision: str, name: str) -> str:
        """The id of the file's content in a revision.

        Raises:
            NotFound: there is no such revision, or no such file in it
        """
        if revision in STAGES:
            return self._staged(revision, name)
        blob = _entry(self.commit(revision), name)
        if blob is None:
            raise NotFound(f"{name} is not in {revision}.", hint="Commit it first, or take a revision of its history.")
        return blob

    def _staged(self, stage: str, name: str) -> str:
        conflicts = self._git.index.conflicts
        for sides in conflicts or ():
            if any(side is not None and side.path == name for side in sides):
                side = sides[STAGES.index(stage)]
                if side is not None:
                    return str(side.id)
        raise NotFound(
            f"Nothing of {name} is in conflict.", hint="Or one side of the merge removed it: 'git status' says so."
        )

    def in_conflict(self, name: str) -> bool:
        """Whether a merge left the file to be settled."""
        return any(
            side is not None and side.path == name for sides in self._git.index.conflicts or () for side in sides
        )

    def blob(self, id: str) -> bytes:
        """A file's content by the id git knows it by.

        Raises:
            Unavailable: it is known, and not here
        """
        import pygit2

        try:
            return self._git[id].peel(pygit2.Blob).data
        except KeyError as error:
            raise Unavailable(
                f"git has left out of this clone what {id[:8]} is.", hint=f"Let git fetch it: git show {id[:8]}."
            ) from error

    def commit(self, revision: str) -> pygit2.Commit:
        """The commit that `revision` names.

        Raises:
            NotFound: there is none
        """
        import pygit2

        try:
            return self._git.revparse_single(revision).peel(pygit2.Commit)
        except (KeyError, ValueError, pygit2.GitError) as error:
            empty = self._git.is_empty or self._git.head_is_unborn
            raise NotFound(
                f"There is no revision {revision!r} here.",
                hint="Nothing has been committed yet." if empty else "Name a commit, a branch or a tag.",
            ) from error

    def history(self, name: str, *, start: str = "HEAD", limit: int = 100) -> list[FileRevision]:
        """The commits that changed the file, newest first, through renames and conversions."""
        found = []
        for revision in self._changes(name, start):
            found.append(revision)
            if len(found) == limit:
                break
        return found

    def _changes(self, name: str, start: str) -> Iterator[FileRevision]:
        import pygit2

        if self._git.head_is_unborn and start == "HEAD":
            return
        walk = self._git.walk(self.commit(start).id, pygit2.enums.SortMode.TOPOLOGICAL | pygit2.enums.SortMode.TIME)
        for _, commit in zip(range(WALKED), walk, strict=False):
            blob = _entry(commit, name)
            if blob is None:
                continue
            before = [_entry(parent, name) for parent in commit.parents]
            if blob in before:
                continue
            yield _revision(commit, blob, name)
            if not any(before):
                name = _name_before(commit, name) or name

    def commit_file(self, name: str, content: bytes, message: str, by: Person) -> str:
        """Commit one file on the branch that is checked out; what else is staged stays staged.

        No hook runs. Returns the commit's id.

        Raises:
            Conflict: another program has the index, or commits at the same time
        """
        import pygit2

        head = self.head
        index = self._git.index
        index.read()
        index.add(pygit2.IndexEntry(name, self._git.create_blob(content), self._mode(head, name)))
        try:
            # First: a commit that the index knows nothing of would look as if its change had been taken back.
            index.write()
            return self._commit("HEAD", head, {name: content}, message, by)
        except pygit2.GitError as error:
            raise Conflict(
                f"It cannot be committed now: {error}.",
                hint="Try again. If no git is at work here, remove .git/index.lock.",
            ) from error

    @property
    def head(self) -> str | None:
        """The commit that is checked out; None before the first."""
        return None if self._git.head_is_unborn else str(self._git.head.target)

    def reference(self, name: str) -> str | None:
        """The commit a ref stands at."""
        import pygit2

        try:
            return str(self._git.lookup_reference(name).target)
        except (KeyError, ValueError, pygit2.GitError):
            return None

    def references(self, prefix: str) -> dict[str, str]:
        """The refs below a prefix, by name, and their commits; but those whose names are not UTF-8: nobody can ask for
        them.
        """
        return {
            reference.name: str(reference.target)
            for reference in self._git.references.iterator()
            if reference.name.startswith(prefix) and reference.name == reference.name.encode(errors="replace").decode()
        }

    def set_reference(self, name: str, commit: str | None) -> None:
        """Let a ref stand at a commit; None: remove it."""
        import pygit2

        if commit is not None:
            self._git.references.create(name, pygit2.Oid(hex=commit), force=True)
        elif name in self._git.references:
            self._git.references.delete(name)

    def commit_beside(
        self, name: str, tree_of: str | None, files: Mapping[str, bytes], message: str, by: Person, parent: str | None
    ) -> str | None:
        """Commit to ref `name` the tree of a commit with these files in it; index, HEAD and files stay as they are.

        Returns the commit's id; None when it would say nothing new.
        """
        import pygit2

        tree = self._tree(tree_of, files)
        if parent is not None and self.commit(parent).tree_id == tree:
            return None
        signature = pygit2.Signature(by.name, by.email)
        parents = [pygit2.Oid(hex=parent)] if parent else []
        made = str(self._git.create_commit(None, signature, signature, message, tree, parents))
        self.set_reference(name, made)
        return made

    def _commit(self, ref: str, parent: str | None, files: Mapping[str, bytes], message: str, by: Person) -> str:
        import pygit2

        signature = pygit2.Signature(by.name, by.email)
        parents = [pygit2.Oid(hex=parent)] if parent else []
        return str(self._git.create_commit(ref, signature, signature, message, self._tree(parent, files), parents))

    def _tree(self, commit: str | None, files: Mapping[str, bytes]) -> pygit2.Oid:
        """A tree like the commit's, with these files in it."""
        import pygit2

        index = pygit2.Index()
        if commit is not None:
            index.read_tree(self.commit(commit).tree)
        for name, content in files.items():
            index.add(pygit2.IndexEntry(name, self._git.create_blob(content), self._mode(commit, name)))
        return index.write_tree(self._git)

    def _mode(self, commit: str | None, name: str) -> pygit2.enums.FileMode:
        """Of a file in a commit: one that may be executed stays so."""
        import pygit2

        try:
            mode = self.commit(commit).tree[name].filemode if commit else 0
        except KeyError:
            mode = 0
        executable = pygit2.enums.FileMode.BLOB_EXECUTABLE
        return executable if mode == executable else pygit2.enums.FileMode.BLOB

    def chain(self, commit: str) -> Iterator[pygit2.Commit]:
        """A commit and those before it, along first parents."""
        found = self.commit(commit)
        while True:
            yield found
            if not found.parents:
                return
            found = found.parents[0]


def is_of_git(error: Exception) -> bool:
    import pygit2

    return isinstance(error, pygit2.GitError)


def _entry(commit: pygit2.Commit, name: str) -> str | None:
    """The blob id of a file in a commit."""
    try:
        found = commit.tree[name]
    except KeyError:
        return None
    return str(found.id) if found.type_str == "blob" else None


def _name_before(commit: pygit2.Commit, name: str) -> str | None:
    """What the file was called, or was converted from, when this commit brought it under `name`; None: it is new."""
    import pygit2

    for parent in commit.parents:
        diff = commit.tree.diff_to_tree(parent.tree, swap=True)
        gone = [one.old_file.path for one in diff.deltas if one.status == pygit2.enums.DeltaStatus.DELETED]
        # As text, and with its outputs, it has too few lines in common for git.
        if (converted := next((one for one in gone if _is_other_form(one, name)), None)) is not None:
            return str(converted)
        diff.find_similar()
        for delta in diff.deltas:
            if delta.new_file.path == name and delta.old_file.path != name:
                return str(delta.old_file.path)
    return None


def _is_other_form(one: str, name: str) -> bool:
    """Whether one is the `.ipynb` that the other, a text notebook, would be."""
    one_form, form = PurePosixPath(one), PurePosixPath(name)
    return (
        one_form.with_suffix("") == form.with_suffix("")
        and [one_form.suffix, form.suffix].count(".ipynb") == 1
        and is_notebook(one)
    )


def _revision(commit: pygit2.Commit, blob: str, name: str) -> FileRevision:
    author = commit.author
    at = datetime.fromtimestamp(author.time, timezone(timedelta(minutes=author.offset))).astimezone(UTC)
    return FileRevision(str(commit.id), blob, name, author.name, at, commit.message.partition("\n")[0])
