"""Text notebooks being opened and saved: the text, and what the store keeps beside it.

Reached from `contents`, `convert` and publishing. Knows no Jupyter server: it takes paths and notebooks, and refuses
with our errors.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import msgspec

from jupyter_slipway.errors import BadRequest, Conflict, Forbidden, NotFound, Unavailable
from jupyter_slipway.files import is_full, read_whole
from jupyter_slipway.notebooks import age, layout, text, writing
from jupyter_slipway.notebooks.age import digest
from jupyter_slipway.notebooks.conflicts import open_conflicted
from jupyter_slipway.notebooks.identity import CellText, How, Match, trace
from jupyter_slipway.notebooks.manifests import Record
from jupyter_slipway.notebooks.marks import has_marks, sides
from jupyter_slipway.notebooks.paths import as_shown
from jupyter_slipway.notebooks.sightings import State
from jupyter_slipway.notebooks.store import Former, Store, Version, key_of
from jupyter_slipway.notebooks.text import OURS, Before, Decoded, Notebook, Past, joined

LARGEST = 64 * 2**20
"""Bytes of text; a larger file is no notebook that anyone reads."""
IN_THE_WAY = (FileExistsError, IsADirectoryError, NotADirectoryError)
"""What is said where something else lies in the place of what is to be kept."""
REMEMBERED = 64
"""Files whose last version is kept in memory."""
Merge = Callable[[Notebook, Notebook, Notebook], Notebook | None]
"""(base, mine, theirs) -> all that both did; None when they did different things to one place."""


class Opened(NamedTuple):
    notebook: dict[str, Any]
    trusted: bool
    id: str
    """Of the text: see `layout.text_id`."""


class Saved(NamedTuple):
    id: str
    written: bool
    """Whether the text was: not when only outputs changed."""
    merged: bool = False
    """Whether the text holds, besides what was to be saved, what had changed on disk."""
    stamp: tuple[int, ...] | None = None
    """Of what is kept for the text; None when nothing is."""
    not_kept: str = ""
    """Why what belongs beside the text is not, for who is to be told."""


class OutputsNotKept(Forbidden):
    """The text is saved; what belongs beside it cannot be."""

    def __init__(self, message: str, *, hint: str, saved: Saved) -> None:
        super().__init__(message, hint=hint)
        self.saved = saved


class Token(NamedTuple):
    """What an opened document carries in its metadata, so that a save says which version it began with."""

    id: str
    """Of the text it was opened with; '' when it carries none."""
    place: str
    """Which path it was opened from."""
    said: str

    @classmethod
    def of(cls, notebook: Notebook) -> Token:
        said = str(notebook["metadata"].get(OURS, {}).get("version", ""))
        id, _, rest = said.partition(".")
        return cls(id, rest.partition("-")[0], said)

    @classmethod
    def new(cls, id: str, path: str) -> str:
        return f"{id}.{_place(path)}-{secrets.token_hex(8)}"


class Stamps(NamedTuple):
    """They differ when another server kept something else for the same text, such as outputs."""

    known: tuple[int, ...] | None
    now: tuple[int, ...] | None


class Known(NamedTuple):
    """A version of a file as it is on disk."""

    id: str
    content: bytes
    decoded: Decoded
    notebook: Notebook
    """Metadata and cells, with ids; outputs, if there are any, as they are packed."""
    version: Version | None
    """What is kept for it."""
    format_name: str
    stamp: tuple[int, ...] | None = None
    """Of what is kept, to see whether another server kept something else."""
    torn: bool = False
    """Whether git's conflict marks lie across its cells: then no piece of the text is one of the cells."""


