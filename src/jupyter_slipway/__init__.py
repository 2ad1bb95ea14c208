"""Slipway: from a notebook cell to a registered production job, inside JupyterLab.

Imports nothing: a kernel that loads the magics, a server that loads the extension and a run pay only for their own.
"""

from __future__ import annotations

from typing import Any


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "jupyter-slipway"}]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from jupyter_slipway.app import SlipwayApp

    return [{"module": "jupyter_slipway", "app": SlipwayApp}]


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext jupyter_slipway`: the magics, and the notes of what each cell changes that publishing needs."""
    from jupyter_slipway.magics import load

    load(shell)


def cluster(name: str = "") -> Any:
    """A cluster as a live widget in a notebook; as a table where there are no widgets.

    Args:
        name: the one that this kernel uses when empty

    Raises:
        NotFound: there is none of that name
        Conflict: this kernel uses none
    """
    from jupyter_slipway.commands.show import cluster

    return cluster(name)


def __getattr__(name: str) -> str:
    if name == "__version__":
        from importlib.metadata import version

        return version("jupyter-slipway")
    raise AttributeError(name)
