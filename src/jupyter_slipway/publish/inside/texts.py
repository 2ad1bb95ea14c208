"""What a value or an output says in few words, without memory addresses."""

from __future__ import annotations

import re
from reprlib import Repr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SHORT = 200
"""Characters of a value's short text."""
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
COUNTED = re.compile(r"\b(param|view|concat)_\d+\b")
TEXTS = Repr()
TEXTS.maxstring = TEXTS.maxother = TEXTS.maxlong = SHORT
TEXTS.maxlist = TEXTS.maxtuple = TEXTS.maxset = TEXTS.maxfrozenset = TEXTS.maxdict = TEXTS.maxdeque = 12
TEXTS.maxlevel = 4


def shortly(value: Any) -> str:
    """At most 200 characters, without memory addresses."""
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape and not isinstance(value, type):
        size = getattr(value, "size", 99)
        if not isinstance(size, int) or size > 12:
            return f"{type(value).__name__} of shape {shape}"
    try:
        text = ADDRESS.sub("", TEXTS.repr(value))
    except Exception as error:  # the object's own code
        text = f"<{type(value).__name__}: its repr failed with {type(error).__name__}>"
    return text if len(text) <= SHORT else f"{text[: SHORT - 1]}…"


def told(output: dict[str, Any]) -> list[str]:
    """Of an output: its kind, and its text without addresses; a picture's bytes differ from one drawing to the next."""
    if output.get("output_type") == "stream":
        return ["stream", ADDRESS.sub("", "".join(output.get("text", "")))]
    data = output.get("data", {})
    if any(mime.startswith("image/") for mime in data):
        return ["image"]
    return ["shown", ADDRESS.sub("", "".join(data.get("text/plain", "")))]


def uncounted(text: str) -> str:
    """A text of an Altair chart without how many were made before in this process, which is part of the names in it."""
    return COUNTED.sub(r"\1", text)
