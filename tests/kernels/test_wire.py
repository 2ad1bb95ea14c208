"""What goes over the stream comes out as it went in, however it was cut up."""

from __future__ import annotations

import random

import pytest
from jupyter_server.services.kernels.connection.base import deserialize_msg_from_ws_v1, serialize_msg_to_ws_v1

from jupyter_slipway.kernels.host.wire import Frame, Message, Parser, message, pack, unpack

PARTS = [b'{"msg_type":"x"}', b"{}", b"{}", b'{"a":1}', b"\0\1\2", b""]


def test_frames_come_out_whole_wherever_the_stream_is_cut() -> None:
    frames = [Frame(kind, number, bytes(number % 300)) for number, kind in enumerate([0, 1, 2] * 50)]
    data = b"".join(frame.encode() for frame in frames)
    cuts = sorted(random.Random(1).sample(range(len(data)), 90))
    parser = Parser()

    found = [
        one for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True) for one in parser.feed(data[start:end])
    ]

    assert found == frames


@pytest.mark.parametrize("step", [1, 5, 13, 14, 100, 1000])
def test_frames_come_out_whole_however_short_the_pieces_are(step: int) -> None:
    frames = [Frame(1, number, random.Random(number).randbytes(7 * number)) for number in range(40)]
    data = b"".join(frame.encode() for frame in frames)
    parser = Parser()

    found = [one for start in range(0, len(data), step) for one in parser.feed(data[start : start + step])]

    assert found == frames


def test_a_message_is_what_jupyter_makes_of_it() -> None:
    assert pack("shell", PARTS) == serialize_msg_to_ws_v1(PARTS, "shell")
    assert unpack(pack("shell", PARTS)) == deserialize_msg_from_ws_v1(pack("shell", PARTS)) == ("shell", PARTS)


@pytest.mark.parametrize(
    "data",
    [b"", b"\1", bytes(64), b"\xff" * 80, pack("shell", PARTS)[:-9], b"\6" + bytes(7) + b"\xff" * 48],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"not a message|outside"):
        unpack(data)


def test_a_header_can_be_exchanged_and_the_rest_stays() -> None:
    said = Message(message("iopub", {"msg_type": "stream"}, {"msg_id": "a"}, {"text": "é"}), 7)

    other = said.with_header(said.header | {"username": "ada"})

    assert (other.header["username"], other.type, other.parent, other.content) == (
        "ada",
        "stream",
        {"msg_id": "a"},
        {"text": "é"},
    )
    assert (other.channel, other.number) == ("iopub", 7)
