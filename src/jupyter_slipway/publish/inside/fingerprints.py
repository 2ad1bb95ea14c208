"""Fingerprints of values, which `proof` compares: a report is JSON and holds no content."""

from __future__ import annotations

import warnings
from time import perf_counter

from .content import Content, Spent
from .kinds import is_random, type_name
from .texts import shortly, told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

REPORT_BUDGET = 5.0
"""Seconds for the fingerprints of one report."""


def fingerprint(value: Any, deadline: float) -> dict[str, Any]:
    """What is compared of one value: as JSON, without its content.

    `hash` covers all but the floats, `floats` those; `blind` says why nothing can be compared, `partly` what
    inside it is out of sight.
    """
    found: dict[str, Any] = {"type": type_name(value), "short": shortly(value)}
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and not isinstance(value, type):
        found["shape"] = [one if isinstance(one, int) else str(one) for one in shape]
    dtype = getattr(value, "dtype", None)
    if dtype is not None:
        found["dtype"] = str(dtype)
    content = Content(deadline, exact=False)
    if is_random(value):
        return {**found, "blind": "a source of random numbers"}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content.walk(value)
    except Spent:
        return {**found, "blind": f"it is too large to compare within {REPORT_BUDGET:g} s"}
    except Exception as error:  # the object's own code
        return {**found, "blind": f"{type(error).__name__} while looking at it"}
    if content.blind and content.nodes == 1:
        return {**found, "blind": content.blind[0]}
    found["hash"] = content.hash.hexdigest()
    if content.floats.count:
        found["floats"] = content.floats.told()
    if content.blind:
        found["partly"] = content.blind
    return found


def report(values: dict[str, Any], outputs: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """Name -> fingerprint, within five seconds in all.

    Args:
        outputs: nbformat outputs that were shown; their kinds and texts stand under '(outputs)'
    """
    deadline = perf_counter() + REPORT_BUDGET
    found = {name: fingerprint(value, deadline) for name, value in values.items()}
    if outputs is not None:
        found["(outputs)"] = fingerprint([told(output) for output in outputs], deadline)
    return found
