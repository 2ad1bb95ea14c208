"""Constants as typed parameters, and values checked as data."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_slipway.errors import Unprocessable
from jupyter_slipway.publish.model import CellSource, Parameter
from jupyter_slipway.publish.parameters import (
    ParameterEdit,
    apply_edits,
    find_parameters,
    from_text,
    notebook_values,
    parse_setting,
    schema,
    validate,
)
from jupyter_slipway.publish.slice import slice_cells


def found(*sources: str) -> tuple[Parameter, ...]:
    cells = [CellSource(f"c{index}", source, index) for index, source in enumerate(sources)]
    return find_parameters(slice_cells(cells, cells[-1].id))


def names(*sources: str) -> list[str]:
    return [one.name for one in found(*sources) if one.on]


@pytest.mark.parametrize(
    ("value", "type", "default", "item", "on"),
    [
        ("3", "int", 3, "", True),
        ("-3", "int", -3, "", True),
        ("0.5", "float", 0.5, "", True),
        ("True", "bool", True, "", True),
        ("'x'", "str", "x", "", True),
        ("'2013-01-31'", "date", "2013-01-31", "", True),
        ("'2013-02-31'", "str", "2013-02-31", "", True),
        ("'2013-01-31 05:00'", "datetime", "2013-01-31 05:00", "", True),
        ("date(2013, 1, 31)", "date", "2013-01-31", "", True),
        ("datetime.datetime(2013, 1, 31, 5)", "datetime", "2013-01-31T05:00:00", "", True),
        ("pd.Timestamp('2013-01-31')", "date", "2013-01-31", "", True),
        ("Path('data/x.csv')", "path", "data/x.csv", "", True),
        ("'data/x.csv'", "path", "data/x.csv", "", True),
        ("'x.parquet'", "path", "x.parquet", "", True),
        ("'https://example.org/x.csv'", "str", "https://example.org/x.csv", "", True),
        ("'data/'", "str", "data/", "", True),
        ("'a and/or b'", "str", "a and/or b", "", True),
        ("[1, 2]", "list", [1, 2], "int", True),
        ("[1, 2.5]", "list", [1, 2.5], "float", True),
        ("('a', 'b')", "list", ["a", "b"], "str", True),
        ("[1, 'a']", "list", [1, "a"], "", True),
        ("[]", "list", [], "", False),
        (str(list(range(13))), "list", list(range(13)), "int", False),
        ("{'a': 1}", "dict", {"a": 1}, "int", False),
        ("None", "str", None, "", False),
        ("'''a\nb'''", "str", "a\nb", "", False),
    ],
)
def test_a_constant_becomes_a_parameter_of_its_type(value: str, type: str, default: Any, item: str, on: bool) -> None:
    (one,) = found(
        "import datetime, pandas as pd\nfrom pathlib import Path\nfrom datetime import date", f"x = {value}", "print(x)"
    )

    assert (one.type, one.default, one.item, one.on) == (type, default, item, on)
    assert one.cell == "c1"
    assert bool(one.reason) != on


@pytest.mark.parametrize(
    "value", ["f()", "1 + x", "{1: 2}", "float('inf')", "1e999", "b'x'", "1j", "[[1]]", "date(2013, 99, 1)"]
)
def test_other_values_are_no_parameters(value: str) -> None:
    offered = found("def f(): return 1\nx = 1\nfrom datetime import date", f"y = {value}", "print(y)")

    assert "y" not in [one.name for one in offered]


@pytest.mark.parametrize(
    "sources",
    [
        ["n = 1\nm = n\nn = 2", "(n, m)"],
        ["n = 1", "n += 1", "n"],
        ["n = [1]", "n.append(2)", "n"],
        ["n = [1]", "n[0] = 2", "n"],
        ["n = 1", "def f():\n    global n\n    n = 2\nf()", "n"],
        ["_n = 1", "_n"],
        ["n = 0", "for n in range(3): pass\nn"],
        ["d = {}\nn = 'a'", "d[n] = 1\nd"],
        ["n = 1\ny = 2", "y = 3\ny"],
        ["x = 1", "if x:\n    n = 1\nx"],
    ],
)
def test_what_changes_or_is_not_read_is_no_parameter(sources: list[str]) -> None:
    assert "n" not in [one.name for one in found(*sources)]


def test_a_column_that_is_also_read_otherwise_is_a_parameter() -> None:
    assert names("d = {'a': 1}\nc = 'a'", "print(c, d[c])") == ["c"]


def test_a_constant_that_a_function_reads_is_a_parameter() -> None:
    assert names("k = 3", "def f(x): return x * k", "f(2)") == ["k"]


def test_several_on_one_line() -> None:
    assert names("a, b = 1, 2.5", "a * b") == ["a", "b"]


@pytest.mark.parametrize("source", ["n = 3  # how many", "# how many\nn = 3", "n: int = 3  #: how many"])
def test_the_comment_beside_it_is_its_description(source: str) -> None:
    assert [one.description for one in found(source, "n + 1")] == ["how many"]


def test_a_literal_inside_a_reader_is_offered() -> None:
    assert found("import pandas as pd", "df = pd.read_csv('data/flights 2013.csv')", "df") == (
        Parameter(
            "flights_2013_csv",
            "str",
            "data/flights 2013.csv",
            on=False,
            cell="c1",
            inline=True,
            reason="it stands inside a call",
        ),
    )


A = Parameter("month", "int", 6)
B = Parameter("rate", "float", 0.5)
C = Parameter("day", "date", "2013-01-01")
OFF = Parameter("extra", "dict", {"a": 1}, on=False, item="int")
ALL = (A, B, C, OFF)


def test_an_edit_changes_what_it_names() -> None:
    edits = [
        ParameterEdit("month", rename="mon", description="which"),
        ParameterEdit("rate", on=False),
        ParameterEdit("day", type="datetime", default="2013-01-01T05:00"),
        ParameterEdit("extra", on=True),
        ParameterEdit("new", default=[1, 2]),
    ]

    assert apply_edits(ALL, edits) == (
        Parameter("mon", "int", 6, "which"),
        Parameter("rate", "float", 0.5, on=False),
        Parameter("day", "datetime", "2013-01-01T05:00"),
        Parameter("extra", "dict", {"a": 1}, item="int"),
        Parameter("new", "list", [1, 2], item="int"),
    )


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (ParameterEdit("nothing", on=False), "no parameter 'nothing'"),
        (ParameterEdit("month", default="June"), "'month' cannot be 'June'"),
        (ParameterEdit("month", rename="not a name"), "cannot be a parameter's name"),
        (ParameterEdit("month", rename="class"), "cannot be a parameter's name"),
        (ParameterEdit("month", rename="rate"), "cannot both be called 'rate'"),
        (ParameterEdit("rate", type="int"), "a number with a fraction"),
        (ParameterEdit("a b", default=1), "cannot be a parameter's name"),
    ],
)
def test_an_edit_that_cannot_be(edit: ParameterEdit, message: str) -> None:
    with pytest.raises(Unprocessable, match=message):
        apply_edits(ALL, [edit])


def test_a_schema_says_type_default_and_description() -> None:
    one = apply_edits(ALL, [ParameterEdit("month", description="which")])

    assert schema(one) == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "month": {"type": "integer", "default": 6, "description": "which"},
            "rate": {"type": "number", "default": 0.5, "description": ""},
            "day": {"type": "string", "format": "date", "default": "2013-01-01", "description": ""},
        },
        "additionalProperties": False,
    }


def test_values_are_filled_in_with_defaults() -> None:
    assert validate(ALL, {"rate": 2}) == {"month": 6, "rate": 2.0, "day": "2013-01-01"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"mont": 1}, "There is no parameter 'mont'"),
        ({"extra": {}}, "There is no parameter 'extra'"),
        ({"month": "6"}, "'month' cannot be '6', which is text"),
        ({"month": True}, "which is true or false"),
        ({"month": 6.5}, "a number with a fraction"),
        ({"month": None}, "'month' cannot be None"),
        ({"rate": float("nan")}, "not a finite number"),
        ({"rate": 10**400}, "too large for a number with a fraction"),
        ({"rate": []}, "which is a list"),
        ({"day": "2013-02-31"}, "'day' cannot be '2013-02-31'"),
        ({"day": "20130201"}, "'day' cannot be"),
    ],
)
def test_wrong_values_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(Unprocessable, match=message) as refused:
        validate(ALL, values)

    assert refused.value.hint


def test_an_item_of_another_type_is_named() -> None:
    names = Parameter("names", "list", ["a"], item="str")

    with pytest.raises(Unprocessable) as refused:
        validate([names], {"names": ["b", 3]})

    assert refused.value.message == "Parameter 'names' cannot be ['b', 3]: it holds 3, which is a whole number."
    assert refused.value.hint == "It is a list, each item text; the default is ['a']."


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(Unprocessable) as refused:
        validate(ALL, {"x": 1})

    assert refused.value.hint == "The parameters are: month (int), rate (float), day (date)."


@pytest.mark.parametrize(
    ("type", "item", "text", "value"),
    [
        ("int", "", "6", 6),
        ("float", "", "1e3", 1000.0),
        ("str", "", "6", "6"),
        ("bool", "", "Yes", True),
        ("bool", "", "0", False),
        ("date", "", " 2013-01-01 ", "2013-01-01"),
        ("datetime", "", "2013-01-01T05:00", "2013-01-01T05:00"),
        ("path", "", "a b/c", "a b/c"),
        ("list", "int", "1, 2", [1, 2]),
        ("list", "int", "[1, 2]", [1, 2]),
        ("list", "str", "a,b", ["a", "b"]),
        ("list", "", "1,a", [1, "a"]),
        ("list", "int", "", []),
        ("dict", "", '{"a": [1]}', {"a": [1]}),
    ],
)
def test_text_is_read_by_type(type: Any, item: str, text: str, value: Any) -> None:
    assert from_text(Parameter("x", type, 0, item=item), text) == value


@pytest.mark.parametrize(
    ("type", "item", "text"),
    [
        ("int", "", "6.0"),
        ("int", "", ""),
        ("bool", "", "maybe"),
        ("date", "", "x"),
        ("list", "int", "a"),
        ("list", "", "[1"),
        ("dict", "", "a=1"),
    ],
)
def test_text_that_is_not_of_the_type(type: Any, item: str, text: str) -> None:
    with pytest.raises(Unprocessable, match="Parameter 'x' cannot be"):
        from_text(Parameter("x", type, 0, item=item), text)


@pytest.mark.parametrize(
    ("text", "edit"),
    [
        ("n:int=3", ParameterEdit("n", type="int", default=3, on=True)),
        ("n : list[date] = 2013-01-01", ParameterEdit("n", type="list", default=["2013-01-01"], on=True, item="date")),
        ("n=3", ParameterEdit("n", default="3", on=True)),
        ("n=a=b", ParameterEdit("n", default="a=b", on=True)),
        ("n:str=", ParameterEdit("n", type="str", default="", on=True)),
    ],
)
def test_a_setting_is_an_edit(text: str, edit: ParameterEdit) -> None:
    assert parse_setting(text) == edit


def test_a_setting_takes_the_type_of_the_parameter_it_names() -> None:
    assert apply_edits(ALL, [parse_setting("month=7"), parse_setting("other=7"), parse_setting("flag=true")])[
        0
    ] == Parameter("month", "int", 7)
    assert apply_edits((), [parse_setting("other=7")]) == (Parameter("other", "int", 7),)
    assert apply_edits((Parameter("s", "str", "a"),), [parse_setting("s=7")]) == (Parameter("s", "str", "7"),)


@pytest.mark.parametrize("text", ["n", "n:", "n:what=1", "n:int=x", "1n=2", "a b=2", ":int=3", "n:list[what]=1"])
def test_a_setting_that_cannot_be_read(text: str) -> None:
    with pytest.raises(Unprocessable):
        parse_setting(text)


KINDS: dict[str, st.SearchStrategy[Any]] = {
    "int": st.integers(),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "str": st.text(),
    "bool": st.booleans(),
    "date": st.dates().map(lambda day: day.isoformat()),
    "datetime": st.datetimes().map(lambda moment: moment.isoformat()),
    "list": st.lists(st.integers()),
    "dict": st.dictionaries(st.text(), st.integers()),
}


@given(st.data())
def test_whatever_is_valid_agrees_with_the_schema_and_comes_back_from_text(data: st.DataObject) -> None:
    kind: Any = data.draw(st.sampled_from(sorted(KINDS)))
    value = data.draw(KINDS[kind])
    one = Parameter("x", kind, value, item="int" if kind in ("list", "dict") else "")

    full = validate([one], {"x": value})

    assert full == {"x": value}
    jsonschema.validate(full, schema([one]), jsonschema.Draft202012Validator)
    text = value if isinstance(value, str) else json.dumps(value)
    assert from_text(one, text) == value


@given(
    st.sampled_from(sorted(KINDS)),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3),
    ),
)
def test_any_value_is_accepted_with_its_type_or_refused(kind: Any, value: Any) -> None:
    one = Parameter("x", kind, 0)
    try:
        full = validate([one], {"x": value})
    except Unprocessable:
        return
    jsonschema.validate(full, schema([one]), jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    ("written", "choices"),
    [
        ('mode: Literal["fast", "exact"] = "fast"', ("fast", "exact")),
        ("depth: typing.Literal[2, 4] = 4", (2, 4)),
        ('depth: Literal[2, "all"] = 2', ()),
        ('mode: Literal["fast", "exact"] = "slow"', ()),
        ('mode: Literal[FAST] = "fast"', ()),
        ('mode: str = "fast"', ()),
    ],
)
def test_a_literal_type_says_what_a_parameter_can_be(written: str, choices: tuple[Any, ...]) -> None:
    name = written.partition(":")[0]
    (one,) = found(written, f"print({name})")

    assert (one.name, one.choices) == (name, choices)


def test_a_value_that_is_none_of_the_choices_is_refused_with_them() -> None:
    mode = Parameter("mode", "str", "fast", choices=("fast", "exact"))

    with pytest.raises(Unprocessable) as refused:
        from_text(mode, "slow")
    assert refused.value.message == "Parameter 'mode' cannot be 'slow'."
    assert refused.value.hint == "It is one of 'fast', 'exact'; the default is 'fast'."
    assert schema([mode])["properties"]["mode"]["enum"] == ["fast", "exact"]
    assert validate([mode], {"mode": "exact"}) == {"mode": "exact"}


def test_what_the_notebook_has_is_known_of_each_default_that_a_person_changed() -> None:
    edits = [ParameterEdit("month", rename="until", default=7), ParameterEdit("rate", type="str", default="half")]

    assert notebook_values(ALL, apply_edits(ALL, edits)) == {"until": 6}
    assert notebook_values(ALL, ALL) == {}
