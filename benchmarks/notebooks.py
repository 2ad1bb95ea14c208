"""What opening and saving costs beside plain .ipynb and jupytext's pairs, and what git keeps of four re-runs.

`python benchmarks/notebooks.py [--quick]`. CPU of one process through the managers' own `get` and `save`, medians of
interleaved rounds.
"""

from __future__ import annotations

import asyncio
import base64
import copy
import logging
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from jupytext import build_async_jupytext_contents_manager_class
from rich.console import Console
from rich.table import Table

from jupyter_slipway.notebooks.contents import text_notebooks

QUICK = "--quick" in sys.argv
ROUNDS = 5 if QUICK else 9
CASES = [(20, 0), (200, 0), (1000, 0), (20, 50), (200, 50), (1000, 50)]
KERNEL = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
JUPYTEXT = build_async_jupytext_contents_manager_class(AsyncLargeFileManager)
NAMES = {"text": "a.py", "ipynb": "a.ipynb", "paired": "a.ipynb"}


def a_notebook(cells: int, megabytes: int, seed: int = 0) -> Any:
    """Code with printed output, every third cell prose; images in a quarter of the code cells."""
    rng = random.Random(seed)
    made = nbformat.v4.new_notebook(metadata=copy.deepcopy(KERNEL))
    for number in range(cells):
        if number % 3 == 2:
            made.cells.append(nbformat.v4.new_markdown_cell(f"## Step {number}\n\n- one\n- two"))
            continue
        cell = nbformat.v4.new_code_cell(f"x{number} = load({number})\nfor row in x{number}:\n    print(row, {number})")
        cell.outputs = [nbformat.v4.new_output("stream", text=f"row {rng.random()}\n" * 5)]
        cell.execution_count = number + 1
        made.cells.append(cell)
    code = [cell for cell in made.cells if cell.cell_type == "code"]
    shown = code[:: max(1, len(code) // min(len(code), 100))]
    for cell in shown if megabytes else ():
        data = base64.b64encode(rng.randbytes(megabytes * 2**20 // len(shown) * 3 // 4)).decode()
        cell.outputs.append(nbformat.v4.new_output("display_data", data={"image/png": data, "text/plain": "<Figure>"}))
    return made


class Kept:
    """One notebook kept in one way."""

    def __init__(self, way: str, folder: Path, notebook: Any) -> None:
        self.folder, self.name = folder / way, NAMES[way]
        self.folder.mkdir()
        built = text_notebooks(AsyncLargeFileManager, folder / "home") if way == "text" else JUPYTEXT
        self.manager = (AsyncLargeFileManager if way == "ipynb" else built)(root_dir=str(self.folder))
        self.notebook = copy.deepcopy(notebook)
        if way == "paired":
            self.notebook.metadata["jupytext"] = {"formats": "ipynb,py:percent"}
        self.save()
        self.notebook = self.open()

    def save(self) -> None:
        model = {"type": "notebook", "format": "json", "content": self.notebook}
        asyncio.run(self.manager.save(model, self.name))

    def open(self) -> Any:
        return asyncio.run(self.manager.get(self.name, type="notebook"))["content"]

    def edit(self, number: int) -> None:
        self.notebook.cells[len(self.notebook.cells) // 2 // 3 * 3].source = f"edited = {number}\nprint(edited)"

    def rerun(self, number: int) -> None:
        self.notebook.cells[0].outputs[0].text = f"ran {number}\n"


def cpu(work: Callable[[], Any]) -> float:
    """Milliseconds, of all threads."""
    start = time.process_time()
    work()
    return 1000 * (time.process_time() - start)


def opening_and_saving(console: Console) -> None:
    table = Table(title="CPU ms, median: text (times .ipynb) / .ipynb / jupytext paired")
    for name in ("cells", "images MB", "open", "save an edit", "save a run", "open after an edit elsewhere"):
        table.add_column(name, justify="right")
    for cells, megabytes in CASES:
        with tempfile.TemporaryDirectory() as folder:
            notebook = a_notebook(cells, megabytes)
            ways = {way: Kept(way, Path(folder), notebook) for way in NAMES}
            taken: dict[tuple[str, str], list[float]] = {}
            # Of the small ones more: what a few milliseconds are is seen in many.
            for number in range(ROUNDS if megabytes else max(ROUNDS, 2000 // cells)):
                for way, kept in ways.items():
                    kept.edit(number)
                    taken.setdefault(("edit", way), []).append(cpu(kept.save))
                    kept.rerun(number)
                    taken.setdefault(("run", way), []).append(cpu(kept.save))
                    taken.setdefault(("open", way), []).append(cpu(kept.open))
            text = ways["text"]
            for number in range(3):
                file = text.folder / text.name
                file.write_text(file.read_text().replace("load(1", f"load( {number}1", 1))
                taken.setdefault(("elsewhere", "text"), []).append(cpu(text.open))
        middle = {key: statistics.median(times) for key, times in taken.items()}

        def told(what: str, middle: dict[tuple[str, str], float] = middle) -> str:
            text, plain, paired = (middle[what, way] for way in NAMES)
            return f"{text:.1f} ({text / plain:.2f}) / {plain:.1f} / {paired:.1f}"

        elsewhere = f"{middle['elsewhere', 'text']:.1f}"
        table.add_row(str(cells), str(megabytes), told("open"), told("edit"), told("run"), elsewhere)
    console.print(table)


def four_reruns(console: Console) -> None:
    """A notebook with 20 MB of images, run four times with other images, committed each time."""
    table = Table(title="git after four re-runs with 20 MB of new images")
    for name in ("kept as", ".git MB", "lines of git diff, all four"):
        table.add_column(name, justify="right")
    for way in ("text", "ipynb", "paired"):
        with tempfile.TemporaryDirectory() as folder:
            kept = Kept(way, Path(folder), a_notebook(100, 20))

            def git(*arguments: str, at: Path = kept.folder) -> str:
                identity = ("-c", "user.name=ada", "-c", "user.email=ada@example.org", "-c", "gc.auto=0")
                done = subprocess.run(["git", "-C", at, *identity, *arguments], capture_output=True, check=True)
                return done.stdout.decode()

            git("init", "-q")
            git("add", "-A", ".")
            git("commit", "-qm", "0")
            lines = 0
            for seed in range(1, 5):
                fresh = a_notebook(100, 20, seed)
                for cell, other in zip(kept.notebook.cells, fresh.cells, strict=True):
                    if cell.cell_type == "code":
                        cell.outputs = other.outputs
                kept.save()
                lines += len(git("diff").splitlines())
                git("commit", "-qam", str(seed), "--allow-empty")
            git("gc", "-q")
            size = sum(path.stat().st_size for path in (kept.folder / ".git").rglob("*") if path.is_file())
            table.add_row(way, f"{size / 2**20:.2f}", str(lines))
    console.print(table)


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    out = Console(width=160)
    opening_and_saving(out)
    four_reruns(out)
