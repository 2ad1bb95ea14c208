"""Text notebooks over REST: convert one, and look after what is kept beside them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from msgspec import Meta, Struct

from jupyter_slipway.errors import BadRequest, Conflict
from jupyter_slipway.events import Changed, Events
from jupyter_slipway.notebooks.model import CellInputs, Followed, FollowedText, Freed, Health, Usage
from jupyter_slipway.notebooks.paths import file_below, refuse_link_out
from jupyter_slipway.web import Asker, Endpoint

if TYPE_CHECKING:
    from jupyter_slipway.notebooks.documents import Documents
    from jupyter_slipway.notebooks.store import Store

LARGEST = 512 * 2**20
"""Bytes of an .ipynb that are read."""


class ConvertRequest(Struct, frozen=True):
    notebook: str
    """Relative to the server's root."""
    format: str = "percent"
    """'percent', 'myst', 'markdown' or 'ipynb'."""
    keep: bool = False
    """Leave the old file where it is."""
    again: bool = False
    """An .ipynb that was a text before becomes one of that format, whatever 'format' says."""


class ConvertedNotebook(Struct, frozen=True):
    notebook: str
    """The new file, relative to the server's root."""
    cells: int
    outputs: int
    message: str


class StoreQuery(Struct, frozen=True):
    path: str = ""
    """A notebook or folder of the project; the server's root when empty."""


class CollectRequest(Struct, frozen=True):
    path: str = ""
    dry_run: bool = False
    """Only say what would go."""


class FsckRequest(Struct, frozen=True):
    path: str = ""


class FollowRequest(Struct, frozen=True):
    notebook: str
    """Relative to the server's root."""
    base: list[CellInputs]
    """As the page last had it from the disk, or wrote it."""
    mine: list[CellInputs]
    """As the page has it now."""
    clean: bool = False
    """Whether the page has nothing that is not saved."""


class FollowTextRequest(Struct, frozen=True):
    path: str
    """Relative to the server's root."""
    base: str
    """As the page last had it from the disk, or wrote it; its lines ended by '\\n'."""
    mine: str
    """As the page has it now."""


class SuccessorQuery(Struct, frozen=True):
    path: str
    """Of a file that is gone, relative to the server's root."""
    since: Annotated[float, Meta(ge=0, lt=1e10)] = 0.0
    """When it last changed, as the page has it, in seconds since 1970: what was converted before was another."""


class Successor(Struct, frozen=True):
    path: str
    """Of what it was converted to, relative to the server's root; '' when it was not, or is there again."""


class UndoMergeRequest(Struct, frozen=True):
    path: str
    """Relative to the server's root."""


class OpenDocuments(Protocol):
    """The files that are open in shared documents."""

    async def undo_merge(self, path: str) -> bool: ...

    def moving(self, path: str) -> AbstractAsyncContextManager[Callable[[str], None]]: ...