class Documents:
    """The text notebooks below a root. May be called from several threads."""

    def __init__(self, root: Path, home: Path, merge: Merge | None = None) -> None:
        self.root, self.home, self._merge = root, home, merge
        self._stores: dict[Path, Store] = {}
        self._known: OrderedDict[Path, Known] = OrderedDict()
        self._reported: OrderedDict[Path, str] = OrderedDict()
        self._unnoted: OrderedDict[str, str] = OrderedDict()
        """What whoever carries a token saved last, where that could not be kept."""
        self._guard = threading.Lock()
        self.used_at = time.monotonic()
        """When one was last opened or saved."""

    def open(self, file: Path, config: Any = None) -> Opened | None:
        """The notebook a file is, with the outputs of that version; None when it is in a format that is not ours.

        Raises:
            NotFound: there is no such file
            BadRequest: it cannot be read; the message names the line
        """
        self.used_at = time.monotonic()
        store, path = self.store(file)
        known = self._on_disk(file, store, path, config)
        if known is None:
            return None
        notebook = _unpacked(known, store)
        made = known.version.record.made if known.version else []
        notebook["metadata"][OURS] = {"version": Token.new(known.id, path), "made": age.dates(notebook["cells"], made)}
        trusted = bool(known.version and known.version.ours and known.version.record.trusted)
        # Without outputs there is nothing to distrust.
        return Opened(notebook, trusted or not any(cell.get("outputs") for cell in notebook["cells"]), known.id)

    def save(
        self,
        file: Path,
        notebook: Notebook,
        format_name: str,
        *,
        trusted: bool = False,
        config: Any = None,
        becomes: Path | None = None,
    ) -> Saved:
        """Save a notebook: its text if its inputs changed, its outputs beside it.

        What changed on disk since whoever saves has seen it is merged in.

        Args:
            becomes: where the file will be, if it is a draft

        Raises:
            Conflict: both changed the same place; nothing is written
            BadRequest: what is on disk cannot be read: it is not overwritten
            Forbidden: the folder cannot be written
            OutputsNotKept: the text is saved; what belongs beside it cannot be
            Unavailable: the disk is full; what is on it is whole
        """
        self.used_at = time.monotonic()
        token = Token.of(notebook)
        told = _settle(notebook)
        store, path = self.store(becomes or file)
        with refusing(file, self.root), store.lock(path):
            disk = self._on_disk(file, store, path, config, may_be_absent=True)
            mine, merged = notebook, False
            if disk is None and token.place == _place(path) and os.path.lexists(file):
                why = "to a form without cell markers. Nothing was written."
                self._refuse_unless_told(file, layout.text_id(read(file)), why)
            if disk is not None and self._has_changed(token, disk.id, store, path):
                mine, merged = self._reconcile(file, notebook, disk, token, store, path, format_name, trusted, config)
            content = self._content(file, mine, format_name, disk, config)
            before = disk.content if disk else None
            id = layout.text_id(content)
            was = disk.version if disk else None
            decoded = text.decode(content, file.name)
            torn = is_torn(decoded.text, file)
            pieces = _pieces(decoded.text, torn, file, len(mine["cells"]))
            if becomes is None and is_plain(mine) and not store.head(path).versions:
                kept, refused = None, None
            else:
                kept, refused = self._keep(store, path, id, mine, trusted, pieces, was, told)
            if content != before:
                writing.write(file, content)
            if kept:
                try:
                    store.note(path, id, "" if merged else token.said)
                except (PermissionError, *IN_THE_WAY) as error:
                    refused = error
            known = Known(id, content, decoded, _inputs(mine, kept), kept, format_name, torn=torn)
            stamp = self._remember(file, known, store)
            self._unnoted.pop(token.said, None)
            if refused:
                if not merged:
                    with self._guard:
                        self._unnoted[token.said] = id
                        while len(self._unnoted) > REMEMBERED:
                            self._unnoted.popitem(last=False)
                is_denied = isinstance(refused, PermissionError)
                place = as_shown(_refusing(refused), self.root)
                raise OutputsNotKept(
                    f"The code of {file.name} is saved; its outputs are not: {place} "
                    f"{'may not be written' if is_denied else 'is in the way'}.",
                    hint=f"Let whoever owns it give you the right to write in {as_shown(store.folder, self.root)}."
                    if is_denied
                    else "Move it away, then save again.",
                    saved=Saved(id, content != before, merged, stamp),
                ) from refused
        return Saved(id, content != before, merged, stamp)

    def report(self, file: Path) -> tuple[int, ...] | None:
        """Whoever is about to save asked what is on disk now, and decides by it.

        Returns:
            the stamp of what is kept for that text; None when nothing is
        """
        known = self._known.get(file)
        try:
            content = read_whole(file, LARGEST)
        except OSError:
            return None
        id = known.id if known and known.content == content else layout.text_id(content)
        with self._guard:
            self._reported[file] = id
            while len(self._reported) > REMEMBERED:
                self._reported.popitem(last=False)
        return self.store(file)[0].stamp(id)

    def stamps(self, file: Path) -> Stamps | None:
        """Of what is kept for the version that was last opened or saved here; None when there was none."""
        known = self._known.get(file)
        return Stamps(known.stamp, self.store(file)[0].stamp(known.id)) if known else None

    def rename(self, old: Path, new: Path) -> None:
        """Let the outputs follow a file or a folder that was moved within its project."""
        store, path = self.store(old)
        target, moved = self.store(new)
        if store is target and store.folder.is_dir():
            store.rename(path, moved)

    def succeed(self, new: Path, old: Path, former: Former, *, in_its_place: bool) -> None:
        """Let a notebook that was made from another, beside it, have its versions too.

        Args:
            former: what the old one was
            in_its_place: it goes; who has it open finds the new one by `successor`
        """
        store, path = self.store(new)
        if in_its_place or store.folder.is_dir():
            store.succeed(path, self.store(old)[1], former, in_its_place=in_its_place)

    def forget(self, file: Path) -> None:
        """A file that became another is gone."""
        store, path = self.store(file)
        store.forget(path)

    def former(self, file: Path, old: Path) -> Former:
        """What a file was when it was `old`, as far as that is known."""
        store, path = self.store(file)
        return store.former(path, self.store(old)[1])

    def successor(self, old: Path, state: State) -> Path | None:
        """The notebook beside a file that is gone that took its place after it was in this state."""
        store, path = self.store(old)
        found = PurePosixPath(store.successor(path, state[0] / 1e9) or "")
        # It may have gone on to another folder since.
        new = old.with_name(found.name) if found.name and found.parent == PurePosixPath(path).parent else None
        return new if new and new.is_file() else None

    def stores(self) -> list[Path]:
        """The folders of those that were asked for."""
        with self._guard:
            return list(self._stores)

    def store(self, file: Path) -> tuple[Store, str]:
        """Where the outputs of a file are kept, and what the file is called there."""
        folder = layout.store_of(file, self.root)
        with self._guard:
            if folder not in self._stores:
                self._stores[folder] = Store(folder, key_of(self.home))
            path = Path(os.path.relpath(file, folder.parent)).as_posix()
            # A file's name need not be UTF-8; what is kept of it is.
            return self._stores[folder], path.encode("utf-8", "backslashreplace").decode()

    def _on_disk(
        self, file: Path, store: Store, path: str, config: Any, *, may_be_absent: bool = False
    ) -> Known | None:
        """The version that is on disk. None for a format that is not ours, and, if it may be, for no file."""
        if may_be_absent and not os.path.lexists(file):
            return None
        content = read(file)
        known = self._known.get(file)
        if known and known.content == content and known.stamp == store.stamp(known.id):
            return known
        id, decoded = layout.text_id(content), text.decode(content, file.name)
        version = store.load(id)
        format_name = _format(decoded.text, file, config)
        torn = is_torn(decoded.text, file)
        if version and version.ours:
            record = version.record
            notebook: Notebook = {"metadata": record.metadata, "cells": record.cells}
            known = Known(id, content, decoded, notebook, version, format_name or "percent", torn=torn)
        elif format_name is None:
            return None
        else:
            known = Known(id, content, decoded, {}, version, format_name, torn=torn)
            known = self._read_anew(file, known, store, path, config)
        if version:
            # What is edited next, wherever, is this one.
            with suppress(OSError):
                store.note(path, id)
        self._remember(file, known, store)
        return known

    def _read_anew(self, file: Path, known: Known, store: Store, path: str, config: Any) -> Known:
        """A text that was written elsewhere, with what the version before it tells of its cells."""
        past = known.version or store.latest(path)
        written = known.decoded.text
        notebook = parse(written, file, config, _past(past) if past and past.ours else None)
        give_back(notebook, past, store)
        if past is None:
            return known._replace(notebook=notebook)
        trusted = past.ours and past.record.trusted
        pieces = _pieces(written, known.torn, file, len(notebook["cells"]))
        version = None
        # What somebody else signed for this very text stays theirs until something is saved: two who open one
        # notebook would each sign it anew, for ever.
        if known.version is None:
            with suppress(OSError):  # it is only looked at: the next one finds the same again
                version = store.save(known.id, path, notebook, trusted=trusted, pieces=pieces, before=past)
                store.note(path, known.id)
        if version is None:
            record = store.packer.pack(path, notebook, trusted=trusted, store=False)
            version = Version(known.id, record, past.ours)
        return known._replace(
            notebook={"metadata": version.record.metadata, "cells": version.record.cells}, version=version
        )

    def _has_changed(self, token: Token, on_disk: str, store: Store, path: str) -> bool:
        """Whether the file is another than whoever saves has seen; an upload has seen nothing, and means it."""
        if not token.said or self._unnoted.get(token.said) == on_disk:
            return False
        for seen in reversed(store.head(path).versions):
            if seen.by == token.said:
                return seen.id != on_disk
        return token.place == _place(path) and token.id != on_disk

    def _reconcile(
        self,
        file: Path,
        mine: Notebook,
        disk: Known,
        token: Token,
        store: Store,
        path: str,
        format_name: str,
        trusted: bool,
        config: Any,
    ) -> tuple[Notebook, bool]:
        """What to save when the file is another than was seen, and whether it is merged."""
        seen = next((one.id for one in reversed(store.head(path).versions) if one.by == token.said), token.id)
        version = store.load(seen)
        if version and version.ours:
            base = store.packer.unpack(version.record)
            if text.same_inputs(base, disk.notebook):
                return mine, False
            theirs = _unpacked(disk, store)
            merged = self._merge(base, _plain(mine), theirs) if self._merge else None
            if merged is not None:
                # What whoever saves has seen is its own: from there the next save starts.
                own = self._content(file, mine, format_name, None, config)
                said = text.decode(own, file.name).text
                pieces = _pieces(said, is_torn(said, file), file, len(mine["cells"]))
                store.save(layout.text_id(own), path, mine, trusted=trusted, pieces=pieces, before=version)
                store.note(path, layout.text_id(own), token.said)
                cells = [{cell["id"]: cell for cell in side["cells"]} for side in (mine, theirs)]
                python = age.is_python(merged["metadata"])
                merged["cells"] = [
                    age.merged(cell, *(side.get(cell["id"]) for side in cells), python=python)
                    for cell in merged["cells"]
                ]
                _settle(merged)
                return merged, True
        why = "in the same place. Nothing was written."
        self._refuse_unless_told(file, disk.id, why, "; the other stays in its versions")
        return mine, False

    def _refuse_unless_told(self, file: Path, on_disk: str, why: str, after: str = "") -> None:
        """
        Raises:
            Conflict: whoever saves may not know what is on disk; who tries again has been told
        """
        if self._reported.get(file) == on_disk:
            return
        self._reported[file] = on_disk
        raise Conflict(
            f"{file.name} changed on disk since it was opened here, {why}",
            hint=f"Reload it to see what changed, or save once more to put yours in its place{after}.",
        )

    def _content(self, file: Path, notebook: Notebook, format_name: str, disk: Known | None, config: Any) -> bytes:
        """The bytes that hold a notebook: those on disk when they do."""
        if disk is None:
            return text.encode(text.render(notebook, file.suffix, format_name, config), None)
        if disk.format_name == format_name and text.same_inputs(disk.notebook, notebook):
            return disk.content
        keeps = disk.format_name == format_name and not disk.torn
        before = Before(disk.decoded.text, disk.notebook) if keeps else None
        return text.encode(text.render(notebook, file.suffix, format_name, config, before), disk.decoded)

    def _keep(
        self,
        store: Store,
        path: str,
        id: str,
        notebook: Notebook,
        trusted: bool,
        pieces: tuple[str, list[str]] | None,
        before: Version | None,
        told: Mapping[str, str],
    ) -> tuple[Version | None, OSError | None]:
        """Keep what the text does not hold; or why it could not be."""
        try:
            return store.save(id, path, notebook, trusted=trusted, pieces=pieces, before=before, told=told), None
        except (PermissionError, *IN_THE_WAY) as error:
            return None, error
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            links = (one for one in Path(error.filename).parents if one.is_symlink())
            return None, FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(next(links, error.filename)))

    def _remember(self, file: Path, known: Known, store: Store) -> tuple[int, ...] | None:
        """
        Returns:
            the stamp of what is kept
        """
        known = known._replace(stamp=store.stamp(known.id))
        with self._guard:
            self._known[file] = known
            self._known.move_to_end(file)
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return known.stamp


