"""Of an error of ours, a notebook shows the user's own lines and the words; of others all, as always."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CODE = """
import dask
from jupyter_slipway.clusters.pulling import ask_or_refuse

def mine():
    return dask.delayed({called})().compute(scheduler="sync")

mine()
"""


def shown(home: Path, called: str) -> str:
    """What IPython shows of a cell that fails in `called`, which Dask calls."""
    command = [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", "-c", CODE.format(called=called)]
    environ = os.environ | {"IPYTHONDIR": str(home)}
    ran = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)
    return ran.stdout + ran.stderr


def test_ours_is_shown_with_the_users_own_lines_alone(tmp_path: Path) -> None:
    said = shown(tmp_path, "lambda: ask_or_refuse('9.0 GiB', 0, {}, 'Take some')")

    assert said.rstrip().endswith("TooMuch: This result has 9.0 GiB. Take some.")
    assert "in mine()" in said
    assert "dask/base.py" not in said
    assert "pulling.py" not in said


def test_another_is_shown_whole(tmp_path: Path) -> None:
    said = shown(tmp_path, "lambda: 1 / 0")

    assert said.rstrip().endswith("ZeroDivisionError: division by zero")
    assert "dask/base.py" in said
