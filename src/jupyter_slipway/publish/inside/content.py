"""The content of a value, walked through: its digest, its floats, and what in it is out of sight."""

from __future__ import annotations

import random
import sys
import types
import warnings
from contextlib import suppress
from copyreg import dispatch_table
from hashlib import blake2b
from struct import pack
from time import perf_counter

from .floats import FEW, Floats, checksum
from .kinds import (
    described,
    from_library,
    is_chart,
    is_drawing,
    is_estimator,
    is_laid_out_late,
    is_random,
    is_whole,
    module_of_library,
    of_package,
    type_name,
)
from .texts import shortly, uncounted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

BYTES_PER_SECOND = 2e8
"""How fast content is hashed, at worst: what would take longer than is left is not begun."""
NODES = 300_000
"""Objects inside one value that are looked at."""
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

    def chart(self, value: Any) -> None:
        """A chart of Altair or a part of it: what its specification is made from, with the data as they are.

        The specification itself is not asked for: making it may write files. Whether a cell changed a chart is not
        looked at, as with figures.
        """
        if self.exact:
            self.unseen(described(value))
            return
        self.put(type_name(value))
        held = dict(getattr(value, "__dict__", {}))
        for name, item in (held.get("_kwds") or held).items():
            self.put(name)
            self.walk(uncounted(item) if type(item) is str else item)

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
    (is_chart, Content.chart),
    (of_package("matplotlib.container", "BarContainer", "ErrorbarContainer", "StemContainer"), Content.bundle),
    (is_estimator, Content.estimator),
)


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
