"""A cell's plan: what would be registered if it were published now. Puts the parts of this folder together.

history ─► slice ─► parameters ─► module ─► environment
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Struct

from jupyter_slipway.errors import NotFound, Unprocessable
from jupyter_slipway.publish import environment as environments
from jupyter_slipway.publish.effects import split_magics
from jupyter_slipway.publish.history import executions
from jupyter_slipway.publish.kernel import Snapshot
from jupyter_slipway.publish.model import CellSource, Environment, Module, Parameter, Plan, Warn
from jupyter_slipway.publish.module import make_module
from jupyter_slipway.publish.own_modules import own_modules
from jupyter_slipway.publish.parameters import ParameterEdit, apply_edits, find_parameters, notebook_values
from jupyter_slipway.publish.provided import with_provided
from jupyter_slipway.publish.slice import Slice, fingerprint, slice_cells
from jupyter_slipway.publish.source import lasting_ids


class NotebookCell(Struct, frozen=True):
    """A code cell as the document has it now."""

    id: str
    source: str
    name: str = ""


class PlanRequest(Struct, frozen=True, kw_only=True):
    notebook: str
    """Path below the server's root."""
    cells: list[NotebookCell]
    """Code cells only, in document order."""
    cell: str
    kernel: str | None = None
    """Id of the live kernel that ran the notebook."""
    snapshot: Snapshot | None = None
    """What a kernel ran and holds, for askers who have looked themselves."""
    outputs: list[dict[str, Any]] = []
    """nbformat outputs of the wanted cell, as the document shows them; pictures need not have their bytes."""
    name: str = ""
    edits: list[ParameterEdit] = []
    cluster: str | None = None
    """Name of the cluster that its runs compute on, '' for none; None: the one that the kernel uses, else the job's."""


class Planned(Struct, frozen=True):
    """A plan with what made it."""

    plan: Plan
    module: Module
    directory: Path
    expected: dict[str, object] | None
    """Fingerprints of the kernel's values; None when no kernel was seen."""
    notebook: Path
    shown: tuple[dict[str, Any], ...] = ()
    """The wanted cell's outputs in the notebook."""
    request: tuple[Any, ...] = ()
    """What was asked: a proof counts for this only."""
    title: Callable[[str], Module] | None = None
    """The same module under another job's name."""
    notebook_values: dict[str, Any] = {}
    """What the notebook has for parameters whose default is another: the proof runs with it."""

    def named(self, name: str) -> Planned:
        """The plan under another name: nothing of what it does changes, so that a proof still counts."""
        if self.title is None or name == self.plan.name:
            return self
        module = self.title(name)
        plan = msgspec.structs.replace(self.plan, name=name, module=module.source, lines=module.lines)
        return msgspec.structs.replace(self, plan=plan, module=module)


def sources(cells: Sequence[NotebookCell]) -> tuple[CellSource, ...]:
    return tuple(CellSource(cell.id, cell.source, index, cell.name) for index, cell in enumerate(cells))


def targeted(request: PlanRequest) -> tuple[CellSource, ...]:
    """The request's cells, when the wanted one is among them.

    Raises:
        NotFound: it is not
    """
    cells = sources(request.cells)
    if not any(cell.id == request.cell for cell in cells):
        raise NotFound(
            f"{request.notebook or 'The notebook'} has no code cell {request.cell!r}.",
            hint="Select a code cell; Markdown cells cannot be published.",
        )
    return cells


def target(request: PlanRequest) -> CellSource:
    """The wanted cell.

    Raises:
        NotFound: it is not among the request's cells
    """
    return next(cell for cell in targeted(request) if cell.id == request.cell)


def result_names(request: PlanRequest) -> tuple[str, ...]:
    """The names whose values the proof compares: what the chosen cell binds, and its last expression."""
    cells = targeted(request)
    return make_module(slice_cells(cells, request.cell), (), title="", notebook="").outputs


