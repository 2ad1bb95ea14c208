"""In a kernel or a run that uses a Spark cluster: a lazy `spark`, and a mark on the work of each cell.

Its text is shipped as `Attachment.code`, so it knows the standard library only; pyspark is touched when the user's
code imports it. To pyspark's client it adds five things:

- tags 'slipway:HOLDER' and 'slipway:HOLDER:CELL' on all that is executed, by which work is followed and cancelled;
- an end to the waiting: pyspark tries for ten minutes to reach a server that has died, and says nothing;
- a note of each session, by which the work can be cancelled from outside;
- a question, before a result that is larger than the limit is brought here;
- the session itself, where pyspark looks for one: `@udf("long")` does, before anything was computed.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from jupyter_slipway.clusters.in_kernel import follow_cells, when_imported
from jupyter_slipway.clusters.in_short import InShort
from jupyter_slipway.clusters.spark_pulling import weigh_results

CLIENT = "pyspark.sql.connect.client.core"
SESSION = "pyspark.sql.connect.session"
TRIES = 6
"""How often a server that cannot be watched is tried again: about a minute."""
TELL_EVERY = 0.5
"""Seconds between two notes of how far a query has come."""


class ClusterEnded(InShort, ConnectionError):
    """The Spark cluster that this notebook uses is no more."""


class WorkCancelled(InShort):
    """Somebody has cancelled what this cell had asked of the cluster."""


class Attached:
    """Which cluster this process uses; changed when it is attached to another."""

    name = holder = cell = directory = ""
    watched = False
    """Whether the server is a process of this machine, which can be looked at."""
    remote = ""
    """SPARK_REMOTE."""


def attach(name: str, holder: str, directory: str, *, watched: bool, environ: dict[str, str]) -> Lazy:
    """Use the cluster `name` from now on, be it that another was used before.

    Args:
        holder: id of this kernel or run
        directory: of the cluster; notes for `backends` go to its folder 'holders'
    """
    Attached.name, Attached.holder, Attached.directory = name, holder, directory
    Attached.watched, Attached.remote = watched, environ["SPARK_REMOTE"]
    os.environ.update(environ)
    _forget_session()
    when_imported(CLIENT, _extend)
    when_imported(SESSION, _connect_when_asked)
    follow_cells("slipway_cell", _in_cell)
    return Lazy()


def _in_cell(cell: str) -> None:
    Attached.cell = cell


class Lazy:
    """`spark`: becomes the session when it is first used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") and name not in ("_client", "_jvm", "_jsparkSession"):
            # IPython looks for many of those before it shows a value: no reason to connect.
            raise AttributeError(name)
        return getattr(_session(), name)

    def __dir__(self) -> list[str]:
        return dir(_session())

    def __enter__(self) -> Any:
        return _session().__enter__()

    def __exit__(self, *error: Any) -> None:
        _session().__exit__(*error)

    def __repr__(self) -> str:
        return f"<spark on {Attached.name}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        # IPython asks the class, which it takes for the session's.
        return {"text/plain": repr(self)}

    @property
    def __class__(self) -> Any:
        """What `isinstance` is told."""
        module = sys.modules.get(SESSION)
        return module.SparkSession if module else Lazy

    @__class__.setter
    def __class__(self, kind: Any) -> None:
        raise TypeError("A session stays what it is.")


def ended() -> str:
    """Why the cluster is no more; '' while it is, or when that cannot be seen from here."""
    if not Attached.watched:
        return ""
    try:
        with open(os.path.join(Attached.directory, "server.json")) as file:
            server = json.load(file)
    except FileNotFoundError:
        return "it was deleted"
    if server["state"] in ("stopped", "failed"):
        return str(server["reason"]) or "it was stopped"
    if server["port"] and f":{server['port']}/" not in Attached.remote:
        return "it was started anew"
    return "" if _lives(server["pid"], server["started"]) else "its process was killed"


