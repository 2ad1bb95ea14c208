"""One process a kernel: owns it and its only client, queues executions, writes down all that is said, tells servers.

Started by `directories`, found again by its record; attached to by `link`. It needs no server to live: cells that wait
go on. Standard library and pyzmq only: it also runs where we are not installed.
"""

from __future__ import annotations

import asyncio
import ctypes
import hmac
import json
import os
import secrets
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jupyter_slipway.kernels import journal as journals
from jupyter_slipway.kernels.death import Watch
from jupyter_slipway.kernels.process import KernelProcess
from jupyter_slipway.kernels.reader import Reader
from jupyter_slipway.kernels.tail import Tail
from jupyter_slipway.kernels.turns import Turn, Turns
from jupyter_slipway.kernels.wire import CALL, FACT, MESSAGE, Frame, Message, encode, message, pieces

CONFIG, RECORD, ENDED, FACTS, ATTACHMENT, LOG = (
    "config.json",
    "record.json",
    "ended.json",
    "facts.jsonl",
    "attachment.json",
    "kernel.log",
)
OURS = "slipway-host"
"""The session of what the host itself asks: told to nobody."""
TICK = 1.0
NUDGE = 0.3
"""Seconds between two questions whether a starting kernel is there."""
ANSWER = 60.0
"""Seconds that a kernel may take to start."""
LATE_IDLE = 1.0
"""Seconds after its reply at which an execution has ended, even if the kernel never said that it is idle."""
LATE_REPLY = 5.0
"""Seconds after it was idle again at which an execution has ended, even if the kernel never replied: one that is
interrupted just when it is done does not, and the queue would wait for ever."""
SILENT = 5.0
"""Seconds without a sign of life after which a kernel counts as frozen."""
TRIES = 3
"""Starts in a row that may fail before the kernel is dead for good."""
RESENT = 60.0
"""Seconds after its end for which an execution is told again to a page that comes back: what was on its way to it
when the line broke is lost, and a page passes over what it knows."""
M_ARENA_MAX = -8
LOG_LIMIT = 4 << 20
CODE_LIMIT = 1 << 16
FACTS_LIMIT = 32 << 20
UNWRITTEN_LIMIT = 1 << 20
FACTS_AT_ONCE = 20_000
SESSIONS = 2000


@dataclass
class Config:
    """config.json: what the host was started for."""

    kernel: str
    """Its id."""
    spec: str
    argv: list[str]
    environ: dict[str, str]
    cwd: str | None = None
    owner: str = ""
    path: str = ""
    """Of its notebook."""
    language: str = ""
    interrupt_mode: str = "signal"
    sockets: str = ""
    """A folder for sockets, when paths in the kernel's own would be too long."""
    lease: float = 12 * 3600.0
    """Seconds that it lives without a server and without work."""
    autorestart: bool = True
    limit: int = journals.LIMIT
    segment: int = journals.SEGMENT
    warm: bool = False
    """Nobody's yet: waits to be claimed."""
    everyone: str = "runner"
    """Role of who is not named in `grants`."""
    grants: dict[str, str] = field(default_factory=dict)
    bind: str = ""
    """An address to be reached at over the network; '': by a unix socket."""
    tls: dict[str, str] = field(default_factory=dict)
    parent: str = ""
    """Why it ends when who started it is gone, which holds the other end of its standard input; '': it lives on."""
    inherits: bool = False
    """Whether the kernel gets the host's own environment, too: it was not known to who wrote this."""

    @classmethod
    def read(cls, directory: Path) -> Config:
        known = {one.name for one in fields(cls)}
        found = json.loads((directory / CONFIG).read_text())
        return cls(**{name: value for name, value in found.items() if name in known})

    def about(self) -> dict[str, Any]:
        """What a server must know to take the kernel up."""
        return {
            "kernel": self.kernel,
            "spec": self.spec,
            "owner": self.owner,
            "path": self.path,
            "cwd": self.cwd,
            "language": self.language,
            "warm": self.warm,
            "sockets": self.sockets,
        }


@dataclass
class Lately:
    """An execution of late: where in the journal it lies, for a page that comes back."""

    session: str
    header: dict[str, Any]
    first: int
    last: int = 0
    """0: it has not ended."""
    ended_at: float = 0.0


class Refused(Exception):
    """What a server asked cannot be; in words."""


