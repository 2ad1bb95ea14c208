"""What each statement of a cell reads, binds and changes. Read from its text alone, so that it can be remembered.

Called by `walk`, which joins the statements of all cells; `plain` first makes a cell plain Python. Facts about other
cells (is `pd` a module? does `f` change its argument?) are left open here as `Call`s, and settled in `walk`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Sequence

import msgspec

from jupyter_slipway.publish.expressions import ITERATING, NONE, Shares, bound_in, names_in, path, receivers, root
from jupyter_slipway.publish.facts import Alias, Analysis, Call, Function, Import, Statement
from jupyter_slipway.publish.plain import Split, parsed, split_magics, words
from jupyter_slipway.publish.remembered import remembered

__all__ = ["Analysis", "Split", "Statement", "analyse", "parsed", "split_magics", "words"]

DRAWING = words("""subplots figure gca gcf axes add_subplot twinx twiny subplot FacetGrid JointGrid""")
OPAQUE = words("exec globals locals")
CODE_TEXT = words("eval query exec ols glm logit probit poisson dmatrix dmatrices mixedlm")
WRITES_FILES = re.compile(
    r"(to_(csv|json|excel|parquet|pickle|hdf|feather|sql)|save\w*|dump|write_(text|bytes|image|html|parquet|csv)|mkdir|makedirs|"
    r"remove|unlink|rename|rmtree|copy2?|copyfile|move|extractall|imsave|tofile|memmap|urlretrieve|touch)$"
)
READS_FILES = re.compile(
    r"(open|read_\w+|load\w*|genfromtxt|imread|fromfile|listdir|exists|glob|iterdir|ZipFile|connect|HDFStore|ExcelFile|"
    r"memmap|import_module|scan_\w+)$"
)
WORD = re.compile(r"[A-Za-z_]\w*")


class _Reader:
    """Collects the facts of one statement, or of one function's body."""

    def __init__(self, local: frozenset[str] = NONE, *, function: bool = False) -> None:
        self.local, self.function, self.depth = local, function, 0
        self.reads: set[str] = set()
        self.called: set[str] = set()
        self.escapes: set[str] = set()
        self.binds: set[str] = set()
        self.here: set[str] = set()
        """Names bound on the way to this place, in blocks that may not run."""
        self.weak: set[str] = set()
        self.deletes: set[str] = set()
        self.changes: set[str] = set()
        self.calls: list[Call] = []
        self.aliases: list[Alias] = []
        self.functions: list[Function] = []
        self.imports: list[Import] = []
        self.iterators: set[str] = set()
        self.axes: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()
        self.settings: set[str] = set()
        self.words: set[str] = set()
        self.keys: set[str] = set()
        self.plainly: set[str] = set()
        """Read otherwise than as a key."""
        self.star, self.opaque = "", False
        self.acts, self.waits, self.declares, self.says_nonlocal = False, False, False, False

    # ── walking

    def visit(self, node: ast.AST) -> None:
        kind = type(node)
        if kind is ast.Name:
            self.name(node)  # type: ignore[arg-type]  # a Name: mypy does not see it through `kind`
            return
        if kind is ast.Constant:
            return
        method = METHODS.get(kind)
        if method is not None:
            method(self, node)
        else:
            self.children(node)

    def children(self, node: ast.AST) -> None:
        for field in node._fields:
            value = getattr(node, field, None)
            if isinstance(value, list):
                for one in value:
                    if isinstance(one, ast.AST):
                        self.visit(one)
            elif isinstance(value, ast.AST):
                self.visit(value)

    def each(self, nodes: Iterable[ast.AST | None]) -> None:
        for node in nodes:
            if node is not None:
                self.visit(node)

    # ── names

    def name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.read(node.id)
            self.escapes.add(node.id)
            self.plainly.add(node.id)
        elif isinstance(node.ctx, ast.Del):
            self.read(node.id)
            self.deletes.add(node.id)
        else:
            self.bind(node.id)

    def read(self, name: str) -> None:
        if name not in self.local and name not in self.binds and name not in self.here:
            self.reads.add(name)

    def bind(self, name: str) -> None:
        if name not in self.local:
            (self.weak if self.depth or self.function else self.binds).add(name)
            if self.depth and not self.function:
                self.here.add(name)

    def change(self, name: str) -> None:
        """The object of `name` changes; a local counts in a function, where it may be a parameter or an alias."""
        if name and (self.function or name not in self.local):
            self.changes.add(name)
            self.read(name)

    # ── storing

    def store(self, target: ast.expr, value: ast.expr | None, *, from_loop: bool = False) -> None:
        shares = Shares()
        sure = shares.of(value)
        possible = names_in(value) if value is not None else NONE
        stack: list[ast.expr] = [target]
        plain: list[str] = []
        while stack:
            one = stack.pop()
            if isinstance(one, (ast.Tuple, ast.List)):
                stack += one.elts
            elif isinstance(one, ast.Starred):
                stack.append(one.value)
            elif isinstance(one, ast.Name):
                plain.append(one.id)
                self.bind(one.id)
                self.alias(one.id, sure, tuple(shares.by_call), possible)
            elif isinstance(one, (ast.Attribute, ast.Subscript)):
                self.inside(one)
                held = root(one)
                self.alias(held, sure | {held}, tuple(shares.by_call), possible | {held})
        self.special(plain, value, from_loop=from_loop)

    def inside(self, target: ast.Attribute | ast.Subscript) -> None:
        """`x.a = …`, `x[k] = …`, `del x[k]`: a change of x."""
        self.visit(target.value)
        if isinstance(target, ast.Subscript):
            self.key(target.slice)
        self.change(root(target))
        self.settings.add(path(target).removesuffix("()"))

    def alias(
        self, name: str, sure: frozenset[str], by_call: tuple[tuple[str, frozenset[str]], ...], possible: frozenset[str]
    ) -> None:
        if sure or by_call or possible or name:
            self.aliases.append(Alias(name, sure, by_call, possible))

    def special(self, names: list[str], value: ast.expr | None, *, from_loop: bool) -> None:
        if isinstance(value, ast.GeneratorExp):
            self.iterators.update(names)
        elif isinstance(value, ast.Call) and not from_loop:
            called = value.func.attr if isinstance(value.func, ast.Attribute) else root(value.func)
            if called in ITERATING:
                self.iterators.update(names)
            if called in DRAWING:
                self.axes.update(names)
                for name in names:  # a figure and its axes are one drawing
                    self.aliases.append(Alias(name, frozenset(names)))

    def assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            for one, value in _pairs(target, node.value):
                self.store(one, value)
            if isinstance(node.value, ast.Lambda) and isinstance(target, ast.Name):
                self.functions.append(self.body_of(target.id, node.value))
        if len(node.targets) > 1:  # a = b = []
            same = frozenset(one.id for one in node.targets if isinstance(one, ast.Name))
            self.aliases += [Alias(name, same) for name in same]

    def annotated(self, node: ast.AnnAssign) -> None:
        self.visit(node.annotation)
        if node.value is not None:
            self.visit(node.value)
            self.store(node.target, node.value)

    def walrus(self, node: ast.NamedExpr) -> None:
        self.acts = True
        self.visit(node.value)
        self.store(node.target, node.value)

    def wait(self, node: ast.Await) -> None:
        self.acts = self.waits = True
        self.visit(node.value)

    def yield_(self, node: ast.Yield | ast.YieldFrom) -> None:
        self.acts = True
        self.children(node)

    def nonlocal_(self, node: ast.Nonlocal) -> None:
        self.says_nonlocal = True

    def augmented(self, node: ast.AugAssign) -> None:
        self.visit(node.value)
        held = root(node.target)
        if isinstance(node.target, ast.Name):
            self.read(held)
            self.change(held)
            self.bind(held)
        else:
            self.inside(node.target)

    def delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            if isinstance(target, (ast.Attribute, ast.Subscript)):
                self.inside(target)
            else:
                self.visit(target)

    # ── blocks

    def loop(self, node: ast.For | ast.AsyncFor) -> None:
        self.waits = self.waits or isinstance(node, ast.AsyncFor)
        self.visit(node.iter)
        before = set(self.here)
        self.depth += 1
        self.store(node.target, node.iter, from_loop=True)
        self.each([*node.body, *node.orelse])
        self.depth -= 1
        self.here = before

    def with_(self, node: ast.With | ast.AsyncWith) -> None:
        self.waits = self.waits or isinstance(node, ast.AsyncWith)
        for item in node.items:
            self.visit(item.context_expr)
            if isinstance(item.context_expr, (ast.Name, ast.Attribute)):
                self.change(root(item.context_expr))  # entering may change it
            if item.optional_vars is not None:
                self.store(item.optional_vars, item.context_expr)
        self.each(node.body)

    def perhaps(self, node: ast.AST) -> None:
        before = set(self.here)
        self.depth += 1
        self.children(node)
        self.depth -= 1
        self.here = before

    def if_(self, node: ast.If) -> None:
        self.visit(node.test)
        self.branches([node.body, node.orelse])

    def try_(self, node: ast.Try) -> None:
        outside = set(self.here)
        self.here |= {one.name for one in node.handlers if one.name}  # gone when the handler is left
        self.each(one.type for one in node.handlers)
        self.branches([[*node.body, *node.orelse], *(one.body for one in node.handlers if not _leaves(one.body))])
        self.depth += 1
        for one in node.handlers:
            if _leaves(one.body):
                self.each(one.body)
        self.depth -= 1
        self.here = outside
        self.each(node.finalbody)

    def branches(self, bodies: list[list[ast.stmt]]) -> None:
        """What every branch binds is bound for sure; what only some bind, perhaps."""
        outside = set(self.here)
        self.depth += 1
        bound: list[set[str]] = []
        for body in bodies:
            before, self.weak = self.weak, set()
            self.each(body)
            bound.append(self.weak)
            self.weak = before
            self.here = set(outside)
        self.depth -= 1
        if not self.depth and not self.function:
            sure = set.intersection(*bound) - self.changes
            self.binds |= sure - self.local
            self.weak |= set.union(*bound) - sure
        else:
            self.weak |= set.union(*bound)

    def match_rest(self, node: ast.MatchMapping) -> None:
        if node.rest:
            self.bind(node.rest)
        self.children(node)

    def match_as(self, node: ast.MatchAs | ast.MatchStar) -> None:
        if node.name:
            self.bind(node.name)
        self.children(node)

    # ── imports

    def import_(self, node: ast.Import) -> None:
        for alias in node.names:
            name = alias.asname or alias.name.split(".")[0]
            self.bind(name)
            self.imports.append(Import(name, alias.name))

    def import_from(self, node: ast.ImportFrom) -> None:
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            if alias.name == "*":
                self.star = module
            else:
                self.bind(alias.asname or alias.name)
                self.imports.append(Import(alias.asname or alias.name, module, alias.name))

    # ── functions and classes

    def body_of(self, name: str, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> Function:
        spec = node.args
        parameters = [one.arg for one in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)]
        rest = {one.arg for one in (spec.vararg, spec.kwarg) if one is not None}
        body: list[ast.AST] = [*node.body] if isinstance(node.body, list) else [node.body]
        names, declared = bound_in(body)
        inner = _Reader(
            (self.local if self.function else NONE) | names | rest | set(parameters) - declared, function=True
        )
        inner.each(body)
        self.opaque = self.opaque or inner.opaque
        self.says_nonlocal = self.says_nonlocal or inner.says_nonlocal
        for one in inner.functions:  # a function inside: what it does, the outer one does
            inner.calls += one.calls
            inner.changes |= one.changes
            inner.reads |= one.reads - inner.local
            inner.weak |= one.binds
        own = frozenset(names | rest | set(parameters))
        # It hands out a function that changes what it captured: each product of it remembers something.
        captured = any((one.changes - one.own) & own for one in inner.functions)
        mutable = any(isinstance(one, (ast.List, ast.Dict, ast.Set, ast.Call)) for one in spec.defaults)
        return Function(
            name,
            tuple(parameters),
            rest=spec.vararg.arg if spec.vararg else "",
            named=spec.kwarg.arg if spec.kwarg else "",
            reads=frozenset(inner.reads - inner.local),
            binds=frozenset(inner.weak - inner.local),
            changes=frozenset(inner.changes),
            calls=tuple(inner.calls),
            local=inner.local,
            aliases=tuple(inner.aliases),
            keeps_state=mutable or inner.says_nonlocal or captured,
            declares=bool(declared) or any(one.declares for one in inner.functions) or inner.declares,
            is_property=any(path(one).endswith("property") for one in getattr(node, "decorator_list", ())),
            words=frozenset(inner.words),
            decorators=tuple(path(one).removesuffix("()") for one in getattr(node, "decorator_list", ())),
            own=own,
        )

    def def_(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for decorator in node.decorator_list:
            self.visit(decorator)
            if not isinstance(decorator, ast.Call):
                self.calls.append(Call(path(decorator), args=(frozenset((node.name,)),)))
        self.each([*node.args.defaults, *node.args.kw_defaults])
        self.each(one.annotation for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs))
        self.each([node.returns])
        function = self.body_of(node.name, node)
        self.bind(node.name)
        self.functions.append(function)
        self.weigh(function)

    def lambda_(self, node: ast.Lambda) -> None:
        self.each([*node.args.defaults, *node.args.kw_defaults])
        function = self.body_of("<lambda>", node)
        for name in function.reads:
            self.read(name)
            self.escapes.add(name)
        self.words |= function.words
        self.calls += [one for one in function.calls if one.owner not in function.local]
        for name in function.changes - function.local:
            self.change(name)

    def weigh(self, function: Function) -> None:
        """A function inside a function or class: its needs are the outer one's."""
        self.words |= function.words
        if self.function:
            for name in function.reads:
                self.read(name)

    def class_(self, node: ast.ClassDef) -> None:
        self.each([*node.bases, *node.decorator_list, *(one.value for one in node.keywords)])
        inherited = [Call(root(base)) for base in node.bases if root(base)]
        inside = _Reader(self.local | bound_in(node.body)[0] - {node.name})
        reads: set[str] = set()
        changes: set[str] = set()
        calls: list[Call] = []
        binds: set[str] = set()
        parameters: tuple[str, ...] = ()
        for one in node.body:
            if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)):
                inside.each([*one.decorator_list, *one.args.defaults, *one.args.kw_defaults])
                method = inside.body_of(one.name, one)
                self.functions.append(_as_method(method))
                reads |= method.reads
                self.words |= method.words
                if one.name in ("__init__", "__post_init__", "__new__"):
                    changes |= method.changes
                    binds |= method.binds
                    calls += method.calls
                    parameters = method.parameters
            else:
                inside.visit(one)
        for name in inside.reads:
            self.read(name)
        self.calls += [one for one in inside.calls if one.owner not in inside.local]
        self.bind(node.name)
        own = frozenset((*parameters, "self"))
        self.functions.append(
            Function(
                node.name,
                parameters,
                is_class=True,
                reads=frozenset(reads | {call.path for call in inherited}) - {node.name},
                binds=frozenset(binds),
                changes=frozenset(changes) - {"self"},
                calls=(*calls, *inherited),
                local=own,
            )
        )
        if self.function:
            for name in reads:
                self.read(name)

    def comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        before = self.local
        for one in node.generators:
            self.waits = self.waits or bool(one.is_async)
            self.visit(one.iter)
            names = {x.id for x in ast.walk(one.target) if isinstance(x, ast.Name) and isinstance(x.ctx, ast.Store)}
            self.local = self.local | names
            self.each(one.ifs)
        self.each([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt])
        self.local = before

    # ── expressions

    def attribute(self, node: ast.Attribute) -> None:
        self.attributes.add((root(node.value), node.attr))
        self.visit(node.value)

    def subscript(self, node: ast.Subscript) -> None:
        self.visit(node.value)
        self.key(node.slice)

    def key(self, node: ast.expr) -> None:
        if isinstance(node, ast.Name):
            self.read(node.id)
            self.keys.add(node.id)
        else:
            self.visit(node)

    def expression(self, node: ast.Expr) -> None:
        value = node.value
        if isinstance(value, ast.Await):
            self.acts = self.waits = True
            value = value.value
        if isinstance(value, ast.Call):
            self.call(value, discarded=True)
        else:
            self.visit(value)

    def call(self, node: ast.Call, *, discarded: bool = False) -> None:
        if isinstance(node.func, ast.Name):
            self.read(node.func.id)
            self.called.add(node.func.id)
        else:
            self.visit(node.func)
        self.each([*node.args, *(one.value for one in node.keywords)])
        name = node.func.attr if isinstance(node.func, ast.Attribute) else root(node.func)
        self.acts = True
        formula = any(one.arg == "formula" for one in node.keywords)
        texts: list[str] = []
        if name in CODE_TEXT or WRITES_FILES.match(name) or READS_FILES.match(name) or formula:
            texts = [
                one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)
            ]
        if name in CODE_TEXT or formula:
            self.words.update(word for text in texts for word in WORD.findall(text))
        if isinstance(node.func, ast.Name) and name in OPAQUE:
            self.opaque = True
        self.calls.append(
            Call(
                path(node.func),
                receivers(node.func),
                tuple(Shares().of(one) for one in node.args),
                tuple((one.arg or "**", Shares().of(one.value)) for one in node.keywords),
                tuple(texts),
                discarded,
                any(one.arg == "inplace" and getattr(one.value, "value", True) is True for one in node.keywords),
            )
        )


