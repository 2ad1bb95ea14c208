"""Jupyter's own request to interrupt or restart a kernel, with refusals that keep their status and words.

Served in place of Jupyter's handler, which answers 500 whatever the reason.
"""

from __future__ import annotations

import json

from jupyter_client.jsonutil import json_default
from jupyter_server.auth.decorator import authorized
from jupyter_server.services.kernels.handlers import KernelActionHandler
from tornado import web

from jupyter_slipway.errors import SlipwayError

PATH = r"/api/kernels/(?P<kernel_id>\w+-\w+-\w+-\w+-\w+)/(?P<action>restart|interrupt)"


class KernelActions(KernelActionHandler):
    @web.authenticated
    @authorized
    async def post(self, kernel_id: str, action: str) -> None:
        try:
            if action == "interrupt":
                await self.kernel_manager.interrupt_kernel(kernel_id)
                self.set_status(204)
                self.finish()
                return
            await self.kernel_manager.restart_kernel(kernel_id)
        except SlipwayError as error:
            raise web.HTTPError(error.status, error.message) from error
        self.finish(json.dumps(self.kernel_manager.kernel_model(kernel_id), default=json_default))
