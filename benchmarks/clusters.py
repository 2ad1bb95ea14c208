"""Attaching to a cluster, starting one beside Dask's own commands, and a server's patience while tasks run.

`python benchmarks/clusters.py [ROUNDS]`. Prints medians over interleaved rounds; times in seconds unless said.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
ATTACHES = 100
TASKS = 20_000
SIZE = {"workers": {"minimum": 1, "maximum": 1}, "cores": 1, "memory": "1 GiB"}
# What a kernel does when it is attached and first computes, without the imports; against a plain Client of the same.
ATTACH = """
import json, os, sys, time
import distributed, dask
given = json.load(sys.stdin)
took = []
for _ in range(int(sys.argv[1])):
    begun = time.perf_counter()
    if given["code"]:
        os.environ.update(given["environ"])
        space = {}
        exec(given["code"], space)
        client = space["client"]
    else:
        client = distributed.Client()
    assert client.submit(sum, [1, 2]).result() == 3
    took.append(time.perf_counter() - begun)
    client.close()
print(json.dumps(took))
"""


def median(values: list[float]) -> str:
    return f"{statistics.median(values):.3f}"


def started(name: str) -> float:
    """Until the new cluster runs, with a worker."""
    from jupyter_slipway.client import Client
    from jupyter_slipway.clusters.handlers import ClusterRequest

    with Client.connect() as slipway:
        begun = time.perf_counter()
        slipway.new_cluster(ClusterRequest(name, "small", SIZE))
        assert slipway.settle(name).state == "running"
        return time.perf_counter() - begun


def deleted(name: str) -> None:
    from jupyter_slipway.client import Client

    with Client.connect() as slipway:
        slipway.delete_cluster(name)


def started_by_commands(folder: Path) -> float:
    """Until `dask scheduler` and `dask worker` have a worker, as a client sees it."""
    file = folder / "scheduler.json"
    file.unlink(missing_ok=True)
    common = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    begun = time.perf_counter()
    dask = [sys.executable, "-m", "dask"]
    local = ["--host", "127.0.0.1", "--scheduler-file", str(file)]
    processes = [
        subprocess.Popen([*dask, "scheduler", "--port", "0", "--dashboard-address", "127.0.0.1:0", *local], **common),
        subprocess.Popen([*dask, "worker", "--nthreads", "1", *local], cwd=folder, **common),
    ]
    waiting = "from distributed import Client; import sys; Client(scheduler_file=sys.argv[1]).wait_for_workers(1)"
    try:
        while not file.exists():
            time.sleep(0.02)
        subprocess.run([sys.executable, "-c", waiting, str(file)], check=True, **common)
        return time.perf_counter() - begun
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait()


def attached(count: int, environ: dict[str, str], code: str) -> list[float]:
    ran = subprocess.run(
        [sys.executable, "-c", ATTACH, str(count)],
        input=json.dumps({"environ": environ, "code": code}),
        env=os.environ | environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return [float(one) for one in json.loads(ran.stdout)]


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """A Jupyter server: its status page, and the header to ask for it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "jupyter_server", f"--ServerApp.port={port}", "--IdentityProvider.token=bench"]
    command += [f"--ServerApp.root_dir={folder}", "--allow-root", "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url, header = f"http://127.0.0.1:{port}", {"Authorization": "token bench"}
    try:
        while True:
            try:
                ask(f"{url}/api/status", header)
                break
            except OSError:
                time.sleep(0.1)
        ask(f"{url}/slipway/api/clusters", header)
        yield f"{url}/api/status", header
    finally:
        process.terminate()
        process.wait()


def ask(url: str, header: dict[str, str]) -> float:
    begun = time.perf_counter()
    with urllib.request.urlopen(urllib.request.Request(url, headers=header), timeout=30) as answer:
        answer.read()
    return time.perf_counter() - begun


def latencies(url: str, header: dict[str, str], until: threading.Event, least: int) -> list[float]:
    found: list[float] = []
    while len(found) < least or not until.is_set():
        found.append(ask(url, header))
        time.sleep(0.01)
    return found


def while_tasks_run(url: str, header: dict[str, str], environ: dict[str, str]) -> list[float]:
    """Latencies of a server's status page while a kernel's worth of tasks run on the cluster."""
    script = "from distributed import Client; c = Client(); c.gather(c.map(int, range(int(__import__('sys').argv[1]))))"
    work = subprocess.Popen([sys.executable, "-c", script, str(TASKS)], env=os.environ | environ)
    done = threading.Event()
    threading.Thread(target=lambda: (work.wait(), done.set()), daemon=True).start()
    found = latencies(url, header, done, 100)
    assert work.wait() == 0
    return found


def percentile(values: list[float], share: float) -> str:
    return f"{sorted(values)[int(share * (len(values) - 1))] * 1000:.0f} ms"


def main() -> None:
    from jupyter_slipway.client import Client
    from jupyter_slipway.runs import runner

    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"SLIPWAY_HOME": f"{folder}/home", "SLIPWAY_ENVIRONMENTS": "kernel"}
        ours: list[float] = []
        theirs: list[float] = []
        for index in range(ROUNDS):
            ours.append(started(f"round-{index}"))
            deleted(f"round-{index}")
            theirs.append(started_by_commands(Path(folder)))
        started("etl")
        with Client.connect() as slipway:
            given = slipway.attach("etl", "kernel-bench").attachment
        count = max(1, ATTACHES // ROUNDS)
        attaches: list[float] = []
        plain: list[float] = []
        for _ in range(ROUNDS):
            attaches += attached(count, given.environ, given.code)
            plain += attached(count, given.environ, "")
        with serving(Path(folder)) as (url, header):
            quiet = latencies(url, header, _already(), 300)
            busy = while_tasks_run(url, header, given.environ)
        deleted("etl")
        runner.stop(Path(folder, "home"))
    table = Table("", "Slipway", "Dask alone", title=f"Medians of {ROUNDS} rounds")
    table.add_row("cluster start, first worker there (s)", median(ours), median(theirs))
    table.add_row(f"attach and first result, without imports (s, {len(attaches)})", median(attaches), median(plain))
    table.add_row("server /api/status p50, quiet", percentile(quiet, 0.5), "")
    table.add_row("server /api/status p99, quiet", percentile(quiet, 0.99), "")
    table.add_row(f"server /api/status p50, {TASKS} tasks", percentile(busy, 0.5), "")
    table.add_row(f"server /api/status p99, {TASKS} tasks", percentile(busy, 0.99), "")
    Console(width=110).print(table)


def _already() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


if __name__ == "__main__":
    main()
