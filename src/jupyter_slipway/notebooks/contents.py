"""What the Jupyter server opens and saves files with: jupytext's contents manager, with outputs kept beside texts.

Built around whatever manager is configured, when the extension is linked: jupytext's own extension leaves one alone
that already has its traits. Text notebooks go to `documents`, off the event loop; paired files by jupytext's rules;
every file is written whole or not at all.
"""

from __future__ import annotations

import asyncio
import errno
import inspect
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import nbformat
from jupyter_server.services.contents.fileio import FileManagerMixin
from jupytext import build_async_jupytext_contents_manager_class, build_sync_jupytext_contents_manager_class
from jupytext.config import notebook_formats
from jupytext.formats import NOTEBOOK_EXTENSIONS
from jupytext.kernels import set_kernelspec_from_language
from tornado.web import HTTPError
from traitlets import Unicode

from jupyter_slipway.errors import SlipwayError
from jupyter_slipway.notebooks import sightings, writing
from jupyter_slipway.notebooks.documents import FULL, Documents, Opened
from jupyter_slipway.notebooks.merge import merge_notebooks
from jupyter_slipway.notebooks.text import FORMATS, OURS, Notebook

T = TypeVar("T")
TEXTS = frozenset(NOTEBOOK_EXTENSIONS) - {".ipynb", ".qmd"}
LARGEST = 512 * 2**20
"""Bytes of an .ipynb: more, once read, takes several times that much memory of the server."""


def text_notebooks(base: type, home: Path) -> type:
    """A contents manager class around `base`; `base` itself when it keeps its files elsewhere than on a disk."""
    if not issubclass(base, FileManagerMixin) or issubclass(base, KeepsOutputs):
        return base
    asynchronous = inspect.iscoroutinefunction(base.get)
    if not hasattr(base, "formats"):
        build = build_async_jupytext_contents_manager_class
        base = (build if asynchronous else build_sync_jupytext_contents_manager_class)(base)
    around = AsyncTextNotebooks if asynchronous else TextNotebooks
    return type(around.__name__, (around, base), {"home": home})


class KeepsOutputs:
    """What the two kinds of manager, with and without an event loop, have in common."""

    home: Path
    new_text_notebook = Unicode("py:percent").tag(config=True)

    root_dir: str
    checkpoints: Any
    notary: Any
    log: Any
    _get_os_path: Callable[[str], str]
    perm_to_403: Callable[[str], Any]
    use_atomic_writing: bool

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.documents = Documents(Path(self.root_dir).absolute(), self.home, merged)
        self.sightings = sightings.Sightings()
        checkpoints = self.checkpoints
        if isinstance(checkpoints, FileManagerMixin):
            _write_whole(checkpoints)

    @contextmanager
    def atomic_writing(self, os_path: str, text: bool = True, encoding: str = "utf-8", **options: Any) -> Iterator[Any]:
        """The server's own truncates in place: a kill in between leaves an empty file."""
        if not self.use_atomic_writing:
            with super().atomic_writing(os_path, text=text, encoding=encoding, **options) as file:  # type: ignore[misc]
                yield file
            return
        form: dict[str, Any] = {"mode": "w", "encoding": encoding, "newline": "\n"} if text else {"mode": "wb"}
        with self.perm_to_403(os_path), writing.replacing(Path(os_path), **form) as file:
            yield file

    def text_file(self, path: str) -> Path | None:
        """Where a text notebook lies; None for a file that cannot be one."""
        file = Path(self._get_os_path(path))
        return file if file.suffix in TEXTS else None

    def open_text(self, file: Path, path: str, config: Any) -> Opened | None:
        """None when it is left to jupytext: paired, or in a format without markers."""
        opened = self.documents.open(file, config)
        if opened is None or is_paired(opened.notebook, path, config):
            return None
        notebook = nbformat.from_dict(opened.notebook)
        set_kernelspec_from_language(notebook)
        self.notary.mark_cells(notebook, opened.trusted)
        return opened._replace(notebook=notebook)

    def save_text(self, file: Path, notebook: Notebook, path: str, config: Any) -> None:
        trusted = self.notary.check_cells(notebook)
        self.documents.save(file, notebook, format_for(notebook, file), trusted=trusted, config=config)

    def is_text(self, model: dict[str, Any], path: str, config: Any) -> bool:
        """Whether a notebook that is to be saved is kept as a text with its outputs beside it."""
        file = self.text_file(path)
        if file is None or format_for(model["content"], file) not in FORMATS:
            return False
        return not is_paired(model["content"], path, config)


class AsyncTextNotebooks(KeepsOutputs):
    async def get(
        self, path: str, content: bool = True, type: str | None = None, format: str | None = None, **more: Any
    ) -> Any:
        get: Callable[..., Awaitable[Any]] = partial(super().get, format=format)  # type: ignore[misc]
        path = path.strip("/")
        file = self.text_file(path)
        with speaking(path):
            if not content or type not in (None, "notebook") or not os.path.isfile(self._get_os_path(path)):
                if more.get("require_hash") and not content and file:
                    await asyncio.to_thread(self.documents.report, file)
                return await get(path, content=content, type=type, **more)
            config = await self.get_config(path)  # type: ignore[attr-defined]
            if file is None:
                return self.sightings.seen(
                    Path(self._get_os_path(path)), await get(path, content=content, type=type, **more)
                )
            # Before the text: what is said of a file may be older than its content, not newer.
            model = await get(path, content=False, type="notebook", **more)
            opened = await asyncio.to_thread(self.open_text, file, path, config)
            if opened is None:
                return await get(path, content=content, type=type, **more)
            return model | {"type": "notebook", "content": opened.notebook, "format": "json", "mimetype": None}

    async def save(self, model: dict[str, Any], path: str = "") -> Any:
        save: Callable[..., Awaitable[Any]] = super().save  # type: ignore[misc]
        path = path.strip("/")
        with speaking(path):
            if model.get("type") != "notebook" or not model.get("content"):
                return await save(model, path)
            config = await self.get_config(path)  # type: ignore[attr-defined]
            if not self.is_text(model, path, config):
                return await save(model, path)
            self.run_pre_save_hooks(model=model, path=path)  # type: ignore[attr-defined]
            notebook = nbformat.from_dict(model["content"])
            file = Path(self._get_os_path(path))
            await asyncio.to_thread(self.save_text, file, notebook, path, config)
            saved = await self.get(path, content=False)
            self.run_post_save_hooks(model=saved, os_path=str(file))  # type: ignore[attr-defined]
            self.emit(data={"action": "save", "path": path})  # type: ignore[attr-defined]
            return saved


class TextNotebooks(KeepsOutputs):
    pass
