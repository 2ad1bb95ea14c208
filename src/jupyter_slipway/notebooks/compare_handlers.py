"""Notebooks compared, merged, looked back on, kept and shared, over REST.

Whatever takes long is done in a thread; who asked is told when it takes too long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from jupyter_slipway.errors import BadRequest, Forbidden, NotFound, SlipwayError, Unavailable, Unprocessable
from jupyter_slipway.events import Changed, Events
from jupyter_slipway.notebooks import radar, snapshots, writing
from jupyter_slipway.notebooks.conflicts import with_marks
from jupyter_slipway.notebooks.diff import Cell, diff_notebooks
from jupyter_slipway.notebooks.git import FileRevision, Repository, is_of_git
from jupyter_slipway.notebooks.glance import read_notebook
from jupyter_slipway.notebooks.history import Blame, CellChange, CellHistory, cell_changes
from jupyter_slipway.notebooks.marks import sides
from jupyter_slipway.notebooks.merge import decide, merge_notebooks
from jupyter_slipway.notebooks.radar import Choices, Seen, Sharing
from jupyter_slipway.notebooks.resolving import CellConflict, cell_conflicts, settled_file
from jupyter_slipway.notebooks.revisions import COLLEAGUE, DISK, Revisions, plain
from jupyter_slipway.notebooks.snapshots import WorkSnapshot
from jupyter_slipway.settings import local_user
from jupyter_slipway.web import Asker, Endpoint

LIMIT = 30.0
"""Seconds a comparison may take."""
LOOKED_AT = 200
"""Revisions of a notebook that a history goes back."""
EMPTY: dict[str, Any] = {"outputs": [], "execution_count": None}
T = TypeVar("T")


class NotebookPath(Struct, frozen=True):
    path: str
    """Relative to the server's root."""


class HistoryQuery(Struct, frozen=True):
    path: str
    cell: str = ""
    """A cell's id, or its index from 0; empty: the notebook's."""
    limit: int = 50


class DiffRequest(Struct, frozen=True):
    path: str
    base: str = "HEAD"
    """A commit, branch or tag, '' for the file on disk, '@name' for what a colleague shares, ':1' to ':3' for the
    sides of a merge in conflict."""
    other: str = DISK
    contents: dict[str, dict[str, Any]] = {}
    """Notebooks to take in the place of 'base' or 'other': what is in an editor and not saved."""
    outputs: bool = True
    """False: neither what is answered nor what is compared has any."""


class NotebookDiff(Struct, frozen=True):
    base: dict[str, Any]
    diff: list[dict[str, Any]]
    """nbdime's, that turns the base into the other."""
    same: bool


class MergeRequest(Struct, frozen=True):
    path: str
    base: str = ":1"
    mine: str = ":2"
    theirs: str = ":3"
    contents: dict[str, dict[str, Any]] = {}
    """Notebooks to take in the place of 'base', 'mine' or 'theirs'."""


class NotebookMerge(Struct, frozen=True):
    base: dict[str, Any]
    decisions: list[dict[str, Any]]
    """nbdime's; a person decides those that are conflicts."""
    merged: dict[str, Any]
    """Conflicted cells hold both sides between marks."""
    conflicts: int
    cells: list[CellConflict]
    """Those cells, in the order of `merged`."""
    mine: str = ""
    """What git calls our side, such as a branch; empty when it is not known."""
    theirs: str = ""


class ResolveRequest(Struct, frozen=True):
    path: str
    notebook: dict[str, Any]
    """What a person made of both sides."""


class References(Struct, frozen=True):
    """What a notebook can be compared with, beside the commits of its history."""

    branch: str
    """The one that is checked out; 'HEAD' when none is, empty outside of git."""
    branches: list[str]
    tags: list[str]
    colleagues: list[str]
    """Who shares their copy of it, if the one who asks shares too."""
    in_conflict: bool
    """Whether a merge left it to be settled."""


class NotebookHistory(Struct, frozen=True):
    revisions: list[FileRevision]
    """Commits that changed the notebook, newest first."""
    cells: list[CellChange]
    """Of the cell that was asked for."""
    cell_type: str
    """Of that cell; empty when none was asked for."""
    snapshots: list[WorkSnapshot]
    """Of one's own uncommitted work."""
    in_conflict: bool
    """Whether a merge left it to be settled."""


class BlameList(Struct, frozen=True):
    items: list[Blame]


class RestoreRequest(Struct, frozen=True):
    path: str
    revision: str


class Kept(Struct, frozen=True):
    snapshot: str | None
    """The commit that keeps the file as it was; None: nothing was new since the last, or it is in no git."""


class CommitRequest(Struct, frozen=True):
    path: str
    message: str


class Committed(Struct, frozen=True):
    revision: str


