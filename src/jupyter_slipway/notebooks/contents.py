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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from jupyter_server.services.contents.fileio import AsyncFileManagerMixin, FileManagerMixin
from jupytext import build_async_jupytext_contents_manager_class, build_sync_jupytext_contents_manager_class
from jupytext.config import (
    JUPYTEXT_CONFIG_FILES,
    PYPROJECT_FILE,
    global_jupytext_configuration_directories,
    notebook_formats,
)
from jupytext.formats import NOTEBOOK_EXTENSIONS
from jupytext.paired_paths import InconsistentPath, find_base_path_and_format, paired_paths
from tornado.web import HTTPError

from jupyter_slipway.errors import BadRequest, SlipwayError
from jupyter_slipway.notebooks import conversions, faults, unreadable, writing
from jupyter_slipway.notebooks.age import mark_of, marked
from jupyter_slipway.notebooks.default_kernel import name_default_kernel
from jupyter_slipway.notebooks.documents import Documents, OutputsNotKept, Saved, name_afresh, refusing
from jupyter_slipway.notebooks.merge import merge_notebooks
from jupyter_slipway.notebooks.refusals import answering, refusal, speaking, without_room
from jupyter_slipway.notebooks.sightings import Sightings, State, state_of
from jupyter_slipway.notebooks.standins import nodes
from jupyter_slipway.notebooks.text import FORMATS, OURS, Notebook, joined, refuse_too_many

NOTEBOOKS = tuple(NOTEBOOK_EXTENSIONS)
TEXTS = frozenset(NOTEBOOKS) - {".ipynb", ".qmd"}
DEFAULT = {".md": "markdown", ".markdown": "markdown", ".Rmd": "rmarkdown"}
"""The format of a text whose notebook names none, by its suffix; percent for all others."""
CONFIGURING = (*JUPYTEXT_CONFIG_FILES, PYPROJECT_FILE)
"""What jupytext reads its configuration from, in a notebook's folder, those above, and the person's."""
ASKED = (
    *("is_hidden", "file_exists", "dir_exists", "new_untitled", "update", "copy", "delete"),
    *("restore_checkpoint", "list_checkpoints", "delete_checkpoint"),
)
"""Methods that requests reach as they are, besides `get` and `save`."""
Configured = tuple[list[str], dict[str, State | None]]
"""The folders that are looked through, and what lies there, with its state."""
ALONE = "%s is opened alone: its metadata names, for jupytext, a pair of files that cannot be."
WITHOUT, NOT_KEPT = "without_outputs", "not_kept"
"""Who saves a text notebook and says the first is, where only its outputs cannot be kept, not refused but told why."""
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
    made = type(around.__name__, (around, base), {"home": home})
    for name in ASKED:
        setattr(made, name, answering(getattr(made, name)))
    return made


if TYPE_CHECKING:
    # It stands before the manager that was configured.
    from jupyter_server.services.contents.filemanager import FileContentsManager as Manager
else:
    Manager = object


