"""A real Jupyter server with the extension. Only here: its event loop would clash with the browser's."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pytest_jupyter.jupyter_core import *  # noqa: F403
from pytest_jupyter.jupyter_server import *  # noqa: F403
from tornado.httpclient import HTTPClientError

Api = Callable[..., Awaitable[tuple[int, Any]]]


@pytest.fixture
def jp_server_config(home):
    return {"ServerApp": {"jpserver_extensions": {"jupyter_slipway": True}}}


@pytest.fixture
def api(jp_fetch, jp_serverapp) -> Api:
    """`await api("GET", "jobs")` gives the status and the decoded answer."""

    async def call(method: str, path: str, body: Any = None, **params: Any) -> tuple[int, Any]:
        data = None if method in ("GET", "DELETE") else json.dumps({} if body is None else body)
        try:
            answer = await jp_fetch("slipway", "api", *path.split("/"), method=method, body=data, params=params)
        except HTTPClientError as error:
            return error.code, json.loads(error.response.body if error.response else b"{}")
        return answer.code, json.loads(answer.body)

    return call
