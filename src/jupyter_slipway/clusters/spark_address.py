"""Where a Spark Connect server is: 'sc://host:port/;key=value', read as pyspark reads it. Pure."""

from __future__ import annotations

from urllib.parse import quote, unquote, urlsplit

from msgspec import Struct

from jupyter_slipway.errors import Unprocessable

PORT = 15002
HINT = "Say it as 'sc://host:port', with '/;use_ssl=true' behind it when it is encrypted."


class Address(Struct, frozen=True):
    host: str
    port: int
    ssl: bool
    parameters: dict[str, str] = {}
    """Others, as they stand in the URL."""

    @property
    def endpoint(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def url(self, **more: str) -> str:
        """For SPARK_REMOTE."""
        parameters = ({"use_ssl": "true"} if self.ssl else {}) | self.parameters | more
        said = ";".join(f"{key}={quote(value, safe='')}" for key, value in parameters.items())
        return f"sc://{self.endpoint}/;{said}" if said else f"sc://{self.endpoint}"


def parse(text: str) -> Address:
    """
    Raises:
        Unprocessable: it is no such address, or has a token in it
    """
    # Stripped: what is pasted has blanks. The part behind ';' is none of urlsplit's.
    front, _, behind = text.strip().partition(";")
    try:
        parts = urlsplit(front)
        host, port = parts.hostname, parts.port or PORT
    except ValueError:
        host, port = None, 0
    if not host or parts.scheme != "sc" or parts.path not in ("", "/") or parts.query or parts.username:
        raise Unprocessable(f"{text!r} is no address of a Spark Connect server.", hint=HINT)
    parameters = {}
    for pair in filter(None, behind.split(";")):
        key, is_pair, value = pair.partition("=")
        if not is_pair or not key:
            raise Unprocessable(f"{pair!r} in {text!r} is no 'key=value'.", hint=HINT)
        parameters[key] = unquote(value)
    if "token" in parameters:
        raise Unprocessable(
            "A token in the address would be seen by everybody who sees the cluster.",
            hint="Put it into a file that only you can read, and name the file in 'token_file'.",
        )
    for key in ("user_id", "session_id"):
        parameters.pop(key, None)  # each notebook has its own
    ssl = parameters.pop("use_ssl", "").lower() == "true"
    return Address(host, port, ssl, parameters)
