"""Does the module give in a clean process what the notebook gave?

Called by `proofs`. Runs `runs.bootstrap` with the version's own Python, then compares two reports of `fingerprints`.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from jupyter_slipway.clusters.hosts import without_cluster
from jupyter_slipway.publish import probe
from jupyter_slipway.publish.model import Difference, Environment, Module, Parameter, Proof
from jupyter_slipway.publish.printed import Printed, compare_printed
from jupyter_slipway.publish.shown import missing
from jupyter_slipway.runs import layout
from jupyter_slipway.runs.attempt import BOOTSTRAP

TOLERANCE = 1e-9
NO_VALUE = "It runs in a clean process. The cell leaves no value to compare."
NOT_HELD = "It runs in a clean process. The kernel holds no value of the cell: run it, then prove again."
PRINTED = "printed lines"
"""Stands among what was compared."""
LOG_END = 400
"""Characters of what a failed run said last."""
PRINTED_END = 1_000_000
"""Bytes at the end of what it printed that are compared."""


async def prove(
    module: Module,
    parameters: Sequence[Parameter],
    environment: Environment,
    expected: Mapping[str, Any] | None,
    *,
    directory: Path,
    own_modules: Mapping[str, str],
    scratch: Path,
    progress: Callable[[str, float], None],
    shown: Sequence[Mapping[str, Any]] = (),
    environ: Mapping[str, str] = MappingProxyType({}),
    timeout: float = 600.0,
) -> Proof:
    """Run the module with the defaults of `parameters` in a process of its own, and compare its values.

    It runs in the notebook's folder, as each run of the job will: it reads the files there, and files that it
    writes stay there, as they would when its cells were run again. Other artifacts land in `scratch`. Of the
    kernel it sees nothing. Cancelling ends it with all that it started.

    Args:
        expected: fingerprints of the kernel's values; None when there is no kernel: then it only has to run
        directory: the notebook's folder
        own_modules: path below the module's folder -> source
        scratch: an empty folder, thrown away afterwards
        shown: nbformat outputs of the chosen cell in the notebook
        environ: further variables of the process, such as where its cluster is
        timeout: seconds for the run
    """
    if not environment.executable or not Path(environment.executable).is_file():
        return Proof(
            "not comparable", f"The Python of its environment is not there: {environment.executable or 'none named'}."
        )
    _lay_out(scratch, module, parameters, directory, own_modules)
    progress("running it in a clean process", 0.3)
    started = time.monotonic()
    code = await _run(environment.executable, scratch, environ, timeout)
    seconds = round(time.monotonic() - started, 3)
    progress("comparing", 0.95)
    if code is None:
        return Proof("not comparable", f"It did not end within {timeout:g} s, and was ended.", seconds=seconds)
    if code != 0:
        return Proof("differs", _failure(scratch, code), (_failed(scratch, code),), seconds=seconds)
    if expected is None:
        return Proof(
            "not comparable", "It runs in a clean process; no kernel holds values to compare with.", seconds=seconds
        )
    proof = judge(expected, _read(scratch / "fingerprints.json") or {}, seconds=seconds)
    proof = _with_shown(proof, shown, _read(scratch / "outputs.json") or [])
    return _with_printed(proof, compare_printed(shown, _printed(scratch), today=date.today(), tolerance=TOLERANCE))


def _with_shown(proof: Proof, notebook: Sequence[Mapping[str, Any]], run: Sequence[Mapping[str, Any]]) -> Proof:
    """`proof`, which differs also when something that the cell showed is not shown."""
    gone = missing(notebook, run)
    if not gone:
        return proof
    reason = f"{len(gone)} of the cell's outputs {'is' if len(gone) == 1 else 'are'} not shown."
    return _differing(proof, reason, gone)


def _with_printed(proof: Proof, printed: Printed) -> Proof:
    """`proof`, which differs also when a line that the cell printed does; the same when there is nothing else."""
    if printed.same:
        proof = msgspec.structs.replace(proof, compared=(*proof.compared, PRINTED))
    if printed.differ:
        reason = f"{printed.differ} printed {'line differs' if printed.differ == 1 else 'lines differ'}."
        proof = _differing(proof, reason, printed.differences)
    elif printed.same and proof.verdict == "not comparable":
        reason = proof.reason.removeprefix(NO_VALUE).removeprefix(NOT_HELD)
        proof = msgspec.structs.replace(proof, verdict="same", reason=reason)
    if printed.left:
        reason = f"{proof.reason} Not compared: {printed.left}.".strip()
        proof = msgspec.structs.replace(proof, reason=reason)
    return proof


def _differing(proof: Proof, reason: str, differences: Sequence[Difference]) -> Proof:
    before = "" if proof.verdict == "not comparable" else proof.reason
    return msgspec.structs.replace(
        proof,
        verdict="differs",
        reason=f"{reason} {before}".strip(),
        differences=(*proof.differences, *differences),
    )


def judge(
    expected: Mapping[str, Any], found: Mapping[str, Any], *, seconds: float = 0.0, tolerance: float = TOLERANCE
) -> Proof:
    """The verdict on two reports: what can be compared is, and what cannot is named."""
    names = [name for name in expected if name in found or not _blind(expected[name])]
    reasons = {name: why for name in names if name in found and (why := _blind(expected[name]) or _blind(found[name]))}
    compared = tuple(name for name in names if name not in reasons)
    differences = compare(
        {name: expected[name] for name in compared},
        {name: found[name] for name in compared if name in found},
        tolerance,
    )
    left = "; ".join(f"{name}: {why}" for name, why in reasons.items())
    partly = "; ".join(
        f"inside {name}, {_listed(expected[name]['partly'])}" for name in compared if expected[name].get("partly")
    )
    if differences:
        names = [one.name for one in differences]
        reason = f"{_listed(names)} differ{'s' if len(names) == 1 else ''}."
        return Proof("differs", reason, differences, compared, seconds, tolerance)
    if not compared:
        missed = NOT_HELD if any(name not in expected for name in found) else NO_VALUE
        reason = f"It runs in a clean process. Nothing could be compared: {left}." if left else missed
        return Proof("not comparable", reason, (), (), seconds, tolerance)
    unseen = "; ".join(filter(None, (left, partly)))
    return Proof("same", f"Not compared: {unseen}." if unseen else "", (), compared, seconds, tolerance)


# ── comparing ───────────────────────────────────────────────────────────────────────────────────────────────


def compare(
    expected: Mapping[str, Any], found: Mapping[str, Any], tolerance: float = TOLERANCE
) -> tuple[Difference, ...]:
    """The names whose fingerprints differ, and how, in words.

    Floats are the same up to `tolerance`, relative: each of a few, and of many a sample and sums over eighths.
    """
    differences = []
    for name, wanted in expected.items():
        if name not in found:
            differences.append(Difference(name, wanted["short"], "no such value"))
            continue
        words = _difference(wanted, found[name], tolerance)
        if words:
            differences.append(Difference(name, *words))
    return tuple(differences)


def _difference(wanted: Mapping[str, Any], found: Mapping[str, Any], tolerance: float) -> tuple[str, str] | None:
    if _blind(wanted) or _blind(found):
        return None
    for aspect in ("type", "shape", "dtype"):
        if wanted.get(aspect) != found.get(aspect):
            return _told(wanted, aspect), _told(found, aspect)
    if wanted["hash"] != found["hash"]:
        return _apart(wanted["short"], found["short"])
    floats = _float_difference(wanted.get("floats"), found.get("floats"), tolerance)
    if floats is None:
        return None
    return _apart(wanted["short"], found["short"], floats)


def _told(fingerprint: Mapping[str, Any], aspect: str) -> str:
    if aspect == "type":
        return f"{fingerprint['type']}: {fingerprint['short']}"
    if aspect == "shape":
        return f"shape {tuple(fingerprint.get('shape') or ())}"
    return f"type of elements {fingerprint.get('dtype')}"


def _apart(one: str, other: str, floats: tuple[float, float] | None = None) -> tuple[str, str]:
    """Two short texts that a reader can tell apart."""
    if one != other:
        return one, other
    if floats:
        return f"{one}, with {floats[0]!r} in it", f"{other}, with {floats[1]!r} in it"
    return one, f"{other}, with other content"


def _float_difference(
    wanted: Mapping[str, Any] | None, found: Mapping[str, Any] | None, tolerance: float
) -> tuple[float, float] | None:
    """Two floats that should be the same; None when all are."""
    if not wanted or not found or wanted["exact"] == found["exact"]:
        return None
    if len(wanted["chunks"]) != len(found["chunks"]):
        return float(wanted["count"]), float(found["count"])
    for one, other in zip(wanted["chunks"], found["chunks"], strict=True):
        if one["n"] != other["n"]:
            return float(one["n"]), float(other["n"])
        allowed = max(tolerance, one["rough"])
        for a, b in _pairs(one, other):
            if abs(a - b) > allowed * max(abs(a), abs(b)):
                return a, b
        for a, b in zip(one.get("blocks", ()), other.get("blocks", ()), strict=True):
            magnitude = max(a[2], b[2])
            for i in range(3):
                if abs(a[i] - b[i]) > allowed * magnitude:
                    return a[i], b[i]
    return None


def _pairs(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[tuple[float, float]]:
    for part in ("values", "sample"):
        yield from zip(one.get(part, ()), other.get(part, ()), strict=True)


def _blind(fingerprint: Mapping[str, Any]) -> str:
    return str(fingerprint.get("blind", ""))


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


# ── running ─────────────────────────────────────────────────────────────────────────────────────────────────


def _lay_out(
    scratch: Path,
    module: Module,
    parameters: Sequence[Parameter],
    directory: Path,
    own_modules: Mapping[str, str],
) -> None:
    code = scratch / "code"
    code.mkdir(parents=True, exist_ok=True)
    path = code / layout.MODULE
    path.write_text(module.source, "utf-8")
    for name, source in own_modules.items():
        (code / name).parent.mkdir(parents=True, exist_ok=True)
        (code / name).write_text(source, "utf-8")
    look = scratch / "probe.py"
    look.write_text(f"{probe.text()}\nreport = inside.fingerprints.report\n", "utf-8")
    on = [one for one in parameters if one.on]
    request = layout.request(
        path,
        {one.name: one.default for one in on},
        {one.name: (one.type, one.item) for one in on},
        str(directory),
        look,
    )
    (scratch / "request.json").write_text(json.dumps(request), "utf-8")


async def _run(executable: str, scratch: Path, more: Mapping[str, str], timeout: float) -> int | None:
    """The exit code; None when the time was up. Whatever happens, its process group is gone afterwards."""
    # Asked for by a kernel, this very process may have that kernel's cluster.
    own = without_cluster(os.environ).items()
    environ = {name: value for name, value in own if not name.startswith(("PYTEST_", "JPY_", "COV_"))}
    with open(scratch / "printed.txt", "wb") as printed, open(scratch / "log.txt", "wb") as log:
        process = await asyncio.create_subprocess_exec(
            executable,
            BOOTSTRAP,
            str(scratch),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=printed,
            stderr=log,
            start_new_session=True,
            env=environ | dict(more),
        )
    try:
        return await asyncio.wait_for(process.wait(), timeout)
    except TimeoutError:
        return None
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the group: its children may live on when the process itself has ended."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await asyncio.shield(process.wait())


def _failure(scratch: Path, code: int) -> str:
    error = _read(scratch / "error.json")
    if error:
        where = f", line {error['frames'][-1]['line']}" if error.get("frames") else ""
        return f"In a clean process it fails: {error['kind']}: {error['message']}{where}."
    if code < 0:
        return f"In a clean process it was ended by {signal.Signals(-code).name}."
    log = (scratch / "log.txt").read_text("utf-8", errors="replace").strip() or _printed(scratch).strip()
    return f"In a clean process it ended with code {code}: {log[-LOG_END:]}"


def _failed(scratch: Path, code: int) -> Difference:
    error = _read(scratch / "error.json")
    return Difference("main", "it runs", f"{error['kind']}: {error['message']}" if error else f"code {code}")


def _printed(scratch: Path) -> str:
    """The end of what the run wrote to its standard output."""
    with open(scratch / "printed.txt", "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - PRINTED_END))
        return file.read().decode("utf-8", "replace")


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return None
