"""Magics become plain Python or a reason; statements become facts."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_slipway.publish.effects import Split, Statement, analyse, split_magics


def facts(source: str) -> Statement:
    """Of the only statement."""
    (one,) = analyse(source).statements
    return one


@pytest.mark.parametrize(
    ("source", "python"),
    [
        ("x = 1", "x = 1"),
        ("%time x = f(1)", "x = f(1)"),
        ("%time\nx = 1", "\nx = 1"),
        ("%prun -l 5 f(1)", "f(1)"),
        ("%%time\nx = 1\ny = 2", "\nx = 1\ny = 2"),
        ("\n%%time\nx = 1", "\n\nx = 1"),
        ("%%capture\nx = 1", "\nx = 1"),
        ("%matplotlib inline\nx = 1", "\nx = 1"),
        ("if a:\n    %matplotlib inline", "if a:\n    pass"),
        ("df?\nx = 1", "\nx = 1"),
        ("?df\n??df.head\ndf.head??", "\n\n"),
        ("%env LEVEL=3", "import os; os.environ['LEVEL'] = '3'"),
        ("%cd data", "import os; os.chdir('data')"),
        ("t = %time f(1)", "t =  f(1)"),
        ("%pip install a \\\n  b\nx = 1", "\n\nx = 1"),
        ("%%publish delay-model --note 'x'\ny = 1", "\ny = 1"),
        ("%slipway jobs\ny = 1", "\ny = 1"),
        ("%load_ext jupyter_slipway\ny = 1", "\ny = 1"),
    ],
)
def test_magics_become_python_of_as_many_lines(source: str, python: str) -> None:
    assert split_magics(source).python == python
    assert python.count("\n") == source.count("\n")


@pytest.mark.parametrize(
    "source",
    [
        "x = (7\n%3)",
        "text = '''\n%matplotlib inline\n!ls\n'''",
        "x = 10 \\\n% 3",
        "print('why?')",
        "x = 5 if a != b else 1\nd = {'a': x %2}",
        "# what is this?\nx = 1",
    ],
)
def test_what_is_python_already_is_not_touched(source: str) -> None:
    assert split_magics(source) == Split(source)


def test_a_magic_beside_text_that_looks_like_one() -> None:
    source = "%matplotlib inline\ntext = '''\n%time\n'''\nx = (7\n% 3)"

    assert split_magics(source).python == source.replace("%matplotlib inline", "")


@pytest.mark.parametrize("source", ["%%publish job\nx = 1", "%slipway runs", "%load_ext jupyter_slipway", "x?"])
def test_our_own_magics_and_help_go_without_a_word(source: str) -> None:
    split = split_magics(source)

    assert (split.notices, split.refusals) == ((), ())


@pytest.mark.parametrize(
    "source",
    [
        "%matplotlib inline",
        "%load_ext autoreload",
        "%autoreload 2",
        "%who",
        "!ls -la",
        "%%timeit\nf(1)",
        "%timeit f(1)",
    ],
)
def test_what_only_serves_the_notebook_is_dropped_with_a_notice(source: str) -> None:
    split = split_magics(source)

    assert split.python.strip() == ""
    assert "is left out" in split.notices[0]
    assert split.refusals == ()


@pytest.mark.parametrize(
    "source",
    [
        "!make data",
        "!ls > files.txt",
        "files = !ls",
        "x = %sql select 1",
        "%%bash\nls",
        "%%R\nx <- 1",
        "%%sql\nselect 1",
        "%%unknown\nx",
        "%run other.py",
        "%pylab inline",
        "%something",
    ],
)
def test_what_a_job_cannot_do_is_refused_with_what_to_do(source: str) -> None:
    split = split_magics(source)

    assert len(split.refusals) == 1
    assert any(word in split.refusals[0] for word in ("Use Python", "in Python", "Import", "without it"))


@pytest.mark.parametrize(
    "source",
    [
        "%pip install -q pandas 'x>=2'",
        "!pip install pandas 'x>=2'",
        "!python -m pip install pandas x>=2",
        "%uv pip install pandas x>=2",
    ],
)
def test_what_a_cell_installs_is_required(source: str) -> None:
    assert split_magics(source).requires == ("pandas", "x>=2")


def test_a_cell_that_is_not_python_says_where() -> None:
    broken = analyse("x = 1\ny = (")

    assert (broken.statements, broken.error_line) == ((), 2)
    assert "never closed" in broken.error


@pytest.mark.parametrize(
    ("source", "reads", "binds", "weak", "changes"),
    [
        ("a = b + c.d", "bc", "a", "", ""),
        ("a += b", "ab", "a", "", "a"),
        ("a[b] = c", "abc", "", "", "a"),
        ("a.b.c = d", "ad", "", "", "a"),
        ("del a[b]", "ab", "", "", "a"),
        ("for a in b:\n    c = a", "b", "", "ac", ""),
        ("[a for a in b if a > c]", "bc", "", "", ""),
        ("with a() as b:\n    c = 1", "a", "bc", "", ""),
        ("if a:\n    b = 1\nelse:\n    b, c = 2, 3", "a", "b", "c", ""),
        ("try:\n    a = b\nexcept c as d:\n    raise d", "bc", "a", "", ""),
        ("import a.b, c as d", "", "ad", "", ""),
        ("(a := b)", "b", "a", "", ""),
        ("a, *b = c", "c", "ab", "", ""),
        ("class A(b):\n    c = d\n    e = c", "bd", "A", "", ""),
        ("@a\ndef f(x=b): return c", "ab", "f", "", ""),
        ("a: b = c", "bc", "a", "", ""),
        ("match a:\n    case {'k': b, **c}: d = b", "a", "", "bcd", ""),
        ("a = lambda b: b + c", "c", "a", "", ""),
        ("while a:\n    b.c = 1\n    a = b", "ab", "", "a", "b"),
        ("f'{a:{b}}'", "ab", "", "", ""),
    ],
)
def test_what_a_statement_reads_binds_and_changes(source: str, reads: str, binds: str, weak: str, changes: str) -> None:
    one = facts(source)

    assert (one.reads, one.binds, one.weak, one.changes) == (set(reads), set(binds), set(weak), set(changes))


def test_a_function_says_what_calling_it_does() -> None:
    (function,) = facts("def f(x, *rest, k=1):\n    global g\n    y = x\n    y.a = z\n    g = h(k)").functions

    assert (function.parameters, function.rest) == (("x", "k"), "rest")
    assert (function.reads, function.binds, function.changes) == ({"z", "h"}, {"g"}, {"y"})
    assert function.declares


def test_deep_nesting_is_an_error_and_no_crash() -> None:
    assert analyse("(" * 3000 + ")" * 3000).error


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "%time x = 1",
                "!ls",
                "x = 1",
                "'''",
                "(",
                ")",
                "# %who",
                "%%time",
                "x?",
                "    %who",
                "if x:",
                "y = x \\",
                "\\",
                "%",
                "!",
                "?",
            ]
        ),
        max_size=8,
    ).map("\n".join)
    | st.text(alphabet="%!?x= \n'\"\\(){}#", max_size=40)
)
def test_any_text_keeps_its_lines_and_never_crashes(source: str) -> None:
    assert split_magics(source).python.count("\n") == source.count("\n")
    analyse(source)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([ast.unparse(ast.parse(Path(__file__).read_text()))]), st.integers(0, 10_000))
def test_python_is_left_as_it_is(text: str, at: int) -> None:
    part = text[: at % len(text)].rpartition("\n\n")[0]

    assert split_magics(part) == Split(part)
