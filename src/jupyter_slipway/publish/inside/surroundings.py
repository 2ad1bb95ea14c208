"""State outside the names: random numbers, settings, environment, working directory."""

from __future__ import annotations

import os
import random
import sys
import warnings
from os import getcwd


def ambient() -> dict[str, int]:
    """State outside the names -> its hash, for what is loaded."""
    found = {
        "random": hash(random.getstate()),
        "environ": hash(frozenset(os.environ.items())),
        "sys.path": hash(tuple(map(str, sys.path))),
        "warnings": hash(repr(warnings.filters)),
    }
    try:
        found["cwd"] = hash(getcwd())
    except OSError:
        found["cwd"] = 0
    for name, look in (("numpy.random", numpy_random), ("matplotlib", drawing_settings), ("pandas", pandas_options)):
        state = look()
        if state is not None:
            found[name] = hash(state)
    return found


def numpy_random() -> object:
    module = sys.modules.get("numpy.random")
    if module is None or not hasattr(module, "get_state"):
        return None
    name, keys, *rest = module.get_state()
    return (name, keys.tobytes(), *rest)


def drawing_settings(attribute: str = "rcParams") -> object:
    settings = getattr(sys.modules.get("matplotlib"), attribute, None)
    if settings is None:
        return None
    # dict.items: reading 'backend' through matplotlib's own mapping would load one.
    return str(
        sorted((key, str(value)) for key, value in dict.items(settings) if key not in ("backend", "interactive"))
    )


def pandas_options() -> object:
    config = sys.modules.get("pandas._config.config")
    return None if config is None else repr(getattr(config, "_global_config", None))


def untouched(state: str) -> int | None:
    """The hash that a state has just after its library's import, where that is known."""
    if state == "matplotlib":
        original = drawing_settings("rcParamsOrig")
        return None if original is None else hash(original)
    return None
