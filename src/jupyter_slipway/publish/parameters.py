"""Constants of a slice as typed parameters; their JSON Schema; values checked as data.

Called by `plan` with a `Slice`, and by the registry, runs and the command line with the values people give.
"""

from __future__ import annotations

import ast
import json
import keyword
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from functools import lru_cache
from typing import Any, get_args

import msgspec
from msgspec import UNSET, Struct

from jupyter_slipway.errors import Unprocessable
from jupyter_slipway.publish.calls import Names
from jupyter_slipway.publish.effects import READS_FILES, WRITES_FILES, analyse
from jupyter_slipway.publish.expressions import path
from jupyter_slipway.publish.facts import Statement
from jupyter_slipway.publish.model import Parameter, ParameterType
from jupyter_slipway.publish.plain import parsed
from jupyter_slipway.publish.slice import Slice

LONGEST_LIST = 12
LONGEST_TEXT = 200
TYPES: tuple[ParameterType, ...] = get_args(ParameterType)
ITEMS = ("int", "float", "str", "bool", "date", "path")
FILE = re.compile(
    r"[^\s:*?\"<>|]+\.(csv|tsv|json|jsonl|txt|parquet|feather|xlsx?|h5|hdf5?|db|sqlite|pkl|pickle|joblib|png|jpe?g|svg|pdf|"
    r"gz|zip|npy|npz|ya?ml|toml|arrow|orc)(\.(gz|zip|bz2|xz))?",
    re.I,
)
DATE = re.compile(r"\d{4}-\d\d-\d\d")
DATETIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?")


class ParameterEdit(Struct, frozen=True):
    """What a person wants of one parameter; what is left out stays as it is."""

    name: str
    rename: str = ""
    type: ParameterType | None = None
    default: Any = UNSET
    description: str | None = None
    on: bool | None = None
    item: str | None = None


# ── literals ────────────────────────────────────────────────────────────────────────────────────────────────


class Literal(Struct, frozen=True):
    """A constant as written in a cell."""

    type: ParameterType
    default: Any
    """As JSON."""
    item: str = ""
    form: str = ""
    """How the code writes it: '' for a plain literal, else 'date', 'datetime', 'Path', 'Timestamp', 'tuple', 'set'."""
    refused: str = ""
    """Why it is not taken by default."""


def literal(node: ast.expr) -> Literal | None:
    """What kind of constant an expression is; None when it is none that a job could be given."""
    if isinstance(node, ast.Call):
        return _constructed(node)
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    if value is None:
        return Literal("str", None, refused="it is None: choose its type")
    if isinstance(value, (list, tuple, set)):
        return _listed(value)
    if isinstance(value, dict):
        return _mapped(value)
    return _plain(value)


def _plain(value: object) -> Literal | None:
    if isinstance(value, bool):
        return Literal("bool", value)
    if isinstance(value, int):
        return Literal("int", value)
    if isinstance(value, float):
        return Literal("float", value) if math.isfinite(value) else None
    if not isinstance(value, str):
        return None
    if "\n" in value or len(value) > LONGEST_TEXT:
        return Literal("str", value, refused="it is a long text")
    if DATE.fullmatch(value) and _is_date(value):
        return Literal("date", value)
    if DATETIME.fullmatch(value) and text_format(value):
        return Literal("datetime", value)
    return Literal("path" if _is_path(value) else "str", value)


