"""Private refs to a remote and back, by the git command: it knows credentials and protocols.

git reads a folder of ours, never the repository's own config: of a repository it takes the contents alone. So what a
cloned repository's config names, as a filter, a hook, an ssh command or a url that is a command, is never run.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from jupyter_slipway.errors import Unavailable

PATIENCE = 12
"""Seconds given to one command: a remote that asks for a password, or is away, is given up. Two fit into a request."""
PROTOCOLS = "file:git:http:https:ssh"
SAFE = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
}
FETCH = ["fetch", "--quiet", "--no-tags", "--no-auto-gc", "--no-write-fetch-head"]
# A remote that is a folder could be one that came with a clone: its hooks stay quiet too.
RECEIVE = "git -c core.hooksPath=/dev/null -c core.fsmonitor=false receive-pack"


def push(objects: Path, url: str, refs: Mapping[str, str]) -> None:
    """Let refs of the remote stand at commits of ours; an empty commit removes its ref.

    Raises:
        Unavailable: the remote refused, or did not answer in time
    """
    if refs:
        local = ["--receive-pack", RECEIVE] if _is_folder(url) else []
        specs = [f"+{commit}:{name}" if commit else f":{name}" for name, commit in refs.items()]
        _git(objects, ["push", "--quiet", "--no-verify", *local, "--", url, *specs])


def fetch(objects: Path, url: str, prefix: str) -> dict[str, str]:
    """The remote's refs below a prefix and their commits, whose contents are ours then too.

    Raises:
        Unavailable: the remote refused, or did not answer in time
    """
    listed = _git(
        objects,
        [*FETCH, "--", url, f"+{prefix}/*:{prefix}/*"],
        ["for-each-ref", "--format=%(objectname) %(refname)", prefix],
    )
    return {name: commit for commit, _, name in (line.partition(" ") for line in listed.splitlines())}


def _git(objects: Path, *commands: Sequence[str]) -> str:
    """Run git commands in a repository of ours that shares `objects`; gives what the last one printed."""
    with tempfile.TemporaryDirectory(prefix="slipway-") as folder:
        (Path(folder) / "refs").mkdir()
        (Path(folder) / "HEAD").write_text("ref: refs/heads/none\n")
        said = ""
        for words in commands:
            options = [part for name, value in SAFE.items() for part in ("-c", f"{name}={value}")]
            try:
                done = subprocess.run(
                    ["git", *options, *words],
                    cwd=folder,
                    env=_environ() | {"GIT_DIR": folder, "GIT_OBJECT_DIRECTORY": str(objects)},
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    errors="replace",
                    timeout=PATIENCE,
                )
            except FileNotFoundError as error:
                raise Unavailable("There is no git command here.", hint="Install git.") from error
            except subprocess.TimeoutExpired as error:
                raise Unavailable(f"The remote did not answer within {PATIENCE} s.", hint="Try again later.") from error
            if done.returncode:
                why = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
                raise Unavailable(f"git {words[0]} failed: {why[0]}", hint=f"Try 'git {words[0]}' in a terminal.")
            said = done.stdout
        return said


def _environ() -> dict[str, str]:
    """The person's own environment without what would lead git elsewhere, or ask at a terminal."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
        "GIT_ALLOW_PROTOCOL": PROTOCOLS,
    }


def _is_folder(url: str) -> bool:
    return url.startswith(("/", ".", "file:")) or os.path.exists(url)
