"""What changed between two versions of a job, as nbdime and a reader of text see it. Pure but for nbdime's own code."""

from __future__ import annotations

import difflib
from typing import Any

from msgspec import Struct

from jupyter_slipway.jobs.model import Version


class Change(Struct, frozen=True):
    """One named thing before and after; empty where it was not there."""

    name: str
    old: str
    new: str


class Comparison(Struct, frozen=True):
    job: str
    old: int
    new: int
    notebook_old: dict[str, Any]
    """The kept cells of the older version, as a notebook."""
    notebook_diff: list[dict[str, Any]]
    """nbdime's diff that turns it into the newer one's."""
    module: str
    """Unified diff; empty when nothing changed."""
    parameters: tuple[Change, ...]
    packages: tuple[Change, ...]
    same: bool


def compare(old: Version, new: Version) -> Comparison:
    """How `new` differs from `old`, two versions of one job."""
    from nbdime import diff_notebooks

    before, after = _notebook(old), _notebook(new)
    module = unified(old.module, new.module, f"v{old.number}", f"v{new.number}")
    parameters = _changes(
        {one.name: f"{one.type} = {one.default!r}" for one in old.parameters},
        {one.name: f"{one.type} = {one.default!r}" for one in new.parameters},
    )
    packages = _changes(
        {"python": old.environment.python} | {one.name: one.version for one in old.environment.packages},
        {"python": new.environment.python} | {one.name: one.version for one in new.environment.packages},
    )
    return Comparison(
        job=old.job,
        old=old.number,
        new=new.number,
        notebook_old=dict(before),
        notebook_diff=[_plain(entry) for entry in diff_notebooks(before, after)],
        module=module,
        parameters=parameters,
        packages=packages,
        same=old.digest == new.digest,
    )


def unified(old: str, new: str, old_name: str, new_name: str) -> str:
    """A unified diff with three lines of context."""
    lines = difflib.unified_diff(old.splitlines(keepends=True), new.splitlines(keepends=True), old_name, new_name)
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _notebook(version: Version) -> Any:
    # nbformat's validators cost a command two seconds to import: only who compares pays them.
    import nbformat

    cells = []
    for cell in version.cells:
        if cell.kept:
            made = nbformat.v4.new_code_cell(cell.source)
            made["id"] = (
                "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in cell.id)[:64] or "cell"
            )
            cells.append(made)
    return nbformat.v4.new_notebook(cells=cells)


def _plain(value: Any) -> Any:
    """nbdime's own dict and list classes as JSON's."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _changes(old: dict[str, str], new: dict[str, str]) -> tuple[Change, ...]:
    return tuple(
        Change(name, old.get(name, ""), new.get(name, ""))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    )