class RadarRequest(Struct, frozen=True):
    path: str
    sharing: Sharing
    remote: str = ""


class RadarView(Struct, frozen=True):
    sharing: Sharing
    """What the one who asks lets others see: nothing, this notebook, or all notebooks of the repository."""
    remote: str
    remotes: list[str]
    seen: list[Seen]
    problem: str = ""
    """Why the remote was not reached."""
    outside: str = ""
    """Why nothing can be shared here, and what to do: it is in no git repository."""


class Compare:
    """Diff, merge, history, snapshots and radar of the notebooks below a root."""

    def __init__(self, root: Path, home: Path, events: Events, *, hidden: bool = True) -> None:
        self._revisions, self._events, self._root = Revisions(root, home, hidden=hidden), events, root
        self._cells = CellHistory(read_notebook)
        self._choices = Choices(home / "radar.json")
        self._remotes = radar.Remotes()

    async def diff_notebook(self, asker: Asker, body: DiffRequest) -> NotebookDiff:
        """What changed in a notebook between two revisions, as nbdime's diff."""

        def work() -> NotebookDiff:
            for revision in (body.base, body.other):
                if revision.startswith(COLLEAGUE):
                    self._require_sharing(asker, body.path)
            base = self._side(body.path, body.base, body.contents.get("base"))
            other = self._side(body.path, body.other, body.contents.get("other"))
            if not body.path.endswith(".ipynb"):
                other = _under_same_header(base, other)
            if not body.outputs:
                base, other = _without_outputs(base), _without_outputs(other)
            diff = diff_notebooks(base, other)
            return NotebookDiff(base, diff, not diff)

        return await _in_time(work)

    async def merge_notebook(self, asker: Asker, body: MergeRequest) -> NotebookMerge:
        """Two revisions of a notebook as one, and nbdime's decisions about it; nothing is written."""

        def work() -> NotebookMerge:
            base = self._side(body.path, body.base, body.contents.get("base"), absent=True)
            mine = self._side(body.path, body.mine, body.contents.get("mine"))
            theirs = self._side(body.path, body.theirs, body.contents.get("theirs"))
            merged = merge_notebooks(base, mine, theirs)
            made = with_marks(merged, "mine", "theirs")
            return NotebookMerge(
                base,
                decide(base, mine, theirs),
                made,
                len(merged.conflicts),
                cell_conflicts(merged, mine, theirs),
                *self._names_of_sides(body.path),
            )

        return await _in_time(work)

    async def resolve_notebook(self, asker: Asker, body: ResolveRequest) -> Kept:
        """Make what a person settled the file on disk; what the file was is kept as a snapshot before."""
        return await self._replace(asker, body.path, lambda file: settled_file(file.name, body.notebook))

    async def list_references(self, asker: Asker, query: NotebookPath) -> References:
        """The branches, tags and colleagues' copies that a notebook can be compared with."""

        def work() -> References:
            if self._outside(query.path):
                return References("", [], [], [], in_conflict=False)
            _, repository, name = self._place(query.path)
            branches, tags = (
                sorted(one.removeprefix(kind) for one in repository.references(kind))
                for kind in ("refs/heads/", "refs/tags/")
            )
            choice = self._choices.of(asker.name, repository.id)
            colleagues = radar.colleagues(repository, name, asker.name, choice)
            return References(repository.branch, branches, tags, colleagues, repository.in_conflict(name))

        return await _in_time(work)

    async def notebook_history(self, asker: Asker, query: HistoryQuery) -> NotebookHistory:
        """Who changed a notebook, or one of its cells, when."""

        def work() -> NotebookHistory:
            file, repository, name = self._place(query.path)
            limit = max(1, min(query.limit, LOOKED_AT))
            cells: list[CellChange] = []
            cell_type = ""
            if query.cell:
                there = self._on_disk(file)
                index = _index(there, query.cell)
                revisions = self._cells.of_cell(repository, name, there, index, LOOKED_AT)
                cells = cell_changes(revisions, str(there[index]["source"]))
                cell_type = str(there[index]["cell_type"])
            chain = snapshots.ref(snapshots.SNAPSHOTS, asker.name, repository.branch)
            return NotebookHistory(
                repository.history(name, limit=limit),
                cells[:limit],
                cell_type,
                list(snapshots.chain(repository, chain, limit)),
                repository.in_conflict(name),
            )

        return await _in_time(work)

    async def blame_notebook(self, asker: Asker, query: NotebookPath) -> BlameList:
        """For each cell of a notebook who made it what it is."""

        def work() -> BlameList:
            file, repository, name = self._place(query.path)
            return BlameList(self._cells.blame(repository, name, self._on_disk(file), LOOKED_AT))

        return await _in_time(work)

    async def restore_notebook(self, asker: Asker, body: RestoreRequest) -> Kept:
        """Make an older revision the file on disk; what the file was is kept as a snapshot before."""
        return await self._replace(asker, body.path, lambda file: self._revisions.content(file, body.revision))

    async def _replace(self, asker: Asker, path: str, content_of: Callable[[Path], bytes]) -> Kept:
        """Put something else in a file's place; what it was is kept before."""
        from jupyter_slipway.notebooks.documents import refusing

        def work() -> Kept:
            file, repository, name = self._place(path)
            content = content_of(file)
            kept = self._keep(asker, file, repository, name)
            if kept is None:  # nothing new since the last, which therefore holds the file as it was
                last = snapshots.latest(repository, snapshots.ref(snapshots.SNAPSHOTS, asker.name, repository.branch))
                kept = last.id if last else None
            with refusing(file, self._root):
                writing.write(file, content)
            return Kept(kept)

        kept = await _in_time(work)
        self._events.announce(Changed("notebook", path))
        return kept

    async def snapshot_notebook(self, asker: Asker, body: NotebookPath) -> Kept:
        """Keep the file as it is on a private ref; let colleagues see it if it is shared."""

        def work() -> Kept:
            if self._outside(body.path):
                return Kept(None)
            file, repository, name = self._place(body.path)
            return Kept(self._keep(asker, file, repository, name))

        return await _in_time(work)

    async def commit_notebook(self, asker: Asker, body: CommitRequest) -> Committed:
        """Commit one notebook in the name of the one who asks."""

        def work() -> Committed:
            file, repository, name = self._place(body.path)
            content = self._revisions.content(file, DISK)
            by = repository.person(asker.name, local_user())
            return Committed(repository.commit_file(name, content, body.message, by))

        if not body.message.strip():
            raise BadRequest("The commit has no message.", hint="Say what changed.")
        committed = await _in_time(work)
        self._events.announce(Changed("notebook", body.path))
        return committed

    async def get_radar(self, asker: Asker, query: NotebookPath) -> RadarView:
        """What colleagues have changed and not committed, if the one who asks shares too."""

        def work() -> RadarView:
            if outside := self._outside(query.path):
                return RadarView("off", "", [], [], outside=f"{outside.message} {outside.hint}")
            return self._radar(asker, query.path)

        return await _in_time(work)

    async def set_radar(self, asker: Asker, body: RadarRequest) -> RadarView:
        """Choose what others see of one's uncommitted work: nothing, a notebook, a repository."""

        def work() -> RadarView:
            file, repository, name = self._place(body.path)
            if body.remote and body.remote not in repository.remotes():
                raise NotFound(f"There is no remote {body.remote!r}.", hint="See 'git remote -v'.")
            before = self._choices.of(asker.name, repository.id)
            after = radar.changed(before, name, body.sharing, body.remote)
            self._choices.set(asker.name, repository.id, after)
            # Begun anew: what is no longer shared is not in what others see.
            withdraw = partial(radar.withdraw, repository, asker.name, before)
            problem = self._remotes.asked(repository, before, withdraw, anew=True)
            if before.remote and not self._choices.are_any(repository.id, before.remote):
                radar.forget(repository, before.remote)
            self._share(asker, file, repository, name)
            view = self._radar(asker, body.path)
            return view if view.problem or not problem else msgspec.structs.replace(view, problem=problem)

        return await _in_time(work)

    def _radar(self, asker: Asker, path: str) -> RadarView:
        file, repository, name = self._place(path)
        choice = self._choices.of(asker.name, repository.id)
        problem = ""
        if radar.sharing(choice, name) != "off":
            problem = self._remotes.asked(repository, choice, lambda: radar.fetch(repository, asker.name, choice))
        seen = radar.look(repository, name, self._on_disk(file), asker.name, choice, datetime.now(UTC), read_notebook)
        return RadarView(radar.sharing(choice, name), choice.remote, sorted(repository.remotes()), seen, problem)

    def _keep(self, asker: Asker, file: Path, repository: Repository, name: str) -> str | None:
        content = self._revisions.content(file, DISK)
        by = repository.person(asker.name, local_user())
        kept = snapshots.take(repository, {name: content}, asker.name, by)
        self._share(asker, file, repository, name)
        return kept

    def _share(self, asker: Asker, file: Path, repository: Repository, name: str) -> None:
        choice = self._choices.of(asker.name, repository.id)
        by = repository.person(asker.name, local_user())
        radar.share(repository, name, self._revisions.content(file, DISK), asker.name, by, choice)
        if radar.sharing(choice, name) != "off" and choice.remote:
            self._remotes.asked(repository, choice, lambda: radar.exchanged(repository, asker.name, choice))

    def _outside(self, path: str) -> NotFound | None:
        """Why it is in no git repository: pages ask for every notebook that is open, and that is no fault."""
        file = self._revisions.file(path)
        try:
            Repository.of(file)
        except NotFound as error:
            return error
        return None

    def _place(self, path: str) -> tuple[Path, Repository, str]:
        file = self._revisions.file(path)
        repository = Repository.of(file)
        return file, repository, repository.name(file)

    def _side(self, path: str, revision: str, given: dict[str, Any] | None, *, absent: bool = False) -> dict[str, Any]:
        """One of the notebooks that are compared; one that is not there has no cells, if it may be absent."""
        if given is not None:
            try:
                return plain(given)
            except (KeyError, TypeError, AttributeError) as error:
                raise Unprocessable("What was sent is no notebook.", hint="It needs 'cells' and 'metadata'.") from error
        file = self._revisions.file(path)
        try:
            return self._revisions.notebook(file, revision)
        except NotFound:
            if not absent:
                raise
            return {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}

    def _names_of_sides(self, path: str) -> tuple[str, str]:
        """What git wrote at its marks; ours it calls HEAD, which says less than the branch."""
        file, repository, _ = self._place(path)
        found = sides(self._revisions.content(file, DISK).decode(errors="replace"))
        return repository.branch, found.theirs_label if found else ""

    def _require_sharing(self, asker: Asker, path: str) -> None:
        """
        Raises:
            Forbidden: the one who asks lets nobody see their own copy
        """
        _, repository, name = self._place(path)
        if radar.sharing(self._choices.of(asker.name, repository.id), name) == "off":
            raise Forbidden(
                f"You do not share your work on {path}: you cannot see what others share.",
                hint="Switch on 'Share Uncommitted Work on This Notebook'.",
            )

    def _on_disk(self, file: Path) -> list[Cell]:
        cells: list[Cell] = self._revisions.notebook(file, DISK)["cells"]
        return cells