def make_plan(
    request: PlanRequest,
    root: Path,
    *,
    snapshot: Snapshot | None,
    notes: Sequence[Warn] = (),
    remembered: Mapping[str, str] = MappingProxyType({}),
    widen: int = 0,
    provided: Collection[str] = (),
) -> Planned:
    """What publishing `request.cell` would register.

    Args:
        root: what the notebook's path is relative to
        snapshot: what the kernel ran and holds
        notes: warnings that the caller has to add
        remembered: descriptions of parameters, from the job's last version
        provided: names that the notebook has from its cluster
        widen: 0 the smallest slice, 1 with every possible mutation, 2 all that ran

    Raises:
        NotFound: no such cell, or no such folder
        Unprocessable: the cell cannot be published; the message says why
    """
    cells = targeted(request)
    notebook = (root / request.notebook).absolute()
    if not request.notebook.strip() or notebook.is_dir():
        raise Unprocessable(
            f"{request.notebook!r} is no notebook's path.", hint="Give the path of a notebook below the server's root."
        )
    if not notebook.parent.is_dir():
        raise NotFound(
            f"There is no folder {str(notebook.parent)!r} for {notebook.name}.",
            hint="Its runs work in the notebook's folder: save the notebook there first.",
        )
    lasting = dict(zip((cell.id for cell in cells), lasting_ids(notebook.name, cells), strict=True))
    ran = executions(cells, snapshot.executions, snapshot.plain, ids_last=True) if snapshot else ()
    chosen = with_provided(slice_cells(cells, request.cell, ran, widen=widen), provided)
    found = _described(find_parameters(chosen), remembered)
    parameters = apply_edits(found, request.edits)
    name = request.name or suggested_name(request, cells)
    requires = _required(chosen)
    python = snapshot.python if snapshot else environments.this_python()
    first = make_module(chosen, parameters, title=name, notebook=notebook.name)
    own = own_modules(first.imports, notebook.parent)
    imports = [one for one in first.imports if f"{one}.py" not in own and f"{one}/__init__.py" not in own]
    environment = environments.describe(
        snapshot.loaded if snapshot else None,
        python,
        snapshot.executable if snapshot else environments.this_executable(),
        imports,
        requires,
    )
    pinned = environments.requirements(environment, imports, requires, snapshot.loaded if snapshot else None)

    def titled(title: str) -> Module:
        version = ".".join(python.split(".")[:2])
        made = make_module(chosen, parameters, title=title, notebook=notebook.name, requires=pinned, python=version)
        lines = tuple(msgspec.structs.replace(one, cell=lasting.get(one.cell, one.cell)) for one in made.lines)
        return msgspec.structs.replace(made, lines=lines)

    module = titled(name)
    plan = Plan(
        name=name,
        notebook=request.notebook,
        cell=lasting[request.cell],
        # Ids that last: a text notebook's cells get others each time it is opened, and the same code would look new.
        cells=tuple(msgspec.structs.replace(one, id=lasting.get(one.id, one.id)) for one in chosen.cells),
        parameters=tuple(msgspec.structs.replace(one, cell=lasting.get(one.cell, one.cell)) for one in parameters),
        module=module.source,
        environment=environment,
        warnings=(*chosen.warnings, *notes),
        lines=module.lines,
        own_modules=own,
        outputs=module.outputs,
        # Always of the document's own order: the badge compares it with a document, not with a kernel.
        fingerprint=fingerprint(slice_cells(cells, request.cell)),
    )
    expected = snapshot.report if snapshot else None
    return Planned(
        plan,
        module,
        notebook.parent,
        expected,
        notebook,
        tuple(request.outputs),
        title=titled,
        notebook_values=notebook_values(found, parameters),
    )


def _described(parameters: Sequence[Parameter], remembered: Mapping[str, str]) -> tuple[Parameter, ...]:
    """What the notebook says of a parameter comes first, then what was said when it was last published."""
    return tuple(
        msgspec.structs.replace(one, description=one.description or remembered.get(one.name, "")) for one in parameters
    )


def suggested_name(request: PlanRequest, cells: Sequence[CellSource]) -> str:
    """A job's name from the cell's own, else from the notebook's."""
    named = next((cell.name for cell in cells if cell.id == request.cell), "")
    words = "".join(
        letter if letter.isascii() and letter.isalnum() else " " for letter in named or Path(request.notebook).stem
    )
    name = "-".join(words.lower().split())[:63].strip("-")
    return name if name and name[0].isalpha() else f"job-{name}".strip("-")[:63]


def _required(chosen: Slice) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(requirement for step in chosen.steps for requirement in split_magics(step.source).requires)
    )


def with_environment(planned: Planned, environment: Environment) -> Planned:
    return msgspec.structs.replace(planned, plan=msgspec.structs.replace(planned.plan, environment=environment))
