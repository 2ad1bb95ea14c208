"""Every execution of every kernel: derived from what its host wrote down, kept in the table `execution`.

Any number of servers may derive the same at once. Called by `handlers`; knows no Jupyter server.
"""

from __future__ import annotations

import ast
import json
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import RowMapping, select

from jupyter_slipway.db import Database, tables
from jupyter_slipway.errors import NotFound
from jupyter_slipway.kernels.host.folder import FACTS
from jupyter_slipway.kernels.model import Execution, ExecutionPage, ExecutionStatus

EXECUTION, KERNEL = tables.execution, tables.kernel
TAKEN = 7
"""Past runs that an estimate looks at."""


class Executions:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._read: dict[Path, tuple[int, int]] = {}

    def derive(self, about: Mapping[str, Any], directory: Path) -> bool:
        """Take up what a kernel's host has written down since the last time; whether there was anything.

        Args:
            about: of the kernel's record
        """
        facts, place = _facts(directory / FACTS, self._read.get(directory))
        if not facts:
            self._read[directory] = place
            return False
        with self._database.write() as write:
            data = self._kernel_row(write, about, facts)
            generation = int(data.get("generation", 1))
            for fact in facts:
                if fact["fact"] == "kernel_started":
                    generation = int(fact["generation"])
                    continue
                values = _values(fact, generation)
                if values is None:
                    continue
                mine = (EXECUTION.c.kernel == about["kernel"]) & (EXECUTION.c.id == fact["id"])
                known = write.execute(select(EXECUTION.c.data).where(mine)).scalar()
                if known is None and fact["fact"] == "queued":
                    write.execute(EXECUTION.insert().values(kernel=about["kernel"], id=fact["id"], **values))
                elif known is not None and fact["fact"] != "queued":
                    values["data"] = json.dumps(json.loads(known) | json.loads(values.get("data", "{}")))
                    write.execute(EXECUTION.update().where(mine).values(**values))
        self._read[directory] = place
        return True

    def _kernel_row(self, write: Any, about: Mapping[str, Any], facts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        mine = KERNEL.c.id == about["kernel"]
        known = write.execute(select(KERNEL.c.data).where(mine)).scalar()
        data: dict[str, Any] = json.loads(known or "{}")
        before = dict(data)
        started = [fact for fact in facts if fact["fact"] == "kernel_started"]
        if started:
            data["generation"] = started[-1]["generation"]
        values = {"spec": about["spec"], "owner": about["owner"], "path": about["path"], "data": json.dumps(data)}
        if known is None:
            write.execute(KERNEL.insert().values(id=about["kernel"], started_at=facts[0]["at"], **values))
        else:
            write.execute(KERNEL.update().where(mine).values(**values))
        # Those of the first facts ran before the start that comes last.
        return before if before else {"generation": started[0]["generation"] if started else 1}

    def ended(self, kernel: str, reason: str, at: float | None = None) -> None:
        """The kernel lives no longer; nor does what nobody has written down the end of."""
        at = at or time.time()
        open_ = (EXECUTION.c.kernel == kernel) & EXECUTION.c.ended_at.is_(None)
        with self._database.write() as write:
            changed = KERNEL.update().where(KERNEL.c.id == kernel, KERNEL.c.ended_at.is_(None))
            write.execute(changed.values(ended_at=at, reason=reason))
            for row in write.execute(select(EXECUTION).where(open_)).mappings().all():
                data = json.loads(row["data"]) | {"reason": reason}
                status = "error" if row["started_at"] else "aborted"
                mine = open_ & (EXECUTION.c.id == row["id"])
                write.execute(EXECUTION.update().where(mine).values(status=status, ended_at=at, data=json.dumps(data)))

    def page(self, kernel: str, *, cell: str = "", before: int | None = None, limit: int = 50) -> ExecutionPage:
        asked = select(EXECUTION).where(EXECUTION.c.kernel == kernel).order_by(EXECUTION.c.number.desc())
        if cell:
            asked = asked.where(EXECUTION.c.cell == cell)
        if before is not None:
            asked = asked.where(EXECUTION.c.number < min(before, 2**63 - 1))  # more than that no store takes
        with self._database.read() as read:
            rows = read.execute(asked.limit(limit + 1)).mappings().all()
        found = tuple(_execution(row) for row in rows[:limit])
        return ExecutionPage(found, found[-1].first if len(rows) > limit else None)

    def get(self, kernel: str, execution: str) -> Execution:
        """
        Raises:
            NotFound: the kernel never was asked for it
        """
        asked = select(EXECUTION).where(EXECUTION.c.kernel == kernel, EXECUTION.c.id == execution)
        with self._database.read() as read:
            row = read.execute(asked).mappings().first()
        if row is None:
            raise NotFound(f"There is no execution {execution!r} in this kernel.", hint="List them.")
        return _execution(row)

    def durations(self, kernel: str, cells: Iterable[str]) -> dict[str, list[float]]:
        """By cell: seconds of its last runs that went well, newest first."""
        wanted = {cell for cell in cells if cell}
        if not wanted:
            return {}
        asked = (
            select(EXECUTION.c.cell, EXECUTION.c.started_at, EXECUTION.c.ended_at)
            .where(EXECUTION.c.kernel == kernel, EXECUTION.c.cell.in_(wanted), EXECUTION.c.status == "ok")
            .order_by(EXECUTION.c.number.desc())
            .limit(TAKEN * len(wanted) * 4)
        )
        found: dict[str, list[float]] = {}
        with self._database.read() as read:
            for cell, started, ended in read.execute(asked):
                if started and ended and len(found.setdefault(cell, [])) < TAKEN:
                    found[cell].append(ended - started)
        return found


def estimate(durations: Sequence[float]) -> float | None:
    """Seconds that the next run takes, by those before; None: there were none."""
    return statistics.median(durations) if durations else None


def waits(estimates: Sequence[float | None], running_for: float | None) -> list[float | None]:
    """Seconds until each of a queue begins.

    Args:
        estimates: seconds of each, in their order; None: unknown
        running_for: seconds for which the first has been running; None: nothing runs
    """
    found: list[float | None] = []
    sum_: float | None = 0.0
    for position, one in enumerate(estimates):
        found.append(sum_)
        left = one
        if position == 0 and running_for is not None and one is not None:
            left = max(0.0, one - running_for)
        sum_ = None if sum_ is None or left is None else sum_ + left
    return found


def binds(code: str, name: str) -> bool:
    """Whether running `code` at the top of a notebook gives `name` a value, as far as the text tells."""
    try:
        tree = ast.parse("\n".join(line for line in code.splitlines() if not line.lstrip().startswith(("%", "!"))))
    except (SyntaxError, ValueError):
        return False
    return name in _bound(tree)


def _bound(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
            continue  # what it binds inside is its own
        if isinstance(node, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        pending += ast.iter_child_nodes(node)
    return found


def _facts(path: Path, place: tuple[int, int] | None) -> tuple[list[dict[str, Any]], tuple[int, int]]:
    """The facts after a place in the file, and the place after them: the file's number and an offset."""
    found: list[dict[str, Any]] = []
    inode, offset = place or (0, 0)
    with suppress(FileNotFoundError), path.open("rb") as file:
        now = path.stat().st_ino
        # Rotated: the file that we read has another name, and what was added to it since is in there.
        old = path.with_name(f"{path.name}.old")
        if now != inode:
            if old.exists():
                found += _lines(old.read_bytes()[offset if old.stat().st_ino == inode else 0 :])
            inode, offset = now, 0
        file.seek(offset)
        text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        found += _lines(whole)
        offset += len(whole)
    return found, (inode, offset)


def _lines(text: bytes) -> list[dict[str, Any]]:
    found = []
    for line in text.splitlines():
        with suppress(ValueError):  # torn, when the host was killed
            found.append(json.loads(line))
    return found


def _values(fact: Mapping[str, Any], generation: int) -> dict[str, Any] | None:
    """What a fact says of an execution's row; None: nothing."""
    kind = fact["fact"]
    if kind == "queued":
        return {
            "number": fact["number"],
            "person": fact["person"],
            "cell": fact["cell"],
            "code": fact["code"],
            "status": "queued",
            "queued_at": fact["at"],
            "data": json.dumps({"generation": generation}),
        }
    if kind == "started":
        return {"status": "running", "started_at": fact["at"], "data": json.dumps({"generation": generation})}
    if kind == "ended":
        data = {"last": fact["number"], "reason": fact.get("reason", "")}
        status = fact["status"] if fact["status"] in ("ok", "error") else "aborted"
        return {"status": status, "ended_at": fact["at"], "count": fact.get("count"), "data": json.dumps(data)}
    return None


def _execution(row: RowMapping) -> Execution:
    data = json.loads(row["data"])
    return Execution(
        id=row["id"],
        kernel=row["kernel"],
        person=row["person"],
        cell=row["cell"],
        code=row["code"],
        status=ExecutionStatus(row["status"]),
        queued_at=moment(row["queued_at"]),
        started_at=moment(row["started_at"]) if row["started_at"] else None,
        ended_at=moment(row["ended_at"]) if row["ended_at"] else None,
        count=row["count"] or None,
        generation=data.get("generation", 1),
        first=row["number"],
        last=data.get("last", 0),
        reason=data.get("reason", ""),
    )


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