METHODS: dict[type[ast.AST], Callable[..., None]] = {
    ast.Assign: _Reader.assign,
    ast.AnnAssign: _Reader.annotated,
    ast.NamedExpr: _Reader.walrus,
    ast.AugAssign: _Reader.augmented,
    ast.Delete: _Reader.delete,
    ast.For: _Reader.loop,
    ast.AsyncFor: _Reader.loop,
    ast.With: _Reader.with_,
    ast.AsyncWith: _Reader.with_,
    ast.While: _Reader.perhaps,
    ast.Match: _Reader.perhaps,
    ast.match_case: _Reader.perhaps,
    ast.If: _Reader.if_,
    ast.Try: _Reader.try_,
    ast.TryStar: _Reader.try_,
    ast.MatchAs: _Reader.match_as,
    ast.MatchStar: _Reader.match_as,
    ast.MatchMapping: _Reader.match_rest,
    ast.Import: _Reader.import_,
    ast.ImportFrom: _Reader.import_from,
    ast.FunctionDef: _Reader.def_,
    ast.AsyncFunctionDef: _Reader.def_,
    ast.ClassDef: _Reader.class_,
    ast.Lambda: _Reader.lambda_,
    ast.ListComp: _Reader.comprehension,
    ast.SetComp: _Reader.comprehension,
    ast.DictComp: _Reader.comprehension,
    ast.GeneratorExp: _Reader.comprehension,
    ast.Attribute: _Reader.attribute,
    ast.Subscript: _Reader.subscript,
    ast.Expr: _Reader.expression,
    ast.Await: _Reader.wait,
    ast.Nonlocal: _Reader.nonlocal_,
    ast.Yield: _Reader.yield_,
    ast.YieldFrom: _Reader.yield_,
    ast.Call: _Reader.call,
}


