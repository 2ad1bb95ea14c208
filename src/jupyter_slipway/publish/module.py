"""A slice and its parameters as a Python file a colleague could have written, with a map from its lines to the cells'.

Called by `plan`. The file runs alone: `python job.py --month 6`, `uv run job.py`. Statements stand as the user wrote
them, comments included; only imports, closed functions and parameters move.

Two forms. Usually everything stands in `main`. What would mean something else inside a function (`global`, exec, a
builtin's name bound again) stays at the top of the file, under a run name of its own; `main` then runs the file.
"""

from __future__ import annotations

import ast
import builtins
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

from msgspec import Struct

from jupyter_slipway.errors import Unprocessable
from jupyter_slipway.publish.effects import Statement, analyse, first_line, parsed
from jupyter_slipway.publish.model import LineMapping, Module, Parameter
from jupyter_slipway.publish.parameters import (
    Constant,
    Literal,
    assignments,
    constants,
    described_type,
    find_parameters,
    inline_literals,
    text_format,
)
from jupyter_slipway.publish.slice import Slice, Step, place

INDENT = "    "
SCRIPT = "__job__"
"""What `__name__` is while `main` runs the file's own code, in the script form."""
SHOWING = frozenset({"print", "display", "plt.show", "pprint", "sys.stdout.write"})
ANNOTATIONS = {
    "int": "int",
    "float": "float",
    "str": "str",
    "bool": "bool",
    "date": "date",
    "datetime": "datetime",
    "path": "Path",
    "list": "list",
    "dict": "dict",
}
OWN_NAMES = frozenset({"main", "arguments", "work", "argparse", "json", "asyncio", "runpy"})
"""What the file itself defines or imports: the user's definitions of these names stay inside `main`."""
CLASSES = {"date": "datetime", "datetime": "datetime", "Path": "pathlib"}
"""The classes that parameters need, and their modules."""
PLAIN = {name: name for name in CLASSES}
"""How the file writes them; '_datetime.date' where the user's code has another `date`."""
AS_MAIN = re.compile(r"__name__\s*==\s*(['\"])__main__\1")
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


class Given(Struct, frozen=True):
    """A parameter that is on, with the constant it takes the place of."""

    parameter: Parameter
    constant: Constant | None
    cell: str = ""

    @property
    def form(self) -> str:
        """How the user's code wants the value: '' as text or plain, else as `Literal.form` says."""
        if self.constant is None:
            return {"date": "date", "datetime": "datetime", "path": "Path"}.get(self.parameter.type, "")
        return self.constant.literal.form


# ── the pieces ──────────────────────────────────────────────────────────────────────────────────────────────


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
    out = []
    for k, one in enumerate(piece.lines):
        text = one.text if k in piece.fixed or not one.text.strip() else INDENT + one.text
        out.append(Line(text, one.cell, one.index, one.cell_line))
    return out


# ── parameters ──────────────────────────────────────────────────────────────────────────────────────────────


def given_parameters(slice: Slice, parameters: Sequence[Parameter]) -> list[Given]:
    """Each parameter that is on, with its constant: found by name, else, when it was renamed, by its place."""
    found = find_parameters(slice)
    known = {one.name: one for one in found}
    by_place: dict[str, Parameter] = {}
    all_ours, all_theirs = _by_place(found), _by_place(parameters)
    for group, theirs in all_theirs.items():
        ours = all_ours.get(group, [])
        if len(ours) == len(theirs):
            by_place |= {new.name: old for old, new in zip(ours, theirs, strict=True)}
        else:
            left = [one for one in ours if one.name not in {each.name for each in theirs}]
            renamed = [one for one in theirs if one.name not in {each.name for each in ours}]
            by_place |= {new.name: old for old, new in zip(left, renamed, strict=False)}
    everything: dict[tuple[bool, object], list[tuple[str, Constant]]] = {}
    for step in slice.steps:
        for one in constants(step.python):
            everything.setdefault((one.inline, one.text if one.inline else one.name), []).append((step.cell, one))
    out = []
    for parameter in parameters:
        if not parameter.on:
            continue
        origin = by_place.get(parameter.name) or known.get(parameter.name)
        if origin is None and not parameter.cell:
            origin = parameter
        if origin is None:
            raise Unprocessable(
                f"Parameter {parameter.name!r} belongs to no constant of the cells that are kept.",
                hint="Plan the publish again.",
            )
        key = (origin.inline, str(origin.default) if origin.inline else origin.name)
        out.append(_given(parameter, origin, everything.get(key, ()), slice))
    return out


