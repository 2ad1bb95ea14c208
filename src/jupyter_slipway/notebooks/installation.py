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
SHELL = "#!/bin/sh"
REFUSED = 4
"""With what `jupyter slipway git check` ends when there is something to settle."""


def command(*words: str) -> str:
    """A command of ours for a shell, wherever that shell is started."""
    return shlex.join([sys.executable, "-m", "jupyter_slipway", *words])


def settings() -> dict[str, str]:
    """What git's config of the repository gets."""
    return {
        "merge.slipway.name": "Slipway: notebooks by cell",
        "merge.slipway.driver": command("git", "merge-driver") + " %O %A %B %P %X %Y",
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
    done.append(_put_hook(folder))
    return done


def uninstall(folder: Path) -> list[str]:
    """Undo `install`.

    Raises:
        NotFound: the folder is in no git repository
    """
    for section in ("merge.slipway", "diff.slipway"):
        _git(folder, "config", "--local", "--remove-section", section, may_fail=True)
    _remove_block(_path(folder, "info/attributes"))
    _remove_block(_path(folder, f"hooks/{HOOK}"), head=SHELL)
    return ["git treats notebooks as before."]


def _put_hook(folder: Path) -> str:
    """Let commits be checked where the hook is this repository's alone, and can hold our lines; says what was done."""
    hook = _path(folder, f"hooks/{HOOK}")
    check = command("git", "check", "--staged")
    own = (folder / _git(folder, "rev-parse", "--git-common-dir").strip()).absolute() / "hooks"
    if hook.parent.resolve() != own.resolve():
        return f"Git takes its hooks from {hook.parent}, which is left alone: let {HOOK} there call {check}"
    if hook.is_symlink() or (hook.exists() and not hook.read_bytes().startswith(SHELL.encode())):
        return f"Your own {HOOK} hook is left alone, a link or no script of {SHELL[2:]}: let it call {check}"
    # Only what the check itself says keeps a commit back: not that Slipway has gone since.
    _write_block(hook, f"{check} || [ $? -ne {REFUSED} ] || exit 1", head=SHELL)
    hook.chmod(0o755)
    return "A notebook with conflict marks is not committed."


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
    """Put our lines into a file, in the place of older ones of ours: at its end, or right behind its first line."""
    before = _without_block(_text(file)) if file.exists() else ""
    block = f"{BEGIN}\n{text}\n{END}\n"
    if head:
        # Not at the end, which a script may never reach: it may 'exec' something.
        first, _, rest = (before or head).partition("\n")
        made = f"{first}\n{block}{rest}"
    else:
        made = before + "\n" * bool(before and not before.endswith("\n")) + block
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(file, _bytes(made))


def _remove_block(file: Path, head: str = "") -> None:
    if not file.exists() or BEGIN not in (text := _text(file)):
        return
    left = _without_block(text)
    if left.strip() == head:
        file.unlink()
    else:
        mode = file.stat().st_mode
        atomic_write(file, _bytes(left))
        file.chmod(mode)


def _text(file: Path) -> str:
    """Of any file: a hook may be a program."""
    return file.read_bytes().decode(errors="surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _without_block(text: str) -> str:
    before, begin, rest = text.partition(f"{BEGIN}\n")
    return before + rest.partition(f"{END}\n")[2] if begin else text
