"""The tests of jupytext, nbdime and jupyter-collaboration, from their source distributions, on Slipway in their place.

Run by hand: `python tests/notebooks/peers.py`, or with the names of some: it downloads with pip, and takes
some minutes.
jupytext's tests of contents managers get ours, each of its mirror notebooks goes through our formats and back, nbdime's
own notebooks are compared each with each, and jupyter-collaboration's server runs with our rooms. What fails because it
asserts what we do otherwise is listed with its reason in EXPECTED: all other failures are ours.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
STANDS_IN = "its file lies nowhere: a stand-in for a contents manager beside a real server"
TOKEN = "an opened text notebook carries which version it is"
EXPECTED: dict[str, dict[str, str]] = {
    "jupytext": {
        "test_metadata_stays_in_order_1368": TOKEN,
        "test_jupytext_orders_root_metadata": TOKEN,
        "test_pair_unpair_notebook": "outputs are kept where no .ipynb keeps them",
        "test_incorrect_config_message": "to look without content needs no configuration; to open and save does",
        "octave_notebook as percent": "jupytext knows no script in this language",
    },
    "nbdime": {},
    "jupyter_server_ydoc": {
        "test_should_initialize_document_room_from_store": STANDS_IN,
        "test_should_overwrite_the_store": STANDS_IN,
    },
}
"""By distribution: a test and why it fails on purpose."""
TESTS = {
    "jupytext": ["tests/integration/contents_manager"],
    "nbdime": [],
    "jupyter_server_ydoc": ["tests"],
}

NEEDS = {"jupytext": ["pytest-asyncio"], "nbdime": [], "jupyter_server_ydoc": ["httpx-ws", "wsproto", "dirty-equals"]}
"""What only their tests need: installed for them alone."""


def source(name: str, folder: Path) -> Path:
    """The unpacked source distribution of the version that is installed."""
    wanted = f"{name.replace('_', '-')}=={version(name.replace('_', '-'))}"
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:"]
    subprocess.run([*command, "--no-build-isolation", "-d", folder, wanted], check=True)
    (packed,) = folder.glob(f"{name}-*.tar.gz")
    with tarfile.open(packed) as archive:
        archive.extractall(folder, filter="data")
    return folder / packed.name.removesuffix(".tar.gz")


def failed(name: str, folder: Path) -> tuple[str, list[str]]:
    """What pytest says last, and the tests that failed."""
    needs = folder / "needs"
    if NEEDS[name]:
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", needs, *NEEDS[name]]
        subprocess.run(command, check=True)
    environ = os.environ | {"PYTHONPATH": f"{HERE}{os.pathsep}{needs}", "SLIPWAY_HOME": str(folder / "slipway-home")}
    command = [sys.executable, "-m", "pytest", "-q", "-rfE", "--tb=line", "-p", "peers_plugin"]
    options = ["-p", "no:cacheprovider", "-o", "addopts=", "-W", "ignore", *TESTS[name]]
    done = subprocess.run([*command, *options], cwd=folder, env=environ, capture_output=True, text=True)
    lines = done.stdout.strip().splitlines()
    found = [match[1] for line in lines if (match := re.match(r"(?:FAILED|ERROR) (\S+)", line))]
    if done.returncode not in (0, 1):
        found.append(f"pytest ends with {done.returncode}: {done.stderr[-500:]}")
    return lines[-1] if lines else "", found


def mirrored(folder: Path) -> list[str]:
    """Each notebook of jupytext's tests as text and back, which `convert` compares; what did not come back."""
    from jupyter_slipway.errors import SlipwayError
    from jupyter_slipway.notebooks.convert import convert, form_of
    from jupyter_slipway.notebooks.documents import Documents

    documents = Documents(folder, folder / "slipway-home")
    notebooks = sorted((folder / "tests/data/notebooks/inputs").glob("ipynb_*/*.ipynb"))
    found: list[str] = []
    made = 0
    for form in ("percent", "myst", "markdown"):
        for notebook in notebooks:
            try:
                made_one = convert(documents, notebook, form_of(form), keep=True)
                made_one.target.unlink()
                made += 1
            except SlipwayError as error:
                found.append(f"{notebook.stem} as {form}: {error.message}")
    print(f"jupytext: {made} of {3 * len(notebooks)} came back from text as they were ({len(notebooks)} notebooks)")
    return found


def compared(folder: Path) -> list[str]:
    """nbdime makes of each of its test notebooks each other by our difference; the pairs where it does not."""
    import nbformat
    from nbdime import patch
    from nbdime.diff_utils import to_diffentry_dicts

    from jupyter_slipway.notebooks.diff import diff_notebooks
    from jupyter_slipway.notebooks.glance import read_notebook

    read = {}
    for file in sorted((folder / "nbdime/tests/files").glob("*.ipynb")):
        with contextlib.suppress(Exception):  # some are broken on purpose
            nbformat.read(file, as_version=4)
            read[file.name] = read_notebook(file.name, file.read_bytes())
    pairs = [(a, b) for a in read for b in read]
    print(f"nbdime: {len(pairs)} pairs of {len(read)} notebooks")
    return [
        f"{a} to {b}"
        for a, b in pairs
        if patch(read[a], to_diffentry_dicts(diff_notebooks(read[a], read[b]))) != read[b]
    ]


def main() -> int:
    missed = 0
    for name in sys.argv[1:] or TESTS:
        with tempfile.TemporaryDirectory() as folder:
            unpacked = source(name, Path(folder))
            said, found = failed(name, unpacked) if TESTS[name] else ("", [])
            found += mirrored(unpacked) if name == "jupytext" else []
            found += compared(unpacked) if name == "nbdime" else []
        print(f"{name} {version(name.replace('_', '-'))}: {said}")
        for test in found:
            why = next((why for part, why in EXPECTED[name].items() if part in test), "")
            print(f"  {'as meant: ' + why if why else 'FAILED'}: {test}")
            missed += not why
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
