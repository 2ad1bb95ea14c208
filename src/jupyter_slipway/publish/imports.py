"""The imports of a file: which ones are used, in which order they stand, and what they ask for.

Used by `module`.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable

from jupyter_slipway.publish.expressions import parts
from jupyter_slipway.publish.pieces import Line, Piece


def used_imports(node: ast.stmt, read: set[str], attributes: set[str]) -> list[str]:
    """The statement's imports that something reads, one by one."""
    out = []
    if isinstance(node, ast.Import):
        for alias in node.names:
            name = alias.asname or alias.name.split(".")[0]
            if name in read or name in attributes:
                out.append(f"import {alias.name}" + (f" as {alias.asname}" if alias.asname else ""))
    elif isinstance(node, ast.ImportFrom):
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            effect = "experimental" in module or alias.name.startswith("enable_")
            if (alias.asname or alias.name) in read or effect:
                out.append(f"from {module} import {alias.name}" + (f" as {alias.asname}" if alias.asname else ""))
    return out


def merged(lines: Iterable[Line]) -> list[Line]:
    """`from m import a` and `from m import b` as one line."""
    out: dict[str, Line] = {}
    for line in lines:
        head, found, names = line.text.partition(" import ")
        key = head if found and head.startswith("from ") else line.text
        if key in out and key == head:
            before = out[key]
            both = sorted({*before.text.partition(" import ")[2].split(", "), *names.split(", ")}, key=str.lower)
            text = f"{head} import {', '.join(both)}"
            kept = before if before.cell_line else line
            out[key] = Line(text, kept.cell, kept.index, kept.cell_line)
        else:
            out[key] = line
    return list(out.values())


def import_order(line: Line) -> tuple[bool, str]:
    return (line.text.startswith("from "), line.text.lower())


def group_of(text: str) -> int:
    module = text.split()[1]
    if module.startswith("."):
        return 2
    return 0 if module.split(".")[0] in sys.stdlib_module_names else 1


def imported(tree: ast.Module) -> tuple[str, ...]:
    """The top-level packages that a file imports, sorted; the standard library's left out."""
    found: set[str] = set()
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            found |= {one.name.split(".")[0] for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.module and not node.level:
                found.add(node.module.split(".")[0])
        else:  # an expression holds no import
            todo += [one for one in parts(node) if not isinstance(one, (ast.expr, ast.arguments))]
    return tuple(sorted(found - sys.stdlib_module_names))


def reaches_cluster(source: str) -> bool:
    """Whether the file can make a client of its cluster: the address in its environment does nothing by itself."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a module of the user's own: what imports it fails
        return False
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [f"{node.module}.{one.name}" for one in node.names]
        else:
            continue
        if any(re.match(r"(dask\.)?distributed\b|pyspark\b", one) for one in modules):
            return True
    return False


def sets_environment(piece: Piece) -> bool:
    """Imports after it may depend on it."""
    text = "\n".join(one.text for one in piece.lines)
    return bool(re.search(r"os\.environ|os\.putenv|os\.chdir|sys\.path|matplotlib\.use|mpl\.use|set_int_env", text))


def same_imports(piece: Piece) -> set[str]:
    """Names it imports just as the file itself would."""
    return {one.name for one in piece.facts.imports if not one.member and one.module == one.name}
