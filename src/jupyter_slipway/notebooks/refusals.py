"""What a person is told in place of an error of the contents manager: what is wrong, as what, and what to do.

Used by `contents` around all that it does; below it others' code answers 500 to most of what can go wrong.
"""

from __future__ import annotations

import errno
import inspect
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

from tornado.web import HTTPError

from jupyter_slipway.errors import SlipwayError, in_short
from jupyter_slipway.files import is_full
from jupyter_slipway.notebooks import faults
from jupyter_slipway.notebooks.paths import as_shown

REFUSALS = (ValueError, RecursionError)
"""What is raised by who cannot write what it is given."""
NOWHERE = {
    errno.ENOENT: (404, "its folder is gone. Make it anew, or save under another name."),
    errno.ENOTDIR: (400, "its folder is a file now. Save it under another name."),
    errno.EISDIR: (400, "it is a folder now. Save it under another name."),
    errno.ENAMETOOLONG: (400, "its name is too long. Save it under a shorter one."),
}
"""Why nothing can be saved at a path, by what the system says."""


@contextmanager
def speaking(
    path: str, root: Path, *, reading: bool = False, saving: Mapping[str, Any] | None = None
) -> Iterator[None]:
    """Our refusals as the server says them; and what others below say as 500 as what it is.

    Args:
        saving: the model that is to be saved
    """
    if saving:
        _refuse_no_text(*(saving[key] for key in ("type", "format") if saving.get(key) is not None))
    try:
        yield
    except SlipwayError as error:
        raise refusal(error) from error
    except Exception as error:  # a page may send anything as a notebook: others' code meets it, and ours
        if isinstance(error, HTTPError) and error.status_code != 500:
            said = _without_disk(error.log_message or "", path, root)
            if said == (error.log_message or ""):
                raise
            raise HTTPError(error.status_code, said, reason=error.reason) from error
        if meant := _meant(error, path, root, reading, saving):
            raise meant from error
        raise


def answering(method: Callable[..., Any]) -> Callable[..., Any]:
    """A manager's method that a request reaches as it is, with anything in the place of paths and types."""

    @contextmanager
    def asked(self: Any, arguments: tuple[Any, ...], more: Mapping[str, Any]) -> Iterator[None]:
        given = [one for one in (*arguments, *more.values()) if one is not None]
        texts = [one["path"] if isinstance(one, Mapping) and "path" in one else one for one in given]
        _refuse_no_text(*texts)
        with speaking(max(texts, key=len, default=""), self.documents.root):
            yield

    def said(more: Mapping[str, Any]) -> dict[str, Any]:
        return {name: one for name, one in more.items() if one is not None}

    async def answer_later(self: Any, *arguments: Any, **more: Any) -> Any:
        with asked(self, arguments, more):
            return await method(self, *arguments, **said(more))

    def answer(self: Any, *arguments: Any, **more: Any) -> Any:
        with asked(self, arguments, more):
            return method(self, *arguments, **said(more))

    return wraps(method)(answer_later if inspect.iscoroutinefunction(method) else answer)


@contextmanager
def without_room(path: str) -> Iterator[None]:
    """A full disk, said as of a folder that may only be read: pages make a checkpoint of what they open, and open only
    then all the same.
    """
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise HTTPError(403, f"No checkpoint of {path} is made: the disk is full.") from error
        raise


def _refuse_no_text(*given: Any) -> None:
    """
    Raises:
        HTTPError: one of them is no text
    """
    for one in given:
        if not isinstance(one, str):
            raise HTTPError(400, f"{one!r:.40} is no text, as a path or a type is. Say one such as 'folder/a.py'.")


def refusal(error: SlipwayError) -> HTTPError:
    """A refusal of ours, as the server says it."""
    return HTTPError(error.status, f"{error.message} {error.hint}".strip())


def _meant(
    error: Exception, path: str, root: Path, reading: bool, saving: Mapping[str, Any] | None
) -> HTTPError | None:
    """What a person can do something about, found among the causes of an error, or in what is to be saved."""
    cause: BaseException | None = error
    found = ""
    while cause is not None:
        if isinstance(cause, HTTPError) and cause.status_code != 500:
            return HTTPError(cause.status_code, _without_disk(cause.log_message or "", path, root))
        if is_full(cause):
            failed, again = ("cannot be read", "open it") if reading else ("is not saved", "save")
            return HTTPError(503, f"{path} {failed}: the disk is full. Make room, then {again} again.")
        if isinstance(cause, OSError) and cause.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            place = as_shown(cause.filename, root) if cause.filename else "its folder"
            why = "" if place == path else f": {place} may not be"
            return HTTPError(403, f"{path} may not be {'read' if reading else 'written'}{why}.")
        if isinstance(cause, shutil.Error) and "into itself" in str(cause):
            return HTTPError(400, f"{path} cannot be moved into itself. Choose another folder.")
        if isinstance(cause, OSError) and cause.errno == errno.ELOOP:
            return HTTPError(
                400, f"{path} leads over a link that leads back to itself. Choose another, or delete that."
            )
        if not saving and isinstance(cause, FileNotFoundError | NotADirectoryError) and _is_of(cause, path):
            return HTTPError(404, f"There is no {path} any more.")
        if not saving and isinstance(cause, OSError) and cause.errno == errno.ENAMETOOLONG:
            return HTTPError(400, f"{path:.40}… is too long a name for a file. Choose a shorter one.")
        if saving and isinstance(cause, OSError) and cause.errno in NOWHERE and _is_of(cause, path):
            status, why = NOWHERE[cause.errno]
            return HTTPError(status, f"{path or '/'} is not saved: {why}")
        # An error of the system has a number; others use its kind for what a program is missing.
        theirs = isinstance(cause, Exception) and not isinstance(cause, HTTPError) and not getattr(cause, "errno", None)
        if theirs and not found and (cause is not error if reading else isinstance(cause, REFUSALS)):
            deep = isinstance(cause, RecursionError)
            found = "it is nested too deeply" if deep else in_short(cause)
        cause = cause.__cause__ or cause.__context__
    if saving and not saving.get("type"):
        return HTTPError(400, "No file type provided")
    if saving and saving["type"] == "notebook":
        found = faults.find(saving.get("content")) or found
    if not found:
        return None
    return HTTPError(400, f"{path} cannot be {'read' if reading else 'saved'} as a notebook: {found}.")


def _without_disk(said: str, path: str, root: Path) -> str:
    """What the server's own manager says of a file: it names it as its disk does."""
    if said.endswith(" is not UTF-8 encoded"):
        return (
            f"{path} is not UTF-8. Convert it to that, for example with iconv, then open it again. It was not touched."
        )
    if said.startswith("Cannot read non-file "):
        return f"{path} is a pipe, a device or a link that leads nowhere: no file. Open another, or delete it."
    top = os.path.abspath(root)
    return said.replace(f"{top}/", "").replace(top, "/")


def _is_of(error: OSError, path: str) -> bool:
    """Whether it says something of the file itself, or of what is to take its place; not of what is kept beside it."""
    named = Path(str(error.filename2 or error.filename)).name
    return path == "" or named in (Path(path).name, ".ipynb_checkpoints") or named.startswith(".~")
