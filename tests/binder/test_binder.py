"""What Binder would build from this working copy, without Docker."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import jupytext

ROOT = Path(__file__).parents[2]


def test_the_image_is_rendered_from_binder() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "repo2docker", "--debug", "--no-build", str(ROOT)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    dockerfile = done.stdout + done.stderr

    assert done.returncode == 0, dockerfile[-2000:]
    assert "binder/requirements.txt" in dockerfile
    assert "binder/postBuild" in dockerfile
    assert "binder/start" in dockerfile


def test_the_notebook_leads_to_a_first_job() -> None:
    notebook = jupytext.read(ROOT / "binder" / "flight_delays.py")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]

    assert 20 <= len(code) <= 30
    assert code[-1].metadata["name"] == "evaluation"
    assert "publish" in notebook.cells[0].source
