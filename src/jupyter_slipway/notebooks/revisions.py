"""A notebook's file as it was at any revision, as a notebook: with ids and outputs where they are known.

The door to files and git for `compare_handlers`; paths are as the browser says them, relative to the server's root.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_slipway.errors import Conflict, NotFound, Unprocessable
from jupyter_slipway.notebooks.git import Repository
from jupyter_slipway.notebooks.glance import is_notebook, joined, read_notebook
from jupyter_slipway.notebooks.paths import file_below, refuse_link_out
from jupyter_slipway.notebooks.radar import SHARED, whose

DISK = ""
"""The file as it is on disk, as a revision."""
COLLEAGUE = "@"
"""Begins a revision that is what a person shares: '@bob'."""
OURS, TRUSTED = "slipway", "trusted"
"""Metadata that no file has: ours, and the page's own that a cell's outputs may run."""
LARGEST = 128 * 2**20
"""Bytes of a file that is compared or kept."""


class Revisions:
    """The notebooks below a root.

    Args:
        hidden: whether hidden files are reached
    """

    def __init__(self, root: Path, home: Path, *, hidden: bool = True) -> None:
        self._root, self._home, self._hidden = root, home, hidden

    def file(self, path: str) -> Path:
        """The file a path names.

        Raises:
            Forbidden: it leads out of the root
            NotFound: there is none, it is hidden, or it is no notebook
        """
        file = file_below(self._root, path, hidden=self._hidden)
        refuse_link_out(file, self._root)
        if not is_notebook(file.name) or not file.is_file():
            raise NotFound(f"There is no notebook {path}.", hint="It may have been renamed or deleted.")
        return file

    def content(self, file: Path, revision: str) -> bytes:
        """The file's bytes.

        Raises:
            Conflict: they are of the form that it was converted from
            NotFound: there is no such revision, or the file was not in it
            Unprocessable: it is too large
        """
        content, suffix = self._content(file, revision)
        if suffix != file.suffix:
            raise Conflict(
                f"{file.name} was {file.with_suffix(suffix).name} then.",
                hint="Convert it, with 'Convert to …' in the File menu, then restore that.",
            )
        return content

    def _content(self, file: Path, revision: str) -> tuple[bytes, str]:
        """And the suffix of the form that they are of."""
        if revision == DISK:
            if file.stat().st_size > LARGEST:
                hint = "Clear its outputs." if file.suffix == ".ipynb" else "Split it."
                raise Unprocessable(f"{file.name} is larger than {LARGEST >> 20} MiB.", hint=hint)
            return file.read_bytes(), file.suffix
        repository = Repository.of(file)
        name = repository.name(file)
        if revision.startswith(COLLEAGUE):
            return repository.content(self._shared_by(repository, revision.removeprefix(COLLEAGUE)), name), file.suffix
        try:
            return repository.content(revision, name), file.suffix
        except NotFound:
            # It may have been called otherwise then.
            for one in repository.history(name):
                if one.id == revision:
                    return repository.blob(one.blob), Path(one.path).suffix
            raise

    def notebook(self, file: Path, revision: str) -> dict[str, Any]:
        """The file as a notebook. A text notebook has the ids and outputs that were kept for that very text."""
        content, suffix = self._content(file, revision)
        return self.read(file.with_suffix(suffix), content)

    def read(self, file: Path, content: bytes) -> dict[str, Any]:
        """
        Raises:
            SlipwayError: it is no notebook
        """
        if file.suffix == ".ipynb":
            try:
                return plain(read_notebook(file.name, content))
            except (KeyError, AttributeError) as error:
                raise Unprocessable(f"{file.name} has no metadata, as a notebook has.") from error
        from jupyter_slipway.notebooks import layout, text
        from jupyter_slipway.notebooks.store import Store, key_of

        store = Store(layout.store_of(file, self._root), key_of(self._home))
        kept = store.load(layout.text_id(content))
        if kept and kept.ours:
            made = plain(store.packer.unpack(kept.record))
            # The kernel's word on itself: no text has it, and so no other revision of this one.
            made["metadata"].pop("language_info", None)
            return made
        decoded = text.decode(content, file.name)
        try:
            is_marked = text.format_of(decoded.text, file.suffix) is not None
        except Exception:  # its header is broken: `parse` says where
            is_marked = True
        if not is_marked:
            return read_notebook(file.name, content)
        made = plain(text.parse(decoded.text, file.name))
        for cell in made["cells"]:
            # By chance on each reading: no identity.
            cell.pop("id", None)
        return made

    def _shared_by(self, repository: Repository, who: str) -> str:
        found = [commit for name, commit in repository.references(SHARED).items() if whose(name) == who]
        if not found:
            raise NotFound(f"{who} shares nothing here.", hint="They may have switched it off.")
        return max(found, key=lambda commit: repository.commit(commit).author.time)


def plain(notebook: Mapping[str, Any]) -> dict[str, Any]:
    """Plain dicts, texts joined, without what we, or a page that has it open, say about a notebook."""
    made = joined(_dict(notebook))
    made["metadata"].pop(OURS, None)
    for cell in made["cells"]:
        for said in (OURS, TRUSTED):
            cell["metadata"].pop(said, None)
    return made


def _dict(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _dict(item) for key, item in value.items()}
    return [_dict(item) for item in value] if isinstance(value, list) else value
