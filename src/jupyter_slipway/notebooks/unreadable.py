"""Why an .ipynb does not open, and what to do: the line where it ends to be a notebook, not what a parser met.

Asked by `contents` once reading it has failed, and before what is open replaces one that somebody else wrote; and by
whoever could not write what should be a notebook.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import nbformat
from jsonschema import Draft7Validator
from nbformat.sign import yield_code_cells, yield_everything
from nbformat.validator import iter_validate

from jupyter_slipway.errors import BadRequest, SlipwayError
from jupyter_slipway.notebooks.marks import has_marks
from jupyter_slipway.notebooks.text import OURS, decode, refuse_too_many

MEND = (
    "Mend it with the text editor, or take an earlier version: from git, or of its checkpoint in .ipynb_checkpoints. "
    "It was not touched."
)
LARGEST = 512 * 2**20
"""Bytes of an .ipynb: more, once read, takes several times that much memory of the server."""

MOST = 120
"""Characters of what is said of a fault: it cites what it was found in."""
TEXT, TABLE = {"type": "string"}, {"type": "object"}
JUPYTEXT = {
    "formats": {"type": ["string", "array"]},
    "text_representation": {**TABLE, "additionalProperties": TEXT},
    "cell_markers": TEXT,
    "cell_metadata_filter": TEXT,
    "notebook_metadata_filter": TEXT,
}
OPTIONS = Draft7Validator(
    {"properties": {"metadata": {"properties": {OURS: TABLE, "jupytext": {**TABLE, "properties": JUPYTEXT}}}}}
)
"""Of a notebook's metadata, what else is read than what its format describes."""


def refuse_too_large(file: Path) -> None:
    """
    Raises:
        BadRequest: it has more than LARGEST bytes
    """
    size = file.stat().st_size
    if size > LARGEST:
        raise BadRequest(
            f"{file.name} has {size / 2**20:,.0f} MB: too much for one notebook.",
            hint="Clear outputs with 'jupyter nbconvert --clear-output --inplace'. It was not touched.",
        )


def refuse_to_replace(file: Path) -> None:
    """
    Raises:
        BadRequest: it cannot be read; an empty one, as a tool may have made it, holds nothing to lose
    """
    refuse_too_large(file)
    if file.stat().st_size:
        explain(file)


def explain(file: Path, met: Exception | None = None) -> None:
    """
    Args:
        met: by who tried to read it; None where nobody did, or it may have been something else

    Raises:
        BadRequest: what is wrong with it, when that is known
        OSError: it cannot be read at all
    """
    name = file.name
    text, _, is_marked = decode(file.read_bytes(), name)
    if is_marked:
        raise BadRequest(f"{name} begins with a byte order mark, which no JSON does.", hint=f"Take it out. {MEND}")
    if not text.strip():
        raise BadRequest(
            f"{name} is empty.",
            hint="Delete it and make a new notebook, or take an earlier version from git. It was not touched.",
        )
    if has_marks(text):
        raise BadRequest(
            f"{name} holds git's conflict marks.",
            hint="Settle it cell by cell: 'Resolve Merge of Notebook' in the file's context menu. It was not touched.",
        )
    try:
        notebook = json.loads(text)
    except RecursionError as error:
        raise BadRequest(f"{name} is nested too deeply to be read.", hint=MEND) from error
    except json.JSONDecodeError as error:
        raise BadRequest(f"{name}, line {error.lineno}: no JSON goes on like this: {error.msg}.", hint=MEND) from error
    if not isinstance(notebook, dict) or not notebook.keys() & {"cells", "worksheets"}:
        raise BadRequest(f"{name} is JSON, but not of a notebook: it has no cells.", hint=MEND)
    if isinstance(cells := notebook.get("cells"), list):
        refuse_too_many(len(cells), name)
    try:
        _read_as_server(text)
    except Exception as failed:  # nbformat meets what is missing in many ways
        met = failed
    if met is not None:
        said = fault(notebook) or (str(met) or type(met).__name__).splitlines()[0][:MOST]
        raise BadRequest(f"{name} is JSON, but not of a notebook: {said}.", hint=MEND) from met


def _read_as_server(text: str) -> None:
    """Read a notebook, and all that is looked at to see whether it is trusted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        notebook = nbformat.reads(text, as_version=4)
    for _ in chain(yield_everything(notebook), yield_code_cells(notebook)):
        pass


@contextmanager
def saying_fault(name: str, notebook: Any) -> Iterator[None]:
    """
    Raises:
        BadRequest: what goes wrong is with a notebook that is none; `nbformat.read` lets many of them pass
    """
    try:
        yield
    except (SlipwayError, OSError):
        raise
    except Exception as error:  # jupytext's and ours alike, at whatever the notebook does not have
        if found := fault(notebook):
            raise BadRequest(f"{name} is no notebook of nbformat 4: {found}.", hint=MEND) from error
        raise


def fault(content: Any) -> str | None:
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
    return f"{place}: {found.message[:MOST]}" if place else found.message[:MOST]


def _half(notebook: Mapping[str, Any]) -> str | None:
    """Where it holds half of a character, as pages make them that cut a text in two."""
    cells = ((f"cells.{place}", cell) for place, cell in enumerate(notebook["cells"]))
    for place, part in chain([("metadata", notebook["metadata"])], cells):
        try:
            json.dumps(part, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            return f"{place}: U+{ord(error.object[error.start]):04X} is half of a character: delete it"
    return None
