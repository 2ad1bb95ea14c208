"""What can be set, called or warned of has its place in the docs; nothing names one machine."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from jupyter_slipway.app import SlipwayApp
from jupyter_slipway.cli import HOLDERS
from jupyter_slipway.settings import Settings

ROOT = Path(__file__).parents[1]
DOCS = "\n".join(path.read_text() for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))))
PACKAGE = ROOT / "src" / "jupyter_slipway"


@pytest.mark.parametrize("name", sorted(Settings.read({"SLIPWAY_HOME": "/home/ada/slipway"}).environ()))
def test_every_variable_is_documented(name: str) -> None:
    assert f"`{name}`" in DOCS


@pytest.mark.parametrize("name", sorted(SlipwayApp.class_own_traits(config=True)))
def test_every_trait_is_documented(name: str) -> None:
    assert f"`SlipwayApp.{name}`" in DOCS


@pytest.mark.parametrize("name", sorted(HOLDERS))
def test_every_command_is_documented(name: str) -> None:
    assert re.search(rf"jupyter slipway (\S+, )?{name}\b|`{name} ", DOCS)


@pytest.mark.parametrize(
    "code", sorted(set(re.findall(r'Warn\("(\w+)"', "\n".join(path.read_text() for path in PACKAGE.rglob("*.py")))))
)
def test_every_warning_is_documented(code: str) -> None:
    assert f"`{code}`" in DOCS


def test_links_lead_somewhere() -> None:
    for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for link in re.findall(r"\]\((?!http)([^)#]+)", path.read_text()):
            assert (path.parent / link).exists(), f"{path.name}: {link}"


def test_no_path_of_one_machine_is_committed() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    machine = re.compile(r"(?<![\w.])/(?:root|home/(?!ada))/")
    for name in listed.stdout.splitlines():
        if name.endswith((".py", ".ts", ".tsx", ".md", ".toml", ".json", ".txt", ".lock", "Makefile")):
            found = machine.search((ROOT / name).read_text())
            assert found is None, f"{name}: {found}"
