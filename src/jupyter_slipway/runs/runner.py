"""The background process that carries the runs: claims, prepares, watches, settles; fires the schedules.

Its life is in `background`; what it knows of jobs it is given as two functions. Killing it at any moment
loses nothing: rows say whose a run is, the attempt's directory what happened, the next runner reads both.

    queued ──claim──► prepare ──► guard ──exit.json──► settle
                                    ▲
      dead runner's run ──adopt─────┘   (lives: watched on; dead: retried or failed)
"""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.exc import OperationalError

from jupyter_slipway import __version__
from jupyter_slipway.db import Database
from jupyter_slipway.errors import Conflict, SlipwayError
from jupyter_slipway.ids import new_id
from jupyter_slipway.runs import attempt, logs, verdict
from jupyter_slipway.runs.attempt import Look, Nest
from jupyter_slipway.runs.background import ABOUT, RunnerStatus, start, status, stop
from jupyter_slipway.runs.engine import Claim, Ending, Engine
from jupyter_slipway.runs.layout import lay_out
from jupyter_slipway.runs.model import Run, RunError, RunState
from jupyter_slipway.runs.prepared import Prepared
from jupyter_slipway.runs.wake import Bell

__all__ = ["Prepared", "Runner", "RunnerStatus", "start", "status", "stop"]

log = logging.getLogger(__name__)

LEASE = 20.0
"""Seconds without a beat after which another takes over. A dead process of this machine is seen sooner."""
POLL = 1.0
"""Seconds between two looks without being rung."""
START_AGAIN = 2.0
"""Seconds after which a guard that has not begun is asked for again."""
PROGRESS = 1.0
"""Seconds between two looks at a log's progress."""


@dataclass
class Live:
    """A run this runner has."""

    claim: Claim
    directory: Path
    preparing: Future[None] | None = None
    started_at: float = 0.0
    """When its guard was last asked for, by the monotonic clock."""
    unreachable_at: float = 0.0
    """Since when its files cannot be reached; 0 when they can."""
    progress_at: float = 0.0
    progress: tuple[float | None, str] = (None, "")


@dataclass
class Seen:
    """What was last heard of another runner, by our own monotonic clock."""

    beat: int
    at: float


