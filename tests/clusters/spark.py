"""A real Spark server and people who use it: started once for all tests that need one."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_client.manager import KernelManager

from jupyter_slipway.clusters.backends.base import Ref
from jupyter_slipway.clusters.backends.spark_local import SparkLocal
from jupyter_slipway.clusters.model import Attachment, ClusterState
from tests.waiting import eventually

OPTIONS: dict[str, Any] = {
    "cores": 2,
    "memory": "1.2 GiB",
    # Less time to start; slower in the long run, which tests do not have.
    "java_options": ["-XX:TieredStopAtLevel=1"],
}
SLOW = "spark.range(0, 40, 1, 20).select(udf(lambda x: time.sleep(0.5) or x, 'long')('id')).collect()"
IMPORTS = "import time\nfrom pyspark.sql.functions import udf\n"


@dataclass(frozen=True)
class SparkCluster:
    backend: SparkLocal
    ref: Ref
    directory: Path

    def state(self) -> ClusterState:
        return asyncio.run(self.backend.find(self.ref)).state

    def attachment(self, holder: str, person: str = "ada") -> Attachment:
        return self.backend.attach(self.ref, person, holder)


@contextmanager
def spark_cluster(directory: Path) -> Iterator[SparkCluster]:
    """Started as on a machine without Java."""
    backend = SparkLocal()
    kept = {name: os.environ.pop(name, None) for name in ("JAVA_HOME", "PATH")}
    os.environ["PATH"] = os.path.dirname(sys.executable)
    try:
        ref = asyncio.run(backend.create("etl", OPTIONS, directory))
    finally:
        os.environ.update({name: value for name, value in kept.items() if value is not None})
    cluster = SparkCluster(backend, ref, directory)
    try:
        eventually(lambda: cluster.state() != ClusterState.STARTING)
        assert cluster.state() == ClusterState.RUNNING, (directory / "driver.log").read_text()
        yield cluster
    finally:
        asyncio.run(backend.stop(ref))


@contextmanager
def using(attachment: Attachment, code: str) -> Iterator[subprocess.Popen[str]]:
    """A process that is attached as a run is, then executes `code`."""
    environ = os.environ | attachment.environ
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", f"{attachment.code}\n{IMPORTS}{code}"],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


class Notebook:
    """A kernel that is attached."""

    def __init__(self, attachment: Attachment) -> None:
        self._manager = KernelManager(kernel_name="python3")
        self._manager.start_kernel(env=os.environ | attachment.environ)
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=60)
        self.run(attachment.code)

    def send(self, code: str, cell: str = "") -> str:
        """Begin to run; the message's id."""
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
        message = self._client.session.msg("execute_request", content, metadata={"cellId": cell})
        self._client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def result(self, message: str) -> str:
        """What it printed, and its error."""
        said = ""
        while True:
            heard = self._client.get_iopub_msg(timeout=120)
            if heard["parent_header"].get("msg_id") != message:
                continue
            content = heard["content"]
            if heard["msg_type"] == "stream" and content["name"] == "stdout":
                said += content["text"]
            elif heard["msg_type"] == "error":
                said += f"{content['ename']}: {content['evalue']}"
            elif heard["msg_type"] == "status" and content["execution_state"] == "idle":
                return said

    def run(self, code: str, cell: str = "") -> str:
        return self.result(self.send(code, cell))

    def close(self) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
