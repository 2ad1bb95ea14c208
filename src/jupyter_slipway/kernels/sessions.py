"""Which notebook has which kernel, kept over the server's end.

Made by the server where `classes` has chosen it; Jupyter's own keeps it in memory.
"""

from __future__ import annotations

import hashlib

from jupyter_server.services.sessions.sessionmanager import SessionManager
from traitlets import default

from jupyter_slipway.files import private_directory
from jupyter_slipway.kernels import hosts


class SlipwaySessionManager(SessionManager):
    @default("database_filepath")
    def _kept(self) -> str:
        home = getattr(self.kernel_manager, "home", None)
        if home is None:
            return ":memory:"
        # Paths are relative to the server's root: one file for each, shared by servers of the same.
        name = f"sessions-{name_of_root(self.kernel_manager.root_dir)}.db"
        return str(private_directory(hosts.folder(home)) / name)


def name_of_root(root: str) -> str:
    """What files of one server's root are called in a home that serves several."""
    return hashlib.sha256(root.encode()).hexdigest()[:12]
