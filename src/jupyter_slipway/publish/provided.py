"""Names that a notebook has from its cluster and no cell defines: in a module, the plain code that makes them.

Called by `plan`. The code names no address: where a run computes stands in its environment, and without any it
computes where it is.
"""

from __future__ import annotations

from collections.abc import Collection

from msgspec import structs

from jupyter_slipway.publish.model import Warn
from jupyter_slipway.publish.slice import Slice, Step

CODE = {
    "client": "from distributed import Client\nclient = Client()",
    "spark": "from pyspark.sql import SparkSession\nspark = SparkSession.builder.getOrCreate()",
}


def with_provided(chosen: Slice, names: Collection[str]) -> Slice:
    """`chosen`, beginning with what makes those of `names` that it uses and no cell defines."""
    used = [name for name in CODE if name in names and name in chosen.undefined]
    if not used:
        return chosen
    known = tuple(f"`{name}`" for name in used)
    kept = [
        one for one in chosen.warnings if one.code != "undefined_name" or not any(name in one.message for name in known)
    ]
    made = [Warn("from_cluster", f"`{name}` comes from the cluster: the module makes its own.") for name in used]
    # Steps of no cell, as those of one that the notebook no longer has.
    steps = [Step("", -1, CODE[name], CODE[name]) for name in used]
    undefined = tuple(name for name in chosen.undefined if name not in used)
    return structs.replace(chosen, steps=(*steps, *chosen.steps), warnings=(*kept, *made), undefined=undefined)
