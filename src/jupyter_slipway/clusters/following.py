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

    def told(self, stages: dict[str, int]) -> dict[str, Any]:
        """As `clusters.model.Progress`."""
        stage = max(stages, key=lambda name: stages[name]) if stages else ""
        return {"done": self.total - len(self.live), "total": self.total, "stage": stage, "failed": self.failed}


class Following(SchedulerPlugin):
    name = NAME

    def __init__(self) -> None:
        self.scheduler: Any = None
        self.cells: dict[str, str] = {}
        """Which cell each client runs."""
        self.works: dict[tuple[str, str], Work] = {}
        self.owners: dict[Any, Work] = {}
        """Of each task that is not done."""

    async def start(self, scheduler: Any) -> None:
        self.scheduler = scheduler

    def log_event(self, topic: str, msg: Any) -> None:
        if topic == TOPIC and isinstance(msg, dict):
            self.cells[str(msg.get("client"))] = str(msg.get("cell") or "")

    def update_graph(self, scheduler: Any, *, client: str, tasks: Any = (), **kwargs: Any) -> None:
        cell = self.cells.get(client, "")
        work = self.works.setdefault((client, cell), Work(client, cell))
        for key in tasks:
            task = scheduler.tasks.get(key)
            if task is not None and task.state not in ("memory", "erred") and key not in self.owners:
                self.owners[key] = work
                work.live.add(key)
                work.total += 1
        if not work.live:
            self._forget(work)

    def transition(self, key: Any, start: str, finish: str, *args: Any, **kwargs: Any) -> None:
        if finish in LIVE or start == "released" == finish:
            return
        work = self.owners.pop(key, None)
        if work is None:
            return
        work.live.discard(key)
        if finish == "erred":
            work.failed += 1
        elif finish != "memory":
            work.total -= 1  # nobody wants it any longer
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
        works = self.of(holder, cell)
        if not works:
            return None
        both = Work("", cell)
        stages: dict[str, int] = {}
        for work in works:
            both.total += work.total
            both.failed += work.failed
            both.live |= work.live
        for key in both.live:
            if (task := self.scheduler.tasks.get(key)) is not None:
                stages[task.prefix.name] = stages.get(task.prefix.name, 0) + 1
        return both.told(stages)

    def keys(self, client: str, holder: str, cell: str) -> set[Any]:
        """Tasks that are under way for a cell of this client."""
        return set().union(*(work.live for work in self.of(holder, cell) if work.client == client))

    def _forget(self, work: Work) -> None:
        if self.works.get((work.client, work.cell)) is work:
            del self.works[work.client, work.cell]
