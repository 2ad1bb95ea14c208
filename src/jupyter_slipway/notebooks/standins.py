"""What jupytext would lose of a text or a notebook, or refuse, and what stands in for it while jupytext is at work.

Pure. Used by `text`: line ends that only Python knows, control characters, titles that no marker can hold as they are,
and what a header says in another type than nbformat's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from itertools import count
from math import isfinite
from typing import Any

from nbformat import NotebookNode
from nbformat.validator import NotebookValidationError

# jupytext splits at all that Python calls a line end, and joins by "\n": these would be lost.
SPLITTING = "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
# YAML, by which jupytext looks for a header, refuses a text that holds one of these anywhere.
CONTROLS = "".join(
    map(chr, (*range(9), *range(0x0E, 0x1C), 0x1F, *range(0x7F, 0x85), *range(0x86, 0xA0), 0xFFFE, 0xFFFF))
)
ODD = re.compile(f"[{SPLITTING}{CONTROLS}]")
ODDS = frozenset(SPLITTING + CONTROLS)
BREAKS = re.compile("[\x85\u2028\u2029]")
"""What ends a line in YAML, and MyST writes as it is."""
TITLE = re.compile(rf"(?![%\s])(?!.*\[(?:markdown|md|raw|code)\])[^{{=\n\r{SPLITTING}{CONTROLS}]+(?<!\s)")
"""What comes back as a title when it stands in a marker's line."""
FILTER = "cell_metadata_filter"
"""jupytext's option of which cell metadata stand in a text."""
PRIVATE = range(0xF0000, 0x10FFFE)
"""Characters that mean nothing."""
Change = Callable[[str], str]


def hide_odd(text: str) -> tuple[Change, Change] | None:
    """What puts others in the place of odd characters, and what takes them back; None where there are none.

    Raises:
        ValueError: none are left
    """
    if not ODD.search(text):
        return None
    used = set(text)
    free = (one for one in PRIVATE if chr(one) not in used)
    there = dict(zip(map(ord, sorted(used & ODDS)), free, strict=False))
    if len(there) < len(used & ODDS):
        raise ValueError("beside a control character it holds every character of Unicode's private planes")
    back = {other: one for one, other in there.items()}
    return lambda one: one.translate(there), lambda one: one.translate(back)


def hide(notebook: Any, format_name: str) -> Change:
    """Hide what jupytext could not write.

    Args:
        notebook: of NotebookNodes; changed
        format_name: that it is written in

    Returns:
        what makes the notebook's text of the text that jupytext has written
    """
    for cell in notebook.cells:
        if cell.metadata.get("title", "") is None:  # a marker would name it "title"
            del cell.metadata["title"]
    titled = [cell for cell in notebook.cells if "title" in cell.metadata and not _is_title(cell.metadata.title)]
    odd = [cell for cell in notebook.cells if ODD.search(cell.source)]
    if not titled and not odd and format_name != "myst":
        return str
    said = json.dumps(notebook, ensure_ascii=False)
    there, back = hide_odd("".join([said, *(cell.source for cell in odd)])) or (str, str)
    for cell in odd:
        cell.source = there(cell.source)
    if format_name == "myst" and BREAKS.search(said):
        for one in (notebook, *(cell for cell in notebook.cells if cell.cell_type != "markdown")):
            one.metadata = nodes(one.metadata, there)
    alias = _unused(said, "title")
    for cell in titled:
        # So it is written as every other value, and read as one.
        cell.metadata[alias] = cell.metadata.pop("title")
    options = notebook.metadata.get("jupytext", {})
    if titled and options.get(FILTER):
        options[FILTER] += f",{alias}"
    return lambda written: back(written.replace(f",{alias}", "").replace(alias, "title"))


def read_anyhow(read: Callable[[str], Any], text: str, header: str) -> Any:
    """What `read` makes of a text, whatever nbformat says of the types in its header.

    Args:
        read: makes a notebook of a text, by jupytext
        header: that `text` begins with

    Raises:
        NotebookValidationError: nbformat refuses something else
    """
    body, prefix = text[len(header) :], _unused(text, "hidden")
    hidden: list[str] = []
    refused: Exception | None = None
    while True:
        try:
            notebook = read(header + body)
            break
        except Exception as error:
            refused = refused or error
            key = _refused_key(error)
            if key is None or key in hidden:
                raise refused from None
            hidden.append(key)
            header = re.sub(rf"^(\W*){key}(?=['\"]?:)", rf"\1{prefix}{key}", header, flags=re.MULTILINE)
    if hidden:
        notebook.metadata = nodes(notebook.metadata, lambda one: one.replace(prefix, ""))
    return notebook


def nodes(value: Any, change: Change = str) -> Any:
    """A copy as nbformat has it, of what JSON knows: all else, such as a date in a header, is said as text.

    Args:
        change: what becomes of each text
    """
    if isinstance(value, Mapping):
        return NotebookNode({change(str(key)): nodes(one, change) for key, one in value.items()})
    if isinstance(value, list | tuple | set):
        return [nodes(one, change) for one in value]
    if value is None or isinstance(value, int) or (isinstance(value, float) and isfinite(value)):
        return value
    return change(str(value))


def _refused_key(error: Exception) -> str | None:
    """The key of a notebook's metadata that nbformat refuses, and whose value may be another; None for all else."""
    if not isinstance(error, NotebookValidationError):
        return None
    place = list(error.original.absolute_path)[:2]
    is_kernel = place == ["metadata", "kernelspec"] and isinstance(error.original.instance, Mapping)
    return str(place[1]) if is_kernel or place in (["metadata", "title"], ["metadata", "authors"]) else None


def _is_title(value: Any) -> bool:
    return isinstance(value, str) and bool(TITLE.fullmatch(value))


def _unused(text: str, stem: str) -> str:
    return next(name for name in (f"{stem}-{number}-" for number in count()) if name not in text)
