from __future__ import annotations

from pathlib import Path

import pytest

from tests.notebooks.builders import PERCENT, Server


@pytest.fixture(params=[True, False], ids=["asynchronous", "synchronous"])
def server(request, tmp_path: Path, home: Path) -> Server:
    """Both kinds of manager keep every promise."""
    return Server(tmp_path, home, asynchronous=request.param)


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    file = tmp_path / "a.py"
    file.write_text(PERCENT)
    return file
