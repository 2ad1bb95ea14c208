"""The text that works in a process where we are not installed."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from jupyter_slipway.publish import probe


@pytest.mark.parametrize("name", probe.FILES)
def test_it_is_read_by_older_pythons(name):
    """Kernels run the Python of their own environment, which may be older than the server's."""
    ast.parse((probe.FOLDER / f"{name}.py").read_text("utf-8"), feature_version=(3, 8))


def test_it_holds_every_file():
    assert sorted([*probe.FILES, "__init__"]) == sorted(path.stem for path in probe.FOLDER.glob("*.py"))


def test_fingerprints_do_not_depend_on_the_process(tmp_path):
    path = tmp_path / "probe.py"
    path.write_text(
        f"{probe.text()}\n"
        "import json\n"
        "print(json.dumps(inside.fingerprints.report({'v': {'b': {'x', 'y', 'z'}, 'a': [1.5, None]}})))\n",
        "utf-8",
    )
    found = [
        # -S -I: neither our package nor any other can be imported.
        subprocess.run([sys.executable, "-S", "-I", path], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]

    assert '"hash"' in found[0]
    assert found[0] == found[1]
