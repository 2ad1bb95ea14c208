"""On a Dask scheduler: whose tasks are under way, by client and by the cell that asked for them.

A plugin counts as tasks go by, so that a question costs nothing however large the graph. Shipped to schedulers of
others by value: nothing here imports Slipway.
"""

from __future__ import annotations

from typing import Any

from distributed.diagnostics.plugin import SchedulerPlugin

TOPIC = "slipway-cell"
"""A client says here which cell it runs: {'client', 'cell'}."""
NAME = "slipway"
LIVE = ("waiting", "no-worker", "queued", "processing")


class Work:
    """What one cell of one client has asked for since nothing of it was under way."""

    def __init__(self, client: str, cell: str) -> None:
        self.client, self.cell = client, cell
        self.total = self.failed = 0
        self.live: set[Any] = set()
        self.stages: dict[str, int] = {}
        """Of what is under way: how many tasks by the first part of their names."""

    def begin(self, key: Any, stage: str) -> None:
        self.live.add(key)
        self.total += 1
        self.stages[stage] = self.stages.get(stage, 0) + 1

    def end(self, key: Any, stage: str, state: str) -> None:
        self.live.discard(key)
        self.stages[stage] -= 1
        if not self.stages[stage]:
            del self.stages[stage]
        if state == "erred":
            self.failed += 1
        elif state != "memory":
            self.total -= 1  # nobody wants it any longer


class Following(SchedulerPlugin):
    name = NAME

    def __init__(self) -> None:
        self.cells: dict[str, str] = {}
        """Which cell each client runs."""
        self.works: dict[tuple[str, str], Work] = {}
        self.owners: dict[Any, tuple[Work, str]] = {}
        """Of each task that is not done, and its stage."""

    def log_event(self, topic: str, msg: Any) -> None:
        if topic == TOPIC and isinstance(msg, dict):
            self.cells[str(msg.get("client"))] = str(msg.get("cell") or "")

    def update_graph(self, scheduler: Any, *, client: str, tasks: Any = (), **kwargs: Any) -> None:
        cell = self.cells.get(client, "")
        work = self.works.setdefault((client, cell), Work(client, cell))
        for key in tasks:
            task = scheduler.tasks.get(key)
            if task is not None and task.state not in ("memory", "erred") and key not in self.owners:
                stage = task.prefix.name
                self.owners[key] = work, stage
                work.begin(key, stage)
        if not work.live:
            self._forget(work)

    def transition(self, key: Any, start: str, finish: str, *args: Any, **kwargs: Any) -> None:
        if finish in LIVE or start == "released" == finish:
            return
        if key not in self.owners:
            return
        work, stage = self.owners.pop(key)
        work.end(key, stage, finish)
        if not work.live:
            self._forget(work)

    def remove_client(self, scheduler: Any, client: str) -> None:
        self.cells.pop(client, None)

    def of(self, holder: str, cell: str) -> list[Work]:
        """
        Args:
            cell: '' for all of the holder's
        """
        mine = [work for work in self.works.values() if f"-{holder}-" in work.client]
        return [work for work in mine if not cell or work.cell == cell]

    def progress(self, holder: str, cell: str) -> dict[str, Any] | None:
        """As `clusters.model.Progress`; None when nothing is under way."""
        works = self.of(holder, cell)
        if not works:
            return None
        stages: dict[str, int] = {}
        for work in works:
            for stage, count in work.stages.items():
                stages[stage] = stages.get(stage, 0) + count
        total = sum(work.total for work in works)
        return {
            "done": total - sum(stages.values()),
            "total": total,
            "stage": max(stages, key=lambda name: stages[name], default=""),
            "failed": sum(work.failed for work in works),
        }

    def keys(self, client: str, holder: str, cell: str) -> set[Any]:
        """Tasks that are under way for a cell of this client."""
        return set().union(*(work.live for work in self.of(holder, cell) if work.client == client))

    def _forget(self, work: Work) -> None:
        if self.works.get((work.client, work.cell)) is work:
            del self.works[work.client, work.cell]
