"""The REST API in the test's own process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from jupyter_slipway.errors import SlipwayError
from jupyter_slipway.events import Events
from jupyter_slipway.notebooks import compare_handlers, handlers
from jupyter_slipway.notebooks.compare_handlers import Compare
from jupyter_slipway.notebooks.handlers import Notebooks
from jupyter_slipway.web import Asker, Table, encode, problem

Ask = Callable[..., tuple[int, Any]]


def asking(root: Path, home: Path, user: str = "ada", events: Events | None = None) -> Ask:
    """`ask("POST", "/notebooks/diff", {…})` gives status and answer, as `user` gets them."""
    services = [service(root, home, events or Events()) for service in (Compare, Notebooks)]
    rows = (*compare_handlers.ENDPOINTS, *handlers.ENDPOINTS)
    table = Table(rows, services, lambda error: isinstance(error, OSError))

    def ask(method: str, route: str, /, body: Any = None, **query: str) -> tuple[int, Any]:
        async def answered() -> tuple[int, Any]:
            try:
                endpoint, params = table.find(method, route)
                answer = await table.answer(endpoint, Asker(user), params, query, json.dumps(body).encode())
            except SlipwayError as error:
                return error.status, msgspec.to_builtins(problem(error))
            return answer.status, json.loads(encode(answer.value))

        return asyncio.run(answered())

    return ask
