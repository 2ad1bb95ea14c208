"""What is said of notebooks and of the store of their outputs, as values."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


def as_size(count: int) -> str:
    """A count of bytes, for people."""
    return f"{count / 2**20:,.1f} MB" if count >= 2**20 else f"{count / 2**10:,.1f} kB"


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

    @property
    def said(self) -> str:
        gone = f"Freed {as_size(self.size)}: {self.versions} versions, {self.blobs} outputs."
        return f"{gone} Kept {self.kept_versions} versions, {as_size(self.kept_size)}. {self.note}".strip()


class Usage(Struct, frozen=True):
    """What a store holds."""

    folder: str
    notebooks: int
    versions: int
    blobs: int
    size: int
    """Bytes on the disk."""
    collected_at: float | None = None
    """When room was made in it last, in seconds since 1970."""
    freed: Freed | None = None
    """What that freed."""


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


class CellInputs(Struct, frozen=True):
    """What a page says of a cell."""

    id: str
    cell_type: str
    source: str


class Edit(Struct, frozen=True):
    """Characters to be replaced, counted as JavaScript does."""

    start: int
    end: int
    text: str


class FollowedCell(Struct, frozen=True):
    """A cell as it is to be."""

    mine: int | None
    """Its place among the page's cells; None for a new one."""
    edits: list[Edit]
    """Of its source, last first."""
    cell: dict[str, Any] | None = None
    """All of a new one; and of one whose outputs the page has not changed, as it is on disk."""
    mark: dict[str, Any] | None = None
    """What is said of the outputs of `cell`, when they are of an earlier source."""
    was: str = ""
    """Of one that keeps the page's outputs: a digest of the source that it had."""
    now: str = ""
    """And of the one that it has then; the same where only its layout changed."""


class Followed(Struct, frozen=True):
    cells: list[FollowedCell]
    """In their order; a cell of the page that is not among them was removed on disk."""
    base: list[CellInputs]
    """What is on disk: from there the next change starts."""
    said: dict[str, Any]
    """What a notebook carries, so that a save says which version it began with."""
    conflicts: int
    """Cells that hold both sides between marks."""
    hash: str
    """sha256 of the file's bytes."""


class FollowedText(Struct, frozen=True):
    edits: list[Edit]
    """Of the page's text, last first."""
    base: str
    """What is on disk, its lines ended by '\\n': from there the next change starts."""
    newline: str
    """How its lines end on disk."""
    conflicts: int
    """Places that hold both sides between marks."""
    hash: str
    """sha256 of the file's bytes."""
