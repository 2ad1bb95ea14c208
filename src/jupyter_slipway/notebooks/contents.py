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
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from jupyter_server.services.contents.fileio import FileManagerMixin
from jupytext import build_async_jupytext_contents_manager_class, build_sync_jupytext_contents_manager_class
from jupytext.config import notebook_formats
from jupytext.formats import NOTEBOOK_EXTENSIONS
from jupytext.kernels import set_kernelspec_from_language
from tornado.web import HTTPError

from jupyter_slipway.errors import SlipwayError
from jupyter_slipway.files import is_full
from jupyter_slipway.notebooks import unreadable, writing
from jupyter_slipway.notebooks.age import mark_of, marked
from jupyter_slipway.notebooks.documents import Documents, name_afresh, refusing
from jupyter_slipway.notebooks.merge import merge_notebooks
from jupyter_slipway.notebooks.sightings import Sightings, State
from jupyter_slipway.notebooks.text import FORMATS, OURS, Notebook, refuse_too_many

TEXTS = frozenset(NOTEBOOK_EXTENSIONS) - {".ipynb", ".qmd"}
DEFAULT = {".md": "markdown", ".markdown": "markdown", ".Rmd": "rmarkdown"}
"""The format of a text whose notebook names none, by its suffix; percent for all others."""
OUTPUTS = "outputs"
"""What a page that follows a file is told besides its hash: another word, when other outputs lie beside one text."""


def text_notebooks(base: Any, home: Path) -> Any:
    """A contents manager class around `base`; `base` itself when it keeps its files elsewhere than on a disk."""
    if not issubclass(base, FileManagerMixin) or issubclass(base, KeepsOutputs):
        return base
    asynchronous = inspect.iscoroutinefunction(base.get)
    if not hasattr(base, "formats"):
        build = build_async_jupytext_contents_manager_class
        base = (build if asynchronous else build_sync_jupytext_contents_manager_class)(base)
    around = AsyncTextNotebooks if asynchronous else TextNotebooks
    return type(around.__name__, (around, base), {"home": home})


if TYPE_CHECKING:
    # It stands before the manager that was configured.
    from jupyter_server.services.contents.filemanager import FileContentsManager as Manager
else:
    Manager = object


