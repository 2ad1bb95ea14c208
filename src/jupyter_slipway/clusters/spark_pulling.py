"""In a kernel that uses a Spark cluster: a large result is weighed on the server before it is brought here.

Pasted by `shipped` into `spark_startup` on its way, so it knows the standard library only.

Spark's own estimate costs nothing, but takes an aggregate or a filter for as large as what goes into it. So the rows of
a result that might be large are counted, and a few are looked at. One that is dear to compute is kept on the server's
disk meanwhile, and brought from there. Sent unseen, it would have to fit into the server's memory, and end the server
and everybody's work with it. What Spark has thought small is counted as it comes.
"""

from __future__ import annotations

import re
import sys
import uuid
from typing import Any

from jupyter_slipway.clusters.pulling import ALL, ask_or_refuse, pull_limit, size

SUSPICIOUS = 8
"""A result is weighed when Spark thinks that it has this part of the limit, or more."""
DEAR = re.compile(r"\b(\w*Exchange|Window|\w*Python\w*|\w*InPandas|\w*InArrow|Generate)\b")
"""In Spark's plan: steps that nobody wants to be done twice. To count without them is little more than to read."""
LOOKED_AT = 1000
"""Rows whose size is measured."""
OFFERS = {
    "sample": "as many rows, at random, as half of the limit holds",
    "describe": "count, mean, spread, least and most of each column",
}
INSTEAD = (
    "Take a sample or an aggregate of it on the cluster (.sample(0.01), .limit(1000), .agg(), .describe()), "
    "keep it there (.write.parquet(), .saveAsTable())"
)


class _Instead(Exception):
    """Something else is wanted than a result that has begun to come."""

    def __init__(self, asked: str, likely: int) -> None:
        super().__init__(asked)
        self.asked, self.likely = asked, likely


def weigh_results(client: Any) -> None:
    """Of `toPandas`, `toArrow` and `collect`; `toLocalIterator` never has much of it here."""
    fetch, iterate = client._execute_and_fetch, client._execute_and_fetch_as_iterator

    def _execute_and_fetch(self: Any, req: Any, *args: Any, **kwargs: Any) -> Any:
        if not req.plan.HasField("root"):
            return fetch(self, req, *args, **kwargs)
        plan = self._analyze(method="explain", plan=req.plan, explain_mode="cost").explain_string
        guess = _estimate(plan) * SUSPICIOUS
        if guess >= pull_limit() or guess >= (_memory(self) or sys.maxsize) // 2:
            with _Kept(self, req, dear=bool(DEAR.search(plan))) as kept:
                likely = kept.weigh(fetch)
                wanted = _wanted(self, f"{size(likely)} in {kept.rows:,} rows", likely)
                return fetch(self, _request_for(wanted, likely, req), *args, **kwargs)
        self._slipway_weighs = req.operation_id
        try:
            return fetch(self, req, *args, **kwargs)
        except _Instead as instead:
            return fetch(self, _request_for(instead.asked, instead.likely, req), *args, **kwargs)
        finally:
            self._slipway_weighs = None

    def _as_iterator(self: Any, req: Any, *args: Any, **kwargs: Any) -> Any:
        limit = pull_limit() if getattr(self, "_slipway_weighs", None) == req.operation_id else sys.maxsize
        here = 0
        for one in iterate(self, req, *args, **kwargs):
            here += getattr(one, "nbytes", 0)
            if here > limit:
                _ask_midway(self, req, here)
                limit = sys.maxsize
            yield one

    client._execute_and_fetch, client._execute_and_fetch_as_iterator = _execute_and_fetch, _as_iterator