def _index(cells: list[Cell], cell: str) -> int:
    """Which cell is meant by an id or an index."""
    found = next((index for index, one in enumerate(cells) if one.get("id") == cell), None)
    if found is None and cell.isdecimal() and len(cell) < 10 and int(cell) < len(cells):
        found = int(cell)
    if found is None:
        raise NotFound(f"There is no cell {cell!r} in the saved notebook.", hint="Save it, then look again.")
    return found


def _under_same_header(base: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """`other` with the metadata of `base`, where its text would have the header that this one has.

    Opened with a kernel, a text notebook knows that kernel, which no text says before something else is changed.
    """
    from jupyter_slipway.notebooks.text import same_header

    was, now = base["metadata"], other["metadata"]
    return other | {"metadata": was} if same_header(was, now) or same_header(now, was) else other


def _without_outputs(notebook: dict[str, Any]) -> dict[str, Any]:
    return notebook | {"cells": [cell | EMPTY if "outputs" in cell else cell for cell in notebook["cells"]]}


async def _in_time(work: Callable[[], T]) -> T:
    """
    Raises:
        Unavailable: it takes longer than `LIMIT`, or the repository is broken
        Unprocessable: it goes deeper than Python can follow
    """
    try:
        return await asyncio.wait_for(asyncio.to_thread(work), LIMIT)
    except TimeoutError as error:
        raise Unavailable(
            f"This notebook takes more than {LIMIT:.0f} s.", hint="Compare it in a terminal: jupyter slipway diff."
        ) from error
    except RecursionError as error:
        raise Unprocessable("Something in this notebook is nested too deeply.", hint="Clear its outputs.") from error
    except SlipwayError:
        raise
    except Exception as error:  # what is broken of a repository, libgit2 meets in the middle of anything
        if is_of_git(error):
            raise Unavailable(
                f"git's own files cannot be used: {error}.", hint="'git status' and 'git fsck' say what is wrong."
            ) from error
        raise


ENDPOINTS = (
    Endpoint("POST", "/notebooks/diff", Compare.diff_notebook, "read"),
    Endpoint("POST", "/notebooks/merge", Compare.merge_notebook, "read"),
    Endpoint("POST", "/notebooks/resolve", Compare.resolve_notebook, "write"),
    Endpoint("GET", "/notebooks/references", Compare.list_references, "read"),
    Endpoint("GET", "/notebooks/history", Compare.notebook_history, "read"),
    Endpoint("GET", "/notebooks/blame", Compare.blame_notebook, "read"),
    Endpoint("POST", "/notebooks/restore", Compare.restore_notebook, "write"),
    Endpoint("POST", "/notebooks/snapshots", Compare.snapshot_notebook, "write"),
    Endpoint("POST", "/notebooks/commits", Compare.commit_notebook, "write", status=201),
    Endpoint("GET", "/notebooks/radar", Compare.get_radar, "read"),
    Endpoint("PUT", "/notebooks/radar", Compare.set_radar, "write"),
)
