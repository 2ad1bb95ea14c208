"""Run notebooks from anywhere on a server's kernels: Jupyter's gateway client, which on its own sends no token.

For `nbclient.NotebookClient(notebook, kernel_manager_class=ServerKernels)` after `GatewayClient.instance(url=…,
auth_token=…)`.
"""

from __future__ import annotations

from threading import Thread
from typing import Any

import websocket
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_server.gateway.gateway_client import GatewayClient
from jupyter_server.gateway.managers import GatewayKernelClient, GatewayKernelManager
from jupyter_server.utils import url_path_join
from tornado.escape import url_escape
from traitlets import default


class ServerKernelClient(GatewayKernelClient):
    async def start_channels(self, *arguments: Any, **options: Any) -> None:
        """
        Raises:
            WebSocketBadStatusException: the server refuses
        """
        gateway = GatewayClient.instance()
        self.channel_socket = websocket.create_connection(
            url_path_join(gateway.ws_url or "", gateway.kernels_endpoint, url_escape(self.kernel_id), "channels"),
            timeout=gateway.KERNEL_LAUNCH_TIMEOUT,
            enable_multithread=True,
            header=[f"Authorization: {gateway.auth_scheme} {gateway.auth_token}"],
            sslopt={
                "ca_certs": gateway.ca_certs,
                "certfile": gateway.client_cert,
                "keyfile": gateway.client_key,
            },
        )
        # Not the gateway client's own method, which would open a socket without the token.
        AsyncKernelClient.start_channels(self, *arguments, **options)
        self.response_router = Thread(target=self._route_responses)
        self.response_router.start()


class ServerKernels(GatewayKernelManager):
    @default("client_class")
    def _with_token(self) -> str:
        return "jupyter_slipway.kernels.gateway.ServerKernelClient"

    async def _async_is_alive(self) -> bool:
        # Jupyter's client asks its manager by this name, which looks at a process of this machine.
        return bool(await self.is_alive())

    @default("client_factory")
    def _factory(self) -> type[ServerKernelClient]:
        return ServerKernelClient
