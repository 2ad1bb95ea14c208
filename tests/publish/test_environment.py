"""Environments, from what a kernel has loaded to a Python of their own; with wheels made here, and no index."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import msgspec
import pytest

from jupyter_slipway.publish import environment as environments
from jupyter_slipway.publish.model import Environment, Package


def write_wheel(folder: Path, name: str, version: str, requires: tuple[str, ...] = ()) -> None:
    """A wheel of one module that knows its version."""
    about = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={_digest(text)},{len(text)}\n" for path, text in files.items())
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in (*files.items(), (f"{about}/RECORD", f"{record}{about}/RECORD,,\n")):
            wheel.writestr(path, text)


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def wheels(tmp_path, monkeypatch) -> Path:
    """A folder of wheels that uv finds, and nothing else."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    write_wheel(folder, "tides", "1.0", ("moon",))
    write_wheel(folder, "tides", "2.0", ("moon",))
    write_wheel(folder, "moon", "0.5")
    for name, value in {"UV_NO_INDEX": "1", "UV_FIND_LINKS": str(folder), "UV_OFFLINE": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    return folder


def tides(version: str = "1.0") -> Environment:
    return Environment(
        python=environments.this_python(),
        locked=False,
        packages=(Package("tides", version), Package("moon", "0.5")),
        executable=sys.executable,
    )


def loaded(name: str, **fields: object) -> dict[str, object]:
    plain: dict[str, object] = {"name": name, "version": "1.0", "imports": [name], "requires": [], "optional": []}
    return {**plain, "loaded": True, **fields}


def test_a_description_follows_needs_and_the_extras_that_are_loaded():
    kernel = [
        loaded("pandas", requires=["numpy", "tzdata"], optional=["pyarrow", "lxml"]),
        loaded("numpy"),
        loaded("tzdata", imports=[], loaded=False),
        loaded("pyarrow"),
        loaded("lxml", loaded=False),
        loaded("ipykernel"),
        loaded("scikit-learn", imports=["sklearn"]),
    ]
    found = environments.describe(kernel, "3.12.1", "/opt/python", ["pandas", "json"], ["seaborn>=0.13", "./here"])

    assert [(one.name, one.version) for one in found.packages] == [
        ("numpy", "1.0"),
        ("pandas", "1.0"),
        ("pyarrow", "1.0"),
        ("seaborn", ""),
        ("tzdata", "1.0"),
    ]
    assert (found.python, found.executable, found.locked) == ("3.12.1", "/opt/python", False)
    assert environments.requirements(found, ["pandas"], ["seaborn>=0.13"], kernel) == ("pandas==1.0", "seaborn")


def test_without_a_kernel_this_python_is_described():
    import sklearn

    found = environments.describe(None, environments.this_python(), sys.executable, ["sklearn"])

    assert Package("scikit-learn", sklearn.__version__) in found.packages
    assert "scipy" in {one.name for one in found.packages}


def test_a_lock_pins_the_kernels_versions_with_hashes_and_names_no_host(wheels, tmp_path):
    locked = environments.lock(tides(), home=tmp_path / "home")

    assert (locked.locked, locked.note) == (True, "")
    assert locked.packages == (Package("moon", "0.5"), Package("tides", "1.0"))
    assert locked.lock.count("--hash=sha256:") == 2
    assert "://" not in locked.lock
    assert str(tmp_path) not in locked.lock


def test_a_second_lock_asks_nobody(wheels, tmp_path, monkeypatch):
    first = environments.lock(tides(), home=tmp_path / "home")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "nowhere"))

    assert environments.lock(tides(), home=tmp_path / "home") == first


def test_what_does_not_resolve_is_not_locked_and_says_why(wheels, tmp_path):
    found = environments.lock(tides("9.9"), home=tmp_path / "home")

    assert (found.locked, found.lock, found.executable) == (False, "", sys.executable)
    assert found.note.startswith("not locked: ")
    assert "tides==9.9" in found.note


def test_an_index_that_is_away_leaves_the_kernels_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("UV_FIND_LINKS", "PIP_FIND_LINKS", "UV_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    found = environments.lock(tides(), home=tmp_path / "home")
    # It is remembered for a while: who asks next does not wait for an index that is away.
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("uv was asked again"))
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("uv was asked again"))
    again = environments.lock(tides(), home=tmp_path / "home")

    assert found.note.startswith("not locked: ")
    assert "://" not in found.note
    assert again == found
    assert environments.build(found, tmp_path / "home") == found


def test_a_built_environment_holds_what_was_locked_and_nothing_else(wheels, tmp_path):
    built = environments.build(environments.lock(tides()), tmp_path / "home")
    said = subprocess.run(
        [built.executable, "-c", "import tides, moon, sys; print(tides.VERSION, moon.VERSION, sys.prefix)"],
        capture_output=True,
        text=True,
        check=True,
    )
    numpy = subprocess.run([built.executable, "-c", "import numpy"], capture_output=True)

    assert said.stdout.split()[:2] == ["1.0", "0.5"]
    assert Path(said.stdout.split()[2]).is_relative_to(tmp_path / "home" / "environments")
    assert numpy.returncode == 1


def test_an_environment_is_built_once_for_all_who_want_it(wheels, tmp_path, monkeypatch):
    locked = environments.lock(tides())
    found = []
    threads = [threading.Thread(target=lambda: found.append(environments.build(locked, tmp_path))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("it was built again"))
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("it was built again"))

    assert environments.build(locked, tmp_path) == found[0] == found[1] == found[2]
    assert len(list((tmp_path / "environments").glob("*/complete.json"))) == 1


def test_a_half_built_environment_is_built_again(wheels, tmp_path):
    built = environments.build(environments.lock(tides()), tmp_path)
    folder = Path(built.executable).parents[1]
    (folder / "complete.json").unlink()
    (folder / "bin" / "python").unlink()

    again = environments.build(built, tmp_path)
    assert again == built
    assert Path(again.executable).is_file()


def test_what_cannot_be_built_is_not_locked(wheels, tmp_path):
    locked = environments.lock(tides())
    wrong = msgspec.structs.replace(locked, lock=locked.lock.replace("sha256:", "sha256:0"))
    found = environments.build(wrong, tmp_path)

    assert (found.locked, found.executable) == (False, sys.executable)
    assert found.note.startswith("not locked: ")
    assert list((tmp_path / "environments").glob("*/complete.json")) == []


def test_a_module_without_packages_is_locked_and_built_without_an_index(wheels, tmp_path):
    bare = msgspec.structs.replace(tides(), packages=())
    built = environments.build(environments.lock(bare), tmp_path)

    assert (built.locked, built.lock) == (True, "")
    assert Path(built.executable).is_file()
