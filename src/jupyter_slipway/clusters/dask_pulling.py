"""In a kernel that uses a Dask cluster: a large result is weighed on the workers before it is brought here.

Pasted by `shipped` into `dask_startup` on its way, so it knows the standard library only.
"""

from __future__ import annotations

import sys
from typing import Any

from jupyter_slipway.clusters.pulling import ALL, ask_or_refuse, pull_limit, size

WEIGH_EVERY = 0.5
"""Seconds between two looks at what of a result is there."""


def weigh_results(client: Any, future: Any) -> None:
    """Of `compute`, `gather` and `result`.

    Args:
        client, future: distributed's classes
    """
    get, gather, result = client.get, client.gather, future.result

    def _get(self: Any, dsk: Any, keys: Any, *args: Any, sync: bool = True, **kwargs: Any) -> Any:
        parts = None if args or not sync or self.asynchronous or kwargs.get("asynchronous") else _apart(dsk, keys)
        if parts is None:
            return get(self, dsk, keys, *args, sync=sync, **kwargs)
        futures = get(self, parts.graph, parts.keys, sync=False, **kwargs)
        try:
            asked = _ask(self, futures, parts)
            if asked == ALL:
                found = gather(self, futures, direct=kwargs.get("direct"))
                return [join(one) for join, one in zip(parts.joins, found, strict=True)]
            self._slipway_asked = True
            return [parts.instead(self, asked, number, one) for number, one in enumerate(futures)]
        finally:
            self._slipway_asked = False
            _release(futures)

    def _gather(self: Any, futures: Any, *args: Any, **kwargs: Any) -> Any:
        if not self.asynchronous and not kwargs.get("asynchronous"):
            _ask(self, futures)
        return gather(self, futures, *args, **kwargs)

    def _result(self: Any, timeout: Any = None) -> Any:
        if not self.client.asynchronous:
            _ask(self.client, self, within=timeout)
        return result(self, timeout)

    client.get, client.gather, future.result = _get, _gather, _result


class _Parts:
    """A computation whose results are joined here.

    Dask would have a worker join each: one that has not the memory for it is killed, and all that it held with it,
    before anybody knows how large the result is.
    """

    def __init__(self, graph: Any, keys: list[Any], joins: list[Any], frames: list[Any]) -> None:
        self.graph, self.keys, self.joins, self.frames = graph, keys, joins, frames
        self.offers = {}
        if all(hasattr(one, "sample") for one in frames):
            self.offers = {
                "sample": "as many rows, at random, as half of the limit holds",
                "describe": "count, mean, spread and quantiles of each column",
            }
        self.fraction = 1.0

    def instead(self, client: Any, asked: str, number: int, futures: list[Any]) -> Any:
        """What was asked for in place of the result of this number, made on the cluster."""
        import operator

        if asked == "describe":
            import dask.dataframe

            frame = dask.dataframe.from_delayed(futures, meta=self.frames[number], verify_meta=False)
            return frame.describe().compute()
        print(f"[slipway] {self.fraction:.2%} of the rows, at random.", file=sys.stderr)
        rows = client.map(operator.methodcaller("sample", frac=self.fraction), futures, pure=False)
        return self.joins[number](client.gather(rows))


def _apart(graph: Any, keys: list[Any]) -> _Parts | None:
    """What Dask made of one or more collections, without its last step; None when there is nothing to join."""
    try:
        from dask._expr import HLGExpr, HLGFinalizeCompute, _ExprSequence, _HLGExprGroup, _HLGExprSequence
    except ImportError:  # a Dask that joins its results otherwise
        return None
    if type(graph) not in (_ExprSequence, _HLGExprSequence):
        return None
    operands, names, joins, frames = [], [], [], []
    for one in graph.operands:
        inner, join, frame = one, _only, None
        if isinstance(one, _HLGExprGroup):
            inner, several = _group_apart(one)
            operands.append(inner)
            names += inner.output_keys
            joins += several
            frames += [None] * len(several)
            continue
        if isinstance(one, HLGFinalizeCompute) and isinstance(one.operand("dsk"), HLGExpr) and one.postcompute:
            inner, join = one.operand("dsk"), _joined(*one.postcompute)
        elif type(one).__name__ == "RepartitionToFewer" and one.npartitions == 1:
            from dask.dataframe.dask_expr._repartition import _concat

            inner, join, frame = one.frame, _concat, one.frame._meta
        operands.append(inner)
        names.append(list(inner.__dask_keys__()))
        joins.append(join)
        frames.append(frame)
    if len(names) != len(keys) or all(join is _only for join in joins):
        return None
    return _Parts(type(graph)(*operands), names, joins, frames)