class _Kept:
    """A result that is asked about and brought: on the server's disk meanwhile, when it is dear."""

    rows = 0

    def __init__(self, client: Any, req: Any, *, dear: bool) -> None:
        self._client, self._req = client, req
        self._ours = dear

    def __enter__(self) -> _Kept:
        from pyspark.storagelevel import StorageLevel

        if self._ours:
            there = self._client._analyze(method="get_storage_level", relation=self._req.plan.root).storage_level
            self._ours = not (there.useDisk or there.useMemory)
        if self._ours:
            level = StorageLevel.DISK_ONLY
            self._client._analyze(method="persist", relation=self._req.plan.root, storage_level=level)
        return self

    def __exit__(self, *_: object) -> None:
        if self._ours:
            self._client._analyze(method="unpersist", relation=self._req.plan.root, blocking=False)

    def weigh(self, fetch: Any) -> int:
        """Bytes that it would have here."""
        counting = _over(self._req, "aggregate")
        counting.plan.root.aggregate.group_type = 1
        count = counting.plan.root.aggregate.aggregate_expressions.add().unresolved_function
        count.function_name = "count"
        count.arguments.add().literal.integer = 1
        (self.rows,) = fetch(self._client, counting, {})[0].column(0).to_pylist()
        few = _over(self._req, "limit")
        few.plan.root.limit.limit = LOOKED_AT
        table = fetch(self._client, few, {})[0]
        return int(self.rows * table.nbytes / max(1, table.num_rows))


def _wanted(client: Any, found: str, likely: int) -> str:
    """
    Raises:
        TooMuch: none of it is wanted, or the server could not send it
    """
    room = _memory(client)
    if room and 2 * likely > room:
        found = f"{found}, and the Spark server, with {size(room)}, cannot send it"
        return ask_or_refuse(found, 0, OFFERS, INSTEAD)
    return ask_or_refuse(found, likely, OFFERS, INSTEAD) if likely > pull_limit() else ALL


def _ask_midway(client: Any, req: Any, here: int) -> None:
    """
    Raises:
        TooMuch: none of it is wanted; Spark is told to stop
        _Instead: something else is
    """
    wanted, likely = "", 2 * here
    try:
        wanted = ask_or_refuse(f"more than {size(pull_limit())}", likely, OFFERS, INSTEAD)
    finally:
        if wanted != ALL:
            client.interrupt_operation(req.operation_id)
    if wanted != ALL:
        raise _Instead(wanted, likely)


def _estimate(plan: str) -> int:
    """Bytes of its result, as Spark's optimiser thinks; 0 when it says nothing.

    Args:
        plan: as Spark explains it in the mode 'cost'
    """
    found = re.search(r"sizeInBytes=([\d.]+)(?:E([+]?\d+))? ([KMGTPE]i)?B", plan)
    if found is None:
        return 0
    power = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei").index(found[3] or "")
    return int(float(found[1]) * 10 ** int(found[2] or 0) * 1024**power)


def _memory(client: Any) -> int:
    """Bytes of the server's; 0 when it does not say."""
    (said,) = client.get_config_with_defaults(("spark.driver.memory", ""))
    found = re.fullmatch(r"(\d+)([mg])b?", (said or "").lower())
    return int(found[1]) << (20 if found[2] == "m" else 30) if found else 0


def _request_for(wanted: str, likely: int, req: Any) -> Any:
    """The request for what is wanted of a result."""
    if wanted == ALL:
        return req
    other = _over(req, wanted)
    if wanted == "sample":
        fraction = min(1.0, pull_limit() / 2 / max(1, likely))
        print(f"[slipway] {fraction:.2%} of the rows, at random.", file=sys.stderr)
        other.plan.root.sample.lower_bound, other.plan.root.sample.upper_bound = 0.0, fraction
        other.plan.root.sample.with_replacement = False
    return other


def _over(req: Any, relation: str) -> Any:
    """A request for this relation over what `req` asks for."""
    other = type(req)()
    other.CopyFrom(req)
    other.operation_id = str(uuid.uuid4())
    other.plan.root.Clear()
    getattr(other.plan.root, relation).input.CopyFrom(req.plan.root)
    return other
