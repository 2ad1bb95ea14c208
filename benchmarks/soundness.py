"""How often a published cell gives what the notebook gave: twenty notebooks of `notebooks/`, run, planned and proved.

Run by `make bench`, or alone: `python benchmarks/soundness.py [NAME …]`. With folders in place of names, ten notebooks
of each that this was not built with, evenly spread over those in it that need no network; where statsmodels and
matplotlib are installed:

    pip download --no-deps --no-binary scikit-learn,statsmodels scikit-learn==1.9.1 statsmodels==0.15.0
    for one in *.tar.gz; do tar -xf $one; done
    python benchmarks/soundness.py scikit_learn-*/examples statsmodels-*/examples/notebooks

Each notebook runs whole in an observed kernel. Then three or four of its cells are planned and proved, as the dialog
does it, each in a fresh copy of the notebook's folder, so that no file is there that only the kernel wrote. Beside the
twenty of `notebooks/` the peer rule 'plain def/use', judged by the same proof: the cells whose bound names are needed,
by their names alone.
"""

from __future__ import annotations

import ast
import asyncio
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from jupyter_slipway.errors import SlipwayError
from jupyter_slipway.publish.kernel import Snapshot, fresh_kernel, look, observe
from jupyter_slipway.publish.model import CellSource, Module, Proof
from jupyter_slipway.publish.plan import NotebookCell, Planned, PlanRequest, make_plan, result_names
from jupyter_slipway.publish.proof import prove
from jupyter_slipway.publish.proofs import Proofs
from jupyter_slipway.publish.source import read_notebook
from jupyter_slipway.settings import Settings

NOTEBOOKS = Path(__file__).parent / "notebooks"
OWN_MODULES = NOTEBOOKS / "beside"
"""Modules of the notebooks' authors; they lie beside each notebook when it runs."""
TARGETS = 4
AT_ONCE = 2
SECONDS = 300.0
NETWORK = re.compile(
    r"fetch_|urlretrieve|urlopen|get_rdataset|webuse|[Rr]eader\(|requests|https?://\S+\.(?:csv|zip|dta|dat|txt|xlsx?)"
)
CELL = re.compile(r'\n# %%|"cell_type": "code"')
VERDICTS = ("same", "differs", "not comparable")


class Judged(Struct, frozen=True):
    """One cell, published."""

    index: int
    verdict: str
    why: str
    kept: int
    of: int
    widened: str
    """What the smallest slice lacked; empty when it was enough."""
    peer: str
    peer_why: str
    peer_kept: int


class Found(Struct, frozen=True):
    notebook: str
    cells: int
    seconds: float
    """Of all cells in the kernel."""
    judged: tuple[Judged, ...]


# ── which cells ─────────────────────────────────────────────────────────────────────────────────────────────


def targets(requests: Sequence[PlanRequest]) -> list[int]:
    """The last cell that leaves a value, and three others, evenly spread over those that do."""
    able = [index for index, one in enumerate(requests) if _leaves_value(one)]
    spread = {able[(len(able) - 1) * k // (TARGETS - 1)] for k in range(1, TARGETS)} | {able[len(able) // 6]}
    return sorted(spread)


def _leaves_value(request: PlanRequest) -> bool:
    try:
        return bool(result_names(request))
    except SlipwayError:
        return False


# ── the notebook, whole ─────────────────────────────────────────────────────────────────────────────────────


class Ran(Struct, frozen=True):
    requests: list[PlanRequest]
    snapshots: dict[int, Snapshot]
    """Target -> what the kernel ran in the end, with the target's values as they were when it had run."""
    seconds: float


async def run_whole(cells: Sequence[CellSource], directory: Path, name: str) -> Ran:
    asked = [NotebookCell(one.id, one.source, one.name) for one in cells]
    requests = [PlanRequest(notebook=name, cells=asked, cell=one.id, name="job") for one in cells]
    wanted = set(targets(requests))
    reports: dict[int, dict[str, Any]] = {}
    seconds = 0.0
    async with fresh_kernel("python3", directory) as kernel:
        await observe(kernel.client, timeout=60)
        for cell in cells:
            started = time.monotonic()
            outputs = await kernel.run(cell, started + SECONDS)
            seconds += time.monotonic() - started
            requests[cell.index] = msgspec.structs.replace(requests[cell.index], outputs=outputs)
            if cell.index in wanted:
                names = result_names(requests[cell.index])
                reports[cell.index] = (await look(kernel.client, names, cell=cell, timeout=60)).report
        last = await look(kernel.client, (), timeout=60)
    snapshots = {index: msgspec.structs.replace(last, report=report) for index, report in reports.items()}
    return Ran(requests, snapshots, seconds)


# ── ours ────────────────────────────────────────────────────────────────────────────────────────────────────


async def ours(request: PlanRequest, snapshot: Snapshot, root: Path) -> Planned | str:
    """The plan with its proof, widened as the server widens it; in words why there is none."""
    proofs = Proofs(Settings(home=root / ".home", database="", environments="kernel"))
    try:
        proof = await proofs.start(lambda widen: make_plan(request, root, snapshot=snapshot, widen=widen))
    except SlipwayError as error:
        return error.message
    await proofs.wait(proof.id)
    return proofs.proved(proof.id)


# ── the peer ────────────────────────────────────────────────────────────────────────────────────────────────


def def_use(cells: Sequence[CellSource], target: int) -> list[CellSource]:
    """The cells that bind a name which a kept one reads, and the target."""
    kept = [cells[target]]
    needed = _read(cells[target])
    for cell in reversed(cells[:target]):
        if _bound(cell) & needed:
            kept.insert(0, cell)
            needed |= _read(cell)
    return kept


def _tree(cell: CellSource) -> ast.Module:
    return ast.parse("\n".join("" if line.startswith(("%", "!")) else line for line in cell.source.split("\n")))


def _read(cell: CellSource) -> set[str]:
    return {one.id for one in ast.walk(_tree(cell)) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)}


def _bound(cell: CellSource) -> set[str]:
    found: set[str] = set()
    for one in ast.walk(_tree(cell)):
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store):
            found.add(one.id)
        elif isinstance(one, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name.split(".")[0] for alias in one.names}
        elif isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(one.name)
    return found


def def_use_module(kept: Sequence[CellSource], outputs: Sequence[str]) -> Module:
    """A file that runs these cells one after the other in one namespace."""
    *before, last = [ast.unparse(_tree(one)) for one in kept]
    tree = ast.parse(last)
    shown = "None"
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        shown = ast.unparse(tree.body.pop().value)  # type: ignore[attr-defined]
    result = "result" if "result" in outputs else "shown"
    texts = [*before, ast.unparse(tree)]
    source = (
        f"def main():\n    space = {{'__name__': '__main__'}}\n    for text in {texts!r}:\n        exec(text, space)\n"
        f"    shown = eval({shown!r}, space)\n"
        f"    values = {{**space, {result!r}: shown}} if {shown!r} != 'None' else space\n"
        f"    return {{name: values[name] for name in {list(outputs)!r}}}\n"
    )
    return Module(source, outputs=tuple(outputs))


async def peer(cells: Sequence[CellSource], target: int, planned: Planned, root: Path) -> tuple[Proof, int]:
    kept = def_use(cells, target)
    module = def_use_module(kept, planned.module.outputs)
    with tempfile.TemporaryDirectory() as scratch:
        proof = await prove(
            module,
            (),
            planned.plan.environment,
            planned.expected,
            directory=root,
            own_modules={},
            scratch=Path(scratch),
            progress=lambda step, fraction: None,
            timeout=SECONDS,
        )
    return proof, len(kept)


# ── all together ────────────────────────────────────────────────────────────────────────────────────────────


async def judge(path: Path, *, with_peer: bool) -> Found:
    cells = read_notebook(path).cells
    with tempfile.TemporaryDirectory(prefix="soundness-") as folder:
        ran = await run_whole(cells, folder_of(path, Path(folder) / "kernel"), path.name)
        judged = []
        for index, snapshot in ran.snapshots.items():
            planned = await ours(ran.requests[index], snapshot, folder_of(path, Path(folder) / f"ours{index}"))
            if isinstance(planned, str):
                judged.append(Judged(index, "refused", planned, 0, len(cells), "", "", "", 0))
                continue
            proof = planned.plan.proof or Proof("not comparable")
            widened = "; ".join(one.message for one in planned.plan.warnings if one.code == "widened")
            kept = sum(one.kept for one in planned.plan.cells)
            other, count = Proof("", ""), 0
            if with_peer:
                other, count = await peer(cells, index, planned, folder_of(path, Path(folder) / f"peer{index}"))
            judged.append(
                Judged(
                    index,
                    proof.verdict,
                    _why(proof),
                    kept,
                    index + 1,
                    widened,
                    other.verdict,
                    _why(other),
                    count,
                )
            )
    return Found(path.stem, len(cells), ran.seconds, tuple(judged))


def folder_of(path: Path, directory: Path) -> Path:
    """A fresh copy of the notebook's folder."""
    shutil.copytree(OWN_MODULES, directory)
    shutil.copy(path, directory)
    return directory


def _why(proof: Proof) -> str:
    apart = "; ".join(f"{one.name}: {one.expected} / {one.found}" for one in proof.differences[:3])
    return " ".join(f"{proof.reason} {apart}".split())[:300]


