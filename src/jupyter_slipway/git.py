"""git's program, asked about a repository whose content and settings are not trusted: it runs nothing of theirs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

# A repository's own configuration can make git run programs: none of them here.
HARDENED = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false")


def ask(repository: Path, *words: str, within: float) -> str:
    """What `git WORDS…` prints in a folder.

    Args:
        within: seconds that it may take

    Raises:
        OSError: there is no git
        subprocess.SubprocessError: it fails, or takes too long
    """
    done = subprocess.run(
        ["git", "-C", str(repository), *HARDENED, *words],
        capture_output=True,
        text=True,
        timeout=within,
        check=True,
        # A question takes no lock that a person at work would wait for.
        env=os.environ | {"GIT_CONFIG_NOSYSTEM": "1", "GIT_OPTIONAL_LOCKS": "0"},
    )
    return done.stdout
