"""What a cell printed, line by line, in the notebook and in the clean process. Pure.

Called by `proof`. Two lines are the same when their words are and their floats agree to the tolerance; addresses,
temporary paths and ids never count. A line that tells a time, and one that is redrawn, cannot be compared: it is said.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from difflib import SequenceMatcher
from typing import Any

from msgspec import Struct

from jupyter_slipway.publish.model import Difference

LONGEST = 500
"""Lines at the end of what a cell printed that are compared."""
TOLD = 5
"""Differences that are told one by one."""
SHORT = 200
"""Characters of a line that a difference quotes."""

COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
BAR = re.compile(r"\d{1,3}%\s?\||\d+/\d+ \[")
UNSTEADY = re.compile(
    r"0x[0-9a-fA-F]{6,}|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|(?:/tmp|/var/folders|/private/var)/[^\s'\",)\]]+"
)
"""Addresses, ids, temporary paths."""
FLOAT = re.compile(r"(?<![\w.])[-+]?(?:(?:\d+\.\d*|\.\d+)(?:[eE][-+]?\d+)?|\d+[eE][-+]?\d+)(?!\w|\.\d)|\b(?:nan|inf)\b")
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
TIMING = re.compile(
    r"\b(?:took|elapsed|wall|cpu times?|timed?|timing|duration|runtime|seconds?|secs?|minutes?|per loop|it/s)\b"
    r"|\d\s*(?:s|ms|µs|us|ns|min)\b",
    re.IGNORECASE,
)
MOMENT = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?|\b\d\d:\d\d:\d\d\b")
RULER = re.compile(r"([-=_*#])\1{2,}")


class Printed(Struct, frozen=True):
    """How what was printed compares."""

    same: int = 0
    """Lines that are the same."""
    differ: int = 0
    differences: tuple[Difference, ...] = ()
    """The first of those that differ."""
    left: str = ""
    """What could not be compared, in words."""


def compare_printed(
    notebook: Iterable[Mapping[str, Any]], run: str, *, today: date, tolerance: float = 1e-9
) -> Printed:
    """Does the run print what the cell printed in the notebook, nbformat outputs?

    The run may print more before it, of the other cells that it holds. A cell that shows nothing printed is not
    compared: its output may have been cleared.

    Args:
        run: all that the run wrote to its standard output
        today: the day of the run: a line that names it names the time of its printing
    """
    texts = ["".join(one.get("text", "")) for one in notebook if _is_printed(one)]
    wanted, bars = _lines("".join(texts))
    if not wanted:
        return Printed()
    found, _ = _lines(run)
    before = max(0, len(wanted) - LONGEST)
    wanted, found = wanted[before:], found[-2 * LONGEST :]
    same, left, apart = 0, Counter[str](), list[tuple[str, str]]()
    for one, other in _paired(wanted, found):
        why = _verdict(one, other, today, tolerance)
        if why == "same":
            same += 1
        elif why == "differs":
            apart.append((one, other))
        else:
            left[why] += 1
    left.update({"redrawn": bars, "at its beginning": before})
    return Printed(
        same,
        len(apart),
        tuple(
            Difference("printed line", one[:SHORT] or "nothing printed", other[:SHORT] or "not printed")
            for one, other in apart[:TOLD]
        ),
        ", ".join(f"{count} printed {'line' if count == 1 else 'lines'} {why}" for why, count in left.items() if count),
    )


def _is_printed(output: Mapping[str, Any]) -> bool:
    return output.get("output_type") == "stream" and output.get("name") == "stdout"


def _lines(text: str) -> tuple[list[str], int]:
    """The lines with something in them, as a terminal would show them; and how many more are progress bars."""
    whole = [line.rstrip() for line in COLOURS.sub("", text).replace("\r\n", "\n").split("\n")]
    plain = [line for line in whole if line and "\r" not in line and not BAR.search(line)]
    return plain, sum(1 for line in whole if line.strip()) - len(plain)


def _paired(wanted: list[str], found: list[str]) -> Iterable[tuple[str, str]]:
    """Lines that belong together; '' stands for a line that one of the two has not."""
    ours, theirs = [_words(one) for one in wanted], [_words(one) for one in found]
    begun = False
    for kind, a, b, c, d in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if not begun and kind in ("insert", "replace"):
            c = max(c, d - (b - a))  # what stands before is of the cells before
        begun = begun or kind != "insert"
        for k in range(max(b - a, d - c)):
            yield wanted[a + k] if a + k < b else "", found[c + k] if c + k < d else ""


def _words(line: str) -> str:
    """The line without what is compared otherwise, or not at all."""
    return " ".join(RULER.sub(r"\1", FLOAT.sub("#", UNSTEADY.sub("~", line))).split())


def _floats(line: str) -> list[str]:
    return FLOAT.findall(UNSTEADY.sub("~", line))


def _verdict(one: str, other: str, today: date, tolerance: float) -> str:
    """'same', 'differs', or which lines these are, that cannot be compared."""
    if _words(one) == _words(other) and _agree(one, other, tolerance):
        return "same"
    if one and other:
        if "{" in one and sorted(re.split(r"[\s,{}]+", one)) == sorted(re.split(r"[\s,{}]+", other)):
            return "same"  # a set has no order
        if TIMING.search(one) and NUMBER.sub("#", one) == NUMBER.sub("#", other):
            return "telling a time"
        now = any(each.startswith(today.isoformat()) or ":" in each[:3] for each in MOMENT.findall(other))
        if now and _words(MOMENT.sub("~", one)) == _words(MOMENT.sub("~", other)):
            return "telling a time"
    return "differs"


def _agree(one: str, other: str, tolerance: float) -> bool:
    pairs = zip(_floats(one), _floats(other), strict=True)
    return all(a == b or abs(float(a) - float(b)) <= tolerance * max(abs(float(a)), abs(float(b))) for a, b in pairs)
