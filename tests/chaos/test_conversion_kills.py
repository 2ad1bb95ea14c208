"""Killed in the middle of a conversion: whoever looks next finds one notebook, with all it had, and nothing beside it.

`SLIPWAY_TEST_KILLS=150` makes it the long form; its figures are printed (`pytest -s`).
"""

from __future__ import annotations

import collections
import multiprocessing
import os
import random
import time
from multiprocessing.connection import Connection
from pathlib import Path

import nbformat

from jupyter_slipway.notebooks.convert import Format, convert
from jupyter_slipway.notebooks.documents import Documents
from tests.notebooks.builders import Server, image, show

KILLS = int(os.environ.get("SLIPWAY_TEST_KILLS", "8"))
FORMS: dict[str, Format] = {".ipynb": "percent", ".py": "ipynb"}
# A process that has imported all it needs forks each one that is killed.
CONVERTERS = multiprocessing.get_context("forkserver")
CONVERTERS.set_forkserver_preload([__name__])


def keep_converting(root: Path, home: Path, name: str, said: Connection) -> None:
    """There and back, and say that it begins."""
    file = root / name
    said.send(0)
    while True:
        file = convert(Documents(root, home), file, FORMS[file.suffix]).target


def convert_until_killed(root: Path, home: Path, name: str, after: float) -> None:
    heard, said = CONVERTERS.Pipe(duplex=False)
    converter = CONVERTERS.Process(target=keep_converting, args=(root, home, name, said))
    converter.start()
    heard.recv()
    time.sleep(after)
    converter.kill()
    converter.join()
    converter.close()
    heard.close()
    said.close()


def test_one_notebook_is_left(tmp_path: Path, home: Path) -> None:
    cells = [nbformat.v4.new_code_cell(f"x = {number}") for number in range(30)]
    for number, cell in enumerate(cells):
        show(cell, f"{number}\n", number)
        cell.outputs.append(nbformat.from_dict(image(20_000, seed=number)))
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "a.ipynb")
    before = (tmp_path / "a.ipynb").read_bytes()
    rng = random.Random(KILLS)
    left: collections.Counter[str] = collections.Counter()
    (name,) = names(tmp_path)
    for _ in range(KILLS):
        convert_until_killed(tmp_path, home, name, rng.uniform(0, 0.3))
        left[" ".join(sorted({one if one.startswith("a.") else one[:2] for one in names(tmp_path)}))] += 1

        listed = [one["name"] for one in Server(tmp_path, home).ask("get", "", type="directory")["content"]]

        assert names(tmp_path) == listed
        (name,) = listed
        found = Server(tmp_path, home).open(name)
        assert [cell.outputs for cell in found.cells] == [cell.outputs for cell in cells]
    print(dict(left))
    if name != "a.ipynb":
        convert(Documents(tmp_path, home), tmp_path / name, "ipynb")
    assert (tmp_path / "a.ipynb").read_bytes() == before


def names(folder: Path) -> list[str]:
    return sorted(one for one in os.listdir(folder) if one != ".slipway")
