"""In a kernel that uses a cluster: what is too large to be brought into it is asked about first.

Pasted by `shipped` into `dask_startup` and `spark_startup` on their way, so it knows the standard library only.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping

from jupyter_slipway.clusters.in_short import InShort

PULL = "SLIPWAY_PULL_LIMIT"
"""Variable: the most bytes that one result may bring into this process."""
PULL_LIMIT = 1 << 30
ALL = "all"


class TooMuch(InShort, MemoryError):
    """A result that is too large for this process, and was left where it is."""


def pull_limit() -> int:
    """Bytes."""
    return int(os.environ.get(PULL) or PULL_LIMIT)


def ask_or_refuse(found: str, likely: int, offers: Mapping[str, str], instead: str) -> str:
    """What whoever runs the cell wants of a result beyond the limit.

    Args:
        found: how large it is, in words
        likely: bytes that it seems to have in all; 0: all of it cannot be had
        offers: by the word that chooses it, what else they may have at once
        instead: what they could write, in words

    Returns:
        'all', or one of the offers

    Raises:
        TooMuch: they want none of it, or nobody can be asked: in a run, in a thread, where nobody sits at a page
    """
    limit = pull_limit()
    why = f"This result has {found}"
    why += f"; more than {size(limit)} is not brought into the notebook unasked." if likely else "."
    if _somebody_sits_there():
        print(why, file=sys.stderr)
        offered = {**offers, ALL: "bring it all"} if likely else dict(offers)
        lines = "".join(f"  {word}: {what}\n" for word, what in offered.items())
        while (answer := input(f"{lines}  nothing: stop\nWhat shall it be? ").strip().lower()) not in offered:
            if answer in ("", "nothing", "stop", "n", "no"):
                break
        else:
            return answer
    go_on = f", or go on: %cluster --pull '{size(likely, up=True)}', then run the cell again" if likely else ""
    raise TooMuch(f"{why} {instead}{go_on}.")


def _somebody_sits_there() -> bool:
    interactive = sys.modules.get("IPython")
    shell = interactive.get_ipython() if interactive else None
    asks = getattr(getattr(shell, "kernel", None), "_allow_stdin", False)
    return bool(asks) and threading.current_thread() is threading.main_thread()


def size(count: int, *, up: bool = False) -> str:
    unit, name = (1 << 30, "GiB") if count >= 1 << 30 else (1 << 20, "MiB")
    return f"{-(-count // unit)} {name}" if up else f"{count / unit:.1f} {name}"
