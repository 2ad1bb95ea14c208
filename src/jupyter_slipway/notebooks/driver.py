"""git's merge driver: three notebook files into one, in the place of ours.

Reached from `jupyter slipway git merge-driver`, which git calls for each .ipynb that both sides changed.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jupyter_slipway.errors import SlipwayError
from jupyter_slipway.files import atomic_write
from jupyter_slipway.notebooks.conflicts import with_marks
from jupyter_slipway.notebooks.glance import read_notebook
from jupyter_slipway.notebooks.merge import merge_notebooks

LABELS = ("mine", "theirs")


def merge_files(base: Path, mine: Path, theirs: Path, name: str, labels: Sequence[str] = LABELS) -> int:
    """Write into `mine` what both sides did; gives how many cells are left in conflict.

    A file that is no notebook is merged as text, by git itself: its marks are better than one side lost.

    Args:
        name: the notebook's path, for messages and to know its format
        labels: how the marks of a conflict call the sides; what git did not fill in, as before 2.44, says nothing
    """
    labels = [
        usual if label.startswith("%") else label.strip() or usual for label, usual in zip(labels, LABELS, strict=True)
    ]
    try:
        sides = [read_notebook(name, path.read_bytes()) for path in (base, mine, theirs)]
    except SlipwayError:
        return _as_text(base, mine, theirs, labels)
    merged = merge_notebooks(*sides)
    atomic_write(mine, to_json(with_marks(merged, *labels)))
    return len(merged.conflicts)


def to_json(notebook: dict[str, Any]) -> bytes:
    """A notebook as nbformat writes it, byte for byte."""
    cells = [_split_cell(cell) for cell in notebook["cells"]]
    text = json.dumps(notebook | {"cells": cells}, indent=1, ensure_ascii=False, sort_keys=True)
    return f"{text}\n".encode("utf-8", "surrogatepass")


def _as_text(base: Path, mine: Path, theirs: Path, labels: Sequence[str]) -> int:
    named = ["-L", labels[0], "-L", "base", "-L", labels[1]]
    done = subprocess.run(["git", "merge-file", *named, "--", str(mine), str(base), str(theirs)], check=False)
    return abs(done.returncode)


def _split_cell(cell: dict[str, Any]) -> dict[str, Any]:
    made = cell | {"source": _lines(cell["source"])}
    if "outputs" in cell:
        made["outputs"] = [_split_output(output) for output in cell["outputs"]]
    if "attachments" in cell:
        made["attachments"] = {name: _split_bundle(bundle) for name, bundle in cell["attachments"].items()}
    return made


def _split_output(output: dict[str, Any]) -> dict[str, Any]:
    made = dict(output)
    if "text" in output:
        made["text"] = _lines(output["text"])
    if "data" in output:
        made["data"] = _split_bundle(output["data"])
    return made


def _split_bundle(bundle: dict[str, Any]) -> dict[str, Any]:
    return {mime: value if mime.endswith("json") else _lines(value) for mime, value in bundle.items()}


def _lines(text: Any) -> Sequence[str] | Any:
    return text.splitlines(True) if isinstance(text, str) else text
