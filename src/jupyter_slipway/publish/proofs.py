"""Proofs on their way: lock and build the environment, run the module clean, widen the slice while it differs.

Started by `handlers`, followed by polling; what it found is used when the cell is published.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from jupyter_slipway.errors import Conflict, NotFound, SlipwayError
from jupyter_slipway.ids import new_id
from jupyter_slipway.publish import environment as environments
from jupyter_slipway.publish.imports import reaches_cluster
from jupyter_slipway.publish.model import Environment, Plan, Proof, Warn
from jupyter_slipway.publish.plan import Planned, with_environment
from jupyter_slipway.publish.proof import prove
from jupyter_slipway.settings import Settings

KEPT = 50
"""Ended proofs that are remembered."""
WIDEST = 2


class Clusters(Protocol):
    """Where cells compute that do so on a cluster."""

    def used_by(self, kernel: str) -> str:
        """Name of the kernel's cluster; '' when it uses none."""
        ...

    def provides(self, cluster: str) -> tuple[str, ...]:
        """Names that an attached kernel has from it; none of a cluster that is not there."""
        ...

    def held(self, cluster: str, proof: str, person: str) -> AbstractAsyncContextManager[Mapping[str, str]]:
        """Variables of a process that computes on it, which runs until this is left.

        Raises:
            SlipwayError: there is no such cluster, or it cannot be started
        """
        ...


class On(Struct, frozen=True):
    """Where a proof computes."""

    cluster: str = ""
    """Its name; '' for no cluster."""
    person: str = ""
    """For whom."""


class ProofProgress(Struct, frozen=True):
    """How far a proof has come."""

    id: str
    step: str
    """What it is doing, in words."""
    fraction: float
    """0 to 1."""
    done: bool
    plan: Plan | None = None
    """When done: the plan that was proved, with its environment and verdict."""


NOWHERE = On()