def _by_place(parameters: Iterable[Parameter]) -> dict[tuple[str, bool], list[Parameter]]:
    """Cell, and whether inline -> its parameters, in order."""
    out: dict[tuple[str, bool], list[Parameter]] = {}
    for one in parameters:
        if one.cell:
            out.setdefault((one.cell, one.inline), []).append(one)
    return out


def _given(parameter: Parameter, origin: Parameter, likely: Iterable[tuple[str, Constant]], slice: Slice) -> Given:
    for cell, one in likely:
        if origin.inline or cell == origin.cell or not origin.cell:
            return Given(parameter, one, cell)
    for step in slice.steps:
        tree = parsed(step.python)
        for node in tree.body if tree is not None else ():
            for name, value in assignments(node):
                if name == origin.name:
                    text = ast.unparse(value)
                    form = {"date": "date", "datetime": "datetime", "path": "Path"}.get(parameter.type, "")
                    literal = Literal(parameter.type, parameter.default, parameter.item, form)
                    return Given(parameter, Constant(name, literal, node.lineno, text), step.cell)
    raise Unprocessable(
        f"Nothing that is kept assigns {parameter.name!r}, so it cannot be a parameter.",
        hint="A parameter takes the place of a line `NAME = value` at the top of a cell that the job needs.",
    )


def expression(kind: str, value: object, spell: Mapping[str, str] = PLAIN) -> str:
    """A JSON value as Python source of that type."""
    if value is None:
        return "None"
    if kind == "date":
        moment = date.fromisoformat(str(value))
        return f"{spell['date']}({moment.year}, {moment.month}, {moment.day})"
    if kind == "datetime":
        return spell["datetime"] + _datetime(str(value))
    if kind == "path":
        return f"{spell['Path']}({quoted(value)})"
    return quoted(value)


