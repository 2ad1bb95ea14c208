"""Lays an attempt's directory out, so that its guard needs nothing else.

runs/<id>/<attempt>/
├── code/slipway_job__main__.py …   the module and the user's own modules beside it
├── request.json            for bootstrap
├── launch.json             for the guard
├── lines.json              the module's lines -> the notebook's
├── log                     what there is to say before it begins
└── artifacts/
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Any

from jupyter_slipway.decoding import from_json
from jupyter_slipway.errors import Unprocessable
from jupyter_slipway.publish.model import LineMapping
from jupyter_slipway.runs.attempt import ENTRY, Launch, write, write_json
from jupyter_slipway.runs.model import Run
from jupyter_slipway.runs.prepared import Prepared
from jupyter_slipway.runs.wake import NAME

MODULE = "slipway_job__main__.py"
"""A name that no package has: it is importable while the job runs. Dask looks for '__main__' in what it has pickled, to
know that it is to be sent as it is and not by its name."""


def lay_out(directory: Path, run: Run, prepared: Prepared, home: Path) -> None:
    """Write what the attempt needs; may be repeated as long as its guard has not begun.

    Raises:
        Unprocessable: one of the version's own modules would lie outside of the directory
    """
    code = directory / "code"
    for path in (code, directory / "artifacts"):
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    write(code / MODULE, prepared.module.encode())
    for name, source in prepared.own_modules.items():
        path = code / _inside(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, source.encode())
    write_json(directory / "lines.json", prepared.lines)
    write_json(
        directory / "request.json",
        request(code / MODULE, run.parameters, prepared.types, prepared.directory or str(directory)),
    )
    if prepared.note:
        _begin_log(directory / "log", prepared.note)
    write_json(directory / "launch.json", launch(directory, run, prepared, home))


def request(
    module: Path,
    parameters: dict[str, Any],
    types: dict[str, tuple[str, str]],
    directory: str,
    probe: Path | None = None,
) -> dict[str, Any]:
    """request.json, as `bootstrap` reads it."""
    return {
        "module": str(module),
        "parameters": parameters,
        "types": types,
        "directory": directory,
        "path": [str(module.parent)],
        "probe": None if probe is None else str(probe),
    }


def launch(directory: Path, run: Run, prepared: Prepared, home: Path) -> Launch:
    return Launch(
        command=(prepared.python, "-c", ENTRY, str(directory)),
        environ={**prepared.environ, "SLIPWAY_RUN_ID": run.id, "SLIPWAY_ATTEMPT": str(run.attempt)},
        timeout=run.policy.timeout,
        wake=str(home / NAME),
    )


def _begin_log(path: Path, note: str) -> None:
    try:
        log = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o600)
    except FileExistsError:
        return  # laid out before: the guard may have it open by now
    with open(log, "w", encoding="utf-8") as file:
        file.write(note)


def lines(directory: Path) -> dict[int, LineMapping]:
    """The notebook's place of each line of the module that has one."""
    try:
        content = (directory / "lines.json").read_bytes()
    except FileNotFoundError:
        return {}
    return {one.line: one for one in from_json(content, tuple[LineMapping, ...])}


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or name == MODULE:
        raise Unprocessable(
            f"The version's own module {name!r} cannot be laid beside the job.",
            hint="Publish the cell again, with its modules in the notebook's folder.",
        )
    return path
