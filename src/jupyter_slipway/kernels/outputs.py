"""What cells show after what a kernel said, as JupyterLab has it: streams merged, carriage returns, display ids. Pure.

Kept by `documents`, which writes it into the shared notebook.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

Output = dict[str, Any]
"""As nbformat has it."""
SHOWN = frozenset({"display_data", "execute_result", "error"})
CONTROL = re.compile("[\n\b\r]")


class Outputs:
    """Of one execution: everything that its cell shows, oldest first."""

    def __init__(self) -> None:
        self.items: list[Output] = []
        self.since = 0
        """The first item that is not what it was when `settle` was last called."""
        self._clears = False
        self._stream = ""
        self._column = 0

    def settle(self) -> None:
        self.since = len(self.items)

    def add(self, output: Output) -> None:
        if self._clears:
            self.clear()
        if output["output_type"] != "stream":
            self._stream = ""
            self.items.append(output)
            return
        if self.items and self._stream == output["name"]:
            last = self.items[-1]
            text, self._column = overwritten(last["text"], self._column, output["text"])
            if text != last["text"]:
                self.items[-1] = {**last, "text": text}
                self.since = min(self.since, len(self.items) - 1)
            return
        text, self._column = overwritten("", 0, output["text"])
        self._stream = output["name"]
        self.items.append({**output, "text": text})

    def clear(self, *, wait: bool = False) -> None:
        """`wait`: only when there is something else to show."""
        self._clears = wait
        if not wait:
            self._stream = ""
            self.items, self.since = [], 0

    def replace(self, index: int, output: Output) -> None:
        self.items[index] = output
        self.since = min(self.since, index)


class Displays:
    """Which outputs of which executions have which display id: one cell may change what another shows."""

    def __init__(self) -> None:
        self._places: dict[str, list[tuple[Outputs, Output]]] = {}

    def note(self, display: str, outputs: Outputs, output: Output) -> None:
        self._places.setdefault(display, []).append((outputs, output))

    def update(self, display: str, content: Mapping[str, Any]) -> list[Outputs]:
        """Show something else wherever this id is shown; those that are not what they were."""
        places, kept, changed = self._places.get(display, []), [], []
        for outputs, output in places:
            index = next((i for i, one in enumerate(outputs.items) if one is output), None)
            if index is None:
                continue  # cleared since
            fresh = shown("display_data", content) | {"output_type": output["output_type"]}
            if "execution_count" in output:
                fresh["execution_count"] = output["execution_count"]
            outputs.replace(index, fresh)
            kept.append((outputs, fresh))
            if outputs not in changed:
                changed.append(outputs)
        self._places[display] = kept
        return changed

    def forget(self, outputs: Outputs) -> None:
        """What an execution showed is no longer shown: its cell runs again, or is gone."""
        for display, places in list(self._places.items()):
            kept = [place for place in places if place[0] is not outputs]
            if kept:
                self._places[display] = kept
            else:
                del self._places[display]


def take(kind: str, content: Mapping[str, Any], outputs: Outputs, displays: Displays) -> list[Outputs]:
    """Let an iopub message show; those whose items are not what they were.

    Args:
        kind: its msg_type
        outputs: of the execution that it answers
    """
    if kind == "clear_output":
        outputs.clear(wait=bool(content.get("wait")))
        return [outputs]
    display = (content.get("transient") or {}).get("display_id")
    if kind == "update_display_data":
        return displays.update(display, content) if display else []
    if kind == "stream":
        outputs.add({"output_type": "stream", "name": content["name"], "text": content["text"]})
    elif kind in SHOWN:
        output = shown(kind, content)
        outputs.add(output)
        if display:
            displays.note(display, outputs, output)
    else:
        return []
    return [outputs]


def shown(kind: str, content: Mapping[str, Any]) -> Output:
    """A message's content as an output; what only the protocol needs is left out."""
    return {"output_type": kind} | {name: copy.deepcopy(one) for name, one in content.items() if name != "transient"}


def overwritten(text: str, column: int, new: str) -> tuple[str, int]:
    """`text` after `new` was printed on it at `column`, as a terminal would; and the next column.

    Args:
        column: an index of `text`, in its last line
    """
    if column == len(text) and not ("\b" in new or "\r" in new):
        return text + new, column + len(new)
    at = 0
    for found in CONTROL.finditer(new):
        text, column = _printed(text, column, new[at : found.start()])
        at = found.end()
        if found[0] == "\n":
            text += "\n"
            column = len(text)
        elif found[0] == "\r":
            column = text.rfind("\n", 0, column) + 1
        elif column > 0 and text[column - 1] != "\n":
            text = text[: column - 1] + text[column:]
            column -= 1
    return _printed(text, column, new[at:])


def _printed(text: str, column: int, new: str) -> tuple[str, int]:
    return text[:column] + new + text[column + len(new) :], column + len(new)
