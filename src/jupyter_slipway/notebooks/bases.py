"""What an open file was, state by state, and with which of them a change from elsewhere began.

Kept by `views` for each open document: the states in which it and the disk agreed. The newest outlives the server, so
that what was typed before a crash is told from what changed on disk since.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from jupyter_slipway.notebooks.diff import RESULTS, WORD
from jupyter_slipway.notebooks.marks import MINE, SPLIT, THEIRS, conflicts, sides
from jupyter_slipway.notebooks.sightings import State as FileState

Content = Any
"""A text, or a notebook of nbformat 4 as plain dicts with joined sources."""
RING = 64
"""States that are remembered."""
GLIMPSES = 8
"""States that the disk was in for a moment only; as many are remembered."""
TELLING = 3
"""New words of a state that a text which was begun with it would not all have dropped."""
UNSEEN = 1.0
"""Seconds for which whoever writes may have read what a file was before it was saved here."""
UNREAD = 10.0
"""Seconds for which an editor that saves may still hold what a file was before there was a conflict in it; and nobody
has read and settled one in that time and changed something else as well."""
MARKS = re.compile(rf"^(?:\W\W? )?(?:{MINE} .*|{SPLIT}|{THEIRS} .*)$", re.MULTILINE)
"""Lines that are marks, in a text's comments too."""
CELLS = re.compile(r"^(?:\W{1,3} ?%%+(?: \[\w+\])?|`{3,}.*$)", re.MULTILINE)
"""What begins a cell of a text, or ends it."""


class Passed(NamedTuple):
    """What another server put on disk, and may never have been seen here."""

    content: Content
    base: FileState | None
    """The last state before it that is known here; None when the newest was made of it."""


class Told(NamedTuple):
    """What other servers tell of a change on disk; see `trail`. Asked only when it matters."""

    known: Callable[[], Sequence[FileState]] = tuple
    """What the server that wrote it knew, newest first; nothing when no server did."""
    passed: Callable[[], Sequence[Passed]] = tuple


NOTHING_TOLD = Told()


class State:
    """What a document and the disk agreed on, without outputs.

    Args:
        theirs: whether somebody else wrote it
    """

    def __init__(self, content: Content, *, theirs: bool = False) -> None:
        self.theirs = theirs
        self.inputs = content if isinstance(content, str) else without_results(content)
        self.since = time.monotonic()
        self.files: set[FileState] = set()
        """In which states the file was this."""

    @cached_property
    def said(self) -> Any:
        """What of it a text says: no ids."""
        if isinstance(self.inputs, str):
            return self.inputs
        return [(cell["cell_type"], cell["source"]) for cell in self.inputs["cells"]]

    @cached_property
    def text(self) -> str:
        return self.said if isinstance(self.said, str) else "\n".join(source for _, source in self.said)

    @cached_property
    def words(self) -> Counter[str]:
        return _words(self.text)

    def settled_like(self, words: Counter[str]) -> Counter[str]:
        """Its words with each conflict settled as `words` have it: for a side, for both, or not."""
        closest = self.words
        for conflict in conflicts(self.text):
            found = sides(conflict)
            assert found is not None
            without = closest - _words(conflict)
            each = [without + _words(side) for side in (found.mine, found.theirs, found.mine + found.theirs)]
            closest = min([closest, *each], key=lambda one: _distance(one, words))
        return closest