class KeepsOutputs(Manager):
    """What the two kinds of manager, with and without an event loop, have in common."""

    configured: Configured
    """What jupytext's configuration was last read from. It is not looked for again while that is as it was: jupytext
    takes half a millisecond to find none.
    """
    home: Path
    """Slipway's."""
    notary: Any
    """Knows which notebooks are trusted."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.documents = Documents(Path(self.root_dir).absolute(), self.home, merged)
        conversions.finish_left(self.documents)
        self.sightings = Sightings()
        self.configured = ([], {})
        # Its database may be used in no other thread than the one it was opened in, and texts are opened in others.
        self.notary = self.notary
        if isinstance(self.checkpoints, FileManagerMixin):
            self.checkpoints._copy = self._copy_whole

    def configured_by(self, path: str) -> Configured:
        """What jupytext's configuration for a file is read from, as it is now."""
        parts = path.split("/")[:-1]
        within = [self._get_os_path("/".join(parts[:depth])) for depth in range(len(parts), -1, -1)]
        folders = [one for one in (*within, *global_jupytext_configuration_directories()) if os.access(one, os.F_OK)]
        places = (f"{folder}/{name}" for folder in folders for name in CONFIGURING)
        return folders, {place: state_of(Path(place)) for place in places if os.access(place, os.F_OK)}

    @contextmanager
    def atomic_writing(self, os_path: str, text: bool = True, encoding: str = "utf-8", **options: Any) -> Iterator[Any]:
        """The server's own truncates in place: a kill in between leaves an empty file."""
        if not self.use_atomic_writing:
            with super().atomic_writing(os_path, text=text, encoding=encoding, **options) as file:
                yield file
            return
        if os.path.isdir(os_path):  # beside the root itself nothing is written, not even for a moment
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os_path)
        form: dict[str, Any] = {"mode": "w", "encoding": encoding, "newline": "\n"} if text else {"mode": "wb"}
        try:
            with refusing(Path(os_path), self.documents.root), writing.replacing(Path(os_path), **form) as file:
                yield file
        except SlipwayError as error:
            raise refusal(error) from error

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
        name_default_kernel(notebook.metadata)
        self.notary.mark_cells(notebook, opened.trusted)
        return notebook

    def save_text(self, model: dict[str, Any], path: str, config: Any) -> Saved | None:
        """None when it is left to jupytext: not a text, paired, or in a format without markers."""
        file = self.text_file(path, config)
        if file is None or is_paired(model["content"], path, config):
            return None
        format_name = format_for(model["content"], file)
        if format_name not in FORMATS:
            return None
        self.run_pre_save_hooks(model=model, path=path)
        faults.refuse_strange(model["content"]["cells"])
        notebook = a_copy(model["content"])
        trusted = self.notary.check_cells(notebook)
        try:
            saved = self.documents.save(file, notebook, format_name, trusted=trusted, config=config)
        except OutputsNotKept as refused:
            if not model.get(WITHOUT):
                raise
            saved = refused.saved._replace(not_kept=f"{refused.message} {refused.hint}")
        self.drop_paired_notebook(path)
        return saved

    def saved_text(self, model: dict[str, Any], path: str, saved: Saved) -> dict[str, Any]:
        self.run_post_save_hooks(model=model, os_path=self._get_os_path(path))
        self.emit(data={"action": "save", "path": path})
        return model | {OUTPUTS: str(saved.stamp)} | ({NOT_KEPT: saved.not_kept} if saved.not_kept else {})

    def before_look(self, path: str, type: str | None) -> dict[str, Any]:
        """Somebody asks for a file's hash: so do pages before they save, and ask the person when it is another.

        Returns:
            what is to be said besides: of a text notebook, which outputs lie beside it

        Raises:
            BadRequest: it is a folder
        """
        file = Path(self._get_os_path(path))
        if file.is_dir():
            raise BadRequest(f"{path or '/'} is a folder, and has no hash.", hint="Ask for that of a file.")
        self.sightings.see(file)
        if file.suffix not in TEXTS:
            return {}
        stamp = self.documents.report(file)
        return {OUTPUTS: str(stamp)} if type == "notebook" else {}

    def before_open(self, path: str) -> State | None:
        """The state in which it is about to be read; None when there is no such file.

        Raises:
            BadRequest: it is an .ipynb that is too large
        """
        file = Path(self._get_os_path(path))
        state = self.sightings.see(file)
        if file.suffix == ".ipynb":
            unreadable.refuse_too_large(file)
        return state

    @contextmanager
    def saying_why(self, path: str) -> Iterator[None]:
        """Who opens an .ipynb that is none learns in which line, and what to do, not what a parser met."""
        try:
            yield
        except (SlipwayError, OSError):
            raise
        except Exception as error:  # others' code, of a file that may hold anything
            if path.endswith(".ipynb") and (not isinstance(error, HTTPError) or error.status_code == 400):
                unreadable.explain(Path(self._get_os_path(path)), None if isinstance(error, HTTPError) else error)
            if isinstance(error, HTTPError):
                raise
            raise HTTPError(500, f"{path} cannot be read.") from error  # `speaking` says why

    def left_to_jupytext(self, model: dict[str, Any], path: str, state: State | None) -> dict[str, Any]:
        """What jupytext read; the ids of a text alone, which it makes by chance, the same each time.

        Args:
            state: before it was read

        Raises:
            BadRequest: it has too many cells
            ValueError: one of them is none
        """
        if model["type"] == "notebook":
            refuse_too_many(len(model["content"].cells), model["name"])
            unreadable.complete(model["content"].cells)
            self.sightings.find_whole(Path(self._get_os_path(path)), state)
        if model["type"] == "notebook" and not path.endswith(".ipynb") and path not in self.paired_notebooks:
            name_afresh(model["content"].cells)
            model["content"].metadata = nodes(model["content"].metadata)
        return model

    def before_save(self, model: dict[str, Any], path: str) -> dict[str, Any]:
        """The model without what we say about a notebook; but that its outputs are old, an .ipynb says itself.

        Raises:
            Conflict: the file changed, and nobody was told
            BadRequest: it cannot be read as a notebook, and may hold somebody's work
        """
        file = Path(self._get_os_path(path))
        self.sightings.check(file)
        if path.endswith(NOTEBOOKS) and not self.sightings.is_whole(file):
            unreadable.refuse_to_replace(file)
        notebook = model["content"]
        says = file.suffix == ".ipynb" and path not in self.paired_notebooks
        cells = [marked(_joined(cell), mark_of(cell) if says else None) for cell in notebook["cells"]]
        return {**model, "content": bare({**notebook, "cells": cells})}

    def refuse_no_file(self, path: str) -> None:
        """
        Raises:
            BadRequest: what is to be saved there would go into a pipe or a device, or in its place
        """
        place = self._get_os_path(path)
        if os.path.exists(place) and not os.path.isfile(place) and not os.path.isdir(place):
            raise BadRequest(f"{path} is a pipe or a device, no file.", hint="Save it under another name.")

    def refuse_into_itself(self, folder: str, into: str | None) -> None:
        """
        Raises:
            HTTPError: a copy of the folder would be copied with it, without an end
        """
        old, new = (Path(self._get_os_path(path.strip("/"))).resolve() for path in (folder, into or ""))
        if into is not None and old.is_dir() and new.is_relative_to(old):
            raise HTTPError(400, f"The folder {folder or '/'} cannot be copied into itself. Copy it beside itself.")

    def after_save(self, path: str) -> None:
        file = Path(self._get_os_path(path))
        self.sightings.find_whole(file, self.sightings.see(file))

    def text_to_trust(self, path: str, config: Any) -> Path | None:
        """Where it lies; None for a notebook that is left to jupytext.

        Raises:
            BadRequest: it is no notebook
        """
        place = self._get_os_path(path)
        if os.path.isdir(place) or Path(place).suffix not in self.all_nb_extensions(config):
            raise BadRequest(f"{path or '/'} is no notebook.", hint="Only what a notebook shows can be trusted.")
        return None if path in self.paired_notebooks else self.text_file(path, config)

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
            if not os.path.isfile(src) or (os.path.exists(dest) and not os.path.isfile(dest)):
                raise HTTPError(404, f"There is no file {Path(src).name} to take it from, or none to put it in.")
            with self.perm_to_403(dest), open(src, "rb") as old, writing.replacing(Path(dest)) as new:
                shutil.copyfileobj(old, new)

        return asyncio.to_thread(copy) if isinstance(self.checkpoints, AsyncFileManagerMixin) else copy()


