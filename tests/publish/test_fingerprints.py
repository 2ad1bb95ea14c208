"""Which values have the same fingerprint."""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path

import pytest

from jupyter_slipway.publish.inside.fingerprints import report
from jupyter_slipway.publish.proof import compare


@dataclasses.dataclass
class Point:
    x: float
    label: str = "a"


def same(one: object, other: object) -> bool:
    first, second = (json.loads(json.dumps(report({"v": value}))) for value in (one, other))
    assert "blind" not in first["v"], first
    return not compare(first, second)


def frame(**changes):
    import pandas as pd

    columns = {"n": [1, 2, 3], "x": [0.1, 0.2, float("nan")], "s": ["a", None, "c"]}
    made = pd.DataFrame(columns | changes)
    made["when"] = pd.to_datetime(["2026-01-01", "2026-01-02", None])
    return made


def test_equal_values_are_the_same():
    import numpy as np
    import pandas as pd

    for make in (
        lambda: 3,
        lambda: 0.1 + 0.2,
        lambda: "text",
        lambda: [1, 2.5, {"a": {1, 2}}],
        lambda: Point(1.5),
        lambda: np.arange(6).reshape(2, 3),
        lambda: np.linspace(0, 1, 1000),
        lambda: np.float64(3.5),
        lambda: frame(),
        lambda: frame()["s"],
        lambda: frame().groupby("s")["x"].mean(),
        lambda: pd.MultiIndex.from_product([[1, 2], ["a", "b"]]),
        lambda: pd.Series([1, None], dtype="Int64"),
        lambda: pd.Timestamp("2026-01-01", tz="Europe/Berlin"),
        lambda: Path("a/b"),
    ):
        assert same(make(), make()), make()


def test_different_values_are_not_the_same():
    import numpy as np

    many = np.linspace(0, 1, 1000)
    swapped = many.copy()
    swapped[[400, 401]] = swapped[[401, 400]]
    one_off = many.copy()
    one_off[517] += 1e-4
    for one, other in (
        (3, 4),
        (3, 3.0),
        (1.0, 1.0 + 1e-6),
        (float("nan"), 1.0),
        ([1, 2], [2, 1]),
        ({"a": 1}, {"a": 2}),
        (Point(1.5), Point(1.5, "b")),
        (np.zeros(3), np.zeros(4)),
        (np.zeros(3), np.zeros(3, dtype="float32")),
        (many, one_off),
        (many, swapped),
        (frame(), frame(n=[1, 2, 4])),
        (frame(), frame(s=["a", "b", "c"])),
        (frame(), frame(x=[0.1, 0.2, 0.3])),
        (frame(), frame().rename(columns={"n": "m"})),
        (frame(), frame().iloc[::-1]),
    ):
        assert not same(one, other), (one, other)


def test_floats_are_the_same_within_the_tolerance():
    import numpy as np

    many = np.random.default_rng(0).normal(size=10_000)
    assert same(1.0, 1.0 + 1e-12)
    assert same([0.1] * 100, [0.1 + 1e-15] * 100)
    assert same(many, many * (1 + 1e-12))
    assert same(frame(), frame(x=[0.1 + 1e-14, 0.2, float("nan")]))
    assert not same(many, many * (1 + 1e-7))


def test_an_estimator_is_compared_by_what_it_learned():
    import numpy as np
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.linear_model import LinearRegression
    from sklearn.neighbors import KNeighborsRegressor

    data = np.random.default_rng(0).normal(size=(50, 3))

    def forest(seed: int) -> RandomForestRegressor:
        return RandomForestRegressor(3, random_state=seed).fit(data, data[:, 0])

    assert same(LinearRegression().fit(data, data[:, 0]), LinearRegression().fit(data, data[:, 0]))
    assert not same(LinearRegression().fit(data, data[:, 0]), LinearRegression().fit(data, data[:, 1]))
    assert same(KNeighborsRegressor().fit(data, data[:, 0]), KNeighborsRegressor().fit(data, data[:, 0]))
    assert not same(KNeighborsRegressor().fit(data, data[:, 0]), KNeighborsRegressor().fit(data, data[:, 1]))
    assert same(forest(1), forest(1))
    assert not same(forest(1), forest(2))


@pytest.mark.parametrize("make", ["generator", "function", "random"])
def test_what_cannot_be_compared_says_why(make):
    value = {"generator": lambda: (i for i in ()), "function": lambda: same, "random": random.Random}
    assert report({"v": value[make]()})["v"]["blind"]


@pytest.mark.parametrize(
    "drawn",
    [
        "ax.plot([0, 1], [2, {n}])",
        "ax.scatter([0, 1], [2, {n}])",
        "ax.bar(['a', 'b'], [2, {n}])",
        "ax.fill_between([0, 1], [2, {n}])",
        "ax.pie([2, {n}])",
        "ax.imshow([[2, {n}]])",
        "ax.hist([2, {n}, 4])",
        "ax.set_title('mean of {n}')",
        "ax.contourf([[2, {n}], [5, 6]])",
    ],
)
def test_drawings_are_compared_by_what_they_draw(drawn):
    from matplotlib.figure import Figure

    def figure(n: int) -> Figure:
        made = Figure()
        exec(drawn.format(n=n), {"ax": made.add_subplot()})
        return made

    assert same(figure(3), figure(3))
    assert not same(figure(3), figure(9))
    assert same(figure(3).axes[0], figure(3).axes[0])


def test_charts_are_compared_by_what_they_are_made_from():
    def chart(values: list[float], selection: str) -> object:
        one = type("Chart", (), {"__module__": "altair.vegalite.v6.api"})()
        one._kwds = {"mark": "bar", "data": frame(x=[*values, 0.5]), "name": selection}
        return one

    assert same(chart([1.0, 2.0], "param_1"), chart([1.0, 2.0 + 1e-12], "param_2"))
    assert not same(chart([1.0, 2.0], "param_1"), chart([1.0, 2.5], "param_1"))


@pytest.mark.parametrize(
    "drawn",
    [
        "ax.plot([0, 1], [2, 3], label='a'); ax.legend()",
        "ax.bar(['a', 'b'], [2, 3]); ax.figure.tight_layout()",
        "ax.quiver([0, 1], [0, 1], [1, 1], [0, 1])",
        "ax.annotate('here', (0, 0), (1, 1), arrowprops={})",
        "ax.figure.add_subplot(projection='3d').scatter([0, 1], [0, 1], [0, 1])",
    ],
)
def test_drawing_it_does_not_change_what_it_draws(drawn):
    from matplotlib.figure import Figure

    figure = Figure()
    exec(drawn, {"ax": figure.add_subplot()})
    before = report({"v": figure})
    figure.canvas.draw()

    assert report({"v": figure}) == before


def test_memory_addresses_are_no_content():
    class Thing:
        pass

    one, other = report({"v": Thing()}), report({"v": Thing()})
    assert (one, "0x" in one["v"]["short"]) == (other, False)


def test_a_short_text_is_short():
    assert len(report({"v": "long " * 1000})["v"]["short"]) <= 200
    assert report({"v": frame()})["v"]["short"]