def _datetime(text: str) -> str:
    """What follows `datetime` to make this moment."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None or moment.microsecond:
        return f".fromisoformat({quoted(text)})"
    parts = [moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second]
    while len(parts) > 3 and parts[-1] == 0:
        parts.pop()
    return f"({', '.join(map(str, parts))})"


def quoted(value: object) -> str:
    """repr with double quotes where that needs no escape, as formatters write it."""
    if isinstance(value, str):
        plain = repr(value)
        return f'"{plain[1:-1]}"' if plain[0] == "'" and '"' not in value and "\\" not in plain else plain
    if isinstance(value, list):
        return f"[{', '.join(map(quoted, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(key)}: {quoted(one)}" for key, one in value.items()) + "}"
    return repr(value)


def annotation(parameter: Parameter, spell: Mapping[str, str] = PLAIN) -> str:
    names = {kind: spell.get(name, name) for kind, name in ANNOTATIONS.items()}
    plain = names[parameter.type]
    if parameter.type == "list":
        plain = f"list[{names.get(parameter.item, 'object')}]"
    elif parameter.type == "dict":
        plain = f"dict[str, {names.get(parameter.item, 'object')}]"
    return f"{plain} | None" if parameter.type in ("list", "dict") or parameter.default is None else plain


def reader(kind: str, spell: Mapping[str, str] = PLAIN) -> str:
    """What makes a value of this type from the text of the command line; empty when text is what is wanted."""
    if kind in ("date", "datetime"):
        return f"{spell[kind]}.fromisoformat"
    return {"int": "int", "float": "float", "path": spell["Path"]}.get(kind, "")


def signature(given: Sequence[Given], spell: Mapping[str, str] = PLAIN) -> list[str]:
    """`def main(…)`, one parameter a line."""
    if not given:
        return ["def main() -> dict[str, object]:"]
    lines = ["def main(", f"{INDENT}*,"]
    for one in given:
        parameter = one.parameter
        default = "None" if parameter.type in ("list", "dict") else expression(parameter.type, parameter.default, spell)
        lines.append(f"{INDENT}{parameter.name}: {annotation(parameter, spell)} = {default},")
    return [*lines, ") -> dict[str, object]:"]


def defaults(given: Sequence[Given], spell: Mapping[str, str] = PLAIN) -> list[str]:
    """Lists and mappings get their default inside, so that two calls never share one."""
    out = []
    for one in given:
        parameter = one.parameter
        if parameter.type in ("list", "dict") and parameter.default is not None:
            value = parameter.default
            if parameter.item in ("date", "datetime", "path"):
                text = ", ".join(expression(parameter.item, each, spell) for each in value)
                text = f"[{text}]"
            else:
                text = quoted(value)
            out += [f"if {parameter.name} is None:", f"{INDENT}{parameter.name} = {text}"]
    return out


def conversions(given: Sequence[Given], timestamp: str) -> list[str]:
    """What makes of a parameter's value what the user's code had: text for a date, a tuple, its old name."""
    out = []
    for one in given:
        name = one.parameter.name
        target = name if one.constant is None or one.constant.inline else one.constant.name
        value = _converted(one, timestamp)
        if value != target:
            out.append(f"{target} = {value}")
    return out


def _converted(one: Given, timestamp: str) -> str:
    name, kind, form = one.parameter.name, one.parameter.type, one.form
    if form in ("tuple", "set"):
        return f"{form}({name})" if kind == "list" else name
    if form == "Timestamp":
        return f"{timestamp}({name})"
    if kind == "list" and form == "" and one.parameter.item in ("date", "path") and one.constant is not None:
        return f"[str(one) for one in {name}]"
    if one.constant is None or form:
        return name
    if kind == "datetime":
        form = text_format(str(one.constant.literal.default)) if isinstance(one.constant.literal.default, str) else ""
        return f'{name}.strftime("{form}")' if form else f"str({name})"
    return f"str({name})" if kind in ("date", "path") else name


# ── the module ──────────────────────────────────────────────────────────────────────────────────────────────


def make_module(
    slice: Slice,
    parameters: Sequence[Parameter],
    *,
    title: str,
    notebook: str,
    requires: Sequence[str] = (),
    python: str = "3.11",
) -> Module:
    """The file that a version runs.

    Args:
        parameters: as `apply_edits` gave them, those that are off included
        title: the first words of its docstring
        notebook: the notebook's file name, for the docstring
        requires: requirements for `uv run`, as 'pandas==2.3.1'
        python: the oldest Python it may run on, as '3.11'

    Raises:
        Unprocessable: a parameter that no constant stands behind
    """
    given = given_parameters(slice, parameters)
    return _Writing(slice, given, title, notebook, requires, python).module()


class _Writing:
    """One file being written."""

    def __init__(
        self, slice: Slice, given: list[Given], title: str, notebook: str, requires: Sequence[str], python: str
    ) -> None:
        self.slice, self.given = slice, given
        self.title, self.notebook, self.requires, self.python = title, notebook, requires, python
        self.given_of: dict[str, list[Given]] = {}
        """Cell -> the parameters that take the place of its constants."""
        for one in given:
            if one.constant is not None:
                self.given_of.setdefault(one.cell, []).append(one)
        self.inline = {one.constant.text: one for one in given if one.constant is not None and one.constant.inline}
        """Text of a literal inside a call -> its parameter."""
        self.target = next((one for one in slice.steps if one.target), slice.steps[-1])
        self.result = ""
        """The key under which the last expression's value is returned; empty: there is none."""
        self.result_name = "result"
        self.timestamp = "Timestamp"
        pieces = [piece for step in slice.steps for piece in pieces_of(step)]
        self.bound_anywhere = {name for one in pieces for name in one.facts.binds | one.facts.weak}
        self.target_binds = {n for one in pieces if one.step is self.target for n in one.facts.binds | one.facts.weak}
        self.properties = {f.name for one in pieces for f in one.facts.functions if f.is_property}
        self.spell = PLAIN | {name: f"_{CLASSES[name]}.{name}" for name in CLASSES if self.taken(name, pieces)}
        self.refuse_clashes(pieces)
        self.future = [
            one for one in pieces if isinstance(one.node, ast.ImportFrom) and one.node.module == "__future__"
        ]
        pieces = without(pieces, self.future)
        pieces = [one for one in map(self.parameterised, pieces) if one is not None]
        self.pieces = self.with_result([one for one in pieces if not self.only_shows(one)])
        self.outputs = self.output_names()

    def taken(self, name: str, pieces: Sequence[Piece]) -> bool:
        """Does the user's code mean something else by the name of a class that parameters need?"""
        same = {(name, CLASSES[name], name)}
        imports = {(one.name, one.module, one.member) for piece in pieces for one in piece.facts.imports}
        imported_as = {one for one in imports if one[0] == name}
        otherwise = any(
            name in piece.facts.binds | piece.facts.weak and piece.facts.kind != "import" for piece in pieces
        )
        return otherwise or bool(imported_as - same)

    def refuse_clashes(self, pieces: Sequence[Piece]) -> None:
        """A parameter's new name must not be one that the code uses for something else."""
        used = self.bound_anywhere | {name for one in pieces for name in one.facts.reads | needs(one)}
        for one in self.given:
            own = one.constant.name if one.constant is not None and not one.constant.inline else ""
            if one.parameter.name != own and one.parameter.name in used:
                raise Unprocessable(
                    f"A parameter cannot be called {one.parameter.name!r}: the code has that name already.",
                    hint="Choose another name.",
                )

    # ── what stands in the file

    def parameterised(self, piece: Piece) -> Piece | None:
        """The statement without what became a parameter; None when nothing is left."""
        if "__name__" in piece.facts.reads:  # in a notebook it is always so
            lines = tuple(
                Line(AS_MAIN.sub("True", one.text), one.cell, one.index, one.cell_line) for one in piece.lines
            )
            piece = Piece(piece.step, piece.node, piece.facts, lines, piece.fixed)
        mine = self.given_of.get(piece.step.cell, [])
        names = {one.constant.name for one in mine if one.constant is not None and not one.constant.inline}
        pairs = list(assignments(piece.node))
        gone = [name for name, _ in pairs if name in names]
        if gone:
            for one in mine:
                if one.form == "Timestamp" and one.constant is not None and one.constant.name in gone:
                    self.timestamp = one.constant.text.split("(")[0]
            left = [f"{name} = {ast.unparse(value)}" for name, value in pairs if name not in names]
            return with_text(piece, "\n".join(left)) if left else None
        if not self.inline:
            return piece
        places = [(one, self.inline[one.value]) for one in inline_literals(piece.node) if one.value in self.inline]
        return replaced(piece, [(one, given.parameter.name) for one, given in places]) if places else piece

    def only_shows(self, piece: Piece) -> bool:
        """A bare expression in the middle only shows something in a notebook."""
        if piece.facts.kind != "shown" or not isinstance(piece.node, ast.Expr):
            return False
        if piece.step is self.target:
            acts = any(name in self.properties for _, name in piece.facts.attributes)
            return not piece.facts.ends and not acts
        return isinstance(piece.node.value, (ast.Name, ast.Constant))

    def with_result(self, pieces: list[Piece]) -> list[Piece]:
        """The target's last expression, its value kept."""
        if not pieces or pieces[-1].step is not self.target or not isinstance(pieces[-1].node, ast.Expr):
            return pieces
        piece, node = pieces[-1], pieces[-1].node
        text = "\n".join(one.text for one in piece.lines)
        called = ast.unparse(node.value.func) if isinstance(node.value, ast.Call) else ""
        if called in SHOWING or re.search(r";\s*(#.*)?$", text):
            return pieces
        if isinstance(node.value, ast.Name) and node.value.id == "result":
            self.result = "result"
            return pieces[:-1]
        self.result = "shown" if "result" in self.target_binds else "result"
        self.result_name = _unused("result", self.bound_anywhere | {one.parameter.name for one in self.given})
        at = next(
            k
            for k, one in enumerate(piece.lines)
            if one.cell_line == node.lineno or not one.text.lstrip().startswith("#")
        )
        first = piece.lines[at]
        line = Line(f"{self.result_name} = {first.text.lstrip()}", first.cell, first.index, first.cell_line)
        return [
            *pieces[:-1],
            Piece(piece.step, node, piece.facts, (*piece.lines[:at], line, *piece.lines[at + 1 :]), piece.fixed),
        ]

    def output_names(self) -> tuple[str, ...]:
        """The values that the target binds for sure, in order; not its imports, functions and private names."""
        sure = {one.constant.name if one.constant else one.parameter.name for one in self.given}
        names: list[str] = []
        for piece in self.pieces:
            sure |= piece.facts.binds
            if piece.step is self.target and piece.facts.kind == "other":
                order = [one.id for one in ast.walk(piece.node) if isinstance(one, ast.Name)]
                mine = sorted(
                    piece.facts.binds | (piece.facts.weak & sure),
                    key=lambda name: order.index(name) if name in order else 0,
                )
                names += [name for name in mine if not name.startswith("_")]
        own = {
            one.constant.name
            for one in self.given
            if one.constant and not one.constant.inline and one.cell == self.target.cell
        }
        deleted = {name for one in self.pieces if one.step is self.target for name in one.facts.deletes}
        chosen = [name for name in dict.fromkeys([*sorted(own), *names]) if name not in deleted]
        return tuple(dict.fromkeys([*chosen, *([self.result] if self.result else [])]))

    # ── the two forms

    def module(self) -> Module:
        script = self.needs_script()
        body = self.as_script() if script else self.as_main()
        lines = [*self.header(), *body]
        source = "\n".join(one.text for one in lines).rstrip("\n") + "\n"
        mapping = tuple(
            LineMapping(k, one.cell, one.index, one.cell_line) for k, one in enumerate(lines, 1) if one.cell_line
        )
        try:
            tree = ast.parse(source)
            compile(tree, "job.py", "exec", dont_inherit=True)
        except SyntaxError as error:
            raise Unprocessable(
                f"The cells cannot be put into one file: {error.msg}, near {(error.text or '').strip()!r}.",
                hint="Write that line another way, or move it to a cell that the job does not need.",
            ) from None
        return Module(source, mapping, self.outputs, imported(tree))

    def needs_script(self) -> bool:
        bound: set[str] = {one.constant.name if one.constant else one.parameter.name for one in self.given}
        for piece in self.pieces:
            facts = piece.facts
            if facts.star or facts.opaque or any(one.declares for one in facts.functions):
                return True
            early = {name for name in facts.reads if name in self.bound_anywhere and name not in bound}
            if any(hasattr(builtins, name) for name in early):
                return True
            bound = (bound | facts.binds | facts.weak) - (facts.deletes - facts.binds)
        return False

    def as_main(self) -> list[Line]:
        imports, top, rest = self.hoisted()
        waits = any(one.facts.waits for one in rest)
        out = self.import_lines(imports, rest, [])
        for piece in top:
            out += [Line(""), Line(""), *piece.lines]
        out += [Line(""), Line("")]
        out += [Line(one) for one in self.opening(waits)]
        body = [*defaults(self.given, self.spell), *conversions(self.given, self.timestamp)]
        out += [Line(INDENT + one) for one in body]
        out += self.statements(rest, blank=bool(body))
        out.append(Line(f"{INDENT}return {self.returned()}"))
        if waits:
            passed = ", ".join(f"{one.parameter.name}={one.parameter.name}" for one in self.given)
            out += [Line(""), Line(""), *(Line(one) for one in [*signature(self.given, self.spell), *self.docstring()])]
            out.append(Line(f"{INDENT}return asyncio.run(work({passed}))"))
        return [*out, *self.command_line()]

    def opening(self, waits: bool) -> list[str]:
        if not waits:
            return [*signature(self.given, self.spell), *self.docstring()]
        head = signature(self.given, self.spell)
        return [head[0].replace("def main(", "async def work("), *head[1:]]

    def statements(self, pieces: Sequence[Piece], *, blank: bool) -> list[Line]:
        """The body, a blank line between cells and around definitions."""
        out: list[Line] = []
        before: Piece | None = None
        for piece in pieces:
            gap = before is not None and (before.step is not piece.step or _spaced(before, piece))
            if gap or (before is None and blank):
                out.append(Line(""))
            out += indented(piece)
            before = piece
        return out

    def returned(self) -> str:
        pairs = [(name, self.result_name if name == self.result else name) for name in self.outputs]
        text = "{" + ", ".join(f'"{name}": {value}' for name, value in pairs) + "}"
        if len(text) <= 100:
            return text
        inner = "\n".join(f'{INDENT * 2}"{name}": {value},' for name, value in pairs)
        return "{\n" + inner + f"\n{INDENT}}}"

    def as_script(self) -> list[Line]:
        """The user's code at the top of the file, run by `main` under a name of its own."""
        extra = ["runpy"]
        out = self.import_lines([], self.pieces, extra)
        out += [Line(""), Line("")]
        out += [Line(one) for one in [*signature(self.given, self.spell), *self.docstring()]]
        out += [
            Line(INDENT + one) for one in [*defaults(self.given, self.spell), *conversions(self.given, self.timestamp)]
        ]
        names = [
            one.constant.name if one.constant and not one.constant.inline else one.parameter.name for one in self.given
        ]
        passed = "{" + ", ".join(f'"{name}": {name}' for name in names) + "}"
        out.append(Line(f'{INDENT}names = runpy.run_path(__file__, {passed}, run_name="{SCRIPT}")'))
        returned = [(name, self.result_name if name == self.result else name) for name in self.outputs]
        text = ", ".join(f'"{name}": names["{value}"]' for name, value in returned)
        out.append(Line(f"{INDENT}return {{{text}}}"))
        out += [Line(""), Line(""), Line(f'if __name__ == "{SCRIPT}":')]
        out += self.statements(self.pieces, blank=False) or [Line(f"{INDENT}pass")]
        return [*out, *self.command_line()]

    # ── imports and definitions

    def hoisted(self) -> tuple[list[Piece], list[Piece], list[Piece]]:
        """Imports and closed definitions that stand at the top of the file, and what stays in `main`."""
        times = self.times_bound()
        settled = False
        imports: list[Piece] = []
        rest: list[Piece] = []
        for piece in self.pieces:
            names = {one.name for one in piece.facts.imports}
            alone = all(times[name] == 1 for name in names) and not names & OWN_NAMES - _same_imports(piece)
            movable = piece.facts.kind == "import" and not settled and alone
            (imports if movable else rest).append(piece)
            settled = settled or _sets_environment(piece)
        local = {name for one in rest for name in one.facts.binds | one.facts.weak}
        local |= {one.constant.name if one.constant else one.parameter.name for one in self.given}
        top = [
            one
            for one in rest
            if one.facts.kind in ("def", "class")
            and times[_defined(one)] == 1
            and _defined(one) not in OWN_NAMES
            and _plain_defaults(one)
        ]
        while True:
            inside = local - {_defined(one) for one in top}
            stay = [one for one in top if needs(one) & inside]
            if not stay:
                break
            top = without(top, stay)
        return imports, top, without(rest, top)

    def times_bound(self) -> dict[str, int]:
        """How many different statements bind each name; the same import twice counts once."""
        seen: dict[str, set[str]] = {}
        for k, piece in enumerate(self.pieces):
            for one in piece.facts.imports:
                key = (
                    f"import {one.module}"
                    if not one.member and one.name == one.module.split(".")[0]
                    else f"{one.module}:{one.member}"
                )
                if not one.member and "." in one.module and one.name == one.module.split(".")[0]:
                    key = f"import {one.name}"
                seen.setdefault(one.name, set()).add(key)
            for name in (piece.facts.binds | piece.facts.weak | piece.facts.deletes) - {
                one.name for one in piece.facts.imports
            }:
                seen.setdefault(name, set()).add(str(k))
            for function in piece.facts.functions:
                for name in function.binds:
                    seen.setdefault(name, set()).add(f"{k} {function.name}")
        for given in self.given:
            name = given.constant.name if given.constant and not given.constant.inline else given.parameter.name
            seen.setdefault(name, set()).add("parameter")
        return {name: len(where) for name, where in seen.items()}

    def import_lines(self, imports: Sequence[Piece], rest: Sequence[Piece], extra: Sequence[str]) -> list[Line]:
        """All imports: future, standard library, installed, own; sorted, each once."""
        everything = [*self.pieces]
        read = {name for one in everything for name in one.facts.reads | one.facts.words | needs(one)}
        read |= {name.split(".")[0] for name in [self.timestamp] if any(one.form == "Timestamp" for one in self.given)}
        attributes = {name for one in everything for _, name in one.facts.attributes}
        found: dict[str, Line] = {}
        for piece in imports:
            for text in used_imports(piece.node, read, attributes):
                found.setdefault(text, Line(text, piece.step.cell, piece.step.index, piece.facts.first))
        waits = any(one.facts.waits for one in rest)
        for text in [
            *self.own_imports(read),
            *(f"import {one}" for one in extra),
            *(["import asyncio"] if waits else []),
        ]:
            found.setdefault(text, Line(text))
        future = list(dict.fromkeys(ast.unparse(one.node) for one in self.future))
        groups: list[list[Line]] = [[], [], []]
        for text, line in found.items():
            groups[_group(text)].append(line)
        out = [Line(one) for one in future]
        for group in groups:
            if group:
                out += [*([Line("")] if out else []), *sorted(merged(group), key=_import_order)]
        return out

    def own_imports(self, read: set[str]) -> list[str]:
        """What the parameters, the command line and `display` need."""
        out = []
        kinds = {one.parameter.type for one in self.given} | {one.parameter.item for one in self.given}
        for kind in sorted({"date", "datetime", "path"} & kinds):
            name = ANNOTATIONS[kind]
            module = CLASSES[name]
            out.append(f"from {module} import {name}" if self.spell[name] == name else f"import {module} as _{module}")
        if self.given:
            out.append("import argparse")
        if any(_as_json(one.parameter) for one in self.given):
            out.append("import json")
        if "display" in read and "display" not in self.bound_anywhere:
            out.append("from IPython.display import display")
        return out

    # ── what stands around

    def header(self) -> list[Line]:
        script = ["# /// script", f'# requires-python = ">={self.python}"']
        if self.requires:
            script += ["# dependencies = [", *(f"#     {quoted(one)}," for one in self.requires), "# ]"]
        where = f"cell [{self.target.index}]" + (f" of {self.notebook}" if self.notebook else "")
        title = " ".join((self.title or "A published cell").replace("\\", "/").replace('"""', "'''").split()).rstrip(
            '."'
        )
        others = sorted({one.index for one in self.slice.steps if one.index >= 0 and not one.target})
        cells = "cells" if len(others) > 1 else "cell"
        needed = f"; it needs {cells} {', '.join(f'[{one}]' for one in others)}" if others else ""
        where = where.replace("\\", "/").replace('"', "'")
        text = [*script, "# ///", f'"""{title}.', "", *_wrapped(f"Published from {where}{needed}."), '"""', ""]
        return [Line(one) for one in text]

    def docstring(self) -> list[str]:
        described = [one.parameter for one in self.given if one.parameter.description]
        what = _and([f"`{name}`" for name in self.outputs])
        first = f"Return {what}." if what else "Do the work of the cell."
        if not described:
            return (
                [f'{INDENT}"""{first}"""']
                if len(first) < 100
                else [f'{INDENT}"""{first[:90].rsplit(",", 1)[0]} and more."""']
            )
        lines = [f'{INDENT}"""{first}', "", f"{INDENT}Args:"]
        for one in described:
            text = " ".join(one.description.replace("\\", "/").replace('"', "'").split())
            lines.append(f"{INDENT * 2}{one.name}: {text}")
        return [*lines, f'{INDENT}"""']

    def command_line(self) -> list[Line]:
        out = ["", ""]
        if self.given:
            out += [
                "def arguments() -> dict[str, object]:",
                f'{INDENT}"""Those parameters that the command line gives."""',
            ]
            out.append(
                f"{INDENT}parser = argparse.ArgumentParser(description=__doc__, argument_default=argparse.SUPPRESS)"
            )
            out += [INDENT + self.option(one.parameter) for one in self.given]
            out += [f"{INDENT}return vars(parser.parse_args())", "", ""]
        call = "main(**arguments())" if self.given else "main()"
        out += [
            'if __name__ == "__main__":',
            f"{INDENT}for name, value in {call}.items():",
            f'{INDENT * 2}print(f"{{name}}: {{value}}")',
        ]
        return [Line(one) for one in out]

    def option(self, parameter: Parameter) -> str:
        flag = "--" + parameter.name.strip("_").replace("_", "-").lower()
        dest = f', dest="{parameter.name}"' if flag[2:].replace("-", "_") != parameter.name else ""
        kind = ""
        if parameter.type == "bool":
            kind = ", action=argparse.BooleanOptionalAction"
        elif _as_json(parameter):
            kind = ", type=json.loads"
        elif parameter.type == "list":
            read = reader(parameter.item, self.spell)
            kind = f', nargs="*"{f", type={read}" if read else ""}'
        elif read := reader(parameter.type, self.spell):
            kind = f", type={read}"
        about = parameter.description or f"{described_type(parameter)}, {quoted(parameter.default)} by default"
        about = about.replace("%", "%%")
        return f'parser.add_argument("{flag}"{dest}{kind}, help={quoted(about)})'