class AsyncTextNotebooks(KeepsOutputs):
    async def get(
        self, path: str, content: bool = True, type: str | None = None, format: str | None = None, **more: Any
    ) -> Any:
        path = path.strip("/")
        if conversions.are_left(self.documents):
            await asyncio.to_thread(conversions.finish_left, self.documents)
        get = partial(super().get, path, format=format, **more)
        with speaking(path, self.documents.root, reading=True):
            if not content or type not in (None, "notebook") or not os.path.isfile(self._get_os_path(path)):
                said = await asyncio.to_thread(self.before_look, path, type) if more.get("require_hash") else {}
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
                try:
                    model = await get(content=content, type=type)
                except Exception:  # others' code, of a file that may hold anything
                    if not path.endswith(".ipynb"):
                        raise
                    model = await get(content=content, type=type, load_alternative_format=False)
                    if not is_alone(model["content"], path, config):
                        raise
                    self.log.warning(ALONE, path)
                return self.left_to_jupytext(model, path, state)

    async def save(self, model: dict[str, Any], path: str = "") -> Any:
        path = path.strip("/")
        with speaking(path, self.documents.root, saving=model):
            self.refuse_no_file(path)
            if model.get("type") != "notebook" or not model.get("content"):
                return await super().save(model, path)
            config = await self.get_config(path)
            if done := await asyncio.to_thread(self.save_text, model, path, config):
                return self.saved_text(await super().get(path, content=False), path, done)
            ready = await asyncio.to_thread(self.before_save, model, path)
            manager: Any = self.super if is_alone(ready["content"], path, config) else super()
            saved = await manager.save(ready, path)
            self.after_save(path)
            return saved

    async def copy(self, from_path: str, to_path: str | None = None) -> Any:
        self.refuse_into_itself(from_path, to_path)
        return await super().copy(from_path, to_path)

    async def create_checkpoint(self, path: str) -> Any:
        with speaking(path, self.documents.root), without_room(path):
            return await super().create_checkpoint(path)

    async def trust_notebook(self, path: str) -> None:
        with speaking(path, self.documents.root, reading=True):
            config = await self.get_config(path)
            if file := self.text_to_trust(path, config):
                await asyncio.to_thread(self.trust_text, file, config)
            else:
                await super().trust_notebook(path)

    async def rename_file(self, old_path: str, new_path: str) -> None:
        with speaking(old_path, self.documents.root):
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
        now = self.configured if use_cache else self.configured_by(path)
        try:
            config = await super().get_config(path, use_cache or now == self.configured)
        except HTTPError as error:
            if not use_cache:
                raise
            self.log.warning("%s", error.log_message)  # a folder is listed whatever lies in it
            return self
        self.configured = now
        return config

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
        conversions.finish_left(self.documents)
        get = partial(super().get, path, format=format, **more)
        with speaking(path, self.documents.root, reading=True):
            if not content or type not in (None, "notebook") or not os.path.isfile(self._get_os_path(path)):
                said = self.before_look(path, type) if more.get("require_hash") else {}
                return get(content=content, type=type) | said
            config = self.get_config(path)
            if file := self.text_file(path, config):
                model = get(content=False, type="notebook")
                notebook = self.open_text(file, path, config)
                if notebook is not None:
                    return model | {"type": "notebook", "content": notebook, "format": "json", "mimetype": None}
            state = self.before_open(path)
            with self.saying_why(path):
                try:
                    model = get(content=content, type=type)
                except Exception:  # others' code, of a file that may hold anything
                    if not path.endswith(".ipynb"):
                        raise
                    model = get(content=content, type=type, load_alternative_format=False)
                    if not is_alone(model["content"], path, config):
                        raise
                    self.log.warning(ALONE, path)
                return self.left_to_jupytext(model, path, state)

    def save(self, model: dict[str, Any], path: str = "") -> Any:
        path = path.strip("/")
        with speaking(path, self.documents.root, saving=model):
            self.refuse_no_file(path)
            if model.get("type") != "notebook" or not model.get("content"):
                return super().save(model, path)
            config = self.get_config(path)
            if done := self.save_text(model, path, config):
                return self.saved_text(super().get(path, content=False), path, done)
            ready = self.before_save(model, path)
            manager: Any = self.super if is_alone(ready["content"], path, config) else super()
            saved = manager.save(ready, path)
            self.after_save(path)
            return saved

    def copy(self, from_path: str, to_path: str | None = None) -> Any:
        self.refuse_into_itself(from_path, to_path)
        return super().copy(from_path, to_path)

    def create_checkpoint(self, path: str) -> Any:
        with speaking(path, self.documents.root), without_room(path):
            return super().create_checkpoint(path)

    def trust_notebook(self, path: str) -> None:
        with speaking(path, self.documents.root, reading=True):
            config = self.get_config(path)
            if file := self.text_to_trust(path, config):
                self.trust_text(file, config)
            else:
                super().trust_notebook(path)

    def rename_file(self, old_path: str, new_path: str) -> None:
        with speaking(old_path, self.documents.root):
            super().rename_file(old_path, new_path)
            self.documents.rename(*(Path(self._get_os_path(path.strip("/"))) for path in (old_path, new_path)))

    def new_untitled(self, path: str = "", type: str = "", ext: str = "") -> Any:
        if type != "notebook" or ext.partition(":")[0] not in TEXTS:
            return super().new_untitled(path, type, ext)
        suffix, model = self.new_text(ext)
        name = self.increment_notebook_filename(self.get_config(path), self.untitled_notebook + suffix, path)
        return self.new(model, f"{path.strip('/')}/{name}")

    def get_config(self, path: str, use_cache: bool = False) -> Any:
        now = self.configured if use_cache else self.configured_by(path)
        try:
            config = super().get_config(path, use_cache or now == self.configured)
        except HTTPError as error:
            if not use_cache:
                raise
            self.log.warning("%s", error.log_message)
            return self
        self.configured = now
        return config

    def load_config_file(self, config_file: str | None, **more: Any) -> Any:
        if is_code(config_file):
            self.log.warning("%s is code: it is not run. Use jupytext.toml.", config_file)
            return None
        return super().load_config_file(config_file, **more)


