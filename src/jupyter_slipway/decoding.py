"""JSON and plain values as the types that they are to be; the one place that asks msgspec for it.

msgspec 0.22 works out what a Struct holds when it is first decoded, and a second thread that decodes the same Struct at
that moment ends the process with a segmentation fault. So what a type holds is worked out under a lock; what is known
is decoded without one.
"""

from __future__ import annotations

import threading
from typing import Any, TypeVar, overload

import msgspec

T = TypeVar("T")

_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}
_lock = threading.Lock()


@overload
def from_json(content: bytes | str, kind: type[T]) -> T: ...
@overload
def from_json(content: bytes | str, kind: Any = Any) -> Any: ...
def from_json(content: bytes | str, kind: Any = Any) -> Any:
    """
    Raises:
        msgspec.ValidationError: it is JSON of something else
        msgspec.DecodeError: it is no JSON
    """
    return _decoder(kind).decode(content)


@overload
def from_builtins(value: Any, kind: type[T], *, strict: bool = True) -> T: ...
@overload
def from_builtins(value: Any, kind: Any, *, strict: bool = True) -> Any: ...
def from_builtins(value: Any, kind: Any, *, strict: bool = True) -> Any:
    """
    Args:
        strict: False takes texts for the numbers and truth values that they spell, as in a query

    Raises:
        msgspec.ValidationError: it is something else
    """
    _decoder(kind)
    return msgspec.convert(value, kind, strict=strict)


def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    found = _decoders.get(kind)
    if found is None:
        with _lock:
            found = _decoders[kind] = msgspec.json.Decoder(kind)
    return found
