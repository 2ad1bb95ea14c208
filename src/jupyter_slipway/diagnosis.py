"""`jupyter slipway doctor`: is everything there that publishing and running need? Each finding says what to do."""

from __future__ import annotations

import shutil
import subprocess
import sys

from msgspec import Struct
from rich.console import Group, RenderableType
from rich.text import Text

from jupyter_slipway.db import Database
from jupyter_slipway.files import private_directory
from jupyter_slipway.runs import runner
from jupyter_slipway.settings import Settings

ROOM = 500_000_000
"""Bytes below which a new environment may not fit."""


class Finding(Struct, frozen=True):
    name: str
    ok: bool
    said: str
    do: str = ""


def examine(settings: Settings) -> list[Finding]:
    return [_home(settings), _room(settings), _database(settings), _runner(settings), _uv(), _kernel()]


def view(findings: list[Finding]) -> RenderableType:
    lines = []
    for finding in findings:
        mark = Text("ok   ", style="green") if finding.ok else Text("wrong", style="red")
        lines.append(
            Text.assemble(mark, f"  {finding.name}: {finding.said}", f"\n       {finding.do}" if finding.do else "")
        )
    return Group(*lines)


def _home(settings: Settings) -> Finding:
    try:
        private_directory(settings.home)
    except OSError as error:
        return Finding("home", False, f"{settings.home}: {error}", "Set SLIPWAY_HOME to a folder you may write.")
    return Finding("home", True, str(settings.home))


def _room(settings: Settings) -> Finding:
    try:
        free = shutil.disk_usage(settings.home).free
    except OSError as error:
        return Finding("disk", False, str(error), "Set SLIPWAY_HOME to a folder that exists.")
    do = "" if free > ROOM else "Make room: runs and environments are kept there."
    return Finding("disk", free > ROOM, f"{free // 1_000_000} MB free", do)


def _database(settings: Settings) -> Finding:
    database = Database(settings.database)
    try:
        database.create()
        with database.write():
            pass
    except Exception as error:  # any driver's own kinds: each means that the store cannot be written
        return Finding("database", False, str(error).splitlines()[0], "Check SLIPWAY_DATABASE and the disk.")
    finally:
        database.close()
    return Finding("database", True, "can be written")


def _runner(settings: Settings) -> Finding:
    status = runner.status(settings.home)
    said = f"process {status.pid} carries runs" if status.alive else "none lives; it starts with the next run"
    return Finding("runner", True, said)


def _uv() -> Finding:
    try:
        from uv import find_uv_bin

        said = subprocess.run([find_uv_bin(), "--version"], capture_output=True, text=True, check=True).stdout
    except (ImportError, OSError, subprocess.CalledProcessError) as error:
        return Finding("uv", False, str(error), "Install it: pip install uv")
    return Finding("uv", True, said.strip())


def _kernel() -> Finding:
    from jupyter_client.kernelspec import KernelSpecManager

    names = KernelSpecManager().find_kernel_specs()
    if "python3" not in names:
        return Finding("kernel", False, "there is no kernel 'python3'", f"{sys.executable} -m ipykernel install --user")
    return Finding("kernel", True, f"python3 at {names['python3']}")
