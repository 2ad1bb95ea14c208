"""From a click to a registered version, without the proof; what the extension costs a server that nobody publishes on.

Prints medians over interleaved rounds.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROUNDS = 7
STARTED = """
import asyncio
from jupyter_server.serverapp import ServerApp
options = ["--ServerApp.port=0", "--allow-root", "--ServerApp.jpserver_extensions={'jupyter_slipway': %s}"]
server = ServerApp()
server.initialize(options, find_extensions=False, new_httpserver=False)
asyncio.run(server.extension_manager.start_all_extensions())
"""
USED = """
import os
from pathlib import Path
from jupyter_slipway.api import Slipway
from jupyter_slipway.settings import Settings
from jupyter_slipway.web import Asker
slipway = Slipway(Settings.read(), root=Path.cwd())
asyncio.run(slipway.table.answer(slipway.table.find("GET", "/jobs")[0], Asker("bench"), {}, {}, b""))
"""
COST = """
import resource, sys, time
import jupyter_server.serverapp, jupyter_server.extension.application
cpu, memory = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
exec(sys.argv[1])
spent, grown = time.process_time() - cpu, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
heavy = {"pandas", "dask", "pyspark", "nbconvert.exporters", "alembic"}
print(spent, grown, sorted(heavy & sys.modules.keys()))
"""


def extension_cost(code: str) -> tuple[float, float, str]:
    """CPU-seconds, MiB and heavy packages that this adds to a process that has imported the server.

    With the byte code cached and the database there, as on any start but the first.
    """
    with tempfile.TemporaryDirectory() as folder:
        environ = os.environ | {"SLIPWAY_HOME": f"{folder}/home", "PYTHONPYCACHEPREFIX": f"{folder}/pyc"}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        command = [sys.executable, "-c", COST, code]
        found = [
            subprocess.run(command, capture_output=True, text=True, check=True, env=environ).stdout.split(maxsplit=2)
            for _ in range(ROUNDS + 1)
        ][1:]
    return (
        statistics.median(float(one[0]) for one in found),
        statistics.median(float(one[1]) for one in found),
        found[0][2].strip(),
    )


def click_to_version(cells: int) -> tuple[float, float]:
    """Seconds to plan and seconds to register a notebook of this many cells, no kernel, no lock."""
    from jupyter_slipway.api import Slipway
    from jupyter_slipway.settings import Settings
    from jupyter_slipway.web import Asker, encode

    asker = Asker("bench")
    sources = [
        {"id": f"c{i}", "source": f"x{i} = {f'x{i - 1}' if i else '1'} + {i}\nprint(x{i})"} for i in range(cells)
    ]
    plans, registrations = [], []
    with tempfile.TemporaryDirectory() as folder:
        slipway = Slipway(
            Settings.read(os.environ | {"SLIPWAY_HOME": folder, "SLIPWAY_ENVIRONMENTS": "kernel"}), root=Path(folder)
        )
        for number in range(ROUNDS):
            edited = [*sources[:-1], {"id": "last", "source": f"y = x{cells - 2} * {number}\ny"}]
            body = {"notebook": "bench.ipynb", "cells": edited, "cell": "last", "name": "bench"}
            for path, taken in (("/publish/plan", plans), ("/publish/versions", registrations)):
                endpoint, params = slipway.table.find("POST", path)
                start = time.perf_counter()
                asyncio.run(slipway.table.answer(endpoint, asker, params, {}, encode(body)))
                taken.append(time.perf_counter() - start)
        asyncio.run(slipway.close())
    return statistics.median(plans), statistics.median(registrations)


def main() -> None:
    table = Table("what", "measured", "budget", "ratio", title="Publishing")
    for cells in (20, 300):
        plan, version = click_to_version(cells)
        table.add_row(f"plan, {cells} cells", f"{plan * 1000:.0f} ms", "300 ms", f"{plan / 0.3:.2f}")
        table.add_row(f"click to version, {cells} cells", f"{version * 1000:.0f} ms", "500 ms", f"{version / 0.5:.2f}")
    bare_cpu, bare_memory, _ = extension_cost(STARTED % False)
    loaded = STARTED % True
    for when, code in (("extension, loaded", loaded), ("extension, first used", loaded + USED)):
        cpu, memory, heavy = extension_cost(code)
        cpu, memory = cpu - bare_cpu, memory - bare_memory
        table.add_row(f"{when}: CPU", f"{cpu:.2f} s", "0.3 s", f"{cpu / 0.3:.2f}")
        table.add_row(f"{when}: memory", f"{memory:.1f} MiB", "15 MiB", f"{memory / 15:.2f}")
        table.add_row(f"{when}: heavy packages", heavy, "[]", "")
    Console().print(table)


if __name__ == "__main__":
    main()
