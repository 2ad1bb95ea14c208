"""Secrets in files that only their owner reads: what options name, since options are shown to everybody."""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_slipway.errors import Unprocessable


def read_secret(path: str, field: str) -> str:
    """
    Args:
        field: the option's name, for the refusal

    Raises:
        Unprocessable: the file is not there, or others can read it
    """
    found = Path(path).expanduser()
    try:
        with open(found) as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise Unprocessable(
                    f"{field}: others can read {found}.", hint=f"Make it yours alone: chmod 600 {found}"
                )
            return file.read().strip()
    except OSError as error:
        raise Unprocessable(f"{field}: {found} cannot be read: {error.strerror}.", hint="Look at the path.") from error
