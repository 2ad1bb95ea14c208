"""Clusters over REST, in a real server, on the backend that is instant; and that the CLI says the same."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from jupyter_slipway.cli import main
from jupyter_slipway.runs import runner
from tests.serving import Server, serving
from tests.waiting import eventually

TINY = "tiny: {backend: memory, options: {workers: {minimum: 2, maximum: 2}}, limits: {workers: 4, memory: 2 GiB}}\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home, patch = tmp_path_factory.mktemp("home"), pytest.MonkeyPatch()
    patch.setenv("SLIPWAY_HOME", str(home))
    patch.setenv("SLIPWAY_USER", "ada")
    (home / "profiles.yaml").write_text(TINY)
    with serving(tmp_path_factory.mktemp("root"), home) as server:
        yield server
    runner.stop(home)
    patch.undo()


def ask(server: Server, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Status and decoded answer."""
    request = urllib.request.Request(f"{server.http._url}/slipway/api/{path}", method=method)
    request.add_header("Authorization", f"token {server.http._token}")
    try:
        with urllib.request.urlopen(request, None if body is None else json.dumps(body).encode()) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_a_cluster_from_its_making_to_its_end(server: Server) -> None:
    status, made = ask(server, "POST", "clusters", {"name": "etl", "profile": "tiny"})
    assert (status, made["state"], made["owner"]) == (201, "starting", "ada")

    found = eventually(
        lambda: ask(server, "GET", "clusters/etl")[1], lambda one: one["state"] not in ("starting", "stopped")
    )
    assert found["state"] == "running", found
    assert found["live_workers"] == 2

    assert ask(server, "GET", "clusters/etl/figures")[1]["workers"] == 2
    assert ask(server, "POST", "clusters/etl/scale", {"minimum": 3, "maximum": 3})[1]["workers"]["maximum"] == 3
    _, given = ask(server, "POST", "clusters/etl/attach", {"holder": "kernel-1", "path": "a.ipynb"})
    assert given["attachment"]["environ"]["SLIPWAY_CLUSTER"] == "etl"
    assert ask(server, "GET", "attachments")[1]["items"] == [
        {"holder": "kernel-1", "kind": "kernel", "cluster": "etl", "person": "ada"}
    ]
    assert ask(server, "GET", "clusters/etl/progress?holder=kernel-1")[1] == {"progress": None, "again": 1.0}
    assert ask(server, "POST", "clusters/etl/cancel", {"holder": "kernel-1"})[1] == {"remaining": ""}
    assert ask(server, "GET", "clusters/etl/logs")[1]["parts"] == ["host"]
    _, compared = ask(server, "POST", "clusters/etl/packages", {"packages": {"dask": "1.0"}})
    assert not compared["equal"]
    assert {"python", "dask"} <= {row["name"] for row in compared["rows"]}
    assert ask(server, "POST", "clusters/etl/detach", {"holder": "kernel-1"})[1]["holders"] == 0
    assert ask(server, "POST", "clusters/etl/keep")[0] == 200
    assert ask(server, "POST", "clusters/etl/stop")[1]["state"] == "stopped"
    assert ask(server, "DELETE", "clusters/etl") == (200, {"name": "etl"})
    assert ask(server, "GET", "clusters")[1] == {"items": []}


