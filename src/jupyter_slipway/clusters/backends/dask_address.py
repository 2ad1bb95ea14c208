"""A Dask scheduler that somebody else made: its address is all that is known. Never stopped, only let go."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_slipway.clusters.backends.hosted import HostedDask
from jupyter_slipway.clusters.hosts import Launch
from jupyter_slipway.errors import Unprocessable

FILE = {"type": "string", "default": ""}
LAST_PORT = 65535


class DaskAddress(HostedDask):
    name = "dask-address"
    on_this_machine = False

    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {
                "address": {
                    "type": "string",
                    "title": "Address",
                    "description": "Of the scheduler, such as tls://dask.example:8786.",
                    "pattern": r"^(tcp|tls|ws|wss|ucx)://[^\s/]+:[0-9]+/?$",
                },
                "ca": FILE | {"title": "File of the authority's certificate", "description": "For tls://."},
                "cert": FILE | {"title": "File of your certificate", "description": "For tls://."},
                "key": FILE | {"title": "File of your key", "description": "For tls://."},
            },
            "required": ["address"],
            "additionalProperties": False,
        }

    def launch(self, name: str, options: Mapping[str, Any], directory: Path) -> Launch:
        paths = {field: os.path.expanduser(options[field]) for field in ("ca", "cert", "key") if options.get(field)}
        for field, path in paths.items():
            if not os.access(path, os.R_OK):
                raise Unprocessable(f"{field}: {path!r} cannot be read.", hint="Give the path of a PEM file.")
        if options["address"].startswith("tls://") and len(paths) < 3:
            raise Unprocessable("A tls:// scheduler needs ca, cert and key.", hint="Ask who runs it for those files.")
        address = options["address"].rstrip("/")
        if int(address.rpartition(":")[2]) > LAST_PORT:
            raise Unprocessable(f"address: {address!r} has no port that can be.", hint=f"Ports end with {LAST_PORT}.")
        return Launch(name, holds="address", address=address, certificates=paths, tls=False)
