"""The whole path over REST, in a real server; and that every door is locked."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from types import ModuleType
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from tornado.httpclient import HTTPClientError

from jupyter_slipway import app
from jupyter_slipway.api import ENDPOINTS
from tests.server.conftest import Api
from tests.waiting import PATIENCE

CELLS = [
    {"id": "c0", "source": "month = 1\nunused = 'x'"},
    {"id": "c1", "source": "print('a dead end')"},
    {"id": "c2", "source": "total = sum(range(month * 10))\ntotal"},
]
REQUEST = {"notebook": "totals.ipynb", "cells": CELLS, "cell": "c2", "name": "totals"}


async def ended(api: Api, run: str) -> dict[str, Any]:
    """The run, when it has ended."""
    until = time.monotonic() + PATIENCE
    while True:
        _, found = await api("GET", f"runs/{run}")
        if found["state"] not in ("queued", "running"):
            return dict(found)
        assert time.monotonic() < until, found
        await asyncio.sleep(0.1)


async def test_a_plan_says_what_would_run_and_why(api: Api) -> None:
    status, plan = await api("POST", "publish/plan", REQUEST)

    assert status == 200
    assert [cell["kept"] for cell in plan["cells"]] == [True, False, True]
    assert [parameter["name"] for parameter in plan["parameters"] if parameter["on"]] == ["month"]
    assert "def main(" in plan["module"]
    assert plan["proof"] is None


async def test_a_published_cell_runs_with_other_parameters(api: Api) -> None:
    status, published = await api("POST", "publish/versions", REQUEST)
    assert (status, published["created"], published["version"]["number"]) == (201, True, 1)

    status, run = await api("POST", "runs", {"job": "totals", "parameters": {"month": 2}})
    assert status == 201
    found = await ended(api, run["id"])

    assert found["state"] == "succeeded", found
    assert found["value"]["total"] == sum(range(20))
    assert found["digest"] == published["version"]["digest"]
    _, outputs = await api("GET", f"runs/{run['id']}/outputs")
    assert outputs["items"][-1]["data"]["text/plain"] == str(sum(range(20)))


async def test_files_that_a_run_wrote_are_listed_and_read(
    api: Api, http_server_client, jp_auth_header, jp_base_url
) -> None:
    source = """import os, pathlib
