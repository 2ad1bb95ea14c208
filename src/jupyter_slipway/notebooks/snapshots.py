"""Uncommitted work kept in git, on refs that are nobody's branch: index, HEAD and files stay as they are.

One chain of commits a person and branch; each holds what was checked out with the person's files in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from urllib.parse import quote

from msgspec import Struct

from jupyter_slipway.notebooks.git import Person, Repository

SNAPSHOTS = "refs/slipway/snapshots"
KEPT = 200
"""Snapshots in a chain; then a new one begins, and git's own garbage collection takes the old."""
BASE, AT = "Base: ", "At: "
"""Lines of the message. git's own time counts whole seconds: too coarse to tell who of two wrote first."""
SUBJECT = "Uncommitted work"


class WorkSnapshot(Struct, frozen=True):
    id: str
    """The commit's."""
    base: str
    """The commit that was checked out; empty before the first."""
    at: datetime
    author: str


def ref(kind: str, user: str, branch: str) -> str:
    """The ref of a person's chain for a branch."""
    return f"{kind}/{_word(user)}/{_word(branch)}"


def take(
    repository: Repository, files: Mapping[str, bytes], user: str, by: Person, *, kind: str = SNAPSHOTS
) -> str | None:
    """Keep `files`, by their names from the repository's top, as they are now.

    Returns the snapshot's id; None when nothing changed since the last.
    """
    name = ref(kind, user, repository.branch)
    last = repository.reference(name)
    head = repository.head
    message = f"{SUBJECT}\n\n{BASE}{head or ''}\n{AT}{datetime.now(UTC).isoformat()}\n"
    if last is None:
        return repository.commit_beside(name, head, files, message, by, None)
    before = _read(repository, last)
    if before is not None and before.base == (head or ""):
        # On top of the last one: what it kept of other files stays kept.
        full = sum(1 for _ in repository.chain(last)) >= KEPT
        return repository.commit_beside(name, last, files, message, by, None if full else last)
    return repository.commit_beside(name, head, files, message, by, last)


def latest(repository: Repository, name: str) -> WorkSnapshot | None:
    """The newest snapshot of a ref."""
    last = repository.reference(name)
    return None if last is None else _read(repository, last)


def chain(repository: Repository, name: str, limit: int) -> Iterator[WorkSnapshot]:
    """The snapshots of a ref, newest first."""
    last = repository.reference(name)
    if last is None:
        return
    for commit in islice(repository.chain(last), limit):
        snapshot = _read(repository, str(commit.id))
        if snapshot is None:
            return
        yield snapshot


def _read(repository: Repository, id: str) -> WorkSnapshot | None:
    commit = repository.commit(id)
    subject, _, rest = commit.message.partition("\n")
    if subject != SUBJECT:
        return None
    told = {line[: line.find(" ") + 1]: line[line.find(" ") + 1 :] for line in rest.splitlines()}
    try:
        at = datetime.fromisoformat(told.get(AT, ""))
    except ValueError:
        at = datetime.fromtimestamp(commit.author.time, UTC)
    if at.tzinfo is None:  # another program's
        at = at.replace(tzinfo=UTC)
    return WorkSnapshot(id, told.get(BASE, ""), at, commit.author.name)


def _word(name: str) -> str:
    """A name as one part of a ref's: '/' and what git forbids there quoted."""
    quoted = quote(name, safe="").replace(".", "%2E").replace("~", "%7E")
    return quoted.replace("%", "=") or "="
