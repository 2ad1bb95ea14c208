"""A notebook as text and back: jupytext behind one door. Percent, MyST, Markdown; a script without marks is one cell.

Pure. `documents` reads and writes the files. A cell that was not touched keeps its bytes: what stands between two
markers is taken over from the text before, and only touched cells are rendered again, by jupytext itself.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import PurePath
from typing import Any, NamedTuple

import jupytext
from jupytext.config import JupytextConfiguration, preferred_format
from jupytext.formats import guess_format, read_format_from_metadata, read_metadata
from jupytext.languages import _SCRIPT_EXTENSIONS
from jupytext.metadata_filter import filter_metadata, update_metadata_filters
from nbformat import NotebookNode

from jupyter_slipway.errors import BadRequest, in_short
from jupyter_slipway.notebooks.standins import FILTER, hide, hide_odd, nodes, read_anyhow

FORMATS = ("percent", "hydrogen", "markdown", "myst")
"""Those whose cells are marked, so that a text says where each begins. Not light: it comes back with other cells."""
OURS = "slipway"
"""The metadata key of what we say about a notebook or a cell; never in the text."""
PERCENT = ("percent", "hydrogen")
UNMARKED = {"light": "percent", "pandoc": "markdown"}
"""What a text that names no format is read as, where jupytext would guess one that is not ours."""
PASSING = {OURS, "trusted", "execution", "ExecuteTime", "collapsed", "scrolled", "autoscroll"}
"""Cell metadata that never stands in a text."""
STANDING = ("kernelspec", "kernel_info", "orphan", "tocdepth")
"""Notebook metadata that stands in a header, besides jupytext's."""
ELSEWHERE = {OURS, "language_info", "widgets", "signature", "orig_nbformat"}
"""Notebook metadata that never stands in a text."""
MOST_CELLS = 20_000
"""Cells of a notebook that is opened: a shared document of so many holds up the server for 5 s, of 10⁵ for minutes."""
RUN = 400
"""Cells that are parsed at once: jupytext's time grows with the square of a text's length."""
SIGHT = 8
"""Cells that are parsed after those, since what follows a cell decides how many blank lines after it are usual."""
LIGHT = re.compile(r"^(#|//|--|;;|%) \+( |$)", re.MULTILINE)
"""What begins a cell in the light format."""
BARE = re.compile(r"[^\w\[]*(?:\[(?:markdown|md|raw)\])?\s*")
"""A marker line that says nothing of its cell but the type."""
VERSION = re.compile(r"^.*\bjupytext_version: .*\n", re.MULTILINE)

FRONT = re.compile(r"---\n.*?\n---\n", re.DOTALL)
Notebook = Any
"""nbformat 4, as NotebookNode or plain dict, sources joined to strings."""


class Decoded(NamedTuple):
    """A file's bytes as text with '\\n', and what writes the same bytes again."""

    text: str
    newline: str
    mark: bool
    """Whether a byte order mark stood before it."""


class Before(NamedTuple):
    """What a text replaces."""

    text: str
    notebook: Notebook
    """What `text` is; its cells have ids."""


class Past(NamedTuple):
    """What texts were read as before."""

    header: str
    """Fingerprint of the header under which they stood."""
    cells: Mapping[str, Mapping[str, Any]]
    """Fingerprint of a piece -> its cell."""


class Pieces(NamedTuple):
    """A percent text, cut at its markers: the header, then one piece a cell."""

    header: str
    cells: tuple[str, ...]


