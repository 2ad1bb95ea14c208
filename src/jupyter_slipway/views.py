"""What people read, as rich renderables: a terminal prints them, a notebook shows them as HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.markup import escape
from rich.padding import Padding
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from jupyter_slipway.errors import SlipwayError
from jupyter_slipway.jobs.compare import Change, Comparison
from jupyter_slipway.jobs.model import Job, Schedule, Version
from jupyter_slipway.publish.handlers import Published
from jupyter_slipway.publish.model import Environment, Parameter, Plan, Proof
from jupyter_slipway.runs.model import Run

STYLES = {
    "succeeded": "green",
    "failed": "red",
    "running": "blue",
    "queued": "yellow",
    "cancelled": "dim",
    "same": "green",
    "differs": "red",
    "not comparable": "yellow",
}
ROOMY = 110
"""Columns of a terminal in which all that is said of a run stands in one line, or nearly."""


def ago(moment: datetime | None, now: datetime | None = None) -> str:
    """'6 hours ago', 'in 5 h'; empty for None."""
    if moment is None:
        return ""
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    size = abs(seconds)
    for limit, unit, name in (
        (60, 1, "s"),
        (3600, 60, "min"),
        (86400, 3600, "h"),
        (float("inf"), 86400, "d"),
    ):
        if size < limit:
            count = f"{int(size / unit)} {name}"
            return f"{count} ago" if seconds >= 0 else f"in {count}"
    raise AssertionError(size)


def took(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"


def size(count: float | None) -> str:
    """Bytes in words."""
    if count is None:
        return ""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            return f"{count:.0f} {unit}"
        count /= 1024
    raise AssertionError(count)


def refusal(error: SlipwayError) -> RenderableType:
    text = Text(error.message, style="red")
    return Text.assemble(text, "\n", error.hint) if error.hint else text


def jobs_table(jobs: Sequence[Job]) -> RenderableType:
    if not jobs:
        return Text("No jobs yet. Publish a cell: jupyter slipway publish NOTEBOOK --cell CELL --name JOB")
    table = _table("Job", "Version", "Owner", "Schedule", "Last run", "Source")
    for job in jobs:
        last = job.recent[0] if job.recent else None
        table.add_row(
            escape(job.name),
            _versions(job),
            escape(job.owner),
            escape(job.schedule.words + ("" if job.schedule.enabled else " (paused)")) if job.schedule else "",
            Text.assemble(_state(last.state), f" {ago(last.queued_at)}") if last else "",
            escape(job.notebook.rpartition("/")[2]),
        )
    return table


def job_view(job: Job, versions: Sequence[Version]) -> RenderableType:
    facts = _facts()
    facts.add_row("Owner", escape(job.owner + (f", deputy {job.deputy}" if job.deputy else "")))
    if job.description:
        facts.add_row("About", escape(job.description))
    facts.add_row("Production", f"version {job.production} of {job.latest}")
    tries = "one attempt" if job.policy.attempts == 1 else f"{job.policy.attempts} attempts"
    where = f" on {job.policy.cluster}" if job.policy.cluster else ""
    facts.add_row("Runs", escape(f"{tries} of at most {took(job.policy.timeout)}{where}"))
    facts.add_row("Source", escape(f"{job.notebook}, cell {job.cell}"))
    if job.schedule:
        facts.add_row("Schedule", schedule_view(job.schedule))
    return Group(Text(job.name, style="bold"), facts, versions_table(versions, job.production))


def no_cluster(name: str, known: Sequence[str]) -> str:
    """Of the cluster that a job is to compute on."""
    there_are = f"There {'is' if len(known) == 1 else 'are'}: {', '.join(known)}. Or make" if known else "Make"
    return (
        f"There is no cluster {name!r} yet: until it is made, each run fails. "
        f"{there_are} it: jupyter slipway cluster new {name}"
    )


def schedule_view(schedule: Schedule) -> RenderableType:
    words = f"{schedule.words}: {schedule.cron}"  # the words name the time zone
    if not schedule.enabled:
        return Text(f"{words}, paused")
    next_times = ", ".join(moment.strftime("%a %d %b %H:%M %Z") for moment in schedule.upcoming[:5])
    missed = f"\n{schedule.missed} due times passed while nothing ran." if schedule.missed else ""
    return Text(f"{words}\nNext: {next_times}{missed}\nSchedules run only while this machine is on.")


def versions_table(versions: Iterable[Version], production: int = 0) -> RenderableType:
    table = _table("Version", "Proof", "Author", "When", "Revision", "Environment", "Note")
    for version in versions:
        revision = version.revision
        table.add_row(
            f"v{version.number}" + (" production" if version.number == production else ""),
            _state(version.proof.verdict if version.proof else "no proof"),
            escape(version.author),
            ago(version.created_at),
            f"{revision.commit[:9]}{'*' if revision.dirty else ''}" if revision else "",
            _packages(version.environment) + ("" if version.environment.locked else ", not locked"),
            escape(version.note),
        )
    return table


def runs_table(runs: Sequence[Run]) -> RenderableType:
    if not runs:
        return Text("No runs. Start one: jupyter slipway run JOB")
    return _Runs(runs)


class _Runs:
    """A terminal that is too narrow for words has no room for parameters and author: `show RUN` says them."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._runs = runs

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        narrow = options.max_width < ROOMY
        table = _table("Run", "Job", "State", "When", "Took", *(() if narrow else ("Parameters", "By")))
        for column in (0, 2):  # an id is to be copied, a state to be found
            table.columns[column].no_wrap = True
        for run in self._runs:
            said = () if narrow else (escape(_settings(run)), escape(run.author))
            job = escape(f"{run.job} v{run.version}")
            table.add_row(run.id, job, _state(run.state), ago(run.queued_at), took(run.duration), *said)
        yield table


