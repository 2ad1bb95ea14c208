"""The host process of one local Spark Connect server: starts Java, watches it, says how it fares, ends it.

Started detached by `backends.spark_local`; it outlives the Jupyter server. Java is its child and dies with it,
whatever kills it.

clusters/<name>/
├── launch.json        what to start (`Launch`)
├── record.json        this process, the token (`hosting.Record`)
├── server.json        how the server fares (`Server`)
├── host.lock          held while this process lives
├── seen               touched by whoever looks at the cluster
├── holders/           notes of the kernels and runs that use it: see `spark_holders`
├── host.log           what this process printed
├── driver.log         what Spark printed
├── spark.properties   Spark's settings
├── scratch/           shuffled data; emptied at each start
└── warehouse/         tables that notebooks saved
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from jupyter_slipway import hosting
from jupyter_slipway.clusters import spark_java
from jupyter_slipway.clusters.logs import bound
from jupyter_slipway.clusters.spark_ui import Pages
from jupyter_slipway.decoding import from_json
from jupyter_slipway.errors import Unavailable
from jupyter_slipway.files import atomic_write, private_directory

LAUNCH = "launch.json"
SERVER = "server.json"
LOCK = "host.lock"
SEEN = "seen"
"""Touched by whoever looks at the cluster."""
DRIVER_LOG = "driver.log"
UP_WITHIN = 300.0
"""Seconds; a loaded machine of two cores has taken 72."""
UNSEEN = 6 * 3600.0
"""Seconds without anybody who looks, and without work, after which it ends by itself: who looked after it is gone."""
LOOK_EVERY = 60.0
ENDS_WITHIN = 10.0
"""Seconds that Spark has to remove its files before it is killed."""
EXIT_OUT_OF_MEMORY = 3
"""Java's status after ExitOnOutOfMemoryError."""
PR_SET_PDEATHSIG = 1

STEPS = (
    ("Running Spark version", 0.3, "Spark's context starts"),
    ("Successfully started service 'sparkDriver'", 0.5, "Spark's context starts"),
    ("Successfully started service 'SparkUI'", 0.7, "the server for notebooks starts"),
)
"""What the log says, how far that is, and what is waited for then."""
UI_PORT = re.compile(r"Successfully started service 'SparkUI' on port (\d+)")
CONNECT_PORT = re.compile(r"Spark Connect server started at: \S*:(\d+)")

# WARN, but for the lines that tell how far the start has come and which ports it took.
LOGGING = """\
rootLogger.level = warn
rootLogger.appenderRef.stdout.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yyyy-MM-dd HH:mm:ss} %p %c{1}: %m%n%ex
logger.context.name = org.apache.spark.SparkContext
logger.context.level = info
logger.ports.name = org.apache.spark.util.Utils
logger.ports.level = info
logger.connect.name = org.apache.spark.sql.connect.service.SparkConnectServer
logger.connect.level = info
logger.native.name = org.apache.hadoop.util.NativeCodeLoader
logger.native.level = error
"""


class Launch(Struct, frozen=True):
    """launch.json"""

    name: str
    java: str
    spark: str
    """Folder with Spark's jars."""
    python: str
    """Runs functions that notebooks hand to Spark."""
    cores: int
    heap: int
    """Bytes that Java may fill."""
    memory: int
    """Bytes that the whole server is meant to take."""
    settings: dict[str, str] = {}
    """More of Spark's."""
    java_options: tuple[str, ...] = ()


class Server(Struct, frozen=True):
    """server.json"""

    state: Literal["starting", "running", "stopped", "failed"]
    waiting: str = ""
    progress: float | None = None
    reason: str = ""
    port: int = 0
    """Of Spark Connect, on loopback."""
    ui: int = 0
    """Port of Spark's own web pages, on loopback."""
    pid: int = 0
    """Java's."""
    started: str = ""
    """When that began: see `hosting.process_start`."""
    boot: str = ""


def read_server(directory: Path) -> Server | None:
    with suppress(OSError, msgspec.MsgspecError):
        return from_json((directory / SERVER).read_bytes(), Server)
    return None


