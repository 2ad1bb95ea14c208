"""What a version runs in: the kernel's packages described, locked with hashes, and built once.

    describe (what is loaded) ──► lock (uv, hashes) ──► build (cached by its content) ──► the Python that runs the job

Called by `plan`, `proofs` and the runner's service. Where no index can be reached, the kernel's own environment
serves, and says 'not locked'.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from jupyter_slipway.files import atomic_write, private_directory
from jupyter_slipway.publish.inside.distributions import canonical, installed, python_version
from jupyter_slipway.publish.model import Environment, Package

Loaded = Sequence[Mapping[str, Any]]
"""Distributions as `distributions.loaded` gives them."""
Progress = Callable[[str, float], None]

LOCK_WITHIN = 120.0
BUILD_WITHIN = 900.0
"""Seconds."""
NOT_AGAIN = 60.0
"""Seconds for which a failed lock is not tried again."""
MARKER = "complete.json"
PLAIN = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(\[[^\]]*\])?\s*([<>=!~][^;@]*)?$")


def this_python() -> str:
    return python_version()


def this_executable() -> str:
    return sys.executable


# ── describe ────────────────────────────────────────────────────────────────────────────────────────────────


def describe(
    loaded: Loaded | None,
    python: str,
    executable: str,
    imports: Sequence[str],
    requires: Sequence[str] = (),
) -> Environment:
    """The packages that a module with these imports needs, at the versions that the kernel has.

    A package's needs are followed, and of its extras those that the kernel has loaded: pandas uses pyarrow
    although nobody imports it.

    Args:
        loaded: what the kernel has loaded; None: there is no kernel, and this process's own environment serves
        imports: top-level names that the module imports
        requires: requirements that the notebook installed itself ('%pip install …')
    """
    if loaded is None:
        loaded = installed(imports)
    known = {canonical(one["name"]): one for one in loaded}
    packages = [Package(known[name]["name"], known[name]["version"]) for name in _closure(known, imports, requires)]
    packages += [Package(name, "") for name in map(_name, requires) if name and canonical(name) not in known]
    return Environment(
        python=python,
        locked=False,
        packages=tuple(sorted(packages, key=lambda one: one.name.lower())),
        executable=executable,
        note="not locked: that comes with the proof, or when it is published",
    )


def requirements(
    environment: Environment, imports: Sequence[str], requires: Sequence[str] = (), loaded: Loaded | None = None
) -> tuple[str, ...]:
    """What a script that imports these names needs directly, pinned: ('pandas==3.1.1',)."""
    if loaded is None:
        loaded = installed(imports)
    known = {canonical(one["name"]): one for one in loaded}
    wanted = _directly(known, imports) | {canonical(name) for name in map(_name, requires) if name}
    pinned = [one for one in environment.packages if canonical(one.name) in wanted]
    return tuple(f"{one.name}=={one.version}" if one.version else one.name for one in pinned)


def _closure(known: Mapping[str, Any], imports: Sequence[str], requires: Sequence[str]) -> list[str]:
    waiting = [*_directly(known, imports), *(canonical(name) for name in map(_name, requires) if name)]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in found or name not in known:
            continue
        found.add(name)
        one = known[name]
        waiting += one.get("requires", ())
        waiting += [other for other in one.get("optional", ()) if known.get(other, {}).get("loaded")]
    return sorted(found)


def _directly(known: Mapping[str, Any], imports: Sequence[str]) -> set[str]:
    """Of which distributions these modules are; by their own word, else by an equal name."""
    wanted = set(imports)
    found = {name for name, one in known.items() if wanted & set(one.get("imports", ()))}
    return found | {canonical(name) for name in wanted if canonical(name) in known}


def _name(requirement: str) -> str:
    """The package that a plain requirement names; '' for an address, a path or an option."""
    match = PLAIN.match(requirement.partition(";")[0])
    return match.group(1) if match else ""


# ── lock ────────────────────────────────────────────────────────────────────────────────────────────────────


def lock(environment: Environment, *, home: Path | None = None, progress: Progress | None = None) -> Environment:
    """`environment` with the hashes of all its packages; or not locked, with a note that says why.

    Args:
        home: where locks are remembered, so that the same packages are locked once
    """
    if progress:
        progress("locking the environment", 0.0)
    wanted = "".join(sorted(_requirement(one) + "\n" for one in environment.packages))
    memory = _Memory(home, _key(environment.python, platform.system(), platform.machine(), wanted))
    text = memory.text()
    if text is None:
        failure = memory.failure()
        if failure is None:
            text, failure = _compile(wanted, environment)
        if text is None:
            memory.fail(failure)
            return _unlocked(environment, failure)
        memory.keep(text)
    return msgspec.structs.replace(environment, locked=True, lock=text, packages=_packages(text), note="")


class _Memory:
    """Locks made before, in HOME/environments/locks."""

    def __init__(self, home: Path | None, key: str) -> None:
        self._file = None
        if home is not None:
            folder = home / "environments" / "locks"
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = folder / f"{key}.txt"

    def text(self) -> str | None:
        return self._file.read_text("utf-8") if self._file and self._file.is_file() else None

    def failure(self) -> str | None:
        """Why it could not be locked a moment ago."""
        failed = self._file and self._file.with_suffix(".failed")
        if failed and failed.is_file() and time.time() - failed.stat().st_mtime < NOT_AGAIN:
            return failed.read_text("utf-8")
        return None

    def keep(self, text: str) -> None:
        if self._file:
            atomic_write(self._file, text.encode())

    def fail(self, why: str) -> None:
        if self._file:
            atomic_write(self._file.with_suffix(".failed"), why.encode())


def _requirement(one: Package) -> str:
    return f"{one.name}=={one.version}" if one.version else one.name


def _compile(wanted: str, environment: Environment) -> tuple[str | None, str]:
    """The lock's text, or None and why not."""
    if not wanted:
        return "", ""
    done = _uv(
        "pip", "compile", "-", "--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url",
        "--no-emit-find-links", "--python", environment.executable,
        given=wanted, within=LOCK_WITHIN,
    )  # fmt: skip
    if done.code:
        return None, done.said
    missing = [line for line in done.output.splitlines() if "==" in line and not line.rstrip().endswith("\\")]
    if missing:
        return None, f"{missing[0].strip()} has no hash."
    return done.output, ""


