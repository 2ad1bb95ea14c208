"""POST api/kernels/ID/execute: JupyterLab's way to let the server run a cell of a shared notebook.

Its front end is jupyter-collaboration's; `documents` does the work. Routed by `app` when both are there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from msgspec import Struct
from tornado import web

from jupyter_slipway.decoding import from_json
from jupyter_slipway.errors import BadRequest, Conflict, Forbidden, NotFound, SlipwayError
from jupyter_slipway.kernels import rights
from jupyter_slipway.kernels.documents import Documents
from jupyter_slipway.kernels.link import Link
from jupyter_slipway.kernels.manager import role_in
from jupyter_slipway.kernels.people import person_of

KERNEL = r"/api/kernels/(?P<kernel_id>\w+-\w+-\w+-\w+-\w+)/execute"


class ExecuteRequest(Struct, frozen=True):
    cell_id: str
    document_id: str
    """Of the shared notebook's room, such as 'json:notebook:…'."""
    source: str | None = None
    """What the person sees in the cell: the document is waited for, shortly, until it says so, too."""
    wait: bool = True
    """Answer when it has run; else when it stands in the queue."""


class InputRequest(Struct, frozen=True):
    value: str


class _Handler(APIHandler):
    def initialize(self, documents: Callable[[], Documents]) -> None:
        self._documents = documents

    def link(self, kernel_id: str) -> Link:
        """
        Raises:
            NotFound: there is no such kernel
            Conflict: it is none of ours
            Forbidden: who asks may not run anything in it
        """
        if kernel_id not in self.kernel_manager:
            raise NotFound(f"There is no kernel {kernel_id!r}.", hint="Start the notebook's kernel again.")
        link = getattr(self.kernel_manager.get_kernel(kernel_id), "link", None)
        if not isinstance(link, Link):
            raise Conflict(
                "This kernel has no host, so only a page can run its cells.", hint="Open the notebook again."
            )
        role = role_in(link, person_of(self))
        if not rights.decide(role, "run"):
            owner = str(link.status.get("about", {}).get("owner", ""))
            raise Forbidden(rights.refusal(role, "run", owner))
        return link

    def read(self, kind: Any) -> Any:
        """
        Raises:
            BadRequest: the body is not one
        """
        try:
            return from_json(self.request.body or b"null", kind)
        except msgspec.MsgspecError as error:
            raise BadRequest(f"The request cannot be used: {error}.") from error

    def refuse(self, error: SlipwayError) -> None:
        self.set_status(error.status)
        self.finish(json.dumps({"code": error.code, "message": error.message, "hint": error.hint}))


class Execute(_Handler):
    @web.authenticated
    @authorized("execute", resource="kernels")
    async def post(self, kernel_id: str) -> None:
        try:
            link = self.link(kernel_id)
            asked = self.read(ExecuteRequest)
            await link.ready()
            run = await self._documents().run(link, person_of(self), asked.document_id, asked.cell_id, asked.source)
        except SlipwayError as error:
            self.refuse(error)
            return
        if not asked.wait:
            self.set_status(202)
            self.finish(json.dumps({"execution": run.id}))
            return
        status = await run.done
        # JupyterLab asks only whether it is a success; a cell that fails is no fault of the server's.
        self.set_status(200 if status == "ok" else 422)
        self.finish(json.dumps({"execution": run.id, "status": status}))


class Answer(_Handler):
    @web.authenticated
    @authorized("execute", resource="kernels")
    async def post(self, kernel_id: str, execution: str) -> None:
        """What a person typed for an `input()` of such a run."""
        try:
            link = self.link(kernel_id)
            self._documents().writer(link).answer(execution, person_of(self), self.read(InputRequest).value)
        except SlipwayError as error:
            self.refuse(error)
            return
        self.set_status(204)
        self.finish()


def handlers(documents: Callable[[], Documents]) -> list[tuple[str, type[_Handler], dict[str, Any]]]:
    shared = {"documents": documents}
    return [(KERNEL, Execute, shared), (KERNEL + r"/(?P<execution>\w+)/input", Answer, shared)]


def switch_on(serverapp: Any) -> None:
    """Let pages hand shared cells to the server, unless the configuration says otherwise."""
    if "server_side_execution" not in serverapp.config.get("YDocExtension", {}):
        serverapp.web_app.settings.setdefault("page_config_data", {})["serverSideExecution"] = True