def decode(content: bytes, name: str) -> Decoded:
    """
    Raises:
        BadRequest: it is not UTF-8; the message names the line
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadRequest(
            f"{name}, line {line}: byte 0x{content[error.start]:02x} is not UTF-8.",
            hint="Convert the file to UTF-8, for example with iconv, then open it again. It was not touched.",
        ) from error
    mark = text.startswith("\ufeff")
    newline = "\r\n" if "\r\n" in text and text.count("\r\n") * 2 > text.count("\n") else "\n"
    if "\r" in text and "\n" not in text:  # as on an old Mac
        return Decoded(text[mark:].replace("\r", "\n"), "\r", mark)
    return Decoded(text[mark:].replace("\r\n", "\n"), newline, mark)


def encode(text: str, like: Decoded | None) -> bytes:
    """The bytes of `text`, with the line ends and the mark of the file it replaces."""
    if like is None:
        return text.encode()
    return ("\ufeff" * like.mark + text.replace("\n", like.newline)).encode()


def format_of(text: str, suffix: str, config: JupytextConfiguration | None = None) -> str | None:
    """One of FORMATS; None when the text is in another of jupytext's formats.

    Raises:
        yaml.YAMLError, ValueError: the header cannot be read
    """
    there, _ = hide_odd(text) or (str, None)
    text = there(text)
    wanted = preferred_format(suffix, config.preferred_jupytext_formats_read) if config else {}
    name = read_format_from_metadata(text, suffix) or wanted.get("format_name")
    if not name:
        guessed, options = guess_format(text, suffix)
        marked = options or LIGHT.search(text) or read_metadata(text, suffix).get("jupytext", {}).get("cell_markers")
        name = guessed if marked else UNMARKED.get(guessed, guessed)
    return name if name in FORMATS else None


def parse(text: str, name: str, config: JupytextConfiguration | None = None, past: Past | None = None) -> Notebook:
    """The notebook that `text` is, without outputs; cell ids are by chance. Cells known from `past` are not parsed.

    Raises:
        BadRequest: its header is broken; the message names the line. Or it has too many cells
    """
    suffix = PurePath(name).suffix
    if has_markers(suffix):
        # Before they are parsed: 10⁵ take a minute.
        refuse_too_many(len(cut(text, suffix).cells), name)
    try:
        there, back = hide_odd(text) or (str, None)
        safe = there(text)
        format_name = format_of(safe, suffix, config)
        if format_name is None:
            raise ValueError("it is in a format without cell markers")
        notebook = _read(safe, suffix, format_name, config or JupytextConfiguration(), past)
    except Exception as error:  # jupytext's parsers raise many kinds; each means that this is no notebook
        raise _unreadable(text, name, error) from error
    if back:
        notebook.metadata = nodes(notebook.metadata, back)
        for cell in notebook.cells:
            cell.source, cell.metadata = back(cell.source), nodes(cell.metadata, back)
    return notebook


def refuse_too_many(cells: int, name: str) -> None:
    """
    Raises:
        BadRequest: a notebook of so many cells would hold up the server, and the page
    """
    if cells > MOST_CELLS:
        raise BadRequest(
            f"{name} has {cells:,} cells: too many for a notebook.",
            hint=f"Up to {MOST_CELLS:,} are opened. Open it with the text editor, or split it. It was not touched.",
        )


def render(
    notebook: Notebook,
    suffix: str,
    format_name: str,
    config: JupytextConfiguration | None = None,
    before: Before | None = None,
) -> str:
    """The text of `notebook`. Cells, and the header, that are equal in what it replaces keep their bytes."""
    if before and format_name in PERCENT:
        notebook, before = _writing_alike(notebook, before)
    if before and format_name in PERCENT:
        touched = _render_touched(notebook, suffix, format_name, config, before)
        if touched is not None:
            return touched
    text = _write(notebook, notebook["cells"], suffix, format_name, config)
    return _under_header_of(before, text, notebook, suffix, format_name) if before else text


def same_inputs(was: Notebook, now: Notebook) -> bool:
    """Whether two notebooks have one text: equal cells in equal order under headers that say the same."""
    old, new = was["cells"], now["cells"]
    return (
        len(old) == len(new)
        and same_header(was["metadata"], now["metadata"])
        and all(cell_key(one) == cell_key(other) for one, other in zip(old, new, strict=True))
    )


def same_header(was: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether two notebooks' metadata differ in nothing that is worth another header.

    A kernel that was chosen where none was named is written down with the next change of something else.
    """
    old, new = _header(was), _header(now)
    if "kernelspec" not in old:
        new.pop("kernelspec", None)
    return old == new


