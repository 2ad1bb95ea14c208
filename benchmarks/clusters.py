"""Starting a cluster beside Dask's own commands, attaching, gathering, and a server's patience while tasks run.

`python benchmarks/clusters.py [ROUNDS] [PART...]`, parts as in `PARTS`. Prints medians over interleaved rounds; times
in seconds unless said.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

PARTS = ("start", "attach", "gather", "patience")
ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 3
CHOSEN = sys.argv[2:] or PARTS
ATTACHES = 100
GATHERS = 20
TASKS = 20_000
PAGES = (0, 1, 10)
"""How many look on while they run."""
HEADER = {"Authorization": "token bench"}
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

# 100 MB from a worker: as an attached kernel brings them, and through the scheduler.
GATHER = """
import json, os, sys, time
given = json.load(sys.stdin)
os.environ.update(given["environ"])
space = {}
exec(given["code"], space)
client, took = space["client"], ([], [])
large = client.submit(lambda: __import__("numpy").random.rand(12_500_000))
__import__("distributed").wait(large)
for _ in range(int(sys.argv[1])):
    for times, options in zip(took, ({}, {"direct": False})):
        begun = time.perf_counter()
        client.gather(large, **options)
        times.append(time.perf_counter() - begun)
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


def gathered(count: int, environ: dict[str, str], code: str) -> tuple[list[float], list[float]]:
    """Seconds of each: directly, and through the scheduler."""
    given = json.dumps({"environ": environ, "code": code})
    command = [sys.executable, "-c", GATHER, str(count)]
    ran = subprocess.run(command, input=given, env=os.environ | environ, stdout=subprocess.PIPE, text=True, check=True)
    direct, through = json.loads(ran.stdout)
    return direct, through


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[tuple[str, int]]:
    """A Jupyter server: its address, and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "jupyter_server", f"--ServerApp.port={port}", "--IdentityProvider.token=bench"]
    command += [f"--ServerApp.root_dir={folder}", "--allow-root", "--no-browser", *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        while True:
            try:
                ask(f"{url}/api/status")
                break
            except OSError:
                time.sleep(0.1)
        yield url, process.pid
    finally:
        process.terminate()
        process.wait()


def ask(url: str) -> float:
    begun = time.perf_counter()
    with urllib.request.urlopen(urllib.request.Request(url, headers=HEADER), timeout=30) as answer:
        answer.read()
    return time.perf_counter() - begun


EVERY = {
    "clusters/etl/progress?holder=kernel-bench&cell=": 1.0,
    "clusters/etl/figures": 2.0,
    "kernels/KERNEL": 5.0,
    "kernels/KERNEL/executions?limit=200": 30.0,
    "clusters": 15.0,
    "attachments": 15.0,
}
"""What the page of a notebook with the panel beside it asks while a cell of it has tasks on the cluster, and every how
many seconds, unless the answer says when `again`. JupyterLab's own requests are left out: each server has them."""
WATCH = """
import http.client, json, sys, threading, time
url, pages, every = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
def page(number):
    server = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)  # kept open, as a browser does
    due = {path: time.monotonic() + seconds * number / pages for path, seconds in every.items()}
    while True:
        path = min(due, key=due.get)
        time.sleep(max(0, due[path] - time.monotonic()))
        wait = every[path]
        try:
            server.request("GET", f"/slipway/api/{path}", headers={"Authorization": "token bench"})
            answer = server.getresponse()
            said = json.loads(answer.read())
            if answer.status == 200:
                wait = said.get("again", wait)
        except OSError:
            server.close()  # a scheduler under so many tasks may answer too late: a page asks again, too
        due[path] = time.monotonic() + wait
for number in range(pages):
    threading.Thread(target=page, args=(number,), daemon=True).start()
time.sleep(3600)
"""
TASKS_RUN = "from distributed import Client; c = Client(); c.gather(c.map(int, range(int(__import__('sys').argv[1]))))"


@contextmanager
def watching(url: str, kernel: str, pages: int) -> Iterator[None]:
    every = {path.replace("KERNEL", kernel): seconds for path, seconds in EVERY.items()}
    process = subprocess.Popen([sys.executable, "-c", WATCH, url, str(pages), json.dumps(every)])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def in_turn(urls: tuple[str, str], until: Callable[[], bool], least: int) -> tuple[list[float], list[float]]:
    """Latencies of the status pages of two servers, asked one after the other, so that both find the same machine."""
    found: tuple[list[float], list[float]] = ([], [])
    while len(found[0]) < least or not until():
        for url, times in zip(urls, found, strict=True):
            times.append(ask(f"{url}/api/status"))
            time.sleep(0.02)  # the asking itself shall not be what keeps the machine busy
    return found


