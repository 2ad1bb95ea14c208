"""Killed in the middle of a save: the text is the old or the new one, whole, with the outputs of just that text."""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from multiprocessing.connection import Connection
from pathlib import Path

import nbformat
import pytest

from tests.notebooks.builders import Server, image, show, shown

KILLS = int(os.environ.get("SLIPWAY_TEST_KILLS", "4"))
# A process that has imported all it needs forks each one that is killed: to start Python takes ten times as long.
SAVERS = multiprocessing.get_context("forkserver")
SAVERS.set_forkserver_preload([__name__])


def keep_saving(root: Path, home: Path, name: str, number: int, said: Connection) -> None:
    """Save higher and higher numbers, and say each once it is saved."""
    server = Server(root, home)
    opened = server.open(name)
    while True:
        number += 1
        opened.cells[0].source = f"x = {number}"
        show(opened.cells[0], f"{number}\n", number)
        opened.cells[0].outputs.append(nbformat.from_dict(image(200_000, seed=number % 50)))
        server.save(name, opened)
        said.send(number)


def saved_until_killed(root: Path, home: Path, name: str, number: int, after: float) -> int:
    """The last number that was said to be saved.

    Args:
        after: seconds from the first that is saved to the kill
    """
    heard, said = SAVERS.Pipe(duplex=False)
    saver = SAVERS.Process(target=keep_saving, args=(root, home, name, number, said))
    saver.start()
    said.close()
    number = heard.recv()
    time.sleep(after)
    saver.kill()
    saver.join()
    try:
        while True:
            number = heard.recv()
    except EOFError:
        return number
    finally:
        heard.close()
        saver.close()


@pytest.mark.parametrize(
    ("name", "cells"), [("a.py", 1), ("a.py", 300), ("a.md", 20), ("a.ipynb", 1), ("a.ipynb", 300)]
)
def test_nothing_is_torn_or_lost(tmp_path: Path, home: Path, name: str, cells: int) -> None:
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(f"x = {number}") for number in range(cells)])
    for cell in made.cells:
        show(cell, f"{cell.source} gave it\n")
    Server(tmp_path, home).save(name, made)
    rng = random.Random(KILLS)
    acknowledged = 0
    for _ in range(KILLS):
        acknowledged = saved_until_killed(tmp_path, home, name, acknowledged, rng.uniform(0, 0.3))

        cell, *others = Server(tmp_path, home).open(name).cells

        # The last that was said to be saved, or the one that was being saved.
        number = int(cell.source.removeprefix("x = "))
        assert acknowledged <= number <= acknowledged + 1
        assert cell.outputs[0].text == f"{number}\n"
        assert "image/png" in cell.outputs[1].data
        assert shown({"cells": others}) == shown({"cells": made.cells[1:]})
        acknowledged = number
    assert sum(file.startswith(".~") for file in os.listdir(tmp_path)) <= 1
    Server(tmp_path, home).save(name, Server(tmp_path, home).open(name))
