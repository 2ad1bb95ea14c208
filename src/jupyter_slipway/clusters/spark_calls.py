"""Asks a Spark Connect server over gRPC, in a process of its own: `python -m jupyter_slipway.clusters.spark_calls`.

`backends` start it through `ask`, so that the Jupyter server loads no gRPC. The three messages are written by hand:
pyspark's classes for them cost 3 seconds of processor and 140 MB to import, gRPC alone a fifteenth of the time.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import uuid
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from jupyter_slipway.clusters.spark_address import Address
from jupyter_slipway.decoding import from_json
from jupyter_slipway.errors import Forbidden, SlipwayError, Unavailable, Unprocessable

SERVICE = "/spark.connect.SparkConnectService"
WITHIN = 10.0
"""Seconds for one call."""
CLIENT_TYPE = "slipway"
INTERRUPT_BY_TAG = 2


class Question(Struct, frozen=True):
    address: Address
    token: str = ""
    tag: str = ""
    """Interrupt the operations with this tag; '': tell Spark's version."""
    sessions: list[tuple[str, str]] = []
    """Each its id and its user: where to look for the tag."""
    certificates: str = ""
    """Path of the authorities to trust; '': the system's."""


class Reply(Struct, frozen=True):
    version: str = ""
    interrupted: int = 0
    """Operations."""
    refused: str = ""
    hint: str = ""
    kind: str = ""


REFUSALS: dict[str, type[SlipwayError]] = {
    "forbidden": Forbidden,
    "unprocessable": Unprocessable,
    "unavailable": Unavailable,
}


async def ask(question: Question) -> Reply:
    """
    Raises:
        SlipwayError: why it does not answer as it should
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        __name__,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(WITHIN * 3):
            said, errors = await process.communicate(msgspec.json.encode(question))
    except TimeoutError as error:
        process.kill()
        await process.wait()
        raise Unavailable(f"{question.address.endpoint} does not answer.", hint="Try again.") from error
    if process.returncode:
        lines = errors.decode(errors="replace").strip().splitlines() or ["nothing"]
        raise Unavailable(f"Spark could not be asked: {lines[-1]}", hint="pip install 'jupyter-slipway[spark]'")
    reply = from_json(said, Reply)
    if reply.refused:
        raise REFUSALS[reply.kind](reply.refused, hint=reply.hint)
    return reply


def reply(question: Question) -> Reply:
    """In the process of its own."""
    try:
        _listens(question.address)
        with _channel(question) as channel:
            if question.tag:
                return Reply(interrupted=sum(_interrupt(channel, question, *one) for one in question.sessions))
            return Reply(version=_version(channel, question.address))
    except SlipwayError as error:
        return Reply(refused=error.message, hint=error.hint, kind=error.code)


def _listens(address: Address) -> None:
    try:
        socket.create_connection((address.host, address.port), timeout=WITHIN).close()
    except OSError as error:
        raise Unavailable(
            f"Nothing answers at {address.endpoint}: {error}.",
            hint="Look at the address, and whether the server runs.",
        ) from error


def _channel(question: Question) -> Any:
    """As pyspark makes it: a token wants encryption, but for 'localhost'."""
    import grpc

    address = question.address
    if not address.ssl and not question.token:
        return grpc.insecure_channel(address.endpoint)
    if not address.ssl and address.host == "localhost":
        credentials = grpc.local_channel_credentials()
    else:
        authorities = None
        if question.certificates:
            with open(question.certificates, "rb") as file:
                authorities = file.read()
        credentials = grpc.ssl_channel_credentials(authorities)
    if question.token:
        token = grpc.access_token_call_credentials(question.token)
        credentials = grpc.composite_channel_credentials(credentials, token)
    return grpc.secure_channel(address.endpoint, credentials)


def _version(channel: Any, address: Address) -> str:
    session, person = str(uuid.uuid4()), "slipway"
    head = _text(1, session) + _message(2, _text(1, person)) + _text(3, CLIENT_TYPE)
    answer = _call(channel, address, "AnalyzePlan", head + _message(10, b""))
    # The question has made a session: away with it.
    _call(channel, address, "ReleaseSession", head)
    return "".join(content.decode() for content in _fields(b"".join(_fields(answer, 8)), 1))


def _interrupt(channel: Any, question: Question, session: str, person: str) -> int:
    request = _text(1, session) + _message(2, _text(1, person)) + _text(3, CLIENT_TYPE)
    request += bytes([4 << 3, INTERRUPT_BY_TAG]) + _text(5, question.tag)
    return len(_fields(_call(channel, question.address, "Interrupt", request), 2))


def _call(channel: Any, address: Address, method: str, request: bytes) -> bytes:
    import grpc

    as_it_is: Callable[[bytes], bytes] = bytes
    call = channel.unary_unary(f"{SERVICE}/{method}", request_serializer=as_it_is, response_deserializer=as_it_is)
    try:
        answer: bytes = call(request, timeout=WITHIN)
    except grpc.RpcError as error:
        raise _refusal(address, error.code().name, error.details() or "") from error
    return answer


def _refusal(address: Address, code: str, details: str) -> SlipwayError:
    """In our words, by gRPC's code."""
    where, short = address.endpoint, details.partition("\n")[0][:200]
    if code in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
        return Forbidden(f"{where} does not take the token.", hint="Look at the file named in 'token_file'.")
    if "SSL" in details or "ssl" in details or "certificate" in details or "handshake" in details.lower():
        if address.ssl:
            return Unprocessable(
                f"{where} has no certificate that is trusted here, or does not encrypt: {short}",
                hint="Name its authority in 'ca_file', or leave out ';use_ssl=true'.",
            )
        return Unprocessable(
            f"{where} does not encrypt, and a token is only sent encrypted.",
            hint="Let it encrypt and add '/;use_ssl=true', or reach it as 'localhost'.",
        )
    if code == "DEADLINE_EXCEEDED":
        return Unavailable(f"{where} is there and does not answer within {WITHIN:.0f} seconds.", hint="Try again.")
    if code in ("UNIMPLEMENTED", "UNKNOWN", "INTERNAL", "UNAVAILABLE", "CANCELLED"):
        return Unprocessable(
            f"{where} does not answer as a Spark Connect server: {short or code}",
            hint="Look at the port (15002 unless it was chosen), and whether it wants '/;use_ssl=true'.",
        )
    return Unavailable(f"{where} refuses: {short or code}", hint="The server's log says more.")


# ── protobuf's wire format, as far as the three messages need it ───────────────────────────────────────────────


def _message(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _size(len(content)) + content


def _text(number: int, content: str) -> bytes:
    return _message(number, content.encode())


def _size(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _fields(content: bytes, wanted: int) -> list[bytes]:
    """The texts and messages with the number `wanted` in a message that has no other types of field."""
    found, at = [], 0
    while at < len(content):
        head, at = _read_size(content, at)
        if head & 7 != 2:
            raise ValueError(f"field {head >> 3} is no text and no message")
        size, at = _read_size(content, at)
        if head >> 3 == wanted:
            found.append(content[at : at + size])
        at += size
    return found


def _read_size(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (content[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if content[at - 1] < 0x80:
            return value, at


def main() -> None:
    # gRPC's own lines would stand before the one that matters.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    question = from_json(sys.stdin.buffer.read(), Question)
    sys.stdout.buffer.write(msgspec.json.encode(reply(question)))


if __name__ == "__main__":
    main()
