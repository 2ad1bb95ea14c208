"""In a kernel that uses a Dask cluster: a worker joins a result's parts only when it has the memory for that.

Pasted by `shipped` into `dask_startup` on its way, so it knows the standard library only.

`client.compute` promises one future, which somebody may use on the cluster and never bring here: so its parts are
joined on a worker. One that has not the memory is killed by its nanny, then the next that tries, and with each all
that it held for everybody. So small tasks come before the join: they weigh each part where it lies, add that up, and
fail in place of the join.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jupyter_slipway.clusters.dask_parts import apart, only

SUMS = 20
"""In how many steps the parts of a large result are added up."""


def join_where_there_is_room(client: Any) -> None:
    """Of what `client.compute` makes futures of.

    Args:
        client: distributed's class
    """
    submit_graph = client._graph_to_futures

    def _graph_to_futures(self: Any, expr: Any, keys: Any, *args: Any, **kwargs: Any) -> Any:
        wanted = list(keys)
        parts = None if self.asynchronous or _is_placed(kwargs) else apart(expr, wanted)
        if parts is None:
            return submit_graph(self, expr, keys, *args, **kwargs)
        there = submit_graph(self, parts.graph, list(_flat(parts.keys)), *args, **kwargs)
        how = {"retries": kwargs.get("retries"), "priority": kwargs.get("user_priority") or 0}
        return {
            key: there[names[0]] if join is only else _joined_with_care(self, key, join, _taken(there, names), how)
            for key, names, join in zip(wanted, parts.keys, parts.joins, strict=True)
        }

    client._graph_to_futures = _graph_to_futures


def _is_placed(kwargs: dict[str, Any]) -> bool:
    """Whether somebody has said where it shall be computed: they know their workers."""
    return any(kwargs.get(name) for name in ("workers", "resources", "actors"))


def _joined_with_care(client: Any, key: Any, join: Callable[[Any], Any], parts: Any, how: dict[str, Any]) -> Any:
    """A future of what `join` makes of the parts."""
    few = list(_flat(parts))
    if len(few) < 2:
        return client.submit(join, parts, key=_named("joined", key), **how)
    weigh, add_up, join_allowed = _steps(join)
    # Before the parts that are still to be made, and in several sums: what is too large ends the work half-way.
    first = how | {"priority": how["priority"] + 1}
    few.sort(key=lambda one: str(one.key), reverse=True)  # as Dask makes what is alike
    weights = client.map(weigh, few, key=[_named("weigh", one.key) for one in few], **first)
    room, at_once = 0, max(8, -(-len(few) // SUMS))
    for start in range(0, len(few), at_once):
        name = _named(f"room-{start}", key)
        room = client.submit(add_up, room, weights[start : start + at_once], key=name, **first)
    return client.submit(join_allowed, parts, room, key=_named("joined", key), **how)


def _named(step: str, key: Any) -> Any:
    """The key of a step that belongs to the task `key`: the same for whoever asks for the same."""
    return (f"{step}-{key[0]}", *key[1:]) if isinstance(key, tuple) else f"{step}-{key}"


def _steps(join: Callable[[Any], Any]) -> tuple[Callable[..., int], Callable[..., int], Callable[..., Any]]:
    """What workers do: nested functions are sent to them whole, as they have no Slipway."""

    def weigh(part: Any) -> int:
        from dask.sizeof import sizeof

        # One value that is repeated is small as a part only.
        weight: int = max(sizeof(part), int(getattr(part, "nbytes", 0)))
        # Arrays and frames are copied by the join, while their parts are there; what a list holds is not.
        return weight if isinstance(part, (list, tuple)) else 2 * weight

    def add_up(before: int, weights: list[int]) -> int:
        from dask.utils import format_bytes
        from distributed import get_worker

        needed: int = before + sum(weights)
        limit = get_worker().memory_manager.memory_limit
        if limit and needed > limit:
            raise MemoryError(
                f"To join the parts of this result takes {format_bytes(needed)} or more, and a worker has "
                f"{format_bytes(limit)}. compute() of it joins them in the notebook, and asks first; "
                "client.persist() of it keeps them on the workers."
            )
        return needed

    def join_allowed(parts: Any, room: int) -> Any:
        return join(parts)

    return weigh, add_up, join_allowed


def _taken(there: dict[Any, Any], names: Any) -> Any:
    return [_taken(there, one) for one in names] if isinstance(names, list) else there[names]


def _flat(names: Any) -> Any:
    for one in names:
        if isinstance(one, list):
            yield from _flat(one)
        else:
            yield one