def _as_json(parameter: Parameter) -> bool:
    return parameter.type == "dict" or (parameter.type == "list" and parameter.item in ("", "bool"))


def _unused(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def _wrapped(text: str, width: int = 100) -> list[str]:
    lines = [""]
    for word in text.split(" "):
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return lines


def _spaced(before: Piece, piece: Piece) -> bool:
    """The user left a blank line between the two, or one of them is a definition."""
    defines = {"def", "class"} & {before.facts.kind, piece.facts.kind}
    comments = sum(one.text.lstrip().startswith("#") for one in piece.lines[: max(0, len(piece.lines) - 1)])
    gap = piece.lines[0].cell_line - (before.node.end_lineno or 0) - 1
    original = before.step.source.split("\n")
    blank = any(not line.strip() for line in original[before.node.end_lineno or 0 : piece.lines[0].cell_line - 1])
    return bool(defines) or (gap > 0 and (blank or comments > 0))


def _sets_environment(piece: Piece) -> bool:
    """Imports after it may depend on it."""
    text = "\n".join(one.text for one in piece.lines)
    return bool(re.search(r"os\.environ|os\.putenv|os\.chdir|sys\.path|matplotlib\.use|mpl\.use|set_int_env", text))


def _same_imports(piece: Piece) -> set[str]:
    """Names it imports just as the file itself would."""
    return {one.name for one in piece.facts.imports if not one.member and one.module == one.name}


def _defined(piece: Piece) -> str:
    return str(getattr(piece.node, "name", ""))


def _plain_defaults(piece: Piece) -> bool:
    """Its defaults are not computed, so that it does not matter when it is defined."""
    node = piece.node
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return True
    given = [*node.args.defaults, *(one for one in node.args.kw_defaults if one is not None)]
    return not any(isinstance(each, ast.Call) for one in given for each in ast.walk(one))


def needs(piece: Piece) -> set[str]:
    """All names a definition reads, when it is made and when it is called."""
    found = set(piece.facts.reads) | set(piece.facts.words)
    for one in piece.facts.functions:
        found |= one.reads | one.words | one.binds | (one.changes - one.local)
    return found


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

    tree = parsed(ast.unparse(piece.node))
    assert tree is not None
    copy = ast.parse(piece.step.python)
    node = next(one for one in copy.body if one.lineno == piece.node.lineno and one.col_offset == piece.node.col_offset)
    return with_text(piece, ast.unparse(ast.fix_missing_locations(Replacing().visit(node))))


# ── imports ─────────────────────────────────────────────────────────────────────────────────────────────────


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
    return [line for one in out.values() for line in _folded(one)]


def _folded(line: Line) -> list[Line]:
    return [line]


def _import_order(line: Line) -> tuple[bool, str]:
    return (line.text.startswith("from "), line.text.lower())


def _group(text: str) -> int:
    module = text.split()[1]
    if module.startswith("."):
        return 2
    return 0 if module.split(".")[0] in sys.stdlib_module_names else 1


def imported(tree: ast.Module) -> tuple[str, ...]:
    """The top-level packages that a file imports, sorted; the standard library's left out."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {one.name.split(".")[0] for one in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return tuple(sorted(found - sys.stdlib_module_names))