def read(file: Path, largest: int = LARGEST) -> bytes:
    """
    Args:
        largest: bytes that are read

    Raises:
        NotFound: there is no such file
        BadRequest: it is too large
        Forbidden: it may not be read
    """
    try:
        found = file.stat()
        size = found.st_size
        if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
            raise BadRequest(f"{file.name} is a pipe or a device, no file.", hint="Save it under another name.")
        if size > largest:
            raise BadRequest(
                f"{file.name} has {size / 2**20:,.0f} MB of text: too much for a notebook.",
                hint=f"Up to {largest // 2**20} MB are opened. Read it in a terminal, or split it. It was not touched.",
            )
        return file.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound(f"There is no {file.name} any more.", hint="Save it under another name.") from error
    except IsADirectoryError as error:
        raise BadRequest(f"{file.name} is a folder.", hint="Save it under another name.") from error
    except PermissionError as error:
        raise Forbidden(f"{file.name} may not be read.", hint="Let its owner give you the right to.") from error


def is_torn(content: str, file: Path) -> bool:
    """Whether git's conflict marks lie in it as they do not within a cell of code: it is opened as each side was."""
    if not has_marks(content):
        return False
    if not text.has_markers(file.suffix):
        return sides(content) is not None
    header, cells = text.cut(content, file.suffix)
    torn = [piece for piece in cells if has_marks(piece) and ("[" in piece.partition("\n")[0] or sides(piece) is None)]
    return bool(torn or has_marks(header)) and sides(content) is not None