def _group_apart(group: Any) -> tuple[Any, list[Any]]:
    """Several collections of one kind, which Dask has merged; and how each of them is joined."""
    from dask.highlevelgraph import HighLevelGraph

    graph, finals, names, joins = group.operand("dsk"), set(), [], []
    for key in group.output_keys:
        layer = graph.layers.get(key[0])
        last = layer[key[0]] if layer is not None and str(key[0]).startswith("finalize-") else None
        if last is None:
            names.append(key)
            joins.append(_only)
        else:
            finals.add(key[0])
            names.append(_keys(last.args[0]))
            joins.append(_joined(last.func, last.args[1:]))
    layers = {name: layer for name, layer in graph.layers.items() if name not in finals}
    needs = {name: found - finals for name, found in graph.dependencies.items() if name not in finals}
    return type(group)(
        dsk=HighLevelGraph(layers, needs),
        low_level_optimizer=group.low_level_optimizer,
        output_keys=names,
        postcompute=[None] * len(names),
    ), joins


def _keys(task: Any) -> Any:
    """Nested as the results are: lists of keys."""
    return task.key if hasattr(task, "key") and not hasattr(task, "args") else [_keys(one) for one in task.args]


def _only(found: list[Any]) -> Any:
    (one,) = found
    return one


def _joined(function: Any, more: Any) -> Any:
    return lambda found: function(found, *more)


def _release(futures: Any) -> None:
    for one in futures:
        if isinstance(one, list):
            _release(one)
        else:
            one.release()


def _ask(client: Any, futures: Any, parts: _Parts | None = None, *, within: Any = None) -> str:
    """What is wanted of a result: 'all' when it is within the limit.

    Raises:
        TooMuch: it is larger than that, and unwanted; nothing has been fetched
    """
    if getattr(client, "_slipway_asked", False):
        return ALL  # it is what was chosen
    limit = pull_limit()
    found, there, of = client.sync(_weigh, client, futures, limit, callback_timeout=within)
    if found <= limit:
        return ALL
    likely = found * of // max(there, 1)
    so_far = "" if there == of else f" in {there} of its {of} parts, and about {size(likely)} in all"
    if parts is not None:
        parts.fraction = min(1.0, limit / 2 / likely)
    return ask_or_refuse(
        f"{size(found)}{so_far}",
        likely,
        parts.offers if parts is not None else {},
        "Take a sample or an aggregate of it on the cluster (.head(), .sample(), .mean()), keep it there (.persist())",
    )


async def _weigh(client: Any, futures: Any, limit: int) -> tuple[int, int, int]:
    """Bytes of what is there as soon as that is beyond the limit, else of all; in how many parts, of how many."""
    import asyncio

    from distributed.utils_comm import unpack_remotedata

    wanted = unpack_remotedata(futures, byte_keys=True)[1]
    waiting, total = set(wanted), 0
    ended = asyncio.ensure_future(_all_there(wanted))
    try:
        while waiting and total <= limit:
            await asyncio.wait({ended}, timeout=WEIGH_EVERY)
            last = ended.done()
            there = {one for one in waiting if one.status != "pending"}
            if any(one.status != "finished" for one in there):
                return 0, 0, 0  # an error is told by whoever gathers
            waiting -= there
            # A number is not weighed: that would cost a question for each of thousands of small results.
            keys = [one.key for one in there if one.type not in (int, float, bool, type(None))]
            if keys:
                sizes = await client.scheduler.nbytes(keys=keys, summary=False)
                total += sum(max(0, one) for one in sizes.values())
            if last:
                break
    finally:
        ended.cancel()
    return total, len(wanted) - len(waiting), len(wanted)


async def _all_there(futures: Any) -> None:
    for one in futures:
        await one._state.wait()
