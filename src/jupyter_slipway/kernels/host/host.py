"""What a host is: it owns a kernel, writes down all that is said, tells the servers that are attached."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import sys
import time
from typing import Any

from jupyter_slipway.kernels.host.arena import give_memory_back
from jupyter_slipway.kernels.host.attached import Attached, Call, Refused
from jupyter_slipway.kernels.host.facts import Facts
from jupyter_slipway.kernels.host.folder import Config, Folder
from jupyter_slipway.kernels.host.journal import Journal
from jupyter_slipway.kernels.host.kernel import Kernel
from jupyter_slipway.kernels.host.lately import Lately
from jupyter_slipway.kernels.host.tail import Tail
from jupyter_slipway.kernels.host.wire import FACT, MESSAGE, encode

TICK = 1.0


class Host:
    def __init__(self, folder: Folder, config: Config) -> None:
        self.folder, self.config = folder, config
        self._token, self._nonce = secrets.token_hex(16), secrets.token_hex(8)
        self._endpoint = ""
        self._journal = Journal(folder.path / "journal", limit=config.limit, segment=config.segment)
        self._past = Tail(self._journal)
        self._facts = Facts(folder.path)
        self._lately = Lately(lambda: self._journal.last)
        self.kernel = Kernel(config, folder, self._lately, self)
        self._attached = Attached(
            self._past,
            self._token,
            hello=self._hello,
            calls=self._calls(),
            message=self.kernel.submit,
            saw=self._lately.saw,
            changed=self.changed,
        )
        self._full = False
        self._used_at = time.monotonic()
        self._at_last_look = self._rested_at = 0
        """Numbers of the journal."""
        self._over = asyncio.Event()
        self._forget = False
        self._why = ""
        self._why_parent_ends = config.parent
        self._telling_state = False

    # ── life ────────────────────────────────────────────────────────────────────────────────────────────────

    async def run(self) -> None:
        """Until the kernel is wanted no longer."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self.stop, f"The host was told to end ({number.name}).")
        self.folder.begin()
        if left := self._facts.unended():
            self.kernel.lost(left, "The kernel's host was killed, and the kernel with it.")
        self.kernel.start()
        server, self._endpoint = await self._attached.listen(self.config, self.folder.path)
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
        self.folder.unfind()
        await self.kernel.end(self._why)
        self._attached.notice(bye=self._why)
        await asyncio.sleep(0)
        self._attached.close()
        self._journal.close()
        if self.config.sockets:
            shutil.rmtree(self.config.sockets, ignore_errors=True)
        if self._forget:
            shutil.rmtree(self.folder.path, ignore_errors=True)
        else:
            self.folder.end(self._why, self.config)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self._rest_when_quiet()
            self.kernel.look()
            self._write_what_waited_for_room()
            if not self.folder.path.is_dir():
                self.stop("The kernel's folder is gone, so nobody could find it.", forget=True)
            if self._attached or self.kernel.turns:
                self._used_at = time.monotonic()
            elif time.monotonic() - self._used_at > self.config.lease:
                hours = self.config.lease / 3600
                self.stop(f"Nobody used the kernel for {hours:.3g} hours.", forget=self.config.warm)
            self.folder.bound_log()

    def _rest_when_quiet(self) -> None:
        """Once after each burst: memory for what was said last is only wanted while more is said."""
        last = self._journal.last
        if last == self._at_last_look and last != self._rested_at:
            self._rested_at = last
            self._past.rest()
            give_memory_back()
        self._at_last_look = last

    def _write_what_waited_for_room(self) -> None:
        if self._facts.wait:
            self._facts.write()
            if not self._facts.wait:
                self._full = False
                self.changed()

    def _write_record(self) -> None:
        self.folder.record(self.config, endpoint=self._endpoint, token=self._token, nonce=self._nonce)

    # ── what is told ────────────────────────────────────────────────────────────────────────────────────────

    def said(self, *payload: bytes) -> None:
        self._emit(MESSAGE, *payload)

    def fact(self, name: str, **content: Any) -> None:
        fact = {"fact": name, "at": time.time(), "number": self._journal.last + 1} | content
        self._emit(FACT, encode(fact))
        self._facts.add(fact)

    def changed(self) -> None:
        """The state is told soon, once for all that changes now."""
        if not self._telling_state:
            self._telling_state = True
            asyncio.get_running_loop().call_soon(self._tell_state)

    def _tell_state(self) -> None:
        self._telling_state = False
        self._attached.notice(state=self.status())

    def _emit(self, kind: int, *payload: bytes) -> None:
        self._attached.offer(self._past.append(kind, *payload))
        if self._full != bool(self._journal.failed):
            # Who waits for a long cell is to know before it ends.
            self._full = not self._full
            self.changed()

    def status(self) -> dict[str, Any]:
        return self.kernel.status() | {
            "grants": self.config.grants,
            "everyone": self.config.everyone,
            "people": self._attached.people,
            "servers": len(self._attached),
            "about": self.config.about(),
            "first": self._journal.first,
            "last": self._journal.last,
            "full": self._full,
            "attachment": self.folder.attachment().get("cluster", ""),
        }

    def _hello(self) -> dict[str, Any]:
        return {"hello": self._nonce, "state": self.status(), "sessions": self._lately.sessions}

    # ── what servers ask ────────────────────────────────────────────────────────────────────────────────────

    def _calls(self) -> dict[str, Call]:
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
        self.kernel.interrupt(asked.get("person", ""))

    async def _call_signal(self, asked: dict[str, Any]) -> Any:
        self.kernel.signal(int(asked["number"]))

    async def _call_unseen(self, asked: dict[str, Any]) -> Any:
        return self._lately.unseen(asked["session"])

    async def _call_evaluate(self, asked: dict[str, Any]) -> Any:
        return await self.kernel.evaluate(asked["expression"], within=asked["seconds"])

    async def _call_facts(self, asked: dict[str, Any]) -> Any:
        """For a server that cannot read the file."""
        return self._facts.after(asked["after"])

    async def _call_environ(self, asked: dict[str, Any]) -> Any:
        """For its next starts: the notebook has another name now."""
        self.config.environ, self.config.path = asked["environ"], asked["path"]
        self.folder.keep(self.config)
        self._write_record()

    async def _call_restart(self, asked: dict[str, Any]) -> Any:
        await self.kernel.restart(asked.get("person", ""))

    async def _call_shutdown(self, asked: dict[str, Any]) -> Any:
        person = asked.get("person") or "Somebody"
        # After the answer is on its way.
        asyncio.get_running_loop().call_later(0.01, lambda: self.stop(f"{person} shut the kernel down.", forget=True))

    async def _call_cancel(self, asked: dict[str, Any]) -> Any:
        self.kernel.cancel(asked["execution"], asked.get("person", ""))

    async def _call_grant(self, asked: dict[str, Any]) -> Any:
        if asked["person"] == "*":
            self.config.everyone = asked["role"]
        elif asked["role"]:
            self.config.grants[asked["person"]] = asked["role"]
        else:
            self.config.grants.pop(asked["person"], None)
        self.folder.keep(self.config)
        self.changed()

    async def _call_attach(self, asked: dict[str, Any]) -> Any:
        """What a cluster gives a kernel: for its next starts, and by `run` for now."""
        self.folder.attach({name: asked.get(name) for name in ("environ", "code", "cluster")})
        if asked.get("run"):
            await self.kernel.run_silently(asked["run"])
        self.changed()

    async def _call_claim(self, asked: dict[str, Any]) -> Any:
        """A warm kernel becomes somebody's."""
        if not self.config.warm:
            raise Refused("It is somebody's already.")
        self.config.warm = False
        for name in ("kernel", "owner", "path", "cwd", "environ", "lease", "everyone"):
            setattr(self.config, name, asked[name])
        self.folder.keep(self.config)
        self._write_record()
        if asked.get("run"):
            await self.kernel.run_silently(asked["run"])
        self.changed()
