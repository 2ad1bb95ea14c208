"""What a key and an autosave cost the server while a notebook is shared, beside jupyter-collaboration's own rooms.

`python benchmarks/keystrokes.py`. CPU of one process that holds the room: a page's update is made beforehand, and only
its way into the room is measured; medians of interleaved rounds.
"""

from __future__ import annotations

import asyncio
import logging
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from jupyter_server_ydoc.rooms import DocumentRoom
from jupyter_ydoc import YNotebook
from pycrdt import Doc, create_update_message
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.notebooks import a_notebook
from tests.notebooks.rooms import Shared

CELLS, KEYS, ROUNDS = 200, 100, 5
WAYS = {"text": "a.py", "ipynb": "a.ipynb", "stock .ipynb": "a.ipynb"}


class Stock(Shared):
    """The same folder with the rooms and the contents manager that one would have without Slipway."""

    def __init__(self, root: Path, home: Path) -> None:
        super().__init__(root, home, poll=None, delay=None)
        self.manager: Any = AsyncLargeFileManager(root_dir=str(root))
        self._made = DocumentRoom


class Typist:
    """A page whose keys reach the room when they are told to."""

    def __init__(self, room: Any) -> None:
        self.room = room
        self.document = YNotebook(Doc())
        self.document.ydoc.apply_update(room.ydoc.get_update())
        self.said: list[bytes] = []
        self._subscription = self.document.ydoc.observe(lambda event: self.said.append(event.update))

    def type(self) -> None:
        self.document.ycells[3]["source"].insert(0, "x")

    def arrive(self) -> None:
        """As a room takes in what a page sends."""
        for update in self.said:
            if self.room.on_message:
                self.room.on_message(create_update_message(update))
            self.room.ydoc.apply_update(update)
        self.said.clear()


async def costs(way: str, notebook: Any) -> tuple[list[float], list[float]]:
    """CPU milliseconds of a key and of a save, in each round."""
    keys, saves = [], []
    with tempfile.TemporaryDirectory() as folder:
        root, home = Path(folder) / "work", Path(folder) / "home"
        root.mkdir()
        home.mkdir()
        shared = Stock(root, home) if way.startswith("stock") else Shared(root, home, poll=None, delay=None)
        model = {"type": "notebook", "format": "json", "content": notebook}
        await shared.manager.save(model, WAYS[way])
        room = await shared.room(WAYS[way], "notebook")
        typist = Typist(room)
        for number in range(1, ROUNDS + 1):
            for _ in range(KEYS):
                typist.type()
            start = time.process_time()
            typist.arrive()
            keys.append((time.process_time() - start) / KEYS * 1000)
            # What follows from it in the background.
            await asyncio.sleep(0.3)
            start = time.process_time()
            await room._save_to_disc()
            saves.append((time.process_time() - start) * 1000)
            assert "x" * KEYS * number in (root / WAYS[way]).read_text(), "not saved"
        await shared.end()
    return keys, saves


async def main() -> None:
    table = Table(title=f"CPU ms of the server, {CELLS} cells")
    for name in ("images MB", "kept as", "a key", "an autosave"):
        table.add_column(name, justify="right")
    for megabytes in (0, 50):
        notebook = nbformat.from_dict(a_notebook(CELLS, megabytes))
        taken: dict[str, list[tuple[list[float], list[float]]]] = {}
        for _ in range(2):
            for way in WAYS:
                taken.setdefault(way, []).append(await costs(way, notebook))
        for way, rounds in taken.items():
            key, save = (statistics.median(one for pair in rounds for one in pair[which]) for which in (0, 1))
            table.add_row(str(megabytes), way, f"{key:.2f}", f"{save:.0f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    asyncio.run(main())
