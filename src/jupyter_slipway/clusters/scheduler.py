"""What is asked of a Dask scheduler: figures, whose work has come how far, cancelling one holder's work, packages.

Each function takes the `Scheduler` object: called in the process that has it, or shipped there by
`Client.run_on_scheduler`. So nothing here imports Slipway: the scheduler of somebody else does not have it.
"""

from __future__ import annotations

import time
from typing import Any

MUTE = 15.0
"""Seconds without a beat after which a worker is said not to answer: frozen, cut off, or busy in compiled code."""
LIVE = ("waiting", "no-worker", "queued", "processing")
DONE = ("memory", "released", "forgotten")


def figures(dask_scheduler: Any) -> dict[str, Any]:
    """As `clusters.model.Figures`."""
    workers = list(dask_scheduler.workers.values())
    cores = sum(worker.nthreads for worker in workers)
    busy = sum(float(worker.metrics.get("cpu", 0.0)) for worker in workers) / 100
    states: dict[str, int] = {}
    for group in dask_scheduler.task_groups.values():
        for state, count in group.states.items():
            states[state] = states.get(state, 0) + count
    return {
        "workers": len(workers),
        "cores": cores,
        "cpu": min(busy / cores, 1.0) if cores else 0.0,
        "memory": sum(int(worker.metrics.get("memory", 0)) for worker in workers),
        "memory_limit": sum(worker.memory_limit or 0 for worker in workers),
        "tasks": sum(states.get(state, 0) for state in LIVE),
        "processing": states.get("processing", 0),
        "done": sum(prefix.state_counts["memory"] for prefix in dask_scheduler.task_prefixes.values()),
    }


def working(dask_scheduler: Any) -> bool:
    """Whether any task is under way or waits for a worker."""
    return any(group.states[state] for group in dask_scheduler.task_groups.values() for state in LIVE)


def life(dask_scheduler: Any) -> dict[str, Any]:
    """What `clusters.model.Status` says beside its state."""
    workers = dask_scheduler.workers.values()
    mute = sum(time.time() - one.last_seen > MUTE for one in workers)
    waiting = f"{mute} of {len(workers)} workers to answer" if mute else ""
    return {"workers": len(workers), "working": working(dask_scheduler), "waiting": waiting}


def clients_of(dask_scheduler: Any, holder: str) -> list[Any]:
    """The clients of one kernel or run: their names carry its id, through `DASK_CLIENT_NAME`."""
    return [one for key, one in dask_scheduler.clients.items() if f"-{holder}-" in str(key)]


def progress(dask_scheduler: Any, holder: str, cell: str = "") -> dict[str, Any] | None:
    """As `clusters.model.Progress`: of what the holder, or only one cell of it, has asked for; None: nothing."""
    found: dict[str, Any] | None = dask_scheduler.plugins["slipway"].progress(holder, cell)
    return found


def cancel(dask_scheduler: Any, holder: str, cell: str = "", person: str = "") -> int:
    """Forget what the holder wants and is not done; how many tasks already run on a worker and end by themselves."""
    whose = "this cell" if cell else "this notebook or job"
    following = dask_scheduler.plugins["slipway"]
    running = 0
    for client in clients_of(dask_scheduler, holder):
        live = following.keys(client.client_key, holder, cell)
        keys = [task.key for task in client.wants_what if task.key in live]
        if not keys:
            continue
        before = {task.key for worker in dask_scheduler.workers.values() for task in worker.processing}
        tasks = "1 task was" if len(live) == 1 else f"{len(live)} tasks were"
        said = f"{person or 'Somebody'} cancelled what {whose} had on the cluster: {tasks} not done."
        reason = "cancelled in Slipway"  # by which the kernel knows that these words are to be shown
        dask_scheduler.stimulus_cancel(keys, client=client.client_key, force=False, reason=reason, msg=said)
        after = {task.key for worker in dask_scheduler.workers.values() for task in worker.processing}
        running += len(before - after)
    return running


def workers(dask_scheduler: Any) -> list[dict[str, Any]]:
    """Of each: 'name', 'nanny' ('': none keeps it), 'limit' and 'used' in bytes, 'gpus'."""
    return [
        {
            "name": str(one.name),
            "nanny": one.nanny or "",
            "limit": one.memory_limit or 0,
            "used": int(one.metrics.get("memory", 0)),
            "gpus": int(one.resources.get("GPU", 0)),
        }
        for one in dask_scheduler.workers.values()
    ]