def parse(written: str, file: Path, config: Any, past: Past | None = None) -> Notebook:
    """The notebook of a text that git may have left in conflict; else as `text.parse`."""
    if is_torn(written, file):
        opened = open_conflicted(written, lambda side: text.parse(side, file.name, config))
        if opened is not None:
            return opened
    return text.parse(written, file.name, config, past)


def give_back(notebook: Notebook, past: Version | None, store: Store) -> None:
    """Ids, outputs, counters and attachments of the cells of `past` to the cells that they still are."""
    old, made = (past.record.cells, past.record.made) if past else ([], [])
    new = [CellText(cell["cell_type"], cell["source"]) for cell in notebook["cells"]]
    was = [CellText(cell["cell_type"], cell["source"]) for cell in old]
    found = trace(was, new, python=age.is_python(notebook["metadata"]))
    for cell, match in zip(notebook["cells"], found, strict=True):
        cell["id"] = ""
        if match:
            _give_cell(cell, old[match.old], made[match.old] if made else "", match, store)
    name_cells(notebook["cells"])
    if past and past.ours:
        _give_metadata(notebook["metadata"], store.packer.unpack(msgspec.structs.replace(past.record, cells=[])))


def _give_metadata(metadata: dict[str, Any], past: Notebook) -> None:
    """To a text what it does not hold; but of which language it is, its kernel says."""
    was = past["metadata"]
    give_language(metadata, was)
    kept = text.beside(was)
    kept.pop("language_info", None)
    for key, value in kept.items():
        metadata.setdefault(key, value)


