"""What a store of outputs is said to be, as values."""

from __future__ import annotations

from msgspec import Struct


class Usage(Struct, frozen=True):
    """What a store holds."""

    folder: str
    notebooks: int
    versions: int
    blobs: int
    size: int
    """Bytes on the disk."""


class Freed(Struct, frozen=True):
    """What making room did, or would do."""

    versions: int
    blobs: int
    size: int
    """Bytes."""
    kept_versions: int
    kept_size: int
    note: str = ""
    """Why more was kept than had to be; '' when it was not."""


class Finding(Struct, frozen=True):
    what: str
    name: str


class Health(Struct, frozen=True):
    """What a look at everything found."""

    versions: int
    blobs: int
    size: int
    """Bytes that were read."""
    findings: list[Finding]
    """What is not as it should be; nothing of it blocks opening a notebook."""