def test_the_profiles_come_with_their_forms(server: Server) -> None:
    status, found = ask(server, "GET", "profiles")

    assert status == 200
    tiny = next(one for one in found["items"] if one["name"] == "tiny")
    assert (tiny["backend"], tiny["engine"], tiny["limits"]["workers"]) == ("memory", "dask", 4)
    assert tiny["defaults"]["workers"] == {"minimum": 2, "maximum": 2}
    assert tiny["schema"]["type"] == "object"


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"name": "Etl!", "profile": "tiny"}, 422, "cannot be a cluster's name"),
        ({"name": "etl", "profile": "huge"}, 404, "no profile 'huge'"),
        ({"name": "etl", "profile": "tiny", "options": {"workers": {"maximum": 5}}}, 422, "workers.maximum: 5"),
        ({"name": "etl", "profile": "tiny", "options": {"memory": "-1 GiB"}}, 422, "memory: '-1 GiB'"),
        ({"name": "etl", "profile": "tiny", "options": {"memory": "3 GiB"}}, 422, "more than 2 GiB"),
        ({"name": "etl", "profile": "tiny", "options": []}, 422, "Expected `object`"),
        ({"name": "etl", "profile": "address", "options": {"address": "ftp://x"}}, 422, "address: 'ftp://x'"),
        ({"name": "etl", "profile": "address", "options": {"address": "tls://x:1"}}, 422, "needs ca, cert and key"),
        ({"name": "etl", "profile": "address", "options": {"address": "tcp://x:70000"}}, 422, "no port that can be"),
        ({}, 422, "name"),
    ],
)
def test_what_cannot_be_is_refused_in_words(server: Server, body: Any, status: int, words: str) -> None:
    found, said = ask(server, "POST", "clusters", body)

    assert (found, words in said["message"]) == (status, True), said
    # Nothing was made: the name is free for who corrects it.
    assert ask(server, "GET", "clusters/etl")[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "clusters/none", None),
        ("DELETE", "clusters/none", None),
        ("POST", "clusters/none/start", {}),
        ("POST", "clusters/none/stop", {}),
        ("POST", "clusters/none/keep", {}),
        ("POST", "clusters/none/scale", {"minimum": 1, "maximum": 1}),
        ("GET", "clusters/none/figures", None),
        ("GET", "clusters/none/logs", None),
        ("POST", "clusters/none/attach", {"holder": "k"}),
        ("POST", "clusters/none/detach", {"holder": "k"}),
        ("GET", "clusters/none/progress?holder=k", None),
        ("POST", "clusters/none/cancel", {"holder": "k"}),
        ("POST", "clusters/none/packages", {"packages": {}}),
        ("POST", "clusters/none/synchronise", {"packages": {}, "digest": "x"}),
        ("GET", "clusters/..%2F..%2Fx", None),
    ],
)
def test_what_is_not_there_is_not_found(server: Server, method: str, path: str, body: Any) -> None:
    assert ask(server, method, path, body)[0] == 404


def test_what_does_not_run_is_a_conflict(server: Server) -> None:
    ask(server, "POST", "clusters", {"name": "still", "profile": "tiny", "start": False})
    try:
        for method, path, body in (
            ("GET", "figures", None),
            ("POST", "attach", {"holder": "k"}),
            ("GET", "progress?holder=k", None),
            ("POST", "packages", {"packages": {}}),
        ):
            status, said = ask(server, method, f"clusters/still/{path}", body)
            assert (status, said["hint"]) == (409, "Start it first."), said
        assert ask(server, "POST", "clusters", {"name": "still", "profile": "tiny"})[0] == 409
        assert ask(server, "POST", "clusters/still/attach", {"holder": "../../x"})[0] == 400
    finally:
        ask(server, "DELETE", "clusters/still")


def run(*words: str) -> Result:
    """The command line, in this process."""
    return CliRunner().invoke(main, words)


def test_the_command_line_works_without_a_server(home: Path) -> None:
    (home / "profiles.yaml").write_text(TINY)

    made = run("cluster", "new", "etl", "--profile", "tiny", "--workers", "1..3", "--memory", "2 GiB", "--json")
    assert made.exit_code == 0, made.output
    found = json.loads(made.stdout)
    assert (found["state"], found["workers"], found["memory"]) == ("running", {"minimum": 1, "maximum": 3}, 2 * 2**30)
    assert "running" in run("clusters").output
    assert json.loads(run("cluster", "scale", "etl", "3", "--json").stdout)["workers"] == {"minimum": 3, "maximum": 3}
    assert json.loads(run("cluster", "adapt", "etl", "1", "2", "--json").stdout)["workers"]["maximum"] == 2
    assert "It is running." in run("cluster", "logs", "etl").output
    assert "tiny" in run("cluster", "profiles").output
    assert json.loads(run("cluster", "keep", "etl", "--json").stdout)["state"] == "running"
    assert json.loads(run("cluster", "stop", "etl", "--json").stdout)["state"] == "stopped"
    assert run("cluster", "start", "etl", "--no-wait").exit_code == 0
    assert run("cluster", "delete", "etl").exit_code == 0
    assert run("clusters", "--json").stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("cluster", "show", "etl"), 3),
        (("cluster", "new", "Etl"), 2),
        (("cluster", "new", "etl", "--workers", "many"), 2),
        (("cluster", "new", "etl", "--set", "memory"), 2),
        (("cluster", "new", "etl", "--profile", "huge"), 3),
    ],
)
def test_the_command_line_refuses_with_its_codes(home: Path, words: tuple[str, ...], code: int) -> None:
    assert run(*words).exit_code == code
