"""Where `jupyter slipway` begins.

Two notebook files that are compared in plain text, as scripts and difftools do it file by file, wait for nothing that
this does not need: a command line's own parser takes as long as the comparison.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    if not _compare(sys.argv[1:]):
        from jupyter_slipway.cli import main as command

        command()


def _compare(words: list[str]) -> bool:
    """`diff A B`, also with outputs, for no terminal; False, and nothing said, where it is not that or cannot be."""
    outputs = "--outputs" in words[1:]
    words = words[:1] + [word for word in words[1:] if word != "--outputs"]
    if len(words) != 3 or words[0] != "diff" or not all(map(os.path.isfile, words[1:])):
        return False
    if any(word.startswith("-") for word in words) or sys.stdout.isatty() or "GIT_PAGER_IN_USE" in os.environ:
        return False
    from jupyter_slipway.errors import SlipwayError
    from jupyter_slipway.notebooks.diff import diff_notebooks, uncollected
    from jupyter_slipway.notebooks.glance import read_notebook
    from jupyter_slipway.notebooks.marked import compared

    _, old, new = words
    try:
        contents = [_bytes(name) for name in (old, new)]
        if contents[0] == contents[1]:
            return True
        with uncollected():
            a, b = map(read_notebook, (old, new), contents)
            lines = compared(old, new, a, b, diff_notebooks(a, b), outputs=outputs)
            print("\n".join("".join(part for _, part in line) for line in lines), flush=True)
    except (SlipwayError, OSError):  # said by the command, in its words and with its code
        return False
    return True


def _bytes(name: str) -> bytes:
    with open(name, "rb") as file:
        return file.read()


if __name__ == "__main__":
    main()
