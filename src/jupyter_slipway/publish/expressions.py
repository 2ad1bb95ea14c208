"""What an expression hangs on, and whose objects its value may be. Used by `effects`; values only."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from jupyter_slipway.publish.plain import words

ITERATING = words(
    """iter map filter zip enumerate reversed open reader finditer cycle count islice chain defaultdict"""
)
VIEWS = words(
    """ravel reshape view transpose squeeze swapaxes fit set_params get setdefault items values keys iter asarray
    atleast_1d cursor gca twinx subplots add_subplot groupby rolling resample to_numpy"""
)
NONE: frozenset[str] = frozenset()
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def root(node: ast.expr) -> str:
    """The name an expression hangs on: `df` for `df.x[0].y()`; empty when there is none."""
    while not isinstance(node, ast.Name):
        if isinstance(node, (ast.Attribute, ast.Subscript, ast.Starred, ast.Await)):
            node = node.value
        elif isinstance(node, ast.Call):
            node = node.func
        else:
            return ""
    return node.id


def path(node: ast.expr) -> str:
    """An expression as a dotted path; a call or subscript on the way is '()'."""
    parts: list[str] = []
    end = ""
    while True:
        if isinstance(node, ast.Attribute):
            parts.append(node.attr + end)
            node, end = node.value, ""
        elif isinstance(node, ast.Name):
            parts.append(node.id + end)
            return ".".join(reversed(parts))
        elif isinstance(node, (ast.Call, ast.Subscript)):
            node, end = (node.func if isinstance(node, ast.Call) else node.value), "()"
        elif isinstance(node, (ast.Await, ast.Starred)):
            node = node.value
        else:
            return ".".join(reversed([*parts, "()"]))


def bound_in(body: Iterable[ast.AST]) -> tuple[set[str], set[str]]:
    """Names a function's body makes local, and names it declares global."""
    names: set[str] = set()
    declared: set[str] = set()
    todo = list(body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Load):
                names.add(node.id)
            continue
        if isinstance(node, SCOPES):
            if not isinstance(node, ast.Lambda):
                names.add(node.name)
            continue
        if isinstance(node, ast.comprehension):
            todo += [node.iter, *node.ifs]
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Global):
            declared |= set(node.names)
        elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
            names.add(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            names.add(node.rest)
        todo += parts(node)
    return names - declared, declared


def parts(node: ast.AST) -> list[ast.AST]:
    """The nodes right below. `ast.iter_child_nodes` takes three times as long; 30,000 are asked a plan."""
    found: list[ast.AST] = []
    for field in node._fields:
        value = getattr(node, field, None)
        if type(value) is list:
            found += [one for one in value if isinstance(one, ast.AST)]
        elif isinstance(value, ast.AST):
            found.append(value)
    return found


def names_in(node: ast.AST) -> frozenset[str]:
    """The names that are read in it, at any depth."""
    names: set[str] = set()
    todo = [node]
    while todo:
        one = todo.pop()
        if type(one) is ast.Name:
            if type(one.ctx) is ast.Load:
                names.add(one.id)
        elif type(one) is not ast.Constant:
            todo += parts(one)
    return frozenset(names)


class Shares:
    """The names whose objects an expression's value may be, or be a part of."""

    def __init__(self) -> None:
        self.by_call: list[tuple[str, frozenset[str]]] = []

    def of(self, node: ast.expr | None) -> frozenset[str]:
        if node is None:
            return NONE
        if isinstance(node, ast.Name):
            return frozenset((node.id,))
        if isinstance(node, (ast.Attribute, ast.Subscript, ast.Starred, ast.Await, ast.NamedExpr)):
            return self.of(node.value)
        if isinstance(node, ast.IfExp):
            return self.of(node.body) | self.of(node.orelse)
        if isinstance(node, (ast.BoolOp, ast.Dict)):
            return self.all(node.values)
        if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
            return self.all(node.elts)
        if isinstance(node, (ast.ListComp, ast.GeneratorExp, ast.SetComp)):
            return self.all(one.iter for one in node.generators)
        return self.call(node) if isinstance(node, ast.Call) else NONE

    def all(self, nodes: Iterable[ast.expr]) -> frozenset[str]:
        return NONE.union(*(self.of(node) for node in nodes))

    def call(self, node: ast.Call) -> frozenset[str]:
        given = self.all([*node.args, *(one.value for one in node.keywords)])
        if isinstance(node.func, ast.Name):
            name = node.func.id
            if name in ITERATING or name[:1].isupper() or name == "partial":
                return given
            self.by_call.append((name, given))
        elif isinstance(node.func, ast.Attribute):
            name = node.func.attr
            owner = self.of(node.func.value)
            if name in VIEWS or name[:1].isupper():
                return given | owner
            self.by_call.append((name, given | owner))
        return NONE


def receivers(function: ast.expr) -> frozenset[str]:
    if not isinstance(function, ast.Attribute) or isinstance(function.value, ast.Name):
        return NONE
    shares = Shares()
    return shares.of(function.value).union(*(names for _, names in shares.by_call))