def beside(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What a notebook's text does not hold of its metadata, whoever writes it."""
    options = metadata.get("jupytext", {})
    written = filter_metadata(dict(metadata), options.get("notebook_metadata_filter"), ",".join(STANDING))
    kept = metadata.keys() - written.keys() | metadata.keys() & ELSEWHERE
    return {key: metadata[key] for key in kept - {OURS, "jupytext"}}


def cell_key(cell: Mapping[str, Any]) -> tuple[str, str, str]:
    metadata = {key: value for key, value in cell.get("metadata", {}).items() if key not in PASSING}
    return cell["cell_type"], joined(cell["source"]), repr(sorted(metadata.items())) if metadata else ""


def fingerprint(piece: str) -> str:
    return hashlib.sha256(piece.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def joined(source: str | Sequence[str]) -> str:
    return source if isinstance(source, str) else "".join(source)


def cut(text: str, suffix: str) -> Pieces:
    """A percent text cut at its markers; all of it is header when there are none."""
    places = [found.start() for found in _marker(suffix).finditer(text)]
    if not places:
        return Pieces(text, ())
    ends = [*places[1:], len(text)]
    return Pieces(text[: places[0]], tuple(text[start:end] for start, end in zip(places, ends, strict=True)))


def _cut_for(text: str, suffix: str, cells: Sequence[Mapping[str, Any]]) -> Pieces | None:
    """The same with a piece for each of `cells`; None when they cannot be told apart, as with a quoted marker.

    What stands before the first marker, such as a header of somebody else's, may be the first cell: its piece is ''.
    """
    if any("%%" in source or "In[" in source or "<codecell>" in source for source in map(_source, cells)):
        within = _marker(suffix, within=True)
        if any(within.search(_source(cell)) for cell in cells):
            return None
    pieces = cut(text, suffix)
    if len(pieces.cells) == len(cells):
        return pieces
    if len(pieces.cells) + 1 == len(cells) and len(cells) > 1:
        return Pieces(pieces.header, ("", *pieces.cells))
    return None


def has_markers(suffix: str) -> bool:
    return suffix in _SCRIPT_EXTENSIONS


def _source(cell: Mapping[str, Any]) -> str:
    return joined(cell["source"])


@cache
def _marker(suffix: str, *, within: bool = False) -> re.Pattern[str]:
    """What begins a cell; or, `within` a cell, what would, as it stands or once it is commented."""
    comment = re.escape(_SCRIPT_EXTENSIONS[suffix]["comment"])
    comment = f"(?:{comment})?" if within else comment
    said = r"(?:%%%*(?:[^\S\n].*)?|<codecell>[^\S\n]*|In\[[0-9 ]*\]:?[^\S\n]*)"
    return re.compile(rf"^[^\S\n]*{comment}[^\S\n]*{said}$", re.MULTILINE)


def _read(text: str, suffix: str, format_name: str, config: JupytextConfiguration, past: Past | None) -> Notebook:
    fmt = {"extension": suffix, "format_name": format_name}

    pieces = cut(text, suffix) if format_name in PERCENT else Pieces("", ())
    front = FRONT.match(text)
    header = pieces.header if format_name in PERCENT else front[0] if front else ""

    def read(part: str) -> Notebook:
        notebook = read_anyhow(lambda all: jupytext.reads(all, fmt=dict(fmt), config=config), part, header)
        notebook.metadata = nodes(notebook.metadata)
        for cell in notebook.cells:
            cell.metadata = nodes(cell.metadata)
        return notebook

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if (past and past.header == fingerprint(pieces.header)) or len(pieces.cells) > RUN:
            cells = past.cells if past and past.header == fingerprint(pieces.header) else {}
            if notebook := _read_parts(read, pieces, cells):
                _admit(notebook.metadata, _at_markers(_telling(pieces.cells), suffix, format_name))
                return notebook
        notebook = read(text)
        _admit(notebook.metadata, {})
        return notebook


def _read_parts(
    read: Callable[[str], Notebook], pieces: Pieces, known: Mapping[str, Mapping[str, Any]]
) -> Notebook | None:
    """The notebook, each part of it that is not known parsed under the header; None when the pieces are no cells."""
    notebook = read(pieces.header + "".join(pieces.cells[:1]))
    before = notebook.cells[:-1]
    cells: list[Any] = []
    for start, end in _parts([fingerprint(piece) in known for piece in pieces.cells]):
        if fingerprint(pieces.cells[start]) in known:
            cells += [nodes(known[fingerprint(piece)]) for piece in pieces.cells[start:end]]
            continue
        seen = pieces.cells[start : end + SIGHT]
        parsed = read(pieces.header + "".join(seen)).cells[len(before) :]
        if len(parsed) != len(seen):
            return None
        cells += parsed[: end - start]
    notebook.cells = [*before, *cells]
    return notebook


def _telling(pieces: Sequence[str]) -> tuple[str, ...]:
    """The marker lines that say more than that a cell begins, and of what type."""
    lines = dict.fromkeys(piece.partition("\n")[0] for piece in pieces)
    return tuple(line for line in lines if not BARE.fullmatch(line))


@lru_cache(maxsize=64)
def _at_markers(lines: tuple[str, ...], suffix: str, format_name: str) -> dict[str, Any]:
    """Options of jupytext that follow from what marker lines say: which metadata stand there, and how."""
    if not lines:
        return {}
    fmt = {"extension": suffix, "format_name": format_name}
    options = jupytext.reads("\n".join([*lines, ""]), fmt=fmt).metadata.get("jupytext", {})
    return {key: options[key] for key in (FILTER, "cell_metadata_json") if key in options}


def _admit(metadata: Any, others: Mapping[str, Any]) -> None:
    """Let a notebook write the cell metadata that `others`, options of jupytext, write: what stands in a text stays.

    Args:
        metadata: the notebook's; changed
    """
    options = metadata.get("jupytext", {})
    if FILTER in options:
        shown = str(others.get(FILTER, "")).split(",")
        update_metadata_filters(metadata, True, [key for key in shown if key and not key.startswith("-")])
        if options.get("notebook_metadata_filter") == "-all":
            # jupytext lists what it found in an order by chance: it is compared.
            options[FILTER] = ",".join(sorted(options[FILTER].split(","), key=lambda key: (key.startswith("-"), key)))
    if others.get("cell_metadata_json"):
        metadata.setdefault("jupytext", {}).setdefault("cell_metadata_json", True)


def _writing_alike(notebook: Notebook, before: Before) -> tuple[Notebook, Before]:
    """Both with the cell metadata that either writes. Where no header says which, it is those that the text showed when
    it was read: somebody may have written others there since.
    """
    options = [one["metadata"].get("jupytext", {}) for one in (notebook, before.notebook)]
    if any(one.get("notebook_metadata_filter") != "-all" for one in options) or options[0] == options[1]:
        return notebook, before
    sides = []
    for side, own, other in ((notebook, *options), (before.notebook, *reversed(options))):
        metadata = {**side["metadata"], "jupytext": dict(own)}
        _admit(metadata, other)
        sides.append({"metadata": metadata, "cells": side["cells"]})
    return sides[0], before._replace(notebook=sides[1])


def _parts(known: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Stretches of cells, as (start, end), that are all known or all not; these of at most RUN cells."""
    start = 0
    for place in range(1, len(known) + 1):
        if place == len(known) or known[place] != known[start] or (not known[start] and place - start == RUN):
            yield start, place
            start = place


def _write(
    notebook: Notebook,
    cells: Sequence[Mapping[str, Any]],
    suffix: str,
    format_name: str,
    config: JupytextConfiguration | None,
) -> str:
    if format_name in PERCENT and len(cells) > RUN + SIGHT:
        parts = _write_parts(notebook, cells, suffix, format_name, config)
        if parts is not None:
            return parts
    fmt = {"extension": suffix, "format_name": format_name}
    bare = _bare(notebook, cells)
    shown = hide(bare, format_name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            written: str = jupytext.writes(bare, fmt=fmt, config=config or JupytextConfiguration())
        except Exception as error:  # jupytext's writers raise many kinds; each means that no text can say this
            raise BadRequest(
                f"This notebook cannot be written as text: {str(error) or type(error).__name__}.",
                hint="Keep it as .ipynb, or take out of its metadata what is named.",
            ) from error
    written = shown(written)
    front = _front(written, suffix, format_name)
    written = VERSION.sub("", front) + written[len(front) :]
    return written if written.endswith("\n") else written + "\n"


def _write_parts(
    notebook: Notebook,
    cells: Sequence[Mapping[str, Any]],
    suffix: str,
    format_name: str,
    config: JupytextConfiguration | None,
) -> str | None:
    """RUN cells at once; None when their pieces cannot be told apart."""
    parts: list[str] = []
    for start in range(0, len(cells), RUN):
        stop = min(start + RUN, len(cells))
        end = min(_end_of_sight(cells, stop - 1), stop + SIGHT)
        written = _write(_headless(notebook) if start else notebook, cells[start:end], suffix, format_name, config)
        window = _cut_for(written, suffix, cells[start:end])
        if window is None or (start and not window.cells[0]):
            return None
        parts += [window.header] if not start else []
        parts += window.cells[: stop - start]
    return "".join(parts)


def _headless(notebook: Notebook) -> Notebook:
    """The notebook as one whose text has no header: for a few cells it would cost more than they do."""
    options = {**notebook["metadata"].get("jupytext", {}), "notebook_metadata_filter": "-all"}
    return {"metadata": {**notebook["metadata"], "jupytext": options}, "cells": notebook["cells"]}


def _bare(notebook: Notebook, cells: Sequence[Mapping[str, Any]]) -> NotebookNode:
    """What of a notebook can stand in a text."""
    metadata = {key: value for key, value in notebook["metadata"].items() if key not in ELSEWHERE}
    return NotebookNode(
        nbformat=4, nbformat_minor=5, metadata=nodes(metadata), cells=[_bare_cell(cell) for cell in cells]
    )


def _bare_cell(cell: Mapping[str, Any]) -> NotebookNode:
    metadata = {key: value for key, value in cell.get("metadata", {}).items() if key not in PASSING}
    bare = NotebookNode(cell_type=cell["cell_type"], source=joined(cell["source"]), metadata=nodes(metadata))
    if cell["cell_type"] == "code":
        bare.update(outputs=[], execution_count=None)
    return bare


def _render_touched(
    notebook: Notebook, suffix: str, format_name: str, config: JupytextConfiguration | None, before: Before
) -> str | None:
    """The text with new bytes for touched cells only; None when the text before cannot be told apart."""
    cells, was = notebook["cells"], before.notebook
    pieces = _cut_for(before.text, suffix, was["cells"])
    if pieces is None or not pieces.cells or not cells or _options(notebook["metadata"]) != _options(was["metadata"]):
        return None
    if not pieces.cells[0] and (cells[0]["id"], cell_key(cells[0])) != (
        was["cells"][0]["id"],
        cell_key(was["cells"][0]),
    ):
        return None
    header = pieces.header
    if not same_header(was["metadata"], notebook["metadata"]):
        first = _cut_for(_write(notebook, cells[:1], suffix, format_name, config), suffix, cells[:1])
        if first is None or not pieces.cells[0]:
            return None
        header = first.header
    headless = _headless(notebook)
    kept = _kept_pieces(cells, was["cells"], pieces.cells)
    if not pieces.cells[0]:  # it stands before the first marker, with the header
        kept[0] = ("", True)
    parts = [piece for piece, _ in kept]
    for start, end in _stretches([not whole for _, whole in kept]):
        seen = cells[start : _end_of_sight(cells, end - 1)]
        window = _cut_for(_write(headless, seen, suffix, format_name, config), suffix, seen)
        if window is None or not window.cells[0]:
            return None
        for place, rendered in zip(range(start, end), window.cells, strict=False):
            piece = parts[place]
            parts[place] = piece.rstrip("\n") + rendered[len(rendered.rstrip("\n")) :] if piece else rendered
    return header + "".join(parts)


def _stretches(wanted: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Where what is wanted stands together, as (start, end)."""
    start = 0
    for place, one in enumerate([*wanted, False]):
        if not one:
            if start < place:
                yield start, place
            start = place + 1


def _kept_pieces(
    cells: Sequence[Mapping[str, Any]], was: Sequence[Mapping[str, Any]], pieces: Sequence[str]
) -> list[tuple[str, bool]]:
    """For each cell its bytes before, '' when it was touched; and whether the blank lines after them stay too.

    How many blank lines follow a cell depends on what comes next, up to the next code.
    """
    places = {cell["id"]: place for place, cell in enumerate(was)}
    kept: list[tuple[str, bool]] = []
    follows = True
    for place in reversed(range(len(cells))):
        cell, old = cells[place], places.get(cells[place]["id"], -1)
        after = cells[place + 1]["id"] if place + 1 < len(cells) else None
        after_was = was[old + 1]["id"] if old + 1 < len(was) else None
        same = old >= 0 and cell_key(cell) == cell_key(was[old])
        follows = same_next = follows and after == after_was
        inner = after is not None and after_was is not None
        ends_blank = _source(cell).endswith("\n")
        if not same or (ends_blank and not same_next and not inner):
            kept.append(("", False))
        else:
            said = "lines_to_next_cell" in cell["metadata"] or ends_blank
            kept.append((pieces[old], same_next or (said and inner)))
        # What precedes code sees no further than that code.
        follows = same and (follows or _has_code(cell))
    return kept[::-1]


def _end_of_sight(cells: Sequence[Mapping[str, Any]], place: int) -> int:
    """One past the last cell that decides how many blank lines follow the one at `place`."""
    end = place + 1
    while end < len(cells) and not _has_code(cells[end]):
        end += 1
    return min(end + 1, len(cells))


def _has_code(cell: Mapping[str, Any]) -> bool:
    """Whether code stands in its text for certain: magics are commented, with all that follows a cell magic."""
    if cell["cell_type"] != "code" or cell["metadata"].keys() & {"active", "run_control"}:
        return False
    source = _source(cell)
    if source.lstrip().startswith("%%"):
        return False
    lines = (line.strip() for line in source.split("\n"))
    return any(line and not line.startswith(("#", "%", "!", "?")) and not line.endswith("?") for line in lines)


def _under_header_of(before: Before, text: str, notebook: Notebook, suffix: str, format_name: str) -> str:
    """`text` under the header it had, when the two say the same.

    A header names the version of jupytext and the kernel's display name, which differ between colleagues' machines:
    no reason for a change in git.
    """
    is_same = same_header(before.notebook["metadata"], notebook["metadata"])
    if not is_same or _heading(before.notebook) != _heading(notebook):
        return text
    old, new = _front(before.text, suffix, format_name), _front(text, suffix, format_name)
    return old + text[len(new) :] if old or not new else text[len(new) :].lstrip("\n")


def _heading(notebook: Notebook) -> str:
    """The source of a first cell that stands in the header; '' when there is none."""
    first = notebook["cells"][:1]
    source = _source(first[0]).strip() if first and first[0]["cell_type"] == "raw" else ""
    return source if source.startswith("---") else ""


def _front(text: str, suffix: str, format_name: str) -> str:
    """The header of a text; '' when it has none."""
    found = (_header_in(suffix) if format_name in PERCENT else FRONT).match(text)
    return found[0] if found else ""


@cache
def _header_in(suffix: str) -> re.Pattern[str]:
    """What runs a script, names its encoding, and says what its notebook is, with the empty lines after it."""
    comment = re.escape(_SCRIPT_EXTENSIONS[suffix]["comment"])
    fence = rf"{comment} ?---[^\S\n]*\n"
    return re.compile(rf"(?:#!.*\n)?(?:{comment}.*?coding[:=].*\n)?(?:{fence}(?:{comment}.*\n)*?{fence})?\n*")


def _options(metadata: Mapping[str, Any]) -> str:
    """What decides how cells are written."""
    said = {key: value for key, value in metadata.get("jupytext", {}).items() if key != "text_representation"}
    alone = said.pop("main_language", None)
    language = metadata.get("kernelspec", {}).get("language") or alone
    return repr((language, sorted(said.items())))


def _header(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What a header says that matters: not versions, not display names, not what it would leave out."""
    said = {key: metadata[key] for key in STANDING if key in metadata}
    if "kernelspec" in said:
        said["kernelspec"] = said["kernelspec"].get("name")
    options = dict(metadata.get("jupytext", {}))
    options.pop("main_language", None)
    form = options.pop("text_representation", {})
    named = options.get("notebook_metadata_filter")
    if named and named != "-all":  # somebody chose what stands there
        said = {key: value for key, value in metadata.items() if key not in ELSEWHERE} | said
    said["jupytext"] = {**options, "format_name": form.get("format_name")}
    return said


def _unreadable(text: str, name: str, error: Exception) -> BadRequest:
    mark = getattr(error, "problem_mark", None)
    said = getattr(error, "problem", None) or in_short(error)
    first = next((place for place, line in enumerate(text.split("\n"), 1) if line.strip().endswith("---")), 1)
    line = first + (mark.line + 1 if mark else 0)
    return BadRequest(
        f"{name}, line {line}: its header cannot be read: {said}.",
        hint="Open it with the text editor (Open With, Editor), and mend or delete the header between the '---' lines. "
        "It was not touched.",
    )
