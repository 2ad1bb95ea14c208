"""In a kernel: our magics, and the cluster that it is attached to, at each start and whenever that changes.

Loaded as an IPython extension by the kernels that a host starts; to the others its text is sent (`code`). Knows the
standard library only: a kernel's environment may not have Slipway, and no cell has asked for an import yet.
"""

from __future__ import annotations

import builtins
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

ATTACHMENT = "attachment.json"
DIRECTORY = "SLIPWAY_KERNEL_DIR"
LEASE = "SLIPWAY_LEASE"
BEAT = 30.0
"""Seconds between two signs of life to the cluster that is held."""
MODULE = "_slipway_startup"
"""Under which the sent text stands in `sys.modules`."""

_given: dict[str, str] = {}
"""Variables of the cluster that is attached."""


def load_ipython_extension(shell: Any) -> None:
    # It does nothing, but ends a sleep in which an interrupt was overslept: a host sends it after each.
    signal.signal(signal.SIGURG, lambda *_: None)
    found = _read(os.path.join(os.environ.get(DIRECTORY, ""), ATTACHMENT))
    try:
        import jupyter_slipway
    except ImportError:
        _explain_magics(shell, str(found.get("cluster") or ""))
    else:
        jupyter_slipway.load_ipython_extension(shell)
    if found:
        attach(shell, found.get("environ") or {}, found.get("code") or "")


def _explain_magics(shell: Any, cluster: str) -> None:
    """Its environment has no Slipway: our magics say so, and what there is instead."""
    import socket

    uses = f" It computes on {cluster}: `client`." if cluster else ""
    why = f"The Python of this kernel, {sys.executable} on {socket.gethostname()}, has no Slipway.{uses}"
    instead = "Clusters and jobs are in JupyterLab's panel, in the notebook's toolbar, and in a terminal of the server."

    def explain(line: str, cell: str | None = None) -> None:
        print(f"{why}\n{instead}", file=sys.stderr)

    for name in ("cluster", "slipway"):
        shell.register_magic_function(explain, "line_cell", name)


def attach(shell: Any, environ: Mapping[str, str], code: str) -> None:
    """Let this kernel use a cluster: its variables, then `code` for the names it gives; both empty: none.

    Args:
        shell: IPython's
    """
    for name in set(_given) - set(environ):
        os.environ.pop(name, None)
    _given.clear()
    _given.update(environ)
    os.environ.update(environ)
    if code:
        given: dict[str, Any] = {"__builtins__": builtins}
        exec(compile(code, "<slipway: attach>", "exec"), given)
        del given["__builtins__"]
        # Not the user's own names: no listing of variables shows them, and publishing does not look for their source.
        shell.push(given, interactive=False)
    if os.environ.get(LEASE):
        _beat(os.environ[LEASE])


def code(environ: Mapping[str, str], code: str) -> str:
    """Python that does as `attach` in a kernel that has not loaded this, for a silent execution."""
    with open(__file__) as file:
        source = file.read()
    return CODE.format(module=MODULE, source=source, environ=dict(environ), code=code)


CODE = """\
def _slipway(source, environ, code):
    import sys, types
    module = sys.modules.get("jupyter_slipway.kernels.startup") or sys.modules.get({module!r})
    if module is None:
        module = sys.modules[{module!r}] = types.ModuleType({module!r})
        exec(compile(source, "<slipway: startup>", "exec"), module.__dict__)
    module.attach(get_ipython(), environ, code)
_slipway({source!r}, {environ!r}, {code!r})
del _slipway
"""


def _beat(lease: str) -> None:
    """Touch the lease while this process lives and is attached by it."""

    def run() -> None:
        while os.environ.get(LEASE) == lease:
            try:
                os.utime(lease)
            except OSError:  # let go, or the cluster is gone with its directory
                return
            time.sleep(BEAT)

    name = f"slipway-lease-{lease}"
    if not any(thread.name == name for thread in threading.enumerate()):
        threading.Thread(target=run, name=name, daemon=True).start()


def _read(path: str) -> dict[str, Any]:
    try:
        with open(path) as file:
            found = json.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:  # the kernel starts without a cluster, and says why
        print(f"[slipway] {path}: {error}", file=sys.stderr)
        return {}
    return found if isinstance(found, dict) else {}
