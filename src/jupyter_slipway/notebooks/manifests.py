"""A notebook as the record that belongs to one text: ids, outputs, counters; large payloads by their digest.

`store` keeps the records. Each is signed together with the id of its text: one that was made elsewhere, changed or put
under another text gives back outputs that count as untrusted.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from jupyter_slipway.decoding import from_builtins, from_json
from jupyter_slipway.notebooks.blobs import LARGEST, Blobs, digest_of
from jupyter_slipway.notebooks.text import OURS, joined

MAGIC = b"slipway-outputs 1 "
INLINE = 1024
"""Characters; shorter payloads stand in the record itself."""
REMEMBERED = 4096
"""Payloads whose digest is known by the digest of their base64 text: decoding costs four times as much."""
DIGEST = re.compile(r"[0-9a-f]{64}")
TEXTUAL = ("text/", "image/svg+xml", "application/javascript", "application/json", "application/vnd.")
Json = Any


class Record(Struct, frozen=True):
    """One version of a notebook."""

    path: str
    """Where it was saved, relative to the folder that holds the store."""
    metadata: dict[str, Json]
    cells: list[dict[str, Json]]
    """nbformat's cells; payloads as `Packer` left them."""
    trusted: bool = False
    """Whether whoever saved it trusted its outputs."""
    header: str = ""
    """Fingerprint of what stands before the first marker of a percent text."""
    pieces: list[str] = []
    """Fingerprint of each cell's bytes in a percent text, so that the next reader parses only what changed."""
    made: list[str] = []
    """Of which source each cell's outputs are, by its digest: somebody may have typed since it ran."""


class _Output(Struct):
    output_type: str
    data: dict[str, Json] = {}
    metadata: dict[str, Json] = {}


class _Text(Struct):
    id: str
    cell_type: Literal["markdown", "raw"]
    source: str
    metadata: dict[str, Json]
    attachments: dict[str, dict[str, Json]] = {}


class _Code(Struct):
    id: str
    cell_type: Literal["code"]
    source: str
    metadata: dict[str, Json]
    outputs: list[_Output]
    execution_count: Json
    attachments: dict[str, dict[str, Json]] = {}


