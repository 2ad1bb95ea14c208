"""The table of endpoints: one row makes the route, the check of who asks, the OpenAPI entry, the answer.

`api` fills the table; `app` serves it over HTTP, `client` calls it in its own process.
"""

from __future__ import annotations

import errno
import inspect
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from jupyter_slipway.decoding import from_builtins, from_json
from jupyter_slipway.errors import BadRequest, NotFound, SlipwayError, Unavailable, Unprocessable

PREFIX = "slipway/api"
Action = Literal["read", "write", "execute"]
T = TypeVar("T")
DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
FULL = (errno.ENOSPC, errno.EDQUOT)
REFERENCE = "#/components/schemas/{name}"


class Problem(Struct, frozen=True):
    """How every refusal is said."""

    code: str
    message: str
    hint: str = ""


class Asker(Struct, frozen=True):
    """Who asks."""

    name: str
    idempotency_key: str = ""


class Raw(Struct, frozen=True):
    """An answer that is not JSON: a file as it is, however large."""

    path: Path
    media_type: str = "application/octet-stream"


class Answer(Struct, Generic[T], frozen=True):
    """A value with a status other than the row's."""

    value: T
    status: int


class Endpoint:
    """One row: a method of a service, where it is reached and what it may do.

    The method's annotations say the rest: `body` and `query` are structs, other arguments stand in the path.
    """

    def __init__(self, method: str, path: str, call: Callable[..., Any], action: Action, *, status: int = 200) -> None:
        self.method, self.path, self.call, self.action, self.status = method, path, call, action, status
        self.pattern = re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path))

    @cached_property
    def types(self) -> dict[str, Any]:
        return typing.get_type_hints(self.call)

    @property
    def returns(self) -> Any:
        """The type of what is answered."""
        returned = self.types["return"]
        return typing.get_args(returned)[0] if typing.get_origin(returned) is Answer else returned

    @property
    def name(self) -> str:
        return self.call.__name__

    @property
    def resources(self) -> tuple[str, ...]:
        """What an authorizer is asked about: all of them must be granted for the row's action."""
        # Who may not read or write files through Jupyter may not through us.
        return ("slipway", "contents") if self.path.startswith("/notebooks/") else ("slipway",)

    @property
    def service(self) -> str:
        return self.call.__qualname__.rpartition(".")[0]

    @property
    def summary(self) -> str:
        return (inspect.getdoc(self.call) or "").partition("\n")[0]


class Table:
    """All endpoints, bound to the services that answer them.

    `is_outage` says of an error of what lies below whether it means: it cannot be stored now.
    """

    def __init__(
        self, endpoints: Sequence[Endpoint], services: Sequence[object], is_outage: Callable[[Exception], bool]
    ) -> None:
        self.endpoints, self._is_outage = tuple(endpoints), is_outage
        self._services = {type(service).__name__: service for service in services}

    def find(self, method: str, path: str) -> tuple[Endpoint, dict[str, str]]:
        """The row for a request and what stands in its path.

        Raises:
            NotFound: no row has this path and method
        """
        for endpoint in self.endpoints:
            if endpoint.method == method and (match := endpoint.pattern.fullmatch(path)):
                return endpoint, {name: unquote(text) for name, text in match.groupdict().items()}
        raise NotFound(f"There is no {method} {path}.", hint="openapi.json lists what there is.")

    async def answer(
        self,
        endpoint: Endpoint,
        asker: Asker,
        params: Mapping[str, str],
        query: Mapping[str, str],
        body: bytes,
    ) -> Answer[Any]:
        """Decode, call, answer.

        Raises:
            SlipwayError: the request is refused
        """
        arguments: dict[str, Any] = {"asker": asker, **params}
        for name, text in params.items():
            if endpoint.types[name] is int:
                arguments[name] = _whole(name, text)
        if "body" in endpoint.types:
            arguments["body"] = _decode(body, endpoint.types["body"])
        if "query" in endpoint.types:
            arguments["query"] = _convert(query, endpoint.types["query"])
        try:
            value = getattr(self._services[endpoint.service], endpoint.name)(**arguments)
            if inspect.isawaitable(value):
                value = await value
        except Exception as error:  # whatever lies below: an outage is the user's to mend, all else is ours
            if not self._is_outage(error):
                raise
            # Nothing was half written (see `files`, `db`).
            raise outage(error) from error
        return value if isinstance(value, Answer) else Answer(value, endpoint.status)