@dataclass
class Runner:
    """Carries the runs of `database` whose files are under `home`.

    Args:
        prepare: what a run needs to start; may take minutes, and may refuse with a SlipwayError
        fire: queues what schedules made due until this time (epoch seconds); when to be called next, or None
        concurrency: how many runs at once
        idle_after: seconds with nothing queued, running or scheduled after which it ends; None for never
    """

    database: Database
    home: Path
    prepare: Callable[[Run], Prepared]
    fire: Callable[[float], float | None]
    concurrency: int = field(default_factory=lambda: os.cpu_count() or 2)
    lease: float = LEASE
    idle_after: float | None = 600.0
    clock: Callable[[], float] = time.time
    release: str = __version__
    """Of Slipway: what is installed may be a later one by the time it is asked."""

    def __post_init__(self) -> None:
        self.id = new_id("runner")
        self.engine = Engine(self.database, self.home, clock=self.clock)
        # A SQLite database is of one machine, whatever its name is today.
        machine = "local" if self.database.sqlite else socket.gethostname()
        self.host = f"{machine}:{self.home.resolve()}"[-255:]
        self.live: dict[str, Live] = {}
        self.stopping = threading.Event()
        self.replaced = False
        """It ended to make room for a later release."""
        self._seen: dict[str, Seen] = {}
        self._beat_at = -1e9
        self._away = False
        self._next_due: float | None = 0.0
        self._busy_at = time.monotonic()
        self._nest = Nest()
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._bell = Bell(self.home)

    # ── its life ────────────────────────────────────────────────────────────────────────────────────────────

    def run(self) -> None:
        """Carry runs until stopped, by SIGTERM too, replaced by a later release (SIGHUP), or idle.

        Raises:
            Conflict: another runner has this home
        """
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, lambda *_: self.stop())
            signal.signal(signal.SIGHUP, lambda *_: self.make_room())
        try:
            while self._with_the_lock():
                pass
        finally:
            self.close()

    def close(self) -> None:
        self._nest.close()
        self._bell.close()

    def stop(self) -> None:
        """Claim nothing more and end; guards and their runs go on. May be called from a signal handler."""
        self.stopping.set()
        self._bell.ring()

    def make_room(self) -> None:
        """Likewise, because a later release wants to carry on."""
        self.replaced = True
        self.stop()

    def _with_the_lock(self) -> bool:
        """Work until there is a reason to end; whether to go on all the same, with what came in just then."""
        with open(self.home / "runner.lock", "w") as lock:
            self._lock(lock.fileno())
            self._announce()
            while not self.stopping.is_set() and not self._idle():
                self._bell.wait(self._safe_step())
            if not self.live:
                with suppress(OperationalError):  # another runner will see that this one is dead
                    self.engine.forget(self.id)
            (self.home / ABOUT).unlink(missing_ok=True)
        # Whoever submitted while the lock was held counted on this runner: look once more.
        return not self.stopping.is_set() and any(self.engine.counts().values())

    def _lock(self, descriptor: int) -> None:
        for _ in range(20):  # who asks for the status holds it for an instant
            try:
                return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.05)
        raise Conflict(
            f"A runner is already at work in {self.home}.",
            hint="Stop it first: jupyter slipway runner stop.",
        )

    def _announce(self) -> None:
        self._busy_at = time.monotonic()
        attempt.write_json(
            self.home / ABOUT,
            {
                "id": self.id,
                "pid": os.getpid(),
                "host": socket.gethostname(),
                "started_at": time.time(),
                "release": self.release,
            },
        )

    def _idle(self) -> bool:
        if self.live or self._next_due is not None:
            self._busy_at = time.monotonic()
        return self.idle_after is not None and time.monotonic() - self._busy_at > self.idle_after

    def _safe_step(self) -> float:
        try:
            wait = self.step()
        except OperationalError as error:
            if not self._away:  # once, not each second: the disk may be full of it already
                log.exception("The database does not answer; trying again each second: %s", error.orig)
            self._away = True
            return 1.0
        self._away = False
        return wait

    def step(self) -> float:
        """Everything that is to do now; after how many seconds to come back, at the latest."""
        self._beat_now_and_then()
        self._fire()
        self._watch()
        self._claim()
        return self._until_next()

    def _fire(self) -> None:
        try:
            self._next_due = self.fire(self.clock())
        except OperationalError:
            raise
        except Exception:  # not ours; runs go on without schedules
            log.exception("The schedules could not be fired")
            self._next_due = self.clock() + 60

    def _until_next(self) -> float:
        now = self.clock()
        moments = [now + POLL]
        if self._next_due is not None:
            moments.append(self._next_due)
        if len(self.live) < self.concurrency:
            ready = self.engine.next_ready()
            if ready is not None:
                moments.append(ready)
                self._busy_at = time.monotonic()
        return max(0.0, min(moments) - now)

    # ── runs ────────────────────────────────────────────────────────────────────────────────────────────────

    def _claim(self) -> None:
        for claim in self.engine.claim(self.id, self.host, self.concurrency - len(self.live)):
            self._take(claim)

    def _take(self, claim: Claim) -> None:
        directory = self.engine.directory(claim.run.id, claim.run.attempt)
        self.live[claim.run.id] = Live(claim, directory)
        self._try_to_look_at(self.live[claim.run.id])

    def _watch(self) -> None:
        """Look at each run that the store says we have; forget those that somebody else took over."""
        held = {claim.run.id: claim for claim in self.engine.held(self.id)}
        self.live = {run_id: one for run_id, one in self.live.items() if run_id in held}
        for run_id, claim in held.items():
            if run_id not in self.live:
                self._take(claim)
                continue
            self.live[run_id].claim = claim
            self._try_to_look_at(self.live[run_id])

    def _try_to_look_at(self, one: Live) -> None:
        """A run whose files cannot be reached for long has failed; it must not end the runner."""
        try:
            self._look_at(one)
            one.unreachable_at = 0.0
        except OSError as error:
            if not one.unreachable_at:
                log.exception("The files of run %s cannot be reached", one.claim.run.id)
                one.unreachable_at = time.monotonic()
            elif time.monotonic() - one.unreachable_at > self.lease:
                told = RunError("unreadable", f"The files of the run cannot be reached: {error}.")
                self._settle(one, Ending(RunState.FAILED, error=told, again=False))

    def _look_at(self, one: Live) -> None:
        run = one.claim.run
        if run.cancelling:
            attempt.cancel(one.directory)
        seen, end = attempt.look(one.directory)
        if seen is Look.ENDED and end is not None:
            self._settle(one, verdict.of_exit(one.directory, run, end))
        elif seen is Look.LOST:
            self._settle(one, verdict.LOST)
        elif seen is Look.NONE and run.cancelling:
            self._settle(one, Ending(RunState.CANCELLED))
        elif seen is Look.NONE:
            self._begin(one)
        else:
            self._progress(one)

    def _begin(self, one: Live) -> None:
        """Prepare and start it, in a thread: an environment may take minutes to build."""
        if one.preparing is None:
            one.preparing = Future()
            # A daemon, because stopping must not wait for an environment that is being built.
            threading.Thread(
                target=self._start, args=(one.claim.run, one.directory, one.preparing), daemon=True
            ).start()
            return
        if not one.preparing.done():
            return
        error = one.preparing.exception()
        if error is None:
            self._ensure(one)
        elif isinstance(error, SlipwayError):
            self._settle(one, verdict.refused(error))
        else:
            log.error("Run %s could not be prepared", one.claim.run.id, exc_info=error)
            self._settle(one, Ending(RunState.FAILED, error=RunError(type(error).__name__, str(error))))

    def _ensure(self, one: Live) -> None:
        """Ask for the guard again when it has not begun for long: its nest was killed, say."""
        now = time.monotonic()
        if one.started_at and now - one.started_at > START_AGAIN:
            self._nest.ensure(one.directory)
        if not one.started_at or now - one.started_at > START_AGAIN:
            one.started_at = now

    def _start(self, run: Run, directory: Path, done: Future[None]) -> None:
        try:
            lay_out(directory, run, self.prepare(run), self.home)
            if not self.stopping.is_set():
                self._nest.ensure(directory)
        except Exception as error:  # what prepares is not ours; its failure is the run's
            done.set_exception(error)
        else:
            done.set_result(None)
        self._bell.ring()

    def _settle(self, one: Live, ending: Ending) -> None:
        self.engine.settle(one.claim, ending)
        del self.live[one.claim.run.id]
        # A step with many ends lasts long, each being a write to disk: schedules must not wait for all of it.
        if self._next_due is not None and self.clock() >= self._next_due:
            self._fire()

    def _progress(self, one: Live) -> None:
        now = time.monotonic()
        if now - one.progress_at < PROGRESS:
            return
        one.progress_at = now
        found = logs.progress(one.directory / "log")
        if found[0] is not None and found != one.progress:
            one.progress = found
            self.engine.progressed(one.claim, *found)

    # ── other runners ───────────────────────────────────────────────────────────────────────────────────────

    def _beat_now_and_then(self) -> None:
        now = time.monotonic()
        if now - self._beat_at < self.lease / 4:
            return
        self._beat_at = now
        if not self.home.is_dir():
            log.warning("%s is gone, and with it all that there was to do", self.home)
            self.stop()
            return
        beats = self.engine.beat(self.id, self.host, os.getpid())
        (self.home / ABOUT).touch()
        for other, heard in beats.items():
            if other == self.id:
                continue
            if self._dead(other, heard.beat, heard.pid if heard.host == self.host else None, now):
                self._adopt(other)
        self._seen = {other: seen for other, seen in self._seen.items() if other in beats}

    def _dead(self, other: str, beat: int, pid: int | None, now: float) -> bool:
        """Not beating for a lease, or a process of this home that is no more."""
        if pid is not None and (pid == os.getpid() or not alive(pid)):
            return True
        seen = self._seen.get(other)
        if seen is None or seen.beat != beat:
            self._seen[other] = Seen(beat, now)
            return False
        return now - seen.at > self.lease

    def _adopt(self, dead: str) -> None:
        for claim in self.engine.adopt(dead, self.id, self.host):
            if claim.run.id not in self.live:
                log.info("Run %s is taken over from runner %s", claim.run.id, dead)
                self._take(claim)


def alive(pid: int) -> bool:
    """Whether this process exists and is no zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")
