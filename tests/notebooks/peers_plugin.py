"""Puts Slipway's contents manager and rooms where the tests of others look for theirs. Loaded by `peers`."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jupytext
import jupytext.compare
import pytest
from jupyter_server.serverapp import ServerApp
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager, LargeFileManager
from nbformat import NotebookNode

from jupyter_slipway.notebooks import room
from jupyter_slipway.notebooks.contents import text_notebooks

HOME = Path(os.environ["SLIPWAY_HOME"])
made: list[Any] = []
"""Contents managers, the one of the server that runs now last."""


class Remembered(text_notebooks(AsyncLargeFileManager, HOME)):  # type: ignore[misc]
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        made.append(self)


@pytest.fixture(autouse=True)
def one_server() -> Iterator[None]:
    """Rooms of a test that makes no server, but a contents manager that is none, are not ours."""
    yield
    made.clear()


def without_version(notebook: Any) -> Any:
    """`notebook` but for which version of a text it is, which an opened one carries."""
    bare = {key: value for key, value in notebook.metadata.items() if key != "slipway"}
    return NotebookNode(notebook | {"metadata": NotebookNode(bare)})


compare = jupytext.compare.compare_notebooks
jupytext.compare.compare_notebooks = lambda actual, expected, *how, **more: compare(
    without_version(actual), without_version(expected), *how, **more
)
jupytext.TextFileContentsManager = text_notebooks(LargeFileManager, HOME)
jupytext.AsyncTextFileContentsManager = text_notebooks(AsyncLargeFileManager, HOME)
ServerApp.contents_manager_class.default_value = Remembered
room.install(lambda: made[-1] if made else None, HOME / "documents", logging.getLogger("peers"))
