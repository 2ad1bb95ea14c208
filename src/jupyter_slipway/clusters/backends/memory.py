"""A cluster that only says it is one: instant, for tests of whoever uses clusters. Kept in a file, like the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from jupyter_slipway.clusters import sizes
from jupyter_slipway.clusters.backends.base import Ref
from jupyter_slipway.clusters.model import Attachment, ClusterState, Figures, Progress, Status, Workers
from jupyter_slipway.clusters.packages import installed
from jupyter_slipway.decoding import from_json
from jupyter_slipway.errors import NotFound, Unavailable, Unprocessable
from jupyter_slipway.files import atomic_write, private_directory

STATE = "memory.json"


class Memory:
    name = "memory"
    engine = "dask"
    on_this_machine = False
    fixed_packages = "There are no workers to install packages on."

    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {
                "workers": sizes.WORKERS,
                "cores": sizes.CORES,
                "memory": sizes.MEMORY,
                "fails": {"type": "string", "title": "Why it fails to start", "default": ""},
            },
            "additionalProperties": False,
        }

    async def create(self, name: str, options: Mapping[str, Any], directory: Path) -> Ref:
        if options.get("fails"):
            raise Unavailable(str(options["fails"]))
        private_directory(directory)
        ref = {"directory": str(directory)}
        if not (directory / STATE).exists() or _read(ref)["state"] != "running":
            said = {"state": "running", "workers": options["workers"]["minimum"], "cores": options["cores"]}
            _write(ref, said | {"memory": sizes.parse(options["memory"]), "work": {}})
        return ref

    async def find(self, ref: Ref) -> Status:
        said = _read(ref)
        return Status(
            ClusterState(said["state"]),
            reason=said.get("reason", ""),
            workers=said["workers"],
            working=any(said["work"].values()),
        )

    async def scale(self, ref: Ref, workers: Workers) -> None:
        _write(ref, _read(ref) | {"workers": workers.minimum})

    async def stop(self, ref: Ref) -> None:
        if Path(ref["directory"]).is_dir():
            _write(ref, _read(ref) | {"state": "stopped", "workers": 0, "work": {}, "reason": "it was stopped"})

    def attach(self, ref: Ref, person: str, holder: str) -> Attachment:
        return Attachment({"DASK_CLIENT_NAME": holder}, code="", names=("client",))

    async def figures(self, ref: Ref) -> Figures:
        said = _read(ref)
        cores, limit = said["workers"] * said["cores"], said["workers"] * said["memory"]
        return Figures(said["workers"], cores, memory_limit=limit, tasks=sum(said["work"].values()))

    async def progress(self, ref: Ref, holder: str, cell: str = "") -> Progress | None:
        count = _read(ref)["work"].get(holder, 0)
        return Progress(0, count) if count else None

    async def cancel(self, ref: Ref, holder: str, cell: str = "", person: str = "") -> str:
        said = _read(ref)
        said["work"].pop(holder, None)
        _write(ref, said)
        return ""

    async def logs(self, ref: Ref, part: str, offset: int) -> tuple[str, int]:
        if part not in self.parts(ref):
            raise NotFound(f"This cluster has no log {part!r}.", hint="It has host.")
        text = f"It is {_read(ref)['state']}.\n"[offset:]
        return text, offset + len(text)

    def parts(self, ref: Ref) -> tuple[str, ...]:
        return ("host",)

    async def packages(self, ref: Ref) -> dict[str, dict[str, str]]:
        return {"scheduler": installed()} | {f"worker-{one}": installed() for one in range(_read(ref)["workers"])}

    async def install(self, ref: Ref, requirements: Sequence[str]) -> None:
        raise Unprocessable(self.fixed_packages)

    def dashboard(self, ref: Ref) -> str | None:
        return None

    # ── for tests ───────────────────────────────────────────────────────────────────────────────────────────

    def work(self, ref: Ref, holder: str, tasks: int) -> None:
        """As if `holder` had asked for so many tasks; 0: they are done."""
        said = _read(ref)
        _write(ref, said | {"work": said["work"] | {holder: tasks}})

    def lose(self, ref: Ref, state: str, reason: str) -> None:
        """As if it had come to a bad end: 'failed', or 'stopped' as after a reboot."""
        _write(ref, _read(ref) | {"state": state, "reason": reason, "workers": 0})


def _read(ref: Ref) -> dict[str, Any]:
    try:
        return from_json(Path(ref["directory"], STATE).read_bytes(), dict[str, Any])
    except FileNotFoundError:
        return {"state": "stopped", "workers": 0, "cores": 0, "memory": 0, "work": {}, "reason": "it is gone"}


def _write(ref: Ref, said: dict[str, Any]) -> None:
    atomic_write(Path(ref["directory"], STATE), msgspec.json.encode(said))
