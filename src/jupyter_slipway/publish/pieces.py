"""The kept statements of a slice with their own text, each line knowing the cell's line it came from.

`module` puts them into a file, and moves or rewrites some.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Sequence

from msgspec import Struct

from jupyter_slipway.errors import Unprocessable
from jupyter_slipway.publish.effects import analyse, first_line
from jupyter_slipway.publish.facts import Statement
from jupyter_slipway.publish.plain import parsed
from jupyter_slipway.publish.reasons import place
from jupyter_slipway.publish.slice import Step

INDENT = "    "
LONG_STRING = re.compile(r"\"\"\"|\'\'\'|\\\n")


class Line(Struct, frozen=True):
    """One line of the file, and the cell's line it came from; cell_line 0: it came from none."""

    text: str
    cell: str = ""
    index: int = -1
    cell_line: int = 0


class Piece(Struct, frozen=True):
    """One kept statement with its text."""

    step: Step
    node: ast.stmt
    facts: Statement
    lines: tuple[Line, ...]
    """Not indented; text inside a long string is never indented either."""
    fixed: frozenset[int] = frozenset()
    """Which of `lines` begin inside a string."""


def pieces_of(step: Step) -> list[Piece]:
    """The step's statements with their own text and the comments right above them."""
    tree = parsed(step.python)
    if tree is None:
        raise Unprocessable(f"{place(step.index)} is not Python.", hint="Correct the cell and run it again.")
    statements = analyse(step.python).statements
    lines = step.python.split("\n")
    inside = lines_inside_strings(step.python)
    starts = [first_line(node) for node in tree.body]
    found = []
    for at, node in enumerate(tree.body):
        facts = statements[at]
        end = node.end_lineno or node.lineno
        before = (tree.body[at - 1].end_lineno or 0) if at else 0
        shared = before >= starts[at] or (at + 1 < len(tree.body) and starts[at + 1] <= end)
        first = starts[at]
        while not shared and first - 1 > before and lines[first - 2].lstrip().startswith("#"):
            first -= 1
        texts = (
            ast.unparse(node).split("\n")
            if shared
            else [one.rstrip() if k not in inside else one for k, one in enumerate(lines[first - 1 : end], first)]
        )
        own = tuple(Line(text, step.cell, step.index, min(first + k, end)) for k, text in enumerate(texts))
        fixed = frozenset() if shared else frozenset(k - first for k in inside if first <= k <= end)
        found.append(Piece(step, node, facts, own, fixed))
    return found


def without(pieces: Iterable[Piece], others: Iterable[Piece]) -> list[Piece]:
    """The pieces that are none of the others; by identity, for comparing them would be quadratic."""
    gone = {id(one) for one in others}
    return [one for one in pieces if id(one) not in gone]


def lines_inside_strings(python: str) -> set[int]:
    """Lines that begin inside a string: indenting them would change its value."""
    found: set[int] = set()
    if not LONG_STRING.search(python):
        return found
    opened: list[int] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(python).readline):
            kind = tokenize.tok_name[token.type]
            if kind == "STRING":
                found.update(range(token.start[0] + 1, token.end[0] + 1))
            elif kind in ("FSTRING_START", "TSTRING_START"):
                opened.append(token.start[0])
            elif kind in ("FSTRING_END", "TSTRING_END") and opened:
                found.update(range(opened.pop() + 1, token.end[0] + 1))
    except (tokenize.TokenError, IndentationError):
        pass
    return found


def with_text(piece: Piece, text: str) -> Piece:
    """The same statement, written differently; its lines all point to where it began."""
    first = piece.lines[0]
    origin = piece.facts.first
    lines = tuple(Line(one, first.cell, first.index, origin) for one in text.split("\n"))
    return Piece(piece.step, piece.node, piece.facts, lines)


def indented(piece: Piece) -> list[Line]:
    """Its lines as they stand in a function; text inside a long string stays where it is."""
    out = []
    for k, one in enumerate(piece.lines):
        text = one.text if k in piece.fixed or not one.text.strip() else INDENT + one.text
        out.append(Line(text, one.cell, one.index, one.cell_line))
    return out


def replaced(piece: Piece, places: Sequence[tuple[ast.Constant, str]]) -> Piece:
    """The statement with these literals replaced by names, the rest of its text as it was."""
    lines = {one.cell_line: one.text for one in piece.lines}
    ordered = sorted(places, key=lambda pair: (pair[0].lineno, pair[0].col_offset), reverse=True)
    if any(one.lineno not in lines or one.end_lineno != one.lineno for one, _ in ordered):
        return _unparsed(piece, places)
    for one, name in ordered:
        raw = lines[one.lineno].encode()
        lines[one.lineno] = (raw[: one.col_offset] + name.encode() + raw[one.end_col_offset :]).decode()
    own = tuple(Line(lines[one.cell_line], one.cell, one.index, one.cell_line) for one in piece.lines)
    return Piece(piece.step, piece.node, piece.facts, own, piece.fixed)


def _unparsed(piece: Piece, places: Sequence[tuple[ast.Constant, str]]) -> Piece:
    names = {(one.lineno, one.col_offset): name for one, name in places}

    class Replacing(ast.NodeTransformer):
        def visit_Constant(self, node: ast.Constant) -> ast.expr:
            name = names.get((node.lineno, node.col_offset))
            return ast.Name(name, ast.Load()) if name else node

    copy = ast.parse(piece.step.python)
    node = next(one for one in copy.body if one.lineno == piece.node.lineno and one.col_offset == piece.node.col_offset)
    return with_text(piece, ast.unparse(ast.fix_missing_locations(Replacing().visit(node))))


def needs(piece: Piece) -> set[str]:
    """All names a definition reads, when it is made and when it is called."""
    found = set(piece.facts.reads) | set(piece.facts.words)
    for one in piece.facts.functions:
        found |= one.reads | one.words | one.binds | (one.changes - one.local)
    return found


def defined(piece: Piece) -> str:
    return str(getattr(piece.node, "name", ""))


def plain_defaults(piece: Piece) -> bool:
    """Its defaults are not computed, so that it does not matter when it is defined."""
    node = piece.node
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return True
    given = [*node.args.defaults, *(one for one in node.args.kw_defaults if one is not None)]
    return not any(isinstance(each, ast.Call) for one in given for each in ast.walk(one))


def spaced(before: Piece, piece: Piece) -> bool:
    """The user left a blank line between the two, or one of them is a definition."""
    defines = {"def", "class"} & {before.facts.kind, piece.facts.kind}
    comments = sum(one.text.lstrip().startswith("#") for one in piece.lines[: max(0, len(piece.lines) - 1)])
    gap = piece.lines[0].cell_line - (before.node.end_lineno or 0) - 1
    original = before.step.source.split("\n")
    blank = any(not line.strip() for line in original[before.node.end_lineno or 0 : piece.lines[0].cell_line - 1])
    return bool(defines) or (gap > 0 and (blank or comments > 0))
