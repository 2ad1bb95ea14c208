"""An .ipynb becoming a text notebook with its outputs beside it, and back. Nothing it holds is lost on the way.

The new file is written aside and read again before it takes the old one's place: see `conversions`. The list of
versions goes on under the new name.
"""

from __future__ import annotations

import os
import secrets
from copy import deepcopy
from pathlib import Path, PurePosixPath
from typing import Any, Literal, cast, get_args

import nbformat
from jupytext.languages import _SCRIPT_EXTENSIONS, default_language_from_metadata_and_ext
from msgspec import Struct

from jupyter_slipway.errors import BadRequest, Conflict, Forbidden, NotFound, Unprocessable
from jupyter_slipway.notebooks import conversions, faults, text, unreadable, writing
from jupyter_slipway.notebooks.age import mark_of, marked
from jupyter_slipway.notebooks.conversions import Conversion
from jupyter_slipway.notebooks.default_kernel import name_default_kernel
from jupyter_slipway.notebooks.documents import Documents, refusing
from jupyter_slipway.notebooks.paths import as_shown
from jupyter_slipway.notebooks.store import WITH_IDS
from jupyter_slipway.notebooks.text import FORMATS, OURS, Notebook, cell_key, joined

Format = Literal["percent", "myst", "markdown", "ipynb"]


TRIES = 20
"""Times that a notebook may change while it is converted."""


class Converted(Struct, frozen=True):
    """What a conversion made."""

    source: Path
    target: Path
    cells: int
    outputs: int


def form_of(said: str) -> Format:
    """
    Raises:
        BadRequest: no notebook has such a form
    """
    for form in get_args(Format):
        if form == said:
            return cast(Format, form)
    raise BadRequest(f"{said!r} is no form of a notebook.", hint=f"Say one of {', '.join(get_args(Format))}.")


def former_form(documents: Documents, file: Path) -> Format | None:
    """That of the text that an .ipynb was before; None when it was none, or that is not known."""
    store, path = documents.store(file)
    was = PurePosixPath(store.head(path).was)
    if file.suffix != ".ipynb" or was.suffix in ("", ".ipynb"):
        return None
    content = documents.former(file, file.with_suffix(was.suffix)).text
    try:
        form = text.format_of(text.decode(content, was.name).text, was.suffix) if content else None
    except Exception:  # what is kept of it may have been changed since
        return None
    return cast(Format, form) if form else None


def convert(documents: Documents, source: Path, form: Format, *, keep: bool = False) -> Converted:
    """Write a notebook in another form beside itself, under its own name.

    Args:
        keep: leave the old file where it is

    Raises:
        NotFound: there is no such notebook
        BadRequest: it cannot be read, or has no cells
        Conflict: there is a file of the new name; or the old one does not rest
        Forbidden: its folder may not be written
        Unavailable: the disk is full
        Unprocessable: it would not come back as it is; nothing was changed
    """
    conversions.finish_left(documents)
    for _ in range(TRIES):
        with refusing(source, documents.root):
            if made := _convert(documents, source, form, keep=keep):
                return made
    raise Conflict(f"{source.name} changes faster than it can be converted.", hint="Try again in a moment.")


def _convert(documents: Documents, source: Path, form: Format, *, keep: bool) -> Converted | None:
    """None when it changed meanwhile; then all is as it was."""
    if not source.is_file():
        raise NotFound(f"There is no notebook {source.name}.", hint="Give the path of an .ipynb or a text notebook.")
    if any("\ud800" <= one <= "\udfff" for one in str(source)):  # as Python has bytes that are none
        raise BadRequest(f"The name of {str(source)!a} is not UTF-8.", hint="Rename it, or its folder.")
    was, kept = writing.fingerprint(source), conversions.kept_of(documents, source)
    notebook, trusted = _read(documents, source)
    if conversions.kept_of(documents, source) != kept:  # also where it was read for the first time since an edit
        return None
    with faults.said(source.name, notebook):
        target = source.with_suffix(_suffix(notebook, form))
        if target == source:
            raise BadRequest(f"{source.name} is {form} already.", hint="Choose another format.")
        if form != "ipynb" and not notebook["cells"]:
            # Not every text can say that there is none.
            raise BadRequest(f"{source.name} has no cells.", hint="Add one, or make a new text notebook.")
        if os.path.lexists(target):  # also a link that leads nowhere
            raise Conflict(f"{target.name} is there already.", hint="Rename or delete one of the two.")
        if not os.access(source.parent, os.W_OK):
            raise Forbidden(
                f"{source.name} cannot be converted: {as_shown(source.parent, documents.root)} may not be written.",
                hint="Copy it to a folder of yours, or let its owner give you the right to write.",
            )
        former = documents.former(source, target)

        def make(draft: Path) -> None:
            if form == "ipynb":
                _write_ipynb(draft, notebook, former.minor)
            else:
                _write_text(documents, draft, target, notebook, form, trusted, former.text)
            _check(documents, source, draft, notebook)

        minor = notebook["nbformat_minor"]
        one = Conversion(secrets.token_hex(8), str(source), str(target), keep, was, minor, kept=kept)
        if not conversions.carry_out(documents, one, make):
            return None
    outputs = sum(len(cell.get("outputs", ())) for cell in notebook["cells"])
    return Converted(source, target, len(notebook["cells"]), outputs)


