"""The open views of one file: a notebook and a text, each a shared document, kept in step while people type.

`openfile` brings them to the disk and what is on disk to them. An exchange between the two goes in one step: nothing
can be typed within it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any, Literal

from jupyter_ydoc.utils import cast_all
from pycrdt import Map

from jupyter_slipway.errors import BadRequest
from jupyter_slipway.notebooks import age, live, recognise, text
from jupyter_slipway.notebooks.bases import Bases, Content, without_results
from jupyter_slipway.notebooks.diff import RESULTS
from jupyter_slipway.notebooks.documents import fresh_ids, give_language, is_torn, name_cells, parse
from jupyter_slipway.notebooks.rescue import Rescue
from jupyter_slipway.notebooks.sightings import State
from jupyter_slipway.notebooks.text import Before, Past

Say = Callable[[Literal["INFO", "WARNING", "CONFLICT", "ERROR"], str], None]


class View(ABC):
    """One shared document of a file.

    Args:
        type: as the contents manager calls it
        say: tell the pages that have it open
    """

    def __init__(self, document: Any, type: str, format: str, bases: Bases, say: Say) -> None:
        self.document, self.type, self.format, self.bases, self.say = document, type, format, bases, say
        self.seen: State | None = None
        """The state of the file that it agreed with."""
        self.refused: State | None = None
        """The state of the file that could not be read as what it is: it is not written over."""
        self.dirty = False
        """Whether it may differ from what it agreed with."""
        self.waits = False
        """Whether it held what was not saved when the file was deleted: that alone does not bring the file back."""

    @property
    def is_notebook(self) -> bool:
        return self.type == "notebook"

    def is_behind(self, state: State | None) -> bool:
        """Whether it is to look at the file again, which is in this state."""
        return state != self.seen and (state is None or state != self.refused)

    @abstractmethod
    def content(self) -> Content:
        """What it holds now."""

    @abstractmethod
    def merge(self, base: Content, theirs: Content) -> int:
        """Take in what `theirs` changed since `base`.

        Returns:
            conflicts
        """

    def hear(self, update: bytes) -> None:  # noqa: B027  a text loses nothing by it
        """A page is about to change it so."""

    def unmark(self) -> None:  # noqa: B027  a text has no outputs
        """What it shows of the age of its outputs is no longer so where somebody typed an edit back."""

    def dated(self, content: Content) -> Content:
        """What it holds, saying what else is known of its outputs."""
        return content

    def plain(self, content: Content) -> Content:
        """What is `dated`, as it holds it."""
        return content

    def end(self) -> None:  # noqa: B027  a text holds nothing to let go
        """It is not open any more."""

    def agree(self, content: Content, state: State | None, *, theirs: bool = False) -> None:
        """The file is `content`, and whatever of it was not here is taken in.

        Args:
            theirs: whether somebody else wrote it
        """
        self.bases.add(content, state, theirs=theirs)
        self.seen, self.refused, self.waits = state, None, False


class TextView(View):
    def content(self) -> str:
        return str(self.document.get())

    def replace(self, text: str, state: State | None) -> str | None:
        """Show the text of another file.

        Returns:
            what is replaced, if it was not saved
        """
        typed = self.content()
        unsaved = typed if typed != self.bases.newest else None
        live.write_text(self.document, text)
        self.bases.begin(text)
        self.agree(text, state)
        self.dirty = False
        return unsaved

    def merge(self, base: str, theirs: str) -> int:
        return live.merge_text(
            self.document, base, theirs, PurePath(self.document.path or "").suffix, self.bases.dropped
        )


class NotebookView(View):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._cells: dict[str, dict[str, Any]] = {}
        """As they were last read, by id: of 50 MB of outputs only what somebody touched is read again."""
        self._ran: dict[str, str] = {}
        """Of which source what a cell shows is, by its id, where it ran here or its file told so."""
        self._running: set[str] = set()
        """The cells that were seen to begin: what they give is of the source that they had then, whatever is typed."""
        self._merging = False
        self._subscription = self.document.ycells.observe_deep(self._touched)
        self._rescue = Rescue(self.document)

    def _touched(self, events: Sequence[Any]) -> None:
        """Somebody changed the document's cells."""
        places = [event.path[0] if event.path else None for event in events]
        if None in places:
            # Cells came or went.
            self._cells.clear()
        for place in set(places) - {None}:
            self._cells.pop(self.document.ycells[place].get("id"), None)
        changed: dict[int, set[str]] = defaultdict(set)
        for event in events if not self._merging else ():
            if event.path:
                changed[event.path[0]].update(event.keys if len(event.path) == 1 else event.path[1:2])
        for place, members in changed.items():
            self._note_run(self.document.ycells[place], members)

    def _note_run(self, ycell: Any, changed: Set[str]) -> None:
        """
        Args:
            changed: the cell's members that a page has changed
        """
        id, runs = ycell.get("id"), ycell.get("execution_state") == "running"
        if runs and "execution_state" in changed:
            self._running.add(id)
            self._ran[id] = age.digest(str(ycell["source"]))
        elif not changed.isdisjoint(RESULTS) and id not in self._running:
            self._ran[id] = age.digest(str(ycell["source"]))
        if not runs:
            self._running.discard(id)

    def content(self) -> Content:
        """Not to be changed: what nobody touches is the same object the next time."""
        document = self.document
        meta = document.ydoc.get("meta", type=Map).to_py()
        cells: dict[str, dict[str, Any]] = {}
        for ycell in document.ycells:
            id = ycell.get("id")
            if id is None or id in cells:
                self._cells.clear()
                return document.get()
            cells[id] = self._cells.get(id) or document._cell_to_py(ycell, meta)
        self._cells = cells
        told = cast_all(meta, float, int)
        return {
            "cells": list(cells.values()),
            "metadata": told.get("metadata", {}),
            "nbformat": int(told.get("nbformat", 0)),
            "nbformat_minor": int(told.get("nbformat_minor", 0)),
        }

    def identify(self, theirs: Content) -> None:
        """Give a text what it does not keep, as it was when both agreed: its cells' ids, its kernel's language."""
        if self.bases.newest is not None:
            recognise.name(theirs["cells"], self.bases.newest["cells"])
            give_language(theirs["metadata"], self.bases.newest["metadata"])

    def merge(self, base: Content, theirs: Content, *, results: bool = True) -> int:
        removing = self._rescue.removing
        if not results:
            return live.merge_notebook(self.document, base, theirs, results=False, removing=removing, ran=self._ran)
        with self._taking_in(theirs) as (plain, told):
            again = self.bases.dropped
            return live.merge_notebook(
                self.document, base, plain, again=again, removing=removing, ran=self._ran, told=told
            )

    def take_results(self, base: Content, theirs: Content) -> None:
        """Take in the outputs of `theirs` alone."""
        with self._taking_in(theirs) as (plain, _):
            live.take_results(self.document, base, plain)

    @contextmanager
    def _taking_in(self, theirs: Content) -> Iterator[tuple[Content, dict[Any, str]]]:
        """Within the block outputs change because they did elsewhere; what `theirs` tells of them, holds here then."""
        was = {cell.get("id"): cell for cell in self.content()["cells"]}
        told = {cell.get("id"): age.told_by(cell) for cell in theirs["cells"] if "outputs" in cell}
        self._merging = True
        try:
            yield self.plain(theirs), told
        finally:
            self._merging = False
            for cell in self.content()["cells"]:
                if not live.show_the_same(cell, was.get(cell.get("id"), {})):
                    self._ran.pop(cell.get("id"), None)
            self._believe(theirs)

    def _believe(self, theirs: Content) -> None:
        """What is told of outputs that are here too."""
        known = {None, *self._ran}
        there = {cell["id"]: cell for cell in theirs["cells"] if "outputs" in cell and cell.get("id") not in known}
        for cell in self.content()["cells"]:
            id = cell.get("id")
            if id in there and live.show_the_same(cell, there[id]) and (of := age.told_by(there[id])):
                self._ran[id] = of

    def agree(self, content: Content, state: State | None, *, theirs: bool = False) -> None:
        if self.seen is None:
            # What a history told again while it was opened.
            self._ran.clear()
            self._running.clear()
            self._believe(content)
        super().agree(self.plain(content), state, theirs=theirs)

    def hear(self, update: bytes) -> None:
        gone = self._rescue.hear(update)
        if gone and self._rescue.bring_back(gone):
            self.say("WARNING", "A cell was removed elsewhere while somebody typed in it: it is kept, marked.")

    def unmark(self) -> None:
        live.unmark(self.document, self.content()["cells"])

    def plain(self, content: Content) -> Content:
        return {**content, "cells": [age.undated(cell) for cell in content["cells"]]}

    def dated(self, content: Content) -> Content:
        return {**content, "cells": [age.dated(cell, self._ran.get(cell.get("id"))) for cell in content["cells"]]}

    def end(self) -> None:
        self._rescue.end()


