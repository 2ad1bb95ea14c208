"""A notebook file's bytes as the plain dict that `diff` compares: what a command needs to look, and nothing to write.

Of the standard library alone: jupytext and nbformat take a second to import. Text is cut at its cell marks as jupytext
cuts it; magics stay commented, headers stay text. Whatever is written goes through `text` instead.
"""

from __future__ import annotations

import codecs
import json
import os
import re
from collections.abc import Iterator
from typing import Any

from jupyter_slipway.errors import Unprocessable

COMMENTS = {
    ".py": "#",
    ".r": "#",
    ".jl": "#",
    ".sh": "#",
    ".js": "//",
    ".ts": "//",
    ".scala": "//",
    ".rs": "//",
    ".cpp": "//",
    ".java": "//",
    ".sql": "--",
    ".lua": "--",
}
"""What begins a comment, by the file's suffix."""
MARKDOWN = (".md", ".markdown")
SUFFIXES = (".ipynb", *MARKDOWN, *COMMENTS)
FENCE = re.compile(r"(`{3,}|~{3,})\s*\{?([\w.+-]*)")
BEFORE_HEADER = re.compile(r"#!|\W{1,3}.*?coding[:=]")
CONFLICT = "<<<<<<< "
MEND = "Mend it with a text editor, or take an earlier version, such as from git."


def is_notebook(name: str) -> bool:
    """Whether files of this name can be compared cell by cell."""
    return _suffix(name) in SUFFIXES


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def read_notebook(name: str, content: bytes) -> dict[str, Any]:
    """The notebook in `content`; nothing, as git gives for a file that is not there, has no cells.

    Raises:
        Unprocessable: it is no notebook; the message says where it ends to be one
    """
    suffix = _suffix(name)
    try:
        text = content.removeprefix(codecs.BOM_UTF8).decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise Unprocessable(
            f"{name} is not text: byte {error.start} is not UTF-8.", hint="Save it as UTF-8, then compare again."
        ) from error
    if suffix == ".ipynb":
        return _from_json(name, text)
    cells = _from_markdown(text) if suffix in MARKDOWN else _from_percent(text, COMMENTS.get(suffix, "#"))
    return {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def joined(notebook: dict[str, Any]) -> dict[str, Any]:
    """`notebook` as it stands in a file, with lists of lines joined to strings, in place.

    Raises:
        KeyError, TypeError, AttributeError: it is no notebook
    """
    # What those who compare and merge rely on, in one condition a thing: each is asked thousands of times.
    sound = isinstance(notebook["cells"], list) and isinstance(notebook.get("metadata", {}), dict)
    sound = sound and all(isinstance(notebook.get(name, 0), int) for name in ("nbformat", "nbformat_minor"))
    for cell in notebook["cells"]:
        _join(cell, "source")
        for output in cell.get("outputs", ()):
            _join(output, "text")
            data = output.get("data", {})
            for mime in data:
                if not mime.endswith("json"):
                    _join(data, mime)
            sound = sound and isinstance(output["output_type"], str) and isinstance(data, dict)
            sound = sound and isinstance(output.get("text", ""), str) and isinstance(output.get("metadata", {}), dict)
        for bundle in cell.get("attachments", {}).values():
            for mime in bundle:
                _join(bundle, mime)
        sound = sound and isinstance(cell["source"], str) and isinstance(cell["cell_type"], str)
        sound = sound and isinstance(cell.get("id", ""), str) and isinstance(cell.get("metadata", {}), dict)
        sound = sound and isinstance(cell.get("outputs", []), list)
    if not sound:
        raise TypeError("a part of it is of another kind")
    return notebook


def _join(holder: dict[str, Any], key: str) -> None:
    if isinstance(holder.get(key), list):
        holder[key] = "".join(holder[key])


def _from_json(name: str, text: str) -> dict[str, Any]:
    if not text.strip():
        return {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError) as error:
        conflict = any(line.startswith(CONFLICT) for line in text.splitlines())
        hint = (
            "It holds git's conflict marks: 'jupyter slipway git install' merges notebooks by cell."
            if conflict
            else MEND
        )
        raise Unprocessable(f"{name} is not a notebook: {error}.", hint=hint) from error
    try:
        if isinstance(notebook, dict) and notebook.get("nbformat", 4) < 4:
            notebook = _upgraded(name, text)
        return joined(notebook)
    except (KeyError, TypeError, AttributeError) as error:
        raise Unprocessable(
            f"{name} is JSON, but not a notebook.", hint=f"A notebook has a list of cells. {MEND}"
        ) from error


def _upgraded(name: str, text: str) -> Any:
    """A notebook of nbformat 3 or older as one of 4. Their cells have no ids: none are made up."""
    import nbformat

    try:
        return nbformat.reads(text, as_version=4)
    except Exception as error:  # nbformat's many: what it cannot read is no notebook
        raise Unprocessable(f"{name} is not a notebook: {error}.", hint=MEND) from error


def _from_percent(text: str, comment: str) -> Iterator[dict[str, Any]]:
    mark = re.compile(rf"{re.escape(comment)} ?%%(?:$|[\s%])(.*)")
    title = ""
    lines: list[str] = []
    for line in _without_header(text, comment):
        if found := mark.match(line):
            yield from _cell(title, lines, comment)
            title, lines = found[1].strip() or "%%", []
        else:
            lines.append(line)
    yield from _cell(title, lines, comment)


def _without_header(text: str, comment: str) -> list[str]:
    """The lines after a commented YAML header, which what runs a script and names its encoding may precede."""
    lines = text.splitlines()
    rule = f"{comment} ---"
    begin = next((index for index, line in enumerate(lines[:3]) if not BEFORE_HEADER.match(line)), len(lines))
    if begin < len(lines) and lines[begin].rstrip() == rule:
        for index in range(begin + 1, len(lines)):
            if lines[index].rstrip() == rule:
                return lines[index + 1 :]
            if not lines[index].startswith(comment):
                break
    return lines


def _cell(title: str, lines: list[str], comment: str) -> Iterator[dict[str, Any]]:
    while lines and not lines[-1].strip():
        lines.pop()
    if not title and not any(line.strip() for line in lines):
        return
    kind = next((kind for kind in ("markdown", "raw") if f"[{kind}]" in title or f"[{kind[:2]}]" in title), "code")
    if kind != "code":
        lines = [line.removeprefix(comment).removeprefix(" ") for line in lines]
    title = re.sub(r"\[\w+\]|%%", "", title).strip()
    yield {"cell_type": kind, "metadata": {"header": title} if title else {}, "source": "\n".join(lines)} | (
        {"outputs": [], "execution_count": None} if kind == "code" else {}
    )


def _from_markdown(text: str) -> Iterator[dict[str, Any]]:
    lines: list[str] = []
    fence = ""
    for line in text.splitlines():
        found = FENCE.match(line)
        if fence and line.startswith(fence) and not line.strip(fence[0]).strip():
            yield from _cell("%%", lines, "")
            fence, lines = "", []
        elif not fence and found and found[2]:
            yield from _cell("[markdown]" if any(lines) else "", lines, "")
            fence, lines = found[1], []
        else:
            lines.append(line)
    yield from _cell("[markdown]" if any(lines) else "", lines, "")