def merged(base: Notebook, mine: Notebook, theirs: Notebook) -> Notebook | None:
    """All that both did; None when they did different things to one place."""
    result = merge_notebooks(base, mine, theirs)
    return None if result.conflicts else result.notebook


def a_copy(content: Mapping[str, Any]) -> nbformat.NotebookNode:
    """A notebook that may be changed without changing `content`; but not the texts that its cells show.

    Raises:
        RecursionError: it is nested too deeply to be opened again
    """
    cells = [{**cell, "metadata": nbformat.from_dict(cell["metadata"])} for cell in content["cells"]]
    for cell in cells:
        if cell["cell_type"] == "code" and cell.get("outputs"):
            cell["outputs"] = [{key: _a_copy_of(value) for key, value in one.items()} for one in cell["outputs"]]
    metadata = nbformat.from_dict(content["metadata"])
    return nbformat.NotebookNode({**content, "metadata": metadata, "cells": cells})


def _a_copy_of(value: Any) -> Any:
    """Of a bundle by type, whose texts may be large; or of another member of an output."""
    if isinstance(value, dict):
        return {name: one if isinstance(one, str) else nbformat.from_dict(one) for name, one in value.items()}
    return value if isinstance(value, str | list) else nbformat.from_dict(value)


def bare(value: dict[str, Any]) -> dict[str, Any]:
    return {**value, "metadata": {key: one for key, one in value["metadata"].items() if key != OURS}}


def _joined(cell: dict[str, Any]) -> dict[str, Any]:
    """A cell as pages send it: from others its source comes in lines, as in a file, and jupytext cannot pair that."""
    return {**cell, "source": joined(cell["source"])} if isinstance(cell.get("source"), list) else cell


def is_paired(notebook: Notebook, path: str, config: Any) -> bool:
    """Whether jupytext writes it to several files; a file that was taken out of its pair is one by itself."""
    formats = notebook_formats(notebook, config, path)
    try:
        return len(formats) > 1 and bool(find_base_path_and_format(path, formats))
    except InconsistentPath:
        return False


def is_alone(notebook: Notebook, path: str, config: Any) -> bool:
    """Whether it is an .ipynb whose metadata names a pair of files that cannot be: one file, as without jupytext."""
    if not path.endswith(".ipynb"):
        return False
    try:
        formats = notebook_formats(notebook, config, path)
        paired_paths(path, find_base_path_and_format(path, formats)[1], formats)
    except Exception:  # jupytext meets what is wrong there in many ways
        return True
    return False


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
