"""A notebook file as code cells: .ipynb or any text format of jupytext, and the cell that somebody means."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from jupyter_slipway.errors import BadRequest, NotFound, Unprocessable, in_short
from jupyter_slipway.publish.model import CellSource

TEXT = (".py", ".md", ".qmd", ".Rmd")
BEGINNING = 24
"""Characters of a cell that tell it from others where it has no name."""


class NotebookFile(Struct, frozen=True):
    path: Path
    cells: tuple[CellSource, ...]
    kernel_name: str
    other: dict[str, str] = {}
    """Ids and names of cells that hold no code -> their kind."""
    titles: tuple[str, ...] = ()
    """Of each code cell what stands behind its `# %%`; '' for none."""


def read_notebook(path: Path) -> NotebookFile:
    """
    Raises:
        NotFound: there is no such file
        Unprocessable: it is no notebook, or not one in Python
    """
    if not path.is_file():
        raise NotFound(f"There is no notebook {str(path)!r}.", hint="Give the path of an .ipynb or text notebook.")
    notebook = _parse(path)
    metadata = notebook.metadata
    language = metadata.get("kernelspec", {}).get("language") or metadata.get("language_info", {}).get("name")
    language = language or "python"
    if language.lower() != "python":
        raise Unprocessable(f"{path.name} is written in {language}.", hint="Slipway publishes cells in Python.")
    cells: list[CellSource] = []
    titles: list[str] = []
    other: dict[str, str] = {}
    for cell in notebook.cells:
        name = str(cell.metadata.get("name", ""))
        if cell.cell_type != "code":
            other |= {key: cell.cell_type for key in (cell.get("id"), name) if key}
            continue
        titles.append(str(cell.metadata.get("title", "")))
        cells.append(CellSource(id=cell.get("id", ""), source=cell.source, index=len(cells), name=name))
    kernel = notebook.metadata.get("kernelspec", {}).get("name") or "python3"
    lasting = lasting_ids(path.name, cells)
    named = tuple(msgspec.structs.replace(cell, id=one) for cell, one in zip(cells, lasting, strict=True))
    return NotebookFile(path, named, kernel, other, tuple(titles))


def lasting_ids(notebook: str, cells: Sequence[CellSource]) -> tuple[str, ...]:
    """For each cell an id that is the same when the notebook is read again.

    An .ipynb keeps its cells' ids, and so does what is kept beside a text notebook. In a text a cell's name comes
    first: it is the same on all machines. A cell that has neither is known by its text, with a count for twins.
    """
    found: list[str] = []
    seen: dict[str, int] = {}
    for cell in cells:
        kept = (cell.name if notebook.endswith(TEXT) else "") or cell.id
        one = kept or hashlib.sha256(cell.source.encode()).hexdigest()[:8]
        seen[one] = seen.get(one, 0) + 1
        found.append(one if seen[one] == 1 else f"{one}-{seen[one]}")
    return tuple(found)


def choose(notebook: NotebookFile, wanted: str) -> CellSource:
    """The cell that `wanted` means: an id, an index among code cells from 0, a name or a title.

    Raises:
        NotFound: no code cell answers to it
        BadRequest: several cells have this name, or none was named
    """
    if not wanted:
        raise BadRequest(f"No cell of {notebook.path.name} was chosen.", hint=_listed(notebook))
    for cell in notebook.cells:
        if cell.id == wanted:
            return cell
    titled = [cell for cell, title in zip(notebook.cells, notebook.titles, strict=True) if title == wanted]
    named = [cell for cell in notebook.cells if cell.name == wanted] or titled
    if len(named) > 1:
        raise BadRequest(
            f"{len(named)} cells of {notebook.path.name} are named {wanted!r}.",
            hint="Name the cell by its index.",
        )
    if named:
        return named[0]
    if wanted.lstrip("-").isdecimal():
        index = int(wanted)
        if -len(notebook.cells) <= index < len(notebook.cells):
            return notebook.cells[index]
        raise NotFound(
            f"{notebook.path.name} has no code cell {wanted}.",
            hint=f"It has {len(notebook.cells)} code cells, counted from 0.",
        )
    if wanted in notebook.other:
        raise NotFound(
            f"{notebook.path.name} has no code cell {wanted!r}: it is a {notebook.other[wanted]} cell.",
            hint="Select a code cell.",
        )
    raise NotFound(f"{notebook.path.name} has no cell {wanted!r}.", hint=_listed(notebook))


def _listed(notebook: NotebookFile) -> str:
    names = [
        f"{index} ({cell.name or title or _beginning(cell.source)})"
        for index, (cell, title) in enumerate(zip(notebook.cells, notebook.titles, strict=True))
    ]
    if not names:
        return "It has no code cells."
    return f"Its code cells are: {', '.join(names[:20])}{f' and {len(names) - 20} more' * (len(names) > 20)}."


def _beginning(source: str) -> str:
    """As much of a cell's code as tells it from others."""
    first = next((line.strip() for line in source.splitlines() if line.strip()), "empty")
    return first if len(first) <= BEGINNING else f"{first[:BEGINNING]}…"


def _parse(path: Path) -> Any:
    try:
        if path.suffix == ".ipynb":
            import nbformat

            # Upgraded in memory only; duplicated or missing ids are mended by nbformat.
            return nbformat.read(path, as_version=4)
        if path.suffix in TEXT:
            return _parse_text(path.absolute())
    except Exception as error:  # their parsers raise many kinds; each means that this is no notebook
        said = in_short(error)
        raise Unprocessable(
            f"{path.name} cannot be read as a notebook: {said}",
            hint="Open it in JupyterLab, or restore it from git.",
        ) from error
    raise BadRequest(
        f"{path.name} is no notebook that can be read here.",
        hint=f"Give an .ipynb, or one of {', '.join(TEXT)}.",
    )


def _parse_text(path: Path) -> Any:
    """With the ids that are kept beside it, the same as in the browser."""
    import nbformat

    from jupyter_slipway.notebooks.documents import Documents, name_afresh
    from jupyter_slipway.settings import Settings

    opened = Documents(Path.cwd(), Settings.read().home).open(path)
    if opened is not None:
        return nbformat.from_dict(opened.notebook)
    import jupytext
    from jupytext.config import JupytextConfiguration

    # An explicit configuration: one that lies in the folder may be code.
    notebook = jupytext.read(path, config=JupytextConfiguration())
    name_afresh(notebook.cells)
    return notebook
