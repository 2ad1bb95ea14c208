"""What a cell showed beside its result, in the notebook and in the clean process. Pure.

Called by `proof`. The result itself is compared by value, printed lines by `printed`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from jupyter_slipway.publish.inside.texts import told
from jupyter_slipway.publish.model import Difference

WIDGET = "application/vnd.jupyter.widget-view+json"
SHORT = 200
"""Characters of a shown text that a difference quotes."""


def missing(notebook: Iterable[Mapping[str, Any]], run: Iterable[Mapping[str, Any]]) -> tuple[Difference, ...]:
    """What the cell displayed and the run did not; nbformat outputs.

    Of pictures only that there is one is compared: two drawings of one figure differ in their bytes. Widgets are
    left out: they live in the notebook only. The run may show more, of the other cells that it holds.
    """
    left = Counter(_said(output) for output in notebook if _is_display(output))
    left.subtract(Counter(_said(output) for output in run if _is_display(output)))
    return tuple(
        Difference("shown output", said[:SHORT], "not shown") for said, count in left.items() for _ in range(count)
    )


def _is_display(output: Mapping[str, Any]) -> bool:
    return output.get("output_type") == "display_data" and WIDGET not in output.get("data", {})


def _said(output: Mapping[str, Any]) -> str:
    kind, *text = told(dict(output))
    return "".join(text) or ("a picture" if kind == "image" else "an empty output")