class KeepsOutputs(Manager):
    """What the two kinds of manager, with and without an event loop, have in common."""

    home: Path
    """Slipway's."""
    notary: Any
    """Knows which notebooks are trusted."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.documents = Documents(Path(self.root_dir).absolute(), self.home, merged)
        self.sightings = Sightings()
        # Its database may be used in no other thread than the one it was opened in, and texts are opened in others.
        self.notary = self.notary
        if isinstance(self.checkpoints, FileManagerMixin):
            self.checkpoints._copy = self._copy_whole

    @contextmanager
    def atomic_writing(self, os_path: str, text: bool = True, encoding: str = "utf-8", **options: Any) -> Iterator[Any]:
        """The server's own truncates in place: a kill in between leaves an empty file."""
        if not self.use_atomic_writing:
            with super().atomic_writing(os_path, text=text, encoding=encoding, **options) as file:
                yield file
            return
        form: dict[str, Any] = {"mode": "w", "encoding": encoding, "newline": "\n"} if text else {"mode": "wb"}
        try:
            with refusing(Path(os_path)), writing.replacing(Path(os_path), **form) as file:
                yield file
        except SlipwayError as error:
            raise _said(error) from error

    def text_file(self, path: str, config: Any) -> Path | None:
        """Where a text notebook lies, or would; None for what cannot be one."""
        file = Path(self._get_os_path(path))
        return file if file.suffix in TEXTS and file.suffix in self.all_nb_extensions(config) else None

    def open_text(self, file: Path, path: str, config: Any) -> Notebook | None:
        """None when it is left to jupytext: paired, or in a format without markers."""
        if path in self.paired_notebooks:
            return None
        opened = self.documents.open(file, config)
        if opened is None or is_paired(opened.notebook, path, config):
            return None
        refuse_too_many(len(opened.notebook["cells"]), file.name)
        notebook = nbformat.from_dict(opened.notebook)
        set_kernelspec_from_language(notebook)
        self.notary.mark_cells(notebook, opened.trusted)
        return notebook

    def save_text(self, model: dict[str, Any], path: str, config: Any) -> bool:
        """False when it is left to jupytext: not a text, paired, or in a format without markers."""
        file = self.text_file(path, config)
        if file is None or is_paired(model["content"], path, config):
            return False
        format_name = format_for(model["content"], file)
        if format_name not in FORMATS:
            return False
        self.run_pre_save_hooks(model=model, path=path)
        notebook = nbformat.from_dict(model["content"])
        trusted = self.notary.check_cells(notebook)
        self.documents.save(file, notebook, format_name, trusted=trusted, config=config)
        self.drop_paired_notebook(path)
        return True

    def saved_text(self, saved: dict[str, Any], path: str) -> dict[str, Any]:
        self.run_post_save_hooks(model=saved, os_path=self._get_os_path(path))
        self.emit(data={"action": "save", "path": path})
        stamps = self.documents.stamps(Path(self._get_os_path(path)))
        return saved | ({OUTPUTS: str(stamps.now)} if stamps else {})

    def before_look(self, path: str, type: str | None, more: dict[str, Any]) -> dict[str, Any]:
        """Somebody asks for a file's hash: so do pages before they save, and ask the person when it is another.

        Returns:
            what is to be said besides: of a text notebook, which outputs lie beside it
        """
        if not more.get("require_hash"):
            return {}
        file = Path(self._get_os_path(path))
        self.sightings.see(file)
        if file.suffix not in TEXTS:
            return {}
        stamp = self.documents.report(file)
        return {OUTPUTS: str(stamp)} if type == "notebook" else {}

    def before_open(self, path: str) -> State | None:
        """The state in which it is about to be read; None for what is no .ipynb.

        Raises:
            BadRequest: it is an .ipynb that is too large
        """
        file = Path(self._get_os_path(path))
        if file.suffix != ".ipynb":
            return None
        state = self.sightings.see(file)
        unreadable.refuse_too_large(file)
        return state

    @contextmanager
    def saying_why(self, path: str) -> Iterator[None]:
        """Who opens an .ipynb that is none learns in which line, and what to do, not what a parser met."""
        try:
            yield
        except HTTPError as error:
            if error.status_code == 400 and path.endswith(".ipynb"):
                unreadable.explain(Path(self._get_os_path(path)))
            raise

    def left_to_jupytext(self, model: dict[str, Any], path: str, state: State | None) -> dict[str, Any]:
        """What jupytext read; the ids of a text alone, which it makes by chance, the same each time.

        Args:
            state: of an .ipynb, before it was read

        Raises:
            BadRequest: it has too many cells
        """
        if model["type"] == "notebook":
            self.sightings.find_whole(Path(self._get_os_path(path)), state)
            refuse_too_many(len(model["content"].cells), model["name"])
        if model["type"] == "notebook" and not path.endswith(".ipynb") and path not in self.paired_notebooks:
            name_afresh(model["content"].cells)
        return model

    def before_save(self, model: dict[str, Any], path: str) -> dict[str, Any]:
        """The model without what we say about a notebook; but that its outputs are old, an .ipynb says itself.

        Raises:
            Conflict: the file changed, and nobody was told
            BadRequest: it is an .ipynb that cannot be read, which may hold somebody's work
        """
        file = Path(self._get_os_path(path))
        self.sightings.check(file)
        if file.suffix == ".ipynb" and not self.sightings.is_whole(file):
            unreadable.refuse_to_replace(file)
        notebook = model["content"]
        says = file.suffix == ".ipynb" and path not in self.paired_notebooks
        cells = [marked(cell, mark_of(cell) if says else None) for cell in notebook["cells"]]
        return {**model, "content": bare({**notebook, "cells": cells})}

    def after_save(self, path: str) -> None:
        file = Path(self._get_os_path(path))
        self.sightings.find_whole(file, self.sightings.see(file))

    def trust_text(self, file: Path, config: Any) -> None:
        """Sign what is kept for a text notebook as trusted."""
        if opened := self.documents.open(file, config):
            form = format_for(opened.notebook, file)
            self.documents.save(file, nbformat.from_dict(opened.notebook), form, trusted=True, config=config)

    def new_text(self, ext: str) -> tuple[str, dict[str, Any]]:
        """The suffix and the content of a new text notebook, asked for as '.py' or '.md:myst'."""
        suffix, _, format_name = ext.partition(":")
        format_name = format_name or DEFAULT.get(suffix, "percent")
        form = {"extension": suffix, "format_name": format_name}
        notebook = nbformat.v4.new_notebook(metadata={"jupytext": {"text_representation": form}})
        return suffix, {"type": "notebook", "format": "json", "content": notebook}

    def _copy_whole(self, src: str, dest: str) -> Any:
        """Checkpoints are made and restored like any other file: whole."""

        def copy() -> None:
            with self.perm_to_403(dest), open(src, "rb") as old, writing.replacing(Path(dest)) as new:
                shutil.copyfileobj(old, new)

        return asyncio.to_thread(copy) if inspect.iscoroutinefunction(type(self).get) else copy()


