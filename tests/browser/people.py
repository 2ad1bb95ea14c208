"""A JupyterLab server with shared kernels, and people who have it open, each in a browser of their own."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Error

from jupyter_slipway.kernels import hosts
from tests.kernels.servers import PEOPLE
from tests.ports import free_port
from tests.waiting import PATIENCE

TOGETHER = (
    "--ServerApp.jpserver_extensions=jupyter_server_ydoc=True",
    "--ServerApp.jpserver_extensions=jupyter_server_fileid=True",
)
APART = ("@jupyter/docprovider-extension", "@jupyter/collaboration-extension")
"""What JupyterLab would not have without jupyter-collaboration."""
ASIDE = [
    f"@jupyterlab/{name}-extension"
    for name in (
        *("console", "csvviewer", "debugger", "documentsearch", "extensionmanager", "help", "htmlviewer", "hub"),
        *("imageviewer", "inspector", "javascript", "json", "logconsole", "lsp", "markdownviewer", "mermaid", "pdf"),
        *("pluginmanager", "terminal", "toc", "tooltip", "vega5"),
    )
]
"""What people who share a notebook do without here: a quarter of a page's time. Who works alone (`lab`) has it all."""


class LabServer:
    """JupyterLab in a process of its own; it can be killed and started again."""

    def __init__(self, home: Path, *, together: bool, base_url: str = "/") -> None:
        self.home, self.together, self.port = home, together, free_port()
        self.root = home / "work"
        self.root.mkdir(parents=True)
        self.base_url = base_url
        self.url = f"http://127.0.0.1:{self.port}{base_url.rstrip('/')}"
        quiet = home / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
        quiet.parent.mkdir(parents=True)
        quiet.write_text('{"fetchNews": "false", "checkForUpdates": false}')
        config = home / "config" / "labconfig" / "page_config.json"
        config.parent.mkdir(parents=True)
        without = ASIDE if together else [*ASIDE, *APART]
        config.write_text(json.dumps({"disabledExtensions": dict.fromkeys(without, True)}))
        self.start()

    def start(self) -> None:
        home = self.home
        environ = os.environ | {
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTER_DATA_DIR": str(home / "data"),
            "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
            "IPYTHONDIR": str(home / "ipython"),
            "SLIPWAY_HOME": str(home / "slipway"),
            "SLIPWAY_ENVIRONMENTS": "kernel",
        }
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.port_retries=0"]
        command += [f"--ServerApp.port={self.port}", f"--ServerApp.root_dir={self.root}"]
        command += [f"--ServerApp.base_url={self.base_url}"]
        command += [
            PEOPLE,
            "--ServerApp.jpserver_extensions=jupyter_slipway=True",
            "--LabApp.expose_app_in_browser=True",
        ]
        command += ["--SlipwayKernelManager.pool=0"]
        command += TOGETHER if self.together else ["--ServerApp.jpserver_extensions=jupyter_server_ydoc=False"]
        with (home / "server.log").open("a") as log:
            self.process = subprocess.Popen(command, env=environ, stdout=log, stderr=log, cwd=Path(__file__).parents[2])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
        hosts.end_all(self.home / "slipway")

    def notebook(self, *sources: str) -> str:
        """Its path; cells are c0, c1 …"""
        cells = [nbformat.v4.new_code_cell(source, id=f"c{number}") for number, source in enumerate(sources)]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        name = f"shared_{secrets.token_hex(3)}.ipynb"
        written = nbformat.v4.new_notebook(metadata={"kernelspec": kernel}, cells=cells)
        (self.root / name).write_text(json.dumps(written))
        return name

    def on_disk(self, path: str, cell: int) -> dict[str, Any]:
        return dict(json.loads((self.root / path).read_text())["cells"][cell])


@contextmanager
def lab_server(home: Path, *, together: bool, base_url: str = "/") -> Iterator[LabServer]:
    server = LabServer(home, together=together, base_url=base_url)
    try:
        yield server
    finally:
        server.stop()


class Person:
    """Somebody's page with a notebook open."""

    def __init__(self, browser: Any, server: LabServer, name: str, **options: Any) -> None:
        self.name, self.server = name, server
        self.context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-US", **options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE * 1000)
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._note)
        slow = self.page.get_by_role("dialog", name="taking some time to load")
        self.page.add_locator_handler(slow, lambda: slow.get_by_role("button", name="Continue waiting").click())

    def _note(self, message: Any) -> None:
        if message.type == "error" and ("slipway" in message.text.lower() or "oldValue" in message.text):
            self.errors.append(message.text)

    def open(self, path: str) -> None:
        self.visit(path)
        self.ready()

    def visit(self, path: str) -> None:
        """JupyterLab with a file open, whatever kind it is of."""
        self.path = path
        until = time.monotonic() + PATIENCE
        while True:
            try:
                workspace = f"{self.name}{secrets.token_hex(2)}"
                self.page.goto(f"{self.server.url}/lab/workspaces/{workspace}/tree/{path}?token={self.name}-token")
                break
            except Error:
                assert time.monotonic() < until, (self.server.home / "server.log").read_text()[-3000:]
                time.sleep(0.5)
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")
        self.page.wait_for_function("window.jupyterapp?.restored.then(() => true)")

    def reload(self) -> None:
        self.page.reload()
        self.ready()

    def ready(self) -> None:
        self.page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
        self.page.locator(".slipway-PeopleButton").wait_for()
        kernel = "window.jupyterapp.shell.currentWidget?.sessionContext.session?.kernel"
        self.page.wait_for_function(f"() => {kernel}?.connectionStatus === 'connected'")

    def cell(self, number: int) -> Any:
        return self.page.locator(".jp-Notebook .jp-CodeCell").nth(number)

    def run(self, *numbers: int) -> None:
        for number in numbers:
            self.cell(number).locator(".cm-content").click()
            self.page.keyboard.press("Control+Enter")

    def mark(self, number: int) -> Any:
        return self.cell(number).locator(".slipway-Mark-chip")

    def output(self, number: int) -> Any:
        return self.cell(number).locator(".jp-OutputArea")

    def prompt(self, number: int) -> Any:
        return self.cell(number).locator(".jp-InputPrompt")

    def until_on_disk(self, holds: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < until
            self.page.wait_for_timeout(200)

    def close(self) -> None:
        self.context.close()
