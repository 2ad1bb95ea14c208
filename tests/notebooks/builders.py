"""Text notebooks and servers' managers for the tests of this folder."""

from __future__ import annotations

import asyncio
import base64
import random
from pathlib import Path
from typing import Any

import nbformat
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager, LargeFileManager

from jupyter_slipway.notebooks.contents import text_notebooks

PERCENT = "# %%\nx = 1\n\n# %% [markdown]\n# Title\n\n# %%\nprint(x)\n"


class Server:
    """A contents manager as the server has it, asked from a test."""

    def __init__(self, root: Path, home: Path, *, asynchronous: bool = True, **options: Any) -> None:
        self.root = root
        base = AsyncLargeFileManager if asynchronous else LargeFileManager
        self.manager = text_notebooks(base, home)(root_dir=str(root), **options)

    def ask(self, name: str, *arguments: Any, **options: Any) -> Any:
        answer = getattr(self.manager, name)(*arguments, **options)
        return asyncio.run(answer) if asyncio.iscoroutine(answer) else answer

    def open(self, path: str) -> Any:
        return self.ask("get", path, type="notebook")["content"]

    def save(self, path: str, notebook: Any) -> Any:
        return self.ask("save", {"type": "notebook", "format": "json", "content": notebook}, path)

    def run(self, path: str, notebook: Any, *, count: int = 1) -> None:
        """Give each code cell an output and save, as after 'Run all'."""
        for cell in notebook.cells:
            if cell.cell_type == "code":
                show(cell, f"{cell.source} gave {count}\n", count)
        self.save(path, notebook)


def show(cell: Any, said: str, count: int = 1) -> None:
    cell["outputs"] = [nbformat.from_dict({"output_type": "stream", "name": "stdout", "text": said})]
    cell["execution_count"] = count


def image(size: int, seed: int = 0) -> dict[str, Any]:
    """An output of `size` bytes that cannot be made smaller."""
    data = base64.b64encode(random.Random(seed).randbytes(size)).decode()
    return {"output_type": "display_data", "metadata": {}, "data": {"image/png": data, "text/plain": "<Figure>"}}


def shown(notebook: Any) -> list[Any]:
    """What each cell shows, and '(old)' where that is of another source."""
    found: list[Any] = []
    for cell in notebook["cells"]:
        said = "".join(str(output.get("text", output.get("data"))) for output in cell.get("outputs", ()))
        found.append(said + " (old)" * ("stale" in cell["metadata"].get("slipway", {})))
    return found


def ids(notebook: Any) -> list[str]:
    return [cell["id"] for cell in notebook["cells"]]
