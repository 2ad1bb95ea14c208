"""Sizes by name: the built-in ones and an administrator's, each the form behind 'New cluster' with its limits.

A profile is a backend, values for its form, and what may not be exceeded. A file of profiles looks like this:

    nightly:
      title: Nightly ETL
      backend: dask-local
      options: {workers: {minimum: 1, maximum: 4}, cores: 2, memory: 4 GiB}
      limits: {workers: 8, cores: 4, memory: 8 GiB}
      labels: {team: data}
      price: 0.12            # a worker's hour
      currency: EUR
    large: null              # a built-in one that nobody is offered here
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, structs

from jupyter_slipway.clusters import sizes
from jupyter_slipway.clusters.backends import Backends
from jupyter_slipway.clusters.model import Workers
from jupyter_slipway.errors import NotFound, SlipwayError, Unprocessable

FILE = "profiles.yaml"
KINDS = {"integer": "a whole number", "string": "text", "object": "a group of fields", "boolean": "true or false"}


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """The most that a cluster of this profile may have; None: as much as the backend gives."""

    workers: int | None = None
    cores: int | None = None
    """Of one worker."""
    memory: str | None = None
    """Of one worker."""


class Profile(Struct, frozen=True):
    name: str
    title: str
    backend: str
    engine: str
    schema: dict[str, Any]
    """JSON Schema of its options: the form is made from it."""
    defaults: dict[str, Any]
    labels: dict[str, str] = {}
    price: float = 0.0
    """A worker's hour."""
    currency: str = ""
    limits: Limits = Limits()
    kernel_memory: str = ""
    """That a kernel started beside a worker needs there, such as '4 GiB'."""


class Written(Struct, frozen=True, forbid_unknown_fields=True):
    """A profile as it stands in a file."""

    backend: str
    title: str = ""
    options: dict[str, Any] = {}
    limits: Limits = Limits()
    labels: dict[str, str] = {}
    price: float = 0.0
    currency: str = ""
    kernel_memory: str = ""


class Size(Struct, frozen=True):
    """What a profile's options come to; zeros where the backend makes no workers."""

    workers: Workers
    cores: int
    memory: int

    @property
    def total(self) -> int:
        """Bytes of all workers, when all are there."""
        return self.workers.maximum * self.memory


def _sized(title: str, backend: str, minimum: int, maximum: int, cores: int, memory: str, **more: Any) -> Written:
    options = {"workers": {"minimum": minimum, "maximum": maximum}, "cores": cores, "memory": memory}
    return Written(backend, title, options | more)


BUILT_IN = {
    "small": _sized("Small: 2 workers on this machine", "dask-local", 1, 2, 1, "1 GiB"),
    "medium": _sized("Medium: up to 4 workers on this machine", "dask-local", 1, 4, 2, "4 GiB"),
    "large": _sized("Large: up to 8 workers on this machine", "dask-local", 2, 8, 4, "8 GiB"),
    "gpu": _sized("GPU: a worker for each of this machine's", "dask-local", 1, 1, 2, "8 GiB", gpus=1),
    "address": Written("dask-address", "A Dask scheduler that runs elsewhere"),
    "spark": Written("spark-local", "Spark: 2 cores of this machine", {"cores": 2, "memory": "2 GiB"}),
    "spark-address": Written("spark-connect", "A Spark Connect server that runs elsewhere"),
}


