"""A Dask computation without its last step, in which the parts of each result would be joined on a worker.

Pasted by `shipped` into `dask_startup` on its way, so it knows the standard library only.
"""

from __future__ import annotations

from typing import Any


class Parts:
    """A computation whose results are yet to be joined.

    Args:
        graph: Dask's expression for all the parts
        keys: of each result, the keys of its parts, nested as `joins` want them
        joins: of each result, what makes it of its parts; `only` when there is but one
        frames: of each result, what says its columns when it is a frame, else None
    """

    def __init__(self, graph: Any, keys: list[Any], joins: list[Any], frames: list[Any]) -> None:
        self.graph, self.keys, self.joins, self.frames = graph, keys, joins, frames


def apart(graph: Any, keys: list[Any]) -> Parts | None:
    """What Dask made of one or more collections, without its last step; None when there is nothing to join."""
    try:
        from dask._expr import HLGExpr, HLGFinalizeCompute, _ExprSequence, _HLGExprGroup, _HLGExprSequence
    except ImportError:  # a Dask that joins its results otherwise
        return None
    if type(graph) not in (_ExprSequence, _HLGExprSequence):
        return None
    operands, names, joins, frames = [], [], [], []
    for one in graph.operands:
        inner, join, frame = one, only, None
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
    if len(names) != len(keys) or all(join is only for join in joins):
        return None
    return Parts(type(graph)(*operands), names, joins, frames)


def _group_apart(group: Any) -> tuple[Any, list[Any]]:
    """Several collections of one kind, which Dask has merged; and how each of them is joined."""
    from dask.highlevelgraph import HighLevelGraph

    graph, finals, names, joins = group.operand("dsk"), set(), [], []
    for key in group.output_keys:
        layer = graph.layers.get(key[0])
        last = layer[key[0]] if layer is not None and str(key[0]).startswith("finalize-") else None
        if last is None:
            names.append(key)
            joins.append(only)
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


def only(found: list[Any]) -> Any:
    (one,) = found
    return one


def _joined(function: Any, more: Any) -> Any:
    return lambda found: function(found, *more)
