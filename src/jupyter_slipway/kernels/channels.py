"""The few methods of jupyter_client's AsyncKernelClient that we use ourselves, over a kernel host's stream.

Given by the kernel's manager where Jupyter would give a client of the kernel's ports, which a hosted one has not.
"""

from __future__ import annotations

import asyncio
import queue
from contextlib import suppress
from typing import Any

from jupyter_client.session import Session

from jupyter_slipway.errors import Unavailable
from jupyter_slipway.kernels.host.wire import Message, encode, pack
from jupyter_slipway.kernels.link import Link


class Channel:
    """`send` to the kernel, and `get_msg` of what came for this client."""

    def __init__(self, client: HostedClient, name: str) -> None:
        self._client, self._name = client, name
        self._came: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def send(self, message: dict[str, Any]) -> None:
        self._client.send(self._name, message)

    async def get_msg(self, timeout: float | None = None) -> dict[str, Any]:
        """
        Args:
            timeout: seconds

        Raises:
            queue.Empty: nothing came in time
        """
        try:
            return await asyncio.wait_for(self._came.get(), timeout)
        except TimeoutError:
            raise queue.Empty from None

    def put(self, message: dict[str, Any]) -> None:
        self._came.put_nowait(message)


class HostedClient:
    """
    Args:
        session: its id tells whose replies are this client's
        person: whom its executions are attributed to
    """

    def __init__(self, link: Link, session: Session, person: str = "") -> None:
        self._link, self.session, self._person = link, session, person
        self.shell_channel = Channel(self, "shell")
        self.iopub_channel = Channel(self, "iopub")
        self.stdin_channel = Channel(self, "stdin")
        self.control_channel = Channel(self, "control")

    def start_channels(self) -> None:
        self._link.open()
        self._link.pages.add(self)

    def stop_channels(self) -> None:
        self._link.pages.discard(self)

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """
        Raises:
            RuntimeError: the kernel does not answer in time
        """
        try:
            await self._link.ready(timeout or 60.0)
            sent = self.kernel_info()
            while (await self.get_shell_msg(timeout=timeout))["parent_header"].get("msg_id") != sent:
                pass
        except (Unavailable, queue.Empty) as error:
            raise RuntimeError("Kernel didn't respond") from error

    async def is_alive(self) -> bool:
        return not self._link.over and self._link.status.get("state") != "dead"

    def execute(
        self,
        code: str,
        silent: bool = False,
        store_history: bool = True,
        user_expressions: dict[str, str] | None = None,
        allow_stdin: bool = False,
        stop_on_error: bool = True,
    ) -> str:
        content = {"code": code, "silent": silent, "store_history": store_history}
        content |= {"user_expressions": user_expressions or {}, "allow_stdin": allow_stdin}
        return self._request("execute_request", content | {"stop_on_error": stop_on_error})

    def kernel_info(self) -> str:
        return self._request("kernel_info_request", {})

    async def get_shell_msg(self, timeout: float | None = None) -> dict[str, Any]:
        return await self.shell_channel.get_msg(timeout)

    async def get_iopub_msg(self, timeout: float | None = None) -> dict[str, Any]:
        return await self.iopub_channel.get_msg(timeout)

    def send(self, channel: str, message: dict[str, Any]) -> None:
        header = message["header"] | {"username": self._person, "date": str(message["header"].get("date", ""))}
        if message["msg_type"] == "execute_request":
            header["cell_id"] = message["metadata"].get("cellId")
        parts = [header, message["parent_header"], message["metadata"], message["content"]]
        with suppress(Unavailable):  # no answer comes: who asked has a time limit for that
            self._link.send(Message(pack(channel, [encode(part) for part in parts])))

    # A page of the link.

    def deliver(self, message: Message) -> None:
        if message.channel != "iopub" and message.parent.get("session") != self.session.session:
            return
        channel: Channel = getattr(self, f"{message.channel}_channel")
        channel.put(
            {
                "header": message.header,
                "parent_header": message.parent,
                "msg_id": message.header.get("msg_id"),
                "msg_type": message.type,
                "metadata": {},
                "content": message.content,
                "buffers": message.parts[4:],
            }
        )

    def fact(self, number: int, fact: dict[str, Any]) -> None:
        pass

    def broken(self) -> None:
        pass

    def _request(self, kind: str, content: dict[str, Any]) -> str:
        message = self.session.msg(kind, content)
        self.shell_channel.send(message)
        return str(message["header"]["msg_id"])
