"""What people read, at the width of a terminal."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import msgspec
from rich.console import Console

from jupyter_slipway import views
from jupyter_slipway.runs.model import Run, RunState


def test_a_runs_id_and_state_stay_whole_in_a_narrow_terminal() -> None:
    run = Run(
        "run-01m8d3mext4j3y1834x9mvm5as",
        "delay-model",
        12,
        RunState.SUCCEEDED,
        datetime(2026, 1, 1, tzinfo=UTC),
        parameters={"month": 7, "airports": ["JFK", "LGA"]},
        author="schedule of delay-model",
    )
    console = Console(width=80, file=io.StringIO())
    console.print(views.runs_table([run]))

    shown = console.file.getvalue()
    assert run.id in shown
    assert "succeeded" in shown
    assert shown.count("\n") <= 3  # no column of single letters

    console = Console(width=140, file=io.StringIO())
    console.print(views.runs_table([run]))
    assert "month=7, airports=['JFK', 'LGA']" in console.file.getvalue()


def test_a_progress_line_is_shown_as_it_is() -> None:
    run = Run("run-1", "train", 1, RunState.RUNNING, datetime(2026, 1, 1, tzinfo=UTC), progress=0.5)
    console = Console(width=80, file=io.StringIO())
    console.print(views.run_view(msgspec.structs.replace(run, progress_text="50%| [/data/part] ")))

    assert "50% 50%| [/data/part]" in console.file.getvalue()