folder = pathlib.Path(os.environ.get("SLIPWAY_ARTIFACTS", "."), "plots 100%")
folder.mkdir()
(folder / "größe 数.txt").write_text("made")"""
    cells = [{"id": "c0", "source": source}]
    await api("POST", "publish/versions", {"notebook": "a.ipynb", "cells": cells, "cell": "c0", "name": "files"})
    _, run = await api("POST", "runs", {"job": "files"})
    found = await ended(api, run["id"])
    assert found["state"] == "succeeded", found
    _, artifacts = await api("GET", f"runs/{run['id']}/artifacts")

    assert artifacts["items"] == [{"name": "plots 100%/größe 数.txt", "size": 4}]
    named = quote("größe 数.txt")
    folder = f"{jp_base_url}slipway/api/runs/{run['id']}/artifacts/"
    answer = await http_server_client.fetch(f"{folder}plots%20100%25%2F{named}", headers=jp_auth_header)
    assert (answer.body, answer.headers["Content-Type"]) == (b"made", "application/octet-stream")
    assert answer.headers["Content-Disposition"] == f"attachment; filename*=UTF-8''{named}"
    with pytest.raises(HTTPClientError) as refused:
        await http_server_client.fetch(f"{folder}..%2F..%2Frequest.json", headers=jp_auth_header)
    assert refused.value.code == 400


async def test_publishing_the_same_again_makes_no_version(api: Api) -> None:
    await api("POST", "publish/versions", REQUEST)
    status, again = await api("POST", "publish/versions", REQUEST)

    assert (status, again["created"], again["version"]["number"]) == (200, False, 1)
    assert again["message"] == "Nothing changed: this is version 1 of totals."


async def test_publishing_the_same_says_what_it_set_all_the_same(api: Api) -> None:
    await api("POST", "publish/versions", REQUEST)
    beside = {"cluster": "lab", "description": "Sums it up.", "schedule": {"cron": "0 3 * * *"}}
    _, again = await api("POST", "publish/versions", REQUEST | beside)

    assert again["message"] == (
        "The code is unchanged: this is version 1 of totals. Its runs compute on lab now. "
        "There is no cluster of that name yet: until it is made, each run fails. "
        "Its schedule is set: At 03:00 (UTC). Its description is set."
    )
    job = again["job"]
    assert (job["policy"]["cluster"], job["description"], job["schedule"]["cron"]) == (
        "lab",
        "Sums it up.",
        "0 3 * * *",
    )
    # A runner that is still on its way when all else ends would wait for three o'clock.
    await api("DELETE", "jobs/totals/schedule")


async def test_what_another_request_still_imports_does_not_hold_up_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []
    monkeypatch.setitem(sys.modules, app.API, ModuleType(app.API))
    monkeypatch.setattr("importlib.import_module", lambda name: threads.append(threading.current_thread()))
    await app.imported()

    assert len(threads) == 1
    assert threads[0] is not threading.current_thread()


async def test_what_is_there_at_the_start_is_not_looked_through_for_garbage(
    jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen: list[bool] = []
    monkeypatch.setattr("gc.freeze", lambda: frozen.append(True))
    monkeypatch.setattr("gc.get_freeze_count", lambda: len(frozen))
    for _ in range(2):
        await jp_serverapp.extension_manager.start_extension("jupyter_slipway")

    assert frozen == [True]


async def test_runs_of_no_job_are_no_empty_list(api: Api) -> None:
    await api("POST", "publish/versions", REQUEST)

    assert await api("GET", "runs", job="totals") == (200, {"items": [], "next": None})
    status, problem = await api("GET", "runs", job="total")
    assert (status, problem["code"], problem["hint"]) == (404, "not_found", "Did you mean totals?")


async def test_a_text_notebook_opened_anew_is_not_another_version(api: Api) -> None:
    async def published(*ids: str) -> dict[str, Any]:
        cells = [
            {"id": ids[0], "source": "month = 1", "name": "settings"},
            {"id": ids[1], "source": "total = month * 2\ntotal"},
        ]
        _, found = await api(
            "POST", "publish/versions", {"notebook": "sums.py", "cells": cells, "cell": ids[1], "name": "sums"}
        )
        return found

    first, again = await published("a", "b"), await published("c", "d")

    assert (first["created"], again["created"]) == (True, False)
    cells = first["version"]["cells"]
    assert cells[0]["id"] == first["version"]["parameters"][0]["cell"] == "settings"
    assert cells[1]["id"] == first["version"]["cell"]


async def test_publishing_again_keeps_what_was_said_of_a_parameter(api: Api) -> None:
    await api("POST", "publish/versions", REQUEST | {"edits": [{"name": "month", "description": "1 to 12"}]})
    edited = {"cells": [*CELLS[:2], CELLS[2] | {"source": "total = month * 100\ntotal"}]}
    _, published = await api("POST", "publish/versions", REQUEST | edited)

    assert published["version"]["number"] == 2
    assert published["version"]["parameters"][0]["description"] == "1 to 12"


async def test_a_failed_run_names_the_cell_and_line(api: Api) -> None:
    cells = [{"id": "c0", "source": "zero = 0"}, {"id": "c1", "source": "# divide\nquotient = 1 / zero\nquotient"}]
    await api("POST", "publish/versions", {"notebook": "a.ipynb", "cells": cells, "cell": "c1", "name": "divide"})
    _, run = await api("POST", "runs", {"job": "divide"})
    found = await ended(api, run["id"])

    assert found["state"] == "failed"
    assert found["error"]["kind"] == "ZeroDivisionError"
    frame = found["error"]["frames"][-1]
    assert (frame["cell"], frame["cell_index"], frame["cell_line"]) == ("c1", 1, 2)


async def test_a_badge_tells_an_upstream_edit_from_a_comment(api: Api) -> None:
    await api("POST", "publish/versions", REQUEST)

    async def badge(first: str) -> dict[str, Any]:
        cells = [{"id": "c0", "source": first}, *CELLS[1:]]
        _, found = await api("POST", "publish/badges", {"notebook": "totals.ipynb", "cells": cells})
        (one,) = found["items"]
        return one

    assert not (await badge("month  =  1  # January\nunused = 'x'"))["changed"]
    edited = await badge("month = 2\nunused = 'x'")
    assert edited["changed"]
    assert "+month = 2" in edited["diff"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("GET", "jobs/nothing", None, 404, "There is no job 'nothing'."),
        ("GET", "nowhere", None, 404, "There is no GET /nowhere."),
        ("GET", "runs/run-0", None, 404, "run-0"),
        ("POST", "publish/plan", [], 422, "The request cannot be used"),
        ("POST", "publish/plan", REQUEST | {"cell": "c9"}, 404, "no code cell 'c9'"),
        ("POST", "publish/plan", REQUEST | {"notebook": "gone/a.ipynb"}, 404, "There is no folder"),
        ("POST", "publish/versions", REQUEST | {"name": "Totals A"}, 400, "cannot be a job's name"),
        ("POST", "publish/versions", REQUEST | {"notebook": ""}, 422, "'' is no notebook's path"),
        ("POST", "publish/versions", REQUEST | {"name": "totals", "shedule": "0 3 * * *"}, 422, "`shedule`"),
        ("POST", "runs", {"job": "totals", "parameters": {"month": "two"}}, 422, "month"),
        ("POST", "runs", {"job": "totals", "parameters": {"moth": 2}}, 422, "moth"),
        ("POST", "runs", {"job": "totals", "version": 9}, 404, "no version 9"),
        ("PUT", "jobs/totals/schedule", {"cron": "61 * * * *"}, 422, "61 * * * *"),
        ("PUT", "jobs/totals/schedule", {"cron": "0 3 * * *", "tz": "Mars/Base"}, 422, "Mars/Base"),
        ("PUT", "jobs/totals/schedule", {"cron": "0 3 * * *", "timezone": "Europe/Berlin"}, 422, "`timezone`"),
        ("PATCH", "jobs/totals", {"policy": {"attempts": 0}}, 422, "attempts cannot be 0"),
        ("POST", "runs", {"job": "totals", "policy": {"timeout": -1}}, 422, "timeout cannot be -1"),
        ("POST", "jobs/totals/rollback", {"version": 1}, 409, "in production already"),
    ],
)
async def test_what_cannot_be_is_refused(
    api: Api, method: str, path: str, body: Any, status: int, message: str
) -> None:
    await api("POST", "publish/versions", REQUEST)
    found, problem = await api(method, path, body)

    assert found == status, problem
    assert message in problem["message"]
    assert problem["code"]


async def test_a_name_that_is_no_text_is_no_jobs(api: Api) -> None:
    assert (await api("GET", "runs", job=b"\xff"))[0] == 404


async def test_a_page_without_runs_cannot_be_asked_for(api: Api) -> None:
    status, problem = await api("GET", "runs", limit=0)

    assert (status, problem["message"]) == (400, "A page cannot have 0 runs.")


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ({"cron": "61 * * * *"}, "61 * * * *"),
        ({"cron": "0 3 * * *", "catch_up": "all", "cap": 5000}, "5000"),
        ({"cron": "0 3 * * *", "parameters": {"month": "x"}}, "Parameter 'month' cannot be 'x'"),
    ],
)
async def test_a_version_whose_schedule_is_refused_is_not_registered(
    api: Api, schedule: dict[str, Any], message: str
) -> None:
    status, problem = await api("POST", "publish/versions", REQUEST | {"schedule": schedule})

    assert (status, problem["code"]) == (422, "unprocessable")
    assert message in problem["message"]
    assert await api("GET", "jobs") == (200, {"items": []})


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: f"{endpoint.method} {endpoint.path}")
async def test_nobody_comes_in_without_a_token(jp_fetch, endpoint) -> None:
    path = endpoint.path.replace("{", "").replace("}", "").lstrip("/")
    body = None if endpoint.method in ("GET", "DELETE") else "{}"
    with pytest.raises(HTTPClientError) as refused:
        await jp_fetch(
            "slipway", "api", *path.split("/"), method=endpoint.method, body=body, headers={"Authorization": ""}
        )

    assert refused.value.code == 403


async def test_files_are_reached_as_far_as_jupyter_lets_them_be(
    api: Api, jp_serverapp, jp_root_dir, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (".env", "a.py"):
        (jp_root_dir / name).write_text("# %%\nx = 1\n")
    text = {"base": "", "mine": ""}
    assert (await api("POST", "notebooks/follow-text", {"path": ".env"} | text))[0] == 404

    def may(handler: Any, user: Any, action: str, resource: str) -> bool:
        return resource != "contents" or action == "read"

    monkeypatch.setattr(jp_serverapp.authorizer, "is_authorized", may)
    assert (await api("POST", "notebooks/follow-text", {"path": "a.py"} | text))[0] == 200
    status, said = await api("POST", "notebooks/convert", {"notebook": "a.py", "format": "ipynb"})
    assert (status, "contents:write" in said["message"]) == (403, True)
    assert (await api("GET", "jobs"))[0] == 200


async def test_the_document_lists_every_endpoint(api: Api) -> None:
    _, document = await api("GET", "openapi.json")

    assert set(document["paths"]) == {endpoint.path for endpoint in ENDPOINTS}


async def test_a_full_disk_is_said_and_registers_nothing(api: Api, jp_serverapp) -> None:
    (app,) = jp_serverapp.extension_manager.extension_apps["jupyter_slipway"]
    await api("GET", "jobs")
    with app.slipway.database.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    full = f"PRAGMA max_page_count={pages}"

    @event.listens_for(app.slipway.database.engine, "begin")
    def limit(connection) -> None:
        connection.exec_driver_sql(full)

    app.slipway.database.engine.dispose()
    big = REQUEST | {"cells": [{"id": "c2", "source": f"x = len({'y' * 400_000!r})\nx"}]}
    status, problem = await api("POST", "publish/versions", big)
    event.remove(app.slipway.database.engine, "begin", limit)
    app.slipway.database.engine.dispose()

    assert (status, problem["code"]) == (503, "unavailable"), problem
    assert "full" in problem["message"]
    assert await api("GET", "jobs") == (200, {"items": []})


async def test_a_database_that_is_away_is_logged_once(api: Api, jp_serverapp, monkeypatch: pytest.MonkeyPatch) -> None:
    (app,) = jp_serverapp.extension_manager.extension_apps["jupyter_slipway"]
    await api("GET", "jobs")
    said: list[str] = []
    monkeypatch.setattr(app.log, "error", lambda words, *more: said.append(words % more))

    def away() -> None:
        raise OperationalError("SELECT 1", {}, Exception("no server"))

    with monkeypatch.context() as patched:
        patched.setattr(app.slipway.engine, "live", away)
        for _ in range(3):
            app._look()
    app._look()

    assert said == ["The database does not answer; looking again each second: no server"]


async def test_who_listens_before_anything_is_asked_hears_what_changes(api: Api, jp_serverapp) -> None:
    heard: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()

    async def listen(logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        heard.put_nowait((schema_id, data))

    jp_serverapp.event_logger.add_listener(listener=listen)
    status, job = await api("POST", "publish/versions", REQUEST)
    assert status == 201, job

    while "slipway" not in (told := await asyncio.wait_for(heard.get(), PATIENCE))[0]:
        pass
    assert told[1]["kind"] == "job"
