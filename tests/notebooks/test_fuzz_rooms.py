"""Everybody writes into one text notebook at once: two notebooks, a text, another server, an editor outside.

Every word is in every view and on disk in the end. SLIPWAY_FUZZ=100 runs a hundred seeds instead of two,
SLIPWAY_FUZZ_FROM=1000 those from there.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
from pathlib import Path
from typing import Any

import pytest

from jupyter_slipway.notebooks import writing
from jupyter_slipway.notebooks.marks import sides
from tests.notebooks.rooms import Page, Shared, in_loop, until

FIRST = int(os.environ.get("SLIPWAY_FUZZ_FROM", "0"))
SEEDS = range(FIRST, FIRST + int(os.environ.get("SLIPWAY_FUZZ", "2")))
ROUNDS = 25
START = "# %%\nimport one\n\n# %% [markdown]\n# Words\n#\n# and more\n\n# %%\ntwo = 2\nthree = 3\n\n# %%\nfour(4)\n"


class Writers:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.said: set[str] = set()
        self._words = 0

    def word(self, who: str) -> str:
        self._words += 1
        # It is found also where it stands against another: what is on its way into a text goes where its place was.
        word = f"{who}{self._words}x"
        self.said.add(word)
        return word

    async def pause(self) -> None:
        await asyncio.sleep(self.random.random() * 0.06)

    async def in_notebook(self, page: Page, who: str) -> None:
        for _ in range(ROUNDS):
            await self.pause()
            cells = page.document.ycells
            if self.random.random() < 0.1:
                cell = {"cell_type": "code", "source": self.word(who), "metadata": {}, "outputs": []}
                cells.insert(self.random.randrange(len(cells) + 1), page.document.create_ycell(cell))
            elif self.random.random() < 0.1 and len(cells):
                ycell = self.random.choice(list(cells))
                if "outputs" in ycell:
                    ycell["outputs"].append({"output_type": "stream", "name": "stdout", "text": "ran"})
            else:
                source = self.random.choice(list(cells))["source"]
                source.insert(self.place(str(source)), f" {self.word(who)}")

    async def in_text(self, page: Page, who: str) -> None:
        for _ in range(ROUNDS):
            await self.pause()
            said = self.addition(page.text, who)
            page.write(*said)

    async def outside(self, file: Path, who: str) -> None:
        """An editor that reads, thinks for a while, and writes what it had read with a word more."""
        for _ in range(ROUNDS // 2):
            await self.pause()
            read = file.read_text()
            if self.random.random() < 0.05 and (fewer := self.without_a_cell(read)):
                writing.write(file, fewer.encode())
                continue
            at, said = self.addition(read, who)
            await asyncio.sleep(self.random.choice([0, 0, 0.01, 0.05]))
            now = file.read_text()
            if now == read or self.random.random() < 0.5:
                writing.write(file, (read[:at] + said + read[at:]).encode())
            else:
                at = self.place(now)
                writing.write(file, (now[:at] + said.replace("\n\n# %%\n", " ") + now[at:]).encode())

    def addition(self, text: str, who: str) -> tuple[int, str]:
        if self.random.random() < 0.1:
            return len(text), f"\n# %%\n{self.word(who)}\n"
        return self.place(text), f" {self.word(who)}"

    def without_a_cell(self, text: str) -> str:
        """What was read without one of its cells: the words that were read there may go, none else."""
        cells = re.split(r"^(?=# %%)", text, flags=re.MULTILINE)
        gone = self.random.randrange(1, len(cells))
        if len(cells) < 4 or "<<<<" in cells[gone]:
            return ""
        self.said -= {word for word in self.said if word in cells[gone]}
        return "".join(cells[:gone] + cells[gone + 1 :])

    def place(self, text: str) -> int:
        """An end of a line that says something and marks nothing."""
        places = [found.end() for found in re.finditer(r"^(?!# %%|#$|(# )?(<{7}|={7}|>{7})|$).*$", text, re.MULTILINE)]
        return self.random.choice(places) if places else 0


def said(cell: dict[str, Any]) -> str:
    """Its title too: there stands what was on its way into a cell of the text that was removed."""
    return f"{cell['metadata'].get('title', '')}\n{cell['source']}"


@pytest.mark.parametrize("seed", SEEDS)
@in_loop
async def test_every_word_is_in_every_view_and_on_disk(tmp_path: Path, home: Path, seed: int) -> None:
    file = tmp_path / "a.py"
    file.write_text(START)
    here, there = (Shared(tmp_path, home, delay=0.05) for _ in range(2))
    notebooks = [await here.notebook("a.py", lag=0.01), await here.notebook("a.py", lag=0.03)]
    words = await here.text("a.py", lag=0.02)
    elsewhere = await there.notebook("a.py", lag=0.01)
    writers = Writers(seed)

    await asyncio.gather(
        writers.in_notebook(notebooks[0], "ada"),
        writers.in_notebook(notebooks[1], "bob"),
        writers.in_text(words, "eve"),
        writers.in_notebook(elsewhere, "far"),
        writers.outside(file, "ide"),
    )

    def views() -> dict[str, str]:
        pages = {"first": notebooks[0], "second": notebooks[1], "elsewhere": elsewhere}
        return {"disk": file.read_text(), "text": words.text} | {
            name: "\n".join(map(said, page.document.get()["cells"])) for name, page in pages.items()
        }

    def missing() -> dict[str, set[str]]:
        found = {name: {word for word in writers.said if word not in text} for name, text in views().items()}
        return {name: lost for name, lost in found.items() if lost}

    await until(lambda: not missing() and len(set(list(views().values())[2:])) == 1, lambda: missing() or views())
    await until(lambda: words.text == file.read_text())
    # What both sides of a conflict have in common is in both. A cell that two servers bring back may be there twice.
    sided = sides(words.text)
    each = [words.text] if sided is None else [sided.mine, sided.theirs]
    twice = [word for word in writers.said if any(text.count(word) > 1 for text in each)]
    assert len(twice) <= len(writers.said) // 10, twice
