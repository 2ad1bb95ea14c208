"""What a cell displayed has to be displayed by the run."""

from __future__ import annotations

from typing import Any

from jupyter_slipway.publish.model import Difference
from jupyter_slipway.publish.shown import missing


def display(**data: Any) -> dict[str, Any]:
    return {"output_type": "display_data", "data": {key.replace("__", "/"): value for key, value in data.items()}}


def test_the_same_texts_in_any_order_are_enough() -> None:
    one, two, more = display(text__plain="a"), display(text__plain="b"), display(text__plain="c")

    assert missing([one, two], [more, two, one]) == ()


def test_what_is_not_shown_is_named() -> None:
    assert missing([display(text__plain="a")], []) == (Difference("shown output", "a", "not shown"),)
    assert missing([display(image__png="")] * 2, [display(image__png="AA==")]) == (
        Difference("shown output", "a picture", "not shown"),
    )


def test_addresses_results_streams_and_widgets_do_not_count() -> None:
    there, here = display(text__plain="<X at 0x7f01>"), display(text__plain="<X at 0x7f99>")
    widget = {"output_type": "display_data", "data": {"application/vnd.jupyter.widget-view+json": {}}}
    stream = {"output_type": "stream", "name": "stdout", "text": "1\n"}
    result = {"output_type": "execute_result", "data": {"text/plain": "1"}}

    assert missing([there, widget, stream, result], [here]) == ()


def chart(values: list[float], name: str = "param_1") -> dict[str, Any]:
    specification = {"mark": "bar", "params": [{"name": name}], "data": {"values": [{"y": y} for y in values]}}
    return {
        "output_type": "display_data",
        "data": {"application/vnd.vegalite.v5+json": specification, "text/plain": "<chart>"},
    }


def test_charts_are_compared_by_what_they_draw() -> None:
    assert missing([chart([1, 2.0])], [chart([1, 2.0 + 1e-12], "param_2")]) == ()

    drawn = chart([1, 2.0])
    drawn["data"]["image/png"] = "JupyterLab adds a picture of what it has drawn"
    assert missing([drawn], [chart([1, 2.0])]) == ()

    drawn["data"]["application/vnd.vegalite.v5+json"] = ""  # too large to be sent
    assert missing([drawn], [chart([1, 2.0])]) == ()

    (difference,) = missing([chart([1, 2.0])], [chart([1, 2.5])])
    assert difference.expected.startswith('a chart: {"data": {"values": [{"y": 1}, {"y": 2.0}]}')


def test_a_chart_that_is_a_page_in_the_notebook_is_compared_by_its_text() -> None:
    page = display(text__html="<div id='viz'>", text__plain="<chart>")

    assert missing([page, chart([2])], [chart([1]), chart([2])]) == ()
