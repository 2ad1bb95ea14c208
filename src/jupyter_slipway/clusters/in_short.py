"""An error in a kernel, shown with the user's own lines alone: not with the fifty of Dask or Spark below them.

Pasted by `shipped` into `dask_startup` and `spark_startup` on their way, so it knows the standard library only.
"""

from __future__ import annotations

import sys
from types import TracebackType

NOT_THEIRS = frozenset({"dask", "distributed", "pyspark", "jupyter_slipway"})
"""Packages."""


class InShort(Exception):
    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of all; when this fails, it shows all."""
        return in_short(self)


def in_short(error: BaseException) -> list[str]:
    """Its lines, as IPython draws them."""
    shell = sys.modules["IPython"].get_ipython()
    lines: list[str] = shell.InteractiveTB.structured_traceback(
        type(error), error, _theirs(error.__traceback__), tb_offset=1
    )
    return lines


def _theirs(lines: TracebackType | None) -> TracebackType | None:
    if lines is None:
        return None
    frame = lines.tb_frame
    package = str(frame.f_globals.get("__name__")).partition(".")[0]
    if package in NOT_THEIRS or frame.f_code.co_filename.startswith("<slipway"):
        return None
    return TracebackType(_theirs(lines.tb_next), frame, lines.tb_lasti, lines.tb_lineno)
