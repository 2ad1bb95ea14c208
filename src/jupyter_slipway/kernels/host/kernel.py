"""A kernel's process and the queue before it: started, asked, restarted; answered for when it cannot.

Owned by the host.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from typing import Any, Protocol

from jupyter_slipway.kernels.host.attached import Refused
from jupyter_slipway.kernels.host.death import Watch
from jupyter_slipway.kernels.host.folder import Config, Folder
from jupyter_slipway.kernels.host.lately import Lately
from jupyter_slipway.kernels.host.process import KernelProcess
from jupyter_slipway.kernels.host.turns import Turn, Turns
from jupyter_slipway.kernels.host.wire import Message, encode, message, new_header, now, pieces

OURS = "slipway-host"
"""The session of what the host itself asks: told to nobody."""
NUDGE = 0.3
"""Seconds between two questions whether a starting kernel is there."""
ANSWER = 60.0
"""Seconds that a kernel may take to start."""
LATE_IDLE = 1.0
"""Seconds after its reply at which an execution has ended, even if the kernel never said that it is idle."""
LATE_REPLY = 5.0
"""Seconds after it was idle again at which an execution has ended, even if the kernel never replied: one that is
interrupted just when it is done does not, and the queue would wait for ever."""
SURE_LATE_REPLY = 0.5
"""The same after an interrupt at the very start: Python most likely threw it between two of the kernel's own steps."""
WAKE = 0.3
"""Seconds after an interrupt."""
UNBEGUN = 1.0
"""Seconds that an interrupt waits at most for the code to begin."""
SILENT = 5.0
"""Seconds without a sign of life after which a kernel counts as frozen."""
TRIES = 3
"""Starts in a row that may fail before the kernel is dead for good."""
CODE_LIMIT = 1 << 16
"""Characters of a cell that are written down."""


class Told(Protocol):
    """Who is told what a kernel says and what becomes of it."""

    def said(self, *payload: bytes) -> None:
        """A message, in pieces."""

    def fact(self, name: str, **content: Any) -> None: ...

    def changed(self) -> None:
        """Its state, or its queue."""


