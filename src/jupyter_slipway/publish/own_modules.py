"""The user's own files beside the notebook that a module imports, and what those import in turn.

Called by `plan`; they are stored with the version, so that it runs when the folder has moved on.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

LIMIT = 1_000_000
"""Bytes of one file: more is no source."""


def own_modules(imports: Iterable[str], directory: Path) -> dict[str, str]:
    """Path below `directory` (with '/') -> source, for each imported module found there."""
    found: dict[str, str] = {}
    waiting = list(imports)
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen or not name.isidentifier():
            continue
        seen.add(name)
        for path in _files(directory, name):
            source = _read(path)
            if source is None:
                continue
            found[path.relative_to(directory).as_posix()] = source
            waiting += _imports(source)
    return dict(sorted(found.items()))


def _files(directory: Path, name: str) -> list[Path]:
    single, package = directory / f"{name}.py", directory / name
    if (package / "__init__.py").is_file():
        return sorted(path for path in package.rglob("*.py") if path.is_file())
    return [single] if single.is_file() else []


def _read(path: Path) -> str | None:
    try:
        return path.read_text("utf-8") if path.stat().st_size <= LIMIT else None
    except (OSError, UnicodeDecodeError):
        return None


def _imports(source: str) -> set[str]:
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return set()
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names