def _packages(lock: str) -> tuple[Package, ...]:
    found = re.findall(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)", lock, re.MULTILINE)
    return tuple(Package(name, version) for name, version in found)


def _unlocked(environment: Environment, why: str) -> Environment:
    return msgspec.structs.replace(environment, locked=False, lock="", note=f"not locked: {why}")


# ── build ───────────────────────────────────────────────────────────────────────────────────────────────────


def build(environment: Environment, home: Path, *, progress: Progress | None = None) -> Environment:
    """`environment` with the Python of its own built folder, made once for the same Python, platform and lock.

    Not locked: it comes back as it is. When the folder cannot be made it comes back not locked, with the kernel's
    Python and a note that says why.
    """
    if not environment.locked:
        return environment
    if progress:
        progress("building the environment", 0.0)
    environments = private_directory(home / "environments")
    folder = environments / _key(environment.python, platform.system(), platform.machine(), environment.lock)
    executable = str(folder / "bin" / "python")
    with _alone(folder.with_suffix(".lock")):
        if not (folder / MARKER).is_file():
            why = _make(environment, folder)
            if why:
                shutil.rmtree(folder, ignore_errors=True)
                return _unlocked(environment, why)
    return msgspec.structs.replace(environment, executable=executable)


def _make(environment: Environment, folder: Path) -> str:
    """Fill the folder, the marker last; why it cannot be, else ''."""
    shutil.rmtree(folder, ignore_errors=True)
    # A version whose folder was cleaned away knows no other Python than the one that went with it.
    python = environment.executable if Path(environment.executable).is_file() else environment.python
    made = _uv("venv", "--quiet", "--python", python, str(folder), within=BUILD_WITHIN)
    if made.code:
        return made.said
    if environment.lock:
        lock = folder / "requirements.txt"
        lock.write_text(environment.lock, "utf-8")
        installed = _uv(
            "pip", "install", "--quiet", "--require-hashes", "--no-deps", "--requirement", str(lock),
            "--python", str(folder / "bin" / "python"),
            within=BUILD_WITHIN,
        )  # fmt: skip
        if installed.code:
            return installed.said
    about = {"python": environment.python, "packages": len(environment.packages)}
    atomic_write(folder / MARKER, json.dumps(about).encode())
    return ""


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """While two publishes want the same environment, one makes it and the other waits."""
    with open(path, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _key(*parts: str) -> str:
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()[:32]


# ── uv ──────────────────────────────────────────────────────────────────────────────────────────────────────


class _Done(msgspec.Struct, frozen=True):
    code: int
    output: str
    said: str
    """Why it failed, in one line."""


def _uv(*arguments: str, given: str = "", within: float) -> _Done:
    import uv

    environ = {"UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "NO_COLOR": "1", **os.environ}
    environ.pop("VIRTUAL_ENV", None)
    try:
        done = subprocess.run(
            [uv.find_uv_bin(), *arguments],
            input=given,
            capture_output=True,
            text=True,
            timeout=within,
            env=environ,
            cwd="/",
        )
    except subprocess.TimeoutExpired:
        return _Done(1, "", f"uv did not end within {within:g} s.")
    except OSError as error:
        return _Done(1, "", f"uv cannot be started: {error}.")
    return _Done(done.returncode, done.stdout, _reason(done.stderr))


def _reason(text: str) -> str:
    """uv's own words in one line, without addresses."""
    words = " ".join(re.sub(r"[×╰─▶│├]+|^error:", " ", text).split())
    words = re.sub(r"`?https?://\S+", "the package index", words)
    return words[:300] or "uv gave no reason."