def give_language(metadata: dict[str, Any], was: Mapping[str, Any]) -> None:
    """To a text what its kernel said of its language, unless another is meant to run it by now."""
    if "language_info" in was and ("kernelspec" not in metadata or _kernel_of(metadata) == _kernel_of(was)):
        metadata.setdefault("language_info", was["language_info"])


def _kernel_of(metadata: Mapping[str, Any]) -> Any:
    """By what makes it that kernel: how it is called differs from one machine to the next."""
    named = metadata.get("kernelspec")
    return named.get("name") if isinstance(named, Mapping) else named


def _give_cell(cell: dict[str, Any], packed: Mapping[str, Any], made: str, match: Match, store: Store) -> None:
    """
    Args:
        made: of which source the outputs of `packed` are; '' when only its own is known
    """
    kept = store.packer.unpack_cell(packed)
    cell["id"] = kept["id"]
    if "attachments" in kept:
        cell["attachments"] = kept["attachments"]
    if cell["cell_type"] != "code":
        return
    cell["outputs"], cell["execution_count"] = kept["outputs"], kept["execution_count"]
    if not kept["outputs"] and kept["execution_count"] is None:
        return
    python = match.how is How.FORMATTED
    mark = (
        age.in_doubt(kept)
        if match.how is How.UNSURE
        else age.mark_for(cell["source"], kept, made or None, python=python)
    )
    if mark:
        cell["metadata"][OURS] = mark


