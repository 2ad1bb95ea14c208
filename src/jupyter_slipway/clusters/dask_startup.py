"""In a kernel that uses a Dask cluster: a lazy `client`, and Dask's own `compute` on the cluster without it.

Its text is shipped as `Attachment.code`, so it knows the standard library only; distributed is imported when the
user's code first computes. Addresses and certificates stand in the environment: `Client()` finds them there, too.
"""

from __future__ import annotations

import os
import sys
from typing import Any, ClassVar
from weakref import WeakSet

from jupyter_slipway.clusters.dask_cancelled import INTERRUPTED, shorten
from jupyter_slipway.clusters.dask_pulling import weigh_results
from jupyter_slipway.clusters.in_kernel import after_cells, follow_cells, when_imported
from jupyter_slipway.clusters.pulling import size

CONFIG = "dask.config"
CLIENT = "distributed.client"
TOPIC = "slipway-cell"
"""Where the scheduler is told which cell a client runs; its plugin listens."""
TELL_WITHIN = 0.25
"""Seconds that a cell waits for that."""
CONNECT_WITHIN = 10
"""Seconds."""
STOP_WITHIN = 2
"""Seconds that an interrupted cell waits to hear what still runs."""


class ClusterEnded(ConnectionError):
    """The Dask cluster that this notebook uses is no more."""


class Attached:
    """Which cluster this process uses; changed when it is attached to another."""

    name = address = cell = ""
    client: Any = None
    asked: ClassVar[WeakSet[Any]] = WeakSet()
    """Futures of the cell that runs."""


def attach(name: str, environ: dict[str, str]) -> Lazy:
    """Use the cluster `name` from now on, be it that another was used before."""
    address = environ["DASK_SCHEDULER_ADDRESS"]
    same = Attached.address == address
    Attached.name, Attached.address = name, address
    os.environ.update(environ)
    if Attached.client is not None and not same:
        Attached.client.close()
        Attached.client = None
    for module, act in ((CONFIG, _configure), (CLIENT, _extend)):
        when_imported(module, act)
    follow_cells("slipway_dask_cell", _in_cell)
    after_cells("slipway_dask_cell_ended", _cell_ended)
    return Lazy()


def _in_cell(cell: str) -> None:
    Attached.cell, Attached.asked = cell, WeakSet()


def _cell_ended(error: BaseException | None) -> None:
    """Of an interrupted cell, which its traceback keeps alive with all its futures, the work ends, too."""
    # Another of the cell's threads may ask for more meanwhile.
    asked, Attached.asked = Attached.asked, WeakSet()
    if not isinstance(error, KeyboardInterrupt):
        return
    pending = [one for one in asked if one.status == "pending"]
    for client in {one.client for one in pending}:
        mine = [one for one in pending if one.client is client]
        left = _begun(client, {one.key for one in mine})
        client.cancel(mine, reason=INTERRUPTED, msg="Its cell was interrupted.")
        if left:
            words = "1 task already on a worker ends by itself."
            if left > 1:
                words = f"{left} tasks already on a worker end by themselves."
            print(words, file=sys.stderr)


def _begun(client: Any, keys: set[Any]) -> int:
    """How many of them are on a worker; 0 when the scheduler does not say."""
    try:
        found = client.sync(client.scheduler.processing, workers=None, callback_timeout=STOP_WITHIN)
    except (OSError, TimeoutError):
        return 0
    return sum(key in keys for on_worker in found.values() for key in on_worker)


class Lazy:
    """`client`: becomes a distributed.Client when it is first used. Dask's configuration has it as scheduler."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            # IPython looks for many of those before it shows a value: no reason to connect.
            raise AttributeError(name)
        return getattr(connected(), name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Dask asks its scheduler for results by calling it."""
        __tracebackhide__ = True
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


def _extend(module: Any) -> None:
    """Every client of this process says which cell it runs, and weighs results before it brings them here."""
    client = module.Client
    if hasattr(client, "_slipway"):
        return
    graph = client._graph_to_futures

    def _graph_to_futures(self: Any, *args: Any, **kwargs: Any) -> Any:
        _tell_cell(self)
        futures = graph(self, *args, **kwargs)
        if not self.asynchronous:
            Attached.asked.update(futures.values())
        return futures

    client._graph_to_futures, client._slipway = _graph_to_futures, True
    weigh_results(client, module.Future)
    shorten(module)
    _name(client)


def _name(client: Any) -> None:
    """What a client of the cluster shows is its name: an address in a notebook is of no use to who opens it later."""
    text, page = client.__repr__, client._repr_html_

    def __repr__(self: Any) -> str:
        return _shown(self) if _is_ours(self) else str(text(self))

    def _repr_html_(self: Any) -> str:
        from html import escape

        return f"<code>{escape(_shown(self))}</code>" if _is_ours(self) else str(page(self))

    client.__repr__, client._repr_html_ = __repr__, _repr_html_


def _is_ours(client: Any) -> bool:
    return bool(Attached.address) and getattr(client.scheduler, "address", "") == Attached.address


def _shown(client: Any) -> str:
    # As of its last heartbeat: showing a value asks nobody.
    known = client._scheduler_identity
    workers, threads = known.get("n_workers", 0), known.get("total_threads", 0)
    memory = size(known.get("total_memory", 0))
    return f"<client of {Attached.name}: {workers} workers, {threads} threads, {memory}>"


def _tell_cell(client: Any) -> None:
    """Once a cell and client, before its first tasks."""
    if getattr(client, "_slipway_cell", "") == Attached.cell or client.asynchronous:
        return
    import asyncio
    import concurrent.futures

    client._slipway_cell = Attached.cell
    said = client.scheduler.log_event(topic=TOPIC, msg={"client": client.id, "cell": Attached.cell})
    telling = asyncio.run_coroutine_threadsafe(said, client.loop.asyncio_loop)
    try:
        telling.result(TELL_WITHIN)
    except (OSError, concurrent.futures.TimeoutError):  # the cell matters more than that it can be followed
        telling.cancel()
