"""How late schedules are: from due to queued, and to the first line of user code; beside jupyter-scheduler.

`python benchmarks/schedules.py` takes three minutes: cron knows whole minutes only, and the peer has to wait for two.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from runs import NOTEBOOK, Store, peers_python, percentile
from sqlalchemy import select, update

from jupyter_slipway.db import tables
from jupyter_slipway.events import Events
from jupyter_slipway.jobs.model import Version
from jupyter_slipway.jobs.registry import Registry
from jupyter_slipway.jobs.schedules import Schedules
from jupyter_slipway.publish.model import Environment, Parameter

SCHEDULES = 200
BESIDE = 5
"""Schedules due at one minute in the comparison: the peer starts a kernel for each at once."""
CLOCK = "import time\nNOW = time.time()\ndef main(*, month=1): return NOW"
FIRST = """\
import time
now = time.time()
import pathlib, uuid
pathlib.Path({folder!r}, f"first-{{uuid.uuid4()}}").write_text(str(now))"""
RUNNER = """
import sys, time
from pathlib import Path
from jupyter_slipway.db import Database
from jupyter_slipway.events import Events
from jupyter_slipway.jobs.registry import Registry
from jupyter_slipway.jobs.schedules import Schedules
from jupyter_slipway.runs.engine import Engine
from jupyter_slipway.runs.runner import Runner
from jupyter_slipway.service import Carrier
from jupyter_slipway.settings import Settings
home = Path(sys.argv[1])
settings = Settings.read({"SLIPWAY_HOME": str(home), "SLIPWAY_ENVIRONMENTS": "kernel"})
database = Database(settings.database)
late = open(home / "late", "a", buffering=1)
fired = []
class Noted(Engine):
    def submit_many(self, many):
        super().submit_many(many)
        fired.extend(one.due.timestamp() for one in many)
engine = Noted(database, home)
carrier = Carrier(settings, Registry(database, Events()), Schedules(database), engine)
def fire(now):
    following = carrier.fire(now)
    known = time.time()  # after the commit
    for due in fired:
        print(known - due, file=late)
    fired.clear()
    return following
Runner(database, home, prepare=carrier.prepare, fire=fire).run()
"""


# ── ours ────────────────────────────────────────────────────────────────────────────────────────────────────


def scheduled(store: Store, count: int, start: float, spread: float) -> None:
    """This many jobs, each with a schedule whose next times are `spread` seconds apart in all."""
    registry, schedules = Registry(store.database, Events()), Schedules(store.database)
    with store.database.write() as connection:
        for number in range(count):
            registry.publish(a_version(f"job-{number}"))
            schedules.set(f"job-{number}", f"{number % 60} {number % 24} 1 1 *", "UTC", parameters={"month": 6})
        # Cron knows whole minutes only: the times are spread by hand.
        for number, one in enumerate(connection.execute(select(tables.schedule.c.id)).scalars().all()):
            due = round(start + spread * number / count, 3)
            connection.execute(update(tables.schedule).where(tables.schedule.c.id == one).values(next_due=due))


def a_version(job: str) -> Version:
    return Version(
        job=job,
        number=0,
        notebook="bench.ipynb",
        cell="c1",
        module=CLOCK,
        parameters=(Parameter("month", "int", 1),),
        environment=Environment("", False, executable=sys.executable),
        author="bench",
        created_at=datetime.now(UTC),
        digest="",
    )


def late(count: int, spread: float) -> tuple[list[float], list[float]]:
    """Seconds from due to queued, and to the first line of user code."""
    with tempfile.TemporaryDirectory() as folder, Store(folder, runner=RUNNER) as store:
        start = time.time() + 4
        scheduled(store, count, start, spread)
        time.sleep(max(0.0, start + spread - time.time()))
        while len(lines := (store.home / "late").read_text().splitlines()) < count:
            time.sleep(0.1)
        store.drain()
        runs = [run for run in store.engine.list(limit=500).items if run.due]
        first = [run.value["result"] - run.due.timestamp() for run in runs if run.due]
        return [float(line) for line in lines], first


# ── the peer ────────────────────────────────────────────────────────────────────────────────────────────────


def peer_late(count: int) -> list[float] | None:
    """Seconds from due to the first line of user code of jupyter-scheduler; None when it is not installed."""
    python = peers_python()
    if subprocess.run([python, "-c", "import jupyter_scheduler"], capture_output=True).returncode:
        return None
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as ending:
        root = Path(folder)
        ask = server(python, root, ending)
        notebook = json.loads(json.dumps(NOTEBOOK))
        notebook["cells"][0]["source"] = FIRST.format(folder=folder)
        (root / "first.ipynb").write_text(json.dumps(notebook))
        wait_for_second(20)
        environment = ask("GET", "runtime_environments")[0]["name"]
        due = (time.time() // 60 + 1) * 60
        for number in range(count):
            definition = {
                "input_uri": "first.ipynb",
                "name": f"first-{number}",
                "runtime_environment_name": environment,
                "output_formats": ["ipynb"],
                "schedule": "* * * * *",
                "timezone": "UTC",
            }
            ask("POST", "job_definitions", definition)
        until = due + 55  # before the next minute, whose runs are none of those that are measured
        while len(found := list(root.glob("first-*"))) < count and time.time() < until:
            time.sleep(0.1)
        return [float(path.read_text()) - due for path in found]


def server(python: str, root: Path, ending: contextlib.ExitStack) -> Any:
    """A Jupyter server with jupyter-scheduler; what asks its API."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    (root / ".jupyter" / "DATA").mkdir(parents=True)  # its database needs the folder
    own = {f"JUPYTER_{kind}_DIR": str(root / ".jupyter" / kind) for kind in ("DATA", "RUNTIME", "CONFIG")}
    command = [python, "-m", "jupyter_server", f"--ServerApp.port={port}", f"--ServerApp.root_dir={root}"]
    command += ["--ServerApp.jpserver_extensions={'jupyter_scheduler': True}", f"--IdentityProvider.token={token}"]
    command += ["--allow-root", "--no-browser"]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, env=os.environ | own, stdout=quiet, stderr=quiet)
    ending.callback(process.wait)
    ending.callback(process.terminate)

    def ask(method: str, path: str, body: object = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"token {token}"}
        url = f"http://127.0.0.1:{port}/scheduler/{path}"
        with urllib.request.urlopen(urllib.request.Request(url, content, headers, method=method), timeout=30) as answer:
            return json.loads(answer.read())

    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError):
            ask("GET", "runtime_environments")
            return ask
        time.sleep(0.2)
    raise RuntimeError("jupyter-scheduler's server did not come up.")


def wait_for_second(second: float) -> None:
    """Wait until there is time before the next minute, and not more than that."""
    now = time.time() % 60
    time.sleep((second - now) % 60 if now > second + 15 or now < second else 0)


def row(table: Table, name: str, queued: list[float], first: list[float]) -> None:
    table.add_row(
        name,
        *(f"{percentile(queued, share) * 1000:.0f}" if queued else "" for share in (0.5, 0.99)),
        *(f"{percentile(first, share):.2f}" for share in (0.5, 0.99)),
    )


def main() -> None:
    table = Table(
        "schedules",
        "queued p50 ms",
        "p99 ms",
        "first line p50 s",
        "p99 s",
        title="How late (goal: queued p99 50 ms)",
    )
    row(table, f"{SCHEDULES} over 30 s", *late(SCHEDULES, 30.0))
    for _ in range(3):
        row(table, f"{SCHEDULES} at one moment", *late(SCHEDULES, 0.0))
    row(table, f"{BESIDE} at one moment", *late(BESIDE, 0.0))
    peer = peer_late(BESIDE)
    if peer is None:
        table.add_row("jupyter-scheduler", "not installed")
    elif not peer:
        table.add_row("jupyter-scheduler", "", "", "over 55", "")
    else:
        row(table, f"jupyter-scheduler, {len(peer)} of {BESIDE} at one minute", [], peer)
    Console().print(table)


if __name__ == "__main__":
    main()