def _read(documents: Documents, file: Path) -> tuple[Notebook, bool]:
    if file.suffix != ".ipynb":
        opened = documents.open(file)
        if opened is None:
            raise BadRequest(
                f"{file.name} is in a format without cell markers.", hint=f"These are read: {', '.join(FORMATS)}."
            )
        return opened.notebook, opened.trusted
    unreadable.refuse_too_large(file)
    try:
        # Upgraded to ids where it has none; what follows is the same for all.
        notebook = nbformat.read(file, as_version=4)
    except Exception as error:  # its parsers raise many kinds; each means that this is no notebook
        unreadable.explain(file, error)
        raise
    from nbformat.sign import NotebookNotary

    with faults.said(file.name, notebook):
        return notebook, bool(NotebookNotary().check_signature(notebook))


def _suffix(notebook: Notebook, form: Format) -> str:
    if form == "ipynb":
        return ".ipynb"
    if form != "percent":
        return ".md"
    language = default_language_from_metadata_and_ext(notebook["metadata"], ".ipynb") or "python"
    known = (suffix for suffix, script in _SCRIPT_EXTENSIONS.items() if script["language"] == language.lower())
    suffix = {"r": ".R"}.get(language.lower()) or next(known, None)
    if suffix is None:
        raise Unprocessable(f"There is no text format for {language}.", hint="Choose 'myst' or 'markdown'.")
    return suffix


def _write_text(
    documents: Documents, draft: Path, target: Path, notebook: Notebook, form: str, trusted: bool, former: bytes
) -> None:
    """
    Args:
        target: what the draft becomes
        former: the text that it was before: what did not change since keeps its bytes
    """
    notebook["metadata"].pop(OURS, None)
    options = dict(notebook["metadata"].get("jupytext", {}))
    options.pop("formats", None)  # what it was paired with before
    options["text_representation"] = {"extension": target.suffix, "format_name": form}
    if former:
        writing.write(draft, former)
        was = documents.open(draft)
        said = was.notebook["metadata"].get("jupytext", {}) if was else {}
        if said.get("text_representation", {}).get("format_name") == form:
            options |= {key: said[key] for key in TEXT_ONLY if key in said}
        else:
            draft.unlink()
    notebook["metadata"]["jupytext"] = options
    documents.save(draft, notebook, form, trusted=trusted, becomes=target)


def _write_ipynb(draft: Path, notebook: Notebook, minor: int) -> None:
    metadata = {key: value for key, value in deepcopy(notebook["metadata"]).items() if key != OURS}
    name_default_kernel(metadata)
    options = {key: value for key, value in metadata.pop("jupytext", {}).items() if key not in TEXT_ONLY}
    if options:
        metadata["jupytext"] = options
    cells = [marked(cell, mark_of(cell)) for cell in notebook["cells"]]
    if minor < WITH_IDS:
        cells = [{key: value for key, value in cell.items() if key != "id"} for cell in cells]
    whole = nbformat.from_dict({**notebook, "nbformat_minor": minor, "metadata": metadata, "cells": cells})
    writing.write(draft, (nbformat.writes(whole, version=nbformat.NO_CONVERT) + "\n").encode())


TEXT_ONLY = ("text_representation", "main_language", "notebook_metadata_filter", "cell_metadata_filter")
"""What jupytext notes of a text."""


def _check(documents: Documents, source: Path, draft: Path, notebook: Notebook) -> None:
    """
    Raises:
        Unprocessable: the new file is not what the old one is
    """
    again, _ = _read(documents, draft)
    for one, other in zip(notebook["cells"], again["cells"], strict=True):
        if cell_key(one) != cell_key(other) or _results(one) != _results(other):
            raise Unprocessable(
                f"{source.name} would not come back from {draft.name} as it is: cell {one.get('id')!r} differs.",
                hint="Nothing was changed.",
            )
    if draft.suffix != ".ipynb":
        # On another machine there is only the text.
        alone = text.parse(text.decode(draft.read_bytes(), draft.name).text, draft.name)
        was, now = (
            [(cell["cell_type"], joined(cell["source"]).strip()) for cell in one["cells"]] for one in (again, alone)
        )
        if was != now:
            place = next((n for n, (one, other) in enumerate(zip(was, now, strict=False)) if one != other), len(now))
            raise Unprocessable(
                f"Cell {place + 1} of {source.name} would be another one, read from {draft.name} alone.",
                hint="Nothing was changed. A line of it looks like the beginning of a cell: choose another format.",
            )


def _results(cell: Any) -> Any:
    outputs = [
        {key: joined(value) if key == "text" else value for key, value in output.items()}
        for output in cell.get("outputs", ())
    ]
    return cell.get("execution_count"), outputs, cell.get("attachments") or {}
