"""What people read of clusters, as rich renderables: a terminal prints them, a notebook shows them as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from jupyter_slipway.clusters import sizes
from jupyter_slipway.clusters.model import Cluster, Figures, Workers
from jupyter_slipway.clusters.packages import Of, PackageComparison
from jupyter_slipway.clusters.profiles import Profile

STYLES = {
    "running": "green",
    "starting": "blue",
    "draining": "yellow",
    "stopping": "yellow",
    "failed": "red",
    "stopped": "dim",
}


def clusters_table(clusters: Sequence[Cluster]) -> RenderableType:
    if not clusters:
        return Text("No clusters yet. Make one: jupyter slipway cluster new NAME --profile small")
    table = _table("Cluster", "State", "Workers", "Of a worker", "Profile", "Owner", "Used by", "Cost")
    for one in clusters:
        table.add_row(
            escape(one.name),
            _state(one),
            workers(one),
            _worker(one),
            escape(one.profile),
            escape(one.owner),
            _holders(one),
            cost(one),
        )
    return table


def cluster_view(cluster: Cluster, figures: Figures | None = None) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_row("Cluster", Text(cluster.name, style="bold"))
    table.add_row("State", _state(cluster))
    if cluster.waiting:
        since = f", since {cluster.silent_since:%H:%M:%S} UTC" if cluster.silent_since else ""
        table.add_row("Waits for", escape(cluster.waiting + since))
    if cluster.reason:
        table.add_row("Why", escape(cluster.reason))
    table.add_row("Workers", f"{workers(cluster)}  ({_worker(cluster)} each)" if cluster.cores else workers(cluster))
    if figures is not None:
        used = f"{sizes.words(figures.memory)} of {sizes.words(figures.memory_limit)}" if figures.memory_limit else ""
        table.add_row("CPU", f"{figures.cpu:.0%} of {_cores(figures.cores)}")
        table.add_row("Memory", used)
        table.add_row("Tasks", f"{figures.processing} running, {figures.tasks} to do, {figures.done} done")
    table.add_row("Profile", escape(f"{cluster.profile} ({cluster.backend})"))
    table.add_row("Owner", escape(cluster.owner))
    table.add_row("Used by", _holders(cluster))
    if cluster.price:
        table.add_row("Cost", f"{cost(cluster)} at {cluster.price:g} {cluster.currency} a worker's hour")
    return table


def profiles_table(profiles: Sequence[Profile]) -> RenderableType:
    table = _table("Profile", "What", "Backend", "Workers", "Of a worker", "Price")
    for one in profiles:
        count = one.defaults.get("workers")
        each = f"{_cores(one.defaults['cores'])}, {one.defaults['memory']}" if "cores" in one.defaults else ""
        table.add_row(
            escape(one.name),
            escape(one.title),
            escape(one.backend),
            between(Workers(count["minimum"], count["maximum"])) if count else "",
            each,
            f"{one.price:g} {one.currency}" if one.price else "",
        )
    return table


def comparison_view(comparison: PackageComparison, of: Of = "kernel") -> RenderableType:
    if comparison.equal:
        return Text(comparison.words)
    table = _table("Package", of.capitalize(), "Workers", "Where")
    table.title = comparison.words
    for row in comparison.rows:
        table.add_row(escape(row.name), row.kernel or "none", row.workers, escape(row.where))
    return table


def plan_view(comparison: PackageComparison) -> RenderableType:
    """What `synchronise` would do."""
    plan = comparison.plan
    table = _table("Package", "What", "Why not")
    for requirement in plan.install:
        name, _, version = requirement.partition("==")
        table.add_row(escape(name), f"{version} is installed", "")
    for one in plan.refused:
        table.add_row(escape(one.name), "stays as it is", escape(one.why))
    said = Text(plan.words)
    return Group(table, said) if plan.install or plan.refused else said


def workers(cluster: Cluster) -> str:
    """'2', '2 of 1 to 4'; wanted ones only when it does not run."""
    if not cluster.workers.maximum:
        return str(cluster.live_workers)
    wanted = between(cluster.workers)
    return f"{cluster.live_workers} of {wanted}" if cluster.state in ("running", "draining", "starting") else wanted


def between(workers: Workers) -> str:
    if workers.minimum == workers.maximum:
        return str(workers.minimum)
    return f"{workers.minimum} to {workers.maximum}"


def cost(cluster: Cluster) -> str:
    return f"{cluster.cost:.2f} {cluster.currency}".strip() if cluster.price else ""


def _worker(cluster: Cluster) -> str:
    if not cluster.cores:
        return ""
    return f"{_cores(cluster.cores)}, {sizes.words(cluster.memory)}"


def _cores(count: int) -> str:
    return f"{count} core" if count == 1 else f"{count} cores"


def _holders(cluster: Cluster) -> str:
    return str(cluster.holders) if cluster.holders else "nobody"


def _state(cluster: Cluster) -> Text:
    text = Text(str(cluster.state), style=STYLES[cluster.state])
    if cluster.state == "starting" and cluster.progress:
        text.append(f" {cluster.progress:.0%}", style="dim")
    if cluster.stops_at is not None:
        left = max(0, int((cluster.stops_at - datetime.now(UTC)).total_seconds()))
        text.append(f", idle: stops in {left} s unless you keep it", style="dim")
    return text


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name)
    return table
