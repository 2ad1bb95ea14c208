"""Versions and notebooks that tests start from: say only what matters to them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat

from jupyter_slipway.jobs.model import Version
from jupyter_slipway.publish.model import Environment


def a_version(**changes: Any) -> Version:
    """A version as it is before it is registered."""
    fields: dict[str, Any] = {
        "job": "churn-daily",
        "number": 0,
        "notebook": "/notebooks/churn.ipynb",
        "cell": "c1",
        "module": "def main():\n    return {}\n",
        "parameters": (),
        "environment": Environment(python="3.11.7", locked=False),
        "author": "ada",
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
        "digest": "",
    }
    return Version(**(fields | changes))


def write_notebook(path: Path, *sources: str) -> Path:
    """An .ipynb of code cells with the ids c0, c1, …"""
    cells = []
    for index, source in enumerate(sources):
        cell = nbformat.v4.new_code_cell(source)
        cell["id"] = f"c{index}"
        cells.append(cell)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(metadata={"kernelspec": kernel}, cells=cells), path)
    return path
