"""What pages ask of a kernel, until its host has it: a line that breaks meanwhile loses nothing and doubles nothing.

Kept by `link`. What is asked while the host is out of reach waits; an execution that was on its way when the line
broke is handed over again, and the host passes over those that it knows.
"""

from __future__ import annotations

from jupyter_slipway.errors import Unavailable
from jupyter_slipway.kernels.host.wire import Message

LIMIT = 16 << 20
"""Bytes that may wait."""


class Outbox:
    def __init__(self) -> None:
        self._sent: dict[str, Message] = {}
        """By id: executions that were written to the stream, and that the host has not yet told of."""
        self._waiting: list[Message] = []
        self._size = 0

    def sent(self, message: Message) -> None:
        """It is on its way."""
        if _is_queued(message):
            self._sent[str(message.header["msg_id"])] = message

    def arrived(self, identity: str) -> None:
        """The host has told of this execution."""
        self._sent.pop(identity, None)

    def hold(self, message: Message) -> None:
        """
        Raises:
            Unavailable: too much waits already
        """
        if self._size + len(message.payload) > LIMIT:
            raise Unavailable(
                f"The kernel cannot be reached now, and {self._size >> 20} MB wait for it already.",
                hint="Wait until it is back, or restart it.",
            )
        self._size += len(message.payload)
        self._waiting.append(message)

    @property
    def empty(self) -> bool:
        """Whether the host has told of all that was asked."""
        return not self._sent and not self._waiting

    def take_sent(self) -> list[Message]:
        """Those of which it is not known that they arrived; they are ours no longer."""
        taken, self._sent = list(self._sent.values()), {}
        return taken

    def take_waiting(self) -> list[Message]:
        taken, self._waiting, self._size = self._waiting, [], 0
        return taken


def _is_queued(message: Message) -> bool:
    """Whether the host puts it into its queue, and so tells of it."""
    return (
        message.type == "execute_request"
        and not message.header.get("subshell_id")
        and not message.content.get("silent")
    )
