"""Dask by a dask-gateway server: it makes the clusters, knows its users and keeps its own books; we ask it.

A cluster host on this machine speaks with the scheduler for figures, progress and cancelling. It may die and be
started again: the cluster is the gateway's.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct, structs

from jupyter_slipway import hosting
from jupyter_slipway.clusters import gateway, hosts, sizes
from jupyter_slipway.clusters.backends.base import Ref
from jupyter_slipway.clusters.backends.hosted import HeldDask
from jupyter_slipway.clusters.gateway import Gateway, Report
from jupyter_slipway.clusters.hosts import Launch
from jupyter_slipway.clusters.model import Attachment, ClusterState, Status, Workers
from jupyter_slipway.clusters.secret_files import read_secret
from jupyter_slipway.decoding import from_json
from jupyter_slipway.errors import Conflict, NotFound, Unavailable, Unprocessable
from jupyter_slipway.files import atomic_write, private_directory

BOOKED = "gateway.json"
FILE = {"type": "string", "default": ""}


class Booked(Struct, frozen=True):
    """gateway.json: which of the gateway's clusters is ours; removed when it was stopped."""

    name: str
    address: str
    proxy: str
    auth: str
    user: str
    secret_file: str
    workers: Workers
    """Wanted."""
    cluster: str
    """As the gateway calls it."""


class DaskGateway(HeldDask):
    name = "dask-gateway"
    on_this_machine = False

    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {
                "address": {
                    "type": "string",
                    "title": "Address",
                    "description": "Of the gateway, such as https://gateway.example.org",
                    "pattern": r"^https?://[^\s]+$",
                },
                "proxy": FILE
                | {
                    "title": "Address for clients",
                    "description": "host:port, where schedulers are reached. Empty: the gateway's own.",
                },
                "auth": {"title": "Who you are", "enum": ["none", "basic", "jupyterhub"], "default": "none"},
                "user": FILE | {"title": "Name", "description": "For 'basic'; empty: yours here."},
                "secret_file": FILE
                | {
                    "title": "File with password or token",
                    "description": "On the Jupyter server's machine, readable by you alone.",
                },
                "workers": sizes.WORKERS,
                "options": {
                    "type": "object",
                    "title": "Options of the gateway",
                    "description": "Those that it offers.",
                    "default": {},
                },
            },
            "required": ["address", "workers"],
            "additionalProperties": False,
        }

    async def create(self, name: str, options: Mapping[str, Any], directory: Path) -> Ref:
        if importlib.util.find_spec("dask_gateway") is None:
            raise Unavailable(
                "dask-gateway is not installed.", hint="pip install 'jupyter-slipway[gateway]' where Jupyter runs."
            )
        await asyncio.to_thread(_book, name, options, directory)
        return {"directory": str(directory)}

    async def find(self, ref: Ref) -> Status:
        directory = Path(ref["directory"])
        booked = _booked(directory)
        if booked is None:
            return Status(ClusterState.STOPPED, reason="it was stopped")
        record = hosting.read(directory)
        if record is not None and hosting.alive(record):
            return await super().find(ref)
        try:
            report = await asyncio.to_thread(_asked(booked).report, booked.cluster)
        except NotFound:
            return Status(ClusterState.STOPPED, reason="the gateway knows it no more")
        except Unavailable as error:
            return Status(ClusterState.STARTING, waiting=error.message)
        if report.status in ("STOPPING", "STOPPED"):
            return Status(ClusterState.STOPPED, reason="it was stopped at the gateway")
        if report.status == "FAILED":
            return Status(ClusterState.FAILED, reason="it failed; the gateway's log says why")
        if report.status == "PENDING":
            return Status(ClusterState.STARTING, waiting="the gateway", progress=0.2)
        last = hosts.ended(directory)
        if last is not None and last.state == "failed" and last.boot == hosting.boot_id():
            return Status(ClusterState.FAILED, reason=last.reason)
        # Not started yet, killed, or gone with a restart of this machine: the cluster is none of this machine's.
        await asyncio.to_thread(_asked(booked).scale, booked.cluster, booked.workers)
        await asyncio.to_thread(hosts.start, directory, _launch(directory, booked, report))
        return Status(ClusterState.STARTING, waiting="its scheduler to answer", progress=0.6)

    async def scale(self, ref: Ref, workers: Workers) -> None:
        directory = Path(ref["directory"])
        if (booked := _booked(directory)) is None:
            raise Conflict("The cluster does not run.", hint="Start it first.")
        await asyncio.to_thread(_asked(booked).scale, booked.cluster, workers)
        atomic_write(directory / BOOKED, msgspec.json.encode(structs.replace(booked, workers=workers)))

    async def stop(self, ref: Ref) -> None:
        directory = Path(ref["directory"])
        if (booked := _booked(directory)) is not None:
            with suppress(NotFound):  # it is stopped already
                await asyncio.to_thread(_asked(booked).stop, booked.cluster)
            (directory / BOOKED).unlink(missing_ok=True)
        await super().stop(ref)

    def attach(self, ref: Ref, person: str, holder: str) -> Attachment:
        given = super().attach(ref, person, holder)
        # Teaches Dask the kind of address that a gateway has, before `Client()` reads it.
        return structs.replace(
            given, environ=given.environ | {"DASK_DISTRIBUTED__CLIENT__PRELOAD": '["dask_gateway.comm"]'}
        )