def _pairs(target: ast.expr, value: ast.expr) -> list[tuple[ast.expr, ast.expr]]:
    """`a, b = x, y` as a = x and b = y; anything else as it is."""
    if isinstance(target, (ast.Tuple, ast.List)) and isinstance(value, (ast.Tuple, ast.List)):
        starred = any(isinstance(one, ast.Starred) for one in (*target.elts, *value.elts))
        if len(target.elts) == len(value.elts) and not starred:
            return list(zip(target.elts, value.elts, strict=True))
    return [(target, value)]


def _as_method(function: Function) -> Function:
    return msgspec.structs.replace(function, method=True)


def _leaves(body: list[ast.stmt]) -> bool:
    return bool(body) and isinstance(body[-1], (ast.Raise, ast.Return, ast.Continue, ast.Break))


KINDS = {
    ast.Import: "import",
    ast.ImportFrom: "import",
    ast.FunctionDef: "def",
    ast.AsyncFunctionDef: "def",
    ast.ClassDef: "class",
}


def statement_effects(node: ast.stmt, *, ends: bool = False) -> Statement:
    """What one top-level statement does."""
    reader = _Reader()
    reader.visit(node)
    if reader.opaque:
        texts = (one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str))
        reader.words.update(word for text in texts for word in WORD.findall(text))
    kind = KINDS.get(type(node), "other")
    if isinstance(node, ast.Expr) and not reader.acts:
        kind = "shown"
    return Statement(
        first=first_line(node),
        last=node.end_lineno or node.lineno,
        kind=kind,
        reads=frozenset(reader.reads),
        escapes=frozenset(reader.escapes & reader.reads),
        binds=frozenset(reader.binds),
        weak=frozenset(reader.weak - reader.binds),
        deletes=frozenset(reader.deletes),
        changes=frozenset(reader.changes),
        calls=tuple(reader.calls),
        aliases=tuple(reader.aliases),
        functions=tuple(reader.functions),
        imports=tuple(reader.imports),
        iterators=frozenset(reader.iterators),
        axes=frozenset(reader.axes),
        attributes=frozenset(reader.attributes),
        settings=frozenset(reader.settings),
        words=frozenset(reader.words),
        keys=frozenset(reader.keys - reader.plainly),
        star=reader.star,
        opaque=reader.opaque,
        waits=reader.waits,
        ends=ends,
    )


def first_line(node: ast.stmt) -> int:
    """The statement's first line, its decorators included."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(one.lineno for one in decorators)])


def _broken(split: Split) -> Analysis:
    try:
        ast.parse(split.python)
    except SyntaxError as error:
        return Analysis(split, error=str(error.msg), error_line=error.lineno or 1)
    except (ValueError, RecursionError, MemoryError) as error:
        return Analysis(split, error=str(error) or type(error).__name__, error_line=1)
    return Analysis(split, error="it cannot be read", error_line=1)


@remembered(4096)
def analyse(source: str) -> Analysis:
    """All statements of a cell and what each does; remembered by the cell's text."""
    split = split_magics(source)
    tree = parsed(split.python)
    if tree is None:
        return _broken(split)
    last = len(tree.body) - 1
    try:
        found = tuple(statement_effects(node, ends=at == last) for at, node in enumerate(tree.body))
    except RecursionError:
        return Analysis(split, error="it is nested too deeply", error_line=1)
    return Analysis(split, found)


def remember_part(whole: Analysis, part: str, kept: Sequence[int]) -> None:
    """Remember what parsing and analysing `part` would give: the statements `kept` of `whole`, on the same lines.

    A plan of 300 cells keeps parts of 150 of them: reading those again took a third of it.
    """
    tree = parsed(whole.split.python)
    if tree is None or part in analyse:
        return
    parsed.tell(part, ast.Module([tree.body[at] for at in kept], []))
    last = kept[-1]
    found = tuple(msgspec.structs.replace(whole.statements[at], ends=at == last) for at in kept)
    analyse.tell(part, Analysis(Split(part), found))
