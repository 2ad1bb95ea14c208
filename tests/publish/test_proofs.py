"""A proof that differs is tried with more of the notebook."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_slipway.errors import Conflict, NotFound
from jupyter_slipway.publish.inside.fingerprints import report
from jupyter_slipway.publish.model import Environment, Module, Parameter, Plan
from jupyter_slipway.publish.plan import Planned
from jupyter_slipway.publish.proofs import ProofProgress, Proofs
from jupyter_slipway.settings import Settings

HERE = Environment(python="3.11", locked=False, executable=sys.executable)


def planner(folder: Path, *results: str) -> Callable[[int], Planned]:
    """Plans whose module gives `results[widen]`, against a kernel that holds 2."""

    def planned(widen: int) -> Planned:
        source = f"def main():\n    return {{'x': {results[widen]}}}\n"
        plan = Plan("job", "a.ipynb", "c0", (), (), source, HERE)
        return Planned(plan, Module(source, outputs=("x",)), folder, report({"x": 2}), folder / "a.ipynb")

    return planned


async def prove(proofs: Proofs, plan: Callable[[int], Planned]) -> ProofProgress:
    return await proofs.wait((await proofs.start(plan)).id)


def verdict(folder: Path, *results: str) -> tuple[str, str, list[str]]:
    progress = asyncio.run(prove(Proofs(Settings.read()), planner(folder, *results)))
    assert progress.plan is not None
    assert progress.plan.proof is not None
    return progress.plan.proof.verdict, progress.plan.proof.reason, [one.code for one in progress.plan.warnings]


def test_the_smallest_slice_that_agrees_is_taken(tmp_path: Path) -> None:
    assert verdict(tmp_path, "2", "0", "0") == ("same", "", [])
    assert verdict(tmp_path, "1", "2", "0") == ("same", "", ["widened"])


def test_when_none_agrees_the_smallest_stays_and_says_so(tmp_path: Path) -> None:
    found, reason, _ = verdict(tmp_path, "1", "3", "4")

    assert found == "differs"
    assert "may not give the same twice" in reason


def test_a_cancelled_proof_has_a_verdict_and_blocks_nothing(tmp_path: Path) -> None:
    async def cancelled() -> ProofProgress:
        proofs = Proofs(Settings.read())
        started = await proofs.start(planner(tmp_path, "__import__('time').sleep(60)", "2", "2"))
        with pytest.raises(Conflict, match="not ended"):
            proofs.proved(started.id)
        await asyncio.sleep(0.5)
        return await proofs.cancel(started.id)

    progress = asyncio.run(cancelled())

    assert progress.done
    assert progress.plan is not None
    assert progress.plan.proof is not None
    assert (progress.plan.proof.verdict, progress.plan.proof.reason) == ("not comparable", "The proof was cancelled.")


def test_an_unknown_proof_is_said() -> None:
    with pytest.raises(NotFound, match="no proof 'proof-0'"):
        Proofs(Settings.read()).progress("proof-0")


def test_another_default_is_proved_with_what_the_notebook_has(tmp_path: Path) -> None:
    source = "def main(*, month=7):\n    return {'x': month * 2}\n"
    plan = Plan("job", "a.ipynb", "c0", (), (Parameter("month", "int", 7),), source, HERE)
    planned = Planned(
        plan,
        Module(source, outputs=("x",)),
        tmp_path,
        report({"x": 12}),
        tmp_path / "a.ipynb",
        notebook_values={"month": 6},
    )

    progress = asyncio.run(prove(Proofs(Settings.read()), lambda widen: planned))

    assert progress.plan is not None
    assert progress.plan.proof is not None
    assert (progress.plan.proof.verdict, progress.plan.proof.reason) == ("same", "Run with the notebook's month.")
