"""Where a notebook's outputs lie: `.slipway/` at the top of its git repository, else in the server's root.

.slipway/
├── .gitignore        '*': git never sees any of it
├── blobs/ab/cd…      bytes by their sha256
├── outputs/1f/2e…    manifests, by the git blob id of the text they belong to
├── heads/            which versions each path went through
├── recent/           what servers have just written: see `trail`
└── locks/
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from jupyter_slipway.files import atomic_write, private_directory

FOLDER = ".slipway"
IGNORE = b"# Outputs of text notebooks. Not for git: see `jupyter slipway store`.\n*\n"


def store_of(notebook: Path, root: Path) -> Path:
    """The folder for the outputs of `notebook`; neither of the two need exist yet.

    Args:
        notebook: absolute; taken as it is written, so that a link keeps its outputs where the link is
        root: what the notebook is opened from, such as the server's root; used outside of git
    """
    above = list(notebook.parents)
    top = next((folder for folder in above if os.path.exists(f"{folder}/.git")), None)
    # Without git: where outputs of this folder are kept already, such as by a server with another root.
    top = top or next((folder for folder in above if os.path.exists(f"{folder}/{FOLDER}/.gitignore")), None)
    return (top or (root if root in above else notebook.parent)) / FOLDER


def prepare(store: Path) -> None:
    """Make the folder, which keeps itself out of git.

    Raises:
        FileExistsError: in its place lies a file, or a link to a folder that was not made so
    """
    if not is_ours(store):
        if store.is_symlink():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(store))
        private_directory(store)
        atomic_write(store / ".gitignore", IGNORE)


def is_ours(store: Path) -> bool:
    """Whether it was made by `prepare`."""
    return (store / ".gitignore").exists()


def kept_in(folder: Path) -> Iterator[tuple[str, Path]]:
    """What lies in its folders of two digits, and where. Nothing behind a link: that may lead to whatever is not ours,
    such as git's own objects, which lie just like this.
    """
    if folder.is_symlink():
        return
    for part in sorted(folder.glob("[0-9a-f][0-9a-f]")):
        if part.is_dir() and not part.is_symlink():
            for path in sorted(part.iterdir()):
                if not path.name.startswith(".") and (path.is_symlink() or not path.is_dir()):
                    yield part.name + path.name, path


def blob_path(store: Path, digest: str) -> Path:
    return store / "blobs" / digest[:2] / digest[2:]


def manifest_path(store: Path, text_id: str) -> Path:
    return store / "outputs" / text_id[:2] / text_id[2:]


def head_path(store: Path, path: str) -> Path:
    return store / "heads" / f"{_key(path)}.json"


def collected_path(store: Path) -> Path:
    """What was freed last; its time is when."""
    return store / "collected.json"


def recent(store: Path) -> Path:
    return store / "recent"


def recent_path(store: Path, path: str) -> Path:
    return recent(store) / _key(path)


def lock_path(store: Path, path: str) -> Path:
    return store / "locks" / _key(path)


def text_id(content: bytes) -> str:
    """git's own id of a file with this content: `git rev-parse REVISION:PATH` finds its outputs."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _key(path: str) -> str:
    return hashlib.sha256(path.encode()).hexdigest()[:20]
