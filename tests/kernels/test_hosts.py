"""What is left in a home by the killed, by an earlier start of the machine, and by those that ended long ago."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jupyter_slipway import hosting
from jupyter_slipway.errors import Unavailable
from jupyter_slipway.hosting import Record
from jupyter_slipway.kernels import hosts
from jupyter_slipway.kernels.host.facts import Facts
from jupyter_slipway.kernels.host.folder import CONFIG, ENDED, FACTS, Config
from tests.waiting import eventually


def left(home: Path, name: str, **changes: Any) -> Path:
    """A kernel's directory with the record of a process that is gone."""
    directory = hosts.folder(home) / name
    directory.mkdir(parents=True)
    about = {"kernel": f"kernel-{name}", "spec": "python3", "owner": "ada", "path": "", "warm": False}
    record = Record("/nowhere", "t", 2**22 - 1, "1", "n", hosting.boot_id(), about=about)
    (directory / hosting.RECORD).write_bytes(msgspec.json.encode(msgspec.structs.replace(record, **changes)))
    (directory / CONFIG).write_bytes(msgspec.json.encode(Config(about["kernel"], "python3", [], {})))
    return directory


def test_after_a_reboot_a_kernel_has_ended_and_what_it_said_is_still_there(home: Path) -> None:
    directory = left(home, "a", boot="an earlier start")
    hosts.tidy(home)

    done = hosts.ended(directory)
    assert done is not None
    assert done["reason"] == "The machine was started anew."
    assert (hosting.read(directory), hosts.find(home, "kernel-a")) == (None, directory)
    assert hosts.living(home) == {}


def test_a_host_that_was_killed_just_now_is_left_for_who_starts_it_anew(home: Path) -> None:
    directory = left(home, "a")
    hosts.tidy(home)

    assert hosting.read(directory) is not None
    assert list(hosts.killed(home)) == [directory]


def test_what_ended_long_ago_is_forgotten(home: Path) -> None:
    old, young = left(home, "a"), left(home, "b")
    for directory, age in ((old, hosts.KEPT + 60), (young, 60)):
        (directory / hosting.RECORD).unlink()
        (directory / ENDED).write_text(json.dumps({"at": time.time() - age, "reason": "x"}))
    hosts.tidy(home)

    assert hosts.directories(home) == [young]


def test_a_host_that_cannot_start_leaves_nothing(home: Path) -> None:
    config = Config("k", "python3", ["no-such-program"], dict(os.environ))
    with pytest.raises(Unavailable, match="No such file or directory: no-such-program"):
        hosts.start(home, config)

    assert hosts.directories(home) == []


def test_on_a_full_disk_no_kernel_starts_and_it_says_what_to_do(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(hosts, "_write_config", refuse)
    with pytest.raises(Unavailable, match=r"the disk is full\. Make room"):
        hosts.start(home, Config("k", "python3", ["python"], {}))

    assert hosts.directories(home) == []


def test_a_host_whose_folder_was_deleted_ends(home: Path) -> None:
    code = "import time; time.sleep(600)"
    directory, record = hosts.start(home, Config("kernel-a", "python3", [sys.executable, "-c", code], dict(os.environ)))
    shutil.rmtree(directory)

    eventually(lambda: not hosting.alive(record))


def test_only_what_never_ended_is_lost_with_a_host(tmp_path: Path) -> None:
    def write(path: Path, *facts: dict[str, Any]) -> None:
        path.write_text("".join(json.dumps(fact) + "\n" for fact in facts) + '{"torn')

    queued = [{"fact": "queued", "id": name, "code": "x", "at": 1.0, "number": 1} for name in "abc"]
    write(tmp_path / f"{FACTS}.old", queued[0], queued[1], {"fact": "started", "id": "b", "at": 2.0})
    write(tmp_path / FACTS, queued[2], {"fact": "ended", "id": "a", "at": 3.0}, {"fact": "ended", "id": "z", "at": 3.0})

    assert {name: one.get("started_at") for name, one in Facts(tmp_path).unended().items()} == {"b": 2.0, "c": None}
