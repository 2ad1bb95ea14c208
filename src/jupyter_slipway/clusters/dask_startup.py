"""In a kernel that uses a Dask cluster: a lazy `client`, and Dask's own `compute` on the cluster without it.

Its text is shipped as `Attachment.code`, so it knows the standard library only; distributed is imported when the
user's code first computes. Addresses and certificates stand in the environment: `Client()` finds them there, too.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Sequence
from typing import Any

CONFIG = "dask.config"
CONNECT_WITHIN = 10
"""Seconds."""


class ClusterEnded(ConnectionError):
    """The Dask cluster that this notebook uses is no more."""


class Attached:
    """Which cluster this process uses; changed when it is attached to another."""

    name = address = ""
    client: Any = None


def attach(name: str, environ: dict[str, str]) -> Lazy:
    """Use the cluster `name` from now on, be it that another was used before."""
    address = environ["DASK_SCHEDULER_ADDRESS"]
    same = Attached.address == address
    Attached.name, Attached.address = name, address
    os.environ.update(environ)
    if Attached.client is not None and not same:
        Attached.client.close()
        Attached.client = None
    if CONFIG in sys.modules:
        _configure(sys.modules[CONFIG])
    elif not any(isinstance(one, _WhenImported) for one in sys.meta_path):
        sys.meta_path.insert(0, _WhenImported())
    return Lazy()


class Lazy:
    """`client`: becomes a distributed.Client when it is first used. Dask's configuration has it as scheduler."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            # IPython looks for many of those before it shows a value: no reason to connect.
            raise AttributeError(name)
        return getattr(connected(), name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Dask asks its scheduler for results by calling it."""
        return connected().get(*args, **kwargs)

    def __dir__(self) -> list[str]:
        return dir(connected())

    def __enter__(self) -> Any:
        return connected().__enter__()

    def __exit__(self, *error: Any) -> None:
        connected().__exit__(*error)

    def __repr__(self) -> str:
        return repr(Attached.client) if Attached.client is not None else f"<client of {Attached.name}, not yet used>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        client = connected()
        return {"text/plain": repr(client), "text/html": client._repr_html_()}

    @property
    def __class__(self) -> Any:
        """What `isinstance` is told."""
        module = sys.modules.get("distributed")
        return module.Client if module else Lazy

    @__class__.setter
    def __class__(self, kind: Any) -> None:
        raise TypeError("A client stays what it is.")


def connected() -> Any:
    """The client of this process: made once, and again when it was closed.

    Raises:
        ClusterEnded: the cluster is no more
    """
    client = Attached.client
    if client is not None and client.status not in ("closed", "closing"):
        return client
    lease = os.environ.get("SLIPWAY_LEASE")
    if lease and not os.path.exists(lease):
        raise ClusterEnded(_words())
    from distributed import Client

    try:
        # What is large comes straight from the workers, not through the scheduler.
        client = Client(timeout=CONNECT_WITHIN, direct_to_workers=True)
    except OSError as error:
        raise ClusterEnded(_words()) from error
    Attached.client = client
    return client


def _words() -> str:
    return f"The Dask cluster {Attached.name!r} does not answer: it was stopped, or has ended. Attach to it again."


def _configure(config: Any) -> None:
    """What Dask has read from the environment when it was imported is old by now."""
    config.update(config.config, config.collect_env())
    config.set(scheduler=Lazy())


class _WhenImported(importlib.abc.MetaPathFinder):
    """Configures Dask right after its configuration is imported."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != CONFIG:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def exec_module(module: Any) -> None:
            load(module)
            _configure(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec
