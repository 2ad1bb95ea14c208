"""What is known of a statement from its text alone: values that `effects` makes, and `calls` and `slice` join.

Facts that hang on other cells (is `pd` a module? does `f` change its argument?) are left open here as `Call`s.
"""

from __future__ import annotations

from msgspec import Struct

from jupyter_slipway.publish.plain import Split


class Call(Struct, frozen=True, gc=False):
    """A call whose effect depends on what its name stands for."""

    path: str
    """As written: 'np.random.seed', 'f'; a call or subscript in between is written '()'."""
    receivers: frozenset[str] = frozenset()
    """For a method, the names whose objects it may be called on, beside the first one of the path."""
    args: tuple[frozenset[str], ...] = ()
    """For each positional argument, the names whose objects it may be."""
    keywords: tuple[tuple[str, frozenset[str]], ...] = ()
    texts: tuple[str, ...] = ()
    """String literals among the arguments."""
    discarded: bool = False
    """Its value is thrown away, so it was called for what it does."""
    inplace: bool = False
    """Called with `inplace=True`."""

    @property
    def owner(self) -> str:
        """The name before the first dot; empty for a plain function."""
        head, dot, _ = self.path.partition(".")
        return head.removesuffix("()") if dot else ""

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]


class Alias(Struct, frozen=True, gc=False):
    """A name that from now on may share its object with others."""

    name: str
    sure: frozenset[str] = frozenset()
    by_call: tuple[tuple[str, frozenset[str]], ...] = ()
    """(function or method, names): shared if that function is the user's own."""
    possible: frozenset[str] = frozenset()


class Function(Struct, frozen=True, gc=False):
    """A function or class that a statement defines, and what calling it does. Names are global ones or parameters."""

    name: str
    parameters: tuple[str, ...] = ()
    rest: str = ""
    """The parameter that takes all further positional arguments."""
    named: str = ""
    """The parameter that takes all further keyword arguments."""
    is_class: bool = False
    method: bool = False
    reads: frozenset[str] = frozenset()
    binds: frozenset[str] = frozenset()
    changes: frozenset[str] = frozenset()
    calls: tuple[Call, ...] = ()
    local: frozenset[str] = frozenset()
    aliases: tuple[Alias, ...] = ()
    keeps_state: bool = False
    """It remembers something between calls: nonlocal, or a mutable default."""
    is_property: bool = False
    declares: bool = False
    """It says `global`, in itself or in a function inside."""
    words: frozenset[str] = frozenset()
    decorators: tuple[str, ...] = ()
    """What wraps it, as written: its calls do what those do."""
    own: frozenset[str] = frozenset()
    """Names that are its own: its parameters and what it binds."""


class Import(Struct, frozen=True, gc=False):
    name: str
    module: str
    """Dotted, as written."""
    member: str = ""
    """The name imported from it; empty for `import module`."""


class Statement(Struct, frozen=True, gc=False):
    """What one top-level statement of a cell does. Lines count from 1 and are of the cell."""

    first: int
    last: int
    kind: str
    """'import', 'def', 'class', 'shown' (a bare expression without a call) or 'other'."""
    reads: frozenset[str] = frozenset()
    escapes: frozenset[str] = frozenset()
    """Names read other than by calling them: a function among them may be called much later."""
    binds: frozenset[str] = frozenset()
    weak: frozenset[str] = frozenset()
    """Names it binds only perhaps."""
    deletes: frozenset[str] = frozenset()
    changes: frozenset[str] = frozenset()
    """Names whose object it certainly changes."""
    calls: tuple[Call, ...] = ()
    aliases: tuple[Alias, ...] = ()
    functions: tuple[Function, ...] = ()
    imports: tuple[Import, ...] = ()
    iterators: frozenset[str] = frozenset()
    """Names it binds to something that reading uses up."""
    axes: frozenset[str] = frozenset()
    """Names it binds to figures or axes: drawing changes them."""
    attributes: frozenset[tuple[str, str]] = frozenset()
    """(name, attribute) of each `name.….attribute` it reads."""
    settings: frozenset[str] = frozenset()
    """Dotted paths it assigns below a name, such as 'plt.rcParams'."""
    words: frozenset[str] = frozenset()
    """Names inside text that is code: of eval, of DataFrame.query, of a formula."""
    keys: frozenset[str] = frozenset()
    """Names it reads only as a key, as in `table[COLUMN]`."""
    star: str = ""
    """The module of `from module import *`."""
    opaque: bool = False
    """It may bind names that cannot be seen: exec, globals()."""
    waits: bool = False
    """It awaits outside of any function."""
    ends: bool = False
    """It is the cell's last statement, so a bare expression is shown."""


class Analysis(Struct, frozen=True, gc=False):
    """All statements of one cell."""

    split: Split
    statements: tuple[Statement, ...] = ()
    error: str = ""
    """Why the cell is not Python; empty when it is."""
    error_line: int = 0
