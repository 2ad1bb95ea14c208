"""What colleagues have changed in a notebook and not committed yet, cell by cell. Off until a person switches it on.

Who shares has one more chain of snapshots, of the shared notebooks alone, on a ref that others look at: in the same
repository folder, its worktrees, or through a remote. Who does not share sees nobody and is seen by nobody.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from jupyter_slipway.decoding import from_json
from jupyter_slipway.errors import SlipwayError
from jupyter_slipway.files import atomic_write
from jupyter_slipway.notebooks import exchange, snapshots
from jupyter_slipway.notebooks.diff import Cell, same_cells
from jupyter_slipway.notebooks.git import Person, Repository

SHARED = "refs/slipway/radar"
AGE = timedelta(days=14)
"""Work that was not shared again for so long is not shown: it was forgotten, or its branch is gone."""
LOOKED_BACK = 30
"""Snapshots read to tell who of two who share a folder wrote what."""
LONG = 3.0
"""Seconds after which a remote that then fails is one that lets others wait."""
ALONE = 60.0
"""Seconds that such a one is left alone."""
Sharing = Literal["off", "notebook", "repository"]


class Choice(Struct, frozen=True):
    """What a person shares of one repository."""

    all: bool = False
    notebooks: tuple[str, ...] = ()
    remote: str = ""
    """Through which remote; empty: only with whom shares the folder."""


class Seen(Struct, frozen=True):
    """A cell that a colleague changed."""

    index: int | None
    """Which cell of the file on disk here; None: it is one that they added."""
    after: int | None
    """For an added one, the cell here that it follows; None: it is the first."""
    cell: str
    """Its id; empty when it has none."""
    who: str
    at: datetime
    what: Literal["edited", "added", "removed"]
    source: str
    """As it is there; empty when they removed it."""
    both: bool
    """Whether it was changed here as well, to something else: a conflict in the making."""


class Choices:
    """Who shares what: a file of our own home, read anew each time, since commands write it too."""

    def __init__(self, file: Path) -> None:
        self._file, self._lock = file, threading.Lock()

    def of(self, user: str, repository: str) -> Choice:
        return self._all().get(user, {}).get(repository, Choice())

    def set(self, user: str, repository: str, choice: Choice) -> None:
        with self._lock:
            everyone = self._all()
            everyone.setdefault(user, {})[repository] = choice
            atomic_write(self._file, msgspec.json.encode(everyone))

    def are_any(self, repository: str, remote: str) -> bool:
        """Whether anybody here shares something of it through the remote."""
        choices = [of_one[repository] for of_one in self._all().values() if repository in of_one]
        return any(one.remote == remote and (one.all or one.notebooks) for one in choices)

    def _all(self) -> dict[str, dict[str, Choice]]:
        try:
            return from_json(self._file.read_bytes(), dict[str, dict[str, Choice]])
        except FileNotFoundError:
            return {}


def sharing(choice: Choice, name: str) -> Sharing:
    return "repository" if choice.all else "notebook" if name in choice.notebooks else "off"


def changed(choice: Choice, name: str, to: Sharing, remote: str) -> Choice:
    """The choice after a person set what of `name`'s repository they share."""
    if to == "repository":
        return Choice(True, choice.notebooks, remote)
    others = tuple(one for one in choice.notebooks if one != name)
    return Choice(False, (*others, name) if to == "notebook" else others, remote)


def share(repository: Repository, name: str, content: bytes, user: str, by: Person, choice: Choice) -> None:
    """Let others see the notebook as it is now, if it is shared."""
    if sharing(choice, name) != "off":
        snapshots.take(repository, {name: content}, user, by, kind=SHARED)


def withdraw(repository: Repository, user: str, choice: Choice) -> None:
    """Nobody sees any more what the person shared: here at once, through the remote if it answers.

    Raises:
        Unavailable: the remote did not take it back
    """
    mine = repository.references(_prefix(user))
    for name in mine:
        repository.set_reference(name, None)
    if choice.remote and (url := repository.remotes().get(choice.remote)):
        exchange.push(repository.objects, url, dict.fromkeys(mine, ""))


