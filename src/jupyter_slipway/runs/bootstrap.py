"""Inside the run process: parameters in as data, then `main`, then its outputs, value or error out as files.

Run by the guard (`attempt.ENTRY`), or as `PYTHON bootstrap.py RUNDIR` by a proof, in an environment that need
not hold our package: standard library only. Each no-op run pays for what is imported here, so little is.

    RUNDIR/request.json  ──►  main(**parameters)  ──►  outputs.json  value.json  error.json  fingerprints.json
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType, TracebackType
    from typing import Any

OUTPUT_LIMIT = 50_000_000
"""Characters of outputs that are kept; a note stands for the rest."""
TEXT_LIMIT = 100_000
"""Characters of one text/plain, and of a traceback."""
MESSAGE_LIMIT = 10_000
VALUE_LIMIT = 100_000
"""Characters of the returned value as JSON: it is in every list of runs."""
VALUE_ITEMS = 10_000
"""A returned list or dict with more entries than this is told in a short text."""
VALUE_DEPTH = 8

# All that an object offers is kept; the viewer picks the richest that it knows.
METHODS = (
    ("_repr_html_", "text/html"),
    ("_repr_markdown_", "text/markdown"),
    ("_repr_svg_", "image/svg+xml"),
    ("_repr_png_", "image/png"),
    ("_repr_jpeg_", "image/jpeg"),
    ("_repr_latex_", "text/latex"),
    ("_repr_json_", "application/json"),
)
VEGA_LITE = "application/vnd.vegalite.v5+json"
"""As JupyterLab draws it."""


def put(directory: str, name: str, content: Any) -> None:
    """Write RUNDIR/`name` as JSON, whole or not at all, also across a power cut."""
    path = os.path.join(directory, name)
    temporary = f"{path}.{os.getpid()}.tmp"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(json_text(content))
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def json_text(content: Any) -> str:
    if content in ({}, []):
        return "[]" if content == [] else "{}"  # a no-op run need not import json
    import json

    try:
        text = json.dumps(content, default=short_text, ensure_ascii=False, allow_nan=False)
    except ValueError:
        text = json.dumps(without_nan(content), default=short_text, ensure_ascii=False, allow_nan=False)
    # Half a surrogate pair, as the name of a file may hold, is no JSON; whoever reads it would refuse all of it.
    return text.encode("utf-8", "replace").decode("utf-8")


def without_nan(content: Any) -> Any:
    """NaN and infinity, which JSON has not, as None: a chart leaves a gap."""
    if isinstance(content, float):
        return content if content - content == 0 else None
    if isinstance(content, dict):
        return {key: without_nan(one) for key, one in content.items()}
    if isinstance(content, (list, tuple)):
        return [without_nan(one) for one in content]
    return content


def json_value(text: str) -> Any:
    """What this JSON says, by the scanner of `json` alone: importing all of it takes as long as starting Python."""
    try:
        from _json import make_scanner

        decoder: Any = Scanning()
        value, end = make_scanner(decoder)(text.strip(), 0)
        if end == len(text.strip()):
            return value
    except (ImportError, AttributeError, TypeError, StopIteration):
        pass  # another Python than CPython, or one that wants more
    import json

    return json.loads(text)


class Scanning:
    """What the scanner asks of a JSON decoder."""

    strict = True
    object_hook = object_pairs_hook = array_hook = memo = None
    parse_float, parse_int, parse_constant = float, int, float


def short_text(value: object) -> str:
    """What stands for a value that JSON cannot hold: its type and shape, or the start of its text."""
    kind = type(value).__name__
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape:
        return f"{kind} of shape {shape}"
    if isinstance(value, (list, tuple, dict, set, frozenset)):
        return f"{kind} of {len(value)} entries"
    text = safe_repr(value)
    return text if len(text) <= 200 else f"{text[:199]}…"


def safe_repr(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:  # the object's own code
        return f"<{type(value).__name__}: its repr failed with {type(error).__name__}>"


def as_json(value: Any, depth: int = 0) -> Any:
    """`value` as JSON can hold it; what it cannot becomes a short text."""
    if value is None or isinstance(value, (bool, str)):
        return value if not isinstance(value, str) else str(value)
    if isinstance(value, int):
        # Beyond 2**53 a browser would round it, silently.
        return int(value) if abs(value) <= 2**53 else str(value)
    if isinstance(value, float):
        return float(value) if value - value == 0 else str(float(value))  # 'nan', 'inf': JSON has neither
    if isinstance(value, (list, tuple, set, frozenset)) and depth < VALUE_DEPTH and len(value) <= VALUE_ITEMS:
        return [as_json(item, depth + 1) for item in value]
    if isinstance(value, dict) and depth < VALUE_DEPTH and len(value) <= VALUE_ITEMS:
        return {str(key): as_json(item, depth + 1) for key, item in value.items()}
    return as_json_of_a_library(value, depth)


def small_json(values: dict[str, Any]) -> dict[str, Any]:
    """The returned values as JSON; the large ones as a short text."""
    found = {str(name): as_json(value) for name, value in values.items()}
    if len(json_text(found)) <= VALUE_LIMIT:
        return found
    room = VALUE_LIMIT // len(found)
    return {
        name: content if len(json_text(content)) <= room else short_text(content) for name, content in found.items()
    }


def as_json_of_a_library(value: Any, depth: int) -> Any:
    """Scalars of numpy and pandas by `.item()`, dates as ISO texts, small arrays as lists, paths as texts."""
    try:
        if getattr(value, "shape", None) == () and hasattr(value, "item"):
            item = value.item()
            return as_json(item, depth + 1) if type(item) is not type(value) else short_text(value)
        dates = sys.modules.get("datetime")
        if dates is not None and isinstance(value, (dates.date, dates.time)):
            return value.isoformat()
        if hasattr(value, "tolist") and getattr(value, "ndim", 9) == 1 and value.size <= 1000:
            return as_json(value.tolist(), depth + 1)
        if isinstance(value, os.PathLike):
            return os.fspath(value)
    except Exception:  # the object's own code
        pass
    return short_text(value)


# ── parameters ──────────────────────────────────────────────────────────────────────────────────────────────


def converted(value: Any, kind: str, item: str = "") -> Any:
    """A JSON value as the Python value that `kind` names; None stays None.

    Raises:
        ValueError: the text is no such date or number
    """
    if value is None:
        return None
    if kind == "list":
        return [converted(one, item) for one in value]
    if kind == "dict":
        return {key: converted(one, item) for key, one in value.items()}
    if kind == "float":
        return float(value)
    if kind == "path":
        from pathlib import Path

        return Path(value)
    if kind in ("date", "datetime"):
        import datetime

        if kind == "date":
            return datetime.date.fromisoformat(value)
        # Python 3.10 and older read no 'Z'.
        return datetime.datetime.fromisoformat(value[:-1] + "+00:00" if value.endswith("Z") else value)
    return value


def arguments(request: dict[str, Any]) -> dict[str, Any]:
    types = request.get("types") or {}
    return {
        name: converted(value, *types.get(name, ("", ""))) for name, value in (request.get("parameters") or {}).items()
    }


# ── outputs ─────────────────────────────────────────────────────────────────────────────────────────────────


def is_figure(value: object) -> bool:
    figure = sys.modules.get("matplotlib.figure")
    return figure is not None and isinstance(value, figure.Figure)


def figure_png(figure: Any) -> str:
    """The figure as base64 PNG, drawn with the very settings of the notebook's inline backend."""
    import base64
    import io

    buffer = io.BytesIO()
    figure.canvas.print_figure(
        buffer,
        format="png",
        facecolor=figure.get_facecolor(),
        edgecolor=figure.get_edgecolor(),
        dpi=figure.dpi,
        bbox_inches="tight",
    )
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def bundle(value: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The MIME bundle of any object, and its metadata: all that the object offers, and always text/plain."""
    text = safe_repr(value)
    data: dict[str, Any] = {"text/plain": text if len(text) <= TEXT_LIMIT else f"{text[:TEXT_LIMIT]}…"}
    metadata: dict[str, Any] = {}
    if isinstance(value, type):
        return data, metadata
    if is_figure(value):
        data["image/png"] = figure_png(value)
        return data, metadata
    for method, mime in METHODS:
        offered, about = offer(value, method)
        if offered is not None:
            data[mime] = offered
            if about:
                metadata[mime] = about
    offered, about = offer(value, "_repr_mimebundle_")
    if isinstance(offered, dict):
        data.update({mime: encoded(content) for mime, content in offered.items() if content is not None})
        metadata.update(about or {})
        if is_chart(value):
            specification, _ = offer(value, "to_dict")
            if isinstance(specification, dict):
                # Another version of Vega-Lite than JupyterLab's draws the same, but for a warning about this entry.
                data.pop("text/html", None)
                data[VEGA_LITE] = {key: part for key, part in specification.items() if key != "$schema"}
    return data, metadata


def is_chart(value: Any) -> bool:
    """Altair's: by itself it offers a page that loads its scripts from elsewhere, for which one has to trust it."""
    return type(value).__module__.partition(".")[0] == "altair"


def offer(value: Any, method: str) -> tuple[Any, Any]:
    """What a `_repr_…_` method gives: its data or None, and metadata or None."""
    call = getattr(value, method, None)
    if not callable(call):
        return None, None
    try:
        given = call()
    except Exception as error:  # the object's own code: the text stands for it, and the log says why
        print(f"{type(value).__name__}.{method} failed: {type(error).__name__}: {error}", file=sys.stderr)
        return None, None
    if isinstance(given, tuple) and len(given) == 2:
        return encoded(given[0]), given[1]
    return encoded(given), None


def encoded(content: Any) -> Any:
    if isinstance(content, bytes):
        import base64

        return base64.b64encode(content).decode("ascii")
    return content


class Outputs:
    """What the run shows, in order, as nbformat outputs; on disk while it goes on, at most each second."""

    def __init__(self, directory: str, limit: int = OUTPUT_LIMIT) -> None:
        self.directory = directory
        self.limit = limit
        self.shown: list[dict[str, Any]] = []
        self.size = 0
        self.left_out = 0
        self.written_at = -9.0
        self.process = os.getpid()

    def add(self, output: dict[str, Any]) -> None:
        if os.getpid() != self.process:
            return  # a forked worker of the user's: its outputs are not this run's
        size = len(json_text(output))
        if self.size + size > self.limit:
            self.left_out += 1
        else:
            self.size += size
            self.shown.append(output)
        self.write_now_and_then()

    def show(self, value: Any, display_id: str | None = None) -> None:
        data, metadata = bundle(value)
        self.show_data(data, metadata, display_id)

    def show_data(
        self, data: dict[str, Any], metadata: dict[str, Any] | None = None, display_id: str | None = None
    ) -> None:
        output: dict[str, Any] = {"output_type": "display_data", "data": data, "metadata": metadata or {}}
        if display_id:
            output["transient"] = {"display_id": display_id}
        self.add(output)

    def update(self, value: Any, display_id: str) -> None:
        """Redraw what was shown under this id, as `update_display` does in a notebook."""
        data, metadata = bundle(value)
        for output in self.shown:
            if output.get("transient", {}).get("display_id") == display_id:
                output["data"], output["metadata"] = data, metadata
        self.write_now_and_then()

    def clear(self, wait: bool = False) -> None:
        self.shown, self.size = [], 0

    def result(self, value: Any) -> None:
        data, metadata = bundle(value)
        self.add({"output_type": "execute_result", "data": data, "metadata": metadata, "execution_count": None})

    def figures(self) -> None:
        """Show the open matplotlib figures and close them, as a notebook does after each cell."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is None:
            return
        for number in pyplot.get_fignums():
            self.show(pyplot.figure(number))
        pyplot.close("all")

    def as_nbformat(self) -> list[dict[str, Any]]:
        plain = [{key: value for key, value in one.items() if key != "transient"} for one in self.shown]
        if self.left_out:
            text = (
                f"{self.left_out} further outputs were left out: a run keeps {self.limit / 1e6:g} MB. "
                "Write large results to files under $SLIPWAY_ARTIFACTS.\n"
            )
            plain.append({"output_type": "stream", "name": "stderr", "text": text})
        return plain

    def write_now_and_then(self) -> None:
        import time

        before = time.monotonic()
        if before - self.written_at >= 1.0:
            self.write()
            # A large list of outputs is written more rarely: at most a twentieth of the time goes there.
            self.written_at = before + 20 * (time.monotonic() - before)

    def write(self) -> None:
        put(self.directory, "outputs.json", self.as_nbformat())


class DisplayHandle:
    """What `display(…, display_id=True)` gives back."""

    def __init__(self, outputs: Outputs, display_id: str) -> None:
        self.outputs = outputs
        self.display_id = display_id

    def display(self, value: Any, **_: Any) -> None:
        self.outputs.show(value, self.display_id)

    def update(self, value: Any, **_: Any) -> None:
        self.outputs.update(value, self.display_id)


def display_into(outputs: Outputs) -> Callable[..., DisplayHandle | None]:
    """A `display` with IPython's signature that shows into `outputs`."""

    def display(
        *values: Any,
        include: Any = None,
        exclude: Any = None,
        metadata: Any = None,
        transient: Any = None,
        display_id: Any = None,
        raw: bool = False,
        clear: bool = False,
        **_: Any,
    ) -> DisplayHandle | None:
        if clear:
            outputs.clear()
        handle = str(len(outputs.shown)) if display_id is True else display_id
        for value in values:
            if raw:
                outputs.show_data(dict(value), metadata, handle)
            else:
                outputs.show(value, handle)
        return DisplayHandle(outputs, handle) if handle else None

    return display


# ── what a notebook's libraries expect of a notebook ────────────────────────────────────────────────────────


class AfterImport:
    """A finder that changes certain modules just after their import, so that none is imported for it."""

    def __init__(self, changes: dict[str, Callable[[ModuleType], None]]) -> None:
        self.changes = changes

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        change = self.changes.pop(name, None)
        if change is None:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find is not None and finder is not self else None
            if spec is not None and spec.loader is not None:
                self.after(spec.loader, change)
                return spec
        return None

    def after(self, loader: Any, change: Callable[[ModuleType], None]) -> None:
        original = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            original(module)
            change(module)

        loader.exec_module = exec_module


def capture(outputs: Outputs) -> None:
    """Make `display`, IPython's display and `plt.show()` show into `outputs`."""
    import builtins

    display = display_into(outputs)
    builtins.display = display  # type: ignore[attr-defined]  # IPython puts it there, too

    def publish(data: Any, metadata: Any = None, *_: Any, **__: Any) -> None:
        outputs.show_data(dict(data), metadata)

    def ipython(module: Any) -> None:
        module.display = display
        module.clear_output = outputs.clear
        module.publish_display_data = publish
        module.update_display = lambda value, *, display_id, **_: outputs.update(value, display_id)

    def pyplot(module: Any) -> None:
        module.show = lambda *_, **__: outputs.figures()

    def progress_bars(module: Any) -> None:
        # Widgets need a browser; the plain bars go to the log, where the run's progress is read.
        from tqdm import std  # type: ignore[import-untyped,unused-ignore]  # has no types, or is not installed

        module.tqdm = module.tqdm_notebook = std.tqdm
        module.trange = module.tnrange = std.trange

    changes = {
        "IPython.core.display_functions": ipython,
        "matplotlib.pyplot": pyplot,
        "tqdm.notebook": progress_bars,
    }
    # A finder needs no more than `find_spec`; the type wants a loader's methods, too.
    sys.meta_path.insert(0, AfterImport(changes))  # type: ignore[arg-type]


# ── one run ─────────────────────────────────────────────────────────────────────────────────────────────────


def loaded(path: str) -> ModuleType:
    """The module of this file, under the file's own name, so that its classes can be pickled."""
    name = os.path.splitext(os.path.basename(path))[0]
    module = type(sys)(name)
    module.__file__ = path
    sys.modules[name] = module
    with open(path, "rb") as file:
        exec(compile(file.read(), path, "exec"), module.__dict__)
    send_by_value(os.path.dirname(path))
    return module


def send_by_value(folder: str) -> None:
    """Functions of the job and its own modules go to a cluster's workers as they are: there, none is known by name."""
    for name in ("cloudpickle", "pyspark.cloudpickle"):
        pickler = sys.modules.get(name)
        if pickler is None:
            continue
        for module in list(sys.modules.values()):
            if str(getattr(module, "__file__", None) or "").startswith(folder + os.sep):
                pickler.register_pickle_by_value(module)


def values_of(returned: Any) -> dict[str, Any]:
    if returned is None:
        return {}
    return returned if isinstance(returned, dict) else {"result": returned}


def described(error: BaseException, path: str) -> dict[str, Any]:
    """An error as error.json holds it: the user's own lines first to be found, oldest call first."""
    import traceback

    start = error.__traceback__
    while start is not None and start.tb_frame.f_code.co_filename == __file__:
        start = start.tb_next
    text = "".join(traceback.format_exception(type(error), error.with_traceback(start), start))
    message = str(error)
    return {
        "kind": type(error).__name__,
        "message": message if len(message) <= MESSAGE_LIMIT else f"{message[:MESSAGE_LIMIT]}…",
        "frames": own_frames(error, start, path),
        "traceback": text if len(text) <= TEXT_LIMIT else f"…{text[-TEXT_LIMIT:]}",
    }


def own_frames(error: BaseException, start: TracebackType | None, path: str) -> list[dict[str, Any]]:
    import linecache

    frames: list[dict[str, Any]] = []
    while start is not None:
        if start.tb_frame.f_code.co_filename == path:
            line = start.tb_lineno
            frames.append(
                {
                    "line": line,
                    "source": linecache.getline(path, line).strip(),
                    "function": start.tb_frame.f_code.co_name,
                }
            )
        start = start.tb_next
    if isinstance(error, SyntaxError) and error.filename == path:
        frames.append({"line": error.lineno or 1, "source": (error.text or "").strip(), "function": ""})
    return frames[:50] + frames[50:][-50:]  # an endless recursion: its start and its end


def fingerprints(probe: str, values: dict[str, Any], outputs: Outputs) -> dict[str, Any]:
    """What the probe file's `report(values, outputs)` says of this run."""
    names: dict[str, Any] = {"__name__": "slipway_probe", "__file__": probe}
    with open(probe, "rb") as file:
        exec(compile(file.read(), probe, "exec"), names)
    report: dict[str, Any] = names["report"](values, outputs.as_nbformat())
    return report


def prepare(directory: str, request: dict[str, Any]) -> None:
    """Working directory, search path and environment, as the notebook's kernel would have them."""
    own = os.path.dirname(os.path.abspath(__file__))
    rest = [entry for entry in sys.path if os.path.abspath(entry or ".") != own]
    if request.get("directory"):
        os.chdir(request["directory"])
    sys.path[:] = [*(request.get("path") or []), os.path.dirname(request["module"]), os.getcwd(), *rest]
    sys.argv = [request["module"]]
    artifacts = os.environ.setdefault("SLIPWAY_ARTIFACTS", os.path.join(directory, "artifacts"))
    os.makedirs(artifacts, exist_ok=True)
    if __name__ != "__main__":
        sys.modules.pop(__name__, None)  # the user may have a module of this name
    os.environ.setdefault("SLIPWAY_RUN_ID", "")
    os.environ.setdefault("SLIPWAY_ATTEMPT", "1")
    os.environ["MPLBACKEND"] = "Agg"
    os.environ.setdefault("PLOTLY_RENDERER", "plotly_mimetype")


class Terminated(SystemExit):
    """The run was ended from outside, by SIGTERM."""


def end_on_sigterm() -> None:
    """A run that is ended leaves by SystemExit, so that its `finally` and `atexit` still tidy up."""
    try:
        import _signal as signal  # type: ignore[import-not-found]  # `signal` imports enum: 7 ms
    except ImportError:
        import signal

    def leave(*_: object) -> None:
        raise Terminated("ended from outside by SIGTERM")

    signal.signal(signal.SIGTERM, leave)
    # A pool ends its forked workers by SIGTERM, often while they hold its lock: they must not tidy up.
    os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))