class Host:
    def __init__(self, directory: Path, config: Config) -> None:
        self.directory, self.config = directory, config
        self.token, self.nonce = secrets.token_hex(16), secrets.token_hex(8)
        self.endpoint = ""
        self.turns = Turns()
        self.readers: set[Reader] = set()
        self.state = "starting"
        """starting, idle, busy, restarting, dead."""
        self.generation = 0
        """How often the kernel was started."""
        self.died: dict[str, Any] | None = None
        """How it last died."""
        self.sessions: dict[str, dict[str, Any]] = {}
        """By session: whose it is, and up to which number its page has seen all."""
        self.people: dict[str, int] = {}
        self._lately: dict[str, Lately] = {}
        self._journal = journals.Journal(directory / "journal", limit=config.limit, segment=config.segment)
        self._past = Tail(self._journal)
        self._facts = directory / FACTS
        self._process: KernelProcess | None = None
        self._watch: Watch | None = None
        self._ready = asyncio.Event()
        self._restarting = asyncio.Lock()
        self._heard_output = False
        self._answers_info = False
        self._held: list[tuple[str, list[bytes]]] = []
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._info: dict[str, Any] | None = None
        self._session = OURS
        """Of the kernel's messages; what is said in its place bears it, too: by another, JupyterLab takes the kernel
        for a new one, and drops what it has not yet handled."""
        self._failures = 0
        self._full = False
        self._unwritten = b""
        """Facts that have found no room on the disk."""
        self._busy_with: asyncio.Task[None] | None = None
        self._used_at = time.monotonic()
        self._at_last_look = self._rested_at = 0
        """Numbers of the journal."""
        self._over = asyncio.Event()
        self._forget = False
        self._why = ""
        self._tasks: set[asyncio.Task[Any]] = set()
        self._telling_state = False
        self._why_parent_ends = config.parent
        self.silent_since = 0.0
        """Since when the kernel's process owes a sign of life, in seconds of the epoch; 0 while it gives them."""

    # ── life ────────────────────────────────────────────────────────────────────────────────────────────────

    async def run(self) -> None:
        """Until the kernel is wanted no longer."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self.stop, f"The host was told to end ({number.name}).")
        self._take_up_what_was_left()
        self._start_kernel()
        server = await self._serve()
        if self.config.parent:
            loop.add_reader(sys.stdin.fileno(), self._hear_parent)
        self._write_record()
        ticking = asyncio.ensure_future(self._tick())
        try:
            await self._over.wait()
        finally:
            ticking.cancel()
            await self._end()
            server.close()

    def _hear_parent(self) -> None:
        """Who started it says why it shall end, and lets go; or is gone without a word."""
        if said := os.read(sys.stdin.fileno(), 4096):
            self._why_parent_ends = said.decode(errors="replace").strip()
            return
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        # Nobody would look for what is left on this machine.
        self.stop(self._why_parent_ends, forget=True)

    def stop(self, why: str, *, forget: bool = False) -> None:
        """End the kernel and the host; `forget`: nothing of it is kept."""
        self._why, self._forget = why, forget
        self._over.set()

    async def _end(self) -> None:
        with suppress(FileNotFoundError):
            (self.directory / RECORD).unlink()
        self._clear(self._why, "aborted")
        if self._process is not None:
            process, self._process = self._process, None
            process.signal(signal.SIGINT)
            self._send_shutdown(process, restart=False)
            await process.end(within=1.0)
        self._become("dead", said=True)
        for reader in self.readers:
            reader.notice(bye=self._why)
        await asyncio.sleep(0)
        for reader in list(self.readers):
            reader.close()
        self._journal.close()
        if self.config.sockets:
            shutil.rmtree(self.config.sockets, ignore_errors=True)
        if self._forget:
            shutil.rmtree(self.directory, ignore_errors=True)
            return
        for left in self.directory.glob("*.sock"):
            left.unlink(missing_ok=True)
        self._replace(ENDED, {"at": time.time(), "reason": self._why} | {"about": self.config.about()})

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self._rest_when_quiet()
            self._feel_pulse()
            self._write_what_waited_for_room()
            if not self.directory.is_dir():
                self.stop("The kernel's folder is gone, so nobody could find it.", forget=True)
            if self._watch is not None and self.turns.running is not None:
                self._watch.look()
            if self.readers or self.turns:
                self._used_at = time.monotonic()
            elif time.monotonic() - self._used_at > self.config.lease:
                hours = self.config.lease / 3600
                self.stop(f"Nobody used the kernel for {hours:.3g} hours.", forget=self.config.warm)
            with suppress(OSError):
                if os.path.getsize(self.directory / LOG) > LOG_LIMIT:
                    os.truncate(self.directory / LOG, 0)

    def _feel_pulse(self) -> None:
        silent = self._process.silent_for() if self._process is not None and self._ready.is_set() else 0.0
        if (silent >= SILENT) != bool(self.silent_since):
            self.silent_since = time.time() - silent if silent >= SILENT else 0.0
            self._tell_state()

    def _rest_when_quiet(self) -> None:
        """Once after each burst: memory for what was said last is only wanted while more is said."""
        last = self._journal.last
        if last == self._at_last_look and last != self._rested_at:
            self._rested_at = last
            self._past.rest()
            give_memory_back()
        self._at_last_look = last

    def _take_up_what_was_left(self) -> None:
        """Of a host that was killed: its kernel went with it, and what it had promised is told as lost."""
        (self.directory / ENDED).unlink(missing_ok=True)
        lost = unended(self._facts)
        if not lost:
            return
        why = "The kernel's host was killed, and the kernel with it."
        self.died = {"at": time.time(), "reason": why, "running": next(iter(lost.values()))}
        self.fact("kernel_died", **self.died)
        for identity, one in lost.items():
            header: dict[str, Any] = {
                "msg_id": identity,
                "msg_type": "execute_request",
                "version": "5.3",
                "date": _now(),
            }
            header |= {"username": one["person"], "session": one["session"], "cell_id": one["cell"] or None}
            turn = Turn(identity, one["person"], one["session"], one["cell"], "", True, header, [])
            turn.started_at = one.get("started_at")
            # Its page may come back, and lacks at least this.
            self._lately[identity] = Lately(turn.session, header, one["number"])
            self.sessions[turn.session] = {"person": turn.person, "seen": one["number"]}
            self._drop(turn, why, "error" if turn.started_at else "aborted")
        self._say("iopub", "status", {"execution_state": "restarting"}, {})

    # ── the kernel ──────────────────────────────────────────────────────────────────────────────────────────

    def _start_kernel(self) -> None:
        """
        Raises:
            OSError: it cannot be started
        """
        self.generation += 1
        self._ready.clear()
        self._heard_output = self._answers_info = False
        folder = self.config.sockets or str(self.directory)
        self._process = process = KernelProcess(
            self.config.argv,
            environ=(dict(os.environ) if self.config.inherits else {})
            | self.config.environ
            | self._attached_environ()
            | {"SLIPWAY_KERNEL_DIR": str(self.directory)},
            cwd=self.config.cwd if self.config.cwd and os.path.isdir(self.config.cwd) else None,
            sockets=f"{folder}/k{self.generation}",
            log=self.directory / LOG,
            told=self._heard,
            ended=lambda code: self._spawn(self._died(process, code)),
        )
        self._watch = Watch(self._process.pid)
        self.fact("kernel_started", generation=self.generation, pid=self._process.pid)
        self._spawn(self._greet(self._process))

    async def _greet(self, process: KernelProcess) -> None:
        """Ask until it answers and its outputs are heard: what is said before that would be lost."""
        asked: list[str] = []
        while self._process is process and not self._ready.is_set():
            asked.append(self._ask_info())
            await asyncio.sleep(NUDGE if len(asked) > 3 else NUDGE / 6)

    def _ask_info(self) -> str:
        header = new_header("kernel_info_request", OURS)
        assert self._process is not None
        self._process.send("shell", [encode(header), b"{}", b"{}", b"{}"])
        return str(header["msg_id"])

    def _is_ready(self) -> None:
        self._ready.set()
        self._failures = 0
        self.state = "busy" if self.turns.running else "idle"
        held, self._held = self._held, []
        for channel, parts in held:
            self._send(channel, parts)
        self._next()
        self._tell_state()

    async def _died(self, process: KernelProcess, code: int) -> None:
        """The kernel's process is gone, and nobody wanted it."""
        if process is not self._process:
            return
        # Its last words are still on their way through the sockets.
        await asyncio.sleep(0.05)
        if process is not self._process:
            return  # somebody restarted it meanwhile
        process.drain()
        process.kill()
        process.close()
        self._process = None
        reason = self._watch.reason(code) if self._watch else f"It ended with {code}."
        running = _told(self.turns.running) if self.turns.running else None
        self.died = {"at": time.time(), "code": code, "reason": reason, "running": running}
        self.fact("kernel_died", **self.died)
        was_ready = self._ready.is_set()
        self._clear(reason, "error")
        self._failures = 0 if was_ready else self._failures + 1
        if not self.config.autorestart or self._failures >= TRIES:
            self._become("dead", said=True)
            return
        self._become("restarting", said=True)
        self._restart_process()

    def _restart_process(self) -> None:
        try:
            self._start_kernel()
        except OSError as error:
            self.died = {"at": time.time(), "code": None, "reason": f"It cannot be started: {error}.", "running": None}
            self.fact("kernel_died", **self.died)
            self._become("dead", said=True)

    async def restart(self, person: str) -> None:
        """
        Raises:
            Refused: it does not come up
        """
        # Of two who restart at once, the second would start a kernel that nobody knows of.
        async with self._restarting:
            await self._restarted(person)
        await self._until_ready()

    async def _restarted(self, person: str) -> None:
        self.fact("restarted", person=person)
        old, self._process = self._process, None
        # What comes from here on waits for the new process.
        self._ready.clear()
        self._clear(f"{person or 'Somebody'} restarted the kernel.", "aborted")
        self._held.clear()
        if old is not None:
            old.signal(signal.SIGINT)
            self._send_shutdown(old, restart=True)
            await old.end(within=1.0)
        self._failures, self.died = 0, None
        # Not 'restarting', by which JupyterLab means: it has died.
        self._become("starting", said=True)
        self._restart_process()

    async def _until_ready(self) -> None:
        """
        Raises:
            Refused: it does not answer
        """
        until = time.monotonic() + ANSWER
        while not self._ready.is_set():
            if self.state == "dead":
                raise Refused(self.died["reason"] if self.died else "The kernel is dead.")
            if time.monotonic() > until:
                raise Refused(f"The kernel did not answer within {ANSWER:.0f} seconds.")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ready.wait(), 0.2)

    def _send_shutdown(self, process: KernelProcess, *, restart: bool) -> None:
        if process.code is None:
            header = new_header("shutdown_request", OURS)
            process.send("control", [encode(header), b"{}", b"{}", encode({"restart": restart})])

    def interrupt(self, person: str) -> None:
        self.fact("interrupted", person=person)
        if self._process is None:
            return
        if self.config.interrupt_mode == "message":
            self._process.send("control", [encode(new_header("interrupt_request", OURS)), b"{}", b"{}", b"{}"])
        else:
            self._process.signal(signal.SIGINT)

    async def ask(self, kind: str, content: dict[str, Any], *, channel: str = "shell", within: float = 10.0) -> Any:
        """Ask the kernel something that nobody else hears of; the reply's content.

        Raises:
            Refused: it does not answer in time
        """
        await self._until_ready()
        header = new_header(kind, OURS)
        answer = self._answers[header["msg_id"]] = asyncio.get_running_loop().create_future()
        assert self._process is not None
        self._process.send(channel, [encode(header), b"{}", b"{}", encode(content)])
        try:
            return await asyncio.wait_for(answer, within)
        except TimeoutError:
            raise Refused("The kernel is busy: it did not answer in time.") from None
        finally:
            self._answers.pop(header["msg_id"], None)

    async def run_silently(self, code: str) -> None:
        """
        Raises:
            Refused: it fails, or takes too long
        """
        content = {"code": code, "silent": True, "store_history": False, "user_expressions": {}}
        reply = await self.ask("execute_request", content | {"allow_stdin": False, "stop_on_error": False})
        if reply.get("status") != "ok":
            raise Refused(f"{reply.get('ename')}: {reply.get('evalue')}")

    # ── what the kernel says ────────────────────────────────────────────────────────────────────────────────

    def _heard(self, channel: str, parts: list[bytes]) -> None:
        header, parent = json.loads(parts[0]), json.loads(parts[1])
        kind, of = header["msg_type"], parent.get("msg_id")
        if channel == "iopub" and not self._heard_output:
            self._heard_output = True
            self._look_ready()
        if kind == "iopub_welcome":
            return
        if parent.get("session") == OURS:
            self._answered(channel, kind, of, parts)
            return
        self._session = header.get("session") or self._session
        self._emit(MESSAGE, *pieces(channel, parts))
        turn = self.turns.running
        if turn is None:
            return
        if of != turn.id:
            if kind == "status" and json.loads(parts[3]).get("execution_state") == "idle":
                # A page takes the last that it hears for the kernel's state; this was a subshell's, or the debugger's.
                self._say("iopub", "status", {"execution_state": "busy"}, turn.header)
            return
        if kind == "execute_reply":
            content = json.loads(parts[3])
            turn.status = content.get("status", "error")
            turn.count = content.get("execution_count", turn.count)
            asyncio.get_running_loop().call_later(LATE_IDLE, self._late, turn)
        elif kind == "input_request":
            turn.asks = json.loads(parts[3])
            self._tell_state()
        elif kind == "execute_input":
            turn.count = json.loads(parts[3]).get("execution_count")
        elif kind == "status" and json.loads(parts[3]).get("execution_state") == "idle":
            turn.idle = True
            if not turn.status:
                asyncio.get_running_loop().call_later(LATE_REPLY, self._unanswered, turn)
        if turn.settled:
            self._settle()

    def _answered(self, channel: str, kind: str, of: str | None, parts: list[bytes]) -> None:
        if channel == "iopub":
            return
        if kind == "kernel_info_reply" and not self._ready.is_set():
            self._info, self._answers_info = json.loads(parts[3]), True
            self._look_ready()
        waiting = self._answers.get(of or "")
        if waiting is not None and not waiting.done():
            waiting.set_result(json.loads(parts[3]))

    def _look_ready(self) -> None:
        if self._answers_info and self._heard_output and not self._ready.is_set():
            self._is_ready()

    def _late(self, turn: Turn) -> None:
        if self.turns.running is turn and turn.status and not turn.idle:
            turn.idle = True
            self._settle()

    def _unanswered(self, turn: Turn) -> None:
        if self.turns.running is turn and not turn.status:
            turn.status = "error"
            why = "The kernel never said how this cell ended. It may have been interrupted just when it was done."
            error = {"ename": "NoReply", "evalue": why, "traceback": [why]}
            content = {"status": "error", "execution_count": turn.count or 0, **error}
            self._say("shell", "execute_reply", content | {"user_expressions": {}, "payload": []}, turn.header)
            self._settle()

    def _settle(self) -> None:
        ended, dropped = self.turns.end()
        self._ended(ended, ended.status)
        for turn in dropped:
            self._drop(turn, "An earlier cell of the same page failed.", "aborted")
        self.state = "idle"
        self._next()
        self._tell_state()

    # ── the queue ───────────────────────────────────────────────────────────────────────────────────────────

    def _next(self) -> None:
        if not self._ready.is_set():
            return
        turn = self.turns.next()
        if turn is not None:
            turn.started_at = time.time()
            self.state = "busy"
            self.fact("started", id=turn.id)
            assert self._process is not None
            self._process.send("shell", turn.parts)

    def _clear(self, why: str, status: str) -> None:
        """The kernel is gone: what ran gets `status` and is told why; what waited was never begun."""
        running, waiting = self.turns.clear()
        if running is not None:
            self._drop(running, why, status)
        for turn in waiting:
            self._drop(turn, why, "aborted")

    def _drop(self, turn: Turn, why: str, status: str) -> None:
        """Answer for the kernel, so that no page waits for ever."""
        parent = turn.header
        self._say("iopub", "status", {"execution_state": "busy"}, parent)
        content: dict[str, Any] = {"status": status, "execution_count": turn.count or 0}
        if turn.started_at is not None:
            error = {
                "ename": "KernelDied",
                "evalue": why,
                "traceback": [f"The kernel ended while this cell ran: {why}"],
            }
            self._say("iopub", "error", error, parent)
            content |= error
        self._say("shell", "execute_reply", content | {"user_expressions": {}, "payload": []}, parent)
        self._say("iopub", "status", {"execution_state": "idle"}, parent)
        self._ended(turn, status, reason=why)

    def _ended(self, turn: Turn, status: str, **more: Any) -> None:
        self.fact("ended", id=turn.id, status=status, count=turn.count, **more)
        if (late := self._lately.get(turn.id)) is not None:
            late.last, late.ended_at = self._journal.last, time.time()

    def submit(self, said: Message) -> None:
        """A message for the kernel, stamped by the server that hands it on."""
        header = said.header
        kind = said.type
        session, person = str(header.get("session", "")), str(header.get("username", ""))
        self._know_session(session, person)
        if kind == "input_reply" and not (self.turns.running and self.turns.running.person == person):
            return
        if kind == "input_reply" and self.turns.running is not None:
            self.turns.running.asks = None
            self._tell_state()
        if kind == "kernel_info_request" and self._info is not None and self.turns.running is not None:
            self._answer_info(header)
            return
        parts = list(said.parts)
        if kind == "execute_request" and not said.content.get("silent") and not header.get("subshell_id"):
            self._queue(header, said.content, parts)
            return
        if not self._ready.is_set() and said.channel == "shell":
            self._held.append((said.channel, parts))
        else:
            self._send(said.channel, parts)

    def _queue(self, header: dict[str, Any], content: dict[str, Any], parts: list[bytes]) -> None:
        if header["msg_id"] in self._lately:
            return  # handed over again, by a server that did not hear whether it came
        stops = bool(content.get("stop_on_error", True))
        if stops:
            # The kernel would drop everybody's.
            parts[3] = encode({**content, "stop_on_error": False})
        turn = Turn(
            id=str(header["msg_id"]),
            person=str(header.get("username", "")),
            session=str(header.get("session", "")),
            cell=str(header.get("cell_id") or ""),
            code=str(content.get("code", "")),
            stops=stops,
            header=header,
            parts=parts,
            queued_at=time.time(),
        )
        self.fact("queued", **_told(turn), code=turn.code[:CODE_LIMIT])
        while len(self._lately) >= SESSIONS:
            self._lately.pop(next(iter(self._lately)))
        self._lately[turn.id] = Lately(turn.session, header, self._journal.last)
        if self.state == "dead":
            self._drop(turn, self.died["reason"] if self.died else "The kernel is dead.", "error")
            return
        self.turns.queue.append(turn)
        self._next()
        self._tell_state()

    def _answer_info(self, header: dict[str, Any]) -> None:
        """For a page that opens while a cell runs, which would else wait for it to end."""
        assert self.turns.running is not None
        self._say("iopub", "status", {"execution_state": "busy"}, header)
        self._say("shell", "kernel_info_reply", self._info or {}, header)
        self._say("iopub", "status", {"execution_state": "idle"}, header)
        self._say("iopub", "status", {"execution_state": "busy"}, self.turns.running.header)

    def _send(self, channel: str, parts: list[bytes]) -> None:
        if self._process is not None:
            self._process.send(channel, parts)

    def _know_session(self, session: str, person: str) -> None:
        if session not in self.sessions:
            while len(self.sessions) >= SESSIONS:
                self.sessions.pop(next(iter(self.sessions)))
            self.sessions[session] = {"person": person, "seen": self._journal.last}

    # ── what is told ────────────────────────────────────────────────────────────────────────────────────────

    def _emit(self, kind: int, *payload: bytes) -> None:
        data = self._past.append(kind, *payload)
        for reader in self.readers:
            reader.offer(self._journal.last, data)
        if self._full != bool(self._journal.failed):
            # Who waits for a long cell is to know before it ends.
            self._full = not self._full
            self._tell_state()

    def _say(self, channel: str, kind: str, content: dict[str, Any], parent: dict[str, Any]) -> None:
        """In the kernel's place."""
        self._emit(MESSAGE, message(channel, new_header(kind, self._session), parent, content))

    def fact(self, name: str, **content: Any) -> None:
        fact = {"fact": name, "at": time.time(), "number": self._journal.last + 1} | content
        self._emit(FACT, encode(fact))
        self._unwritten += encode(fact) + b"\n"
        self._write_facts()

    def _write_facts(self) -> None:
        """What finds no room is written with what comes after, or as soon as there is room."""
        try:
            # Apart from the messages, so that it is still there when those were rotated away.
            with open(os.open(self._facts, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as file:
                file.write(self._unwritten)
        except OSError:
            # A line may have been torn: the next try ends it. Readers leave out what is no fact.
            self._unwritten = b"\n" + self._unwritten.lstrip(b"\n")[-UNWRITTEN_LIMIT:]
            return
        self._unwritten = b""
        with suppress(OSError):
            if self._facts.stat().st_size > FACTS_LIMIT:
                os.replace(self._facts, self.directory / f"{FACTS}.old")

    def _write_what_waited_for_room(self) -> None:
        if self._unwritten:
            self._write_facts()
            if not self._unwritten:
                self._full = False
                self._tell_state()

    def _become(self, state: str, *, said: bool = False) -> None:
        self.state = state
        if said:
            self._say("iopub", "status", {"execution_state": state}, {})
        self._tell_state()

    def _tell_state(self) -> None:
        """Soon, once for all that changes now."""
        if not self._telling_state:
            self._telling_state = True
            asyncio.get_running_loop().call_soon(self._tell_state_now)

    def _tell_state_now(self) -> None:
        self._telling_state = False
        status = self.status()
        for reader in self.readers:
            reader.notice(state=status)

    def status(self) -> dict[str, Any]:
        return {
            "state": self.state,
            "ready": self._ready.is_set(),
            "generation": self.generation,
            "pid": self._process.pid if self._process else None,
            "turns": [_told(turn) for turn in self.turns.all()],
            "running": self.turns.running is not None,
            "grants": self.config.grants,
            "everyone": self.config.everyone,
            "people": self.people,
            "servers": len(self.readers),
            "died": self.died,
            "about": self.config.about(),
            "first": self._journal.first,
            "last": self._journal.last,
            "full": self._full,
            "attachment": self._attachment().get("cluster", ""),
            "silent_since": self.silent_since,
            "memory": self._watch.peak if self._watch else 0,
        }

    # ── who is attached ─────────────────────────────────────────────────────────────────────────────────────

    async def _serve(self) -> asyncio.AbstractServer:
        loop = asyncio.get_running_loop()
        if self.config.bind:
            context = None
            if self.config.tls:
                context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.config.tls["ca"])
                context.load_cert_chain(self.config.tls["cert"], self.config.tls["key"])
                context.verify_mode = ssl.CERT_REQUIRED
            server: asyncio.AbstractServer = await loop.create_server(self._reader, self.config.bind, 0, ssl=context)
            port = server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]  # of TCP
            self.endpoint = f"{self.config.bind}:{port}"
        else:
            self.endpoint = f"{self.config.sockets or self.directory}/host.sock"
            with suppress(FileNotFoundError):
                os.unlink(self.endpoint)
            server = await loop.create_unix_server(self._reader, self.endpoint)
        return server

    def _reader(self) -> Reader:
        return Reader(self._past, hello=self._hello, heard=self._called, left=self._left)

    def _hello(self, reader: Reader, frame: Frame) -> tuple[int, int | None]:
        """
        Raises:
            ValueError: it does not know the token
        """
        hello = json.loads(frame.payload)
        if frame.kind != CALL or not hmac.compare_digest(str(hello["token"]), self.token):
            raise ValueError("a wrong token")
        since, until = int(hello.get("since", -1)), hello.get("until")
        if since < 0 or since > self._journal.last:
            since = self._journal.last
        reader.server = str(hello.get("server", ""))
        if until is None:
            self.readers.add(reader)
        reader.notice(hello=self.nonce, state=self.status(), sessions=self.sessions)
        if until is None:
            self._tell_state()
        return since, until

    def _left(self, reader: Reader) -> None:
        self.readers.discard(reader)
        self._count_people()
        self._tell_state()
        self._used_at = time.monotonic()

    def _count_people(self) -> None:
        people: dict[str, int] = {}
        for reader in self.readers:
            for name, pages in reader.people.items():
                people[name] = people.get(name, 0) + pages
        if people != self.people:
            self.people = people
            self._tell_state()

    def _called(self, reader: Reader, frame: Frame) -> None:
        if frame.kind == MESSAGE:
            self.submit(Message(frame.payload))
            return
        asked = json.loads(frame.payload)
        if asked["op"] == "here":
            reader.people = dict(asked["people"])
            self._count_people()
        elif asked["op"] == "seen":
            for session, number in asked["sessions"].items():
                if session in self.sessions:
                    self.sessions[session]["seen"] = number
        else:
            self._spawn(self._answer(reader, asked))

    async def _answer(self, reader: Reader, asked: dict[str, Any]) -> None:
        try:
            call = self._calls()[asked["op"]]
            value = await call(asked)
            reader.notice(id=asked["id"], ok=value)
        except Refused as error:
            reader.notice(id=asked["id"], error=str(error))
        except Exception as error:  # a fault of ours: who asked is told, and the host lives on
            print(f"host: {asked.get('op')}: {error!r}", file=sys.stderr, flush=True)
            reader.notice(id=asked["id"], error=f"The kernel's host failed at this: {error!r}")

    def _calls(self) -> dict[str, Callable[[dict[str, Any]], Coroutine[Any, Any, Any]]]:
        return {
            "status": self._call_status,
            "interrupt": self._call_interrupt,
            "restart": self._call_restart,
            "shutdown": self._call_shutdown,
            "cancel": self._call_cancel,
            "grant": self._call_grant,
            "attach": self._call_attach,
            "claim": self._call_claim,
            "signal": self._call_signal,
            "unseen": self._call_unseen,
            "environ": self._call_environ,
            "evaluate": self._call_evaluate,
            "facts": self._call_facts,
        }

    async def _call_status(self, asked: dict[str, Any]) -> Any:
        return self.status()

    async def _call_interrupt(self, asked: dict[str, Any]) -> Any:
        self.interrupt(asked.get("person", ""))

    async def _call_signal(self, asked: dict[str, Any]) -> Any:
        if self._process is not None:
            self._process.signal(int(asked["number"]))

    async def _call_unseen(self, asked: dict[str, Any]) -> Any:
        """Executions of a session whose page may lack something of them."""
        session = asked["session"]
        seen = self.sessions.get(session, {}).get("seen", self._journal.last)
        lately = time.time() - RESENT
        return [
            {"id": identity, "first": one.first, "header": one.header}
            for identity, one in self._lately.items()
            if one.session == session and (not one.last or one.last > seen or one.ended_at > lately)
        ]

    async def _call_evaluate(self, asked: dict[str, Any]) -> Any:
        """What an expression gives, as the kernel shows it; None when it fails there."""
        content = {"code": "", "silent": True, "store_history": False, "allow_stdin": False, "stop_on_error": False}
        content |= {"user_expressions": {"answer": asked["expression"]}}
        reply = await self.ask("execute_request", content, within=asked["seconds"])
        answer = reply.get("user_expressions", {}).get("answer", {})
        return answer["data"].get("text/plain") if answer.get("status") == "ok" else None

    async def _call_facts(self, asked: dict[str, Any]) -> Any:
        """Those after a number, as they were written down: for a server that cannot read the file."""
        found: list[dict[str, Any]] = []
        for path in (self._facts.with_name(f"{FACTS}.old"), self._facts):
            with suppress(FileNotFoundError):
                for line in path.read_bytes().splitlines():
                    with suppress(ValueError):  # torn
                        found.append(json.loads(line))
        return [fact for fact in found if fact["number"] > asked["after"]][-FACTS_AT_ONCE:]

    async def _call_environ(self, asked: dict[str, Any]) -> Any:
        """For its next starts: the notebook has another name now."""
        self.config.environ, self.config.path = asked["environ"], asked["path"]
        self._keep_config()
        self._write_record()

    async def _call_restart(self, asked: dict[str, Any]) -> Any:
        await self.restart(asked.get("person", ""))

    async def _call_shutdown(self, asked: dict[str, Any]) -> Any:
        person = asked.get("person") or "Somebody"
        # After the answer is on its way.
        asyncio.get_running_loop().call_later(0.01, lambda: self.stop(f"{person} shut the kernel down.", forget=True))

    async def _call_cancel(self, asked: dict[str, Any]) -> Any:
        turn = self.turns.cancel(asked["execution"])
        if turn is None:
            raise Refused("It waits no longer.")
        self._drop(turn, f"{asked.get('person') or 'Somebody'} took it out of the queue.", "aborted")
        self._tell_state()

    async def _call_grant(self, asked: dict[str, Any]) -> Any:
        if asked["person"] == "*":
            self.config.everyone = asked["role"]
        elif asked["role"]:
            self.config.grants[asked["person"]] = asked["role"]
        else:
            self.config.grants.pop(asked["person"], None)
        self._keep_config()
        self._tell_state()

    async def _call_attach(self, asked: dict[str, Any]) -> Any:
        """What a cluster gives a kernel: for its next starts, and by `run` for now."""
        self._replace(ATTACHMENT, {name: asked.get(name) for name in ("environ", "code", "cluster")})
        if asked.get("run"):
            await self.run_silently(asked["run"])
        self._tell_state()

    async def _call_claim(self, asked: dict[str, Any]) -> Any:
        """A warm kernel becomes somebody's."""
        if not self.config.warm:
            raise Refused("It is somebody's already.")
        self.config.warm = False
        for name in ("kernel", "owner", "path", "cwd", "environ", "lease", "everyone"):
            setattr(self.config, name, asked[name])
        self._keep_config()
        self._write_record()
        if asked.get("run"):
            await self.run_silently(asked["run"])
        self._tell_state()

    def _attachment(self) -> dict[str, Any]:
        with suppress(FileNotFoundError, ValueError):
            found = json.loads((self.directory / ATTACHMENT).read_text())
            return found if isinstance(found, dict) else {}
        return {}

    def _attached_environ(self) -> dict[str, str]:
        return dict(self._attachment().get("environ") or {})

    # ── files ───────────────────────────────────────────────────────────────────────────────────────────────

    def _keep_config(self) -> None:
        self._replace(CONFIG, {one.name: getattr(self.config, one.name) for one in fields(Config)})

    def _write_record(self) -> None:
        """What `hosting.Record` reads."""
        boot = ""
        with suppress(OSError):
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        record = {"endpoint": self.endpoint, "token": self.token, "pid": os.getpid(), "started": _started()}
        self._replace(RECORD, record | {"nonce": self.nonce, "boot": boot, "about": self.config.about()})

    def _replace(self, name: str, content: dict[str, Any]) -> None:
        temporary = self.directory / f".{name}.{os.getpid()}"
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(encode(content))
        os.replace(temporary, self.directory / name)

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def unended(facts: Path) -> dict[str, dict[str, Any]]:
    """By id: the executions that were asked for and never ended."""
    found: dict[str, dict[str, Any]] = {}
    for path in (facts.with_name(f"{facts.name}.old"), facts):
        with suppress(FileNotFoundError):
            for line in path.read_bytes().splitlines():
                with suppress(ValueError, KeyError):  # torn, or of one whose beginning was rotated away
                    _follow(found, json.loads(line))
    return found


