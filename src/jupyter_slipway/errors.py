"""What can be refused, and how it is said. `web` turns each into a status; the command line into an exit code.

SlipwayError
├── BadRequest      400  the request cannot be read
├── Forbidden       403
├── NotFound        404
├── Conflict        409  the state of things forbids it now
├── Unprocessable   422  it reads well, and cannot be: a wrong type, a cell that cannot be published
└── Unavailable     503  something it needs is away: disk full, kernel dead
"""

from __future__ import annotations


class SlipwayError(Exception):
    """A refusal a person can act on: what was given and why it cannot be, then what to do next."""

    status = 500
    code = "error"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def in_short(said: object, most: int = 200) -> str:
    """What others say, such as an error of theirs, in one line of about so many characters, cut between two words."""
    text = str(said).strip().partition("\n")[0] or type(said).__name__
    if len(text) <= most:
        return text
    whole, _, rest = text[:most].rpartition(" ")
    return f"{whole or rest}…"


class BadRequest(SlipwayError):
    status, code = 400, "bad_request"


class Forbidden(SlipwayError):
    status, code = 403, "forbidden"


class NotFound(SlipwayError):
    status, code = 404, "not_found"


class Conflict(SlipwayError):
    status, code = 409, "conflict"


class Unprocessable(SlipwayError):
    status, code = 422, "unprocessable"


class Unavailable(SlipwayError):
    status, code = 503, "unavailable"
