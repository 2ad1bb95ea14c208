"""The magics, in a real kernel of a real notebook."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from jupyter_client.manager import start_new_kernel
from traitlets.config import Config

from jupyter_slipway import cli
from jupyter_slipway.client import Client
from jupyter_slipway.errors import Unavailable
from jupyter_slipway.kernels import startup
from jupyter_slipway.runs.model import Run, RunState
from jupyter_slipway.widgets import RunWidget
from tests.builders import write_notebook
from tests.waiting import eventually

Execute = Callable[[str], str]
LAST = "%%publish totals --note first\ntotal = sum(range(month * 10))\ntotal"


@pytest.fixture
def execute(tmp_path: Path, home: Path) -> Iterator[Execute]:
    """Runs code in the kernel of totals.ipynb, and gives what it showed."""
    notebook = write_notebook(tmp_path / "totals.ipynb", "%load_ext jupyter_slipway", "month = 1", LAST)
    environ = os.environ | {"JPY_SESSION_NAME": str(notebook), "COLUMNS": "120"}
    manager, client = start_new_kernel(env=environ, cwd=str(tmp_path))

    def run(code: str) -> str:
        shown: list[str] = []

        def hear(message: dict) -> None:
            content = message["content"]
            shown.append(content.get("text") or content.get("data", {}).get("text/plain", ""))
            if message["msg_type"] == "error":
                shown.append(f"{content['ename']}: {content['evalue']}")

        client.execute_interactive(code, output_hook=hear, timeout=60)
        return "\n".join(shown)

    try:
        yield run
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


def test_a_cell_is_published_where_it_runs(execute: Execute, tmp_path: Path) -> None:
    execute("%load_ext jupyter_slipway")
    execute("month = 1")
    shown = execute(LAST)

    assert "45" in shown
    assert "Registered version 1 of totals." in shown
    with Client.connect(tmp_path) as client:
        version = client.version("totals")
    assert version.proof is not None
    assert version.proof.verdict == "same", version.proof
    assert [parameter.name for parameter in version.parameters] == ["month"]
    assert version.note == "first"


def test_the_line_magic_speaks_the_command_line(execute: Execute) -> None:
    execute("%load_ext jupyter_slipway")

    assert "No jobs yet." in execute("%slipway jobs")
    assert "There is no job 'nothing'." in execute("%slipway diff nothing 1 2")
    assert "Usage" in execute("%slipway --help")
    assert "No such command" in execute("%slipway dance")
    assert json.loads(execute("%slipway jobs --json")) == []
    assert json.loads(execute("%slipway job nothing --json"))["code"] == "not_found"


def test_a_run_is_a_widget_that_ends_with_it(execute: Execute, tmp_path: Path) -> None:
    execute("%load_ext jupyter_slipway")
    execute("month = 1")
    execute(LAST)
    shown = execute("%slipway run totals --set month=2 --wait")

    assert "RunWidget" in shown
    with Client.connect(tmp_path) as client:
        (run,) = client.runs("totals").items
        assert (run.state, run.parameters) == ("succeeded", {"month": 2})
    execute("%slipway runner stop")


def test_what_cannot_be_published_is_said(execute: Execute) -> None:
    execute("%load_ext jupyter_slipway")

    assert "not in the saved notebook" in execute("%%publish totals\n1 + 1")
    assert json.loads(execute("%%publish totals --json\n1").strip().splitlines()[-1])["code"] == "bad_request"


def test_a_terminal_follows_a_run_in_words(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(cli.main, "main", lambda args, **_: asked.append(args))
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    shell.run_line_magic("load_ext", "jupyter_slipway")
    shell.run_line_magic("slipway", "run totals --wait")

    assert asked == [["run", "totals", "--wait"]]


def test_where_slipway_is_not_installed_the_magics_say_what_there_is_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / startup.ATTACHMENT).write_text('{"cluster": "etl"}')
    monkeypatch.setenv(startup.DIRECTORY, str(tmp_path))
    monkeypatch.setitem(sys.modules, "jupyter_slipway", None)
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))

    startup.load_ipython_extension(shell)
    shell.run_cell("%cluster")

    said = capsys.readouterr().err
    assert "has no Slipway. It computes on etl: `client`." in said
    assert "JupyterLab's panel" in said


def test_a_run_whose_server_is_gone_says_so_in_its_widget() -> None:
    class Gone:
        def __enter__(self) -> Gone:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def revive(self) -> None:
            pass

        def get_run(self, run: str) -> Run:
            raise Unavailable("No server answers.", hint="Start it.")

    widget = RunWidget(Gone(), Run("run-1", "totals", 1, RunState.RUNNING, datetime(2026, 1, 1, tzinfo=UTC)))

    assert "No server answers." in eventually(lambda: widget._log.value, lambda text: "<b>" in text)
