"""A difference as lines for a terminal: changed cells with a little around each change, the rest folded.

Pure: a line is a list of (style, text), and whoever prints it knows what the styles look like.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any, Literal

from jupyter_slipway.notebooks.diff import RESULTS, Diff

Style = Literal["", "head", "dim", "old", "new", "old word", "new word"]
Line = list[tuple[Style, str]]
Lines = Generator[Line, None, None]
CONTEXT = 3
"""Unchanged lines shown before and after a change."""
SHOWN = 100
"""Characters of a value that stands on one line."""


def compared(
    old: str, new: str, a: Mapping[str, Any], b: Mapping[str, Any], diff: Diff, *, outputs: bool = False
) -> list[Line]:
    """`marked` under what the two, of which the files differ, are called."""
    head: list[Line] = [[("old", f"--- {old}")], [("new", f"+++ {new}")]]
    lines = list(marked(a, b, diff, outputs=outputs))
    return head + (lines or [[("dim", "The cells are the same; the files' layout differs.")]])


def marked(a: Mapping[str, Any], b: Mapping[str, Any], diff: Diff, *, outputs: bool = False) -> Lines:
    """The lines that show `diff`, which turns `a` into `b`.

    Args:
        outputs: show how outputs differ; else one line at the end says in how many cells they do
    """
    rerun = 0
    for entry in diff:
        if entry["key"] == "cells" and entry["op"] == "patch":
            rerun = yield from _cells(a["cells"], b["cells"], entry["diff"], outputs)
    for entry in diff:
        if entry["key"] != "cells":
            yield from _value(f"notebook {entry['key']}", a.get(entry["key"]), entry)
    if rerun:
        yield [("dim", f"{_count(rerun, 'cell')} ran again with other outputs: --outputs shows them")]


def _cells(a: Sequence[Any], b: Sequence[Any], diff: Diff, outputs: bool) -> Generator[Line, None, int]:
    """Gives how many cells differ in what is not shown."""
    hidden = done = shift = folded = 0
    for entry in diff:
        at, op = entry["key"], entry["op"]
        folded, done = folded + at - done, at
        if op == "patch":
            done = at + 1
            shown = list(_cell(a[at], b[at + shift], entry["diff"], outputs))
            if not shown:
                hidden, folded = hidden + 1, folded + 1
                continue
        yield from _fold(folded)
        folded = 0
        if op == "addrange":
            shift += len(entry["valuelist"])
            for cell in entry["valuelist"]:
                yield from _whole("new", "added", cell)
        elif op == "removerange":
            done, shift = at + entry["length"], shift - entry["length"]
            for index in range(at, done):
                yield from _whole("old", "removed", a[index], index)
        else:
            yield [("head", _title(a[at], at))]
            yield from shown
    yield from _fold(folded + len(a) - done)
    return hidden


def _each(style: Style, texts: Iterable[str]) -> Lines:
    for text in texts:
        yield [(style, text)]


def _fold(cells: int) -> Lines:
    if cells:
        yield [("dim", f"… {_count(cells, 'unchanged cell')}")]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _title(cell: Mapping[str, Any], index: int | None = None, became: str = "") -> str:
    place = "cell" if index is None else f"cell {index + 1}"
    return " · ".join(filter(None, [place, cell["cell_type"], cell.get("id", ""), became]))


def _whole(style: Literal["old", "new"], became: str, cell: Mapping[str, Any], index: int | None = None) -> Lines:
    yield [("head", _title(cell, index, became))]
    for line in cell["source"].splitlines() or [""]:
        yield [(style, f"{'-' if style == 'old' else '+'} {line}")]


def _cell(a: Mapping[str, Any], b: Mapping[str, Any], diff: Diff, outputs: bool) -> Lines:
    by_key = {entry["key"]: entry for entry in diff}
    if source := by_key.pop("source", None):
        yield from _text(a["source"], source["diff"])
    for key, entry in by_key.items():
        if key == "outputs" and outputs and entry["op"] == "patch":
            yield from _outputs(a["outputs"], entry["diff"])
        elif key not in RESULTS and key != "id":
            yield from _value(key, a.get(key), entry)


def _outputs(a: Sequence[Any], diff: Diff) -> Lines:
    for entry in diff:
        at = entry["key"]
        if entry["op"] == "patch":
            yield [("dim", f"  output {at + 1} · {a[at]['output_type']}")]
            for part in entry["diff"]:
                if part["key"] == "data" and part["op"] == "patch":
                    for one in part["diff"]:
                        yield from _value(one["key"], a[at]["data"].get(one["key"]), one)
                elif part["key"] != "execution_count":
                    yield from _value(part["key"], a[at].get(part["key"]), part)
        elif entry["op"] == "addrange":
            for output in entry["valuelist"]:
                yield from _output("new", output)
        else:
            for output in a[at : at + entry["length"]]:
                yield from _output("old", output)


def _output(style: Literal["old", "new"], output: Mapping[str, Any]) -> Lines:
    sign = "-" if style == "old" else "+"
    yield [("dim", f"  output · {output['output_type']}")]
    shown = {"": output["text"]} if "text" in output else output.get("data") or {"": output.get("ename", "")}
    for mime, value in shown.items():
        if isinstance(value, str) and (not mime or mime == "text/plain"):
            for line in value.splitlines():
                yield [(style, f"{sign} {line}")]
        else:
            yield [(style, f"{sign} {mime} {_brief(value)}")]


def _value(name: str, old: Any, entry: Mapping[str, Any]) -> Lines:
    """One value that is not a source."""
    if entry["op"] == "patch" and isinstance(old, str):
        yield [("dim", f"  {name}")]
        yield from _text(old, entry["diff"])
    elif entry["op"] == "patch" and isinstance(old, dict):
        for inner in entry["diff"]:
            yield from _value(f"{name}.{inner['key']}", old.get(inner["key"]), inner)
    elif entry["op"] == "patch":
        for inner in entry["diff"]:
            gone = old[inner["key"] : inner["key"] + inner.get("length", 0)]
            yield from _each("old", (f"- {name}: {_brief(item)}" for item in gone))
            yield from _each("new", (f"+ {name}: {_brief(item)}" for item in inner.get("valuelist", ())))
    else:
        if entry["op"] != "add":
            yield [("old", f"- {name}: {_brief(old)}")]
        if entry["op"] != "remove":
            yield [("new", f"+ {name}: {_brief(entry['value'])}")]


def _brief(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if len(text) <= SHOWN and "\n" not in text:
        return text
    return f"({len(text):,} characters)"


def _text(old: str, diff: Diff) -> Lines:
    """Lines of a text with its changes, and `CONTEXT` lines around them."""
    lines = old.splitlines(True)
    shown_to = done = 0
    olds: list[Line] = []
    news: list[Line] = []
    for entry in diff:
        at = entry["key"]
        if at > done:
            # A stretch that changed is over: what it was, then what it became.
            yield from olds + news
            olds, news = [], []
            yield from _around(lines, done if shown_to else 0, at, first=not shown_to)
        shown_to = 1
        done = max(done, at)
        if entry["op"] == "addrange":
            news += [[("new", f"+ {line.rstrip()}")] for line in entry["valuelist"]]
        elif entry["op"] == "removerange":
            done = at + entry["length"]
            olds += [[("old", f"- {line.rstrip()}")] for line in lines[at:done]]
        else:
            done = at + 1
            before, after = _words(lines[at], entry["diff"])
            if all(style in ("old", "new") for style, _ in before + after):
                # Only its line end came or went.
                yield from olds + news
                olds, news = [], [[("", "  "), ("", lines[at].rstrip())]]
                continue
            olds.append([("old", "- "), *before])
            news.append([("new", "+ "), *after])
    yield from olds + news
    yield from _each("", (f"  {line.rstrip()}" for line in lines[done : done + CONTEXT]))


def _around(lines: Sequence[str], start: int, end: int, *, first: bool) -> Lines:
    """Unchanged lines start:end between two changes, the middle left out."""
    if not first:
        yield from _each("", (f"  {line.rstrip()}" for line in lines[start : min(end, start + CONTEXT)]))
        start = min(end, start + CONTEXT)
    if end - start > CONTEXT:
        yield [("dim", "  ⋮")]
        start = end - CONTEXT
    yield from _each("", (f"  {line.rstrip()}" for line in lines[start:end]))


def _words(line: str, diff: Diff) -> tuple[Line, Line]:
    """A line before and after, the words that changed marked."""
    before: Line = []
    after: Line = []
    done = 0
    for entry in diff:
        at = entry["key"]
        before.append(("old", line[done:at]))
        after.append(("new", line[done:at]))
        done = max(done, at)
        if entry["op"] == "addrange":
            after.append(("new word", entry["valuelist"]))
        else:
            done = at + entry["length"]
            before.append(("old word", line[at:done]))
    before.append(("old", line[done:]))
    after.append(("new", line[done:]))
    return _ended(before), _ended(after)


def _ended(line: Line) -> Line:
    return [(style, text.rstrip("\r\n")) for style, text in line if text.rstrip("\r\n")]
