"""In a kernel that uses a Spark cluster: a large result is weighed on the server before it is brought here.

Pasted by `shipped` into `spark_startup` on its way, so it knows the standard library only.

Spark's own estimate costs nothing, but takes an aggregate or a filter for as large as what goes into it. So the rows of
a result that might be large are counted, and a few are looked at. One that is dear to compute is kept on the server's
disk meanwhile, and brought from there. Sent unseen, it would have to fit into the server's memory, and end the server
and everybody's work with it. What Spark has thought small is counted as it comes.

A server sends a result from its memory: all of it, and of the partitions that it computes at once several copies.
"""

from __future__ import annotations

import re
import sys
import uuid
from typing import Any

from jupyter_slipway.clusters.pulling import ALL, TooMuch, ask_or_refuse, pull_limit, size

SUSPICIOUS = 8
"""A result is weighed when Spark thinks that it has this part of the limit, or more."""
SUSPICIOUS_TEXT = 512
"""The same, of a result with texts or lists: Spark takes each text for 20 bytes."""
VARIES = ("StringType", "BinaryType", "ArrayType", "MapType", "StructType", "VariantType")
COPIES = 4
"""Of a partition, while it is made ready: a server of 844 MiB sent 190 MiB in 2 partitions, and ended at 216 MiB."""
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
    """Of `toPandas`, `toArrow` and `collect`; `toLocalIterator` never has much of it here.

    Who looks at a traceback of theirs is not shown the frames added here.
    """
    from pyspark.errors import PySparkException

    fetch, iterate = client._execute_and_fetch, client._execute_and_fetch_as_iterator

    def _execute_and_fetch(self: Any, req: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if not req.plan.HasField("root"):
            return fetch(self, req, *args, **kwargs)
        try:
            return _weighed(self, req, *args, **kwargs)
        except PySparkException as error:
            if "spark.driver.maxResultSize" not in str(error):
                raise
            raise TooMuch(f"This result is larger than what {_server(self)} can send. {INSTEAD}.") from None

    def _weighed(self: Any, req: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        plan = self._analyze(method="explain", plan=req.plan, explain_mode="cost").explain_string
        if _might_be_large(self, req, _estimate(plan)):
            with _Kept(self, req, dear=bool(DEAR.search(plan))) as kept:
                kept.weigh(fetch)
                wanted = _wanted(self, kept)
                return fetch(self, _request_for(wanted, kept.likely, req), *args, **kwargs)
        self._slipway_weighs = req.operation_id
        try:
            return fetch(self, req, *args, **kwargs)
        except _Instead as instead:
            return fetch(self, _request_for(instead.asked, instead.likely, req), *args, **kwargs)
        finally:
            self._slipway_weighs = None

    def _as_iterator(self: Any, req: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
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

    rows = likely = 0
    """`likely`: the bytes that it would have here."""
    partitions = largest = 0
    """`largest`: the likely bytes of the largest of the partitions."""

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

    def weigh(self, fetch: Any) -> None:
        counting = _over(self._req, "aggregate")
        aggregate = counting.plan.root.aggregate
        aggregate.group_type = 1
        aggregate.grouping_expressions.add().unresolved_function.function_name = "spark_partition_id"
        count = aggregate.aggregate_expressions.add().unresolved_function
        count.function_name = "count"
        count.arguments.add().literal.integer = 1
        rows = fetch(self._client, counting, {})[0].column(1).to_pylist()
        few = _over(self._req, "limit")
        few.plan.root.limit.limit = LOOKED_AT
        table = fetch(self._client, few, {})[0]
        of_one = table.nbytes / max(1, table.num_rows)
        self.rows, self.partitions = sum(rows), len(rows)
        self.likely, self.largest = int(self.rows * of_one), int(max(rows, default=0) * of_one)


def _might_be_large(client: Any, req: Any, guess: int) -> bool:
    """
    Args:
        guess: bytes, as Spark thinks
    """
    least = min(pull_limit(), (_memory(client) or sys.maxsize) // COPIES)
    if guess * SUSPICIOUS >= least or guess * SUSPICIOUS_TEXT < least:
        return guess * SUSPICIOUS >= least
    columns = client._analyze(method="schema", plan=req.plan).schema
    return any(type(one.dataType).__name__ in VARIES for one in columns)


def _wanted(client: Any, kept: _Kept) -> str:
    """
    Raises:
        TooMuch: none of it is wanted, or the server could not send it
    """
    found, room = f"{size(kept.likely)} in {kept.rows:,} rows", _memory(client)
    if room and 2 * kept.likely > room:
        return ask_or_refuse(f"{found}, and {_server(client)} cannot send it", 0, OFFERS, INSTEAD)
    at_once = min(kept.partitions, _threads(client))
    if room and COPIES * at_once * kept.largest > room:
        pieces = f"{found}, and {_server(client)} cannot send it in {kept.partitions} partitions"
        return ask_or_refuse(pieces, 0, OFFERS, f"{INSTEAD}, or make its partitions smaller (.repartition(64))")
    return ask_or_refuse(found, kept.likely, OFFERS, INSTEAD) if kept.likely > pull_limit() else ALL


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


def _server(client: Any) -> str:
    room = _memory(client)
    return f"the Spark server, with {size(room)}," if room else "the Spark server"


def _threads(client: Any) -> int:
    """How many partitions the server itself computes at once; 0 when others do that for it."""
    (said,) = client.get_config_with_defaults(("spark.master", ""))
    found = re.fullmatch(r"local\[(\d+)\]", said or "")
    return int(found[1]) if found else 0


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
