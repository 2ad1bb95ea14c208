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

    @classmethod
    def read(cls, environ: dict[str, str] | None = None) -> Settings:
        """From SLIPWAY_HOME, SLIPWAY_DATABASE, SLIPWAY_ENVIRONMENTS, SLIPWAY_CONCURRENCY.

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
        concurrency = environ.get("SLIPWAY_CONCURRENCY") or "0"
        if not concurrency.isdecimal():
            raise BadRequest(f"SLIPWAY_CONCURRENCY={concurrency!r} is not a count.", hint="Say a number from 1, or 0.")
        return cls(
            home=home,
            database=environ.get("SLIPWAY_DATABASE") or f"sqlite:///{home / 'slipway.db'}",
            environments="kernel" if environments == "kernel" else "locked",
            concurrency=int(concurrency),
        )

    def environ(self) -> dict[str, str]:
        """These settings as variables, for a process of ours."""
        return {
            "SLIPWAY_HOME": str(self.home),
            "SLIPWAY_DATABASE": self.database,
            "SLIPWAY_ENVIRONMENTS": self.environments,
            "SLIPWAY_CONCURRENCY": str(self.concurrency),
        }


def local_user() -> str:
    """Who works at this machine: the name that commands and a single-user server attribute work to."""
    return os.environ.get("SLIPWAY_USER") or os.environ.get("JUPYTERHUB_USER") or getpass.getuser()


def _data_directory(environ: dict[str, str]) -> str:
    # jupyter_core costs 15 ms to import: only paid when no home is named.
    from jupyter_core.paths import jupyter_data_dir

    return os.path.join(environ.get("JUPYTER_DATA_DIR") or jupyter_data_dir(), "slipway")
