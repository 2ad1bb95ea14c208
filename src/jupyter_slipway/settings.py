"""What can be set, read once: from the environment by commands and the runner; `app` adds traitlets."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import Literal

from msgspec import Struct

from jupyter_slipway.errors import BadRequest


class Settings(Struct, frozen=True):
    home: Path
    """Where everything of Slipway lies: database, environments, runs. Mode 0700."""
    database: str
    """SQLAlchemy URL of the store."""
    environments: Literal["locked", "kernel"] = "locked"
    """'locked': each version runs in an environment built from its lock. 'kernel': in the kernel's own."""
    concurrency: int = 0
    """Runs at once on this machine; 0: as many as it has processors."""
    profiles: str = ""
    """File of clusters' profiles; 'profiles.yaml' in `home` when empty."""
    cluster_workers: int = 0
    """Workers of one person's running clusters; 0: no limit."""
    cluster_memory: str = ""
    """Memory of one person's running clusters, such as '64 GiB'; no limit when empty."""
    cluster_idle: float = 20.0
    """Minutes without work and without kernels and runs attached after which a cluster is stopped."""

    @classmethod
    def read(cls, environ: dict[str, str] | None = None) -> Settings:
        """From SLIPWAY_HOME, SLIPWAY_DATABASE, SLIPWAY_ENVIRONMENTS, SLIPWAY_CONCURRENCY, SLIPWAY_PROFILES,
        SLIPWAY_CLUSTER_WORKERS, SLIPWAY_CLUSTER_MEMORY, SLIPWAY_CLUSTER_IDLE.

        Raises:
            BadRequest: one of them says what cannot be; the message names it
        """
        environ = dict(os.environ) if environ is None else environ
        home = Path(environ.get("SLIPWAY_HOME") or _data_directory(environ)).expanduser().absolute()
        environments = environ.get("SLIPWAY_ENVIRONMENTS") or "locked"
        if environments not in ("locked", "kernel"):
            raise BadRequest(
                f"SLIPWAY_ENVIRONMENTS={environments!r} is not a way to make environments.",
                hint="Say 'locked' or 'kernel'.",
            )
        return cls(
            home=home,
            database=environ.get("SLIPWAY_DATABASE") or f"sqlite:///{home / 'slipway.db'}",
            environments="kernel" if environments == "kernel" else "locked",
            concurrency=_count(environ, "SLIPWAY_CONCURRENCY"),
            profiles=environ.get("SLIPWAY_PROFILES") or "",
            cluster_workers=_count(environ, "SLIPWAY_CLUSTER_WORKERS"),
            cluster_memory=environ.get("SLIPWAY_CLUSTER_MEMORY") or "",
            cluster_idle=_minutes(environ, "SLIPWAY_CLUSTER_IDLE", 20.0),
        )

    def environ(self) -> dict[str, str]:
        """These settings as variables, for a process of ours."""
        return {
            "SLIPWAY_HOME": str(self.home),
            "SLIPWAY_DATABASE": self.database,
            "SLIPWAY_ENVIRONMENTS": self.environments,
            "SLIPWAY_CONCURRENCY": str(self.concurrency),
            "SLIPWAY_PROFILES": self.profiles,
            "SLIPWAY_CLUSTER_WORKERS": str(self.cluster_workers),
            "SLIPWAY_CLUSTER_MEMORY": self.cluster_memory,
            "SLIPWAY_CLUSTER_IDLE": str(self.cluster_idle),
        }


def local_user() -> str:
    """Who works at this machine: the name that commands and a single-user server attribute work to."""
    if named := os.environ.get("SLIPWAY_USER") or os.environ.get("JUPYTERHUB_USER"):
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # in a container that runs as any number the system knows no name for it
        return f"uid-{os.getuid()}"


def _count(environ: dict[str, str], name: str) -> int:
    said = environ.get(name) or "0"
    if not said.isdecimal():
        raise BadRequest(f"{name}={said!r} is not a count.", hint="Say a number from 1, or 0.")
    return int(said)


def _minutes(environ: dict[str, str], name: str, default: float) -> float:
    said = environ.get(name) or str(default)
    try:
        minutes = float(said)
    except ValueError:
        minutes = -1.0
    if not minutes > 0:
        raise BadRequest(f"{name}={said!r} is no number of minutes.", hint="Say a number above 0, such as 20.")
    return minutes


def _data_directory(environ: dict[str, str]) -> str:
    # jupyter_core costs 15 ms to import: only paid when no home is named.
    from jupyter_core.paths import jupyter_data_dir

    return os.path.join(environ.get("JUPYTER_DATA_DIR") or jupyter_data_dir(), "slipway")
