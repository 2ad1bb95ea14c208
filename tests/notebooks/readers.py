"""An authorizer for servers under test: vera may read and nothing else."""

from __future__ import annotations

from typing import Any

from jupyter_server.auth import Authorizer


class Readers(Authorizer):
    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return user.username != "vera" or action == "read"