class AsyncTextNotebooks(KeepsOutputs):
    async def get(
        self, path: str, content: bool = True, type: str | None = None, format: str | None = None, **more: Any
    ) -> Any:
        path = path.strip("/")
        get = partial(super().get, path, format=format, **more)
        with speaking(path, reading=True):
            if not content or type not in (None, "notebook") or not os.path.isfile(self._get_os_path(path)):
                said = await asyncio.to_thread(self.before_look, path, type, more)
                return await get(content=content, type=type) | said
            config = await self.get_config(path)
            if file := self.text_file(path, config):
                # First what is said of the file: that may be older than its content, not newer.
                model = await get(content=False, type="notebook")
                notebook = await asyncio.to_thread(self.open_text, file, path, config)
                if notebook is not None:
                    return model | {"type": "notebook", "content": notebook, "format": "json", "mimetype": None}
            state = self.before_open(path)
            with self.saying_why(path):
                return self.left_to_jupytext(await get(content=content, type=type), path, state)

    async def save(self, model: dict[str, Any], path: str = "") -> Any:
        path = path.strip("/")
        with speaking(path):
            if model.get("type") != "notebook" or not model.get("content"):
                return await super().save(model, path)
            config = await self.get_config(path)
            if await asyncio.to_thread(self.save_text, model, path, config):
                return self.saved_text(await self.get(path, content=False), path)
            saved = await super().save(await asyncio.to_thread(self.before_save, model, path), path)
            self.after_save(path)
            return saved

    async def create_checkpoint(self, path: str) -> Any:
        with without_room(path):
            return await super().create_checkpoint(path)

    async def trust_notebook(self, path: str) -> None:
        config = await self.get_config(path)
        if (file := self.text_file(path, config)) and path not in self.paired_notebooks:
            await asyncio.to_thread(self.trust_text, file, config)
        else:
            await super().trust_notebook(path)

    async def rename_file(self, old_path: str, new_path: str) -> None:
        with speaking(old_path):
            await super().rename_file(old_path, new_path)
            places = (Path(self._get_os_path(path.strip("/"))) for path in (old_path, new_path))
            await asyncio.to_thread(self.documents.rename, *places)

    async def new_untitled(self, path: str = "", type: str = "", ext: str = "") -> Any:
        if type != "notebook" or ext.partition(":")[0] not in TEXTS:
            return await super().new_untitled(path, type, ext)
        suffix, model = self.new_text(ext)
        config = await self.get_config(path)
        name = self.increment_notebook_filename(config, self.untitled_notebook + suffix, path)
        return await self.new(model, f"{path.strip('/')}/{name}")

    async def get_config(self, path: str, use_cache: bool = False) -> Any:
        try:
            return await super().get_config(path, use_cache)
        except HTTPError as error:
            if not use_cache:
                raise
            self.log.warning("%s", error.log_message)  # a folder is listed whatever lies in it
            return self

    async def load_config_file(self, config_file: str | None, **more: Any) -> Any:
        if is_code(config_file):
            self.log.warning("%s is code: it is not run. Use jupytext.toml.", config_file)
            return None
        return await super().load_config_file(config_file, **more)


