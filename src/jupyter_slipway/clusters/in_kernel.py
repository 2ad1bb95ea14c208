"""In a kernel that uses a cluster: which cell runs, and acting on a module right after somebody imports it.

Pasted by `shipped` into `dask_startup` and `spark_startup` on their way, so it knows the standard library only.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Sequence
from typing import Any


def follow_cells(name: str, tell: Callable[[str], None]) -> None:
    """Let `tell` know the id of each cell that runs, '' when it has none: JupyterLab names it in each request.

    Args:
        name: of who wants to know; only the first of a name is told
    """
    interactive = sys.modules.get("IPython")
    shell = interactive.get_ipython() if interactive else None
    kernel = getattr(shell, "kernel", None)
    if shell is None or kernel is None:
        return

    def told(*_: Any) -> None:
        parent = kernel.get_parent()
        tell(parent.get("metadata", {}).get("cellId") or parent.get("header", {}).get("cell_id") or "")

    told.__name__ = name
    if not any(getattr(one, "__name__", "") == name for one in shell.events.callbacks["pre_run_cell"]):
        shell.events.register("pre_run_cell", told)
    # The code that attaches may itself run in a cell.
    told()


def after_cells(name: str, ended: Callable[[BaseException | None], None]) -> None:
    """Let `ended` know of each cell that has ended, with what it raised. What it prints is the cell's still.

    Args:
        name: of who wants to know; only the first of a name is told
    """
    interactive = sys.modules.get("IPython")
    shell = interactive.get_ipython() if interactive else None
    if shell is None or any(getattr(one, "__name__", "") == name for one in shell.events.callbacks["post_run_cell"]):
        return

    def told(result: Any) -> None:
        ended(result.error_in_exec)

    told.__name__ = name
    shell.events.register("post_run_cell", told)


def when_imported(module: str, act: Callable[[Any], None]) -> None:
    """Call `act` with the module: now, when it is there, else right after it is imported."""
    if module in sys.modules:
        act(sys.modules[module])
    elif not any(isinstance(one, _WhenImported) and one.module == module for one in sys.meta_path):
        sys.meta_path.insert(0, _WhenImported(module, act))


class _WhenImported(importlib.abc.MetaPathFinder):
    def __init__(self, module: str, act: Callable[[Any], None]) -> None:
        self.module, self._act = module, act

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.module:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def exec_module(module: Any) -> None:
            load(module)
            self._act(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]  # of this one import only
        return spec
