"""What a backend promises. One file a backend; the contract suite holds each of them to this.

A backend keeps nothing in memory that matters: what it needs to find a cluster again is in the `Ref`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from jupyter_slipway.clusters.model import Attachment, Figures, Progress, Status, Workers

Ref = dict[str, Any]
"""How a backend finds its cluster again: JSON, stored by the manager before the cluster is used. No secrets:
those lie in files of the cluster's directory, mode 0600."""


class Backend(Protocol):
    name: str
    """'dask-local', …"""
    engine: str
    """'dask' or 'spark'."""
    on_this_machine: bool
    """Whether its workers take memory and cores of this machine."""
    fixed_packages: str
    """Why the packages of its workers cannot be changed, in a sentence; '': they can."""

    def schema(self) -> dict[str, Any]:
        """JSON Schema of a profile's options: the form behind 'New cluster' is made from it.

        Common options of every backend that makes workers: 'workers' {'minimum', 'maximum'}, 'cores', 'memory' (text
        such as '4 GiB').
        """
        ...

    async def create(self, name: str, options: Mapping[str, Any], directory: Path) -> Ref:
        """Begin to make the cluster; returns as soon as it can be found again, long before it runs.

        Called again with the same directory after a crash, it must not make a second one.

        Raises:
            SlipwayError: it cannot be made: no Java, no such scheduler, wrong certificate
        """
        ...

    async def find(self, ref: Ref) -> Status:
        """What has become of it. A machine that was started anew has none: stopped, not running."""
        ...

    async def scale(self, ref: Ref, workers: Workers) -> None:
        """
        Raises:
            Unprocessable: this backend cannot
        """
        ...

    async def stop(self, ref: Ref) -> None:
        """End it with all its processes; of one that has ended, nothing. One that is not ours is only let go."""
        ...

    def attach(self, ref: Ref, person: str, holder: str) -> Attachment:
        """For a kernel or a run of `person`; `holder` is its id."""
        ...

    async def figures(self, ref: Ref) -> Figures: ...

    async def progress(self, ref: Ref, holder: str, cell: str = "") -> Progress | None:
        """Of what `holder` has asked for and is not done; None: nothing."""
        ...

    async def cancel(self, ref: Ref, holder: str, cell: str = "", person: str = "") -> str:
        """Stop the holder's (or only that cell's) work, nobody else's.

        Args:
            person: who wants that; the holder is told, where it can be

        Returns:
            what cannot be stopped, in words; '' when all was
        """
        ...

    async def logs(self, ref: Ref, part: str, offset: int) -> tuple[str, int]:
        """The log of 'scheduler', 'driver', 'workers' or 'host' from byte `offset`, and the next offset.

        Raises:
            NotFound: it has no such part
        """
        ...

    def parts(self, ref: Ref) -> tuple[str, ...]:
        """Which logs it has."""
        ...

    async def packages(self, ref: Ref) -> dict[str, dict[str, str]]:
        """Of 'scheduler' and of each worker: versions by distribution, with 'python', 'platform', 'blas' among them."""
        ...

    async def install(self, ref: Ref, requirements: Sequence[str]) -> None:
        """Put packages in front of those that the workers have, and restart these.

        Raises:
            Unprocessable: `fixed_packages`
            Unavailable: it failed, and nothing was changed
        """
        ...

    def dashboard(self, ref: Ref) -> str | None:
        """'http://127.0.0.1:PORT', reached through our proxy only."""
        ...