def _is_path(text: str) -> bool:
    """Only what survives being a Path and text again: not a URL, not 'data/'."""
    clean = not text.startswith("./") and "//" not in text and "/./" not in text and not text.endswith("/")
    return clean and bool(FILE.fullmatch(text) or ("/" in text and re.fullmatch(r"[\w./~-]*[A-Za-z][\w./~-]*", text)))


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def text_format(text: str) -> str:
    """The strftime format that gives back this ISO text; empty when there is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return ""
    for form in ("%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"):
        if moment.strftime(form) == text:
            return form
    return ""


def _listed(value: list[Any] | tuple[Any, ...] | set[Any]) -> Literal | None:
    items = sorted(value, key=repr) if isinstance(value, set) else list(value)
    if not all(isinstance(one, (bool, int, float, str)) for one in items):
        return None
    if any(isinstance(one, float) and not math.isfinite(one) for one in items):
        return None
    form = "" if isinstance(value, list) else type(value).__name__
    refused = f"it has more than {LONGEST_LIST} items" if len(items) > LONGEST_LIST else ""
    refused = refused or ("" if items else "it is an empty list")
    return Literal("list", items, common_item(items), form, refused)


def _mapped(value: dict[Any, Any]) -> Literal | None:
    if not value or not all(isinstance(key, str) for key in value):
        return None
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return None
    if json.loads(json.dumps(value)) != value:
        return None  # it holds tuples, say, which JSON would turn into lists
    return Literal("dict", value, common_item(list(value.values())), refused="it is a dict")


def common_item(items: Sequence[object]) -> str:
    """The one type of all items; empty when they are mixed."""
    kinds = {type(one).__name__ for one in items}
    if kinds == {"int", "float"}:
        return "float"
    return kinds.pop() if len(kinds) == 1 and kinds <= {"int", "float", "str", "bool"} else ""


def _constructed(node: ast.Call) -> Literal | None:
    """`date(2013, 1, 1)`, `Path("x")`, `pd.Timestamp("2013-01-01")`."""
    name = path(node.func).rpartition(".")[2]
    try:
        given = [ast.literal_eval(one) for one in node.args]
    except (ValueError, TypeError, SyntaxError):
        return None
    if node.keywords or not given:
        return None
    try:
        if name == "date":
            return Literal("date", date(*given).isoformat(), form="date")
        if name == "datetime":
            return Literal("datetime", datetime(*given).isoformat(), form="datetime")
        if name == "Path" and len(given) == 1 and isinstance(given[0], str):
            return Literal("path", given[0], form="Path")
        if name == "Timestamp" and len(given) == 1 and isinstance(given[0], str):
            kind: ParameterType = "date" if DATE.fullmatch(given[0]) else "datetime"
            return Literal(kind, datetime.fromisoformat(given[0]) and given[0], form="Timestamp")
    except (TypeError, ValueError, OverflowError):
        return None
    return None


# ── finding ─────────────────────────────────────────────────────────────────────────────────────────────────


class Constant(Struct, frozen=True):
    """One `NAME = literal` at the top of a kept cell, or the literal inside a reader's or writer's call."""

    name: str
    literal: Literal
    line: int
    """Of the cell, from 1."""
    text: str
    """As written."""
    comment: str = ""
    inline: bool = False
    choices: tuple[Any, ...] = ()


def assignments(node: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    """Each `NAME = value` of a statement; `a, b = 1, 2` has two."""
    if isinstance(node, ast.AnnAssign):
        if isinstance(node.target, ast.Name) and node.value is not None:
            yield node.target.id, node.value
    elif isinstance(node, ast.Assign) and len(node.targets) == 1:
        target = node.targets[0]
        if isinstance(target, ast.Name):
            yield target.id, node.value
        elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            pairs = list(zip(target.elts, node.value.elts, strict=False))
            if len(target.elts) == len(node.value.elts) and all(isinstance(one, ast.Name) for one, _ in pairs):
                yield from ((one.id, value) for one, value in pairs if isinstance(one, ast.Name))


def choices(node: ast.stmt, value: object) -> tuple[Any, ...]:
    """What `NAME: Literal["fast", "exact"] = "fast"` allows beside its value; empty for any other statement."""
    annotation = node.annotation if isinstance(node, ast.AnnAssign) else None
    if not isinstance(annotation, ast.Subscript) or path(annotation.value).rpartition(".")[2] != "Literal":
        return ()
    try:
        allowed = ast.literal_eval(annotation.slice)
    except (ValueError, TypeError):
        return ()
    found = allowed if isinstance(allowed, tuple) else (allowed,)
    plain = type(value) in (str, int, float) and all(type(one) is type(value) for one in found)
    return found if plain and value in found else ()


def inline_literals(tree: ast.AST) -> Iterator[ast.Constant]:
    """The literal first arguments of calls that read or write files."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else path(node.func)
            first = node.args[0]
            known = READS_FILES.match(name) or WRITES_FILES.match(name)
            if known and isinstance(first.value, str) and 3 <= len(first.value) <= LONGEST_TEXT:
                yield first


