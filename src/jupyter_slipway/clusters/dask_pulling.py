"""In a kernel that uses a Dask cluster: a large result is weighed on the workers before it is brought here.

Pasted by `shipped` into `dask_startup` on its way, so it knows the standard library only.
"""

from __future__ import annotations

import sys
from typing import Any

from jupyter_slipway.clusters.dask_parts import Parts, apart
from jupyter_slipway.clusters.pulling import ALL, ask_or_refuse, pull_limit, size

WEIGH_EVERY = 0.5
"""Seconds between two looks at what of a result is there."""


def weigh_results(client: Any, future: Any) -> None:
    """Of `compute`, `gather` and `result`. Who looks at a traceback of theirs is not shown the frames added here.

    Args:
        client, future: distributed's classes
    """
    get, gather, result = client.get, client.gather, future.result

    def _get(self: Any, dsk: Any, keys: Any, *args: Any, sync: bool = True, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        parts = None if args or not sync or self.asynchronous or kwargs.get("asynchronous") else apart(dsk, keys)
        if parts is None:
            return get(self, dsk, keys, *args, sync=sync, **kwargs)
        futures = get(self, parts.graph, parts.keys, sync=False, **kwargs)
        try:
            choice = _Choice(parts)
            asked = _ask(self, futures, choice)
            if asked == ALL:
                found = gather(self, futures, direct=kwargs.get("direct"))
                _ask_unfolded(found)
                return [join(one) for join, one in zip(parts.joins, found, strict=True)]
            self._slipway_asked = True
            return [choice.instead(self, asked, number, one) for number, one in enumerate(futures)]
        finally:
            self._slipway_asked = False
            _release(futures)

    def _gather(self: Any, futures: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if not self.asynchronous and not kwargs.get("asynchronous"):
            _ask(self, futures)
        return gather(self, futures, *args, **kwargs)

    def _result(self: Any, timeout: Any = None) -> Any:
        __tracebackhide__ = True
        if not self.client.asynchronous:
            _ask(self.client, self, within=timeout)
        return result(self, timeout)

    client.get, client.gather, future.result = _get, _gather, _result


class _Choice:
    """What may be had of a large result in place of all of it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.offers = {}
        if all(hasattr(one, "sample") for one in parts.frames):
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

            meta = self._parts.frames[number]
            return dask.dataframe.from_delayed(futures, meta=meta, verify_meta=False).describe().compute()
        print(f"[slipway] {self.fraction:.2%} of the rows, at random.", file=sys.stderr)
        rows = client.map(operator.methodcaller("sample", frac=self.fraction), futures, pure=False)
        return self._parts.joins[number](client.gather(rows))


def _release(futures: Any) -> None:
    for one in futures:
        if isinstance(one, list):
            _release(one)
        else:
            one.release()


def _ask(client: Any, futures: Any, choice: _Choice | None = None, *, within: Any = None) -> str:
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
    if choice is not None:
        choice.fraction = min(1.0, limit / 2 / likely)
    return ask_or_refuse(
        f"{size(found)}{so_far}",
        likely,
        choice.offers if choice is not None else {},
        "Take a sample or an aggregate of it on the cluster (x[:1000], .sample(), .mean()), keep it there (.persist())",
    )


def _ask_unfolded(found: list[Any]) -> None:
    """Of arrays that repeat one value, as those of `ones`: that is all their parts hold until they are joined.

    Args:
        found: of each result its parts, nested

    Raises:
        TooMuch: what they are together is larger than the limit, and unwanted
    """
    likely = sum(_unfolded(one) for one in found)
    if likely > pull_limit():
        ask_or_refuse(
            f"{size(likely)} when its repeated values are written out",
            likely,
            {},
            "Take a part or an aggregate of it on the cluster (x[:1000], x.mean()), keep it there (.persist())",
        )


def _unfolded(part: Any) -> int:
    """Bytes."""
    if isinstance(part, list):
        return sum(_unfolded(one) for one in part)
    return int(part.nbytes) if 0 in getattr(part, "strides", ()) else 0


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