def _follow(found: dict[str, dict[str, Any]], fact: dict[str, Any]) -> None:
    if fact["fact"] == "queued":
        found[fact["id"]] = {**fact, "code": fact["code"][:200]}
    elif fact["fact"] == "started":
        found[fact["id"]]["started_at"] = fact["at"]
    elif fact["fact"] == "ended":
        found.pop(fact["id"], None)


def _told(turn: Turn) -> dict[str, Any]:
    first = next((line for line in turn.code.splitlines() if line.strip()), "")
    told = {"id": turn.id, "person": turn.person, "session": turn.session, "cell": turn.cell, "line": first[:200]}
    return told | {"queued_at": turn.queued_at, "started_at": turn.started_at, "count": turn.count, "asks": turn.asks}


def new_header(kind: str, session: str) -> dict[str, Any]:
    """Of a message of our own."""
    header = {"msg_id": secrets.token_hex(16), "msg_type": kind, "username": "slipway", "session": session}
    return header | {"date": _now(), "version": "5.3"}


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _started() -> str:
    """When this process began, as `hosting.process_start` has it."""
    with suppress(OSError):
        return Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    words = subprocess.run(["ps", "-o", "lstart=,state=", "-p", str(os.getpid())], capture_output=True, text=True)
    return " ".join(words.stdout.split()[:-1])


def keep_memory_in_one_arena() -> None:
    """So that `give_memory_back` finds it: of what another thread's arena has free at its top, glibc gives nothing."""
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def give_memory_back() -> None:
    """On its own, glibc keeps what the largest messages ever took: 49 MB after 16 MB of buffers, not 18."""
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def main() -> None:
    os.umask(0o077)
    keep_memory_in_one_arena()
    directory = Path(sys.argv[1])
    try:
        asyncio.run(Host(directory, Config.read(directory)).run())
    except OSError as error:
        sys.exit(f"{error.strerror or error}: {error.filename or ''}")


if __name__ == "__main__":
    main()
