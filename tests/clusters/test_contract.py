"""What every backend promises, for each of them: one suite, run over `tests.clusters.backends`."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jupyter_slipway.clusters.backends.base import Backend, Ref
from jupyter_slipway.clusters.model import ClusterState, Status, Workers
from jupyter_slipway.clusters.profiles import check
from jupyter_slipway.errors import NotFound, SlipwayError
from tests.clusters.backends import CASES, Case

WITHIN = 120.0


@dataclass(frozen=True)
class Made:
    """A running cluster of one backend."""

    case: Case
    backend: Backend
    options: dict[str, Any]
    ref: Ref
    directory: Path


def until(backend: Backend, ref: Ref, *states: ClusterState) -> Status:
    """What it is, once it is one of `states`."""
    end = time.monotonic() + WITHIN
    while (found := asyncio.run(backend.find(ref))).state not in states:
        assert time.monotonic() < end, found
        assert found.state is ClusterState.STARTING, found
        time.sleep(0.1)
    return found


def with_workers(backend: Backend, ref: Ref) -> None:
    end = time.monotonic() + WITHIN
    while not until(backend, ref, ClusterState.RUNNING).workers:
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    case: Case = request.param
    folder = tmp_path_factory.mktemp("b")
    with case.needs(folder) as needed:
        options = case.options | needed
        backend = case.backend()
        ref = asyncio.run(backend.create("etl", options, folder / "c"))
        try:
            with_workers(backend, ref)
            yield Made(case, backend, options, ref, folder / "c")
        finally:
            asyncio.run(backend.stop(ref))


def test_the_form_is_a_schema_that_its_own_options_pass(made: Made) -> None:
    schema = made.backend.schema()

    assert schema["type"] == "object"
    assert json.loads(json.dumps(schema)) == schema
    check(schema, made.options)


def test_the_form_knows_no_field_that_it_does_not_list(made: Made) -> None:
    with pytest.raises(SlipwayError, match="wrokers"):
        check(made.backend.schema(), made.options | {"wrokers": 1})


def test_a_running_cluster_is_found_by_another_process_from_its_ref_alone(made: Made) -> None:
    ref = json.loads(json.dumps(made.ref))

    found = asyncio.run(made.case.backend().find(ref))

    assert found.state is ClusterState.RUNNING
    assert found.workers >= 1
    assert not found.working


def test_a_ref_holds_no_secret(made: Made) -> None:
    said = json.dumps(made.ref)

    assert "BEGIN" not in said
    assert "token" not in said
    assert made.directory.stat().st_mode & 0o777 == 0o700


def test_made_again_in_the_same_place_it_is_the_same_one(made: Made) -> None:
    again = asyncio.run(made.backend.create("etl", made.options, made.directory))

    assert again == made.ref
    assert asyncio.run(made.backend.find(again)).state is ClusterState.RUNNING


def test_what_a_kernel_gets_names_no_secret_and_imports_nothing_heavy(made: Made) -> None:
    given = made.backend.attach(made.ref, "ada", "kernel-1")
    script = (
        "import json, os, sys; given = json.load(sys.stdin); os.environ.update(given['environ']); space = {};"
        "exec(given['code'], space); print(sorted({'dask', 'distributed', 'pyspark', 'pandas'} & set(sys.modules)))"
    )
    asked = json.dumps({"environ": given.environ, "code": given.code})
    ran = subprocess.run([sys.executable, "-c", script], input=asked, capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "[]"
    assert given.names
    assert all("BEGIN" not in value for value in given.environ.values())


def test_a_process_that_is_attached_computes_on_it(made: Made) -> None:
    if not made.case.computes:
        pytest.skip("nothing real computes in it")
    given = made.backend.attach(made.ref, "ada", "kernel-2")
    script = f"{given.code}\n{made.case.computes}"
    ran = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | given.environ, capture_output=True, text=True, timeout=120
    )

    assert ran.stdout.split()[-1:] == ["45"], ran.stderr


def test_its_figures_count_its_workers(made: Made) -> None:
    found = asyncio.run(made.backend.figures(made.ref))

    assert found.workers >= 1
    assert found.cores >= 1
    assert 0 <= found.cpu <= 1


def test_who_has_asked_for_nothing_has_no_progress_and_nothing_to_cancel(made: Made) -> None:
    assert asyncio.run(made.backend.progress(made.ref, "kernel-9")) is None
    assert asyncio.run(made.backend.cancel(made.ref, "kernel-9")) == ""


def test_each_of_its_logs_is_read_from_an_offset_on(made: Made) -> None:
    parts = made.backend.parts(made.ref)
    assert parts

    for part in parts:
        text, offset = asyncio.run(made.backend.logs(made.ref, part, 0))
        assert offset >= len(text)
        assert asyncio.run(made.backend.logs(made.ref, part, offset))[1] >= offset


def test_a_log_that_it_does_not_have_is_refused(made: Made) -> None:
    with pytest.raises(NotFound, match="kitchen"):
        asyncio.run(made.backend.logs(made.ref, "kitchen", 0))


def test_it_tells_the_packages_of_its_processes(made: Made) -> None:
    found = asyncio.run(made.backend.packages(made.ref))

    assert found
    assert all(versions["python"] for versions in found.values())


def test_its_workers_get_other_packages_or_it_says_why_they_cannot(made: Made) -> None:
    if made.backend.fixed_packages:
        with pytest.raises(SlipwayError) as refused:
            asyncio.run(made.backend.install(made.ref, ["pandas==0.1"]))
        assert refused.value.message == made.backend.fixed_packages
    else:
        assert made.backend.engine == "dask"


def test_its_dashboard_is_on_the_loopback_only(made: Made) -> None:
    address = made.backend.dashboard(made.ref)

    assert address is None or address.startswith("http://127.0.0.1:")


def test_it_scales_or_says_that_it_cannot(made: Made) -> None:
    if not made.case.scales:
        with pytest.raises(SlipwayError):
            asyncio.run(made.backend.scale(made.ref, Workers(2, 2)))
        return
    asyncio.run(made.backend.scale(made.ref, Workers(2, 2)))
    end = time.monotonic() + WITHIN
    while asyncio.run(made.backend.find(made.ref)).workers != 2:
        assert time.monotonic() < end
        time.sleep(0.1)


def test_zz_stopped_it_is_found_stopped_and_may_be_stopped_again(made: Made) -> None:
    # Last in the file: the cluster is the module's.
    asyncio.run(made.backend.stop(made.ref))

    assert asyncio.run(made.backend.find(made.ref)).state is ClusterState.STOPPED
    asyncio.run(made.backend.stop(made.ref))


def test_one_that_never_was_is_found_stopped(made: Made, tmp_path: Path) -> None:
    ref = made.ref | {"directory": str(tmp_path / "nowhere")}

    assert asyncio.run(made.backend.find(ref)).state is ClusterState.STOPPED
