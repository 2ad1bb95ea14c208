"""A slice and its parameters as a Python file a colleague could have written, with a map from its lines to the cells'.

Called by `plan`. The file runs alone: `python job.py --month 6`, `uv run job.py`. Statements stand as the user wrote
them, comments included; only imports, closed functions and parameters move.

Two forms. Usually everything stands in `main`. What would mean something else inside a function (`global`, exec, a
builtin's name bound again) stays at the top of the file, under a run name of its own; `main` then runs the file.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Sequence

from jupyter_slipway.errors import Unprocessable
from jupyter_slipway.publish.command_line import command_line
from jupyter_slipway.publish.given import (
    ANNOTATIONS,
    CLASSES,
    PLAIN,
    Given,
    as_json,
    conversions,
    defaults,
    given_parameters,
    quoted,
    signature,
)
from jupyter_slipway.publish.imports import (
    group_of,
    import_order,
    imported,
    merged,
    same_imports,
    sets_environment,
    used_imports,
)
from jupyter_slipway.publish.model import LineMapping, Module, Parameter
from jupyter_slipway.publish.parameters import assignments, inline_literals
from jupyter_slipway.publish.pieces import (
    INDENT,
    Line,
    Piece,
    defined,
    indented,
    needs,
    pieces_of,
    plain_defaults,
    replaced,
    spaced,
    with_text,
    without,
)
from jupyter_slipway.publish.slice import Slice

SCRIPT = "__job__"
"""What `__name__` is while `main` runs the file's own code, in the script form."""
SHOWING = frozenset({"print", "display", "plt.show", "pprint", "sys.stdout.write"})
OWN_NAMES = frozenset({"main", "arguments", "work", "argparse", "json", "asyncio", "runpy"})
"""What the file itself defines or imports: the user's definitions of these names stay inside `main`."""
AS_MAIN = re.compile(r"__name__\s*==\s*(['\"])__main__\1")


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
        return [*out, *command_line(self.given, self.spell)]

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
            gap = before is not None and (before.step is not piece.step or spaced(before, piece))
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
        return [*out, *command_line(self.given, self.spell)]

    # ── imports and definitions

    def hoisted(self) -> tuple[list[Piece], list[Piece], list[Piece]]:
        """Imports and closed definitions that stand at the top of the file, and what stays in `main`."""
        times = self.times_bound()
        settled = False
        imports: list[Piece] = []
        rest: list[Piece] = []
        for piece in self.pieces:
            names = {one.name for one in piece.facts.imports}
            alone = all(times[name] == 1 for name in names) and not names & OWN_NAMES - same_imports(piece)
            movable = piece.facts.kind == "import" and not settled and alone
            (imports if movable else rest).append(piece)
            settled = settled or sets_environment(piece)
        local = {name for one in rest for name in one.facts.binds | one.facts.weak}
        local |= {one.constant.name if one.constant else one.parameter.name for one in self.given}
        top = [
            one
            for one in rest
            if one.facts.kind in ("def", "class")
            and times[defined(one)] == 1
            and defined(one) not in OWN_NAMES
            and plain_defaults(one)
        ]
        while True:
            inside = local - {defined(one) for one in top}
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
            groups[group_of(text)].append(line)
        out = [Line(one) for one in future]
        for group in groups:
            if group:
                out += [*([Line("")] if out else []), *sorted(merged(group), key=import_order)]
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
        if any(as_json(one.parameter) for one in self.given):
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
