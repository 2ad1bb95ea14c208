"""One file on disk, as the shared documents that have it open read and write it: through the contents manager.

Used by `openfile`, which says when. Tells other servers on the folder what it writes, and what they tell; see `trail`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache, partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import msgspec
from jupyter_server.utils import ensure_async
from msgspec import Struct
from tornado.web import HTTPError

from jupyter_slipway.decoding import from_builtins, from_json
from jupyter_slipway.errors import BadRequest, SlipwayError
from jupyter_slipway.notebooks import age, layout, text, writing
from jupyter_slipway.notebooks.bases import Content, Passed, Told, without_results
from jupyter_slipway.notebooks.contents import TEXTS, KeepsOutputs
from jupyter_slipway.notebooks.documents import Stamps, parse
from jupyter_slipway.notebooks.layout import text_id
from jupyter_slipway.notebooks.sightings import State, state_of
from jupyter_slipway.notebooks.text import OURS
from jupyter_slipway.notebooks.trail import Step, Trail
from jupyter_slipway.notebooks.views import NotebookView, View

NOTHING = Stamps(None, None)
PASSED = 8
"""States that others have put there for a moment; the last of them are looked at."""


class Written(NamedTuple):
    state: State | None
    hash: str
    last_modified: Any


class Disk:
    """One file, through the contents manager.

    Args:
        loader: jupyter_server_ydoc's: it knows where the file is now
    """

    def __init__(self, manager: KeepsOutputs, loader: Any) -> None:
        self.manager, self._loader = manager, loader
        self._path = str(loader.path)
        self._newlines: dict[str, str] = {}
        self._trail: Trail | None = None

    @property
    def trail(self) -> Trail:
        store, path = self.manager.documents.store(self.file)
        folder = layout.recent_path(store.folder, path)
        if self._trail is None or self._trail.folder != folder:
            self.end()
            # Servers of one person have one home.
            self._trail = Trail(folder, layout.recent_path(self.manager.home, str(self.file)))
        return self._trail

    def end(self) -> None:
        """The file is not open any more."""
        if self._trail:
            self._trail.end()

    @property
    def path(self) -> str:
        """From the server's root; where it last was, when it was deleted."""
        with suppress(RuntimeError):
            self._path = str(self._loader.path)
        return self._path

    @property
    def file(self) -> Path:
        return Path(self.manager._get_os_path(self.path))

    def went_to(self, path: str) -> None:
        """Its content is in another file from here on."""
        if self.path == path:  # another server, with the same list of ids, has said so
            return
        ids = self._loader._file_id_manager
        # One of that name may have been there before.
        ids.delete(path)
        ids.move(self.path, path)

    async def successor(self, state: State) -> str | None:
        """The path of what the file was converted to, by whomever, after it was in this state."""
        found = await asyncio.to_thread(self.manager.documents.successor, self.file, state)
        return str(PurePosixPath(self.path).with_name(found.name)) if found else None

    async def state(self) -> State | None:
        # Where the file is, only this thread may ask.
        return await asyncio.to_thread(state_of, self.file)

    async def kept(self) -> Stamps:
        """What lies beside a text notebook, as this server last saw it and as it is now."""
        return await asyncio.to_thread(self.manager.documents.stamps, self.file) or NOTHING

    async def read(self, view: View) -> Content:
        """
        Raises:
            HTTPError: there is none, or it cannot be read as what the view shows
        """
        model = await ensure_async(self.manager.get(self.path, content=True, type=view.type, format=view.format))
        return self.content(view.type, model)

    def content(self, type: str, model: Mapping[str, Any]) -> Content:
        """What a model holds, as shared documents have it, and its outputs `dated`."""
        self._loader.last_modified = model["last_modified"]
        found = model["content"]
        if type == "notebook":
            found = _plain(found)
            said = found["metadata"].pop(OURS, None)
            made = said.get("made") if isinstance(said, dict) else None
            if isinstance(made, dict):
                found["cells"] = [age.dated(cell, made.get(cell.get("id"))) for cell in found["cells"]]
            return found
        if isinstance(found, str):
            said, self._newlines[type] = _decoded(found.encode("utf-8", "surrogatepass"), self.path)
            return said
        return found

    async def write(self, view: View, content: Content) -> Written:
        """Put `content` in place of the state that the view has seen.

        Raises:
            HTTPError: it is not written
        """
        kind = view.type if view.type in ("notebook", "file") else "file"
        if isinstance(content, str):
            content = content.replace("\n", self._newlines.get(view.type, "\n"))
        if await self.state() != view.seen:
            # It would be found out at the last moment too, and the server would call that an error.
            raise HTTPError(409, f"{self.path} changed on disk just now.")
        # Where the file is, only this thread may ask.
        file = self.file
        inputs = without_results(content) if view.is_notebook and file.suffix not in TEXTS else None
        announce = partial(_announce, self.trail, view, inputs)
        with writing.expecting(file, view.seen, announce) as replaced:
            await ensure_async(self.manager.save({"type": kind, "format": view.format, "content": content}, self.path))
        told = await ensure_async(self.manager.get(self.path, content=False, require_hash=True))
        self._loader.last_modified = told["last_modified"]
        return Written(replaced.became or view.seen, str(told["hash"]), told["last_modified"])

    async def told(self, view: View, state: State) -> Told:
        """What other servers tell of the file's change to this state."""
        config = await ensure_async(self.manager.get_config(self.path, use_cache=True))
        file, steps = self.file, cache(self.trail.read)

        def passed() -> Iterator[Passed]:
            found = steps()
            here = set(found.known_here(view.seen)) if view.seen else ()
            unseen = [became for became in found.written if became != state and not view.bases.has_seen(became)]
            for became in sorted(unseen)[-PASSED:]:
                base = next(filter(view.bases.has_seen, found.known_to_writer(became)), None)
                shown = _shown(view, found.written[became], file, config) if base or became in here else None
                if shown is not None:
                    yield Passed(shown, None if became in here else base)

        return Told(lambda: steps().known_to_writer(state), lambda: list(passed()))