def run_view(run: Run) -> RenderableType:
    facts = _facts()
    facts.add_row("State", _state(run.state))
    facts.add_row("Parameters", escape(_settings(run)))
    facts.add_row("By", escape(f"{run.author} ({run.trigger})"))
    facts.add_row("Queued", f"{run.queued_at:%Y-%m-%d %H:%M:%S} UTC, {ago(run.queued_at)}")
    if run.attempt > 1:
        facts.add_row("Attempt", f"{run.attempt} of {run.policy.attempts}")
    if run.progress is not None and run.ended_at is None:
        facts.add_row("Progress", escape(f"{run.progress:.0%} {run.progress_text}"))
    if run.duration is not None:
        facts.add_row(
            "Took",
            f"{took(run.duration)}, {took(run.cpu_seconds)} of processor, {size(run.peak_memory)} at most",
        )
    if run.value is not None:
        for name, value in run.value.items() if isinstance(run.value, dict) else [("Value", run.value)]:
            facts.add_row(escape(str(name)), escape(str(value)))
    parts: list[RenderableType] = [Text(f"{run.job} v{run.version} · {run.id}", style="bold"), facts]
    if run.error is not None:
        parts.append(Text(f"{run.error.kind}: {run.error.message}", style="red"))
        for frame in run.error.frames:
            where = f"cell [{frame.cell_index}], line {frame.cell_line}" if frame.cell else f"module, line {frame.line}"
            parts.append(Text.assemble((f"  {where}: ", "bold"), frame.source.strip()))
    return Group(*parts)


def plan_view(plan: Plan, *, module: bool = True) -> RenderableType:
    kept = [cell for cell in plan.cells if cell.kept]
    cells = _table("Cell", "", "Why")
    for cell in plan.cells:
        style = "" if cell.kept else "dim"
        cells.add_row(f"[{cell.index}]", "kept" if cell.kept else "left out", escape(cell.reason), style=style)
    parts: list[RenderableType] = [
        Text(f"{plan.name}: {len(kept)} of {len(plan.cells)} cells run", style="bold"),
        cells,
        parameters_table(plan.parameters),
        environment_view(plan.environment),
    ]
    parts += [Text(f"! {warning.message}", style="yellow") for warning in plan.warnings]
    if module:
        parts.append(Panel(Syntax(plan.module, "python", background_color="default", word_wrap=True), title="module"))
    parts.append(proof_view(plan.proof))
    return Group(*parts)


def parameters_table(parameters: Sequence[Parameter]) -> RenderableType:
    if not parameters:
        return Text("No parameters.")
    table = _table("Parameter", "Type", "Default", "About")
    for one in parameters:
        kind = f"{one.type} of {one.item}" if one.item else one.type
        about = one.description or ("" if one.on else "not taken; turn on with --set-parameter")
        table.add_row(escape(one.name), kind, escape(repr(one.default)), escape(about), style="" if one.on else "dim")
    return table


def environment_view(environment: Environment) -> RenderableType:
    state = "locked" if environment.locked else environment.note or "not locked"
    return Text(f"Environment: Python {environment.python}, {_packages(environment)}, {state}")


def _packages(environment: Environment) -> str:
    count = len(environment.packages)
    return f"{count} package{'' if count == 1 else 's'}"


def proof_view(proof: Proof | None) -> RenderableType:
    if proof is None:
        return Text("Proof: none. Publish with --run to compare the module with the notebook.", style="dim")
    where = f", on {proof.cluster}." if proof.cluster else ""
    words = Text.assemble("Proof: ", _state(proof.verdict), where, f" {proof.reason}")
    if proof.seconds:
        words.append(f" ({took(proof.seconds)})", style="dim")
    lines = [
        Text(f"  {one.name}: the notebook has {one.expected}, the module gives {one.found}")
        for one in proof.differences
    ]
    return Group(words, *lines)


def published_view(published: Published) -> RenderableType:
    version = published.version
    parts: list[RenderableType] = [
        Text(published.message, style="bold"),
        parameters_table(version.parameters),
        environment_view(version.environment),
        proof_view(version.proof),
        Text(f"digest {version.digest[:16]}", style="dim"),
        Text(f"Run it: jupyter slipway run {version.job}"),
    ]
    if published.run:
        parts.append(Text(f"Queued run {published.run.id}"))
    return Group(*parts)


def comparison_view(comparison: Comparison) -> RenderableType:
    if comparison.same:
        return Text("The two versions hold the same.")
    parts: list[RenderableType] = [Text(f"{comparison.job} v{comparison.old} → v{comparison.new}", style="bold")]
    for title, changes in (("Parameters", comparison.parameters), ("Packages", comparison.packages)):
        if changes:
            parts += [Text(title, style="bold"), Padding(_changes(changes), (0, 2))]
    if comparison.module:
        parts += [Text("Module", style="bold"), Syntax(comparison.module, "diff", background_color="default")]
    return Group(*parts)


def _changes(changes: Sequence[Change]) -> RenderableType:
    table = _table("", "before", "after")
    for change in changes:
        table.add_row(escape(change.name), escape(change.old or "—"), escape(change.new or "—"))
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _facts() -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    return table


def _state(state: str) -> Text:
    return Text(str(state), style=STYLES.get(str(state), ""))


def _versions(job: Job) -> str:
    return f"v{job.production}" + (f" (latest v{job.latest})" if job.latest != job.production else "")


def _settings(run: Run) -> str:
    return ", ".join(f"{name}={value}" for name, value in run.parameters.items())
