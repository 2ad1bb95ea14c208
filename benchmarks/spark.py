"""How long a notebook waits for Spark: attached to a Slipway cluster, beside a session of its own.

`python benchmarks/spark.py [ROUNDS]`; both after pyspark is imported, since both pay for that. A session of its own
needs a Java of the system, and is left out where there is none.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from jupyter_slipway.clusters.backends.spark_local import SparkLocal
from jupyter_slipway.clusters.model import ClusterState

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
MEASURE = """
import json, resource, time
import pyspark.sql, pyspark.sql.connect.session
begun = time.monotonic()
from pyspark.sql import SparkSession
session = {session}
version = session.version
attached = time.monotonic()
session.range(1000).count()
first = time.monotonic()
session.range(1000).count()
print(json.dumps([attached - begun, first - attached, time.monotonic() - first]))
"""
ATTACHED = MEASURE.format(session="SparkSession.builder.getOrCreate()")
OWN = MEASURE.format(session="SparkSession.builder.master('local[2]').config('spark.ui.enabled', False).getOrCreate()")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        backend = SparkLocal()
        begun = time.monotonic()
        ref = asyncio.run(backend.create("etl", {"cores": 2, "memory": "2 GiB"}, Path(folder) / "etl"))
        while (found := asyncio.run(backend.find(ref))).state is ClusterState.STARTING:
            time.sleep(0.1)
        if found.state is not ClusterState.RUNNING:
            sys.exit(found.reason)
        started = time.monotonic() - begun
        try:
            measured = rounds(backend.attach(ref, "ada", "kernel-1").environ)
        finally:
            asyncio.run(backend.stop(ref))
    show(started, measured)


def rounds(environ: dict[str, str]) -> dict[str, list[list[float]]]:
    """Seconds to attach, for the first and for the second query, of each way; one after the other, in turns."""
    ways: dict[str, tuple[str, dict[str, str]]] = {"Slipway": (ATTACHED, environ)}
    if os.environ.get("JAVA_HOME") or shutil.which("java"):
        ways["own session"] = (OWN, {})
    ran: dict[str, list[list[float]]] = {name: [] for name in ways}
    seconds(ATTACHED, environ)  # the server's own first time is not a notebook's
    for _ in range(ROUNDS):
        for name, (code, given) in ways.items():
            ran[name].append(seconds(code, given))
    return ran


def seconds(code: str, environ: dict[str, str]) -> Any:
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, env=os.environ | environ, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def show(started: float, measured: dict[str, list[list[float]]]) -> None:
    table = Table("seconds", "session", "first query", "second query", title=f"Cluster up in {started:.1f} s")
    for name, times in measured.items():
        middle = (statistics.median(column) for column in zip(*times, strict=True))
        table.add_row(name, *(f"{value:.2f}" for value in middle))
    Console().print(table)
    print(f"medians of {ROUNDS}, in turns; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