class Profiles:
    """Those of `file`, over the built-in ones; read when asked, so that a change needs no restart."""

    def __init__(self, file: Path, backends: Backends) -> None:
        self._file, self._backends = file, backends

    def all(self) -> list[Profile]:
        """Those whose backend is installed."""
        found = []
        for name, written in self._written().items():
            try:
                found.append(self._profile(name, written))
            except Unprocessable:
                if name not in BUILT_IN:
                    raise
        return found

    def get(self, name: str) -> Profile:
        """
        Raises:
            NotFound: there is none
            Unprocessable: its backend is not installed, or it says what cannot be
        """
        written = self._written()
        if name not in written:
            raise NotFound(f"There is no profile {name!r}.", hint=f"There are {', '.join(sorted(written))}.")
        return self._profile(name, written[name])

    def options(self, profile: Profile, given: Mapping[str, Any]) -> dict[str, Any]:
        """The profile's options with those `given`.

        Raises:
            Unprocessable: one of them cannot be, or is beyond a limit; the message names field and limit
        """
        options = merged(profile.defaults, given)
        check(profile.schema, options)
        size = size_of(options)
        if size.workers.minimum > size.workers.maximum:
            raise Unprocessable(
                f"workers.minimum: {size.workers.minimum} is more than workers.maximum, {size.workers.maximum}."
            )
        most = sizes.parse(profile.limits.memory, "limits.memory") if profile.limits.memory else None
        if most is not None and size.memory > most:
            raise Unprocessable(
                f"memory: {options['memory']!r} is more than {profile.limits.memory}, the most that profile "
                f"{profile.name!r} allows a worker."
            )
        if self._backends[profile.backend].on_this_machine:
            _fits(size)
            if size.workers.maximum * (options.get("gpus") or 0) > sizes.machine_gpus():
                raise Unprocessable(
                    f"gpus: {size.workers.maximum} workers of {options['gpus']} GPU are more than the "
                    f"{sizes.machine_gpus()} of this machine.",
                    hint="Take fewer workers.",
                )
        return options

    def _written(self) -> dict[str, Written]:
        found: dict[str, Written] = dict(BUILT_IN)
        for name, written in self._read().items():
            if written is None:
                found.pop(name, None)
            else:
                found[name] = written
        return found

    def _read(self) -> dict[str, Written | None]:
        try:
            text = self._file.read_bytes()
        except FileNotFoundError:
            return {}
        try:
            return msgspec.yaml.decode(text, type=dict[str, Written | None] | None) or {}
        except msgspec.MsgspecError as error:
            raise Unprocessable(f"{self._file} cannot be used: {error}.", hint="Ask who administers it.") from error

    def _profile(self, name: str, written: Written) -> Profile:
        backend = self._backends[written.backend]
        schema = copy.deepcopy(backend.schema())
        properties = schema.get("properties", {})
        defaults = _defaults(properties)
        options = merged(defaults, written.options)
        if written is BUILT_IN.get(name) and backend.on_this_machine and "memory" in properties:
            options = fitted(options)
        limits = written.limits
        if backend.on_this_machine and "cores" in properties:
            limits = structs.replace(limits, cores=min(limits.cores or sizes.machine_cores(), sizes.machine_cores()))
        if backend.on_this_machine and "gpus" in properties:
            properties["gpus"]["maximum"] = sizes.machine_gpus()
            if not sizes.machine_gpus() and not options.get("gpus"):
                # Nobody is asked for what this machine has not.
                del properties["gpus"], options["gpus"]
            elif written is BUILT_IN.get(name) and options.get("gpus"):
                options |= {"workers": {"minimum": 1, "maximum": max(1, sizes.machine_gpus())}}
                options = fitted(options)
        if "workers" in properties and limits.workers is not None:
            properties["workers"]["properties"]["maximum"]["maximum"] = limits.workers
        if "cores" in properties and limits.cores is not None:
            properties["cores"]["maximum"] = limits.cores
        for field, value in options.items():
            if field in properties:
                properties[field]["default"] = value
        try:
            check(schema, options, partial=True)
        except SlipwayError as error:
            raise Unprocessable(f"Profile {name!r} says what cannot be: {error.message}") from error
        return Profile(
            name=name,
            title=written.title or name,
            backend=written.backend,
            engine=backend.engine,
            schema=schema,
            defaults=options,
            labels=written.labels,
            price=written.price,
            currency=written.currency,
            limits=limits,
            kernel_memory=written.kernel_memory,
        )


