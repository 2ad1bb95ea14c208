"""Which notebook has which kernel, kept over the server's end.

Named in our server configuration; Jupyter's own keeps it in memory.
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
        root = hashlib.sha256(str(self.kernel_manager.root_dir).encode()).hexdigest()[:12]
        return str(private_directory(hosts.folder(home)) / f"sessions-{root}.db")