def _handles_files(facts: Statement) -> bool:
    calls = [*facts.calls, *(call for function in facts.functions for call in function.calls)]
    return any(call.texts and (READS_FILES.match(call.name) or WRITES_FILES.match(call.name)) for call in calls)


def inline_name(text: str) -> str:
    """A name for the file: 'data/flights 2013.csv' -> 'flights_2013_csv'."""
    stem = re.sub(r"\W+", "_", text.split("?")[0].rstrip("/").rsplit("/", 1)[-1]).strip("_").lower()
    return stem if stem.isidentifier() and not keyword.iskeyword(stem) else f"file_{stem}".rstrip("_")


@lru_cache(maxsize=4096)
def constants(python: str) -> tuple[Constant, ...]:
    """All constants of one step, in the order they stand."""
    tree = parsed(python)
    if tree is None:
        return ()
    lines = python.split("\n")
    found = []
    for node, facts in zip(tree.body, analyse(python).statements, strict=True):
        for name, value in assignments(node):
            known = literal(value)
            if known is not None:
                comment, allowed = _comment(lines, node, name), choices(node, known.default)
                found.append(Constant(name, known, node.lineno, _written(lines, value), comment, choices=allowed))
        for one in inline_literals(node) if _handles_files(facts) else ():
            known = literal(one)
            if known is not None and isinstance(one.value, str):
                found.append(Constant(inline_name(one.value), known, one.lineno, one.value, inline=True))
    return tuple(found)


def _written(lines: list[str], node: ast.expr) -> str:
    """The expression as written. `ast.get_source_segment` would split the whole cell again for each."""
    last = node.end_lineno or node.lineno
    some = [one.encode() for one in lines[node.lineno - 1 : last]]
    some[-1] = some[-1][: node.end_col_offset]
    some[0] = some[0][node.col_offset :]
    return b"\n".join(some).decode()


def _comment(lines: list[str], node: ast.stmt, name: str) -> str:
    """What the comment beside the assignment says, else the one right above it."""
    rest = (
        lines[(node.end_lineno or node.lineno) - 1].encode()[node.end_col_offset or 0 :].decode(errors="ignore").strip()
    )
    if not rest.startswith("#") and node.lineno > 1:
        rest = lines[node.lineno - 2].strip()
    text = rest.lstrip("#: ").strip() if rest.startswith("#") else ""
    return (
        text if len(text) <= LONGEST_TEXT and not re.match(r"(type:|noqa|pylint|%%|TODO|FIXME|-{3}|={3})", text) else ""
    )


@lru_cache(maxsize=32)
def find_parameters(slice: Slice) -> tuple[Parameter, ...]:
    """The constants that a job could be given, in the order they stand; those off by default say why."""
    statements = [one for step in slice.steps for one in analyse(step.python).statements]
    use = _Use(statements)
    found: list[Parameter] = []
    taken: set[str] = set()
    for step in slice.steps:
        for one in constants(step.python):
            if one.inline:
                continue
            if one.name not in taken and use.allows(one.name):
                taken.add(one.name)
                found.append(_parameter(one, step.cell))
    texts: set[str] = set()
    for step in slice.steps:
        for one in constants(step.python):
            if one.inline and one.text not in texts:
                texts.add(one.text)
                name = _free(one.name, use.names | taken)
                taken.add(name)
                found.append(_parameter(msgspec.structs.replace(one, name=name), step.cell))
    return tuple(found)


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_path" if not name.endswith("_path") else "_"
    return name


def _parameter(one: Constant, cell: str) -> Parameter:
    why = one.literal.refused or ("it stands inside a call" if one.inline else "")
    return Parameter(
        name=one.name,
        type="str" if one.choices and isinstance(one.literal.default, str) else one.literal.type,
        default=one.literal.default,
        description=one.comment,
        on=not why,
        cell=cell,
        item=one.literal.item,
        inline=one.inline,
        reason=why,
        choices=one.choices,
    )