class Proofs:
    def __init__(self, settings: Settings, clusters: Clusters | None = None) -> None:
        self._settings, self._clusters = settings, clusters
        self._progress: dict[str, ProofProgress] = {}
        self._proved: dict[str, Planned] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def start(self, planner: Callable[[int], Planned], on: On = NOWHERE) -> ProofProgress:
        """Prove what `planner(widen)` plans, in the background of the running loop.

        Args:
            on: the cluster that it computes on

        Raises:
            SlipwayError: it cannot be planned
        """
        # Up to 0.3 s of computing for a large notebook: not on the loop that serves everybody.
        planned = await asyncio.to_thread(planner, 0)
        proof_id = new_id("proof")
        self._progress[proof_id] = ProofProgress(proof_id, "waiting", 0.0, False)
        self._tasks[proof_id] = asyncio.get_running_loop().create_task(self._prove(proof_id, planned, planner, on))
        self._forget()
        return self._progress[proof_id]

    def progress(self, proof_id: str) -> ProofProgress:
        """
        Raises:
            NotFound: no such proof, or it ended long ago
        """
        if proof_id not in self._progress:
            raise NotFound(f"There is no proof {proof_id!r}.", hint="Start it again.")
        return self._progress[proof_id]

    def proved(self, proof_id: str) -> Planned:
        """What was proved.

        Raises:
            NotFound: no such proof
            Conflict: it has not ended
        """
        if not self.progress(proof_id).done:
            raise Conflict("The proof has not ended yet.", hint="Wait for it, cancel it, or publish without it.")
        return self._proved[proof_id]

    async def cancel(self, proof_id: str) -> ProofProgress:
        """End it; its verdict is 'not comparable'."""
        self.progress(proof_id)
        task = self._tasks.get(proof_id)
        if task and not task.done():
            task.cancel()
            await asyncio.wait({task})
        return self.progress(proof_id)

    async def wait(self, proof_id: str) -> ProofProgress:
        self.progress(proof_id)
        await asyncio.wait({self._tasks[proof_id]})
        return self.progress(proof_id)

    async def stop(self) -> None:
        for proof_id in list(self._tasks):
            await self.cancel(proof_id)

    async def _prove(self, proof_id: str, planned: Planned, planner: Callable[[int], Planned], on: On) -> None:
        def tell(step: str, fraction: float) -> None:
            self._progress[proof_id] = ProofProgress(proof_id, step, fraction, False)

        best = planned
        try:
            environment = await self.environment(planned.plan.environment, tell)
            best = with_environment(planned, environment)
            if on.cluster:
                tell(f"waiting for the cluster {on.cluster}", 0.25)
            async with self._computing(on, proof_id) as environ:
                best = await self._widening(best, planner, tell, environ)
        except asyncio.CancelledError:
            best = _judged(best, Proof("not comparable", "The proof was cancelled."))
        except SlipwayError as error:
            best = _judged(best, Proof("not comparable", f"{error.message} {error.hint}".strip()))
        except Exception as error:  # a proof's failure is its verdict, and must reach who waits for it
            best = _judged(best, Proof("not comparable", f"The proof failed: {type(error).__name__}: {error}"))
        finally:
            best = _on(best, on.cluster)
            self._proved[proof_id] = best
            self._progress[proof_id] = ProofProgress(proof_id, "done", 1.0, True, best.plan)

    def _computing(self, on: On, proof_id: str) -> AbstractAsyncContextManager[Mapping[str, str]]:
        if not on.cluster or self._clusters is None:
            return nullcontext({})
        return self._clusters.held(on.cluster, proof_id, on.person)

    async def _widening(
        self,
        planned: Planned,
        planner: Callable[[int], Planned],
        tell: Callable[[str, float], None],
        environ: Mapping[str, str],
    ) -> Planned:
        """The smallest slice that gives the same; the first one when none does."""
        first = await self._judge(planned, tell, environ)
        if _verdict(first) != "differs":
            return first
        tried = {first.plan.module}
        for widen in range(1, WIDEST + 1):
            wider = with_environment(await asyncio.to_thread(planner, widen), planned.plan.environment)
            if wider.plan.module in tried:
                continue
            tried.add(wider.plan.module)
            tell("running it with more of the notebook", 0.5)
            judged = await self._judge(wider, tell, environ)
            if _verdict(judged) == "same":
                return _widened(first, judged)
        return _unrepeatable(first) if len(tried) > 1 else first

    async def _judge(self, planned: Planned, tell: Callable[[str, float], None], environ: Mapping[str, str]) -> Planned:
        given = planned.notebook_values
        parameters = tuple(
            msgspec.structs.replace(one, default=given.get(one.name, one.default)) for one in planned.plan.parameters
        )
        with tempfile.TemporaryDirectory(prefix="slipway-proof-") as scratch:
            proof = await prove(
                planned.module,
                parameters,
                planned.plan.environment,
                planned.expected,
                directory=planned.directory,
                own_modules=planned.plan.own_modules,
                scratch=Path(scratch),
                progress=tell,
                shown=planned.shown,
                environ=environ,
            )
        if given:
            reason = f"{proof.reason} Run with the notebook's {', '.join(given)}.".strip()
            proof = msgspec.structs.replace(proof, reason=reason)
        return _judged(planned, proof)

    async def environment(self, described: Environment, tell: Callable[[str, float], None]) -> Environment:
        """`described`, locked and built, as far as the settings and the index allow."""
        if self._settings.environments == "kernel":
            return msgspec.structs.replace(
                described, note="not locked: this server runs jobs in the kernel's environment"
            )
        tell("locking the environment", 0.05)
        locked = await asyncio.to_thread(environments.lock, described, home=self._settings.home)
        tell("building the environment", 0.15)
        return await asyncio.to_thread(environments.build, locked, self._settings.home)

    def _forget(self) -> None:
        ended = [proof_id for proof_id, progress in self._progress.items() if progress.done]
        for proof_id in ended[:-KEPT]:
            del self._progress[proof_id], self._proved[proof_id], self._tasks[proof_id]


def _judged(planned: Planned, proof: Proof) -> Planned:
    return msgspec.structs.replace(planned, plan=msgspec.structs.replace(planned.plan, proof=proof))


def _on(planned: Planned, cluster: str) -> Planned:
    """`planned`, whose verdict says on which cluster it was found, when the module computes there."""
    plan = planned.plan
    if plan.proof is None or not any(map(reaches_cluster, (plan.module, *plan.own_modules.values()))):
        return planned
    return _judged(planned, msgspec.structs.replace(plan.proof, cluster=cluster))


def _verdict(planned: Planned) -> str:
    return planned.plan.proof.verdict if planned.plan.proof else "not comparable"


def _unrepeatable(first: Planned) -> Planned:
    """`first`, saying that more cells did not help either."""
    proof = first.plan.proof
    assert proof is not None
    reason = f"{proof.reason} With all that ran it differs too: the notebook may not give the same twice."
    return _judged(first, msgspec.structs.replace(proof, reason=reason.strip()))


def _widened(first: Planned, wider: Planned) -> Planned:
    """`wider`, saying which cells the smaller slice lacked."""
    had = {cell.id for cell in first.plan.cells if cell.kept}
    added = [f"[{cell.index}]" for cell in wider.plan.cells if cell.kept and cell.id not in had]
    what = f"cells {', '.join(added)}" if added else "more lines of the same cells"
    missing = ", ".join(one.name for one in first.plan.proof.differences[:5]) if first.plan.proof else ""
    warning = Warn("widened", f"Without {what} the result differed ({missing}): they were added.")
    plan = msgspec.structs.replace(wider.plan, warnings=(*wider.plan.warnings, warning))
    return msgspec.structs.replace(wider, plan=plan)
