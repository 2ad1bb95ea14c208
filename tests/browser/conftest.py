"""A real JupyterLab under a base URL of its own, a real kernel and a real browser, started once for the whole run."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import expect

from jupyter_slipway.kernels import hosts
from tests.browser.people import Person
from tests.ports import free_port
from tests.waiting import PATIENCE

CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


# In milliseconds; in a browser, too, only a failing test waits that long.
expect.set_options(timeout=PATIENCE * 1000)


@dataclass(frozen=True)
class Lab:
    url: str
    """With the base URL, without a slash at the end."""
    token: str
    root: Path
    log: Path


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    home = tmp_path_factory.mktemp("home")
    root = tmp_path_factory.mktemp("work")
    port, token = free_port(), secrets.token_hex(16)
    log = home / "server.log"
    env = os.environ | {
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "SLIPWAY_HOME": str(home / "slipway"),
        "SLIPWAY_USER": "ada",
    }
    env.pop("SLIPWAY_DATABASE", None)
    if not os.environ.get("SLIPWAY_SHOTS"):
        # No package index is needed: only pictures show a locked environment.
        env["SLIPWAY_ENVIRONMENTS"] = "kernel"
    quiet = home / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    quiet.parent.mkdir(parents=True)
    quiet.write_text('{"fetchNews": "false", "checkForUpdates": false}')
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"),
        *("--ServerApp.base_url=/team@a/", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={root}"),
        "--LabApp.expose_app_in_browser=True",
    ]
    with log.open("w") as out:
        server = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=env)
    url = f"http://127.0.0.1:{port}/team@a"
    try:
        _wait_for(f"{url}/api?token={token}", server, log)
        yield Lab(url, token, root, log)
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        # Kernels and the runner outlive the server: that is what they are for.
        hosts.end_all(home / "slipway")
        subprocess.run([sys.executable, "-m", "jupyter_slipway.cli", "runner", "stop"], env=env, check=False)


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        if server.poll() is not None or time.monotonic() > deadline:
            pytest.fail("JupyterLab did not start:\n" + log.read_text()[-4000:])
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)


def chromium() -> str | None:
    """The browser to drive: $CHROMIUM, a system one, or whatever Playwright has downloaded."""
    for name in (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"):
        if name and (found := shutil.which(name)):
            return found
    return None


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type, browser_type_launch_args):
    """Drive the system's Chromium; without any browser, skip here and fail in CI."""
    path = chromium()
    if path is None and not Path(browser_type.executable_path).exists():
        message = "no Chromium: `apt-get install chromium`, or `python -m playwright install chromium --only-shell`"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    return {**browser_type_launch_args, "executable_path": path, "args": CHROMIUM_ARGS}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args):
    """The same window, language and clock everywhere."""
    return {
        **browser_context_args,
        "viewport": {"width": 1440, "height": 900},
        "locale": "en-US",
        "timezone_id": "UTC",
        "reduced_motion": "reduce",
    }


@pytest.fixture
def page(page):
    """A page that remembers the script errors it saw, and what the console said of Slipway."""
    page.set_default_timeout(PATIENCE * 1000)
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("console", lambda message: _note(page, message))
    # On a slow machine jupyter-collaboration asks whether to go on waiting, and never closes the question itself.
    slow = page.get_by_role("dialog", name="taking some time to load")
    page.add_locator_handler(slow, lambda: slow.get_by_role("button", name="Continue waiting").click())
    return page


def _note(page, message) -> None:
    where = f"{message.text} {message.location.get('url', '')}"
    # That a plugin took long to activate says how busy the machine is.
    if message.type in ("error", "warning") and "slipway" in where.lower() and "ms to activate" not in where:
        page.errors.append(where)


@pytest.fixture
def somebody(browser, server):
    """Somebody's browser, by name, at the `server` of the test's own file."""
    there: list[Person] = []

    def browser_of(name: str) -> Person:
        there.append(Person(browser, server, name))
        return there[-1]

    yield browser_of
    for one in there:
        one.close()


@pytest.fixture
def person(somebody):
    """Opens a notebook in somebody's browser, and waits for its kernel."""

    def opened(name: str, path: str) -> Person:
        made = somebody(name)
        made.open(path)
        return made

    return opened


CELLS = (
    ("imports", "import numpy as np\nimport pandas as pd\nimport matplotlib.pyplot as plt"),
    ("settings", "month = 6\nrate = 0.05"),
    ("data", "rng = np.random.default_rng(month)\ndelays = pd.DataFrame({'late': rng.normal(size=300)})"),
    ("look", "delays.describe()"),
    ("model", "scaled = delays * rate"),
    (
        "score",
        "for step in range(5):\n    print('step', step)\nassert month < 12, f'month {month} is not in the data'\n"
        "plt.hist(scaled.late)\nplt.show()\nscaled.head()",
    ),
)


@pytest.fixture
def notebook(lab: Lab) -> str:
    """A notebook's path, with a look at the data that no job needs; cell ids are the names above."""
    cells = [nbformat.v4.new_code_cell(source, id=name) for name, source in CELLS]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    written = nbformat.v4.new_notebook(
        metadata={"kernelspec": kernel}, cells=[nbformat.v4.new_markdown_cell("# Delays", id="title"), *cells]
    )
    name = f"delays_{secrets.token_hex(3)}.ipynb"
    (lab.root / name).write_text(json.dumps(written))
    return name


TEXT = """# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Sums

# %% name="settings"
month = 6
factors = [1, 2]
factors = factors[:1]

# %% name="total"
total = month * sum(factors)
print(total)
"""


@pytest.fixture
def text_notebook(lab: Lab) -> str:
    """A Python file with named cells, which JupyterLab opens as a notebook by jupytext."""
    name = f"sums_{secrets.token_hex(3)}.py"
    (lab.root / name).write_text(TEXT)
    return name
