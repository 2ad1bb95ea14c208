"""A kernel's process and the only client of its sockets, which lie in a private folder: no ports, no key on a wire.

Driven by the host.
"""

from __future__ import annotations

import asyncio
import ctypes
import hashlib
import hmac
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import zmq

DELIMITER = b"<IDS|MSG>"
CHANNELS = {"shell": 1, "iopub": 2, "stdin": 3, "control": 4}
"""Their numbers stand in the sockets' names."""
HEARTBEAT = 5
BATCH = 200
"""Messages read in one go, before others on the loop have their turn."""
LOOK = 0.2
"""Seconds between two looks at a process where the system tells nothing by itself."""
PR_SET_PDEATHSIG = 1


class KernelProcess:
    """One life of a kernel, from start to end. All calls come from the loop's thread."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        environ: Mapping[str, str],
        cwd: str | None,
        sockets: str,
        log: Path,
        told: Callable[[str, list[bytes]], None],
        ended: Callable[[int], None],
    ) -> None:
        """Start it.

        Args:
            argv: '{connection_file}' in it is filled in
            sockets: the beginning of the sockets' paths
            told: called with channel and parts (header, parent, metadata, content, buffers) of each message
            ended: called once with the exit code; negative: the signal

        Raises:
            OSError: there is no such program, or no such folder
        """
        self._told, self._ended = told, ended
        self._key = secrets.token_hex(32).encode()
        self._loop = asyncio.get_running_loop()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
        self._connection_file = Path(f"{sockets}.json")
        self._sockets_prefix = sockets
        self._write_connection_file()
        self._process = self._spawned(
            [one.replace("{connection_file}", f"{sockets}.json") for one in argv], environ, cwd, log
        )
        self.pid = self._process.pid
        self._sockets = {channel: self._connected(channel) for channel in CHANNELS}
        self._heart = self._connected_heart()
        self._beats = False
        self._beat_at = 0.0
        """When the beat was asked for that has not come; 0 when none is out. In seconds of the loop's clock."""
        self._watch_end()

    @property
    def code(self) -> int | None:
        """How it ended; None while it lives."""
        return self._process.returncode

    def send(self, channel: str, parts: Sequence[bytes]) -> None:
        socket = self._sockets[channel]
        # Never blocks: without a limit on what waits, a kernel that does not read costs memory, not our loop.
        socket.send_multipart([DELIMITER, self._signature(parts), *parts])
        # The socket tells of what came by edges: one may have passed while we sent.
        self._loop.call_soon(self._read, channel)

    def silent_for(self) -> float:
        """Seconds since it was asked for a sign of life that it owes; asks for the next when it owes none.

        The answer comes from a thread of its own: a kernel that computes gives it, one that is stopped does not.
        Of a kernel that never gave one, nothing is expected.
        """
        if self._beat_at:
            return self._loop.time() - self._beat_at if self._beats else 0.0
        self._beat_at = self._loop.time()
        self._heart.send_multipart([b"", b"beat"])
        self._loop.call_soon(self._hear_heart)
        return 0.0

    def _hear_heart(self) -> None:
        with suppress(zmq.Again):
            while not self._heart.closed:
                self._heart.recv_multipart(zmq.NOBLOCK)
                self._beats, self._beat_at = True, 0.0

    def signal(self, number: int) -> None:
        """To it and to what it started, as a terminal would."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    async def end(self, *, within: float) -> None:
        """End it and all it started: asked to by now (or by `within` seconds from now), then killed."""
        if not await self._gone(within):
            self.signal(signal.SIGTERM)
            await self._gone(1.0)
        self.kill()
        await self._gone(5.0)
        self.close()

    def kill(self) -> None:
        """Also what it started and left behind when it ended."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def drain(self) -> None:
        """Hand on what has come and was not yet read."""
        for channel in CHANNELS:
            while self._read(channel):
                pass

    def close(self) -> None:
        for socket in (*self._sockets.values(), self._heart):
            if not socket.closed:
                self._loop.remove_reader(socket.FD)
                socket.close(0)
        for path in [self._connection_file, *self._connection_file.parent.glob(f"{Path(self._sockets_prefix).name}-*")]:
            path.unlink(missing_ok=True)

    async def _gone(self, within: float) -> bool:
        until = self._loop.time() + within
        while self._process.poll() is None and self._loop.time() < until:
            await asyncio.sleep(0.01)
        return self._process.returncode is not None

    def _write_connection_file(self) -> None:
        ports = {f"{channel}_port": number for channel, number in CHANNELS.items()} | {"hb_port": HEARTBEAT}
        info = ports | {
            "transport": "ipc",
            "ip": self._sockets_prefix,
            "key": self._key.decode(),
            "signature_scheme": "hmac-sha256",
            "kernel_name": "",
        }
        with open(os.open(self._connection_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(info, file)

    def _spawned(
        self, argv: Sequence[str], environ: Mapping[str, str], cwd: str | None, log: Path
    ) -> subprocess.Popen[bytes]:
        libc = ctypes.CDLL(None) if sys.platform == "linux" else None
        host = os.getpid()

        def die_with_host() -> None:
            if libc is not None:
                libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                # The host may have died before the line above.
                if os.getppid() != host:
                    os._exit(1)

        with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as output:
            return subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=cwd,
                # ipykernel looks at this now and then: it ends when its parent is another.
                env={**environ, "JPY_PARENT_PID": str(host)},
                start_new_session=True,
                preexec_fn=die_with_host,
            )

    def _connected(self, channel: str) -> zmq.Socket[bytes]:
        socket: zmq.Socket[bytes] = self._context.socket(zmq.SUB if channel == "iopub" else zmq.DEALER)
        socket.linger = 0
        # No limit: a publisher drops what exceeds one. What comes goes to the disk as fast as it can.
        socket.setsockopt(zmq.RCVHWM, 0)
        socket.setsockopt(zmq.SNDHWM, 0)
        socket.setsockopt(zmq.RECONNECT_IVL, 20)
        if channel == "iopub":
            socket.setsockopt(zmq.SUBSCRIBE, b"")
        else:
            # One name on all: a kernel asks for input at the name that the request came from.
            socket.setsockopt(zmq.IDENTITY, b"slipway")
        socket.connect(f"ipc://{self._sockets_prefix}-{CHANNELS[channel]}")
        self._loop.add_reader(socket.FD, self._read, channel)
        return socket

    def _connected_heart(self) -> zmq.Socket[bytes]:
        socket: zmq.Socket[bytes] = self._context.socket(zmq.DEALER)
        socket.linger = 0
        socket.setsockopt(zmq.RECONNECT_IVL, 20)
        socket.connect(f"ipc://{self._sockets_prefix}-{HEARTBEAT}")
        self._loop.add_reader(socket.FD, self._hear_heart)
        return socket

    def _read(self, channel: str) -> bool:
        """Hand on what has come; whether more may be there."""
        socket = self._sockets[channel]
        for _ in range(BATCH):
            if socket.closed:
                return False
            try:
                pieces = socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return False
            parts = self._parts(pieces)
            if parts is not None:
                self._told(channel, parts)
        self._loop.call_soon(self._read, channel)
        return True

    @staticmethod
    def _parts(pieces: list[bytes]) -> list[bytes] | None:
        """Of what the kernel sent; None when it is no message.

        Its signature is not looked at: whoever can write to these sockets can read the key that lies beside them, and
        a large output would cost as much again as writing it down.
        """
        if DELIMITER not in pieces:
            return None
        parts = pieces[pieces.index(DELIMITER) + 2 :]
        return parts if len(parts) >= 4 else None

    def _signature(self, parts: Sequence[bytes]) -> bytes:
        signed = hmac.new(self._key, digestmod=hashlib.sha256)
        for part in parts[:4]:
            signed.update(part)
        return signed.hexdigest().encode()

    def _watch_end(self) -> None:
        try:
            descriptor = os.pidfd_open(self.pid)
        except (AttributeError, OSError):
            self._loop.call_later(LOOK, self._look)
            return

        def ended() -> None:
            self._loop.remove_reader(descriptor)
            os.close(descriptor)
            self._ended(self._process.wait())

        self._loop.add_reader(descriptor, ended)

    def _look(self) -> None:
        code = self._process.poll()
        if code is None:
            self._loop.call_later(LOOK, self._look)
        else:
            self._ended(code)
