"""The host's process: `python -m jupyter_slipway.kernels.host FOLDER`."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from jupyter_slipway.kernels.host.arena import keep_memory_in_one_arena
from jupyter_slipway.kernels.host.folder import Folder
from jupyter_slipway.kernels.host.host import Host


def main() -> None:
    os.umask(0o077)
    keep_memory_in_one_arena()
    folder = Folder(Path(sys.argv[1]))
    try:
        asyncio.run(_run(folder))
    except OSError as error:
        sys.exit(f"{error.strerror or error}: {error.filename or ''}")


async def _run(folder: Folder) -> None:
    await Host(folder, folder.config()).run()


if __name__ == "__main__":
    main()
