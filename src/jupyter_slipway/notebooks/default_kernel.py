"""Which kernel a text notebook starts that names none: nobody is asked whenever a file of plain code is opened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpec, KernelSpecManager, NoSuchKernel
from jupytext.languages import same_language


def name_default_kernel(metadata: dict[str, Any]) -> None:
    """Name one of the text's language, if there is any: the server's own where it speaks that, else the first."""
    options = metadata.get("jupytext", {})
    language = options.get("main_language")
    if "kernelspec" in metadata or not language or not isinstance(language, str):  # a header may say anything
        return
    for name, spec in _installed():
        if same_language(spec.language, language):
            metadata["kernelspec"] = {"name": name, "language": language, "display_name": spec.display_name}
            options.pop("main_language")
            return


def _installed() -> Iterator[tuple[str, KernelSpec]]:
    """Unlike jupytext's own search, also those of this environment that say 'python' and not its path."""
    specs = KernelSpecManager()
    for name in dict.fromkeys((NATIVE_KERNEL_NAME, *sorted(specs.find_kernel_specs()))):
        try:
            yield name, specs.get_kernel_spec(name)
        except (NoSuchKernel, OSError, ValueError):  # not there, gone meanwhile, or no JSON
            continue
