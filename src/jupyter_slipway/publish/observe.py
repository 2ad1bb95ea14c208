"""Inside a kernel or a run: what each cell changed when it ran, and fingerprints of values.

Standard library only, and one file: `kernel` sends its text into a live kernel, where our package need not be
installed; a run process executes it by path; `%load_ext` imports it.

    install(shell) ──► one record per execution ──► history()
    values ──► report() ──► `proof` compares two of them

What it uses is bound when it is loaded, because a user may patch `json.dumps` or `time.perf_counter`. It imports
no library: numpy, pandas and others are looked up in `sys.modules`, and only when the user has imported them.
"""

from __future__ import annotations

import os
import random
import re
import sys
import types
import warnings
from contextlib import suppress
from copyreg import dispatch_table
from hashlib import blake2b
from json import dumps
from os import getcwd
from os.path import abspath, exists, isdir
from reprlib import Repr
from struct import pack
from time import perf_counter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

SHARE = 0.05
"""Of a cell's own time, spent on looking at what it changed."""
LEAST, MOST = 0.05, 0.2
"""Seconds per cell that are spent at least, when needed, and at most."""
REPORT_BUDGET = 5.0
"""Seconds for the fingerprints of one report."""
BYTES_PER_SECOND = 2e8
"""How fast content is hashed, at worst: what would take longer than is left is not begun."""
NODES = 300_000
"""Objects inside one value that are looked at."""
FILES = 1000
"""Files remembered per cell."""
SHORT = 200
"""Characters of a value's short text."""
SAMPLE, BLOCKS, FEW = 16, 8, 64
"""Of many floats, that many values and sums stand for all; FEW or fewer stand for themselves."""

STDLIB: frozenset[str] = getattr(sys, "stdlib_module_names", frozenset())
STDLIB_FOLDER = os.path.dirname(os.__file__) + os.sep
SPECIAL = re.compile(r"_+$|_i+$|_i?\d+$|_[ido]h$")
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
BLIND_PACKAGES = frozenset(
    [
        "matplotlib",
        "dask",
        "distributed",
        "pyspark",
        "sqlalchemy",
        "sqlite3",
        "psycopg",
        "socket",
        "threading",
        "multiprocessing",
        "asyncio",
        "concurrent",
        "subprocess",
        "ctypes",
        "tempfile",
        "ipywidgets",
        "IPython",
        "plotly",
        "altair",
        "bokeh",
        "seaborn",
    ]
)
"""Whose objects are plots, handles, connections or lazy: their content is not in them, or only for a comparison."""
DRAWN = ("get_title", "get_xlabel", "get_ylabel", "get_text", "get_xydata", "get_array", "get_xy")
COLLECTED = ("get_offsets", "get_array")
"""How matplotlib's artists, and collections of them, tell what they draw."""
PARTS_DRAWN = ("axes", "child_axes", "texts", "lines", "collections", "patches", "images")
"""What figures and axes draw, each in the order of the calls that drew it."""
BLIND_TYPES = (
    types.GeneratorType,
    types.CoroutineType,
    types.AsyncGeneratorType,
    types.FrameType,
    types.TracebackType,
    memoryview,
)


class Spent(Exception):
    """The time or the number of objects for one value is used up."""


# ── the content of a value ──────────────────────────────────────────────────────────────────────────────────


