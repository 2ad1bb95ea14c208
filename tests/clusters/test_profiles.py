"""Sizes by name: the built-in ones fit the machine, an administrator's are checked, sizes are read and written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from jupyter_slipway.clusters import sizes
from jupyter_slipway.clusters.backends import Backends
from jupyter_slipway.clusters.backends.dask_local import OWN_GPUS
from jupyter_slipway.clusters.profiles import BUILT_IN, Profiles, fitted, size_of
from jupyter_slipway.errors import Unprocessable

GIB = 2**30


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cores and 8 GiB."""
    monkeypatch.setattr(sizes, "machine_cores", lambda: 2)
    monkeypatch.setattr(sizes, "machine_memory", lambda: 8 * GIB)


def profiles(folder: Path, text: str = "") -> Profiles:
    (folder / "profiles.yaml").write_text(text)
    return Profiles(folder / "profiles.yaml", Backends())


@pytest.mark.parametrize(
    ("text", "count"),
    [("4 GiB", 4 * GIB), ("1.5GiB", 3 * GIB // 2), ("512 mib", 512 * 2**20), ("2 GB", 2 * 10**9), ("100 B", 100)],
)
def test_a_size_is_read_as_people_write_it(text: str, count: int) -> None:
    assert sizes.parse(text) == count


@pytest.mark.parametrize("count", [4 * GIB, 3 * GIB // 2, 512 * 2**20, 100])
def test_a_size_is_written_so_that_it_can_be_read(count: int) -> None:
    assert sizes.parse(sizes.words(count)) == count


@pytest.mark.usefixtures("machine")
def test_the_built_in_sizes_fit_this_machine(tmp_path: Path) -> None:
    found = {one.name: one for one in profiles(tmp_path).all()}

    assert {"small", "medium", "large", "address"} <= set(found)
    for name in ("small", "medium", "large"):
        size = size_of(found[name].defaults)
        assert size.total <= 8 * GIB
        assert size.cores <= 2
        assert size.workers.minimum <= size.workers.maximum


@pytest.mark.usefixtures("machine")
def test_a_size_that_fits_is_left_as_it_is() -> None:
    assert fitted(BUILT_IN["small"].options) == BUILT_IN["small"].options


@pytest.mark.usefixtures("machine")
def test_more_than_this_machine_has_is_refused_with_both_figures(tmp_path: Path) -> None:
    sizes_of = profiles(tmp_path)
    small = sizes_of.get("small")

    with pytest.raises(Unprocessable, match="2 workers of 5 GiB are more than the 8 GiB of this machine"):
        sizes_of.options(small, {"memory": "5 GiB"})
    with pytest.raises(Unprocessable, match="cores: 3 is more than 2"):
        sizes_of.options(small, {"cores": 3})


def test_an_administrators_profile_stands_beside_or_instead_of_ours(tmp_path: Path) -> None:
    found = profiles(
        tmp_path,
        "large: null\nsmall: {backend: memory, title: Ours, price: 2, currency: EUR, labels: {team: data}}",
    ).all()

    names = {one.name: one for one in found}
    assert "large" not in names
    assert (names["small"].title, names["small"].price, names["small"].labels) == ("Ours", 2.0, {"team": "data"})
    assert names["small"].defaults["memory"] == "1 GiB"


def test_the_form_says_defaults_and_limits(tmp_path: Path) -> None:
    found = profiles(
        tmp_path,
        "etl: {backend: memory, options: {cores: 3, workers: {maximum: 5}}, limits: {workers: 6, cores: 4}}",
    ).get("etl")

    properties = found.schema["properties"]
    assert (properties["cores"]["default"], properties["cores"]["maximum"]) == (3, 4)
    assert properties["workers"]["default"] == {"minimum": 1, "maximum": 5}
    assert properties["workers"]["properties"]["maximum"]["maximum"] == 6


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("etl: [", "profiles.yaml cannot be used"),
        ("etl: {backend: memory, colour: red}", "unknown field `colour`"),
        ("etl: {backend: nimbus}", "no backend 'nimbus'"),
        ("etl: {backend: memory, options: {cores: 0}}", "'etl' says what cannot be: cores: 0 is less than 1"),
    ],
)
def test_a_file_that_cannot_be_used_says_where(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        profiles(tmp_path, text).get("etl")

    assert words in refused.value.message


@pytest.mark.usefixtures("machine")
def test_gpus_are_offered_only_where_there_are_some_and_no_more_than_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizes, "machine_gpus", lambda: 0)
    found = {one.name: one for one in profiles(tmp_path).all()}
    assert "gpu" not in found
    assert "gpus" not in found["small"].schema["properties"]

    monkeypatch.setattr(sizes, "machine_gpus", lambda: 2)
    gpu = profiles(tmp_path).get("gpu")
    assert (gpu.defaults["gpus"], gpu.defaults["workers"]) == (1, {"minimum": 1, "maximum": 2})
    with pytest.raises(Unprocessable, match=r"gpus: 2 workers of 2 GPU are more than the 2 of this machine"):
        profiles(tmp_path).options(gpu, {"gpus": 2})


def test_each_worker_gets_gpus_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    workers: list[dict[str, Any]] = [{}, {}]
    for namespace in workers:
        exec(OWN_GPUS.format(machine=3, folder=str(tmp_path), wanted=2), namespace)

    assert [list(namespace["_gpus"]) for namespace in workers] == [["0", "1"], ["2"]]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "2"
    for lock in [lock for namespace in workers for lock in namespace["_gpus"].values()]:
        os.close(lock)
