"""A Spark Connect server that somebody else runs, at any 'sc://' address: used and let go, never started or ended."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from jupyter_slipway.clusters import spark_address, spark_calls, spark_holders
from jupyter_slipway.clusters.backends.base import Ref
from jupyter_slipway.clusters.model import Attachment, ClusterState, Figures, Progress, Status, Workers
from jupyter_slipway.clusters.secret_files import read_secret
from jupyter_slipway.clusters.spark_attachment import attachment
from jupyter_slipway.decoding import from_builtins, from_json
from jupyter_slipway.errors import Conflict, NotFound, Unavailable, Unprocessable
from jupyter_slipway.files import atomic_write, private_directory

LAUNCH = "launch.json"
ANSWERS_WITHIN = 3.0
"""Seconds, for a look at whether anybody listens."""
PACKAGES_WITHIN = 90.0
"""Seconds; the server may have to start a Python for it."""
# Run by a Python that has pyspark: the versions are those where the server runs functions.
PACKAGES = """
import json
from pyspark import cloudpickle
from pyspark.sql import SparkSession
from pyspark.sql.functions import udf
from jupyter_slipway.clusters import packages
cloudpickle.register_pickle_by_value(packages)
spark = SparkSession.builder.getOrCreate()
told = udf(lambda _: __import__("json").dumps(packages.installed()), "string")
print(json.dumps({"worker": json.loads(spark.range(1).select(told("id")).first()[0])}))
spark.stop()
"""


class Launch(Struct, frozen=True):
    """launch.json; removed when the server is let go."""

    name: str
    address: spark_address.Address
    token_file: str = ""
    ca_file: str = ""


class SparkConnect:
    name = "spark-connect"
    engine = "spark"
    on_this_machine = False
    fixed_packages = "The server is somebody else's: ask who runs it."

    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {
                "address": {
                    "type": "string",
                    "title": "Address",
                    "description": "Such as sc://spark.example.org:15002/;use_ssl=true",
                    "pattern": r"^\s*sc://",
                },
                "token_file": {
                    "type": "string",
                    "title": "File with the token",
                    "description": "On the Jupyter server's machine, readable by you alone. Empty: it wants none.",
                    "default": "",
                },
                "ca_file": {
                    "type": "string",
                    "title": "File with the authority's certificate",
                    "description": "When the system does not trust the server's.",
                    "default": "",
                },
            },
            "required": ["address"],
            "additionalProperties": False,
        }

    async def create(self, name: str, options: Mapping[str, Any], directory: Path) -> Ref:
        launch = Launch(
            name,
            spark_address.parse(options["address"]),
            options.get("token_file", ""),
            options.get("ca_file", ""),
        )
        if launch.ca_file and not os.access(launch.ca_file, os.R_OK):
            raise Unprocessable(f"ca_file: {launch.ca_file} cannot be read.", hint="Name a file in PEM format.")
        token = _token(launch)
        await spark_calls.ask(spark_calls.Question(launch.address, token, certificates=launch.ca_file))
        private_directory(directory)
        atomic_write(directory / LAUNCH, msgspec.json.encode(launch))
        return {"directory": str(directory)}

    async def find(self, ref: Ref) -> Status:
        directory = Path(ref["directory"])
        if (launch := _read(directory)) is None:
            return Status(ClusterState.STOPPED, reason="it was let go")
        try:
            async with asyncio.timeout(ANSWERS_WITHIN):
                _, writer = await asyncio.open_connection(launch.address.host, launch.address.port)
            writer.close()
        except (OSError, TimeoutError) as error:
            why = str(error) or f"no answer within {ANSWERS_WITHIN:.0f} seconds"
            return Status(ClusterState.FAILED, reason=f"nothing answers at {launch.address.endpoint}: {why}")
        return Status(ClusterState.RUNNING, workers=1, working=bool(spark_holders.notes(directory)))

    async def scale(self, ref: Ref, workers: Workers) -> None:
        raise Unprocessable("This server is not Slipway's: it has the size that it has.", hint="Ask who runs it.")

    async def stop(self, ref: Ref) -> None:
        Path(ref["directory"], LAUNCH).unlink(missing_ok=True)

    def attach(self, ref: Ref, person: str, holder: str) -> Attachment:
        launch = _used(ref)
        return attachment(launch.name, holder, ref["directory"], _environ(launch, person), watched=False)

    async def figures(self, ref: Ref) -> Figures:
        """Of what Slipway's own notebooks and runs do there; what else the server does, it does not tell."""
        notes = spark_holders.notes(Path(ref["directory"])).values()
        return Figures(
            workers=1, tasks=sum(note.total - note.done for note in notes), done=sum(note.done for note in notes)
        )

    async def progress(self, ref: Ref, holder: str, cell: str = "") -> Progress | None:
        return spark_holders.progress(Path(ref["directory"]), holder, cell)

    async def cancel(self, ref: Ref, holder: str, cell: str = "", person: str = "") -> str:
        launch, directory = _used(ref), Path(ref["directory"])
        await spark_holders.cancel(
            directory, holder, cell, address=launch.address, token=_token(launch), certificates=launch.ca_file
        )
        return ""

    async def logs(self, ref: Ref, part: str, offset: int) -> tuple[str, int]:
        raise NotFound(f"This cluster has no log {part!r}.", hint="Its logs are with who runs the server.")

    def parts(self, ref: Ref) -> tuple[str, ...]:
        return ()

    async def packages(self, ref: Ref) -> dict[str, dict[str, str]]:
        environ = os.environ | _environ(_used(ref), "slipway")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-W",
            "ignore",
            "-c",
            PACKAGES,
            env=environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(PACKAGES_WITHIN):
                said, errors = await process.communicate()
        except TimeoutError as error:
            process.kill()
            await process.wait()
            raise Unavailable("The server does not tell its packages.", hint="Try again.") from error
        if process.returncode:
            last = (errors.decode(errors="replace").strip().splitlines() or ["nothing"])[-1][:300]
            raise Unavailable(f"The server does not tell its packages: {last}", hint="Its log may say more.")
        return from_builtins(json.loads(said), dict[str, dict[str, str]])

    async def install(self, ref: Ref, requirements: Sequence[str]) -> None:
        raise Unprocessable(self.fixed_packages)

    def dashboard(self, ref: Ref) -> str | None:
        return None


def _read(directory: Path) -> Launch | None:
    try:
        return from_json((directory / LAUNCH).read_bytes(), Launch)
    except FileNotFoundError:
        return None


def _used(ref: Ref) -> Launch:
    launch = _read(Path(ref["directory"]))
    if launch is None:
        raise Conflict("This server was let go.", hint="Start the cluster again.")
    return launch


def _token(launch: Launch) -> str:
    return read_secret(launch.token_file, "token_file") if launch.token_file else ""


def _environ(launch: Launch, person: str) -> dict[str, str]:
    environ = {"SPARK_REMOTE": launch.address.url(user_id=person)}
    if token := _token(launch):
        environ["SPARK_CONNECT_AUTHENTICATE_TOKEN"] = token
    if launch.ca_file:
        environ["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"] = launch.ca_file
    return environ