def name_cells(cells: Sequence[dict[str, Any]]) -> None:
    """Give an id to each cell that has none, or one that another has too: the same for the same cells anywhere."""
    if all(cell.get("id") for cell in cells) and len({cell["id"] for cell in cells}) == len(cells):
        return
    seen: set[str] = set()
    for cell, fresh in zip(cells, fresh_ids(cells), strict=True):
        id = cell.get("id") or fresh
        while id in seen:
            id = fresh if id != fresh else digest(id + fresh)
            fresh = digest(fresh)
        seen.add(id)
        cell["id"] = id


def name_afresh(cells: Sequence[dict[str, Any]]) -> None:
    """Give ids that come from the text alone, for a format that keeps none: the same each time it is read."""
    for cell, id in zip(cells, fresh_ids(cells), strict=True):
        cell["id"] = id


def fresh_ids(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """The ids of cells of which only the text is known."""
    times: dict[tuple[str, str], int] = {}
    found: list[str] = []
    for cell in cells:
        key = (cell["cell_type"], joined(cell["source"]))
        times[key] = times.get(key, 0) + 1
        found.append(digest(f"{key[0]}\0{key[1]}\0{times[key]}"))
    return found


def is_plain(notebook: Notebook) -> bool:
    """Whether the text says all there is, but for its kernel: no outputs, no ids but those that come from it."""
    if text.beside(notebook["metadata"]).keys() - {"kernelspec", "language_info"}:
        return False
    for cell in notebook["cells"]:
        if cell.get("outputs") or cell.get("execution_count") is not None or cell.get("attachments"):
            return False
    return [cell["id"] for cell in notebook["cells"]] == fresh_ids(notebook["cells"])


def _settle(notebook: Notebook) -> dict[str, str]:
    """Join sources, name cells, and take the mark of old outputs from cells that ran since, or whose source is back.

    Returns:
        of which source the outputs of some are, by their ids
    """
    told = {}
    for cell in notebook["cells"]:
        cell["source"] = joined(cell["source"])
        if OURS in cell["metadata"]:
            of, mark = age.date_of(cell), age.mark_of(cell)
            del cell["metadata"][OURS]
            if mark:
                cell["metadata"][OURS] = mark
            if of:
                told[cell.get("id", "")] = of
    name_cells(notebook["cells"])
    return told


def _unpacked(known: Known, store: Store) -> dict[str, Any]:
    if known.version:
        return store.packer.unpack(known.version.record)
    cells = [{**cell, "metadata": dict(cell["metadata"])} for cell in known.notebook["cells"]]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": dict(known.notebook["metadata"]), "cells": cells}


def _inputs(notebook: Notebook, kept: Version | None) -> Notebook:
    if kept:
        return {"metadata": kept.record.metadata, "cells": kept.record.cells}
    keys = ("id", "cell_type", "source", "metadata")
    cells = [{key: cell[key] for key in keys} for cell in notebook["cells"]]
    for cell in cells:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    metadata = {key: value for key, value in notebook["metadata"].items() if key != OURS}
    return {"metadata": metadata, "cells": cells}


def _plain(notebook: Notebook) -> Notebook:
    return {**notebook, "metadata": {key: value for key, value in notebook["metadata"].items() if key != OURS}}


def _format(written: str, file: Path, config: Any) -> str | None:
    try:
        return text.format_of(written, file.suffix, config)
    except Exception:  # its header is broken: `parse` says where
        return "percent"


def _past(version: Version) -> Past | None:
    record: Record = version.record
    if not record.pieces:
        return None
    cells = record.cells[len(record.cells) - len(record.pieces) :]
    known = {
        piece: {key: cell[key] for key in ("cell_type", "source")} | {"metadata": _without_mark(cell["metadata"])}
        for piece, cell in zip(record.pieces, cells, strict=True)
    }
    return Past(record.header, known)


def _without_mark(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in metadata.items() if key != OURS}


def _pieces(written: str, torn: bool, file: Path, cells: int) -> tuple[str, list[str]] | None:
    """Fingerprints of a percent text's header and cells; None when it cannot be cut."""
    if torn or not text.has_markers(file.suffix):
        return None
    pieces = text.cut(written, file.suffix)
    if len(pieces.cells) not in (cells, cells - 1) or not pieces.cells:
        return None
    return text.fingerprint(pieces.header), [text.fingerprint(piece) for piece in pieces.cells]


def _refusing(error: OSError) -> Path:
    """What lies in the way of what is to be kept, or may not be written."""
    named = Path(error.filename2 or error.filename)
    return next(one for one in (named, *named.parents) if os.path.lexists(one))


@contextmanager
def refusing(file: Path, root: Path) -> Iterator[None]:
    """What the system refuses, in our words."""
    try:
        yield
    except OSError as error:
        if isinstance(error, PermissionError) or error.errno == errno.EROFS:
            raise Forbidden(
                f"{file.name} cannot be saved: {as_shown(error.filename or file.parent, root)} may not be written.",
                hint="Save it under another name in a folder of yours, or let its owner give you the right to write.",
            ) from error
        if is_full(error):
            raise Unavailable(
                f"{file.name} is not saved: the disk is full. What is on it is whole.",
                hint="Make room, then save again.",
            ) from error
        raise


def _place(path: str) -> str:
    return hashlib.sha256(path.encode()).hexdigest()[:8]
