"""The git revision a notebook stands at: commit, branch, and whether the notebook differs from it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from jupyter_slipway import git
from jupyter_slipway.jobs.model import Revision

SECONDS = 5.0


def revision(notebook: Path) -> Revision | None:
    """None outside git, without a commit, or when git is absent or slow."""
    commit = _git(notebook.parent, "rev-parse", "HEAD")
    if commit is None:
        return None
    changed = _git(notebook.parent, "status", "--porcelain", "--", notebook.name)
    branch = _git(notebook.parent, "rev-parse", "--abbrev-ref", "HEAD")
    return Revision(commit=commit, dirty=bool(changed), branch=branch or "")


def _git(directory: Path, *words: str) -> str | None:
    try:
        return git.ask(directory, *words, within=SECONDS).strip()
    except (OSError, subprocess.SubprocessError):
        return None
