"""Whether a Dask scheduler answers at an address, asked on the wire before Dask itself is let near it.

Dask waits for ever on a port that says nothing, and takes what a web server says for the size of a message.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from urllib.parse import urlsplit

from jupyter_slipway.errors import Unavailable

CONNECT_WITHIN = 5.0
SPEAK_WITHIN = 5.0
"""Seconds; a scheduler speaks first, and at once."""
LONGEST_GREETING = 1 << 20
"""Bytes; Dask's is a few hundred."""


async def greet(address: str, context: ssl.SSLContext | None) -> None:
    """
    Args:
        address: 'tcp://HOST:PORT' or 'tls://HOST:PORT'
        context: for tls

    Raises:
        Unavailable: nothing answers, something else does, or it wants other certificates; the message says which
    """
    parts = urlsplit(address)
    reader, writer = await _connected(address, parts.hostname or "", parts.port or 0, context)
    try:
        async with asyncio.timeout(SPEAK_WITHIN):
            said = await reader.readexactly(8)
    except ssl.SSLError as error:
        raise Unavailable(f"{address} refuses your certificate: {_reason(error)}.", hint=CERTIFICATES) from error
    except (TimeoutError, EOFError, OSError) as error:
        raise _something_else(address, context) from error
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    if int.from_bytes(said, "little") > LONGEST_GREETING:
        raise _something_else(address, context)


CERTIFICATES = "Ask who runs the scheduler for the files of ca, cert and key."


async def _connected(
    address: str, host: str, port: int, context: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        async with asyncio.timeout(CONNECT_WITHIN):
            return await asyncio.open_connection(host, port, ssl=context)
    except ssl.SSLCertVerificationError as error:
        raise Unavailable(
            f"The certificate of {address} is not of the authority in 'ca': {_reason(error)}.", hint=CERTIFICATES
        ) from error
    except (ssl.SSLError, ConnectionResetError) as error:
        raise _something_else(address, context) from error
    except (OSError, TimeoutError) as error:
        why = getattr(error, "strerror", None) or f"nothing within {CONNECT_WITHIN:.0f} s"
        raise Unavailable(
            f"{address} does not answer: {why}.", hint="Is the scheduler running, and can it be reached from here?"
        ) from error


def _something_else(address: str, context: ssl.SSLContext | None) -> Unavailable:
    other = "tcp://" if context else "tls://"
    return Unavailable(
        f"{address} answers, but not as a Dask scheduler.",
        hint=f"Is it the scheduler's port, and not its dashboard's? Or does it speak {other}?",
    )


def _reason(error: ssl.SSLError) -> str:
    return (getattr(error, "verify_message", "") or error.reason or str(error)).replace("_", " ").lower()