async def everything(paths: Iterable[Path], *, with_peer: bool) -> list[Found]:
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(path: Path) -> Found | None:
        async with turn:
            try:
                found = await judge(path, with_peer=with_peer)
            except SlipwayError as error:
                print(f"{path.stem:<20} was not judged: {error.message}", flush=True)
                return None
            print(row(found), flush=True)
            return found

    return [found for found in await asyncio.gather(*(one(path) for path in paths)) if found is not None]


def counts(verdicts: Iterable[str]) -> tuple[int, ...]:
    listed = list(verdicts)
    return tuple(listed.count(one) for one in VERDICTS)


HEAD = (
    f"{'notebook':<20}{'cells':>6}{'run':>7}{'targets':>9}{'same':>6}{'differs':>9}{'not comp.':>11}"
    f"{'kept of':>10}{'widened':>9}"
)
PEER_HEAD = f"   def/use: {'same':>6}{'differs':>9}{'not comp.':>11}{'kept':>6}"


def row(found: Found) -> str:
    same, differs, blind = counts(one.verdict for one in found.judged)
    kept, of = sum(one.kept for one in found.judged), sum(one.of for one in found.judged)
    mine = (
        f"{found.notebook:<20}{found.cells:>6}{found.seconds:>6.1f}s{len(found.judged):>9}{same:>6}{differs:>9}{blind:>11}"
        f"{f'{kept}/{of}':>10}{sum(bool(one.widened) for one in found.judged):>9}"
    )
    if not (peer_kept := sum(one.peer_kept for one in found.judged)):
        return mine
    theirs = counts(one.peer for one in found.judged)
    return f"{mine}            {theirs[0]:>6}{theirs[1]:>9}{theirs[2]:>11}{peer_kept:>6}"


def totals(found: Sequence[Found]) -> list[str]:
    judged = [one for each in found for one in each.judged]
    if not judged:
        return ["No cell was judged."]
    able = [one for one in judged if one.verdict != "not comparable"]
    same = sum(one.verdict == "same" for one in judged)
    at_once = sum(one.verdict == "same" and not one.widened for one in judged)
    theirs = sum(one.peer == "same" for one in judged)
    kept, peer_kept, of = (sum(getattr(one, name) for one in judged) for name in ("kept", "peer_kept", "of"))
    said = [
        f"{len(judged)} cells of {len(found)} notebooks: {same} give the same ({same / len(judged):.0%}; {at_once} of "
        f"them at once, {same - at_once} widened), {len(judged) - len(able)} cannot be compared.",
        f"Of those that can be compared {same / max(1, len(able)):.1%} give the same, with {kept} of {of} cells kept.",
    ]
    if peer_kept:
        share = f"{theirs} give the same ({theirs / len(judged):.0%})"
        said.append(f"Plain def/use: {share}, with {peer_kept} of {of} cells kept.")
    return said


def held_out(folder: Path, count: int = 10) -> list[Path]:
    """Notebooks of at least four cells, chosen by their place in the alphabet alone."""
    able = [
        path
        for path in sorted([*folder.rglob("*.py"), *folder.rglob("*.ipynb")])
        if len(CELL.findall(text := path.read_text())) >= 3 and not NETWORK.search(text)
    ]
    return [able[(2 * k + 1) * len(able) // (2 * count)] for k in range(count)] if able else []


def main() -> None:
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # two notebooks at once share the processors
    names = sys.argv[1:]
    foreign = [Path(one) for one in names if Path(one).exists()]
    if foreign:
        paths = [path for one in foreign for path in (held_out(one) if one.is_dir() else [one])]
    else:
        paths = [one for one in sorted(NOTEBOOKS.glob("*.py")) if not names or one.stem in names]
    if not paths:
        sys.exit(f"No notebook to judge in {' '.join(names)}: nothing was measured.")
    print(HEAD if foreign else HEAD + PEER_HEAD)
    found = asyncio.run(everything(paths, with_peer=not foreign))
    print("\n".join(["", *totals(found)]))
    for each in found:
        for one in each.judged:
            if one.verdict != "same":
                print(f"\n{each.notebook} [{one.index}]: {one.verdict}, with {one.kept} cells. {one.why}")
            elif one.widened:
                print(f"\n{each.notebook} [{one.index}]: the same, widened to {one.kept} cells. {one.widened}")
    if not foreign:
        print("\nWhere plain def/use does not give the same:")
    for each in found:
        for one in each.judged:
            if one.peer not in ("same", ""):
                print(f"  {each.notebook} [{one.index}]: {one.peer}. {one.peer_why[:160]}")


if __name__ == "__main__":
    main()
