"""What a publish is made of: the values that the plan, the dialog, the registry and the runner pass on.

Values only: no I/O. Every struct here is also a schema of the REST API.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

ParameterType = Literal["int", "float", "str", "bool", "date", "datetime", "path", "list", "dict"]
Verdict = Literal["same", "differs", "not comparable"]


class CellSource(Struct, frozen=True):
    """One code cell as it stands in the notebook, in document order."""

    id: str
    source: str
    index: int
    """Counts code cells from 0 in the notebook's order."""
    name: str = ""


class Execution(Struct, frozen=True):
    """One execution the kernel really did, oldest first."""

    source: str
    cell: str = ""
    """The cell's id; empty when it was typed elsewhere."""
    count: int = 0
    changed: tuple[str, ...] | None = None
    """Names whose content changed when it ran; None when nothing was observed."""
    same: tuple[str, ...] = ()
    """Names seen before and after, and unchanged."""
    new: tuple[str, ...] = ()
    ambient: tuple[str, ...] = ()
    """Ambient states it changed, such as 'random', 'numpy.random', 'environ', 'cwd', 'sys.path', 'matplotlib'."""
    files_read: tuple[str, ...] = ()
    files_written: tuple[str, ...] = ()
    failed: bool = False


class CellPlan(Struct, frozen=True):
    """Why one cell is in the job, or is not."""

    index: int
    id: str
    kept: bool
    reason: str
    source: str = ""


class Parameter(Struct, frozen=True):
    """A value the job can be run with."""

    name: str
    type: ParameterType
    default: Any
    """As JSON: dates and paths are strings."""
    description: str = ""
    on: bool = True
    """False: offered to the user, not taken by default."""
    cell: str = ""
    item: str = ""
    """Element type of a list or dict ('int', 'float', 'str', 'bool', 'date', 'path'); empty when mixed."""
    inline: bool = False
    """True: a literal first argument of a reader or writer call, not an assignment."""
    reason: str = ""
    choices: tuple[str | int | float, ...] = ()
    """The only values it can have; empty: any of its type."""


class LineMapping(Struct, frozen=True):
    """One line of the module and the notebook's line it came from. All lines count from 1."""

    line: int
    cell: str
    index: int
    cell_line: int


class Module(Struct, frozen=True):
    """The Python file a version runs."""

    source: str
    lines: tuple[LineMapping, ...] = ()
    outputs: tuple[str, ...] = ()
    """Names of the values that `main` returns."""
    imports: tuple[str, ...] = ()
    """Top-level packages that the source imports."""


class Package(Struct, frozen=True):
    name: str
    version: str


class Environment(Struct, frozen=True):
    """What the module runs in."""

    python: str
    locked: bool
    packages: tuple[Package, ...] = ()
    lock: str = ""
    """Requirements with hashes; empty when not locked."""
    executable: str = ""
    """The Python that runs the job: of the cached environment, or of the kernel when not locked."""
    note: str = ""


class Difference(Struct, frozen=True):
    name: str
    expected: str
    found: str


class Proof(Struct, frozen=True):
    """Does the module give in a clean process what the notebook gave?"""

    verdict: Verdict
    reason: str = ""
    differences: tuple[Difference, ...] = ()
    compared: tuple[str, ...] = ()
    seconds: float = 0.0
    tolerance: float = 1e-9
    """Floats are the same when they differ by at most this, relative."""
    cluster: str = ""
    """Name of the cluster that the module computed on; '' for none."""


class Warn(Struct, frozen=True):
    """Something the analysis had to assume."""

    code: str
    message: str
    cell: str = ""


class Plan(Struct, frozen=True):
    """What publishing this cell would register."""

    name: str
    notebook: str
    cell: str
    """The cell's id, one that lasts: see `source.lasting_ids`."""
    cells: tuple[CellPlan, ...]
    parameters: tuple[Parameter, ...]
    module: str
    environment: Environment
    warnings: tuple[Warn, ...] = ()
    proof: Proof | None = None
    lines: tuple[LineMapping, ...] = ()
    own_modules: dict[str, str] = {}
    """Files of the user's own beside the notebook that the module imports: path -> source."""
    outputs: tuple[str, ...] = ()
    fingerprint: str = ""
    """Of the code the cell needs, comments and formatting aside: the badge compares it."""