def is_held(directory: Path) -> bool:
    """Whether a host of this directory lives, be it that its record is not there yet."""
    try:
        with open(directory / LOCK, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


class Host:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.launch = from_json((directory / LAUNCH).read_bytes(), Launch)
        self.server = Server("starting", waiting="Java starts", progress=0.05, boot=hosting.boot_id())
        self.asked_to_end = threading.Event()

    def run(self) -> None:
        """Until the server has ended, or SIGTERM came."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.asked_to_end.set())
        token = secrets.token_urlsafe(24)
        shutil.rmtree(self.directory / "scratch", ignore_errors=True)
        private_directory(self.directory / "scratch")
        offset = self._log_size()
        java = self._start(token)
        self._say(pid=java.pid, started=hosting.process_start(java.pid))
        self._write_record(token)
        try:
            self._wait_until_up(java, offset)
            self._watch(java)
        finally:
            self._end(java)

    def _watch(self, java: subprocess.Popen[bytes]) -> None:
        if self.server.state == "running":
            with suppress(Unavailable):
                # The first question is slow: better now than when somebody waits for the answer.
                Pages(self.server.ui).jobs("running")
        looked = time.monotonic()
        while self.server.state == "running" and java.poll() is None and not self.asked_to_end.wait(0.5):
            if time.monotonic() - looked > LOOK_EVERY:
                looked = time.monotonic()
                bound(self.directory / DRIVER_LOG)
                if self._is_forgotten():
                    self._say(reason="nobody has looked after it for hours")
                    return

    def _is_forgotten(self) -> bool:
        try:
            seen = (self.directory / SEEN).stat().st_mtime
        except FileNotFoundError:
            seen = (self.directory / hosting.RECORD).stat().st_mtime
        if time.time() - seen < UNSEEN:
            return False
        try:
            return not Pages(self.server.ui).jobs("running")
        except Unavailable:  # too busy to say so
            return False

    def _start(self, token: str) -> subprocess.Popen[bytes]:
        launch, directory = self.launch, self.directory
        settings = {
            # On loopback only, at ports that the system chooses: two clusters never meet.
            "spark.connect.grpc.binding.address": "127.0.0.1",
            "spark.connect.grpc.binding.port": "0",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.ui.port": "0",
            # The pages are looked at through a proxy that passes no POST.
            "spark.ui.killEnabled": "false",
            # Who else works on this machine cannot speak with Spark's inner ports.
            "spark.authenticate": "true",
            "spark.ui.showConsoleProgress": "false",
            "spark.app.name": launch.name,
            # Java has it already; kernels ask for it before they bring a large result.
            "spark.driver.memory": f"{launch.heap // 2**20}m",
            # More than it could send: refused with words, where it would end for want of memory.
            "spark.driver.maxResultSize": f"{launch.heap // 2**20 // 2}m",
            "spark.local.dir": str(directory / "scratch"),
            "spark.sql.warehouse.dir": str(directory / "warehouse"),
            # Spark's own default, 200, is for hundreds of cores.
            "spark.sql.shuffle.partitions": str(max(4, 2 * launch.cores)),
            "spark.pyspark.python": launch.python,
            **launch.settings,
        }
        properties, logging = directory / "spark.properties", directory / "log4j2.properties"
        atomic_write(properties, "".join(f"{key} {value}\n" for key, value in settings.items()).encode())
        atomic_write(logging, LOGGING.encode())
        command = spark_java.command(
            Path(launch.java),
            Path(launch.spark),
            cores=launch.cores,
            heap=launch.heap,
            properties=properties,
            logging=logging,
            options=launch.java_options,
        )
        environ = {name: value for name, value in os.environ.items() if not name.startswith("SPARK_")}
        environ |= {
            "SPARK_HOME": launch.spark,
            # The web pages listen where this says; without it on all interfaces.
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PYSPARK_PYTHON": launch.python,
            "SPARK_CONNECT_AUTHENTICATE_TOKEN": token,
        }
        with open(directory / DRIVER_LOG, "ab") as log:
            return subprocess.Popen(
                command,
                env=environ,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_parent(os.getpid()),
            )

    def _write_record(self, token: str) -> None:
        pid = os.getpid()
        record = hosting.Record(
            endpoint=str(self.directory / SERVER),
            token=token,
            pid=pid,
            started=hosting.process_start(pid),
            nonce=secrets.token_hex(8),
            boot=hosting.boot_id(),
        )
        atomic_write(self.directory / hosting.RECORD, msgspec.json.encode(record))

    def _wait_until_up(self, java: subprocess.Popen[bytes], offset: int) -> None:
        until = time.monotonic() + UP_WITHIN
        while java.poll() is None and not self.asked_to_end.wait(0.1):
            log = self._log(offset)
            if found := CONNECT_PORT.search(log):
                ui = UI_PORT.search(log)
                ports = {"port": int(found[1]), "ui": int(ui[1]) if ui else 0}
                self._say(state="running", waiting="", progress=None, **ports)
                return
            for said, progress, waiting in STEPS:
                if said in log and progress > (self.server.progress or 0):
                    self._say(progress=progress, waiting=waiting)
            if time.monotonic() > until:
                self._say(state="failed", reason=f"Spark did not come up within {UP_WITHIN:.0f} seconds.")
                return

    def _end(self, java: subprocess.Popen[bytes]) -> None:
        ended_by_itself = java.poll()
        if ended_by_itself is None:
            java.terminate()
            try:
                java.wait(ENDS_WITHIN)
            except subprocess.TimeoutExpired:
                java.kill()
                java.wait()
            if self.server.state != "failed":
                self._say(state="stopped", waiting="", progress=None)
        else:
            self._say(state="failed", waiting="", progress=None, reason=self._why(ended_by_itself))
        shutil.rmtree(self.directory / "scratch", ignore_errors=True)

    def _why(self, status: int) -> str:
        if status == EXIT_OUT_OF_MEMORY:
            return f"Spark ran out of memory: it had {self.launch.heap // 2**20} MiB. Start it with more."
        if status < 0:
            name = signal.Signals(-status).name
            by = ", as the system does when memory runs out" if name == "SIGKILL" else ""
            return f"Spark's process was ended by {name}{by}."
        said = hosting.last_lines(self.directory / DRIVER_LOG)
        return f"Spark's process ended with {status}. The end of its log: {said}"

    def _say(self, **changes: object) -> None:
        self.server = msgspec.structs.replace(self.server, **changes)
        atomic_write(self.directory / SERVER, msgspec.json.encode(self.server))

    def _log_size(self) -> int:
        with suppress(OSError):
            return (self.directory / DRIVER_LOG).stat().st_size
        return 0

    def _log(self, offset: int) -> str:
        with open(self.directory / DRIVER_LOG, "rb") as file:
            file.seek(offset)
            return file.read().decode(errors="replace")


def _die_with_parent(parent: int) -> Callable[[], None] | None:
    """For the child, before Java takes its place: it is killed when this process dies, however that dies."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)

    def prepare() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return prepare


def main() -> None:
    directory = Path(sys.argv[1])
    os.umask(0o077)
    with open(directory / LOCK, "wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("Another host already holds this cluster.")
        Host(directory).run()


if __name__ == "__main__":
    main()
