"""In the process that keeps a Dask worker, its nanny: programs that live beside the worker, started, looked at, ended.

Shipped there by value, so nothing here imports Slipway. A program outlives the worker's process, and the nanny that
started it, but not the process that this runs in: it reads a pipe whose other end is here, and ends with it.
"""

from __future__ import annotations

from typing import Any

REGISTER = "_slipway_beside"
"""A module that holds what was started here, however often this code is shipped."""
MARK = "@SLIPWAY_HERE@"
"""Stands for the program's directory in what is given."""
SCHEDULER = "@SLIPWAY_SCHEDULER@"
"""Stands for the address at which workers reach the scheduler."""
ADDRESS = "@SLIPWAY_ADDRESS@"
"""Stands for the address at which the nanny is reached, without a port."""
PYTHON = "@SLIPWAY_PYTHON@"
"""Stands for the nanny's Python, which is its worker's."""


async def begin(
    argv: list[str], files: dict[str, str], within: float, directory: str = "", dask_worker: Any = None
) -> dict[str, Any]:
    """Start a program in a private directory, and wait until it has written record.json there.

    Args:
        argv: arguments of this process's Python
        files: texts by name, written into the directory; what stands for something in them is filled in
        within: seconds
        directory: of an earlier start, which is taken up; '': a new one

    Returns:
        'directory', 'record' (as the program wrote it), 'host'; or 'error', when it did not come up
    """
    import asyncio
    import json
    import os
    import shutil
    import socket
    import subprocess
    import sys
    import tempfile
    import time
    import types
    from urllib.parse import urlsplit

    register = sys.modules.setdefault(REGISTER, types.ModuleType(REGISTER)).__dict__
    anew = not directory
    if anew:
        directory = tempfile.mkdtemp(prefix="slipway-")
    known = {
        MARK: directory,
        PYTHON: sys.executable,
        SCHEDULER: str(dask_worker.scheduler.address),
        ADDRESS: str(urlsplit(dask_worker.address).hostname),
    }

    def filled(text: str) -> str:
        for mark, value in known.items():
            text = text.replace(mark, value)
        return text

    for name, text in files.items():
        path = os.path.join(directory, name)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(filled(text))
    record = os.path.join(directory, "record.json")
    if os.path.exists(record):
        os.unlink(record)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SLIPWAY_KERNEL")}
    # Last on the path: what a kernel imports of itself is its environment's.
    environ["PYTHONPATH"] = os.pathsep.join(filter(None, [environ.get("PYTHONPATH"), os.path.join(directory, "lib")]))
    # What its worker was given for itself, such as which GPU is whose.
    given = {**getattr(dask_worker, "pre_spawn_env", {}), **getattr(dask_worker, "env", {})}
    environ.update({name: str(value) for name, value in given.items() if name.startswith("CUDA_")})
    with open(os.open(os.path.join(directory, "host.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log:
        process = subprocess.Popen(
            [sys.executable, *map(filled, argv)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=environ,
            cwd=os.path.expanduser("~"),
        )
    until = time.monotonic() + within
    while time.monotonic() < until:
        if os.path.exists(record):
            with open(record) as found:
                written = json.load(found)
            register[directory] = process
            return {"directory": directory, "record": written, "host": socket.gethostname()}
        if process.poll() is not None:
            break
        await asyncio.sleep(0.02)
    code = process.poll()
    process.kill()
    process.wait()
    with open(os.path.join(directory, "host.log"), "rb") as printed:
        said = " / ".join(printed.read()[-2000:].decode(errors="replace").strip().splitlines()[-3:])
    if anew:
        shutil.rmtree(directory, ignore_errors=True)
    how = f"did not come up in {within:.0f} seconds" if code is None else f"ended with {code}"
    return {"error": f"On {socket.gethostname()} its host {how}: {said[-600:] or 'it said nothing'}"}


def look(directory: str) -> dict[str, Any]:
    """'lives', and of one that has ended 'code' (negative: the signal; None: it was never here)."""
    import sys

    process = vars(sys.modules[REGISTER]).get(directory) if REGISTER in sys.modules else None
    code = process.poll() if process is not None else None
    return {"lives": process is not None and code is None, "code": code}


async def end(directory: str, reason: str) -> None:
    """Tell it why and let it end by itself; of one that has ended, remove what is left."""
    import asyncio
    import contextlib
    import os
    import shutil
    import signal
    import sys
    from pathlib import Path

    process = vars(sys.modules[REGISTER]).pop(directory, None) if REGISTER in sys.modules else None
    if process is None:
        return
    with contextlib.suppress(OSError):
        process.stdin.write(f"{reason}\n".encode())
        process.stdin.close()
    for _ in range(500):
        if process.poll() is not None:
            break
        await asyncio.sleep(0.02)
    process.kill()
    process.wait()
    mark = f"SLIPWAY_KERNEL_DIR={directory}".encode()
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in path.read_bytes().split(b"\0"):
                os.kill(int(path.parent.name), signal.SIGKILL)
    shutil.rmtree(directory, ignore_errors=True)


async def end_all(reason: str) -> None:
    """Of all that was started in this process."""
    import asyncio
    import sys

    if REGISTER in sys.modules:
        started = [name for name in vars(sys.modules[REGISTER]) if name.startswith("/")]
        await asyncio.gather(*(end(directory, reason) for directory in started))
