"""On the machines of a Dask cluster's workers: packages over those that they have, in a folder of the cluster's.

Shipped to nannies by value, so nothing here imports Slipway. The environment that a worker runs in is left as it is:
it may be the Jupyter server's, or other people's.
"""

from __future__ import annotations

from typing import Any

from distributed.diagnostics.plugin import NannyPlugin

NAME = "slipway-packages"
DONE = ".slipway-done"


async def install(folder: str, requirements: list[str], within: float) -> str:
    """Put exactly `requirements` into `folder`, once, however many nannies of a machine ask for it.

    Args:
        folder: absolute, or relative to the machine's folder for temporary files
        within: seconds

    Returns:
        what failed, in words; '' when they are there
    """
    import asyncio
    import fcntl
    import importlib.util
    import os
    import shutil
    import socket
    import sys
    import tempfile

    folder = os.path.join(tempfile.gettempdir(), folder)
    os.makedirs(os.path.dirname(folder), mode=0o700, exist_ok=True)
    if os.stat(os.path.dirname(folder)).st_uid != os.getuid():
        return f"{os.path.dirname(folder)} on {socket.gethostname()} is somebody else's"
    with open(f"{folder}.lock", "w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(0.1)
        if os.path.exists(os.path.join(folder, DONE)):
            return ""
        shutil.rmtree(folder, ignore_errors=True)
        options = ["install", "--no-deps", "--target", folder, *requirements]
        if importlib.util.find_spec("pip"):
            command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *options]
        elif uv := shutil.which("uv", path=os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])):
            command = [uv, "pip", *options, "--python", sys.executable]
        else:
            return f"{sys.executable} on {socket.gethostname()} has neither pip nor uv"
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        try:
            async with asyncio.timeout(within):
                said, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            return f"pip on {socket.gethostname()} was not done within {within:.0f} seconds"
        if process.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
            wrong = [line for line in lines if "error" in line.lower()] or lines
            return f"pip on {socket.gethostname()} ended with {process.returncode}: {' '.join(wrong)[-500:]}"
        with open(os.path.join(folder, DONE), "w"):
            return ""


class Overlay(NannyPlugin):
    """Lets the workers of today and of later start with the packages in front of those of their environment."""

    name = NAME
    restart = True

    def __init__(self, folder: str, requirements: list[str], within: float) -> None:
        self._folder, self._requirements, self._within = folder, requirements, within

    async def setup(self, nanny: Any) -> None:
        import logging
        import os
        import tempfile

        if failed := await install(self._folder, self._requirements, self._within):
            # A worker without them is better than none: comparing shows what it lacks.
            logging.getLogger("distributed.nanny").warning("Packages were not installed: %s", failed)
            return
        folder = os.path.join(tempfile.gettempdir(), self._folder)
        # A child's path is its nanny's own, whatever PYTHONPATH says.
        front = f"\n# {NAME}\nimport sys\nsys.path.insert(0, {folder!r})\n"
        nanny.preload = [*[one for one in nanny.preload if NAME not in one], front]
        if nanny.process is not None:
            # It starts its worker again with what it was given first.
            nanny.process.worker_kwargs["preload"] = nanny.preload