def carried(directory: str, request: dict[str, Any], outputs: Outputs) -> None:
    """Call `main` and write what it gave."""
    returned = loaded(request["module"]).main(**arguments(request))
    values = values_of(returned)
    if values.get("result") is not None:
        outputs.result(values["result"])
    outputs.figures()
    outputs.write()
    put(directory, "value.json", small_json(values))
    if request.get("probe"):
        put(directory, "fingerprints.json", fingerprints(request["probe"], values, outputs))


def run(directory: str) -> int:
    """Carry the request of this directory; the exit code: 0, or 1 with an error.json."""
    directory = os.path.abspath(directory)
    with open(os.path.join(directory, "request.json"), encoding="utf-8") as file:
        request = json_value(file.read())
    request["module"] = os.path.abspath(request["module"])
    outputs = Outputs(directory)
    end_on_sigterm()
    try:
        prepare(directory, request)
        capture(outputs)
        carried(directory, request, outputs)
    except BaseException as error:  # the user's code: its failure is the run's result
        if isinstance(error, SystemExit) and not error.code:
            outputs.write()
            put(directory, "value.json", {})
            return 0
        return failed(directory, request, outputs, error)
    return 0


def failed(directory: str, request: dict[str, Any], outputs: Outputs, error: BaseException) -> int:
    try:
        outputs.figures()
    except Exception as another:  # drawing is the user's code, too; the first error is the one to tell
        print(f"An open figure could not be drawn: {another}", file=sys.stderr)
    outputs.write()
    description = described(error, request["module"])
    put(directory, "error.json", description)
    print(description["traceback"], end="", file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(run(sys.argv[1]))
