"""What the runner asks of the registry, and the service unit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jupyter_slipway import service, units
from jupyter_slipway.db import Database, tables
from jupyter_slipway.errors import Conflict, Unavailable
from jupyter_slipway.events import Events
from jupyter_slipway.jobs.registry import Registry
from jupyter_slipway.jobs.schedules import Schedules
from jupyter_slipway.publish.model import Environment, Parameter
from jupyter_slipway.runs import runner
from jupyter_slipway.runs.engine import Engine, Submission
from jupyter_slipway.runs.model import Run
from jupyter_slipway.service import Carrier
from jupyter_slipway.settings import Settings
from tests.builders import a_version
from tests.waiting import eventually

HERE = Environment(python="3.11", locked=False, executable=sys.executable)


class Bench:
    """A registry with one version, and a run of it."""

    def __init__(self, home: Path, url: str) -> None:
        self.database = Database(url)
        self.database.create()
        self.registry = Registry(self.database, Events())
        self.schedules = Schedules(self.database)
        self.engine = Engine(self.database, home)
        self.carrier = Carrier(Settings.read(), self.registry, self.schedules, self.engine)

    def run(self, environment: Environment = HERE) -> Run:
        draft = a_version(environment=environment, parameters=(Parameter("month", "int", 1),))
        version = self.registry.publish(draft).version
        return self.engine.submit(Submission(version.job, version.number, {}, version.digest, "ada"))


@pytest.fixture
def bench(home: Path, store: str) -> Iterator[Bench]:
    bench = Bench(home, store)
    yield bench
    bench.database.close()


def test_a_version_is_prepared_as_it_was_registered(bench: Bench) -> None:
    prepared = bench.carrier.prepare(bench.run())

    assert prepared.module == a_version().module
    assert prepared.python == sys.executable
    assert prepared.types == {"month": ("int", "")}


def test_a_version_that_was_changed_in_the_store_does_not_run(bench: Bench) -> None:
    run = bench.run()
    with bench.database.write() as connection:
        data = connection.execute(tables.version.select()).one().data
        connection.execute(tables.version.update().values(data=data.replace("return {}", "return 1/0")))

    with pytest.raises(Conflict, match="is not what was registered") as refused:
        bench.carrier.prepare(run)
    assert refused.value.code == "digest"


def test_a_digest_of_a_later_release_is_not_taken_for_tampering(bench: Bench) -> None:
    run = bench.run()
    with bench.database.write() as connection:
        data = connection.execute(tables.version.select()).one().data
        later = data.replace('"digest_format":1', '"digest_format":2,"more":1')
        connection.execute(tables.version.update().values(data=later))

    with pytest.raises(Conflict, match="published with a later Slipway") as refused:
        bench.carrier.prepare(run)
    assert refused.value.code == "release"


def test_an_environment_that_is_gone_is_said(bench: Bench) -> None:
    run = bench.run(Environment(python="3.11", locked=False, executable="/gone/python"))

    with pytest.raises(Conflict, match="/gone/python does not exist"):
        bench.carrier.prepare(run)


def test_what_is_due_is_queued_once(bench: Bench) -> None:
    bench.run()
    bench.schedules.set("churn-daily", "*/5 * * * *", "UTC")
    later = datetime.now(UTC).timestamp() + 301
    bench.carrier.fire(later)
    bench.carrier.fire(later)

    scheduled = [run for run in bench.engine.list(job="churn-daily").items if run.trigger == "schedule"]
    assert len(scheduled) == 1


def test_the_unit_names_this_python_and_home(home: Path) -> None:
    unit = units.unit(Settings.read())

    assert f'ExecStart="{sys.executable}" "-m" "jupyter_slipway.service" --stay' in unit
    assert f'Environment="SLIPWAY_HOME={home}"' in unit
    assert "KillMode=process" in unit


def test_a_service_takes_the_place_of_a_runner_that_was_there(home: Path) -> None:
    settings = Settings.read()
    there = service.start(settings)
    with subprocess.Popen([*service.ENTRY, "--stay"]) as staying:
        try:
            eventually(lambda: runner.status(home).pid == staying.pid)
            assert service.start(settings).pid == staying.pid != there.pid
        finally:
            runner.stop(home)
    assert staying.returncode == 0


def test_whatever_stands_in_a_setting_reaches_the_service_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / 'a "home" of 100 %'))
    monkeypatch.setenv("SLIPWAY_DATABASE", "postgresql://ada:p%40ss@db/slipway")
    unit = tmp_path / units.NAME
    unit.write_text(units.unit(Settings.read()))

    assert f'Environment="SLIPWAY_HOME={tmp_path}/a \\"home\\" of 100 %%"' in unit.read_text()
    assert "p%%40ss" in unit.read_text()
    if shutil.which("systemd-analyze"):
        command = ["systemd-analyze", "--man=no", "--generators=no", "verify", str(unit)]
        known = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)}
        done = subprocess.run(command, capture_output=True, text=True, env=known, check=False)
        # It names the unit in all that it finds wrong with it.
        assert units.NAME not in done.stderr


def test_a_service_goes_also_where_its_manager_cannot_be_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "systemctl").write_text("#!/bin/sh\necho 'no bus' >&2; exit 1\n")
    (tmp_path / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert units.act("uninstall", Settings.read()).startswith("It is not installed")
    with pytest.raises(Unavailable, match="no bus"):
        units.act("install", Settings.read())
    assert units.unit_path().stat().st_mode & 0o777 == 0o600

    with pytest.raises(Unavailable, match="no bus"):
        units.act("uninstall", Settings.read())
    assert not units.unit_path().exists()