def forget(repository: Repository, remote: str) -> None:
    """Who shares nothing any more keeps nothing of what others share."""
    for name in repository.references(_fetched(remote, SHARED)):
        repository.set_reference(name, None)


class Remotes:
    """What remotes said. Every page asks twice a minute: one that lets them wait is left alone for a while."""

    def __init__(self) -> None:
        self._silent: dict[tuple[str, str], tuple[float, str]] = {}

    def asked(self, repository: Repository, choice: Choice, work: Callable[[], None], *, anew: bool = False) -> str:
        """Do what a remote may refuse: what it said, as the folder's own part is done all the same.

        Args:
            anew: also of one that is left alone
        """
        key, began = (repository.id, choice.remote), time.monotonic()
        until, problem = self._silent.get(key, (0.0, ""))
        if began < until and not anew:
            return problem
        try:
            work()
        except SlipwayError as error:
            problem = f"{error.message} {error.hint}".strip()
            if (now := time.monotonic()) - began > LONG:
                self._silent[key] = (now + ALONE, problem)
            return problem
        self._silent.pop(key, None)
        return ""


def exchanged(repository: Repository, user: str, choice: Choice) -> None:
    """Push what the person shares, and fetch what others do.

    Raises:
        Unavailable: the remote does not answer
    """
    if url := repository.remotes().get(choice.remote):
        exchange.push(repository.objects, url, repository.references(_prefix(user)))
        fetch(repository, user, choice)


def fetch(repository: Repository, user: str, choice: Choice) -> None:
    """Fetch what others share through the person's remote.

    Raises:
        Unavailable: the remote does not answer
    """
    url = repository.remotes().get(choice.remote)
    if url is None:
        return
    own = _prefix(user)
    there = exchange.fetch(repository.objects, url, SHARED)
    for name, commit in there.items():
        if not name.startswith(own):
            repository.set_reference(_fetched(choice.remote, name), commit)
    for name in repository.references(_fetched(choice.remote, SHARED)):
        if name.replace(_fetched(choice.remote, SHARED), SHARED, 1) not in there:
            repository.set_reference(name, None)


def look(
    repository: Repository,
    name: str,
    cells: Sequence[Cell],
    user: str,
    choice: Choice,
    now: datetime,
    read: Callable[[str, bytes], Any],
) -> list[Seen]:
    """What others changed in the notebook, in the order of its cells; nothing when the person shares nothing of it.

    Args:
        cells: of the file on disk
        read: makes a notebook of a name and bytes
    """
    if sharing(choice, name) == "off":
        return []
    found: list[Seen] = []
    mine = _first_seen(repository, snapshots.ref(SHARED, user, repository.branch), name, read)
    for reference, who in _shared_by_others(repository, user, choice):
        snapshot = snapshots.latest(repository, reference)
        if snapshot is None or now - snapshot.at > AGE:
            continue
        try:
            there = read(name, repository.content(snapshot.id, name))["cells"]
        except SlipwayError:
            continue
        before = _cells_at(repository, snapshot.base, name, read)
        committed = _cells_at(repository, repository.head or "", name, read)
        theirs = _first_seen(repository, reference, name, read)

        def wrote(source: str, theirs: dict[str, datetime] = theirs) -> bool:
            """Whether they had a source before the person who looks had it: one folder gives both the same text."""
            return source in theirs and (source not in mine or theirs[source] < mine[source])

        found += _changes(before, there, cells, committed, who, snapshot.at, wrote)
    # The same person through folder and remote, or on two branches: the newest counts.
    newest: dict[tuple[str, int | None, str], Seen] = {}
    for seen in sorted(found, key=lambda seen: seen.at):
        newest[seen.who, seen.index, seen.source if seen.index is None else ""] = seen
    return sorted(
        newest.values(),
        key=lambda seen: (next((at for at in (seen.index, seen.after) if at is not None), -1), seen.who),
    )


