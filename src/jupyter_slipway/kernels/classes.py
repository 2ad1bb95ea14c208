"""Which classes a Jupyter server makes its kernels with: ours, unless it is configured otherwise.

Asked by `app` when the extension is linked, which is before the server makes its managers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_server.gateway.gateway_client import GatewayClient
from msgspec import Struct

from jupyter_slipway.files import private_directory
from jupyter_slipway.kernels import hosts
from jupyter_slipway.kernels.connection import KernelConnection
from jupyter_slipway.kernels.manager import SlipwayKernelManager
from jupyter_slipway.kernels.sessions import SlipwaySessionManager

OURS: dict[str, type] = {
    "kernel_manager_class": SlipwayKernelManager,
    "kernel_websocket_connection_class": KernelConnection,
    "session_manager_class": SlipwaySessionManager,
}
"""By trait of the ServerApp. They work together or not at all: a kernel with a host has no ports to connect to."""


class Choice(Struct, frozen=True):
    classes: dict[str, type]
    """What is still to be set on the ServerApp."""
    why: str = ""
    """Why kernels are not shared, as a clause; '' when they are."""


def choose(serverapp: Any, home: Path, *, shared: bool) -> Choice:
    """
    Args:
        serverapp: configured, and without managers yet
        home: Slipway's, where kernels are kept
        shared: whether kernels shall be shared where nobody has configured anything
    """
    # A trait has a value before it is first asked for only where a file, the command line or code has set it.
    configured = {name: getattr(serverapp, name) for name in OURS if serverapp.trait_has_value(name)}
    foreign = {name: one for name, one in configured.items() if not issubclass(one, OURS[name])}
    if foreign:
        name, found = next(iter(foreign.items()))
        return Choice({}, f"ServerApp.{name} is {found.__module__}.{found.__qualname__}")
    if "kernel_manager_class" not in configured:
        # Not the client itself: the server has only one, and makes it when all is configured.
        if GatewayClient(parent=serverapp).gateway_enabled:
            return Choice({}, "a gateway runs them")
        if not shared:
            return Choice({}, "SlipwayApp.shared_kernels is off")
        try:
            private_directory(hosts.folder(home))
        except OSError as error:
            return Choice({}, f"{hosts.folder(home)} cannot be written ({error.strerror})")
    return Choice({name: one for name, one in OURS.items() if name not in configured})
