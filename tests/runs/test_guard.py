"""The guard alone, in a directory of its own: what it promises holds with no runner at all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_slipway.runs import attempt
from jupyter_slipway.runs.attempt import Exit, Launch, Look, Nest
from tests.waiting import eventually


@pytest.fixture
def nest():
    nest = Nest()
    yield nest
    nest.close()


def laid_out(directory: Path, code: str, *, timeout: float = 60, **more: object) -> Path:
    directory.mkdir(exist_ok=True)
    launch = Launch((sys.executable, "-S", "-c", code), {"GREETING": "hello"}, timeout, wake="/nowhere")
    content = attempt.msgspec.to_builtins(launch) | more
    (directory / "launch.json").write_text(json.dumps(content))
    return directory


def end_of(directory: Path) -> Exit:
    def look() -> Exit | None:
        return attempt.look(directory)[1]

    found: Exit = eventually(look)
    return found


def log(directory: Path) -> str:
    return (directory / "log").read_text()


def is_gone(pid: int) -> bool:
    try:
        return "Z" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True


def test_an_attempt_ends_with_its_code_times_and_usage(tmp_path, nest):
    code = "import os; print(os.environ['GREETING'], os.getpid() == os.getsid(0)); raise SystemExit(3)"
    directory = laid_out(tmp_path / "a", code)
    assert attempt.look(directory) == (Look.NONE, None)
    nest.ensure(directory)
    end = end_of(directory)

    assert (end.code, end.reason) == (3, "ended")
    assert log(directory) == "hello True\n"
    assert 0 < end.cpu_seconds < 10
    assert 5_000_000 < end.peak_memory < 500_000_000
    assert end.started <= end.ended < end.started + 20


def test_guard_can_be_started_by_hand(tmp_path):
    directory = laid_out(tmp_path / "a", "print('by hand')")
    subprocess.run([sys.executable, attempt.GUARD, str(directory)], check=True, timeout=120)

    assert end_of(directory).code == 0


def test_ten_guards_of_one_attempt_start_it_once(tmp_path, nest):
    directory = laid_out(tmp_path / "a", "import time; print('started'); time.sleep(0.3)")
    guards = [
        subprocess.Popen([sys.executable, "-S", attempt.GUARD, str(directory)])
        for _ in range(5)
        if nest.ensure(directory) is None
    ]
    for guard in guards:
        guard.wait(120)
    end_of(directory)
    nest.ensure(directory)
    eventually(lambda: attempt.look(directory)[0] is Look.ENDED)

    assert log(directory) == "started\n"


def test_time_out_ends_the_whole_group(tmp_path, nest):
    code = (
        "import subprocess, sys, time; "
        "child = subprocess.Popen(['sleep', '60']); print(child.pid, flush=True); time.sleep(60)"
    )
    directory = laid_out(tmp_path / "a", code, timeout=0.5)
    nest.ensure(directory)

    assert end_of(directory).reason == "timeout"
    eventually(lambda: is_gone(int(log(directory))))


def test_cancel_ends_it_and_one_that_ignores_sigterm_is_killed(tmp_path, nest):
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('on', flush=True); time.sleep(60)"
    directory = laid_out(tmp_path / "a", code, grace=0.5)
    nest.ensure(directory)
    eventually(lambda: (directory / "log").exists() and log(directory))
    assert attempt.look(directory)[0] is Look.RUNNING
    attempt.cancel(directory)
    end = end_of(directory)

    assert (end.code, end.reason) == (-signal.SIGKILL, "cancelled")


def test_an_attempt_cancelled_before_it_began_does_not_begin(tmp_path, nest):
    directory = laid_out(tmp_path / "a", "print('started')")
    attempt.cancel(directory)
    nest.ensure(directory)

    assert end_of(directory).reason == "cancelled"
    assert not (directory / "log").exists()


def test_a_killed_guard_takes_its_process_along_and_is_seen_as_lost(tmp_path, nest):
    directory = laid_out(tmp_path / "a", "import os, time; print(os.getpid(), flush=True); time.sleep(60)")
    nest.ensure(directory)
    eventually(lambda: (directory / "log").exists() and log(directory))
    os.kill(json.loads((directory / "started.json").read_text())["guard"], signal.SIGKILL)

    eventually(lambda: attempt.look(directory)[0] is Look.LOST)
    eventually(lambda: is_gone(int(log(directory))))
    nest.ensure(directory)
    subprocess.run([sys.executable, attempt.GUARD, str(directory)], check=True, timeout=120)
    assert attempt.look(directory)[0] is Look.LOST


def test_a_guard_outlives_the_nest(tmp_path, nest):
    directory = laid_out(tmp_path / "a", "import time; print('on', flush=True); time.sleep(1); print('end')")
    nest.ensure(directory)
    eventually(lambda: (directory / "log").exists() and log(directory))
    nest.close()

    assert end_of(directory).code == 0
    assert log(directory) == "on\nend\n"


def test_a_killed_nest_is_replaced(tmp_path, nest):
    nest.ensure(laid_out(tmp_path / "a", "pass"))
    end_of(tmp_path / "a")
    nest._process.kill()
    nest._process.wait()
    nest.ensure(laid_out(tmp_path / "b", "pass"))

    assert end_of(tmp_path / "b").code == 0


def test_a_log_beyond_its_limit_is_cut_with_a_note_and_the_run_goes_on(tmp_path, nest):
    directory = laid_out(tmp_path / "a", "print('x' * 5_000_000)", log_limit=1000)
    nest.ensure(directory)

    assert end_of(directory).code == 0
    assert log(directory) == "x" * 1000 + ("\n[slipway] The log has reached 1,000 bytes. What follows is not kept.\n")


def test_a_python_that_is_gone_is_told_in_the_log(tmp_path, nest):
    directory = laid_out(tmp_path / "a", "pass", command=["/no/such/python", "x"])
    nest.ensure(directory)

    assert end_of(directory).code == 127
    assert log(directory).startswith("[slipway] /no/such/python could not be started:")


def test_a_process_killed_from_outside_is_told_so(tmp_path, nest):
    directory = laid_out(tmp_path / "a", "import os; os.kill(os.getpid(), 9)")
    nest.ensure(directory)
    end = end_of(directory)

    assert (end.code, end.reason) == (-9, "killed")


def test_a_daemon_that_keeps_the_stream_open_does_not_keep_the_run(tmp_path, nest):
    code = "import os, time\nif os.fork() == 0:\n    os.setsid(); time.sleep(5)\nprint('end', flush=True)"
    directory = laid_out(tmp_path / "a", code)
    nest.ensure(directory)
    end = end_of(directory)

    assert end.ended - end.started < 4
    assert log(directory) == "end\n"


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 12 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "none", folder], capture_output=True).returncode:
        pytest.skip("no file system may be mounted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_log_that_fills_the_disk_ends_and_leaves_room_for_the_end_to_be_told(small_disk, nest):
    directory = laid_out(small_disk / "a", "import sys\nfor n in range(200_000): print(n, 'x' * 100)\nsys.exit(3)")
    nest.ensure(directory)

    assert end_of(directory).code == 3
    assert log(directory).endswith("[slipway] The disk is full. What follows is not kept.\n")
    assert 10 * 2**20 < (directory / "log").stat().st_size < 12 * 2**20
