"""A kernel's packages put before the workers': what would be done is shown, done exactly so, and refused in words."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_slipway.client import Client
from jupyter_slipway.clusters.handlers import ClusterRequest
from jupyter_slipway.clusters.packages import compare, installed
from jupyter_slipway.clusters.synchronise import Refusal, plan
from jupyter_slipway.errors import Conflict, Forbidden, Unavailable, Unprocessable
from jupyter_slipway.runs import runner
from tests.waiting import eventually

SAME = {"python": "3.12.1", "platform": "Linux x86_64"}


def test_only_what_the_kernel_has_otherwise_is_installed() -> None:
    kernel = SAME | {"pandas": "2.2.3", "numpy": "2.1.0"}
    workers = {
        "scheduler": SAME,
        "tls://a": SAME | {"pandas": "2.1.0", "numpy": "2.1.0", "theirs": "1"},
        "tls://b": SAME | {"pandas": "2.2.3", "numpy": "2.1.0"},
    }

    shown = plan(kernel, workers)

    assert (shown.install, shown.refused) == (["pandas==2.2.3"], [])
    assert shown.words.startswith("1 package is put into a folder of this cluster")
    assert "2 workers are restarted" in shown.words


def test_what_workers_have_beyond_a_run_is_nothing_to_it() -> None:
    workers = {"scheduler": SAME, "tls://a": SAME | {"pandas": "2.1.0", "theirs": "1"}}

    equal = compare(SAME | {"pandas": "2.1.0"}, {"tls://a": workers["tls://a"]}, of="run")
    differs = compare(SAME | {"pandas": "2.2.3"}, workers, of="run")

    assert (equal.equal, equal.words) == (True, "3 packages are the same in the run and on 1 worker.")
    assert [(one.name, one.kernel, one.workers) for one in differs.rows] == [("pandas", "2.2.3", "2.1.0, none")]


@pytest.mark.parametrize(
    ("name", "version", "why"),
    [
        ("dask", "2026.9", "scheduler and workers speak by it"),
        ("ours", "1.0 from a folder", "installed from a folder"),
        ("torch", "2.9+cu128", "local version"),
        ("psutil", "9", "a worker has loaded it before"),
        ("--index-url=https://elsewhere.example", "1", "not a package's name"),
        ("tides", "1 --pre", "not a package's name and version"),
    ],
)
def test_what_cannot_be_installed_says_why(name: str, version: str, why: str) -> None:
    shown = plan(SAME | {name: version}, {"tls://a": SAME})

    assert shown.install == []
    assert [why in one.why for one in shown.refused if isinstance(one, Refusal)] == [True], shown


@pytest.mark.parametrize(
    ("kernel", "words"),
    [
        (SAME | {"python": "3.13.0", "x": "1"}, "The kernel runs on Python 3.13, the workers on Python 3.12"),
        (SAME | {"platform": "Darwin arm64", "x": "1"}, "The kernel runs on Darwin arm64"),
        (SAME, "The workers have all that the kernel has."),
    ],
)
def test_another_python_or_platform_is_refused_as_a_whole(kernel: dict[str, str], words: str) -> None:
    shown = compare(kernel, {"tls://a": SAME}).plan

    assert (shown.install, words in shown.words) == ([], True), shown


@pytest.fixture
def slipway(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """With an index that has one package, and no other."""
    a_wheel(tmp_path / "index", "slipway-probe", "1.0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    with Client.connect() as client:
        yield client
        for one in client.clusters():
            client.delete_cluster(one.name)
    runner.stop(home)


def test_workers_of_a_running_cluster_get_what_they_lack_and_their_environment_stays(
    slipway: Client, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = {"workers": {"minimum": 1, "maximum": 1}, "cores": 1, "memory": "512 MiB"}
    slipway.new_cluster(ClusterRequest("etl", "small", size))
    assert slipway.settle("etl").state == "running"
    kernel = installed() | {"slipway-probe": "1.0"}
    shown = slipway.compare_packages("etl", kernel).plan
    assert shown.install == ["slipway-probe==1.0"]

    with pytest.raises(Conflict, match="not what they were"):
        slipway.synchronise_packages("etl", kernel, "another")
    gone = slipway.compare_packages("etl", kernel | {"slipway-probe": "2.0"}).plan
    with pytest.raises(Unavailable, match=r"slipway-probe==2\.0.*Nothing was changed"):
        slipway.synchronise_packages("etl", kernel | {"slipway-probe": "2.0"}, gone.digest)

    done = slipway.synchronise_packages("etl", kernel, shown.digest)
    assert [(row.name, row.where) for row in done.rows] == [("slipway-probe", "scheduler")]
    assert done.plan.words == "The workers have all that the kernel has."
    assert "slipway-probe" not in installed()
    slipway.scale_cluster("etl", 2, 2)
    eventually(lambda: slipway.figures("etl").workers, lambda workers: workers == 2)
    assert slipway.compare_packages("etl", kernel).plan.install == []

    with monkeypatch.context() as as_bob:
        as_bob.setenv("SLIPWAY_USER", "bob")
        with Client.connect() as bob:
            refused = bob.compare_packages("etl", installed() | {"slipway-probe": "3.0"}).plan
            assert "whose cluster it is" in refused.words
            with pytest.raises(Forbidden):
                bob.synchronise_packages("etl", kernel, shown.digest)


def test_a_cluster_without_a_python_of_its_workers_refuses(slipway: Client, home: Path) -> None:
    (home / "profiles.yaml").write_text("tiny: {backend: memory}\n")
    size = {"workers": {"minimum": 1, "maximum": 1}, "cores": 1, "memory": "512 MiB"}
    slipway.new_cluster(ClusterRequest("still", "tiny", size))
    slipway.settle("still")

    with pytest.raises(Unprocessable, match="no workers to install packages on"):
        slipway.synchronise_packages("still", installed() | {"x": "1"}, "")


def a_wheel(folder: Path, name: str, version: str) -> None:
    folder.mkdir()
    module = name.replace("-", "_")
    files = {
        f"{module}.py": f"VERSION = {version!r}\n",
        f"{module}-{version}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{module}-{version}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = f"{module}-{version}.dist-info/RECORD"
    lines = [f"{path},sha256={_digest(text)},{len(text)}" for path, text in files.items()]
    with zipfile.ZipFile(folder / f"{module}-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in (files | {record: "\n".join([*lines, f"{record},,\n"])}).items():
            wheel.writestr(path, text)


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
