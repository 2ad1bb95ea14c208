"""The git revision a notebook stands at: commit, branch, and whether the notebook differs from it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from jupyter_slipway.jobs.model import Revision

# A repository's own configuration can make git run programs: none of them here.
HARDENED = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false")
SECONDS = 5.0


def revision(notebook: Path) -> Revision | None:
    """None outside git, without a commit, or when git is absent or slow."""
    commit = _git(notebook.parent, "rev-parse", "HEAD")
    if commit is None:
        return None
    changed = _git(notebook.parent, "status", "--porcelain", "--", notebook.name)
    branch = _git(notebook.parent, "rev-parse", "--abbrev-ref", "HEAD")
    return Revision(commit=commit, dirty=bool(changed), branch=branch or "")


def _git(directory: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(directory), *HARDENED, *arguments],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            env=os.environ | {"GIT_CONFIG_NOSYSTEM": "1", "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
