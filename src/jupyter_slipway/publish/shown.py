"""What a cell showed beside its result, in the notebook and in the clean process. Pure.

Called by `proof`. The result itself is compared by value, printed lines by `printed`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from jupyter_slipway.publish.inside.texts import told, uncounted
from jupyter_slipway.publish.model import Difference

CHART = re.compile(r"application/vnd\.vega(lite)?\.v\d[\d.]*[+.]json")
WIDGET = "application/vnd.jupyter.widget-view+json"
SHORT = 200
"""Characters of a shown text that a difference quotes."""


def missing(notebook: Iterable[Mapping[str, Any]], run: Iterable[Mapping[str, Any]]) -> tuple[Difference, ...]:
    """What the cell displayed and the run did not; nbformat outputs.

    Of pictures only that there is one is compared: two drawings of one figure differ in their bytes; of a chart in
    Vega its specification with the data in it. Widgets are left out: they live in the notebook only. The run may
    show more, of the other cells that it holds.
    """
    left = Counter(_said(output)[0] for output in notebook if _is_display(output))
    for output in run:
        if _is_display(output):
            left.subtract([said for said in _said(output) if left[said] > 0][:1])
    return tuple(
        Difference("shown output", said[:SHORT], "not shown") for said, count in left.items() for _ in range(count)
    )


def _is_display(output: Mapping[str, Any]) -> bool:
    return output.get("output_type") == "display_data" and WIDGET not in output.get("data", {})


def _said(output: Mapping[str, Any]) -> list[str]:
    """What an output says; of a chart first its specification, then the text that stands for it.

    A run shows charts that in the notebook are a page, or too large to be sent: there the text is compared.
    """
    data = output["data"]
    charts = [mime for mime in data if CHART.fullmatch(mime)]
    said = [f"a chart: {json.dumps(_rounded(data[mime]), sort_keys=True)}" for mime in charts if data[mime]]
    if charts:  # JupyterLab adds a picture of what it has drawn
        data = {mime: content for mime, content in data.items() if not mime.startswith("image/")}
    kind, *text = told({**output, "data": data})
    return [
        *map(uncounted, said),
        "".join(text) or ("a picture" if kind == "image" else "an empty output"),
    ]


def _rounded(value: Any) -> Any:
    """JSON whose floats are the same when they agree to nine digits."""
    match value:
        case float():
            return float(f"{value:.9g}")
        case list():
            return [_rounded(item) for item in value]
        case dict():
            return {key: _rounded(item) for key, item in value.items()}
    return value