def view(document: Any, type: str, format: str, bases: Bases, say: Say) -> View:
    made = NotebookView if type == "notebook" else TextView
    return made(document, type, format, bases, say)


class Twins:
    """The text and the notebook of one text notebook; both have seen one state of the file.

    Args:
        format_name: one of `text.FORMATS`
    """

    def __init__(self, words: TextView, notebook: NotebookView, file: Path, format_name: str, config: Any) -> None:
        self.words, self.notebook = words, notebook
        self._file, self._format, self._config = file, format_name, config
        self._text: str = words.bases.newest or ""
        """What both last said."""
        self._inputs: Content = without_results(notebook.bases.newest)
        """What the notebook was then."""
        self._parsed: Content | None = None
        """What `_text` is when it is read: the notebook knows more than a text can say."""
        self.in_step = True

    def exchange(self) -> None:
        """Let each have what was typed in the other. While the text cannot be read, the notebook waits for it."""
        self._tell_text()
        self._tell_notebook()

    def _tell_text(self) -> None:
        now = self._said()
        if text.same_inputs(self._inputs, now):
            return
        before = None if is_torn(self._text, self._file) else Before(self._text, self._inputs)
        written = text.render(now, self._file.suffix, self._format, self._config, before)
        live.merge_text(self.words.document, self._text, written, self._file.suffix)
        self._text, self._inputs, self._parsed = written, now, None

    def _tell_notebook(self) -> None:
        typed = self.words.content()
        if typed == self._text:
            return
        self.in_step = False
        if self._parsed is None:
            self._parsed = self._read(self._text)
            self._adopt_ids()
        new = self._read(typed)
        if self._parsed is None or new is None:
            return
        _name(new["cells"], self._parsed["cells"])
        self.notebook.merge(self._whole(self._parsed), self._whole(new), results=False)
        self._text, self._parsed, self._inputs = typed, new, self._said()
        self._adopt_ids()
        self.in_step = True

    def _said(self) -> Content:
        return without_results(self.notebook.content())

    def _read(self, written: str) -> Content | None:
        try:
            notebook = parse(written, self._file, self._config, self._past())
        except BadRequest:  # somebody is at its header just now
            return None
        return {"metadata": dict(notebook["metadata"]), "cells": [_bare(cell) for cell in notebook["cells"]]}

    def _past(self) -> Past | None:
        """What need not be parsed again."""
        if self._parsed is None or not text.has_markers(self._file.suffix) or is_torn(self._text, self._file):
            return None
        pieces = text.cut(self._text, self._file.suffix)
        cells = self._parsed["cells"]
        if len(pieces.cells) not in (len(cells), len(cells) - 1) or not pieces.cells:
            return None
        known = {
            text.fingerprint(piece): {key: cell[key] for key in ("cell_type", "source", "metadata")}
            for piece, cell in zip(pieces.cells, cells[len(cells) - len(pieces.cells) :], strict=True)
        }
        return Past(text.fingerprint(pieces.header), known)

    def _adopt_ids(self) -> None:
        """The cells of what was read are those of the notebook."""
        if self._parsed is None:
            return
        read, there = self._parsed["cells"], self._inputs["cells"]
        if len(read) == len(there):
            for cell, known in zip(read, there, strict=True):
                cell["id"] = known["id"]
        else:
            _name(read, there)

    def _whole(self, read: Content) -> Content:
        return {"nbformat": 4, "nbformat_minor": self._inputs["nbformat_minor"], **read}


def _bare(cell: dict[str, Any]) -> dict[str, Any]:
    made = {"id": "", "cell_type": cell["cell_type"], "source": text.joined(cell["source"])}
    made["metadata"] = dict(cell["metadata"])
    return made | {"outputs": [], "execution_count": None} if cell["cell_type"] == "code" else made


def _name(cells: list[dict[str, Any]], like: list[dict[str, Any]]) -> None:
    """Give each cell the id of the one that it still is; new ones get one that comes from their text."""
    taken = {cell["id"] for cell in like}
    for cell, was, fresh in zip(cells, recognise.same(like, cells), fresh_ids(cells), strict=True):
        cell["id"] = like[was]["id"] if was is not None else "" if fresh in taken else fresh
    name_cells(cells)
