"""Making room in a store, and looking whether all that is in it is whole.

Kept is what a commit that can be reached needs, what the last versions of each path need, and what is young: it may
belong to a save that is just going on, or to a text that somebody is about to commit.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec

from jupyter_slipway import git
from jupyter_slipway.decoding import from_json
from jupyter_slipway.errors import Unavailable
from jupyter_slipway.files import atomic_write, read_whole
from jupyter_slipway.notebooks import layout
from jupyter_slipway.notebooks.manifests import digests
from jupyter_slipway.notebooks.model import Finding, Freed, Health, Usage
from jupyter_slipway.notebooks.store import LARGEST_HEAD, Store

VERSIONS = 20
"""Of each path, kept whether or not they were committed."""
GRACE = timedelta(days=14)
"""What is younger is kept."""
LOST = "lost"
"""The folder for what is not what its name says: out of the way of what will be written under that name again."""
PATIENCE = 600.0
"""Seconds that git may take to say what can be reached."""


def usage(store: Store) -> Usage:
    """Counts and bytes; reads no content."""
    versions, blobs = list(_versions(store)), list(store.blobs.all())
    size = sum(_size(path) for _, path in [*versions, *blobs])
    counts = (sum(1 for _ in store.heads()), len(versions), len(blobs), size)
    stamp = layout.collected_path(store.folder)
    try:
        freed = from_json(read_whole(stamp, LARGEST_HEAD), Freed)
        return Usage(str(store.folder), *counts, stamp.stat().st_mtime, freed)
    except (OSError, msgspec.MsgspecError):
        return Usage(str(store.folder), *counts)


def collect(
    store: Store, *, now: float | None = None, grace: timedelta = GRACE, versions: int = VERSIONS, dry_run: bool = False
) -> Freed:
    """Take out what nothing needs any more.

    Args:
        now: seconds since 1970
        versions: how many of each path are kept in any case
        dry_run: only say what would go
    """
    young = (time.time() if now is None else now) - grace.total_seconds()
    wanted, note = _wanted(store, versions)
    needed = {head.text for head in store.heads()}
    gone: list[Path] = []
    kept = kept_size = 0
    for id, path in _versions(store):
        if wanted is None or id in wanted or _changed(path) > young:
            kept, kept_size = kept + 1, kept_size + _size(path)
            version = store.load(id)
            needed.update(digests(version.record) if version else ())
        else:
            gone.append(path)
    dropped = [path for digest, path in store.blobs.all() if digest not in needed and _changed(path) <= young]
    kept_size += sum(_size(path) for digest, path in store.blobs.all() if digest in needed or _changed(path) > young)
    freed = sum(_size(path) for path in [*gone, *dropped])
    if not dry_run:
        # Versions first: a kill in between leaves bytes that nothing refers to, not a version without its bytes.
        for path in [*gone, *dropped]:
            path.unlink(missing_ok=True)
    made = Freed(len(gone), len(dropped), freed, kept, kept_size, note)
    if not dry_run and store.folder.is_dir():
        # Not through a link, which may lead anywhere.
        atomic_write(layout.collected_path(store.folder), msgspec.json.encode(made))
    return made


def examine(store: Store) -> Health:
    """Read everything: is each blob what its name says, does each version find its blobs.

    A blob that is not goes to 'lost', so that the next save of that output writes it anew.
    """
    findings: list[Finding] = []
    here: set[str] = set()
    read = versions = 0
    for digest, path in list(store.blobs.all()):
        read += _size(path)
        if store.blobs.get(digest) is not None:
            here.add(digest)
            continue
        findings.append(Finding("its bytes are not what its name says: moved to 'lost'", digest))
        (store.folder / LOST).mkdir(exist_ok=True)
        os.replace(path, store.folder / LOST / digest)
    for id, path in _versions(store):
        versions += 1
        read += _size(path)
        version = store.load(id)
        if version is None:
            findings.append(Finding("a version that cannot be read", id))
            continue
        if not version.ours:
            findings.append(Finding("a version that was not made here: its outputs are not trusted", id))
        missing = sorted(set(digests(version.record)) - here)
        if missing:
            findings.append(Finding(f"a version of {version.record.path} that misses {len(missing)} outputs", id))
    for head in store.heads():
        if head.text and head.text not in here:
            findings.append(Finding(f"the text that {head.path} was before it was converted is missing", head.text))
    return Health(versions, len(here), read, findings)


def _wanted(store: Store, versions: int) -> tuple[set[str] | None, str]:
    """Ids of texts whose outputs are kept, and why none may go; None: all are kept."""
    wanted = {seen.id for head in store.heads() for seen in head.versions[-versions:]} if versions else set()
    if not (store.folder.parent / ".git").exists():
        return wanted, ""
    try:
        return wanted | reachable(store.folder.parent), ""
    except Unavailable as error:
        return None, f"{error.message} So no version was dropped."


def reachable(repository: Path) -> set[str]:
    """Ids of all files in commits that can be reached: from refs, reflogs, the index, other worktrees.

    Raises:
        Unavailable: git is not here, or cannot tell
    """
    listed = ["rev-list", "--objects", "--no-object-names", "--all", "--reflog", "--indexed-objects"]
    try:
        heads = git.ask(repository, "worktree", "list", "--porcelain", within=PATIENCE)
        others = [line.removeprefix("HEAD ") for line in heads.splitlines() if line.startswith("HEAD ")]
        others = [head for head in others if head.strip("0")]
        found = set(git.ask(repository, *listed, *others, within=PATIENCE).split())
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(f"git does not say what is committed: {error}.", hint="Mend the repository.") from error
    if any(len(id) != 40 for id in found):
        raise Unavailable("The repository names its files by sha256.", hint="Outputs are known by sha1 names only.")
    return found


def _versions(store: Store) -> Iterator[tuple[str, Path]]:
    """Text id and path of each."""
    yield from layout.kept_in(store.folder / "outputs")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