class Bases:
    """
    Args:
        kept: the file that holds the newest state
    """

    def __init__(self, kept: Path) -> None:
        self._kept = kept
        self._ring: deque[State] = deque(maxlen=RING)
        self._glimpses: deque[State] = deque(maxlen=GLIMPSES)
        self._answered: Any = None
        """What was written that was taken for something from before what was saved here."""
        self.newest: Content | None = None
        self.was_left = False
        """Whether the document, when it was last open, was all saved, its outputs too."""
        self.dropped: Set[str] = frozenset()
        """Words that whoever put a state from before in place of the newest had not seen, until they are back on disk:
        another server may bring them back at the same time."""

    def restore(self) -> Content | None:
        """The newest state that was kept, without outputs; None when there is none that can be read."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            kept = json.loads(self._kept.read_bytes())
            self.newest, self.was_left = kept["inputs"], bool(kept["left"])
            self._ring.append(State(self.newest))
        return self.newest

    def begin(self, content: Content) -> None:
        """Whatever there was before, it was another document."""
        self._ring.clear()
        self._glimpses.clear()
        self.add(content)

    def add(self, content: Content, file: FileState | None = None, *, theirs: bool = False) -> None:
        """The document and the disk agreed on this.

        Args:
            file: the state of the file that holds it
            theirs: whether somebody else wrote it
        """
        self.newest = content
        if not theirs:
            self.dropped = frozenset()
        state = State(content, theirs=theirs)
        if self._ring and self._ring[-1].said == state.said:
            state.theirs |= self._ring[-1].theirs
        if not self._ring or self._ring[-1].inputs != state.inputs:
            self._ring.append(state)
        if file:
            self._ring[-1].files.add(file)

    def has_seen(self, file: FileState) -> bool:
        """Whether it is remembered what the file was in this state."""
        return self._at(file) is not None

    def _at(self, file: FileState) -> State | None:
        return next((one for one in self._ring if file in one.files), None)

    def was_seen(self, content: Content) -> None:
        """The disk was this for a moment, before it was taken back: an editor may have read it."""
        self._glimpses.append(State(content))

    def keep(self, *, left: bool = False) -> None:
        """Write the newest down. Not forced to the disk: only the server may have died, not the machine.

        Args:
            left: the document is no other, and is not open any more
        """
        if not self._ring:
            return
        said = json.dumps({"inputs": self._ring[-1].inputs, "left": left})
        with suppress(OSError):  # a full disk: then a crash costs what was typed since the last save
            self._kept.parent.mkdir(parents=True, exist_ok=True)
            temporary = self._kept.with_name(f".{self._kept.name}.{secrets.token_hex(4)}")
            temporary.write_text(said, encoding="utf-8")
            os.replace(temporary, self._kept)

    def of(self, theirs: Content, is_committed: Callable[[], bool], told: Told = NOTHING_TOLD) -> Content:
        """The state that whoever wrote `theirs` had begun with.

        Where another server wrote it, the newest that that one knew. Else the newest, unless an older one is closer: an
        editor that had not seen what was saved since, and puts its own in its place. A state that was there before
        (unless the newest was saved here just now), one that git knows, and the newest with its conflicts settled are
        meant as they are; and where the newest is somebody else's too, and only took words away, they were put back.

        Args:
            is_committed: whether git knows `theirs`; asked only when it matters
            told: by other servers
        """
        assert self.newest is not None
        found = State(theirs)
        known = list(self._ring)
        newest = known[-1]
        if not newest.words - found.words:
            return self.newest
        if knew := next(filter(None, map(self._at, told.known())), None):
            return self.newest if knew is newest else self._go_back(knew)
        may_be_unseen = not newest.theirs and time.monotonic() - newest.since < UNSEEN
        if any(one.said == found.said for one in known) and (
            # Who writes it once more, as a formatter at each save does, means it.
            not may_be_unseen or found.said == self._answered or is_committed()
        ):
            return self.newest
        met = [*reversed(_met(known, found.words)), *self._glimpses]
        bases = [*((one, one) for one in met), *self._passed(told)]
        _, best = min(bases, key=lambda one: _distance(one[0].words, found.words))
        if best is newest or (newest.theirs and not newest.words - best.words) or is_committed():
            return self.newest
        settled = newest.settled_like(found.words)
        if settled is not newest.words:
            nearer = _distance(best.words, found.words) - _distance(settled, found.words)
            was_read = (settled - best.words) & found.words or not _is_unread(known)
            if nearer > 0 or (nearer == 0 and was_read):
                return self.newest
        self._answered = found.said
        return self._go_back(best)

    def _passed(self, told: Told) -> Iterator[tuple[State, State]]:
        """Each with the last state before it that is in what is here: who began with it has taken away none of that."""
        for content, file in told.passed():
            state = State(content)
            base = self._at(file) if file else state
            if base:
                yield state, base

    def _go_back(self, to: State) -> Content:
        """Whoever wrote had not seen what was new since."""
        self.dropped = self.dropped | (self._ring[-1].words - to.words).keys()
        return to.inputs


def _is_unread(known: Sequence[State]) -> bool:
    """Whether the newest state has a conflict that was not there yet `UNREAD` seconds ago."""
    was = next((one for one in reversed(known) if time.monotonic() - one.since > UNREAD), None)
    return was is None or any(conflict not in was.text for conflict in conflicts(known[-1].text))


def _met(known: Sequence[State], words: Counter[str]) -> list[State]:
    """The states that whoever wrote `words` may have seen: another server that saves over one of ours which it has not
    seen knows none of what was new in it, however much the rest is alike.
    """
    before: set[str] = set()
    met: list[State] = []
    unmet: set[str] = set()
    for state in known:
        new = state.words.keys() - before
        before |= new
        if new & words.keys():
            unmet.clear()
        elif len(new) >= TELLING:
            unmet |= new
        # Where what was new has gone again, nothing tells that it was not seen.
        if unmet.isdisjoint(state.words):
            met.append(state)
    return met or list(known)


def without_results(notebook: Content) -> Content:
    """Its inputs: what a text of it could say, and ids."""
    cells = [{key: value for key, value in cell.items() if key not in RESULTS} for cell in notebook["cells"]]
    return {**notebook, "cells": cells}


def _words(text: str) -> Counter[str]:
    """What somebody wrote in it: git's marks, which each server makes anew, would let any two conflicts look alike, and
    what begins a cell any two new cells.
    """
    return Counter(word for word in WORD.findall(CELLS.sub("", MARKS.sub("", text))) if not word.isspace())


def _distance(a: Counter[str], b: Counter[str]) -> int:
    return (a - b).total() + (b - a).total()
