"""Asks a dask-gateway server over its REST API; blocking, with a time limit. `backends.dask_gateway` calls it.

The package `dask_gateway` is not used for this: it loads all of Dask, and its answers are these.
"""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from jupyter_slipway.clusters.model import Workers
from jupyter_slipway.errors import Conflict, Forbidden, NotFound, SlipwayError, Unavailable, Unprocessable

WITHIN = 10.0
"""Seconds."""


class Report(Struct, frozen=True):
    """What the gateway says of one cluster."""

    status: str
    """PENDING, RUNNING, STOPPING, STOPPED, FAILED."""
    certificate: str = ""
    key: str = ""


class Gateway:
    """
    Args:
        address: 'https://gateway.example.org'
        authorization: for the header of that name; '' where none is wanted
    """

    def __init__(self, address: str, authorization: str = "") -> None:
        self._address, self._authorization = address.rstrip("/"), authorization

    def submit(self, options: dict[str, Any]) -> str:
        """A new cluster's name, which the gateway chooses."""
        return str(self._ask("POST", "clusters/", {"cluster_options": options})["name"])

    def report(self, name: str) -> Report:
        said = self._ask("GET", f"clusters/{quote(name, safe='')}")
        return Report(said["status"], said.get("tls_cert") or "", said.get("tls_key") or "")

    def stop(self, name: str) -> None:
        self._ask("DELETE", f"clusters/{quote(name, safe='')}")

    def scale(self, name: str, workers: Workers) -> None:
        """Of a cluster that runs; the gateway refuses it of another."""
        path = f"clusters/{quote(name, safe='')}"
        if workers.minimum == workers.maximum:
            self._ask("POST", f"{path}/scale", {"count": workers.minimum})
        else:
            bounds = {"minimum": workers.minimum, "maximum": workers.maximum}
            self._ask("POST", f"{path}/adapt", {**bounds, "active": True})

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """
        Raises:
            SlipwayError: what the gateway refuses, in its words; or that there is none
        """
        request = urllib.request.Request(f"{self._address}/api/v1/{path}", method=method)
        if self._authorization:
            request.add_header("Authorization", self._authorization)
        if body is not None:
            request.add_header("Content-Type", "application/json")
            request.data = json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, timeout=WITHIN) as answer:
                content = answer.read()
                return json.loads(content) if content else None
        except urllib.error.HTTPError as error:
            raise self._refusal(error) from error
        except OSError as error:
            why = getattr(error, "reason", error)
            raise Unavailable(
                f"No dask-gateway answers at {self._address}: {why}.", hint="Look at the address, and whether it runs."
            ) from error
        except ValueError as error:
            raise Unprocessable(f"{self._address} does not answer as a dask-gateway.", hint="Look at it.") from error

    def _refusal(self, error: urllib.error.HTTPError) -> SlipwayError:
        try:
            said = str(json.loads(error.read())["error"])
        except (ValueError, KeyError, TypeError):
            said = str(error.reason)
        if error.code in (401, 403):
            return Forbidden(f"The gateway does not let you in: {said}.", hint="Look at 'auth' and its file.")
        if error.code == 404:
            return NotFound(f"The gateway knows no such cluster: {said}.", hint="It may have been stopped there.")
        if error.code == 409:
            return Conflict(f"The gateway refuses: {said}.", hint="Wait a moment.")
        if error.code < 500:
            return Unprocessable(f"The gateway refuses: {said}.", hint="Look at the options that it allows.")
        return Unavailable(f"The gateway fails: {said}.", hint="Its log says more.")


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode("latin-1", "replace")).decode()


def jupyterhub(token: str) -> str:
    return f"jupyterhub {token}"