def outage(error: Exception) -> SlipwayError:
    """An error of the disk or the database in words of ours, and what its kind lets one do about it."""
    said = str(getattr(error, "orig", None) or error).partition("\n")[0]
    number = getattr(error, "errno", None)
    if number == errno.ENAMETOOLONG:  # no outage: no file can be called what was said
        return BadRequest("A name is too long for a file.", hint="Say a shorter one.")
    if number in DENIED or "readonly" in said or "unable to open" in said:
        hint = "Get the right to write there, or let SLIPWAY_HOME name another folder."
    elif number in FULL or "full" in said:
        hint = "Make room, then try again."
    else:
        hint = "Try again. If it stays so, 'jupyter slipway doctor' says what is away."
    return Unavailable(f"It could not be stored: {said}.", hint=hint)


def problem(error: SlipwayError) -> Problem:
    return Problem(error.code, error.message, error.hint)


def encode(value: Any) -> bytes:
    return msgspec.json.encode(value)


def openapi(endpoints: Sequence[Endpoint], version: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document of the table."""
    types: list[Any] = [Problem]
    for endpoint in endpoints:
        types += [kind for kind in (endpoint.returns, endpoint.types.get("body")) if _is_json(kind)]
    references, schemas = msgspec.json.schema_components(types, ref_template=REFERENCE)
    reference = {str(one): ref for one, ref in zip(types, references, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, reference)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Slipway", "version": version},
        "servers": [{"url": f"/{PREFIX}"}],
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _operation(endpoint: Endpoint, reference: Mapping[str, Any]) -> dict[str, Any]:
    returned = endpoint.returns
    content = (
        {"application/json": {"schema": reference[str(returned)]}}
        if _is_json(returned)
        else {"application/octet-stream": {}}
    )
    refused = {"application/json": {"schema": reference[str(Problem)]}}
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "parameters": [*_path_parameters(endpoint), *_query_parameters(endpoint)],
        "responses": {
            str(endpoint.status): {"description": "OK", "content": content},
            "default": {"description": "Refused", "content": refused},
        },
    }
    if "body" in endpoint.types:
        schema = reference[str(endpoint.types["body"])]
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _path_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "integer" if endpoint.types[name] is int else "string"},
        }
        for name in endpoint.pattern.groupindex
    ]


def _query_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    if "query" not in endpoint.types:
        return []
    (_, components) = msgspec.json.schema_components([endpoint.types["query"]], ref_template=REFERENCE)
    fields = components[endpoint.types["query"].__name__]
    required = fields.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": schema}
        for name, schema in fields["properties"].items()
    ]


def _is_json(kind: Any) -> bool:
    return kind is not None and kind is not Raw


def _whole(name: str, text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise BadRequest(f"{text!r} is not a {name}.", hint="Say a whole number.")
    return int(text)


def _decode(body: bytes, kind: Any) -> Any:
    try:
        return from_json(body or b"null", kind)
    except msgspec.ValidationError as error:
        raise Unprocessable(f"The request cannot be used: {error}.") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadRequest(f"The request is not JSON: {error}.") from error


def _convert(query: Mapping[str, str], kind: Any) -> Any:
    try:
        return from_builtins(dict(query), kind, strict=False)
    except msgspec.ValidationError as error:
        raise Unprocessable(f"The query cannot be used: {error}.") from error
