"""An address that is none, or another's, says so in its own words, and soon."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from distributed import Scheduler, Security

from jupyter_slipway.clusters import reach
from jupyter_slipway.errors import Unavailable

Server = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "SPEAK_WITHIN", 0.5)


def context(security: Security) -> ssl.SSLContext | None:
    return security.get_connection_args("client").get("ssl_context")


async def greeted_by(server: Server) -> None:
    async with await asyncio.start_server(server, "127.0.0.1", 0) as listening:
        await reach.greet(f"tcp://127.0.0.1:{listening.sockets[0].getsockname()[1]}", None)


async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    writer.close()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


@pytest.mark.parametrize("server", [web, silent, deaf], ids=["a web server", "a silent port", "a closing port"])
def test_something_else_is_not_taken_for_a_scheduler(server: Server) -> None:
    with pytest.raises(Unavailable, match="answers, but not as a Dask scheduler"):
        asyncio.run(greeted_by(server))


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "tcp://no-such-host.invalid:8786"])
def test_what_nobody_answers_at_says_so(address: str) -> None:
    with pytest.raises(Unavailable, match=f"{address} does not answer: .+"):
        asyncio.run(reach.greet(address, None))


def with_scheduler(security: Security, ask: Callable[[str], Awaitable[Any]]) -> None:
    async def run() -> None:
        protocol = "tls" if security.require_encryption else "tcp"
        async with Scheduler(
            security=security, host=f"{protocol}://127.0.0.1:0", dashboard=False, dashboard_address=":0"
        ) as scheduler:
            await ask(scheduler.address)

    asyncio.run(run())


def test_a_scheduler_is_greeted() -> None:
    with_scheduler(Security(), lambda address: reach.greet(address, None))


def test_a_scheduler_with_tls_is_greeted_with_its_certificates() -> None:
    security = Security.temporary()

    with_scheduler(security, lambda address: reach.greet(address, context(security)))


def test_a_scheduler_of_another_authority_says_that_it_is_the_certificate() -> None:
    theirs, mine = Security.temporary(), Security.temporary()

    with pytest.raises(Unavailable, match=r"certificate of tls://.* is not of the authority in 'ca'"):
        with_scheduler(theirs, lambda address: reach.greet(address, context(mine)))


def test_a_client_certificate_that_is_refused_says_so(tmp_path: Path) -> None:
    theirs, mine = Security.temporary(), Security.temporary()
    mixed = Security(
        tls_ca_file=theirs.tls_ca_file,
        tls_client_cert=mine.tls_client_cert,
        tls_client_key=mine.tls_client_key,
        require_encryption=True,
    )

    with pytest.raises(Unavailable, match="refuses your certificate"):
        with_scheduler(theirs, lambda address: reach.greet(address, context(mixed)))


def test_the_wrong_protocol_hints_at_the_other() -> None:
    with pytest.raises(Unavailable) as refused:
        with_scheduler(Security.temporary(), lambda address: reach.greet(address.replace("tls://", "tcp://"), None))

    assert "tls://" in refused.value.hint
