"""The files in the folder of a kernel's host: what it was started for, how it is found, how it ended.

Written by the host, read by servers through `hosts`.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from jupyter_slipway.kernels.host import journal
from jupyter_slipway.kernels.host.wire import encode

CONFIG, RECORD, ENDED, FACTS, ATTACHMENT, LOG = (
    "config.json",
    "record.json",
    "ended.json",
    "facts.jsonl",
    "attachment.json",
    "kernel.log",
)
LOG_LIMIT = 4 << 20
"""Bytes."""
LAST_WORDS = 500
"""Bytes of a kernel's log in which its last line is looked for."""


@dataclass
class Config:
    """config.json: what the host was started for."""

    kernel: str
    """Its id."""
    spec: str
    argv: list[str]
    environ: dict[str, str]
    cwd: str | None = None
    owner: str = ""
    path: str = ""
    """Of its notebook."""
    language: str = ""
    interrupt_mode: str = "signal"
    sockets: str = ""
    """A folder for sockets, when paths in the kernel's own would be too long."""
    lease: float = 12 * 3600.0
    """Seconds that it lives without a server and without work."""
    autorestart: bool = True
    limit: int = journal.LIMIT
    segment: int = journal.SEGMENT
    warm: bool = False
    """Nobody's yet: waits to be claimed."""
    everyone: str = "runner"
    """Role of who is not named in `grants`."""
    grants: dict[str, str] = field(default_factory=dict)
    bind: str = ""
    """An address to be reached at over the network; '': by a unix socket."""
    tls: dict[str, str] = field(default_factory=dict)
    parent: str = ""
    """Why it ends when who started it is gone, which holds the other end of its standard input; '': it lives on."""
    inherits: bool = False
    """Whether the kernel gets the host's own environment, too: it was not known to who wrote this."""

    def about(self) -> dict[str, Any]:
        """What a server must know to take the kernel up."""
        return {
            "kernel": self.kernel,
            "spec": self.spec,
            "owner": self.owner,
            "path": self.path,
            "cwd": self.cwd,
            "language": self.language,
            "warm": self.warm,
            "sockets": self.sockets,
        }


class Folder:
    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def log(self) -> Path:
        """What the kernel's process prints."""
        return self.path / LOG

    def config(self) -> Config:
        known = {one.name for one in fields(Config)}
        found = json.loads((self.path / CONFIG).read_text())
        return Config(**{name: value for name, value in found.items() if name in known})

    def keep(self, config: Config) -> None:
        self._replace(CONFIG, {one.name: getattr(config, one.name) for one in fields(Config)})

    def attachment(self) -> dict[str, Any]:
        """What a cluster gives the kernel at its next starts: `environ`, `code`, `cluster`."""
        with suppress(FileNotFoundError, ValueError):
            found = json.loads((self.path / ATTACHMENT).read_text())
            return found if isinstance(found, dict) else {}
        return {}

    def attach(self, attachment: dict[str, Any]) -> None:
        self._replace(ATTACHMENT, attachment)

    def begin(self) -> None:
        (self.path / ENDED).unlink(missing_ok=True)

    def record(self, config: Config, **found_by: Any) -> None:
        """What `hosting.Record` reads."""
        boot = ""
        with suppress(OSError):
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        process = {"pid": os.getpid(), "started": _started(), "boot": boot}
        self._replace(RECORD, found_by | process | {"about": config.about()})

    def unfind(self) -> None:
        (self.path / RECORD).unlink(missing_ok=True)

    def end(self, reason: str, config: Config) -> None:
        for left in self.path.glob("*.sock"):
            left.unlink(missing_ok=True)
        self._replace(ENDED, {"at": time.time(), "reason": reason, "about": config.about()})

    def last_words(self) -> str:
        """The last line that the kernel's process printed; '' for none."""
        with suppress(OSError), open(self.log, "rb") as file:
            file.seek(-min(LAST_WORDS, os.path.getsize(self.log)), os.SEEK_END)
            lines = [line.strip() for line in file.read().decode(errors="replace").splitlines()]
            return next((line for line in reversed(lines) if line), "")
        return ""

    def bound_log(self) -> None:
        with suppress(OSError):
            if os.path.getsize(self.log) > LOG_LIMIT:
                os.truncate(self.log, 0)

    def _replace(self, name: str, content: dict[str, Any]) -> None:
        temporary = self.path / f".{name}.{os.getpid()}"
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(encode(content))
        os.replace(temporary, self.path / name)


def _started() -> str:
    """When this process began, as `hosting.process_start` has it."""
    with suppress(OSError):
        return Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    words = subprocess.run(["ps", "-o", "lstart=,state=", "-p", str(os.getpid())], capture_output=True, text=True)
    return " ".join(words.stdout.split()[:-1])