def _book(name: str, options: Mapping[str, Any], directory: Path) -> None:
    """Ask the gateway for a cluster, unless that was done.

    Raises:
        SlipwayError: it refuses, or there is none
    """
    if _booked(directory) is not None:
        return
    (directory / hosts.ENDED).unlink(missing_ok=True)
    address = options["address"].rstrip("/")
    auth, secret_file = options.get("auth", "none"), options.get("secret_file", "")
    if auth != "none" and not secret_file and auth == "jupyterhub":
        raise Unprocessable("auth: 'jupyterhub' needs a token.", hint="Name its file in 'secret_file'.")
    user = options.get("user") or os.environ.get("SLIPWAY_USER", "slipway")
    workers = Workers(options["workers"]["minimum"], options["workers"]["maximum"])
    booked = Booked(name, address, options.get("proxy", ""), auth, user, secret_file, workers, cluster="")
    gate = _asked(booked)
    booked = structs.replace(booked, cluster=gate.submit(options.get("options", {})))
    atomic_write(private_directory(directory) / BOOKED, msgspec.json.encode(booked))


def _booked(directory: Path) -> Booked | None:
    try:
        return from_json((directory / BOOKED).read_bytes(), Booked)
    except FileNotFoundError:
        return None


def _asked(booked: Booked) -> Gateway:
    secret = read_secret(booked.secret_file, "secret_file") if booked.secret_file else ""
    if booked.auth == "basic":
        return Gateway(booked.address, gateway.basic(booked.user, secret))
    if booked.auth == "jupyterhub":
        return Gateway(booked.address, gateway.jupyterhub(secret))
    return Gateway(booked.address)


def _launch(directory: Path, booked: Booked, report: Report) -> Launch:
    """What the host speaks with; the gateway's certificate is its own authority."""
    folder = private_directory(directory / "tls")
    paths = {}
    for kind, content in (("ca", report.certificate), ("cert", report.certificate), ("key", report.key)):
        path = folder / f"{kind}.pem"
        atomic_write(path, content.encode())
        path.chmod(0o600)
        paths[kind] = str(path)
    place = urlsplit(booked.address)
    proxy = booked.proxy or f"{place.hostname}:{place.port or (443 if place.scheme == 'https' else 80)}"
    return Launch(
        booked.name,
        holds="address",
        address=f"gateway://{proxy}/{booked.cluster}",
        certificates=paths,
        tls=False,
    )
