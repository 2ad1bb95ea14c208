"""The command line as scripts use it: in its own process, no server, JSON out, exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from jupyter_slipway.cli import main
from jupyter_slipway.settings import local_user
from tests.builders import write_notebook

Slipway = Callable[..., tuple[int, Any, str]]

LISTING = """jobs
job totals
versions totals
runs
runs --job totals --state failed
show {run}
log {run}
schedule totals
runner status
doctor"""


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    return write_notebook(
        tmp_path / "totals.ipynb",
        "month = 1\nname = 'Ada'",
        "print('a dead end')",
        "print('counting')\ntotal = sum(range(month * 10))\ntotal",
        "1 / 0",
    )


@pytest.fixture
def slipway(tmp_path: Path, home: Path) -> Iterator[Slipway]:
    """`slipway("jobs", "--json")` gives exit code, decoded output and what stood on standard error."""

    def call(*words: str) -> tuple[int, Any, str]:
        done = subprocess.run(
            [sys.executable, "-m", "jupyter_slipway.cli", *words],
            cwd=tmp_path,
            env=os.environ | {"COLUMNS": "160"},
            capture_output=True,
            text=True,
            timeout=120,
        )
        out = json.loads(done.stdout) if "--json" in words and done.returncode in (0, 1) else done.stdout
        return done.returncode, out, done.stderr

    yield call
    call("runner", "stop")


def test_a_dry_run_prints_the_plan_and_registers_nothing(slipway: Slipway, notebook: Path) -> None:
    code, plan, _ = slipway("publish", str(notebook), "--cell", "2", "--name", "totals", "--dry-run", "--json")

    assert code == 0
    assert [(cell["index"], cell["id"], cell["kept"]) for cell in plan["cells"]] == [
        (0, "c0", True),
        (1, "c1", False),
        (2, "c2", True),
        (3, "c3", False),
    ]
    assert all(cell["reason"] for cell in plan["cells"])
    assert plan["proof"] is None
    assert slipway("jobs", "--json")[1] == []


def test_an_exported_job_runs_without_slipway(notebook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(notebook.parent)
    run = CliRunner().invoke
    assert run(main, ["publish", str(notebook), "--cell", "2", "--name", "month-totals"]).exit_code == 0
    assert run(main, ["export", "month-totals", "--folder", "out"]).exit_code == 0
    done = subprocess.run(
        [sys.executable, "out/month_totals.py", "--month", "2"], capture_output=True, text=True, check=True
    )

    assert done.stdout == "counting\ntotal: 190\nresult: 190\n"
    Path("out/month_totals.py").write_text("mine")
    refused = run(main, ["export", "month-totals", "--folder", "out"])
    assert (refused.exit_code, Path("out/month_totals.py").read_text()) == (4, "mine")


def test_run_observes_and_proves(slipway: Slipway, notebook: Path) -> None:
    _, plan, _ = slipway("publish", str(notebook), "--cell", "c2", "--run", "--dry-run", "--json")

    assert plan["proof"]["verdict"] == "same", plan["proof"]


@pytest.mark.slow
def test_the_whole_path(slipway: Slipway, notebook: Path) -> None:
    code, published, _ = slipway(
        "publish", str(notebook), "--cell", "2", "--name", "totals", "--set-parameter", "month:int=3", "--json"
    )
    assert (code, published["version"]["number"]) == (0, 1)

    _, job, _ = slipway("job", "totals", "--owner", "bo", "--attempts", "3", "--json")
    policy = {"timeout": 3600.0, "attempts": 3, "backoff": 10.0, "cluster": ""}
    assert (job["owner"], job["policy"]) == ("bo", policy)

    code, run, _ = slipway("run", "totals", "--set", "month=2", "--wait", "--json")
    assert (code, run["state"], run["value"]["total"]) == (0, "succeeded", sum(range(20)))
    assert run["policy"]["attempts"] == 3
    assert slipway("log", run["id"])[1] == "counting\n"

    code, _, _ = slipway("schedule", "totals", "0 3 * * *", "--tz", "Europe/Berlin")
    assert code == 0
    assert slipway("schedule", "totals", "--pause", "--json")[1]["enabled"] is False
    for line in LISTING.splitlines():
        words = line.format(run=run["id"]).split()
        code, out, error = slipway(*words)
        assert code == 0, (words, out, error)
        assert out.strip() or "runs" in words
    assert slipway("schedule", "totals", "--delete")[0] == 0


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("publish gone.ipynb --cell 0 --name a", 3, "There is no notebook"),
        ("publish totals.ipynb --cell 9 --name a", 3, "no code cell 9"),
        ("publish totals.ipynb --cell 0", 2, "The job has no name"),
        ("publish totals.ipynb --cell 0 --name A", 2, "cannot be a job's name"),
        ("publish totals.ipynb --cell 3 --name a --run", 2, "ZeroDivisionError"),
        ("run nothing", 3, "There is no job 'nothing'"),
        ("runs --job nothing", 3, "There is no job 'nothing'"),
        ("show run-0", 3, "run-0"),
        ("job nothing --owner bo", 3, "There is no job"),
        ("diff nothing 1 2", 3, "There is no job"),
        ("schedule nothing --pause", 3, "There is no job"),
    ],
)
def test_a_refusal_has_its_exit_code_and_text(
    notebook: Path, monkeypatch: pytest.MonkeyPatch, words: str, code: int, message: str
) -> None:
    monkeypatch.chdir(notebook.parent)
    said = CliRunner().invoke(main, words.split())
    assert (said.exit_code, message in " ".join(said.stderr.split())) == (code, True), said.stderr

    said = CliRunner().invoke(main, [*words.split(), "--json"])
    assert said.exit_code == code
    assert message in json.loads(said.stderr)["message"]


@pytest.mark.parametrize(
    ("name", "value", "code", "message"),
    [
        ("SLIPWAY_URL", "nonsense", 2, "is not the URL of a server"),
        ("SLIPWAY_HOME", "/proc/nowhere", 5, "could not be stored"),
        ("SLIPWAY_DATABASE", "postgresql://ada:secret@127.0.0.1:9/none", 5, "Connection refused"),
    ],
)
def test_what_is_set_wrongly_is_said_by_any_command(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, code: int, message: str
) -> None:
    monkeypatch.setenv(name, value)
    said = CliRunner().invoke(main, ["jobs"])
    words = " ".join(said.stderr.split())
    assert (said.exit_code, message in words, "secret" in words) == (code, True, False), words


def test_a_job_for_a_cluster_that_is_not_made_yet_says_so(
    notebook: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(notebook.parent)

    def said(line: str) -> str:
        done = CliRunner().invoke(main, line.split())
        assert done.exit_code == 0, done.stderr
        return " ".join(done.stderr.split())

    said("publish totals.ipynb --cell 0 --name totals --json")
    assert said("job totals --json") == ""
    missing = "There is no cluster 'etl' yet: until it is made, each run fails."

    assert said("job totals --cluster etl --json") == f"{missing} Make it: jupyter slipway cluster new etl"
    assert said("job totals").startswith(missing)
    said("cluster new lab --no-start --json")
    assert said("job totals") == f"{missing} There is: lab. Or make it: jupyter slipway cluster new etl"
    assert said("job totals --cluster lab") == ""


def test_a_user_whom_the_system_has_no_name_for_has_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", unknown)
    for name in ("SLIPWAY_USER", "JUPYTERHUB_USER"):
        monkeypatch.delenv(name, raising=False)
    assert local_user() == f"uid-{os.getuid()}"


def test_a_command_that_is_none_is_told_which_was_meant() -> None:
    said = CliRunner().invoke(main, ["logs"]).output
    assert "No such command 'logs'. Did you mean 'log'?" in said


def test_the_demo_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_slipway.demo.IMPORTED", ("no_such_package",))
    said = CliRunner().invoke(main, ["demo", "--once"])
    assert (said.exit_code, "jupyter-slipway[demo]" in said.stderr) == (3, True)


def commands(group: click.Group, *above: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if isinstance(found, click.Group):
            yield from commands(found, *above, name)
        elif found:
            yield " ".join([*above, name]), found


def test_every_command_but_what_git_calls_and_a_terminal_has_json() -> None:
    without = {name for name, one in commands(main) if "as_json" not in {option.name for option in one.params}}
    assert without == {"console", "git check", "git install", "git merge-driver", "git uninstall"}