class Content:
    """One walk through a value. `exact`: every bit counts, to see a change. Else: floats apart, for a comparison.

    Args:
        deadline: of `perf_counter`; beyond it the value is blind
    """

    def __init__(self, deadline: float, exact: bool) -> None:
        self.hash = blake2b(digest_size=16)
        self.deadline = deadline
        self.exact = exact
        self.nodes = 0
        self.blind: list[str] = []
        self.inside: set[int] = set()
        self.floats = Floats()

    def put(self, *parts: object) -> None:
        self.hash.update("\x1f".join(map(str, parts)).encode("utf-8", "surrogatepass"))
        self.hash.update(b"\x1e")

    def unseen(self, what: str) -> None:
        self.put("blind", what)
        if what not in self.blind and len(self.blind) < 10:
            self.blind.append(what)

    def hurry(self, size: int) -> None:
        """Give up before looking at so many bytes when there is no time for them."""
        if perf_counter() + size / BYTES_PER_SECOND > self.deadline:
            raise Spent

    def buffer(self, data: Any, size: int) -> None:
        self.hurry(size)
        self.hash.update(data)
        self.hash.update(b"\x1e")

    def walk(self, value: Any) -> None:
        self.nodes += 1
        if self.nodes > NODES or (self.nodes % 64 == 0 and perf_counter() > self.deadline):
            raise Spent
        kind = type(value)
        if value is None or kind in (bool, int):
            self.put(kind.__name__, value)
        elif kind is float:
            self.float(value)
        elif kind is str:
            self.put("str", len(value), value)
        elif kind in (bytes, bytearray):
            self.put(kind.__name__, len(value))
            self.buffer(value, len(value))
        elif kind is complex:
            self.put("complex")
            self.float(value.real)
            self.float(value.imag)
        elif id(value) in self.inside:
            self.put("again")
        else:
            self.inside.add(id(value))
            try:
                self.walk_object(value)
            finally:
                self.inside.discard(id(value))

    def float(self, value: float) -> None:
        if self.exact:
            self.hash.update(pack("<d", value))
        elif value - value != 0:
            self.put("float", value)
        else:
            self.put("float")
            self.floats.one(value)

    def walk_object(self, value: Any) -> None:
        for matches, walk in KINDS:
            if matches(value):
                walk(self, value)
                return
        self.attributes(value)

    # Containers

    def sequence(self, value: Any) -> None:
        self.put(type_name(value), len(value))
        if len(value) > FEW:
            self.many(value)
        else:
            for item in value:
                self.walk(item)

    def many(self, items: Any, texts: bool = False) -> None:
        """Items of a long sequence; where all are plain, all at once. `texts`: they are known to be, or missing."""
        self.hurry(len(items) * 20)
        if self.exact and texts:
            self.put(hash(tuple(items)))
            return
        kinds = set(map(type, items))
        if self.exact and kinds <= PLAIN:
            self.put(hash(tuple(items)))
        elif kinds == {float} and all(item - item == 0 for item in items):
            self.put("floats")
            self.floats.listed(list(items))
        elif kinds == {int}:
            self.text("int", " ".join(map(str, items)))
        elif kinds == {str}:
            self.text("str", "\x1f".join(items))
        elif kinds <= TEXTUAL and all(item != item for item in items if type(item) is float):
            # None and NaN both stand for a missing text; which of them, a library may decide anew.
            self.text("str", "\x1f".join([item if type(item) is str else "\x00" for item in items]))
        else:
            for item in items:
                self.walk(item)

    def text(self, kind: str, text: str) -> None:
        self.put(kind)
        self.hash.update(text.encode("utf-8", "surrogatepass"))

    def mapping(self, value: Any) -> None:
        self.put(type_name(value), len(value))
        for key, item in dict.items(value):
            self.walk(key)
            self.walk(item)
        self.own_attributes(value)

    def set(self, value: Any) -> None:
        self.put(type_name(value), len(value))
        try:
            ordered = sorted(value)
        except Exception:  # elements of different kinds, or the user's own comparison
            ordered = sorted(value, key=lambda item: (type(item).__name__, shortly(item)))
        for item in ordered:
            self.walk(item)

    # Code

    def function(self, value: Any) -> None:
        if not self.exact:
            self.named(value, "a function")
            return
        code = getattr(value, "__code__", None)
        self.put("function", getattr(value, "__qualname__", ""))
        if code is None:
            return
        self.module_behind(value)
        self.code(code)
        self.walk(value.__defaults__)
        self.walk(value.__kwdefaults__)
        for cell in value.__closure__ or ():
            try:
                self.walk(cell.cell_contents)
            except ValueError:
                self.put("empty")
        for name, item in vars(value).items():
            if name != "__wrapped__":
                self.put(name)
                self.walk(item)

    def code(self, code: Any) -> None:
        self.put(code.co_name, code.co_names, code.co_varnames, code.co_freevars)
        self.hash.update(code.co_code)
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                self.code(constant)
            else:
                self.put(
                    type(constant).__name__, repr(constant) if not isinstance(constant, frozenset) else len(constant)
                )

    def klass(self, value: Any) -> None:
        self.put("class", value.__qualname__)
        if not self.exact:
            self.named(value, "a class")
            return
        self.module_behind(value)
        if value.__module__ == "__main__":
            for name, item in list(vars(value).items()):
                if not name.startswith("__") or callable(item):
                    self.put(name)
                    self.walk(item)

    def module(self, value: Any) -> None:
        """Of a module of the user's own, the values it holds: calling its functions may change them."""
        if not self.exact or module_of_library(value):
            self.nothing(value)
            return
        self.put("module", value.__name__)
        for name, item in list(vars(value).items()):
            if not name.startswith("__") and not callable(item) and not isinstance(item, types.ModuleType):
                self.put(name)
                self.walk(item)

    def module_behind(self, value: Any) -> None:
        """`from helper import tidy`: what `tidy` remembers in its module is seen through `tidy`."""
        home = value.__module__ or ""
        module = None if home in ("__main__", "__mp_main__") else sys.modules.get(home)
        if isinstance(module, types.ModuleType) and not module_of_library(module):
            self.walk(module)

    def named(self, value: Any, what: str) -> None:
        """A library's function or class is what its name says; the user's own may be defined anew elsewhere."""
        if from_library(value):
            self.put(value.__module__, getattr(value, "__qualname__", ""))
        else:
            self.unseen(what)

    # numpy and pandas

    def array(self, value: Any) -> None:
        self.put(type_name(value), value.dtype, value.shape)
        self.values(value)
        mask = getattr(value, "mask", None) if type(value).__name__ == "MaskedArray" else None
        if mask is not None:
            self.values(sys.modules["numpy"].asarray(mask))

    def scalar(self, value: Any) -> None:
        self.put(type_name(value), value.dtype)
        self.values(sys.modules["numpy"].asarray(value))

    def values(self, array: Any) -> None:
        """The elements of a numpy array, in order."""
        numpy = sys.modules["numpy"]
        array = numpy.asarray(array)
        kind = array.dtype.kind
        if kind == "O":
            self.put(array.size)
            self.many(array.ravel().tolist())
        elif array.dtype.fields:
            for name in array.dtype.names:
                self.put(name, array.dtype[name])
                self.values(array[name])
        else:
            # A checksum runs at memory's speed, more than ten times faster than what BYTES_PER_SECOND allows for.
            self.hurry(array.nbytes // (10 if self.exact or kind not in "fc" else 2))
            flat = numpy.ascontiguousarray(array).reshape(-1)
            if kind in "fc" and not self.exact:
                self.float_array(flat)
            else:
                self.hash.update(checksum(flat))

    def float_array(self, flat: Any) -> None:
        numpy = sys.modules["numpy"]
        if flat.dtype.kind == "c":
            flat = flat.view(flat.real.dtype)
        rough = 4 * float(numpy.finfo(flat.dtype).eps) if flat.dtype.itemsize < 8 else 0.0
        flat = flat.astype("float64", copy=False)
        finite = numpy.isfinite(flat)
        if not finite.all():
            strange = numpy.flatnonzero(~finite)
            self.hash.update(checksum(strange.astype("int64")))
            self.hash.update(checksum(numpy.sign(numpy.nan_to_num(flat[strange], nan=0.0))))
            flat = numpy.where(finite, flat, 0.0)
        self.floats.many(flat, rough)

    def frame(self, value: Any) -> None:
        self.put(type_name(value), value.shape)
        self.index(value.columns)
        self.index(value.index)
        for position in range(value.shape[1]):
            self.column(value.iloc[:, position].array)
        if value.attrs:
            self.walk(value.attrs)

    def series(self, value: Any) -> None:
        self.put(type_name(value), len(value))
        self.walk(value.name)
        self.index(value.index)
        self.column(value.array)

    def index(self, value: Any) -> None:
        self.put(type_name(value), len(value))
        if type(value).__name__ == "RangeIndex":
            self.put(value.start, value.stop, value.step)
        elif type(value).__name__ == "MultiIndex":
            for number, level in enumerate(value.levels):
                self.index(level)
                self.values(value.codes[number])
        else:
            self.column(value.array)
        self.walk(tuple(value.names))

    def column(self, array: Any) -> None:
        """The content of one pandas array, without turning it into Python objects where that can be helped."""
        self.put(array.dtype)
        if hasattr(array, "categories"):
            self.index(array.categories)
            self.values(array.codes)
        elif hasattr(array, "asi8"):
            self.values(array.asi8)
        elif hasattr(array, "_pa_array"):
            self.arrow(array._pa_array)
        elif hasattr(array, "_mask") and hasattr(array, "_data"):
            numpy = sys.modules["numpy"]
            mask = numpy.asarray(array._mask)
            self.values(mask)
            self.values(numpy.where(mask, numpy.zeros(1, array._data.dtype), array._data))
        elif str(array.dtype).startswith("str"):
            self.many(array.to_numpy(dtype=object).tolist(), texts=True)
        else:
            self.values(array.to_numpy())

    def arrow(self, chunks: Any) -> None:
        """The content of a pyarrow array, however it is chunked and wherever its buffers start."""
        self.hurry(chunks.nbytes if not self.exact else chunks.nbytes // 10)
        self.put(len(chunks), chunks.null_count)
        kind = str(chunks.type)
        if kind in ("float", "double", "halffloat") or not self.exact:
            self.values(chunks.to_numpy())
            return
        for chunk in getattr(chunks, "chunks", [chunks]):
            self.put(len(chunk), chunk.offset)
            for buffer in chunk.buffers():
                if buffer is not None:
                    self.hash.update(checksum(sys.modules["numpy"].frombuffer(buffer, "uint8")))

    # Everything else

    def estimator(self, value: Any, own: bool = False) -> None:
        """A scikit-learn estimator: its parameters, and what it learned.

        That is private in some: the neighbours in `_fit_X`, the boosted trees in `_predictors`. Private whole
        numbers are left out: `_stop_words_id` is an address, `_random_seed` is drawn anew each time,
        and is handed to an estimator that this one keeps for its `own` use.
        """
        if self.exact:
            self.attributes(value)
            return
        self.put(type_name(value))
        parameters = dict(sorted(value.get_params(deep=False).items()))
        self.walk({key: one for key, one in parameters.items() if not (own and key == "random_state")})
        for name, item in sorted(vars(value).items()):
            fleeting = name.endswith("_time_") or (name.startswith("_") and is_whole(item))
            if name not in parameters and not fleeting:
                if name == "cv_results_":  # of a search: how long each fit took is not what it learned
                    item = {key: one for key, one in item.items() if not key.endswith("_time")}
                self.put(name)
                if name.startswith("_") and is_estimator(item):
                    self.estimator(item, own=True)
                else:
                    self.walk(item)

    def drawing(self, value: Any) -> None:
        """A figure, its axes or a part of them: the numbers and words in it, not their colours or their place.

        Whether a cell changed one is not looked at: a look at a large plot takes long, and whoever shows it changes it.
        """
        if self.exact or is_laid_out_late(value):
            self.unseen(described(value))
            return
        self.put(type_name(value))
        collection = hasattr(value, "get_paths")
        for getter in COLLECTED if collection else DRAWN:
            if hasattr(value, getter):
                self.walk(getattr(value, getter)())
        if collection:  # what is filled, contours; of points their marker
            self.walk([path.vertices for path in value.get_paths()])
        if hasattr(value, "get_bbox"):
            self.walk(list(value.get_bbox().bounds))
        elif hasattr(value, "get_connectionstyle"):  # an arrow, whose path depends on the size of the picture
            self.unseen(described(value))
        elif hasattr(value, "get_patch_transform"):
            self.walk(value.get_path().vertices)
        for part in PARTS_DRAWN:
            held: Any = getattr(value, part, None)
            if hasattr(held, "__len__"):  # `axes` of a part is what it is in
                self.sequence(list(held))

    def bundle(self, value: Any) -> None:
        """Bars, or a line with its errors."""
        self.sequence(list(value))

    def nothing(self, value: Any) -> None:
        self.unseen(described(value))

    def attributes(self, value: Any) -> None:
        kind = type(value)
        root = (kind.__module__ or "").partition(".")[0]
        if not self.exact and is_random(value):
            self.unseen("a source of random numbers")
            return
        if root in BLIND_PACKAGES or hasattr(kind, "__next__") or hasattr(kind, "fileno"):
            self.unseen(described(value))
            return
        self.put(type_name(value))
        for base, plain in PARTS:
            if isinstance(value, base):
                self.walk(plain(value))
                break
        self.own_attributes(value)
        if any(in_c(base) for base in kind.__mro__):
            self.reduced(value)

    def own_attributes(self, value: Any) -> None:
        """The instance's `__dict__` and slots; of a library's, in a comparison, the public ones when it has any."""
        found = dict(getattr(value, "__dict__", None) or {})
        for name, member in slots_of(type(value)):
            with suppress(AttributeError):
                found[name] = member.__get__(value)
        public = {name: item for name, item in found.items() if not name.startswith("_")}
        if public and not self.exact and from_library(type(value)):
            # Their private ones are caches, which are filled or not by what was asked before.
            found = public
        for name, item in found.items():
            self.put(name)
            self.walk(item)

    def reduced(self, value: Any) -> None:
        """A type written in C tells its content as it does for pickling."""
        try:
            reduced: Any
            registered = dispatch_table.get(type(value))
            if isinstance(value, random.Random):
                reduced = value.getstate()
            else:
                reduced = registered(value) if registered else value.__reduce_ex__(4)
        except Exception:  # their code; most often 'cannot pickle'
            self.unseen(described(value))
            return
        if isinstance(value, random.Random) or not isinstance(reduced, tuple):
            self.walk(reduced)
            return
        for part in reduced[1:3]:
            self.walk(part)
        for items in reduced[3:5]:
            if items is not None:
                for item in items:
                    self.walk(item)


class Floats:
    """Floats apart from the rest, few as they are and many as a sample and sums, so that a tolerance can hold."""

    def __init__(self) -> None:
        self.exact = blake2b(digest_size=16)
        self.pending: list[float] = []
        self.chunks: list[dict[str, Any]] = []
        self.count = 0

    def one(self, value: float) -> None:
        self.count += 1
        self.exact.update(pack("<d", value))
        self.pending.append(value)

    def listed(self, values: list[float]) -> None:
        """A long list: the same with numpy and without."""
        self.flush()
        self.count += len(values)
        for value in values:
            self.exact.update(pack("<d", value))
        self.chunks.append({"n": len(values), "rough": 0.0, **summed(values)})

    def many(self, array: Any, rough: float) -> None:
        """
        Args:
            array: finite float64 values in one dimension
            rough: relative error that their own type makes
        """
        self.count += len(array)
        self.exact.update(checksum(array))
        if len(array) <= FEW and not rough:
            self.pending.extend(array.tolist())
            return
        self.flush()
        chunk = summed_quickly(array) if len(array) > FEW else {"values": array.tolist()}
        self.chunks.append({"n": len(array), "rough": rough, **chunk})

    def flush(self) -> None:
        values, self.pending = self.pending, []
        if values:
            chunk = summed(values) if len(values) > FEW else {"values": values}
            self.chunks.append({"n": len(values), "rough": 0.0, **chunk})

    def told(self) -> dict[str, Any]:
        self.flush()
        return {"count": self.count, "exact": self.exact.hexdigest(), "chunks": self.chunks}


WEIGHTS: list[Any] = []
"""Of each place in a row of 4096 numbers; made when first used."""


def checksum(flat: Any) -> bytes:
    """Eight bytes for each 32 KiB of a contiguous array, and its last bytes as they are.

    Each is a sum weighted by position, modulo 2**64, with odd weights: any change of one number changes it, and
    others go unseen once in 2**64. It reads 11 GB/s where blake2b reads 0.4 and SHA-1 1.1.
    """
    numpy = sys.modules["numpy"]
    raw = flat.view("uint8") if flat.size else numpy.empty(0, "uint8")
    whole = len(raw) // 32768 * 32768
    rest: bytes = raw[whole:].tobytes()
    if not whole:
        return rest
    if not WEIGHTS:
        mixed = numpy.arange(1, 4097, dtype="uint64") * numpy.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        WEIGHTS.append((mixed ^ (mixed >> numpy.uint64(27))) | numpy.uint64(1))
    rows = raw[:whole].view("uint64").reshape(-1, 4096)
    sums: bytes = numpy.einsum("ij,j->i", rows, WEIGHTS[0]).tobytes()
    return sums + rest


def positions(count: int) -> list[int]:
    return [round(i * (count - 1) / (SAMPLE - 1)) for i in range(SAMPLE)]


def bounds(count: int) -> list[tuple[int, int]]:
    return [(count * i // BLOCKS, count * (i + 1) // BLOCKS) for i in range(BLOCKS)]


def summed(values: list[float]) -> dict[str, Any]:
    """A sample of the values, and for each of eight blocks: sum, sum weighted by position, sum of magnitudes."""
    blocks = []
    for start, end in bounds(len(values)):
        part = values[start:end]
        weighted = sum(value * ((i % 97 + 1) / 97) for i, value in enumerate(part))
        blocks.append([tame(sum(part)), tame(weighted), tame(sum(map(abs, part)))])
    return {"sample": [values[at] for at in positions(len(values))], "blocks": blocks}


def summed_quickly(array: Any) -> dict[str, Any]:
    numpy = sys.modules["numpy"]
    blocks = []
    with numpy.errstate(all="ignore"):
        for start, end in bounds(len(array)):
            part = array[start:end]
            weights = (numpy.arange(len(part)) % 97 + 1) / 97
            sums = (part.sum(), (part * weights).sum(), numpy.abs(part).sum())
            blocks.append([tame(float(one)) for one in sums])
    return {"sample": array[positions(len(array))].tolist(), "blocks": blocks}


def tame(value: float) -> float:
    """JSON has no infinity: a sum that overflows counts as the largest float."""
    return value if value - value == 0 else 1.7e308


def slots_of(kind: type) -> list[tuple[str, Any]]:
    found = []
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            member = base.__dict__.get(name)
            if isinstance(member, types.MemberDescriptorType):
                found.append((name, member))
    return found


def in_c(kind: type) -> bool:
    """May this class, itself and not its bases, hold content outside of attributes and slots?"""
    held = vars(kind)
    if kind in (object, dict) or kind in dict(PARTS) or "__dict__" in held or "__slots__" in held:
        return False
    return not any(isinstance(one, types.FunctionType) for one in held.values())


PARTS: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (int, int.__int__),
    (float, float.__float__),
    (str, str.__str__),
    (bytes, lambda value: bytes(bytearray(value))),
    (list, lambda value: list(list.__iter__(value))),
    (tuple, lambda value: tuple(tuple.__iter__(value))),
    (set, lambda value: set(set.__iter__(value))),
    (frozenset, lambda value: frozenset(frozenset.__iter__(value))),
)
"""Built-in types that a class may extend, and how the built-in part is had whatever the class overrides."""
PLAIN = frozenset({str, int, bool, float, type(None), bytes})
TEXTUAL = frozenset({str, float, type(None)})


def of_package(root: str, *names: str) -> Callable[[Any], bool]:
    def matches(value: Any) -> bool:
        module = sys.modules.get(root)
        if module is None:
            return False
        return any(isinstance(value, kind) for kind in (getattr(module, name, None) for name in names) if kind)

    return matches


is_drawing = of_package("matplotlib.artist", "Artist")
is_arrows = of_package("matplotlib.quiver", "Quiver", "Barbs")


def is_laid_out_late(value: Any) -> bool:
    """Does it put its numbers in their place when it is drawn, so that one not drawn yet looks different?"""
    return is_arrows(value) or type(value).__module__.startswith("mpl_toolkits")


def is_estimator(value: Any) -> bool:
    return (
        "sklearn" in sys.modules
        and hasattr(value, "get_params")
        and hasattr(value, "fit")
        and not isinstance(value, type)
    )


def is_random(value: Any) -> bool:
    """A source of random numbers: in a comparison, its state tells nothing unless its values do."""
    return isinstance(value, random.Random) or type(value).__module__.startswith("numpy.random")


KINDS: tuple[tuple[Callable[[Any], bool], Callable[[Content, Any], None]], ...] = (
    (lambda value: type(value) in (list, tuple), Content.sequence),
    (lambda value: isinstance(value, dict), Content.mapping),
    (lambda value: type(value) in (set, frozenset), Content.set),
    (lambda value: isinstance(value, types.ModuleType), Content.module),
    (lambda value: isinstance(value, BLIND_TYPES), Content.nothing),
    (lambda value: isinstance(value, type), Content.klass),
    (lambda value: isinstance(value, (types.FunctionType, types.BuiltinFunctionType)), Content.function),
    (of_package("numpy", "ndarray"), Content.array),
    (of_package("numpy", "generic"), Content.scalar),
    (of_package("pandas", "DataFrame"), Content.frame),
    (of_package("pandas", "Series"), Content.series),
    (of_package("pandas", "Index"), Content.index),
    (is_drawing, Content.drawing),
    (of_package("matplotlib.container", "BarContainer", "ErrorbarContainer", "StemContainer"), Content.bundle),
    (is_estimator, Content.estimator),
)


def from_library(kind: Any) -> bool:
    """Is this class or function of an installed package or the standard library, and not the user's own?"""
    root = (kind.__module__ or "").partition(".")[0]
    if root in ("__main__", "__mp_main__"):
        return False
    return root == "" or root_of_library(root)


def module_of_library(module: Any) -> bool:
    return not getattr(module, "__file__", None) or root_of_library(module.__name__.partition(".")[0])


def root_of_library(root: str) -> bool:
    """Is this top-level module installed, or of the standard library?"""
    if root in ("builtins", "__main__", "__mp_main__") or root in STDLIB:
        return True
    path = getattr(sys.modules.get(root), "__file__", None) or ""
    return "site-packages" in path or "dist-packages" in path or path.startswith(STDLIB_FOLDER)


def type_name(value: Any) -> str:
    """'DataFrame' or 'Point': with its package when it is a library's, so that a module's own class agrees."""
    kind = type(value)
    name = kind.__qualname__.rpartition("<locals>.")[2]
    root = (kind.__module__ or "").partition(".")[0]
    return f"{root}.{name}" if from_library(kind) and root != "builtins" else name


def described(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


TEXTS = Repr()
TEXTS.maxstring = TEXTS.maxother = TEXTS.maxlong = SHORT
TEXTS.maxlist = TEXTS.maxtuple = TEXTS.maxset = TEXTS.maxfrozenset = TEXTS.maxdict = TEXTS.maxdeque = 12
TEXTS.maxlevel = 4


def shortly(value: Any) -> str:
    """At most 200 characters, without memory addresses."""
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape and not isinstance(value, type):
        size = getattr(value, "size", 99)
        if not isinstance(size, int) or size > 12:
            return f"{type(value).__name__} of shape {shape}"
    try:
        text = ADDRESS.sub("", TEXTS.repr(value))
    except Exception as error:  # the object's own code
        text = f"<{type(value).__name__}: its repr failed with {type(error).__name__}>"
    return text if len(text) <= SHORT else f"{text[: SHORT - 1]}…"


def exactly(value: Any, deadline: float) -> tuple[str, bool]:
    """A digest of the content as it is now, and whether some of it is out of sight."""
    content = Content(deadline, exact=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content.walk(value)
    except Exception:  # Spent, or the object's own code
        return "", True
    return content.hash.hexdigest(), bool(content.blind)


def fingerprint(value: Any, deadline: float) -> dict[str, Any]:
    """What is compared of one value: as JSON, without its content.

    `hash` covers all but the floats, `floats` those; `blind` says why nothing can be compared, `partly` what
    inside it is out of sight.
    """
    found: dict[str, Any] = {"type": type_name(value), "short": shortly(value)}
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and not isinstance(value, type):
        found["shape"] = [one if isinstance(one, int) else str(one) for one in shape]
    dtype = getattr(value, "dtype", None)
    if dtype is not None:
        found["dtype"] = str(dtype)
    content = Content(deadline, exact=False)
    if is_random(value):
        return {**found, "blind": "a source of random numbers"}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content.walk(value)
    except Spent:
        return {**found, "blind": f"it is too large to compare within {REPORT_BUDGET:g} s"}
    except Exception as error:  # the object's own code
        return {**found, "blind": f"{type(error).__name__} while looking at it"}
    if content.blind and content.nodes == 1:
        return {**found, "blind": content.blind[0]}
    found["hash"] = content.hash.hexdigest()
    if content.floats.count:
        found["floats"] = content.floats.told()
    if content.blind:
        found["partly"] = content.blind
    return found


def report(values: dict[str, Any], outputs: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """Name -> fingerprint, within five seconds in all.

    Args:
        outputs: nbformat outputs that were shown; their kinds and texts stand under '(outputs)'
    """
    deadline = perf_counter() + REPORT_BUDGET
    found = {name: fingerprint(value, deadline) for name, value in values.items()}
    if outputs is not None:
        found["(outputs)"] = fingerprint([told(output) for output in outputs], deadline)
    return found


def told(output: dict[str, Any]) -> list[str]:
    """Of an output: its kind, and its text without addresses; a picture's bytes differ from one drawing to the next."""
    if output.get("output_type") == "stream":
        return ["stream", ADDRESS.sub("", "".join(output.get("text", "")))]
    data = output.get("data", {})
    if any(mime.startswith("image/") for mime in data):
        return ["image"]
    return ["shown", ADDRESS.sub("", "".join(data.get("text/plain", "")))]


# ── what each cell changes ──────────────────────────────────────────────────────────────────────────────────


def ambient() -> dict[str, int]:
    """State outside the names -> its hash, for what is loaded."""
    found = {
        "random": hash(random.getstate()),
        "environ": hash(frozenset(os.environ.items())),
        "sys.path": hash(tuple(map(str, sys.path))),
        "warnings": hash(repr(warnings.filters)),
    }
    try:
        found["cwd"] = hash(getcwd())
    except OSError:
        found["cwd"] = 0
    for name, look in (("numpy.random", numpy_random), ("matplotlib", drawing_settings), ("pandas", pandas_options)):
        state = look()
        if state is not None:
            found[name] = hash(state)
    return found


def numpy_random() -> object:
    module = sys.modules.get("numpy.random")
    if module is None or not hasattr(module, "get_state"):
        return None
    name, keys, *rest = module.get_state()
    return (name, keys.tobytes(), *rest)


def drawing_settings(attribute: str = "rcParams") -> object:
    settings = getattr(sys.modules.get("matplotlib"), attribute, None)
    if settings is None:
        return None
    # dict.items: reading 'backend' through matplotlib's own mapping would load one.
    return str(
        sorted((key, str(value)) for key, value in dict.items(settings) if key not in ("backend", "interactive"))
    )


def pandas_options() -> object:
    config = sys.modules.get("pandas._config.config")
    return None if config is None else repr(getattr(config, "_global_config", None))


def untouched(state: str) -> int | None:
    """The hash that a state has just after its library's import, where that is known."""
    if state == "matplotlib":
        original = drawing_settings("rcParamsOrig")
        return None if original is None else hash(original)
    return None


class Files:
    """The files opened while a cell runs, as the interpreter's audit events name them.

    Libraries that open files in C or C++ without telling the interpreter are not seen.
    """

    def __init__(self) -> None:
        self.on = False
        self.read: dict[str, None] = {}
        self.written: dict[str, None] = {}
        self.made: set[str] = set()
        self.folders: set[str] = set()
        self.elsewhere = tuple(
            {"/usr/", "/proc/", "/sys/", "/etc/", "/dev/", sys.prefix + os.sep, sys.base_prefix + os.sep}
        )
        sys.addaudithook(self.heard)

    def start(self) -> None:
        self.read, self.written, self.on = {}, {}, True
        self.made, self.folders = set(), set()

    def heard(self, event: str, arguments: Any) -> None:
        if not self.on or event not in EVENTS:
            return
        with suppress(Exception):  # whatever is raised here would stop the user's own call
            self.note(event, arguments)

    def note(self, event: str, arguments: Any) -> None:
        if event == "open":
            writes = bool((arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR)) or any(
                letter in (arguments[1] or "") for letter in "wax+"
            )
            self.add(self.written if writes else self.read, arguments[0])
            if (arguments[2] or 0) & os.O_EXCL and isinstance(arguments[0], str):
                self.made.add(abspath(arguments[0]))
        elif event in ("os.rename", "shutil.move", "shutil.copyfile"):
            self.add(self.read, arguments[0])
            self.add(self.written, arguments[1])
        else:
            self.add(self.read if event in LISTS else self.written, arguments[0])
            if event in ("os.mkdir", "os.rmdir"):
                self.folders.add(abspath(os.fsdecode(arguments[0])))

    def kept(self) -> list[str]:
        """The files written, without those that this cell made and removed again."""
        # A folder that is opened for writing holds a temporary file without a name.
        return sorted(path for path in self.written if path in self.folders or is_kept(path, self.made))

    def add(self, to: dict[str, None], path: Any) -> None:
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if not isinstance(path, (str, os.PathLike)) or len(to) >= FILES:
            return
        path = abspath(os.fspath(path))
        hidden = f"{os.sep}." in path or "__pycache__" in path or "site-packages" in path or "ipykernel_" in path
        if not hidden and not path.startswith(self.elsewhere):
            to[path] = None


def is_whole(value: Any) -> bool:
    """A whole number, Python's or numpy's."""
    return type(value) is int or (type(value).__module__ == "numpy" and hasattr(type(value), "bit_count"))


def is_kept(path: str, made: set[str]) -> bool:
    return not isdir(path) and (path not in made or exists(path))


LISTS = ("os.listdir", "os.scandir", "glob.glob")
EVENTS = frozenset(
    (
        "open",
        "os.rename",
        "os.remove",
        "os.mkdir",
        "os.rmdir",
        "shutil.move",
        "shutil.copyfile",
        "sqlite3.connect",
        *LISTS,
    )
)


class Observer:
    """Records of what each execution changed in one shell."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.stock = set(getattr(shell, "user_ns_hidden", ())) | {"In", "Out", "get_ipython", "exit", "quit", "open"}
        self.files = Files()
        self.records: list[dict[str, Any]] = []
        self.running: list[float] = []
        self.seen: dict[str, tuple[int, str]] = {}
        self.known: set[str] = set()
        self.state: dict[str, int] = {}
        self.cost: dict[str, float] = {}
        self.saved = MOST
        self.look("", perf_counter() + MOST)

    def before(self, info: Any = None) -> None:
        self.files.start()
        self.running.append(perf_counter())

    def after(self, result: Any = None) -> None:
        self.files.on = False
        ended = perf_counter()
        if not self.running:  # the execution that installed us: what was before it is unknown
            self.look("", ended + MOST)
            return
        took = ended - self.running.pop()
        info = getattr(result, "info", None)
        source = getattr(info, "raw_cell", None) or ""
        record = {
            "source": source,
            "cell": self.cell(info),
            "count": self.count(result),
            "files_read": sorted(self.files.read),
            "files_written": self.files.kept(),
            "failed": not getattr(result, "success", True),
        }
        try:
            record.update(self.look(source, ended + self.allowance(took)))
        except Exception:  # the user's objects may do anything: then nothing was observed
            record.update(changed=None, same=[], new=[], ambient=[])
            self.seen = {}
        self.saved = max(0.0, self.saved - (perf_counter() - ended))
        self.records.append(record)

    def allowance(self, took: float) -> float:
        """Seconds for this look: the cell's share, and what earlier cells left of theirs."""
        self.saved = min(MOST, self.saved + max(LEAST, SHARE * took))
        return self.saved

    def look(self, source: str, deadline: float) -> dict[str, Any]:
        """What differs from the last look; then this is the last look.

        Names that the source mentions come first, then those that are quickly seen. A name for which no time is
        left is blind in this record; what was known of it is kept, so that a later look can tell that it is the
        same still.
        """
        names = self.names()
        mentioned = set(re.findall(r"\w+", source))
        seen: dict[str, tuple[int, str]] = {}
        changed: list[str] = []
        same: list[str] = []
        for name in sorted(names, key=lambda name: (name not in mentioned, self.cost.get(name, 0.0), name)):
            value = names[name]
            before = self.seen.get(name) if name in self.known else None
            digest, blind = self.digest(name, value, deadline)
            seen[name] = (id(value), "" if blind else digest)
            if before is None:
                continue
            if blind and before[0] == id(value):
                # Without a digest there was no time; with one it is blind by nature.
                seen[name] = before if not digest else seen[name]
            elif blind or not before[1]:
                if before[0] != id(value):
                    changed.append(name)
            else:
                (same if before[1] == digest else changed).append(name)
        new = sorted(names.keys() - self.known)
        state = self.surroundings(source)
        self.seen, self.known = seen, set(names)
        return {"changed": sorted(changed), "same": sorted(same), "new": new, "ambient": state}

    def digest(self, name: str, value: Any, deadline: float) -> tuple[str, bool]:
        """As `exactly`; not begun when the last time took longer than is left."""
        started = perf_counter()
        if started + self.cost.get(name, 0.0) > deadline:
            return "", True
        found = exactly(value, deadline)
        took = perf_counter() - started
        # Given up: it takes longer than that.
        self.cost[name] = took if found[0] else max(2 * took, self.cost.get(name, 0.0))
        return found

    def surroundings(self, source: str) -> list[str]:
        now = ambient()
        before, self.state = self.state, now
        if not before:
            return []
        changed = []
        for name, state in now.items():
            was = before[name] if name in before else untouched(name)
            if was is not None and was != state:
                changed.append(name)
        # Importing a library often adds a warnings filter or a variable: that comes with the import.
        if re.search(r"\bimport\b", source):
            changed = [name for name in changed if name not in IMPORTED or IMPORTED[name] in source]
        return sorted(changed)

    def names(self) -> dict[str, Any]:
        return {
            name: value
            for name, value in list(self.shell.user_ns.items())
            if name not in self.stock
            and not SPECIAL.match(name)
            and not name.startswith("__")
            and not (isinstance(value, types.ModuleType) and module_of_library(value))
        }

    def cell(self, info: Any) -> str:
        identity = getattr(info, "cell_id", None)
        if not identity:
            try:
                parent = self.shell.get_parent() or {}
            except Exception:  # a shell outside a kernel has no parent
                parent = {}
            identity = parent.get("metadata", {}).get("cellId") or parent.get("header", {}).get("cellId")
        return str(identity or "")

    def count(self, result: Any) -> int:
        return int(getattr(result, "execution_count", None) or getattr(self.shell, "execution_count", 0) or 0)


IMPORTED = {"warnings": "warn", "environ": "environ", "random": "random", "sys.path": "path"}


def install(shell: Any) -> None:
    """Observe every execution of this IPython shell from now on; the second time it does nothing."""
    if getattr(shell, "_slipway_observer", None) is not None:
        return
    observer = Observer(shell)
    shell._slipway_observer = observer
    shell.events.register("pre_run_cell", observer.before)
    shell.events.register("post_run_cell", observer.after)


def current_shell() -> Any:
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def history(shell: Any = None) -> list[dict[str, Any]]:
    """The executions observed in a shell, this process's own when none is given, oldest first."""
    observer = getattr(shell or current_shell(), "_slipway_observer", None)
    return list(observer.records) if observer is not None else []


def plain_history(shell: Any = None) -> list[tuple[int, str]]:
    """Count and source of each input that this session's own history holds, oldest first."""
    manager = getattr(shell or current_shell(), "history_manager", None)
    inputs = list(getattr(manager, "input_hist_raw", ()))
    return [(count, str(source)) for count, source in enumerate(inputs) if count and source]


# ── what is loaded ──────────────────────────────────────────────────────────────────────────────────────────

HOLDERS: dict[str, list[str]] = {}
"""Import name -> distributions that hold it. Read once, and again when a module is in none of them."""
PLACES: dict[str, str] = {}
"""Canonical name of a distribution -> its folder of metadata."""
DESCRIBED: dict[str, dict[str, Any]] = {}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def loaded() -> list[dict[str, Any]]:
    """The distributions behind `sys.modules`, and what they cannot do without: see `installed`."""
    return installed({name.partition(".")[0] for name in list(sys.modules)} - {"__main__", "__mp_main__"})


def installed(imports: Iterable[str]) -> list[dict[str, Any]]:
    """The distributions that hold these top-level modules, and what they cannot do without.

    Each with `name`, `version`, `imports` (which of these modules it holds), `requires` (canonical names of what
    it needs), `optional` (of what it can use) and `loaded` (False: only needed by another).
    """
    tops = set(imports) - STDLIB
    holders = distributions_of(tops)
    held: dict[str, list[str]] = {}
    for top in sorted(tops):
        for name in sorted({canonical(one) for one in holders.get(top, ())}):
            held.setdefault(name, []).append(top)
    found: dict[str, dict[str, Any]] = {}
    waiting = list(held)
    while waiting:
        name = waiting.pop()
        one = None if name in found else distribution(name)
        if one is not None:
            found[name] = {**one, "imports": held.get(name, []), "loaded": name in held}
            waiting += one["requires"]
    return [found[name] for name in sorted(found)]


def distributions_of(tops: set[str]) -> dict[str, list[str]]:
    if not tops <= HOLDERS.keys():
        for memory in (HOLDERS, PLACES, DESCRIBED):
            memory.clear()
        for directory in list(sys.path):
            with suppress(OSError):
                for entry in os.scandir(directory or "."):
                    if entry.name.endswith((".dist-info", ".egg-info")):
                        note_holder(entry.path, entry.name)
        for top in tops:
            HOLDERS.setdefault(top, [])
    return HOLDERS


def note_holder(path: str, name: str) -> None:
    """Enter the top-level modules of one installed distribution.

    `importlib.metadata.packages_distributions` tells the same in 200 to 500 ms where this takes 30: it makes
    an object of each of a hundred thousand files.
    """
    distribution = re.split(r"-\d|\.(?:dist|egg)-info$", name)[0]
    PLACES.setdefault(canonical(distribution), path)
    tops = {distribution.replace("-", "_")}
    for file, pattern in (("top_level.txt", r"^([^/\s]+)\s*$"), ("RECORD", r"^([^/,\n]+)[/,]")):
        try:
            with open(os.path.join(path, file), encoding="utf-8") as lines:
                found = set(re.findall(pattern, lines.read(), re.MULTILINE))
        except (OSError, ValueError):
            continue
        tops |= {one.partition(".")[0] for one in found if not one.endswith((".dist-info", ".pth", ".data"))}
        break
    for top in tops:
        HOLDERS.setdefault(top, []).append(distribution)


def distribution(name: str) -> dict[str, Any] | None:
    """What is installed under this canonical name; None when nothing is, or when it cannot be read."""
    if name not in DESCRIBED and name in PLACES:
        head = ""
        for file in ("METADATA", "PKG-INFO"):
            with suppress(OSError, ValueError), open(os.path.join(PLACES[name], file), encoding="utf-8") as lines:
                head = lines.read().partition("\n\n")[0]
                break
        fields = dict(re.findall(r"^(Name|Version): *(\S+)", head, re.MULTILINE))
        if len(fields) == 2:
            requires, optional = needs(re.findall(r"^Requires-Dist: *(.+)", head, re.MULTILINE))
            DESCRIBED[name] = {
                "name": fields["Name"],
                "version": fields["Version"],
                "requires": requires,
                "optional": optional,
            }
    return DESCRIBED.get(name)


def needs(requirements: Iterable[str]) -> tuple[list[str], list[str]]:
    """Canonical names of what is needed, and of what belongs to an extra."""
    requires: list[str] = []
    optional: list[str] = []
    for requirement in requirements:
        match = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", requirement)
        if match:
            kept = optional if re.search(r"\bextra\s*==", requirement) else requires
            kept.append(canonical(match.group(1)))
    return sorted(set(requires)), sorted(set(optional))


def python_version() -> str:
    return ".".join(map(str, sys.version_info[:3]))


# ── what a server asks ──────────────────────────────────────────────────────────────────────────────────────


def shown_name(names: list[str]) -> str:
    """Under which of a module's outputs the last expression's value stands; '' when under none.

    It is 'result', or 'shown' in a cell that binds a `result` itself, and comes last.
    """
    if names and names[-1] in ("result", "shown"):
        return names[-1]
    return "result" if "result" in names else ""


def values_of(shell: Any, names: list[str], count: int, source: str) -> dict[str, Any]:
    """The values of these names; what the execution `count` showed stands for the name that `shown_name` gives.

    A name that is not there is left out.
    """
    space = shell.user_ns
    found = {name: space[name] for name in names if name in space}
    last = shown_name(names)
    out = space.get("Out")
    if not last or not isinstance(out, dict):
        return found
    count = count or max((one for one in out if isinstance(one, int)), default=0)
    if count in out:
        found[last] = out[count]
    elif source and not re.search(rf"\b{last}\b", source):
        found.pop(last, None)  # another cell's variable of this name; this one showed nothing
    return found


def later(shell: Any, identity: str, source: str) -> tuple[int, set[str]]:
    """The count of a cell's last execution, 0 when it never ran, and the names that later ones changed.

    Whether a drawing was changed is not looked at: it counts as changed by whoever mentions it.
    """
    count = 0
    changed: set[str] = set()
    drawings = {name for name, value in list(shell.user_ns.items()) if is_drawing(value)}
    for record in history(shell):
        if record["cell"] == identity or (not record["cell"] and record["source"].strip() == source.strip()):
            count, changed = record["count"], set()
        else:
            changed.update(record["changed"] or (), record["new"])
            changed.update(drawings.intersection(re.findall(r"\w+", record["source"])))
    if count:
        return count, changed
    counts = [count for count, text in plain_history(shell) if text.strip() == source.strip()]
    return (counts[-1] if counts else 0), set()


def look(names: Iterable[str], cell: str = "", source: str = "", shell: Any = None) -> dict[str, Any]:
    """All that a plan asks of a kernel.

    Args:
        names: whose values to report
        cell: id of the cell whose values they are, and its source; empty: whatever ran last
    """
    names = list(names)
    shell = shell or current_shell()
    count, changed = later(shell, cell, source) if cell else (0, set())
    values = values_of(shell, names, count, source)
    found = report(values)
    out = shell.user_ns.get("Out")
    for name in changed & found.keys():
        if not (name == shown_name(names) and isinstance(out, dict) and count in out):
            found[name]["blind"] = "a later cell changed it"
    if cell and not count:
        found = {}
    return {
        "executions": history(shell),
        "plain": plain_history(shell),
        "report": found,
        "loaded": loaded(),
        "python": python_version(),
        "executable": sys.executable,
    }


def look_as_text(names: Iterable[str], cell: str = "", source: str = "") -> str:
    return dumps(look(names, cell, source), default=str)