class Packer:
    """Payloads to references and back."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._known: OrderedDict[bytes, dict[str, Json]] = OrderedDict()

    def pack(self, path: str, notebook: Mapping[str, Json], *, trusted: bool, store: bool = True) -> Record:
        """The record of a notebook, its payloads being stored."""
        new: dict[str, bytes] = {}
        cells = [self._pack_cell(cell, new) for cell in notebook["cells"]]
        metadata = {key: value for key, value in notebook["metadata"].items() if key != OURS}
        if "widgets" in metadata:
            metadata["widgets"] = self._pack_value("application/json", metadata["widgets"], new)
        if store:
            self._blobs.put(new)
        return Record(path, metadata, cells, trusted)

    def unpack(self, record: Record) -> dict[str, Json]:
        """The notebook, nbformat 4.5; for a payload that is not here, a note that says so."""
        metadata = dict(record.metadata)
        if "widgets" in metadata:
            metadata["widgets"] = self._unpack_value(metadata["widgets"])
            if metadata["widgets"] is None:
                del metadata["widgets"]
        cells = [self.unpack_cell(cell) for cell in record.cells]
        return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}

    def unpack_cell(self, packed: Mapping[str, Json]) -> dict[str, Json]:
        cell = {**packed, "metadata": dict(packed["metadata"])}
        if "outputs" in packed:
            cell["outputs"] = [self._unpack_output(output) for output in packed["outputs"]]
        if "attachments" in packed:
            cell["attachments"] = {
                name: {mime: self._unpack_value(value) or "" for mime, value in bundle.items()}
                for name, bundle in packed["attachments"].items()
            }
        return cell

    def _pack_cell(self, cell: Mapping[str, Json], new: dict[str, bytes]) -> dict[str, Json]:
        metadata = {key: value for key, value in cell["metadata"].items() if key != "trusted"}
        packed: dict[str, Json] = {
            "id": cell["id"],
            "cell_type": cell["cell_type"],
            "source": joined(cell["source"]),
            "metadata": metadata,
        }
        if cell["cell_type"] == "code":
            packed["execution_count"] = cell.get("execution_count")
            packed["outputs"] = [self._pack_output(output, new) for output in cell.get("outputs", ())]
        if cell.get("attachments"):
            packed["attachments"] = {
                name: {mime: self._pack_value(mime, value, new) for mime, value in bundle.items()}
                for name, bundle in cell["attachments"].items()
            }
        return packed

    def _pack_output(self, output: Mapping[str, Json], new: dict[str, bytes]) -> dict[str, Json]:
        missing = output.get("metadata", {}).get(OURS, {}).get("missing")
        if missing:
            return dict(missing)
        packed = dict(output)
        if "data" in packed:
            packed["data"] = {mime: self._pack_value(mime, value, new) for mime, value in packed["data"].items()}
        if "text" in packed:
            packed["text"] = self._pack_value("text/plain", packed["text"], new)
        return packed

    def _unpack_output(self, packed: Mapping[str, Json]) -> dict[str, Json]:
        output = dict(packed)
        lost = [value for value in _references(packed) if not self._is_here(value)]
        if lost:
            return _missing(packed, lost)
        if "data" in output:
            output["data"] = {mime: self._unpack_value(value) for mime, value in output["data"].items()}
            if None in output["data"].values():
                return _missing(packed, list(_references(packed)))
        if "text" in output:
            output["text"] = self._unpack_value(output["text"])
            if output["text"] is None:
                return _missing(packed, list(_references(packed)))
        return output

    def _is_here(self, reference: Mapping[str, Json]) -> bool:
        return bool(DIGEST.fullmatch(str(reference["$blob"])))

    def _pack_value(self, mime: str, value: Json, new: dict[str, bytes]) -> Json:
        if isinstance(value, list) and not mime.endswith("json") and all(isinstance(one, str) for one in value):
            value = "".join(value)
        if isinstance(value, str):
            return value if len(value) < INLINE else self._pack_text(mime, value, new)
        content = msgspec.json.encode(value)
        if len(content) < INLINE:
            return {"$inline": value}
        return _put(content, "json", new)

    def _pack_text(self, mime: str, value: str, new: dict[str, bytes]) -> Json:
        if mime.startswith(TEXTUAL):
            return _put(value.encode("utf-8", "surrogatepass"), "text", new)
        content = value.encode("utf-8", "surrogatepass")
        key = hashlib.sha256(content).digest()
        known = self._known.get(key)
        if known and self._blobs.keep(known["$blob"], known["size"]):
            self._known.move_to_end(key)
            return known
        body = content[:-1] if content.endswith(b"\n") else content
        try:
            raw = binascii.a2b_base64(body)
        except binascii.Error:
            return _put(content, "text", new)
        if binascii.b2a_base64(raw, newline=False) != body:  # line breaks or another padding: kept as they are
            return _put(content, "text", new)
        packed = _put(raw, "base64" if body is content else "base64\n", new)
        self._known[key] = packed
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return packed

    def _unpack_value(self, packed: Json) -> Json:
        """None when it is not here."""
        if not isinstance(packed, Mapping):
            return packed
        if "$inline" in packed:
            return packed["$inline"]
        digest = str(packed.get("$blob"))
        content = self._blobs.get(digest) if DIGEST.fullmatch(digest) else None
        if content is None:
            return None
        kind = packed.get("as")
        if kind == "json":
            return from_json(content)
        if kind == "text":
            return content.decode("utf-8", "surrogatepass")
        return binascii.b2a_base64(content, newline=kind == "base64\n").decode()


def seal(record: Record, text_id: str, key: bytes) -> bytes:
    """A record as it is stored."""
    body = zlib.compress(msgspec.json.encode(record), 1)
    return MAGIC + _signature(body, text_id, key) + b"\n" + body


def unseal(stored: bytes, text_id: str, key: bytes) -> tuple[Record, bool] | None:
    """The record, and whether it was sealed here for this text; None when it cannot be read, or used."""
    head, _, body = stored.partition(b"\n")
    if not head.startswith(MAGIC):
        return None
    try:
        unpacker = zlib.decompressobj()
        content = unpacker.decompress(body, LARGEST)
        if not unpacker.eof:
            return None
        record = from_json(content, Record)
    except (zlib.error, msgspec.MsgspecError):
        return None
    ours = hmac.compare_digest(head[len(MAGIC) :], _signature(body, text_id, key))
    return (record, ours) if ours or _is_sound(record) else None


def _is_sound(record: Record) -> bool:
    """Whether it says of cells what `Packer` does: it is somebody else's, and may say anything."""
    try:
        for cell in record.cells:
            from_builtins(cell, _Code if cell.get("cell_type") == "code" else _Text)
    except msgspec.ValidationError:
        return False
    marks = [cell["metadata"].get(OURS, {}) for cell in record.cells]
    return len(record.made) in (0, len(record.cells)) and all(isinstance(mark, Mapping) for mark in marks)


def digests(record: Record) -> Iterator[str]:
    """Of all blobs that a record needs."""
    values: list[Json] = [record.metadata.get("widgets"), *record.cells]
    while values:
        value = values.pop()
        if isinstance(value, Mapping):
            if isinstance(value.get("$blob"), str):
                yield value["$blob"]
            values.extend(value.values())
        elif isinstance(value, list):
            values.extend(value)


def _signature(body: bytes, text_id: str, key: bytes) -> bytes:
    return hmac.new(key, text_id.encode() + b"\n" + body, "sha256").hexdigest().encode()


def _put(content: bytes, kind: str, new: dict[str, bytes]) -> dict[str, Json]:
    digest = digest_of(content)
    new[digest] = content
    return {"$blob": digest, "as": kind, "size": len(content)}


def _references(packed: Mapping[str, Json]) -> Iterator[Mapping[str, Json]]:
    values = [*packed.get("data", {}).values(), packed.get("text")]
    yield from (value for value in values if isinstance(value, Mapping) and "$blob" in value)


def _missing(packed: Mapping[str, Json], lost: list[Mapping[str, Json]]) -> dict[str, Json]:
    size = sum(int(one.get("size", 0)) for one in lost)
    kinds = ", ".join(packed.get("data", {})) or "text"
    said = f"[This output ({kinds}; {size:,} bytes) is not on this machine. Run the cell again to make it.]"
    metadata = {OURS: {"missing": dict(packed)}}
    return {"output_type": "display_data", "metadata": metadata, "data": {"text/plain": said}}