class _Use:
    """How the names of a slice are used."""

    def __init__(self, statements: Sequence[Statement]) -> None:
        names = Names(statements)
        self.names = set(names.bound)
        self.bound: dict[str, int] = {}
        self.changed: set[str] = set()
        self.read: set[str] = set()
        for one in statements:
            effect = names.effect(one.calls, ends=one.ends)
            inside = {name for function in one.functions for name in function.binds}
            for name in one.binds | one.weak | one.deletes | inside:
                self.bound[name] = self.bound.get(name, 0) + 1
            self.changed |= one.changes | effect.certain | effect.likely | effect.binds
            self.read |= one.reads | one.words
            self.names |= one.reads
            for function in one.functions:
                self.read |= function.reads | function.words
                self.changed |= function.changes - function.local
        plainly = {name for one in statements for name in one.reads | one.words if name not in one.keys}
        plainly |= {name for one in statements for function in one.functions for name in function.reads}
        self.keys = {name for one in statements for name in one.keys} - plainly

    def allows(self, name: str) -> bool:
        return (
            self.bound.get(name) == 1
            and name in self.read
            and name not in self.changed
            and name not in self.keys
            and not name.startswith("_")
        )


# ── editing ─────────────────────────────────────────────────────────────────────────────────────────────────


def apply_edits(parameters: Sequence[Parameter], edits: Sequence[ParameterEdit]) -> tuple[Parameter, ...]:
    """The parameters as a person wants them. An edit of an unknown name that has a default adds a parameter.

    Raises:
        Unprocessable: an unknown name, a name that cannot be one, a default that is not of the type
    """
    out = {one.name: one for one in parameters}
    for edit in edits:
        known = out.get(edit.name)
        if known is None:
            if edit.default is UNSET:
                raise Unprocessable(f"There is no parameter {edit.name!r}.", hint=_listing(list(out.values())))
            known = _added(edit)
        changed = _edited(known, edit)
        if changed.name != edit.name and changed.name in out:
            raise Unprocessable(f"Two parameters cannot both be called {changed.name!r}.", hint="Choose another name.")
        out[edit.name] = changed
    return tuple(out.values())


def notebook_values(found: Sequence[Parameter], wanted: Sequence[Parameter]) -> dict[str, Any]:
    """By name, what the notebook has for those of `wanted` that a person gave another default.

    Args:
        found: as the notebook has them
        wanted: the same after `apply_edits`
    """
    values: dict[str, Any] = {}
    for before, after in zip(found, wanted, strict=False):
        if after.on and after.default != before.default:
            with suppress(Unprocessable):  # of the type that is wanted now it cannot be
                values[after.name] = checked(after, before.default)
    return values


def _added(edit: ParameterEdit) -> Parameter:
    default = edit.default
    if edit.type is None and isinstance(default, str):
        default = _guessed(default)
    kind = _plain(default) if not isinstance(default, (list, dict)) else None
    fallback: ParameterType = "list" if isinstance(default, list) else "dict" if isinstance(default, dict) else "str"
    type_ = edit.type or (kind.type if kind else fallback)
    item = common_item(default) if isinstance(default, list) else ""
    return Parameter(_named(edit.name), type_, default, item=item)


def _guessed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return {"True": True, "False": False}.get(text, text)


def _named(name: str) -> str:
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("__"):
        raise Unprocessable(
            f"{name!r} cannot be a parameter's name.", hint="Use letters, digits and underscores: 'month'."
        )
    return name


def _edited(known: Parameter, edit: ParameterEdit) -> Parameter:
    type_ = edit.type or known.type
    if type_ not in TYPES:
        raise Unprocessable(f"{type_!r} is not a type of a parameter.", hint=f"Types are: {', '.join(TYPES)}.")
    item = edit.item if edit.item is not None else known.item if type_ in ("list", "dict") else ""
    if item and item not in ITEMS:
        raise Unprocessable(f"{item!r} is not a type of an item.", hint=f"Types of items are: {', '.join(ITEMS)}.")
    changed = msgspec.structs.replace(
        known,
        name=_named(edit.rename) if edit.rename else known.name,
        type=type_,
        item=item,
        choices=known.choices if type_ == known.type else (),
        description=known.description if edit.description is None else edit.description,
        on=known.on if edit.on is None else edit.on,
    )
    default = known.default if edit.default is UNSET else edit.default
    new = type_ != known.type or item != known.item or edit.default is not UNSET
    return msgspec.structs.replace(changed, default=_default(changed, default) if new else default)


def _default(parameter: Parameter, value: Any) -> Any:
    if isinstance(value, str) and parameter.type not in ("str", "path"):
        return from_text(parameter, value)
    if parameter.type in ("str", "path") and isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return checked(parameter, value)


