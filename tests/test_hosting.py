"""A host outlives its starter, is known again by its record, and is never mistaken for another process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from jupyter_slipway import hosting
from jupyter_slipway.errors import Unavailable
from tests.waiting import eventually

HOST = """
import os, sys, time, msgspec
from pathlib import Path
from jupyter_slipway import hosting
record = hosting.Record("nowhere", "t", os.getpid(), hosting.process_start(os.getpid()), "n", hosting.boot_id())
here = Path(sys.argv[1])
(here / "x").write_bytes(msgspec.json.encode(record))
os.replace(here / "x", here / hosting.RECORD)
time.sleep(60)
"""


def spawned(directory: Path) -> hosting.Record:
    return hosting.spawn(directory, [sys.executable, "-c", HOST, str(directory)])


def test_a_host_is_found_alive_and_after_its_end_is_not(tmp_path):
    record = spawned(tmp_path / "a")

    assert hosting.alive(record)
    assert hosting.read(tmp_path / "a") == record

    hosting.end(record)

    assert not hosting.alive(record)


def test_a_killed_host_that_nobody_has_reaped_is_not_alive(tmp_path):
    record = spawned(tmp_path / "a")
    os.kill(record.pid, signal.SIGKILL)
    eventually(lambda: not hosting.alive(record))


def test_a_process_that_has_got_the_same_number_is_another(tmp_path):
    record = spawned(tmp_path / "a")

    assert not hosting.alive(msgspec.structs.replace(record, started="1"))
    assert not hosting.alive(msgspec.structs.replace(record, boot="another start of the machine"))
    hosting.end(record)


def test_a_host_outlives_who_started_it(tmp_path):
    script = (
        "import sys; from pathlib import Path; from jupyter_slipway import hosting;"
        "hosting.spawn(Path(sys.argv[1]), [sys.executable, '-c', sys.argv[2], sys.argv[1]])"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "a"), HOST], check=True)

    record = hosting.read(tmp_path / "a")

    assert record is not None
    assert hosting.alive(record)
    hosting.end(record)


def test_a_host_that_ends_at_once_says_why(tmp_path):
    with pytest.raises(Unavailable, match=r"ended with 3.*no such wheel"):
        hosting.spawn(tmp_path / "a", [sys.executable, "-c", "import sys; print('no such wheel'); sys.exit(3)"])


def test_a_host_without_a_record_in_time_is_ended(tmp_path):
    pid = tmp_path / "pid"
    script = f"echo $$ > {pid}; exec sleep 60"
    with pytest.raises(Unavailable, match="did not come up"):
        hosting.spawn(tmp_path / "a", ["/bin/sh", "-c", script], within=1.0)

    eventually(lambda: not hosting.process_start(int(pid.read_text())))


def test_the_record_of_a_dead_host_is_not_taken_for_the_new_one(tmp_path):
    old = spawned(tmp_path / "a")
    hosting.end(old)

    new = spawned(tmp_path / "a")

    assert new.pid != old.pid
    hosting.end(new)


def test_what_lies_in_the_directory_is_private(tmp_path):
    hosting.end(spawned(tmp_path / "a"))

    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "a" / hosting.LOG).stat().st_mode & 0o777 == 0o600
