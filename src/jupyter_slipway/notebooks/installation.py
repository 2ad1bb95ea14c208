"""Notebooks merged and compared by cell in one git repository: what is written for it, and taken away again.

All of it lies inside `.git`: the files that people see stay as they are. Reached from `jupyter slipway git`.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

from jupyter_slipway.errors import NotFound, Unavailable
from jupyter_slipway.files import atomic_write

BEGIN, END = "# slipway: begin", "# slipway: end"
ATTRIBUTES = "*.ipynb merge=slipway diff=slipway"
HOOK = "pre-commit"
REFUSED = 4
"""With what `jupyter slipway git check` ends when there is something to settle."""


def command(*words: str) -> str:
    """A command of ours for a shell, wherever that shell is started."""
    return shlex.join([sys.executable, "-m", "jupyter_slipway", *words])


def settings() -> dict[str, str]:
    """What git's config of the repository gets."""
    return {
        "merge.slipway.name": "Slipway: notebooks by cell",
        "merge.slipway.driver": command("git", "merge-driver") + " %O %A %B %P",
        "diff.slipway.command": command("diff"),
    }


def install(folder: Path) -> list[str]:
    """Let git merge and compare notebooks by cell, and refuse to commit one with conflict marks.

    A second time changes nothing. Returns what was done, in words.

    Raises:
        NotFound: the folder is in no git repository
    """
    done = []
    for name, value in settings().items():
        _git(folder, "config", "--local", "--replace-all", name, value)
    attributes = _path(folder, "info/attributes")
    _write_block(attributes, ATTRIBUTES)
    done.append("Notebooks (.ipynb) are merged and compared by cell.")
    hook = _path(folder, f"hooks/{HOOK}")
    # Only what the check itself says keeps a commit back: not that Slipway has gone since.
    block = f"{command('git', 'check', '--staged')}\n[ $? -ne {REFUSED} ] || exit 1"
    if not hook.exists() or hook.read_text().startswith("#!/bin/sh"):
        _write_block(hook, block, head="#!/bin/sh")
        hook.chmod(0o755)
        done.append("A notebook with conflict marks is not committed.")
    else:
        done.append(f"There is a {HOOK} hook of yours that is no shell script: let it call {command('git', 'check')}")
    return done


def uninstall(folder: Path) -> list[str]:
    """Undo `install`.

    Raises:
        NotFound: the folder is in no git repository
    """
    for section in ("merge.slipway", "diff.slipway"):
        _git(folder, "config", "--local", "--remove-section", section, may_fail=True)
    _remove_block(_path(folder, "info/attributes"))
    _remove_block(_path(folder, f"hooks/{HOOK}"), head="#!/bin/sh")
    return ["git treats notebooks as before."]


def staged(folder: Path) -> list[tuple[str, bytes]]:
    """The files that the next commit would change, and their staged contents."""
    top = Path(_git(folder, "rev-parse", "--show-toplevel").strip())
    names = _git(top, "diff", "--cached", "--name-only", "-z", "--diff-filter=d", "--no-ext-diff", "--no-textconv")
    found = []
    for name in filter(None, names.split("\0")):
        shown = subprocess.run(["git", "cat-file", "blob", f":{name}"], cwd=top, capture_output=True, check=False)
        if not shown.returncode:
            found.append((name, shown.stdout))
    return found


def _path(folder: Path, name: str) -> Path:
    return (folder / _git(folder, "rev-parse", "--git-path", name).strip()).absolute()


def _git(folder: Path, *words: str, may_fail: bool = False) -> str:
    try:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise Unavailable("There is no git command here.", hint="Install git.") from error
    if done.returncode and not may_fail:
        raise NotFound(f"{folder} is in no git repository: {done.stderr.strip()}", hint="Go to one, or 'git init'.")
    return done.stdout


def _write_block(file: Path, text: str, head: str = "") -> None:
    """Put our lines at the end of a file, in the place of older ones of ours."""
    before = _without_block(file.read_text()) if file.exists() else f"{head}\n" if head else ""
    if before and not before.endswith("\n"):
        before += "\n"
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(file, f"{before}{BEGIN}\n{text}\n{END}\n".encode())


def _remove_block(file: Path, head: str = "") -> None:
    if not file.exists() or BEGIN not in (text := file.read_text()):
        return
    left = _without_block(text)
    if left.strip() == head:
        file.unlink()
    else:
        mode = file.stat().st_mode
        atomic_write(file, left.encode())
        file.chmod(mode)


def _without_block(text: str) -> str:
    before, begin, rest = text.partition(f"{BEGIN}\n")
    return before + rest.partition(f"{END}\n")[2] if begin else text