SETTING = re.compile(r"(?P<name>\w+)\s*(:\s*(?P<type>\w+)\s*(\[\s*(?P<item>\w+)\s*\])?)?\s*=(?P<default>.*)", re.S)


def parse_setting(text: str) -> ParameterEdit:
    """`NAME[:TYPE]=DEFAULT` as an edit; TYPE may say its items: `list[int]`.

    Raises:
        Unprocessable: it does not read like that, or the default is not of the type
    """
    found = SETTING.fullmatch(text.strip())
    if found is None:
        raise Unprocessable(f"{text!r} does not set a parameter.", hint="Write NAME=DEFAULT or NAME:TYPE=DEFAULT.")
    name, type_, item = _named(found["name"]), found["type"], found["item"] or ""
    if type_ is None:
        return ParameterEdit(name, default=found["default"], on=True)
    if type_ not in TYPES:
        raise Unprocessable(f"{type_!r} is not a type of a parameter.", hint=f"Types are: {', '.join(TYPES)}.")
    if item and item not in ITEMS:
        raise Unprocessable(f"{item!r} is not a type of an item.", hint=f"Types of items are: {', '.join(ITEMS)}.")
    kind: ParameterType = next(one for one in TYPES if one == type_)
    default = from_text(Parameter(name, kind, None, item=item), found["default"])
    return ParameterEdit(name, type=kind, default=default, on=True, item=item or None)


# ── checking ────────────────────────────────────────────────────────────────────────────────────────────────

WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "date": "a date such as 2013-01-31",
    "datetime": "a date and time such as 2013-01-31T05:00",
    "path": "a path",
    "list": "a list",
    "dict": "a mapping",
}
SCHEMAS: dict[str, dict[str, Any]] = {
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "str": {"type": "string"},
    "bool": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
    "path": {"type": "string", "format": "path"},
    "list": {"type": "array"},
    "dict": {"type": "object"},
}