def _lives(pid: int, started: str) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except FileNotFoundError:
        return not os.path.isdir("/proc/self") and _answers(pid)
    return fields[0] not in "ZX" and fields[19] == started


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _session() -> Any:
    from pyspark.sql import SparkSession

    return SparkSession.builder.getOrCreate()


def _forget_session() -> None:
    """A session of another cluster, or of one that has died, would stay pyspark's default for ever."""
    module = sys.modules.get(SESSION)
    if module is not None:
        module.SparkSession._default_session = None
        module.SparkSession._active_session.session = None


def _extend(module: Any) -> None:
    client = module.SparkConnectClient
    if hasattr(client, "_slipway"):
        return
    start, own_tags, own_error = client.__init__, client.get_tags, client._handle_rpc_error

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        start(self, *args, **kwargs)
        self.set_retry_policies([_policy(module)])
        _note_session(self)
        if not Attached.watched:
            self.register_progress_handler(_Told())

    def get_tags(self: Any) -> set[str]:
        return set(own_tags(self)) | set(tags())

    def _handle_rpc_error(self: Any, error: Any) -> None:
        if "OPERATION_CANCELED" in str(error):
            raise WorkCancelled(f"This work on the Spark cluster {Attached.name!r} was cancelled.") from None
        own_error(self, error)

    weigh_results(client)
    client.__init__, client.get_tags, client._slipway = __init__, get_tags, True
    client._handle_rpc_error = _handle_rpc_error


def _connect_when_asked(module: Any) -> None:
    session = module.SparkSession
    if hasattr(session, "_slipway"):
        return
    own = session.active.__func__

    def active(cls: Any) -> Any:
        if cls.getActiveSession() is None and cls._get_default_session() is None:
            _session()
        return own(cls)

    session.active, session._slipway = classmethod(active), True


def tags() -> list[str]:
    mine = f"slipway:{Attached.holder}"
    return [mine, f"{mine}:{Attached.cell}"] if Attached.cell else [mine]


def _policy(module: Any) -> Any:
    """pyspark's own, which asks first whether there is anybody left to try again."""

    class WhileItLives(module.DefaultPolicy):  # type: ignore[misc]  # pyspark is untyped
        def can_retry(self, e: BaseException) -> bool:
            again = bool(super().can_retry(e))
            if again and (why := ended()):
                raise ClusterEnded(
                    f"The Spark cluster {Attached.name!r} has ended: {why.rstrip('.')}. "
                    f"Start it, then attach this notebook to it again."
                ) from None
            return again

    policy = WhileItLives()
    if not Attached.watched:
        policy.max_retries = TRIES
    return policy


def _note_session(client: Any) -> None:
    _note(f"{Attached.holder}.sessions", f"{client._session_id} {client._user_id or ''}\n", add=True)


class _Told:
    """Notes how far the query that runs has come: from pyspark's own events."""

    def __init__(self) -> None:
        self._told = 0.0

    def __call__(self, stages: Any, inflight_tasks: int, operation_id: str | None, done: bool) -> None:
        now = time.monotonic()
        if not done and now - self._told < TELL_EVERY:
            return
        self._told = now
        note = {
            "cell": Attached.cell,
            "done": sum(stage.num_completed_tasks for stage in stages or ()),
            "total": sum(stage.num_tasks for stage in stages or ()),
            "ended": done,
            "pid": os.getpid(),
        }
        _note(f"{Attached.holder}.progress", json.dumps(note))


def _note(name: str, content: str, *, add: bool = False) -> None:
    folder = os.path.join(Attached.directory, "holders")
    path = os.path.join(folder, name)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with open(path if add else f"{path}.{os.getpid()}", "a" if add else "w") as file:
            file.write(content)
        if not add:
            os.replace(f"{path}.{os.getpid()}", path)
    except OSError as error:  # the user's query matters more than that it can be followed
        print(f"[slipway] {path}: {error}", file=sys.stderr)
