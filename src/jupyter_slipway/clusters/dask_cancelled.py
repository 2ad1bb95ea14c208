"""In a kernel that uses a Dask cluster: what is shown of work that was cancelled or interrupted.

Dask's own says so in dozens of lines, or with the name of every task. Pasted by `shipped` into `dask_startup` on its
way, so it knows the standard library only.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from jupyter_slipway.clusters.in_short import in_short

CANCELLED, INTERRUPTED = "cancelled in Slipway", "interrupted in Slipway"
"""Reasons that Dask is given: `scheduler` gives the first."""


def shorten(module: Any) -> None:
    """
    Args:
        module: distributed.client
    """
    for kind in (module.FutureCancelledError, module.FuturesCancelledError):
        _say_it_in_words(kind)
    sync = module.Client.sync

    def in_time(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return sync(self, *args, **kwargs)
        except KeyboardInterrupt as error:
            # IPython asks the error itself how it is shown.
            vars(error)["_render_traceback_"] = partial(in_short, error)
            raise

    module.Client.sync = in_time


def _say_it_in_words(kind: Any) -> None:
    text = kind.__str__

    def __str__(self: Any) -> str:
        return _said_of(self) or str(text(self))

    def lines(self: Any) -> Any:
        if not _said_of(self):
            raise AttributeError("IPython shows it as any other.")
        return partial(in_short, self)

    kind.__str__, kind._render_traceback_ = __str__, property(lines)


def _said_of(error: Any) -> str:
    """What was said when it was cancelled through Slipway; '' when anything of it was cancelled otherwise."""
    futures = [one for group in getattr(error, "error_groups", ()) for one in group.errors] or [error]
    if any(getattr(one, "reason", "") not in (CANCELLED, INTERRUPTED) for one in futures):
        return ""
    return str(futures[0].msg or "")
