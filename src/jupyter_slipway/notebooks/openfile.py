"""A file while it is open in shared documents: what is typed goes to the disk, what changes on disk goes to them.

Made by `room`, one for each file. Reads and writes through the contents manager, and writes only over what it has
read: if the disk moved in between, that is merged first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from jupyter_server.utils import ensure_async
from tornado.web import HTTPError

from jupyter_slipway.errors import SlipwayError, Unavailable
from jupyter_slipway.notebooks import live, text, writing
from jupyter_slipway.notebooks.bases import Content
from jupyter_slipway.notebooks.contents import TEXTS, format_for, is_paired
from jupyter_slipway.notebooks.disk import Disk, is_committed
from jupyter_slipway.notebooks.sightings import State
from jupyter_slipway.notebooks.trail import Step
from jupyter_slipway.notebooks.views import NotebookView, TextView, Twins, View

LATEST = 1.2
"""Seconds after which what was typed is on its way to the disk, however continuously one types."""
ECHO = 0.1
"""Seconds after which what was typed in one view is in the other."""
AGAIN = 5.0
"""Seconds between two tries to save what could not be saved."""
ANSWERS = 5
"""Times that outputs which another server keeps are answered with those here, while nobody changes anything."""
ON_ITS_WAY = 3.0
"""Seconds that what is typed may take from a page."""
TRIES = 20
"""Times that the disk may change between reading and writing it, before that is given up for now."""


class Taken(NamedTuple):
    """What a view was right before and right after it took in a change against its own."""

    view: View
    before: Content
    """Its outputs `dated`."""
    after: Content


class OpenFile:
    """
    Args:
        poll: seconds between two looks at the disk; None: only before saving
        delay: seconds without a change after which is saved; None: only when asked
    """

    def __init__(self, disk: Disk, log: logging.Logger, poll: float | None, delay: float | None) -> None:
        self.disk, self._log, self._delay = disk, log, delay
        self.views: list[View] = []
        self._turn = asyncio.Lock()
        self._twins: Twins | None = None
        self._since: float | None = None
        """When the oldest change that is not saved was made."""
        self._failed_at: float | None = None
        self._saving: asyncio.TimerHandle | None = None
        self._echoing: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._poll = poll
        self._kept: tuple[int, ...] | None = None
        """The stamp of the outputs that the notebook shows, where they lie beside the text."""
        self._are_others = False
        """Whether another server kept other outputs since."""
        self._answers = 0
        """How often they were answered with those here since anything was changed here."""
        self._watching = False
        self._taken: list[Taken] = []
        """The last time that the disk changed against what was typed."""
        self._file = disk.file
        """Where it was when it was last read."""
        self._aside_until = 0.0
        """Until when what comes into a text may be meant for the one that it replaced."""
        self._replaced = disk.file
        """That one's file."""
        self.is_closed = False

    # ── who is here ─────────────────────────────────────────────────────────────────────────────────────────

    async def join(self, view: View) -> None:
        """The view agrees with what it has seen of the disk; from here on it is kept in step."""
        self.views.append(view)
        if self._poll and not self._watching:
            self._watching = True
            self._kept = (await self.disk.kept()).known
            self._start(self._watch(self._poll))
        if len(self.views) > 1:
            await self._save()
        if view.dirty:
            self.changed(view)

    async def leave(self, view: View) -> None:
        """Save what was typed there; it is not kept in step any more."""
        if view.dirty and self._delay is not None:
            await self._save()
        async with self._turn:
            if view in self.views:
                self.views.remove(view)
            self._twins = None
            await self._left(view)
        if not self.views:
            self.close()

    async def finish(self) -> None:
        """The server ends."""
        if not self.is_closed and self._delay is not None and any(one.dirty for one in self.views):
            await self._save()
        for view in self.views:
            await self._left(view)
        self.close()

    async def _left(self, view: View) -> None:
        if not (view.dirty or view.waits or view.refused):
            await asyncio.to_thread(partial(view.bases.keep, left=True))

    def close(self) -> None:
        self.is_closed = True
        self.disk.end()
        for timer in (self._saving, self._echoing):
            if timer:
                timer.cancel()
        for task in self._tasks:
            task.cancel()

    # ── typing ──────────────────────────────────────────────────────────────────────────────────────────────

    def changed(self, view: View, *, save: bool = True) -> None:
        """Somebody typed there.

        Args:
            save: False when all who have it open save by hand
        """
        view.dirty = True
        self._answers = 0
        loop = asyncio.get_running_loop()
        if self._twins and self._echoing is None:
            self._echoing = loop.call_later(ECHO, self._echo)
        if not save or self._delay is None:
            return
        now = loop.time()
        self._since = self._since or now
        if self._saving:
            self._saving.cancel()
        at = max(now, min(now + self._delay, self._since + LATEST))
        self._saving = loop.call_at(at, lambda: self._start(self._save()))

    def _echo(self) -> None:
        self._echoing = None
        self.exchange()

    def exchange(self) -> None:
        """Let the notebook and the text of one file have what was typed in the other."""
        if self._twins:
            try:
                self._twins.exchange()
            except Exception:  # a text that jupytext cannot write: each goes on alone, by way of the disk
                self._log.exception("%s: the notebook and the text are not kept in step.", self.disk.path)
                self._twins = None

    async def _pair(self) -> None:
        """Bring the text and the notebook together, where both are open and the one is the other."""
        words = next((one for one in self.views if isinstance(one, TextView)), None)
        notebook = next((one for one in self.views if isinstance(one, NotebookView)), None)
        file = self.disk.file
        if words is None or notebook is None or file.suffix not in TEXTS or self._twins:
            return
        config = await ensure_async(self.disk.manager.get_config(self.disk.path))
        content = notebook.bases.newest
        assert content is not None
        name = format_for(content, file)
        if name not in text.FORMATS or is_paired(content, self.disk.path, config):
            return
        # Else nobody could tell what was typed here from what was typed there.
        if words.seen == notebook.seen and not words.refused and not notebook.refused:
            self._twins = Twins(words, notebook, file, name, config)
            self.exchange()

    # ── the disk ────────────────────────────────────────────────────────────────────────────────────────────

    def look(self) -> asyncio.Task[None]:
        """The file may have changed."""
        return self._start(self._save())

    async def sync(self) -> None:
        """Take in what is on disk, and put what was typed there.

        Raises:
            HTTPError, SlipwayError: it cannot be saved; it stays in the documents, and is tried again
        """
        async with self._turn:
            self._since = None
            for _ in range(TRIES):
                await self._set_aside()
                await self._take_in()
                await self._pair()
                self.exchange()
                for view in self.views:
                    view.unmark()
                if await self._put():
                    self._failed_at = None
                    return
            self._failed_at = asyncio.get_running_loop().time()
            raise Unavailable(f"{self.disk.path} changes faster than it can be merged.", hint="It is tried again.")

    @asynccontextmanager
    async def moving(self) -> AsyncIterator[Callable[[str], None]]:
        """Within the block nothing is read or written; the file may become another, which is then to be said."""
        async with self._turn:
            said: list[str] = []
            yield said.append
            for path in said:
                await self._go_to(path)
        self.look()

    async def _go_to(self, path: str) -> None:
        """The notebook is in another file from here on."""
        self.disk.went_to(path)
        await self._become()

    async def _become(self) -> None:
        """Where it was converted, its text is nothing like the one before: who has that open gets the new one in its
        place.
        """
        old, self._file = self._file, self.disk.file
        state = await self.disk.state()
        # One that was only given another suffix is what it was.
        texts = [view for view in self.views if isinstance(view, TextView) and view.seen != state]
        for view in texts:
            # First: a page that hears of it stops typing there before another text stands in its place.
            view.document.path = self.disk.path
        read = {view: await self._read(view, state) for view in texts}
        # Between this and the last line nobody types.
        self.exchange()
        is_told = self._twins is not None and self._twins.in_step
        self._twins = None
        typed = [view.replace(text, state) for view, text in read.items() if text is not None]
        if typed:
            self._aside_until = asyncio.get_running_loop().time() + ON_ITS_WAY
            self._replaced = old
        if not is_told:
            await self._keep_beside(old, typed)

    async def _set_aside(self) -> None:
        """What was on its way into a text when an .ipynb took its place: there it would be no JSON any more."""
        typed = []
        for view in self._late():
            known = view.bases.newest or ""
            typed.append(live.inserted(known, view.replace(known, view.seen) or ""))
        await self._keep_beside(self._replaced, typed)

    def _late(self) -> list[TextView]:
        """Texts into which something came that was meant for the one before."""
        if self.disk.file.suffix != ".ipynb" or asyncio.get_running_loop().time() >= self._aside_until:
            return []
        texts = [view for view in self.views if isinstance(view, TextView) and view.refused is None]
        return [view for view in texts if view.content() != view.bases.newest]

    async def _keep_beside(self, old: Path, typed: Sequence[str | None]) -> None:
        """Write what was typed in a text that is replaced to a file of its own, and say so."""
        for said in filter(None, typed):
            kept = await asyncio.to_thread(writing.write_beside, old, said.encode("utf-8", "surrogatepass"))
            told = f"The notebook is {self.disk.file.name} now. What was being typed in its text is in {kept.name}."
            for view in self.views:
                view.say("WARNING", told)

    async def read(self, view: View) -> Content:
        """What the view is on disk, with the ids that it knows.

        Raises:
            HTTPError: there is none, or it cannot be read
        """
        found = await self.disk.read(view)
        if isinstance(view, NotebookView) and self.disk.file.suffix in TEXTS:
            view.identify(found)
        return found

    async def _find(self) -> State | None:
        """The state of the file, or of what took its place."""
        if self.disk.file.suffix != self._file.suffix:
            await self._become()
        self._file = self.disk.file
        state = await self.disk.state()
        seen = max((one.seen for one in self.views if one.seen), default=None)
        if state is None and seen and (path := await self.disk.successor(seen)):
            await self._go_to(path)
            state = await self.disk.state()
        return state

    async def _take_in(self) -> None:
        state = await self._find()
        behind = [one for one in self.views if one.is_behind(state) or (one.is_notebook and self._are_others)]
        if state is None:
            for view in [one for one in behind if one.is_behind(None)]:
                view.say("WARNING", f"{self.disk.path} was deleted or moved. It is written anew with the next change.")
                view.seen, view.dirty, view.waits = None, False, view.dirty
            return
        found = {view: theirs for view in behind if (theirs := await self._read(view, state)) is not None}
        # What another view of it has put there was begun with what this one knows.
        is_own = any(one.seen == state for one in self.views if one not in behind)
        based = {
            view: view.bases.newest if is_own else await self._base(view, theirs, state)
            for view, theirs in found.items()
        }
        if await self.disk.state() != state:
            return
        taken_in = [Step(state, view.seen) for view in found if view.seen != state]
        if any(one.is_notebook for one in found):
            self._kept, self._are_others = (await self.disk.kept()).known, False
        self.exchange()
        taken = []
        for view in sorted(found, key=lambda one: one.is_notebook):
            before = view.dated(view.content())
            if self._merge(view, based[view], found[view]):
                taken.append(Taken(view, before, view.content()))
                view.say("CONFLICT", f"{self.disk.path} changed on disk in the same place: both are kept, marked.")
            are_outputs_only = view.seen == state
            view.agree(found[view], state, theirs=not is_own)
            view.dirty = view.content() != view.bases.newest and not (are_outputs_only and self._answers >= ANSWERS)
            # Two servers that read one file differently would never rest.
            self._answers += are_outputs_only and view.dirty
        self._taken = taken or self._taken
        trail = self.disk.trail
        for step in taken_in:
            await asyncio.to_thread(trail.leave, step)
        for view in found:
            await asyncio.to_thread(view.bases.keep)

    async def undo_merge(self) -> bool:
        """Take back what the disk last changed against what was typed; what was typed since stays.

        Returns:
            whether there was something to take back
        """
        async with self._turn:
            taken, self._taken = [one for one in self._taken if one.view in self.views], []
            for one in taken:
                one.view.merge(one.after, one.before)
                self.exchange()
        return bool(taken)

    async def _read(self, view: View, state: State | None) -> Content | None:
        """None when it cannot be; the view is told."""
        try:
            return await self.read(view)
        except HTTPError as error:
            if view.refused is None:
                view.say("ERROR", f"{error.log_message or error} What is open here is kept, and not saved over it.")
            view.refused = state
            return None

    async def _base(self, view: View, theirs: Content, state: State) -> Content:
        if view.bases.newest == theirs:
            return theirs
        told = await self.disk.told(view, state)
        return await asyncio.to_thread(view.bases.of, theirs, partial(is_committed, self.disk.file), told)

    def _merge(self, view: View, base: Content, theirs: Content) -> int:
        """How many conflicts that makes."""
        if self._twins and view is self._twins.notebook:
            # Its text has come to it by way of the other: twice would be one time too many.
            self._twins.notebook.take_results(base, theirs)
            return 0
        made = view.merge(base, theirs) if base is not theirs else 0
        self.exchange()
        return made

    async def _put(self) -> bool:
        """Whether all that was typed is on disk now; False when the disk moved meanwhile, or it belongs elsewhere."""
        if self._late():
            return False
        in_step = self._twins is not None and self._twins.in_step
        # All at one moment; first the text, to which the notebook then adds what a text does not hold.
        ordered = sorted(self.views, key=lambda one: one.is_notebook)
        said = {one: one.content() for one in ordered if in_step or one.dirty}
        pending = [one for one in ordered if one.dirty and one.refused is None]
        for view in pending:
            # What is typed from here on is another change.
            view.dirty = False
        while pending:
            view, before = pending[0], pending[0].seen
            try:
                if said[view] != view.bases.newest:
                    await self._write(view, said[view])
                elif view.document.dirty:  # what was typed was taken back
                    view.document.dirty = False
            except BaseException as error:
                for one in pending:
                    one.dirty = True
                if not isinstance(error, HTTPError | OSError):
                    raise
                if await self.disk.state() != before:
                    view.bases.was_seen(said[view])
                    return False
                self._failed(view, error)
                raise
            pending.pop(0)
            if in_step and not view.is_notebook:
                for other in [one for one in ordered if one.seen == before and one.refused is None]:
                    other.seen = view.seen
                    if other not in pending:
                        other.bases.add(said[other], view.seen)
        return len({one.seen for one in self.views if one.refused is None}) <= 1

    async def _write(self, view: View, content: Content) -> None:
        """
        Raises:
            HTTPError, OSError: it is not written
        """
        written = await self.disk.write(view, view.dated(content))
        view.agree(content, written.state)
        if view.is_notebook:
            self._kept = (await self.disk.kept()).known
        view.document.dirty = False
        view.document.hash = written.hash
        view.say("INFO", "Content saved.")
        await asyncio.to_thread(view.bases.keep)

    def _failed(self, view: View, error: Exception) -> None:
        self._failed_at = asyncio.get_running_loop().time()
        said = error.log_message if isinstance(error, HTTPError) else str(error)
        view.say("ERROR", f"{said or error} What was typed is kept here, and tried again.")

    async def _save(self) -> None:
        try:
            await self.sync()
        except (HTTPError, SlipwayError, OSError) as error:
            self._log.warning("%s is not saved: %s", self.disk.path, error)
        except Exception:
            self._log.exception("%s is not saved.", self.disk.path)

    async def _watch(self, poll: float) -> None:
        while True:
            await asyncio.sleep(poll)
            state = await self.disk.state()
            # While there is no file nothing is beside it.
            self._are_others = state is not None and (await self.disk.kept()).now != self._kept
            if self._are_others or any(one.is_behind(state) for one in self.views) or self._tries_again():
                await self._save()

    def _tries_again(self) -> bool:
        return self._failed_at is not None and asyncio.get_running_loop().time() - self._failed_at > AGAIN

    def _start(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
