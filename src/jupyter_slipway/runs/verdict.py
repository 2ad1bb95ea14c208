"""From what an attempt left behind to how it ended, in words a person can use."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

from jupyter_slipway.errors import SlipwayError
from jupyter_slipway.publish.model import LineMapping
from jupyter_slipway.runs import layout, logs, outputs
from jupyter_slipway.runs.attempt import Exit
from jupyter_slipway.runs.engine import Ending
from jupyter_slipway.runs.model import Frame, Run, RunError, RunState

LOST = Ending(
    RunState.FAILED,
    error=RunError(
        "lost",
        "The run's process was gone without telling its end: it was killed, or the machine went down. "
        "It may have done part of its work.",
    ),
)


def of_exit(directory: Path, run: Run, end: Exit) -> Ending:
    """How an attempt ended whose guard has told its end."""
    try:
        return _of_exit(directory, run, end)
    except (OSError, LookupError, ValueError) as error:
        told = RunError("unreadable", f"What the run left in {directory} cannot be read: {error}.")
        return Ending(RunState.FAILED, code=end.code, error=told)


def _of_exit(directory: Path, run: Run, end: Exit) -> Ending:
    usage: dict[str, Any] = {
        "code": end.code,
        "cpu_seconds": end.cpu_seconds,
        "peak_memory": end.peak_memory,
        "duration": end.ended - end.started,
    }
    if end.reason == "cancelled":
        return Ending(RunState.CANCELLED, **usage)
    if end.reason == "timeout":
        return Ending(RunState.FAILED, error=_timeout(directory, run), **usage)
    if end.code == 0:
        return Ending(RunState.SUCCEEDED, value=outputs.value(directory), **usage)
    return Ending(RunState.FAILED, error=_error(directory, end), **usage)


def refused(error: SlipwayError) -> Ending:
    """The run could not be started, and another try would not change it."""
    message = f"{error.message} {error.hint}".strip()
    return Ending(RunState.FAILED, error=RunError(error.code, message), again=False)


def _timeout(directory: Path, run: Run) -> RunError:
    """With the lines it was at, when it could still tell them."""
    told = outputs.error(directory)
    return RunError(
        "timeout",
        f"The run was ended after its time-out of {run.policy.timeout:g} seconds. Give it more time, or less to do.",
        _frames(directory, told) if told else (),
        told["traceback"] if told else logs.tail(directory / "log"),
    )


def _error(directory: Path, end: Exit) -> RunError:
    told = outputs.error(directory)
    if told is None or end.reason == "killed":
        return _without_a_word(directory, end)
    return RunError(told["kind"], told["message"], _frames(directory, told), told["traceback"])


def _without_a_word(directory: Path, end: Exit) -> RunError:
    """The process ended before, or without, telling an error: what its log says last must do."""
    last = logs.tail(directory / "log")
    if end.code == -signal.SIGKILL:
        return RunError(
            "killed",
            "The run's process was killed by the system or by somebody (SIGKILL). Most often memory ran out: "
            f"its peak was {end.peak_memory / 2**20:,.0f} MiB.",
            traceback=last,
        )
    if end.reason == "killed" and end.code >= 0:
        return RunError("killed", "The run was ended because its machine went down.", traceback=last)
    if end.code < 0:
        return RunError("killed", f"The run's process was ended by {_signal(-end.code)}.", traceback=last)
    return RunError(
        "exit",
        f"The run's process ended with code {end.code} and gave no error; see its log.",
        traceback=last,
    )


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _frames(directory: Path, told: dict[str, Any]) -> tuple[Frame, ...]:
    known = layout.lines(directory)
    return tuple(_frame(frame, known) for frame in told["frames"])


def _frame(told: dict[str, Any], known: dict[int, LineMapping]) -> Frame:
    place = known.get(told["line"])
    frame = Frame(told["line"], told["source"], told["function"])
    if place is None:
        return frame
    return Frame(frame.line, frame.source, frame.function, place.cell, place.index, place.cell_line)
