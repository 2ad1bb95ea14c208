"""The runner as a service of the user's own systemd: it lives from login or boot on, without JupyterLab."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from jupyter_slipway.errors import Unavailable
from jupyter_slipway.files import atomic_write
from jupyter_slipway.service import ENTRY
from jupyter_slipway.settings import Settings

NAME = "jupyter-slipway.service"


def unit(settings: Settings) -> str:
    """The unit file's text."""
    environment = "\n".join(f"Environment={_quoted(f'{name}={value}')}" for name, value in settings.environ().items())
    return f"""[Unit]
Description=Slipway: runs and schedules of published notebook cells

[Service]
ExecStart={" ".join(_quoted(word).replace("$", "$$") for word in ENTRY)} --stay
{environment}
Restart=on-failure
# Runs outlive the runner: a restart of it must not end them.
KillMode=process

[Install]
WantedBy=default.target
"""


def act(action: str, settings: Settings) -> str:
    """Show, install or uninstall the unit; what was done, in words.

    Raises:
        Unavailable: there is no systemd for this user
    """
    if action == "show":
        return unit(settings)
    path = unit_path()
    if action == "uninstall":
        if not path.exists():
            return f"It is not installed: there is no {path}."
        try:
            _systemctl("disable", "--now", NAME)
        finally:
            # Also where nobody can be told: it is not to come back with the next login.
            path.unlink()
        return f"Removed {path}."
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, unit(settings).encode())
    path.chmod(0o600)  # a database's address may hold a password
    _systemctl("daemon-reload")
    _systemctl("enable", "--now", NAME)
    return f"Wrote {path} and started it. For runs while you are logged out, say once: loginctl enable-linger"


def _quoted(word: str) -> str:
    """One word of a unit file, taken as it is: see systemd.syntax(7), and 'Specifiers' in systemd.unit(5)."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def unit_path() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return Path(base) / "systemd" / "user" / NAME


def _systemctl(*arguments: str) -> None:
    if shutil.which("systemctl") is None:
        raise Unavailable(
            "This system has no systemd, which would keep the runner alive.",
            hint="Start it from what this system has: " + " ".join(ENTRY) + " --stay",
        )
    done = subprocess.run(["systemctl", "--user", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(
            f"systemctl --user {' '.join(arguments)} failed: {done.stderr.strip()}",
            hint="Its manager runs where you have logged in. `jupyter slipway service show` prints the unit.",
        )
