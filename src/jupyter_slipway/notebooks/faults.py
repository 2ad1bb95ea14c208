"""Where what should be a notebook is none: the place that is wrong, in a person's words, not what a parser met.

Asked once reading or writing it has failed, of a file by `unreadable` and of what a page sends by `refusals`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

from jsonschema import Draft7Validator
from nbformat.validator import iter_validate

from jupyter_slipway.errors import BadRequest, SlipwayError, in_short
from jupyter_slipway.notebooks.text import OURS

MEND = (
    "Mend it with the text editor, or take an earlier version: from git, or of its checkpoint in .ipynb_checkpoints. "
    "It was not touched."
)
"""What to do about it."""
MOST = 120
"""Characters of what is said of a fault: it cites what it was found in."""
KINDS = ("code", "markdown", "raw")
TEXT, TABLE = {"type": "string"}, {"type": "object"}
JUPYTEXT = {
    "formats": {"type": ["string", "array"], "items": {"type": ["string", "object"]}},
    "text_representation": {**TABLE, "additionalProperties": TEXT},
    "cell_markers": TEXT,
    "cell_metadata_filter": TEXT,
    "notebook_metadata_filter": TEXT,
}
OPTIONS = Draft7Validator(
    {"properties": {"metadata": {"properties": {OURS: TABLE, "jupytext": {**TABLE, "properties": JUPYTEXT}}}}}
)
"""Of a notebook's metadata, what else is read than what its format describes."""


@contextmanager
def said(name: str, notebook: Any) -> Iterator[None]:
    """
    Raises:
        BadRequest: what goes wrong is with a notebook that is none; `nbformat.read` lets many of them pass
    """
    try:
        yield
    except (SlipwayError, OSError):
        raise
    except Exception as error:  # jupytext's and ours alike, at whatever the notebook does not have
        if found := find(notebook):
            raise BadRequest(f"{name} is no notebook of nbformat 4: {found}.", hint=MEND) from error
        raise


def refuse_strange(cells: Sequence[Mapping[str, Any]]) -> None:
    """
    Raises:
        ValueError: one is of no type, or its attachments are none: who writes a text would not notice, but who opens it
    """
    for place, cell in enumerate(cells):
        if cell["cell_type"] not in KINDS:
            raise ValueError(f"cells.{place}.cell_type is {cell['cell_type']!r:.40}")
        attached = cell.get("attachments") or {}
        if not isinstance(attached, dict) or not all(isinstance(one, dict) for one in attached.values()):
            raise ValueError(f"cells.{place}.attachments: {attached!r:.40} are none")


def find(content: Any) -> str | None:
    """Where what should be a notebook is none, or holds what cannot be in a file; None when nothing is found."""
    if not isinstance(content, dict):
        return f"it is {content!r:.40}"
    if content.get("nbformat") != 4:
        return f"nbformat is {content.get('nbformat')!r:.40}"
    minor = content.get("nbformat_minor")
    known = minor if isinstance(minor, int) else None
    try:
        wrong = iter_validate(content, version=4, version_minor=known, relax_add_props=True)
        found = next(chain(wrong, OPTIONS.iter_errors(content)), None)
    except TypeError:
        return "the cell_type of a cell is no text"
    except RecursionError:
        return "it is nested too deeply"
    if found is None:
        return _half(content)
    place = ".".join(map(str, found.relative_path))
    said = in_short(found.message, MOST)
    return f"{place}: {said}" if place else said


def _half(notebook: Mapping[str, Any]) -> str | None:
    """Where it holds half of a character, as pages make them that cut a text in two."""
    cells = ((f"cells.{place}", cell) for place, cell in enumerate(notebook["cells"]))
    for place, part in chain([("metadata", notebook["metadata"])], cells):
        try:
            json.dumps(part, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            return f"{place}: U+{ord(error.object[error.start]):04X} is half of a character: delete it"
    return None