def schema(parameters: Sequence[Parameter]) -> dict[str, Any]:
    """JSON Schema of the values of those parameters that are on."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {one.name: _property(one) for one in parameters if one.on},
        "additionalProperties": False,
    }


def _property(parameter: Parameter) -> dict[str, Any]:
    found = dict(SCHEMAS[parameter.type])
    if parameter.item and parameter.type == "list":
        found["items"] = dict(SCHEMAS[parameter.item])
    if parameter.item and parameter.type == "dict":
        found["additionalProperties"] = dict(SCHEMAS[parameter.item])
    if parameter.choices:
        found["enum"] = list(parameter.choices)
    if parameter.default is None:
        found["type"] = [found["type"], "null"]
    return {**found, "default": parameter.default, "description": parameter.description}


def validate(parameters: Sequence[Parameter], values: Mapping[str, Any]) -> dict[str, Any]:
    """All values a run gets, as JSON: those given, and the defaults of the rest.

    Raises:
        Unprocessable: an unknown parameter, or a value that is not of its type
    """
    active = {one.name: one for one in parameters if one.on}
    for name in values:
        if name not in active:
            raise Unprocessable(f"There is no parameter {name!r}.", hint=_listing(list(active.values())))
    return {name: checked(one, values[name]) if name in values else one.default for name, one in active.items()}


def _listing(parameters: Iterable[Parameter]) -> str:
    names = [f"{one.name} ({described_type(one)})" for one in parameters if one.on]
    return f"The parameters are: {', '.join(names)}." if names else "There are no parameters."


def described_type(parameter: Parameter) -> str:
    return f"{parameter.type}[{parameter.item}]" if parameter.item else parameter.type


def checked(parameter: Parameter, value: Any) -> Any:
    """The value as the parameter's type has it, still JSON.

    Raises:
        Unprocessable: it is not of the type, or none of the choices
    """
    if value is None and parameter.default is None:
        return None
    try:
        found = _of_type(parameter.type, parameter.item, value)
    except _Mistyped as mistyped:
        raise _refusal(parameter, value, str(mistyped)) from None
    if parameter.choices and found not in parameter.choices:
        raise _refusal(parameter, value)
    return found


class _Mistyped(Exception):
    """What stands where something else is wanted, as a clause that goes on after the value."""

    def __init__(self, found: str) -> None:
        super().__init__(f", which is {found}" if found else "")


class _MistypedItem(_Mistyped):
    def __init__(self, value: object, mistyped: _Mistyped) -> None:
        Exception.__init__(self, f": it holds {_shown(value)}{mistyped}")


def _of_type(kind: str, item: str, value: Any) -> Any:
    if kind == "list" and isinstance(value, (list, tuple)):
        return [_item(item, one) for one in value]
    if kind == "dict" and isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _item(item, one) for key, one in value.items()}
    if kind == "bool" and isinstance(value, bool):
        return value
    if kind in ("int", "float") and isinstance(value, (int, float)) and not isinstance(value, bool):
        return _number(kind, value)
    if kind == "date" and isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if kind == "datetime" and isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str):
        return _text(kind, value)
    raise _Mistyped(_article(value))


def _item(kind: str, value: Any) -> Any:
    try:
        return _of_type(kind, "", value) if kind else value
    except _Mistyped as mistyped:
        raise _MistypedItem(value, mistyped) from None


def _number(kind: str, value: float) -> int | float:
    if isinstance(value, float) and not math.isfinite(value):  # an int may be larger than any float
        raise _Mistyped("not a finite number")
    if kind == "float":
        try:
            return float(value)
        except OverflowError:
            raise _Mistyped("too large for a number with a fraction") from None
    if value != int(value):
        raise _Mistyped("a number with a fraction")
    return int(value)


def _text(kind: str, value: str) -> str:
    if kind == "date" and DATE.fullmatch(value) and _is_date(value):
        return value
    if kind == "datetime" and (DATETIME.fullmatch(value) or DATE.fullmatch(value)):
        try:
            datetime.fromisoformat(value)
        except ValueError:
            raise _Mistyped("no date and time") from None
        return value
    if kind == "str" or (kind == "path" and value and "\0" not in value):
        return value
    raise _Mistyped("text")


def _article(value: object) -> str:
    names = {bool: "true or false", int: "a whole number", float: "a number", list: "a list", dict: "a mapping"}
    return "" if value is None else names.get(type(value), f"a {type(value).__name__}")


def _shown(value: object) -> str:
    shown = repr(value)
    return f"{shown[:60]}…" if len(shown) > 60 else shown


def _refusal(parameter: Parameter, value: object, found: str = "") -> Unprocessable:
    default = f"; the default is {_shown(parameter.default)}" if parameter.default is not None else ""
    return Unprocessable(
        f"Parameter {parameter.name!r} cannot be {_shown(value)}{found}.",
        hint=f"It is {_wanted(parameter)}{default}.",
    )


def _wanted(parameter: Parameter) -> str:
    if parameter.choices:
        return f"one of {', '.join(map(_shown, parameter.choices))}"
    of = f", each item {WORDS[parameter.item]}" if parameter.item else ""
    return f"{WORDS[parameter.type]}{of}"


TRUE, FALSE = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})


def from_text(parameter: Parameter, text: str) -> Any:
    """The value that a person typed after `NAME=`, as JSON.

    Lists are JSON or separated by commas: `[1, 2]` and `1,2` are the same.

    Raises:
        Unprocessable: it is not of the type
    """
    if parameter.default is None and text in ("null", "None"):
        return None
    kind = parameter.type
    if kind in ("list", "dict"):
        return checked(parameter, _structure(parameter, text))
    try:
        return checked(parameter, _scalar(kind, text))
    except ValueError:
        raise _refusal(parameter, text) from None


def _scalar(kind: str, text: str) -> Any:
    if kind == "int":
        return int(text)
    if kind == "float":
        return float(text)
    if kind == "bool":
        low = text.strip().lower()
        if low not in TRUE | FALSE:
            raise ValueError(text)
        return low in TRUE
    return text.strip() if kind in ("date", "datetime") else text


def _structure(parameter: Parameter, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        if parameter.type == "dict" or text.lstrip().startswith("["):
            raise _refusal(parameter, text, ", which is not JSON") from None
    parts = [one.strip() for one in text.split(",")] if text.strip() else []
    try:
        return [_scalar(parameter.item, one) if parameter.item else _guessed(one) for one in parts]
    except ValueError:
        raise _refusal(parameter, text) from None