class Kernel:
    def __init__(self, config: Config, folder: Folder, lately: Lately, told: Told) -> None:
        self.turns = Turns()
        self.state = "starting"
        """starting, idle, busy, restarting, dead."""
        self.generation = 0
        """How often it was started."""
        self.died: dict[str, Any] | None = None
        """How it last died."""
        self.silent_since = 0.0
        """Since when its process owes a sign of life, in seconds of the epoch; 0 while it gives them."""
        self._config, self._folder, self._lately, self._told = config, folder, lately, told
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
        self._tasks: set[asyncio.Task[Any]] = set()

    # ── its process ─────────────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """
        Raises:
            OSError: it cannot be started
        """
        self.generation += 1
        self._ready.clear()
        self._heard_output = self._answers_info = False
        folder = self._config.sockets or str(self._folder.path)
        self._process = process = KernelProcess(
            self._config.argv,
            environ=(dict(os.environ) if self._config.inherits else {})
            | self._config.environ
            | dict(self._folder.attachment().get("environ") or {})
            | {"SLIPWAY_KERNEL_DIR": str(self._folder.path)},
            cwd=self._config.cwd if self._config.cwd and os.path.isdir(self._config.cwd) else None,
            sockets=f"{folder}/k{self.generation}",
            log=self._folder.log,
            told=self._heard,
            ended=lambda code: self._spawn(self._died(process, code)),
        )
        self._watch = Watch(self._process.pid)
        self._told.fact("kernel_started", generation=self.generation, pid=self._process.pid)
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
        self._told.changed()

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
        if not self._ready.is_set() and (said := self._folder.last_words()):
            # It never came up: what it printed tells why, such as a module that is missing.
            reason = f"{reason} It said last: {said}"
        running = self.turns.running.told() if self.turns.running else None
        self.died = {"at": time.time(), "code": code, "reason": reason, "running": running}
        self._told.fact("kernel_died", **self.died)
        was_ready = self._ready.is_set()
        self._clear(reason, "error")
        self._failures = 0 if was_ready else self._failures + 1
        if not self._config.autorestart or self._failures >= TRIES:
            self._become("dead")
            return
        self._become("restarting")
        self._restart_process()

    def _restart_process(self) -> None:
        try:
            self.start()
        except OSError as error:
            self.died = {"at": time.time(), "code": None, "reason": f"It cannot be started: {error}.", "running": None}
            self._told.fact("kernel_died", **self.died)
            self._become("dead")

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
        self._told.fact("restarted", person=person)
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
        self._become("starting")
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
        self._told.fact("interrupted", person=person)
        if not self._ready.is_set():
            # It would end a kernel that is about to start; what waits for it is interrupted when it begins.
            for first in self.turns.all()[:1]:
                first.to_interrupt = True
            return
        turn = self.turns.running
        if turn is None or turn.begun:
            self._interrupt()
            return
        # Python passes over an interrupt that comes before the code itself runs.
        turn.to_interrupt = True
        asyncio.get_running_loop().call_later(UNBEGUN, self._interrupt_unbegun, turn)

    def _interrupt_unbegun(self, turn: Turn) -> None:
        """Something else keeps the kernel from it: that is what is to stop."""
        if self.turns.running is turn and not turn.begun:
            self._interrupt()

    def _interrupt(self) -> None:
        if self._process is None:
            return
        if self._config.interrupt_mode == "message":
            self._process.send("control", [encode(new_header("interrupt_request", OURS)), b"{}", b"{}", b"{}"])
            return
        self._process.signal(signal.SIGINT)
        # Python sleeps on when the signal came just before it fell asleep: another wakes it, and it sees the first.
        # Who has no handler for this one, as `startup` gives it, does not notice.
        asyncio.get_running_loop().call_later(WAKE, self._process.signal, signal.SIGURG)

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

    async def evaluate(self, expression: str, *, within: float) -> str | None:
        """What an expression gives, as the kernel shows it; None when it fails there.

        Raises:
            Refused: it does not answer in time
        """
        content = {"code": "", "silent": True, "store_history": False, "allow_stdin": False, "stop_on_error": False}
        content |= {"user_expressions": {"answer": expression}}
        reply = await self.ask("execute_request", content, within=within)
        answer = reply.get("user_expressions", {}).get("answer", {})
        return answer["data"].get("text/plain") if answer.get("status") == "ok" else None

    def signal(self, number: int) -> None:
        if self._process is not None:
            self._process.signal(number)

    async def end(self, why: str) -> None:
        """For good."""
        self._clear(why, "aborted")
        if self._process is not None:
            process, self._process = self._process, None
            process.signal(signal.SIGINT)
            self._send_shutdown(process, restart=False)
            await process.end(within=1.0)
        self._become("dead")

    def look(self) -> None:
        """Once in a while: at its memory while it computes, and whether it gives signs of life."""
        if self._watch is not None and self.turns.running is not None:
            self._watch.look()
        silent = self._process.silent_for() if self._process is not None and self._ready.is_set() else 0.0
        if (silent >= SILENT) != bool(self.silent_since):
            self.silent_since = time.time() - silent if silent >= SILENT else 0.0
            self._told.changed()

    def status(self) -> dict[str, Any]:
        return {
            "state": self.state,
            "ready": self._ready.is_set(),
            "generation": self.generation,
            "pid": self._process.pid if self._process else None,
            "turns": [turn.told() for turn in self.turns.all()],
            "running": self.turns.running is not None,
            "died": self.died,
            "silent_since": self.silent_since,
            "memory": self._watch.peak if self._watch else 0,
        }

    def _become(self, state: str) -> None:
        self.state = state
        self._say("iopub", "status", {"execution_state": state}, {})
        self._told.changed()

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ── what it says ────────────────────────────────────────────────────────────────────────────────────────

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
        self._told.said(*pieces(channel, parts))
        turn = self.turns.running
        if turn is not None and of == turn.id:
            self._follow(turn, kind, parts)
        elif turn is not None and kind == "status" and _says_idle(parts):
            # A page takes the last that it hears for the kernel's state; this was a subshell's, or the debugger's.
            self._still_busy(turn)

    def _follow(self, turn: Turn, kind: str, parts: list[bytes]) -> None:
        """What is said of the execution that runs."""
        if kind == "execute_reply":
            content = json.loads(parts[3])
            turn.status = content.get("status", "error")
            turn.count = content.get("execution_count", turn.count)
            asyncio.get_running_loop().call_later(LATE_IDLE, self._late, turn)
        elif kind == "input_request":
            turn.asks = json.loads(parts[3])
            self._told.changed()
        elif kind == "execute_input":
            turn.begun, turn.count = True, json.loads(parts[3]).get("execution_count")
            if turn.to_interrupt:
                self._interrupt()
        elif kind == "status" and _says_idle(parts):
            turn.idle = True
            if not turn.status:
                late = SURE_LATE_REPLY if turn.to_interrupt else LATE_REPLY
                asyncio.get_running_loop().call_later(late, self._unanswered, turn)
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
            name = "NoReply"
            if turn.to_interrupt:
                name, why = "KeyboardInterrupt", "It was interrupted before its code ran."
            error = {"ename": name, "evalue": why, "traceback": [why]}
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
        self._told.changed()

    # ── the queue ───────────────────────────────────────────────────────────────────────────────────────────

    def _next(self) -> None:
        if not self._ready.is_set():
            return
        turn = self.turns.next()
        if turn is not None:
            turn.started_at = time.time()
            self.state = "busy"
            self._told.fact("started", id=turn.id)
            assert self._process is not None
            self._process.send("shell", turn.parts)

    def cancel(self, execution: str, person: str) -> None:
        """
        Raises:
            Refused: it waits no longer
        """
        turn = self.turns.cancel(execution)
        if turn is None:
            raise Refused("It waits no longer.")
        self._drop(turn, f"{person or 'Somebody'} took it out of the queue.", "aborted")
        self._told.changed()

    def lost(self, left: Mapping[str, Mapping[str, Any]], why: str) -> None:
        """Executions that a killed host had promised, by id, as `facts` has them: each is answered."""
        self.died = {"at": time.time(), "reason": why, "running": next(iter(left.values()))}
        self._told.fact("kernel_died", **self.died)
        for identity, one in left.items():
            header: dict[str, Any] = {
                "msg_id": identity,
                "msg_type": "execute_request",
                "version": "5.3",
                "date": now(),
            }
            header |= {"username": one["person"], "session": one["session"], "cell_id": one["cell"] or None}
            turn = Turn(identity, one["person"], one["session"], one["cell"], "", True, header, [])
            turn.started_at = one.get("started_at")
            # Its page may come back, and lacks at least this.
            self._lately.know(turn.session, turn.person)
            self._lately.saw(turn.session, one["number"])
            self._lately.begins(header, one["number"])
            self._drop(turn, why, "error" if turn.started_at else "aborted")
        self._say("iopub", "status", {"execution_state": "restarting"}, {})

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
        self._told.fact("ended", id=turn.id, status=status, count=turn.count, **more)
        self._lately.ended(turn.id)

    def submit(self, said: Message) -> None:
        """A message for the kernel, stamped by the server that hands it on."""
        header = said.header
        kind = said.type
        session, person = str(header.get("session", "")), str(header.get("username", ""))
        self._lately.know(session, person)
        if kind == "input_reply" and not (self.turns.running and self.turns.running.person == person):
            return
        if kind == "input_reply" and self.turns.running is not None:
            self.turns.running.asks = None
            self._told.changed()
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
        self._told.fact("queued", **turn.told(), code=turn.code[:CODE_LIMIT])
        self._lately.begins(header)
        if self.state == "dead":
            self._drop(turn, self.died["reason"] if self.died else "The kernel is dead.", "error")
            return
        self.turns.queue.append(turn)
        self._next()
        self._told.changed()

    def _answer_info(self, header: dict[str, Any]) -> None:
        """For a page that opens while a cell runs, which would else wait for it to end."""
        assert self.turns.running is not None
        self._say("iopub", "status", {"execution_state": "busy"}, header)
        self._say("shell", "kernel_info_reply", self._info or {}, header)
        self._say("iopub", "status", {"execution_state": "idle"}, header)
        self._still_busy(self.turns.running)

    def _still_busy(self, turn: Turn) -> None:
        # Not once the kernel has said that it is done, and only its reply is on its way: nobody would say it again.
        if not turn.idle:
            self._say("iopub", "status", {"execution_state": "busy"}, turn.header)

    def _send(self, channel: str, parts: list[bytes]) -> None:
        if self._process is not None:
            self._process.send(channel, parts)

    def _say(self, channel: str, kind: str, content: dict[str, Any], parent: dict[str, Any]) -> None:
        """In the kernel's place."""
        self._told.said(message(channel, new_header(kind, self._session), parent, content))


def _says_idle(status: list[bytes]) -> bool:
    return bool(json.loads(status[3]).get("execution_state") == "idle")
