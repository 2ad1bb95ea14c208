"""The parameters of a file, as Python: its signature, its defaults, and what makes of a value what the code had.

Used by `module` and `command_line`; which constants there are, `parameters` knows.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

from msgspec import Struct

from jupyter_slipway.errors import Unprocessable
from jupyter_slipway.publish.model import Parameter
from jupyter_slipway.publish.parameters import Constant, Literal, assignments, constants, find_parameters, text_format
from jupyter_slipway.publish.pieces import INDENT
from jupyter_slipway.publish.plain import parsed
from jupyter_slipway.publish.slice import Slice

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
CLASSES = {"date": "datetime", "datetime": "datetime", "Path": "pathlib"}
"""The classes that parameters need, and their modules."""
PLAIN = {name: name for name in CLASSES}
"""How the file writes them; '_datetime.date' where the user's code has another `date`."""


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


def as_json(parameter: Parameter) -> bool:
    return parameter.type == "dict" or (parameter.type == "list" and parameter.item in ("", "bool"))
