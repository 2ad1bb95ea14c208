"""Killed in the middle of a save: the text is the old or the new one, whole, with the outputs of just that text."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from tests.notebooks.builders import PERCENT, Server

KILLS = int(os.environ.get("SLIPWAY_TEST_KILLS", "8"))
SAVER = """
import sys
from pathlib import Path
from tests.notebooks.builders import Server, image, show
import nbformat
root, home, name, start = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
server = Server(root, home)
opened = server.open(name)
number = start
while True:
    number += 1
    opened.cells[0].source = f"x = {number}"
    show(opened.cells[0], f"{number}\\n", number)
    opened.cells[0].outputs.append(nbformat.from_dict(image(200_000, seed=number % 50)))
    server.save(name, opened)
    print(number, flush=True)
"""


@pytest.mark.parametrize("name", ["a.py", "a.ipynb"])
def test_nothing_is_torn_or_lost(tmp_path: Path, home: Path, name: str) -> None:
    if name == "a.py":
        (tmp_path / name).write_text(PERCENT)
    else:
        nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1")]), tmp_path / name)
    rng = random.Random(1)
    acknowledged = 0
    for _ in range(KILLS):
        command = [sys.executable, "-c", SAVER, str(tmp_path), str(home), name, str(acknowledged)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as saver:
            assert saver.stdout
            acknowledged = int(saver.stdout.readline())
            time.sleep(rng.uniform(0, 0.3))
            saver.send_signal(signal.SIGKILL)
            acknowledged = max([acknowledged, *map(int, saver.stdout.read().split())])

        cell = Server(tmp_path, home).open(name).cells[0]

        # The last that was said to be saved, or the one that was being saved.
        number = int(cell.source.removeprefix("x = "))
        assert acknowledged <= number <= acknowledged + 1
        assert cell.outputs[0].text == f"{number}\n"
        assert "image/png" in cell.outputs[1].data
        acknowledged = number
    assert sum(file.startswith(".~") for file in os.listdir(tmp_path)) <= 1
    Server(tmp_path, home).save(name, Server(tmp_path, home).open(name))
