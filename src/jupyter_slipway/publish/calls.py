"""What a call does, once it is known what the names of all cells stand for.

Used by `slice` and `parameters`: `effects` leaves calls open, `Names` settles them. Small tables of what is certain;
what they do not know stays possible, and the kernel's observations decide.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterable, Sequence

from jupyter_slipway.publish.effects import READS_FILES, WRITES_FILES
from jupyter_slipway.publish.facts import Alias, Call, Function, Statement
from jupyter_slipway.publish.plain import words

BUILTINS = frozenset(dir(builtins)) | {"display", "__name__", "__file__", "__doc__", "__builtins__"}
CHANGING = words(
    """append extend insert remove pop popitem clear update setdefault add discard sort reverse appendleft popleft
    rotate extendleft fit fit_transform fit_predict partial_fit train compile execute executemany executescript
    commit fetchone fetchall fetchmany read readline readlines write writelines writerow writerows seek close
    send put put_nowait get_nowait set_params shuffle normal uniform integers random choice standard_normal
    permutation start add_edge add_node add_edges_from move_to_end fill subtract intersection_update
    difference_update resize setflags itemset load_state_dict step zero_grad backward set_index_ join_
    subplots_adjust tight_layout legend add_subplot"""
)
PURE = words(
    """head tail describe info sample plot hist boxplot value_counts mean sum std var min max median count nunique
    unique groupby agg aggregate apply map applymap pivot_table pivot corr cov dropna fillna isnull isna notnull
    notna astype copy to_numpy to_frame tolist to_list to_dict sort_values sort_index reset_index set_index
    rename drop drop_duplicates merge join query reshape transpose dot items keys values get index split strip
    lstrip rstrip replace lower upper title startswith endswith format predict predict_proba score transform
    to_csv to_json to_html to_string to_parquet to_excel to_markdown to_latex compute show savefig summary bar
    barh scatter line stack unstack most_common rvs pdf cdf exists read_text melt explode assign filter where
    mask clip round diff shift cumsum cumprod pct_change rank quantile nlargest nsmallest idxmax idxmin between
    isin any all abs first last size shape dtypes interpolate crosstab cut qcut display print render decode
    encode isoformat strftime total_seconds is_file is_dir glob iterdir equals duplicated memory_usage"""
)
FIRST_ARGUMENT = words(
    """shuffle heappush heappop heapify heapreplace heappushpop setattr delattr next fill_diagonal copyto put
    putmask place insort insort_left insort_right"""
)
CHANGING_BUILTINS = frozenset({"next", "setattr", "delattr"})
DRAWS = words(
    """rand randn randint random random_sample sample normal uniform choice choices permutation shuffle poisson
    binomial exponential beta gamma multivariate_normal standard_normal gauss rvs lognormal multinomial
    dirichlet integers train_test_split make_blobs make_classification make_regression make_moons triangular
    betavariate"""
)
MAY_DRAW = words(
    """fit fit_transform fit_predict cross_val_score cross_validate cross_val_predict permutation_importance"""
)
RANDOM_PACKAGES = frozenset({"random", "numpy", "scipy", "sklearn", "statsmodels", "pandas"})
SETTER = re.compile(
    r"(set($|_|[A-Z])|use$|register|rc$|config|enable|disable|filterwarnings|simplefilter|basicConfig|option|chdir|style|seterr|"
    r"add_|switch_|theme|setLevel|setrecursionlimit|setlocale|setcontext|manual_seed|seed|pandas$)"
)
DRAWING_PACKAGES = frozenset({"matplotlib", "seaborn", "time", "plotly", "altair", "bokeh"})


class Effect:
    """What a statement or function does, once it is known what its calls stand for."""

    __slots__ = ("binds", "certain", "config", "likely", "possible", "reads", "seeds", "writes")

    def __init__(self) -> None:
        self.binds: set[str] = set()
        self.certain: set[str] = set()
        self.likely: set[str] = set()
        self.possible: set[str] = set()
        self.config: set[str] = set()
        self.seeds: set[str] = set()
        self.reads: set[str] = set()
        """Streams and files, as '@random' and '@file:x.csv'."""
        self.writes: set[str] = set()

    def size(self) -> int:
        return sum(len(getattr(self, name)) for name in self.__slots__)


class Names:
    """What the names of the whole log stand for."""

    def __init__(self, statements: Iterable[Statement]) -> None:
        self.modules: dict[str, str] = {}
        """Name -> top package."""
        self.functions: dict[str, list[Function]] = {}
        self.methods: dict[str, list[Function]] = {}
        self.bound: set[str] = set()
        self.iterators: set[str] = set()
        self.axes: set[str] = set()
        self._late: dict[str, frozenset[str]] = {}
        self.properties: set[str] = set()
        self.members: set[str] = set()
        """Imported from a module: perhaps an object, which can be changed."""
        imported: dict[str, str] = {}
        otherwise: set[str] = set()
        statements = list(statements)
        for one in statements:
            self.bound |= one.binds
            self.bound |= one.weak
            self.iterators |= one.iterators
            self.axes |= one.axes
            for function in one.functions:
                (self.methods if function.method else self.functions).setdefault(function.name, []).append(function)
                if function.is_property:
                    self.properties.add(function.name)
            names = {each.name for each in one.imports}
            self.members |= {each.name for each in one.imports if each.member}
            for each in one.imports:
                if not each.member or each.name[:1].islower():
                    imported[each.name] = each.module.lstrip(".").split(".")[0]
            otherwise |= (one.binds | one.weak) - names
        self.modules = {name: package for name, package in imported.items() if name not in otherwise}
        self.summaries: dict[int, Effect] = {}
        self.holders = self._holders(statements)
        """Name -> functions of the user that its object may call: kept in a list, handed to a thread."""
        self._settle()
        for one in statements:
            for alias in one.aliases:
                if any(name in self.stateful for name, _ in alias.by_call):
                    self.iterators.add(alias.name)

    def _holders(self, statements: Sequence[Statement]) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        if not self.functions:
            return found
        for _ in range(2):
            for alias in (one for statement in statements for one in statement.aliases):
                names = alias.sure.union(*(given | {name} for name, given in alias.by_call))
                held = {one for one in names if one in self.functions and not self.functions[one][0].is_class}
                held = held.union(*(found[one] for one in names if one in found)) - {alias.name}
                if held and alias.name not in self.functions:
                    found.setdefault(alias.name, set()).update(held)
        return found

    def _settle(self) -> None:
        """Functions that call functions: again until nothing is new."""
        everything = [one for many in (*self.functions.values(), *self.methods.values()) for one in many]
        self.stateful = {name for name, many in self.functions.items() if any(one.keeps_state for one in many)}
        self.stateful |= {
            name
            for name, many in self.functions.items()
            if any(wrapper in self.stateful for one in many for wrapper in one.decorators)
        }
        size = -1
        for _ in range(5):
            for one in everything:
                self.summaries[id(one)] = self._summary(one)
            now = sum(one.size() for one in self.summaries.values())
            if now == size:
                break
            size = now

    def _summary(self, function: Function) -> Effect:
        effect = self.effect(function.calls)
        effect.certain |= function.changes
        effect.binds |= function.binds
        for alias in reversed(function.aliases):
            sure = self.shared(alias)
            if alias.name in effect.certain:
                effect.likely |= sure
            if alias.name in effect.likely:
                effect.likely |= sure
            if alias.name in effect.possible:
                effect.possible |= sure
        hidden = function.local - {*function.parameters, function.rest, function.named}
        for names in (effect.certain, effect.likely, effect.possible):
            names -= hidden
        return effect

    def shared(self, alias: Alias) -> frozenset[str]:
        """The names that surely share their object with the alias."""
        if not alias.by_call:
            return alias.sure
        return alias.sure.union(
            *(names for name, names in alias.by_call if name in self.functions or name in self.methods)
        )

    def is_class(self, name: str) -> bool:
        return any(one.is_class for one in self.functions.get(name, ()))

    def late(self, name: str) -> frozenset[str]:
        """What calling the function `name` reads, by itself and by what it calls."""
        if name not in self.functions:
            return frozenset()
        if name not in self._late:
            found: set[str] = set()
            todo = [name]
            while todo:
                for function in self.functions.get(todo.pop(), ()):
                    new = (function.reads | (function.words & self.bound)) - found
                    found |= new
                    todo += new
            self._late[name] = frozenset(found)
        return self._late[name]

    def _changes_what_it_gets(self, name: str) -> bool:
        return any(
            self.summaries[id(one)].certain & set(one.parameters)
            for one in self.functions[name]
            if not one.is_class and id(one) in self.summaries
        )

    def held(self, name: str) -> frozenset[str]:
        """What the functions read that the object of `name` may call."""
        return frozenset().union(*(self.late(one) for one in self.holders.get(name, ())))

    def effect(self, calls: Iterable[Call], *, ends: bool = False) -> Effect:
        effect = Effect()
        for call in calls:
            self._call(call, effect, ends)
        return effect

    def look(self, attributes: Iterable[tuple[str, str]], effect: Effect) -> None:
        """Reading an attribute runs code where it is a property."""
        if self.properties:
            for owner, name in attributes:
                if name in self.properties:
                    self._user(self.methods[name], (frozenset((owner,)),), (), effect, skip=0)

    def _call(self, call: Call, effect: Effect, ends: bool) -> None:
        name, owner = call.name.removesuffix("()"), call.owner
        package = self.modules.get(owner) if owner else None
        for each in (*call.args, *(names for _, names in call.keywords)):
            for one in each:
                if one in self.functions:  # handed over to be called
                    self._user(self.functions[one], (), (), effect, skip=0)
                    if self._changes_what_it_gets(one):  # df.pipe(f): it gets what the call has
                        effect.likely |= {owner, *call.receivers}.union(*call.args) - {"", *self.functions}
        for keyword, names in call.keywords:
            if keyword in ("out", "file"):
                effect.certain |= names
        for one in self.holders.get(call.path.split(".")[0].removesuffix("()"), ()):
            self._user(self.functions[one], (), (), effect, skip=0)
        self._files(call, name, owner, package, effect)
        self._random(call, name, owner, package, effect)
        if not owner:
            self._plain(call, name, effect, ends)
        elif package is not None:
            self._of_module(call, name, owner, package, effect, ends)
        else:
            self._method(call, name, owner, effect, ends)

    def _plain(self, call: Call, name: str, effect: Effect, ends: bool) -> None:
        if name in self.functions:
            skip = 1 if self.functions[name][0].is_class else 0
            self._user(self.functions[name], call.args, call.keywords, effect, skip=skip)
            for wrapper in {one for function in self.functions[name] for one in function.decorators}:
                self._user(self.functions.get(wrapper, ()), (), (), effect, skip=0)
            if name in self.stateful:
                effect.certain.add(name)
        elif name in BUILTINS and name not in self.bound:
            if name in CHANGING_BUILTINS and call.args:
                effect.certain |= call.args[0]
        else:
            self._unknown(call, name, effect, likely=call.discarded and not ends)

    def _of_module(self, call: Call, name: str, owner: str, package: str, effect: Effect, ends: bool) -> None:
        nested = call.path.count(".") > 1
        if name == "seed" and package in ("random", "numpy"):
            return
        setter = SETTER.match(name) and name not in PURE
        if setter or ".style" in call.path or (nested and name in CHANGING and "random" not in call.path):
            effect.config.add(package)
        is_object = owner in self.members and not nested and package not in DRAWING_PACKAGES and name not in DRAWS
        if call.inplace or (is_object and name in CHANGING):
            effect.certain.add(owner)
        likely = call.discarded and not ends and package not in DRAWING_PACKAGES
        self._unknown(call, name, effect, likely=likely)

    def _unknown(self, call: Call, name: str, effect: Effect, *, likely: bool) -> None:
        """A function that is not the user's: it may change what it is given."""
        if name in FIRST_ARGUMENT and call.args:
            effect.certain |= call.args[0]
        given = frozenset().union(*call.args, *(names for _, names in call.keywords))
        if name not in PURE:
            (effect.likely if likely else effect.possible).update(given)

    def _method(self, call: Call, name: str, owner: str, effect: Effect, ends: bool) -> None:
        given = frozenset().union(*call.args, *(names for _, names in call.keywords))
        if call.inplace:
            effect.certain.add(owner)
        if name in self.methods:
            receiver = (frozenset((owner,)), *call.args)
            self._user(self.methods[name], receiver, call.keywords, effect, skip=0)
            return
        chained = "()" in call.path
        if owner in BUILTINS and owner not in self.bound and name in CHANGING and call.args:
            effect.certain |= call.args[0]  # list.sort(x)
        if call.receivers and (name in CHANGING or call.inplace):
            effect.likely |= call.receivers
        if owner in self.axes and call.discarded:
            effect.certain.add(owner)
        elif name in CHANGING or (SETTER.match(name) and name not in PURE):
            (effect.possible if chained and not call.discarded else effect.certain).add(owner)
        elif name not in PURE:
            (effect.likely if call.discarded and not ends else effect.possible).add(owner)
        if name not in PURE and name not in CHANGING:
            effect.possible |= given

    def _user(
        self,
        functions: Iterable[Function],
        args: tuple[frozenset[str], ...],
        keywords: tuple[tuple[str, frozenset[str]], ...],
        effect: Effect,
        *,
        skip: int,
    ) -> None:
        """A function of the notebook: its summary, its parameters replaced by what is given."""
        for function in functions:
            summary = self.summaries.get(id(function))
            if summary is None:
                continue
            effect.binds |= summary.binds
            effect.config |= summary.config
            effect.seeds |= summary.seeds
            effect.reads |= summary.reads
            effect.writes |= summary.writes
            given = _arguments(function, args, keywords, skip)
            for ours, theirs in (
                (effect.certain, summary.certain),
                (effect.likely, summary.likely),
                (effect.possible, summary.possible),
            ):
                for name in theirs:
                    if name in function.local:
                        ours.update(given.get(name, ()))
                    else:
                        ours.add(name)

    def _files(self, call: Call, name: str, owner: str, package: str | None, effect: Effect) -> None:
        writes = bool(WRITES_FILES.match(name)) or (name == "open" and _opened_to_write(call))
        if not writes and not READS_FILES.match(name):
            return
        tokens = {f"@file:{text.rsplit('/', 1)[-1]}" for text in call.texts if text.strip("/")}
        names = set().union(*call.args, *(each for _, each in call.keywords))
        if package is None and owner:
            names.add(owner)
        tokens |= {f"@file:<{one}>" for one in names if one not in self.modules and one not in BUILTINS}
        effect.reads |= tokens | {"@file:*"}
        if writes:
            effect.writes |= tokens | {"@file:*"}

    def _random(self, call: Call, name: str, owner: str, package: str | None, effect: Effect) -> None:
        of = package if owner else self.modules.get(name)
        if name == "seed" and of in ("random", "numpy"):
            effect.seeds.add("@random" if of == "random" else "@numpy.random")
            return
        if any(keyword in ("random_state", "seed") for keyword, _ in call.keywords):
            return
        if name in DRAWS and (of in RANDOM_PACKAGES or (of is None and name in ("sample", "rvs"))):
            stream = "@random" if of == "random" else "@numpy.random"
            effect.reads.add(stream)
            effect.writes.add(stream)
        elif name in MAY_DRAW or (of == "sklearn" and name[:1].isupper()):
            effect.reads.add("@numpy.random")


def _arguments(
    function: Function,
    args: tuple[frozenset[str], ...],
    keywords: tuple[tuple[str, frozenset[str]], ...],
    skip: int,
) -> dict[str, frozenset[str]]:
    """What each parameter gets."""
    names = function.parameters[skip:]
    given = {**dict(zip(names, args, strict=False)), **dict(keywords)}
    further = [*args[len(names) :], *(value for name, value in keywords if name not in names)]
    for one in (function.rest, function.named):
        if one and further:
            given[one] = frozenset().union(*further)
    return given


def _opened_to_write(call: Call) -> bool:
    return any(re.fullmatch(r"[rwaxbt+]{1,3}", text) and set("wax+") & set(text) for text in call.texts)