class Notebooks:
    """The text notebooks of this server's folder.

    Args:
        shared: None where no documents are shared
        hidden: whether hidden files are reached
    """

    def __init__(
        self, root: Path, home: Path, events: Events, shared: OpenDocuments | None = None, *, hidden: bool = True
    ) -> None:
        self._root, self._home, self._events, self._shared, self._hidden = root, home, events, shared, hidden

    async def convert_notebook(self, asker: Asker, body: ConvertRequest) -> ConvertedNotebook:
        """Write a notebook as text with its outputs beside it, or as .ipynb again."""
        if self._shared is None or body.keep:
            made = await asyncio.to_thread(self._convert, body)
        else:
            async with self._shared.moving(body.notebook.strip("/")) as follow:
                made = await asyncio.to_thread(self._convert, body)
                follow(made.notebook)
        self._events.announce(Changed("notebook", made.notebook))
        return made

    async def get_store(self, asker: Asker, query: StoreQuery) -> Usage:
        """How much is kept beside the text notebooks of a project."""
        from jupyter_slipway.notebooks import upkeep

        return await asyncio.to_thread(upkeep.usage, self._store(query.path))

    async def collect_store(self, asker: Asker, body: CollectRequest) -> Freed:
        """Take out outputs that no commit and none of the last versions needs."""
        from jupyter_slipway.notebooks import upkeep

        return await asyncio.to_thread(upkeep.collect, self._store(body.path), dry_run=body.dry_run)

    async def check_store(self, asker: Asker, body: FsckRequest) -> Health:
        """Read all that is kept, and say what is not whole."""
        from jupyter_slipway.notebooks import upkeep

        return await asyncio.to_thread(upkeep.examine, self._store(body.path))

    async def follow_notebook(self, asker: Asker, body: FollowRequest) -> Followed:
        """What a page that has a notebook open becomes when its file has changed: both, merged."""
        return await asyncio.to_thread(self._follow, body)

    async def follow_text(self, asker: Asker, body: FollowTextRequest) -> FollowedText:
        """What a page that has a text open becomes when its file has changed: both, merged."""
        return await asyncio.to_thread(self._follow_text, body)

    async def get_successor(self, asker: Asker, query: SuccessorQuery) -> Successor:
        """What a file was converted to, by whomever."""
        return await asyncio.to_thread(self._successor, query)

    async def undo_merge(self, asker: Asker, body: UndoMergeRequest) -> None:
        """Take back, in an open shared document, the last change on disk that was against what was typed there."""
        path = body.path.strip("/")
        if self._shared is None or not await self._shared.undo_merge(path):
            raise Conflict(
                f"There is no conflict in {path!r} to take back.", hint="Choose a side in the cell, or edit it."
            )

    def _follow_text(self, body: FollowTextRequest) -> FollowedText:
        from jupyter_slipway.notebooks import text
        from jupyter_slipway.notebooks.documents import read
        from jupyter_slipway.notebooks.following import follow_text

        file = self._file(body.path)
        content = read(file)
        decoded = text.decode(content, file.name)
        return follow_text(body.base, body.mine, decoded, hashlib.sha256(content).hexdigest(), file.suffix)

    def _follow(self, body: FollowRequest) -> Followed:
        from jupyter_slipway.notebooks.documents import read
        from jupyter_slipway.notebooks.following import follow

        file = self._file(body.notebook)
        is_text = file.suffix != ".ipynb"
        while True:
            content = read(file) if is_text else read(file, LARGEST)
            theirs = self._on_disk(file, content)
            if not is_text or file.read_bytes() == content:
                break
        hash = hashlib.sha256(content).hexdigest()
        return follow(body.base, body.mine, theirs, hash, text=is_text, clean=body.clean)

    def _successor(self, query: SuccessorQuery) -> Successor:
        file = self._file(query.path)
        found = None if file.exists() else self._documents().successor(file, (int(query.since * 1e9), 0, 0))
        return Successor(found.relative_to(self._root).as_posix() if found else "")

    def _on_disk(self, file: Path, content: bytes) -> dict[str, Any]:
        if file.suffix == ".ipynb":
            from jupyter_slipway.notebooks.glance import read_notebook

            return read_notebook(file.name, content)
        opened = self._documents().open(file)
        if opened is None:
            raise BadRequest(f"{file.name} is in a format whose cells are not marked.", hint="Reload it from disk.")
        for cell in opened.notebook["cells"]:
            if cell["cell_type"] == "code":
                cell["metadata"]["trusted"] = opened.trusted
        return opened.notebook

    def _convert(self, body: ConvertRequest) -> ConvertedNotebook:
        from jupyter_slipway.notebooks.convert import convert, form_of, former_form

        file = self._file(body.notebook)
        refuse_link_out(file, self._root)
        documents, form = self._documents(), form_of(body.format)
        made = convert(documents, file, (body.again and former_form(documents, file)) or form, keep=body.keep)
        path = made.target.relative_to(self._root).as_posix()
        counted = [
            f"{number} {what}{'s' * (number != 1)}" for number, what in ((made.cells, "cell"), (made.outputs, "output"))
        ]
        message = f"{made.source.name} is {made.target.name} now: {', '.join(counted)}."
        return ConvertedNotebook(path, made.cells, made.outputs, message)

    def _documents(self) -> Documents:
        from jupyter_slipway.notebooks.documents import Documents

        return Documents(self._root, self._home)

    def _store(self, path: str) -> Store:
        from jupyter_slipway.notebooks import conversions

        file, documents = self._file(path), self._documents()
        conversions.finish_left(documents)
        return documents.store(file / "any" if file.is_dir() else file)[0]

    def _file(self, path: str) -> Path:
        return file_below(self._root, path, hidden=self._hidden)


ENDPOINTS = (
    Endpoint("POST", "/notebooks/convert", Notebooks.convert_notebook, "write"),
    Endpoint("POST", "/notebooks/follow", Notebooks.follow_notebook, "read"),
    Endpoint("POST", "/notebooks/follow-text", Notebooks.follow_text, "read"),
    Endpoint("GET", "/notebooks/successor", Notebooks.get_successor, "read"),
    Endpoint("POST", "/notebooks/undo-merge", Notebooks.undo_merge, "write"),
    Endpoint("GET", "/notebooks/store", Notebooks.get_store, "read"),
    Endpoint("POST", "/notebooks/store/gc", Notebooks.collect_store, "write"),
    Endpoint("POST", "/notebooks/store/fsck", Notebooks.check_store, "write"),
)
