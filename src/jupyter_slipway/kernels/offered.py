"""The kernelspecs of a server: those that are installed, and one 'Python on NAME' for each Dask cluster that runs.

Made by `app` from the class that the server would have taken. Whether a cluster runs is read from its directory:
pages ask for kernelspecs as they load, and nobody has needed a database until then.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel

from jupyter_slipway import hosting
from jupyter_slipway.clusters.hosts import LAUNCH, Launch
from jupyter_slipway.decoding import from_json

BEGINS = "slipway-on-"
GPU = ".gpu"
"""Ends the name of a kernelspec that wants one; no cluster's name has a dot."""


def cluster_of(name: str) -> str:
    """Beside whose workers kernels of this kernelspec run; '': of none."""
    return name.removeprefix(BEGINS).removesuffix(GPU) if name.startswith(BEGINS) else ""


def gpus_of(name: str) -> int:
    """How many a kernel of this kernelspec wants."""
    return int(name.endswith(GPU))


def offering(serverapp: Any, home: Path) -> type[KernelSpecManager]:
    """A class that offers what the server is configured with, and kernels beside the workers of clusters of `home`.

    Args:
        serverapp: configured, and without managers yet; its kernels are its own, not a gateway's
    """
    name = "kernel_spec_manager_class"
    # Asked for its default, the server would look for its gateway, which it has not got yet.
    chosen = getattr(serverapp, name) if serverapp.trait_has_value(name) else KernelSpecManager

    class Offering(chosen):  # type: ignore[misc, valid-type]
        def find_kernel_specs(self) -> dict[str, str]:
            installed: dict[str, str] = super().find_kernel_specs()
            pictures = installed.get("python3", "")
            return installed | dict.fromkeys(near(home), pictures)

        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            if cluster_of(kernel_name):
                # Also of a cluster that does not run: its start is refused, in words.
                return self._near(kernel_name)
            return super().get_kernel_spec(kernel_name)

        def get_all_specs(self) -> dict[str, Any]:
            found: dict[str, Any] = super().get_all_specs()
            for name in near(home):
                spec = self._near(name)
                found[name] = {"resource_dir": spec.resource_dir, "spec": spec.to_dict()}
            return found

        def _near(self, name: str) -> KernelSpec:
            pictures = ""
            with suppress(NoSuchKernel):
                pictures = super().get_kernel_spec("python3").resource_dir
            return KernelSpec(
                resource_dir=pictures,
                argv=["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
                display_name=f"Python on {cluster_of(name)}" + (" (GPU)" if gpus_of(name) else ""),
                language="python",
                metadata={"debugger": True, "slipway": {"cluster": cluster_of(name)}},
            )

    return Offering


def near(home: Path) -> Iterator[str]:
    """Names of kernelspecs, one or two for each Dask cluster that runs."""
    clusters = home / "clusters"
    for directory in sorted(clusters.iterdir()) if clusters.is_dir() else ():
        record = hosting.read(directory)
        if record is None or "address" not in record.about or not hosting.alive(record):
            continue
        with suppress(FileNotFoundError, msgspec.MsgspecError):
            launch = from_json((directory / LAUNCH).read_bytes(), Launch)
            yield BEGINS + directory.name
            if launch.kwargs.get("resources", {}).get("GPU"):
                yield BEGINS + directory.name + GPU