class TextNotebooks(KeepsOutputs):
    def get(
        self, path: str, content: bool = True, type: str | None = None, format: str | None = None, **more: Any
    ) -> Any:
        path = path.strip("/")
        get = partial(super().get, path, format=format, **more)
        with speaking(path, reading=True):
            if not content or type not in (None, "notebook") or not os.path.isfile(self._get_os_path(path)):
                said = self.before_look(path, type, more)
                return get(content=content, type=type) | said
            config = self.get_config(path)
            if file := self.text_file(path, config):
                model = get(content=False, type="notebook")
                notebook = self.open_text(file, path, config)
                if notebook is not None:
                    return model | {"type": "notebook", "content": notebook, "format": "json", "mimetype": None}
            state = self.before_open(path)
            with self.saying_why(path):
                return self.left_to_jupytext(get(content=content, type=type), path, state)

    def save(self, model: dict[str, Any], path: str = "") -> Any:
        path = path.strip("/")
        with speaking(path):
            if model.get("type") != "notebook" or not model.get("content"):
                return super().save(model, path)
            if self.save_text(model, path, self.get_config(path)):
                return self.saved_text(self.get(path, content=False), path)
            saved = super().save(self.before_save(model, path), path)
            self.after_save(path)
            return saved

    def create_checkpoint(self, path: str) -> Any:
        with without_room(path):
            return super().create_checkpoint(path)

    def trust_notebook(self, path: str) -> None:
        config = self.get_config(path)
        if (file := self.text_file(path, config)) and path not in self.paired_notebooks:
            self.trust_text(file, config)
        else:
            super().trust_notebook(path)

    def rename_file(self, old_path: str, new_path: str) -> None:
        with speaking(old_path):
            super().rename_file(old_path, new_path)
            self.documents.rename(*(Path(self._get_os_path(path.strip("/"))) for path in (old_path, new_path)))

    def new_untitled(self, path: str = "", type: str = "", ext: str = "") -> Any:
        if type != "notebook" or ext.partition(":")[0] not in TEXTS:
            return super().new_untitled(path, type, ext)
        suffix, model = self.new_text(ext)
        name = self.increment_notebook_filename(self.get_config(path), self.untitled_notebook + suffix, path)
        return self.new(model, f"{path.strip('/')}/{name}")

    def get_config(self, path: str, use_cache: bool = False) -> Any:
        try:
            return super().get_config(path, use_cache)
        except HTTPError as error:
            if not use_cache:
                raise
            self.log.warning("%s", error.log_message)
            return self

    def load_config_file(self, config_file: str | None, **more: Any) -> Any:
        if is_code(config_file):
            self.log.warning("%s is code: it is not run. Use jupytext.toml.", config_file)
            return None
        return super().load_config_file(config_file, **more)


def merged(base: Notebook, mine: Notebook, theirs: Notebook) -> Notebook | None:
    """All that both did; None when they did different things to one place."""
    result = merge_notebooks(base, mine, theirs)
    return None if result.conflicts else result.notebook


def bare(value: dict[str, Any]) -> dict[str, Any]:
    return {**value, "metadata": {key: one for key, one in value["metadata"].items() if key != OURS}}


def is_paired(notebook: Notebook, path: str, config: Any) -> bool:
    """Whether jupytext writes it to several files."""
    return len(notebook_formats(notebook, config, path)) > 1


def format_for(notebook: Notebook, file: Path) -> str:
    """The format to write a notebook in: the one it was read from, else the usual one."""
    options = notebook["metadata"].get("jupytext", {})
    said = options.get("text_representation", {})
    if "," in str(options.get("cell_markers", "")) and not said:
        return "light"
    if said.get("extension") == file.suffix and said.get("format_name"):
        return str(said["format_name"])
    return DEFAULT.get(file.suffix, "percent")


def is_code(config_file: str | None) -> bool:
    """A repository's configuration that is a program: never run here."""
    return config_file is not None and config_file.endswith(".py")


@contextmanager
def speaking(path: str, *, reading: bool = False) -> Iterator[None]:
    """Our refusals as the server says them; and what others below say as 500 as what it is."""
    try:
        yield
    except SlipwayError as error:
        raise _said(error) from error
    except HTTPError as error:
        if error.status_code != 500:
            raise
        raise _meant(error, path, reading) from error
    except OSError as error:
        raise _meant(error, path, reading) from error


@contextmanager
def without_room(path: str) -> Iterator[None]:
    """A full disk, said as of a folder that may only be read: pages make a checkpoint of what they open, and open only
    then all the same.
    """
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise HTTPError(403, f"No checkpoint of {path} is made: the disk is full.") from error
        raise


def _said(error: SlipwayError) -> HTTPError:
    return HTTPError(error.status, f"{error.message} {error.hint}".strip())


def _meant(error: BaseException, path: str, reading: bool) -> BaseException:
    """What a person can do something about, found among the causes of an error."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, HTTPError) and cause.status_code != 500:
            return HTTPError(cause.status_code, cause.log_message)
        if is_full(cause):
            said, again = ("cannot be read", "open it") if reading else ("is not saved", "save")
            return HTTPError(503, f"{path} {said}: the disk is full. Make room, then {again} again.")
        if isinstance(cause, OSError) and cause.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return HTTPError(403, f"{path} may not be written: {cause.filename or 'its folder'} may not be.")
        theirs = isinstance(cause, Exception) and not isinstance(cause, HTTPError | OSError)
        if theirs and (reading or isinstance(cause, ValueError)):
            said = (str(cause) or type(cause).__name__).splitlines()[0][:200]
            return HTTPError(400, f"{path} cannot be {'read' if reading else 'saved'} as a notebook: {said}.")
        cause = cause.__cause__ or cause.__context__
    return error