def check(schema: Mapping[str, Any], options: Mapping[str, Any], *, partial: bool = False) -> None:
    """
    Args:
        partial: what is missing may be filled in later

    Raises:
        Unprocessable: the message names the field, what was given and what it may be
    """
    from jsonschema import Draft202012Validator

    errors = sorted(Draft202012Validator(schema).iter_errors(options), key=lambda one: list(map(str, one.path)))
    for error in errors:
        if not (partial and error.validator == "required"):
            raise Unprocessable(_words(error), hint="GET /profiles tells what each field may be.")


def merged(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """`given` over `defaults`, field by field, one level deep."""
    found = dict(defaults)
    for name, value in given.items():
        both = isinstance(value, Mapping) and isinstance(found.get(name), Mapping)
        found[name] = {**found[name], **value} if both else value
    return found


def size_of(options: Mapping[str, Any]) -> Size:
    # Without a number of workers but with a size, it is one server.
    number = 1 if options.get("memory") else 0
    workers = options.get("workers") or {"minimum": number, "maximum": number}
    memory = sizes.parse(options["memory"]) if options.get("memory") else 0
    if options.get("memory") and memory < sizes.SMALLEST:
        raise Unprocessable(
            f"memory: {options['memory']!r} is less than {sizes.words(sizes.SMALLEST)}, which a worker needs to start."
        )
    return Size(Workers(workers["minimum"], workers["maximum"]), options.get("cores") or 0, memory)


def fitted(options: dict[str, Any]) -> dict[str, Any]:
    """A built-in profile on a machine that is smaller than it: fewer cores, less memory, at last fewer workers."""
    # Without a number of workers it is one server.
    workers = dict(options.get("workers", {"minimum": 1, "maximum": 1}))
    memory, machine = sizes.parse(options["memory"]), sizes.machine_memory()
    workers["maximum"] = max(1, min(workers["maximum"], machine // (2 * sizes.SMALLEST)))
    workers["minimum"] = min(workers["minimum"], workers["maximum"])
    if workers["maximum"] * memory > machine:
        step = sizes.SMALLEST
        memory = max(step, int(machine * 0.9 / workers["maximum"]) // step * step)
    cores = min(options["cores"], sizes.machine_cores())
    size = {"cores": cores, "memory": sizes.words(memory)}
    return options | size | ({"workers": workers} if "workers" in options else {})


def _fits(size: Size) -> None:
    machine = sizes.machine_memory()
    if size.total > machine:
        raise Unprocessable(
            f"memory: {size.workers.maximum} workers of {sizes.words(size.memory)} are more than the "
            f"{sizes.words(machine)} of this machine.",
            hint="Take fewer workers or less memory.",
        )


def _defaults(properties: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, field in properties.items():
        if "default" in field:
            found[name] = field["default"]
        elif field.get("type") == "object" and (inner := _defaults(field.get("properties", {}))):
            found[name] = inner
    return found


FORM = "is not of the form it needs"


def _words(error: Any) -> str:
    field = ".".join(map(str, error.path)) or "options"
    said = _said(error.validator, error.instance, error.validator_value) or error.message
    about = error.schema.get("description", "") if said.endswith(FORM) else ""
    return f"{field}: {said}. {about}".strip()


def _said(rule: str, given: Any, limit: Any) -> str:
    match rule:
        case "maximum":
            return f"{given!r} is more than {limit}, the most there may be"
        case "minimum":
            return f"{given!r} is less than {limit}, the least there may be"
        case "type":
            kinds = [limit] if isinstance(limit, str) else limit
            return f"{given!r} is not {' or '.join(KINDS.get(one, one) for one in kinds)}"
        case "enum":
            return f"{given!r} is none of {', '.join(map(str, limit))}"
        case "pattern" if limit == sizes.PATTERN:
            return f"{given!r} is not a size such as '4 GiB'"
        case "pattern":
            return f"{given!r} {FORM}"
    return ""