class _Cell(Struct):
    id: str
    cell_type: str
    source: str
    metadata: dict[str, Any]


class _Inputs(Struct):
    """What there is to a notebook, whoever wrote it down."""

    cells: list[_Cell]
    metadata: dict[str, Any]


def _announce(trail: Trail, view: View, inputs: Content | None, written: Path, became: State) -> None:
    """Tell other servers what is about to be on disk.

    Args:
        inputs: of an .ipynb
    """
    if inputs:
        trail.leave(Step(became, view.seen, json.dumps(inputs), is_json=True))
    else:
        with suppress(BadRequest):
            trail.leave(Step(became, view.seen, _decoded(written.read_bytes(), written.name)[0]))


def _shown(view: View, step: Step, file: Path, config: Any) -> Content | None:
    """What another server wrote, as this view has it; None where it cannot be."""
    if not isinstance(view, NotebookView):
        return None if step.is_json else step.said
    said = step.said or ""
    try:
        if file.suffix not in TEXTS:
            notebook = from_json(said)
            from_builtins(notebook, _Inputs)
        else:
            notebook = _plain(parse(said, file, config))
            view.identify(notebook)
    except (BadRequest, msgspec.MsgspecError, RecursionError):
        return None
    return notebook


def is_committed(file: Path) -> bool:
    """Whether git knows the file's content as it is now."""
    from jupyter_slipway.notebooks.git import Repository

    try:
        Repository.of(file).blob(text_id(file.read_bytes()))
    except (SlipwayError, KeyError, OSError, ValueError):
        return False
    return True


def _decoded(content: bytes, name: str) -> tuple[str, str]:
    """A text as shared documents have it, and what ends its lines on disk.

    Raises:
        BadRequest: it is not UTF-8
    """
    decoded = text.decode(content, name)
    return decoded.mark * "\ufeff" + decoded.text, decoded.newline


def _plain(value: Any) -> Any:
    """nbformat's nodes as dicts."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