def patience(folder: Path, environ: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Rows: latencies of our server and of one without Slipway, while the same tasks run."""
    stock = ("--ServerApp.jpserver_extensions={'jupyter_slipway': False}",)
    with serving(folder) as (ours, pid), serving(folder, *stock) as (theirs, other):
        started = urllib.request.Request(f"{ours}/api/kernels", data=b"{}", headers=HEADER)
        with urllib.request.urlopen(started, timeout=60) as answer:
            kernel = json.load(answer)["id"]
        yield rows("quiet", in_turn((ours, theirs), lambda: True, 300))
        for pages in PAGES:
            mine: list[float] = []
            others: list[float] = []
            spent = [0.0, 0.0]
            with watching(ours, kernel, pages):
                for _ in range(ROUNDS):
                    work = subprocess.Popen([sys.executable, "-c", TASKS_RUN, str(TASKS)], env=os.environ | environ)
                    before = cpu(pid), cpu(other)
                    found = in_turn((ours, theirs), lambda work=work: work.poll() is not None, 100)
                    assert work.wait() == 0
                    for index, process in enumerate((pid, other)):
                        spent[index] += cpu(process) - before[index]
                    mine += found[0]
                    others += found[1]
            yield rows(f"{TASKS} tasks, {pages} pages watch", (mine, others))
            yield f"server's CPU, {TASKS} tasks, {pages} pages (s)", *(f"{one / ROUNDS:.2f}" for one in spent)


def rows(name: str, found: tuple[list[float], list[float]]) -> tuple[str, str, str]:
    shown = [f"{percentile(one, 0.5)}, {percentile(one, 0.99)}" for one in found]
    return f"server /api/status p50, p99: {name} ({len(found[0])})", shown[0], shown[1]


def cpu(pid: int) -> float:
    """Seconds, of all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def percentile(values: list[float], share: float) -> str:
    return f"{sorted(values)[int(share * (len(values) - 1))] * 1000:.0f} ms"


def starts(folder: Path) -> Iterator[tuple[str, str, str]]:
    ours: list[float] = []
    theirs: list[float] = []
    for index in range(ROUNDS):
        ours.append(started(f"round-{index}"))
        deleted(f"round-{index}")
        theirs.append(started_by_commands(folder))
    yield f"cluster start, first worker there (s, {ROUNDS})", median(ours), median(theirs)


def attaches(environ: dict[str, str], code: str) -> Iterator[tuple[str, str, str]]:
    count = max(1, ATTACHES // ROUNDS)
    ours: list[float] = []
    plain: list[float] = []
    for _ in range(ROUNDS):
        ours += attached(count, environ, code)
        plain += attached(count, environ, "")
    yield f"attach and first result, without imports (s, {len(ours)})", median(ours), median(plain)


def gathers(environ: dict[str, str], code: str) -> Iterator[tuple[str, str, str]]:
    direct, through = gathered(GATHERS, environ, code)
    yield f"100 MB gathered; without: through the scheduler (s, {GATHERS})", median(direct), median(through)


def main() -> None:
    from jupyter_slipway.client import Client
    from jupyter_slipway.kernels import hosts
    from jupyter_slipway.runs import runner

    table = Table("", "Slipway", "Without it", title=f"Medians of {ROUNDS} rounds")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "home")
        os.environ |= {"SLIPWAY_HOME": str(home), "SLIPWAY_ENVIRONMENTS": "kernel"}
        try:
            for part in CHOSEN:
                if part == "start":
                    measured = starts(Path(folder))
                else:
                    with Client.connect() as slipway:
                        if not any(cluster.name == "etl" for cluster in slipway.clusters()):
                            started("etl")
                        given = slipway.attach("etl", "kernel-bench").attachment
                    measured = {
                        "attach": lambda given=given: attaches(given.environ, given.code),
                        "gather": lambda given=given: gathers(given.environ, given.code),
                        "patience": lambda given=given: patience(Path(folder), given.environ),
                    }[part]()
                for row in measured:
                    table.add_row(*row)
        finally:
            with Client.connect() as slipway:
                for cluster in slipway.clusters():
                    deleted(cluster.name)
            hosts.end_all(home)
            runner.stop(home)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
