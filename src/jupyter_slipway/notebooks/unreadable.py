"""Why an .ipynb does not open, and what to do: the line where it ends to be a notebook, not what a parser met.

Asked by `contents` once reading it has failed, and before what is open replaces one that somebody else wrote.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbformat.sign import yield_code_cells, yield_everything

from jupyter_slipway.errors import BadRequest, in_short
from jupyter_slipway.notebooks import faults
from jupyter_slipway.notebooks.faults import MEND
from jupyter_slipway.notebooks.marks import has_marks
from jupyter_slipway.notebooks.text import decode, refuse_too_many

LARGEST = 512 * 2**20
"""Bytes of an .ipynb: more, once read, takes several times that much memory of the server."""


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
    if not file.stat().st_size:
        return
    if file.suffix == ".ipynb":
        explain(file)
        return
    text = decode(file.read_bytes(), file.name).text
    try:
        jupytext.reads(text, fmt={"extension": file.suffix})
    except Exception as error:  # jupytext's parsers raise many kinds; each means that this is no notebook
        said = in_short(error, faults.MOST)
        raise BadRequest(f"{file.name} cannot be read as a notebook: {said}.", hint=MEND) from error


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
        said = faults.find(notebook) or in_short(met, faults.MOST)
        raise BadRequest(f"{name} is JSON, but not of a notebook: {said}.", hint=MEND) from met


def complete(cells: Iterable[dict[str, Any]]) -> None:
    """Let a cell that says nothing of its source be empty, as pages take it; not so shared documents.

    Raises:
        ValueError: the source of one is no text
    """
    for place, cell in enumerate(cells):
        if not isinstance(cell.setdefault("source", ""), str):
            raise ValueError(f"cells.{place}.source is no text")


def _read_as_server(text: str) -> None:
    """Read a notebook, and all that is looked at to see whether it is trusted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        notebook = nbformat.reads(text, as_version=4)
    complete(notebook.cells)
    for _ in chain(yield_everything(notebook), yield_code_cells(notebook)):
        pass
