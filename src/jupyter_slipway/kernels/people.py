"""Who stands behind a request to the Jupyter server.

Used by the kernels' manager and websocket, which Jupyter calls without telling who asks.
"""

from __future__ import annotations

from typing import Any

from jupyter_server import CallContext
from jupyter_server.auth.identity import IdentityProvider, PasswordIdentityProvider

from jupyter_slipway.settings import local_user


def person_of(handler: Any) -> str:
    """The name that work is attributed to."""
    # A shared token or password gives each browser a random name: then it is who owns this server.
    shared = type(handler.identity_provider) in (IdentityProvider, PasswordIdentityProvider)
    return local_user() if shared else str(handler.current_user.username)


def asking() -> str | None:
    """Who made the request that is being answered; None when the server itself acts."""
    handler = CallContext.get(CallContext.JUPYTER_HANDLER)
    if handler is None or getattr(handler, "current_user", None) is None:
        return None
    return person_of(handler)
