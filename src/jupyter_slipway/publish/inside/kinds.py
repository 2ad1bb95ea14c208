"""What a value is, told without importing a library: of numpy and others only what the user has loaded."""

from __future__ import annotations

import os
import random
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

STDLIB: frozenset[str] = getattr(sys, "stdlib_module_names", frozenset())
STDLIB_FOLDER = os.path.dirname(os.__file__) + os.sep


def of_package(root: str, *names: str) -> Callable[[Any], bool]:
    def matches(value: Any) -> bool:
        module = sys.modules.get(root)
        if module is None:
            return False
        return any(isinstance(value, kind) for kind in (getattr(module, name, None) for name in names) if kind)

    return matches


is_drawing = of_package("matplotlib.artist", "Artist")
is_arrows = of_package("matplotlib.quiver", "Quiver", "Barbs")


def is_chart(value: Any) -> bool:
    """Altair's, or a part of one."""
    return (type(value).__module__ or "").partition(".")[0] == "altair"


def is_laid_out_late(value: Any) -> bool:
    """Does it put its numbers in their place when it is drawn, so that one not drawn yet looks different?"""
    return is_arrows(value) or type(value).__module__.startswith("mpl_toolkits")


def is_estimator(value: Any) -> bool:
    return (
        "sklearn" in sys.modules
        and hasattr(value, "get_params")
        and hasattr(value, "fit")
        and not isinstance(value, type)
    )


def is_random(value: Any) -> bool:
    """A source of random numbers: in a comparison, its state tells nothing unless its values do."""
    return isinstance(value, random.Random) or type(value).__module__.startswith("numpy.random")


def is_whole(value: Any) -> bool:
    """A whole number, Python's or numpy's."""
    return type(value) is int or (type(value).__module__ == "numpy" and hasattr(type(value), "bit_count"))


def from_library(kind: Any) -> bool:
    """Is this class or function of an installed package or the standard library, and not the user's own?"""
    root = (kind.__module__ or "").partition(".")[0]
    if root in ("__main__", "__mp_main__"):
        return False
    return root == "" or root_of_library(root)


def module_of_library(module: Any) -> bool:
    return not getattr(module, "__file__", None) or root_of_library(module.__name__.partition(".")[0])


def root_of_library(root: str) -> bool:
    """Is this top-level module installed, or of the standard library?"""
    if root in ("builtins", "__main__", "__mp_main__") or root in STDLIB:
        return True
    path = getattr(sys.modules.get(root), "__file__", None) or ""
    return "site-packages" in path or "dist-packages" in path or path.startswith(STDLIB_FOLDER)


def type_name(value: Any) -> str:
    """'DataFrame' or 'Point': with its package when it is a library's, so that a module's own class agrees."""
    kind = type(value)
    name = kind.__qualname__.rpartition("<locals>.")[2]
    root = (kind.__module__ or "").partition(".")[0]
    return f"{root}.{name}" if from_library(kind) and root != "builtins" else name


def described(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