def colleagues(repository: Repository, name: str, user: str, choice: Choice) -> list[str]:
    """Who shares the notebook; nobody when the person shares nothing of it."""
    if sharing(choice, name) == "off":
        return []
    found = set()
    for reference, who in _shared_by_others(repository, user, choice):
        try:
            repository.blob_id(reference, name)
        except SlipwayError:
            continue
        found.add(who)
    return sorted(found)


def _shared_by_others(repository: Repository, user: str, choice: Choice) -> list[tuple[str, str]]:
    """Refs with what others share, here and through the person's remote, and whose they are."""
    refs = repository.references(f"{SHARED}/") | repository.references(f"{SHARED}-from/{choice.remote}/")
    return [(reference, who) for reference in refs if (who := whose(reference)) != user]


def whose(reference: str) -> str:
    """The person whose chain a ref is."""
    return unquote(reference.split("/")[-2].replace("=", "%"))


def _changes(
    before: Sequence[Cell],
    there: Sequence[Cell],
    here: Sequence[Cell],
    committed: Sequence[Cell],
    who: str,
    at: datetime,
    wrote: Callable[[str], bool],
) -> list[Seen]:
    """What `who` made of `before`, told in cells that are `here`."""
    kept = dict(same_cells(before, there))
    origin = {j: i for i, j in kept.items()}
    place = dict(same_cells(there, here))
    home = dict(same_cells(before, here))
    own = dict(same_cells(here, committed))
    found = []

    def edited_here(index: int) -> bool:
        return index not in own or here[index]["source"] != committed[own[index]]["source"]

    def seen(index: int | None, after: int | None, what: Literal["edited", "added", "removed"], source: str) -> Seen:
        mine = here[index] if index is not None else None
        both = mine is not None and edited_here(index or 0) and mine["source"] != source
        return Seen(index, after, (mine or {}).get("id", ""), who, at, what, source, both)

    last: int | None = None
    for j, cell in enumerate(there):
        index = place.get(j, home.get(origin[j]) if j in origin else None)
        if j not in origin and index is None:
            found.append(seen(None, last, "added", cell["source"]))
        elif (
            index is not None
            and (j not in origin or cell["source"] != before[origin[j]]["source"])
            and (here[index]["source"] != cell["source"] or wrote(cell["source"]))
        ):
            found.append(seen(index, None, "edited" if j in origin else "added", cell["source"]))
        last = index if index is not None else last
    for i in range(len(before)):
        if i not in kept and i in home:
            found.append(seen(home[i], None, "removed", ""))
    return found


def _first_seen(
    repository: Repository, reference: str, name: str, read: Callable[[str, bytes], Any]
) -> dict[str, datetime]:
    """When each source of a notebook first stood in a chain of snapshots, as far as `LOOKED_BACK`."""
    found: dict[str, datetime] = {}
    last = ""
    for snapshot in snapshots.chain(repository, reference, LOOKED_BACK):
        try:
            blob = repository.blob_id(snapshot.id, name)
            if blob != last:
                last, sources = blob, [cell["source"] for cell in read(name, repository.blob(blob))["cells"]]
        except SlipwayError:
            continue
        found |= dict.fromkeys(sources, snapshot.at)
    return found


def _cells_at(repository: Repository, commit: str, name: str, read: Callable[[str, bytes], Any]) -> list[Cell]:
    try:
        cells: list[Cell] = read(name, repository.content(commit, name))["cells"] if commit else []
    except SlipwayError:
        # The notebook is newer than that commit.
        return []
    return cells


def _prefix(user: str) -> str:
    return snapshots.ref(SHARED, user, "x")[:-1]


def _fetched(remote: str, name: str) -> str:
    return name.replace(SHARED, f"{SHARED}-from/{remote}", 1)
