"""Run a notebook by nbclient on a kernel of a server: `through_gateway.py URL TOKEN` prints what its last cell gave."""

from __future__ import annotations

import sys

import nbformat
from jupyter_server.gateway.gateway_client import GatewayClient
from nbclient import NotebookClient

from jupyter_slipway.kernels.gateway import ServerKernels


def main(url: str, token: str) -> None:
    GatewayClient.instance(url=url, auth_token=token)
    cells = [nbformat.v4.new_code_cell("x = 40"), nbformat.v4.new_code_cell("print(x + 2)")]
    client = NotebookClient(
        nbformat.v4.new_notebook(cells=cells),
        kernel_name="python3",
        kernel_manager_class=ServerKernels,
    )
    done = client.execute()
    print(done.cells[-1].outputs[0]["text"])


main(*sys.argv[1:])
