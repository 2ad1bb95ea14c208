"""A notebook as text and back."""

from __future__ import annotations

import copy
import random
from typing import Any

import nbformat
import pytest

from jupyter_slipway.errors import BadRequest
from jupyter_slipway.notebooks import standins, text
from tests.notebooks.builders import PERCENT

SOURCES = [
    "x = 1",
    "def f():\n    return 1",
    "class A:\n    pass\n",
    "# a comment only",
    "%matplotlib inline\nplot()",
    "%%time\nf()",
    "",
    "print(x)\n\n",
    "'''quoted\n# %%\n'''",
    "df.head()?",
]
KERNEL = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}


def a_notebook(rng: random.Random, cells: int) -> nbformat.NotebookNode:
    made = nbformat.v4.new_notebook(metadata=copy.deepcopy(KERNEL))
    made.cells = [a_cell(rng) for _ in range(cells)]
    return made


def a_cell(rng: random.Random) -> nbformat.NotebookNode:
    id = f"{rng.getrandbits(32):08x}"
    if rng.random() < 0.3:
        return nbformat.v4.new_markdown_cell(rng.choice(["# Title\n\ntext", "- a\n- b", ""]), id=id)
    metadata = {"tags": ["parameters"]} if rng.random() < 0.1 else {}
    return nbformat.v4.new_code_cell(rng.choice(SOURCES), id=id, metadata=metadata)


def touch(notebook: nbformat.NotebookNode, rng: random.Random) -> None:
    """One edit: change, insert, remove or move a cell."""
    cells, at = notebook.cells, rng.randrange(len(notebook.cells))
    kind = rng.randrange(4)
    if kind == 0:
        cells[at] = nbformat.from_dict(a_cell(rng) | {"id": cells[at].id})
    elif kind == 1:
        cells.insert(at, a_cell(rng))
    elif kind == 2 and len(cells) > 1:
        del cells[at]
    else:
        cells.insert(rng.randrange(len(cells)), cells.pop(at))


def told(notebook: nbformat.NotebookNode) -> list[tuple[str, str]]:
    """Kind and source of each cell; how many empty lines end one, no text says for certain."""
    return [(cell.cell_type, cell.source.rstrip("\n")) for cell in notebook.cells]


@pytest.mark.parametrize(("name", "form"), [("a.py", "percent"), ("a.md", "markdown"), ("a.md", "myst")])
def test_cells_come_back(name: str, form: str) -> None:
    notebook = nbformat.v4.new_notebook(metadata=copy.deepcopy(KERNEL))
    notebook.cells = [
        nbformat.v4.new_code_cell("def f():\n    return 1"),
        nbformat.v4.new_markdown_cell("# Title\n\nmore"),
    ]
    notebook.cells.append(nbformat.v4.new_code_cell("%%time\nf()", metadata={"tags": ["slow"]}))

    read = text.parse(text.render(notebook, name[1:], form), name)

    assert told(read) == told(notebook)
    assert read.cells[2].metadata.tags == ["slow"]
    assert read.metadata.kernelspec == KERNEL["kernelspec"]


def test_touched_cells_are_written_as_the_whole_would_be() -> None:
    """Compared with jupytext writing everything anew, which costs ten times as much."""
    touched = equal = 0
    for seed in range(120):
        rng = random.Random(seed)
        now = a_notebook(rng, 12)
        written = text.render(now, ".py", "percent")
        for _ in range(4):
            before = text.Before(written, copy.deepcopy(now))
            touch(now, rng)
            part = text._render_touched(now, ".py", "percent", None, before)
            written = text.render(now, ".py", "percent")
            if part is not None:
                touched += 1
                equal += part == written
                assert told(text.parse(part, "a.py")) == told(text.parse(written, "a.py"))
    assert touched > 100
    assert equal > 0.9 * touched  # the rest differs in blank lines


def test_a_long_text_is_read_in_parts_as_the_whole_would_be(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(5)
    notebook = a_notebook(rng, 300)
    written = text.render(notebook, ".py", "percent")
    monkeypatch.setattr(text, "RUN", 10**9)
    whole = text.parse(written, "a.py")
    assert text.render(notebook, ".py", "percent") == written

    monkeypatch.setattr(text, "RUN", 20)
    parts = text.parse(written, "a.py")

    assert [(cell.cell_type, cell.source, cell.metadata) for cell in parts.cells] == [
        (cell.cell_type, cell.source, cell.metadata) for cell in whole.cells
    ]
    assert parts.metadata == whole.metadata
    assert text.render(notebook, ".py", "percent") == written


def test_known_cells_are_not_parsed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = text.cut(PERCENT, ".py")
    known = {text.fingerprint(pieces.cells[0]): {"cell_type": "code", "source": "known", "metadata": {}}}

    read = text.parse(PERCENT, "a.py", past=text.Past(text.fingerprint(pieces.header), known))

    assert told(read) == [("code", "known"), ("markdown", "Title"), ("code", "print(x)")]


HEADLESS = '# %%\nx = 1\n\n# %% Some words [markdown]\n# text\n\n# %% tags=["a"]\ny = 2\n'


@pytest.mark.parametrize("known", [True, False])
def test_what_is_said_at_a_marker_is_read_and_written_however_it_is_read(monkeypatch, known: bool) -> None:
    monkeypatch.setattr(text, "RUN", 10**9 if known else 2)
    cells = {text.fingerprint("# %%\nx = 1\n\n"): {"cell_type": "code", "source": "x = 1", "metadata": {}}}
    past = text.Past(text.fingerprint(""), cells) if known else None

    notebook = text.parse(HEADLESS, "a.py", None, past)
    for cell in notebook.cells:
        cell.source += "more"

    again = text.render(notebook, ".py", "percent")
    assert again == HEADLESS.replace("1\n", "1more\n").replace("text", "textmore").replace("2\n", "2more\n")


def test_what_somebody_wrote_at_a_marker_stays_when_a_notebook_is_saved_that_was_opened_without() -> None:
    before = text.parse(HEADLESS, "a.py")
    notebook = text.parse("# %%\nx = 1\n", "a.py")
    notebook.cells = copy.deepcopy(before.cells)
    notebook.cells[1].source = "other"

    assert text.render(notebook, ".py", "percent", None, text.Before(HEADLESS, before)) == HEADLESS.replace(
        "text", "other"
    )


@pytest.mark.parametrize("odd", list(standins.SPLITTING))
def test_what_only_python_takes_for_a_line_end_stays(odd: str) -> None:
    read = text.parse(f"# %%\nx = 'a{odd}b'\n", "a.py")

    assert told(read) == [("code", f"x = 'a{odd}b'")]


@pytest.mark.parametrize("odd", list(standins.SPLITTING))
@pytest.mark.parametrize(("suffix", "form"), [(".py", "percent"), (".md", "markdown"), (".md", "myst")])
def test_what_only_python_takes_for_a_line_end_is_written_as_it_is(odd: str, suffix: str, form: str) -> None:
    sources = [("code", f"x = 'a{odd}b'"), ("markdown", f"one{odd}line")]
    cells = [{"cell_type": type, "source": source, "metadata": {}, "id": type} for type, source in sources]

    written = text.render({"metadata": {}, "cells": cells}, suffix, form)

    assert f"x = 'a{odd}b'" in written
    assert told(text.parse(written, f"a{suffix}")) == sources


def test_a_title_of_several_lines_begins_no_other_cell() -> None:
    cell = {"cell_type": "code", "source": "x = 1", "metadata": {"title": "one\n# %%\ny = 2"}, "id": "a"}

    written = text.render({"metadata": {}, "cells": [cell]}, ".py", "percent")

    assert told(text.parse(written, "a.py")) == [("code", "x = 1")]


@pytest.mark.parametrize("odd", ["\0", "\x0c", "\x1b", "\x7f", "\x9b", "\uffff"], ids=ascii)
@pytest.mark.parametrize(("suffix", "form"), [(".py", "percent"), (".md", "markdown"), (".md", "myst")])
def test_a_control_character_in_a_cell_is_no_fault_of_the_header(odd: str, suffix: str, form: str) -> None:
    """Such as what colours a terminal."""
    cells = [{"cell_type": "code", "source": f"x = '{odd}'", "metadata": {}, "id": "a"}]
    said = {"text_representation": {"extension": suffix, "format_name": form}}

    written = text.render({"metadata": {"jupytext": said}, "cells": cells}, suffix, form)

    assert text.format_of(written, suffix) == form
    assert told(text.parse(written, f"a{suffix}")) == [("code", f"x = '{odd}'")]


def test_a_private_character_beside_an_odd_line_end_stays() -> None:
    source = f"x = '{standins.SPLITTING}'  # {''.join(map(chr, [*range(0xF8F0, 0xF8F8), *standins.PRIVATE[:3]]))}"
    cell = {"cell_type": "code", "source": source, "metadata": {"a": "\U000f0000\u2028"}, "id": "a"}

    written = text.render({"metadata": {}, "cells": [cell]}, ".py", "percent")

    read = text.parse(written, "a.py").cells[0]
    assert (source in written, read.source, read.metadata) == (True, source, cell["metadata"])


def test_whatever_private_characters_there_are_an_odd_one_beside_them_stays() -> None:
    source = "x = '\f'  # " + "".join(map(chr, standins.PRIVATE[::50]))
    cell = {"cell_type": "code", "source": source, "metadata": {}, "id": "a"}

    written = text.render({"metadata": {}, "cells": [cell]}, ".py", "percent")

    assert told(text.parse(written, "a.py")) == [("code", source)]
    with pytest.raises(BadRequest, match="every character of Unicode's private planes"):
        text.parse("".join(map(chr, standins.PRIVATE)) + "\f", "a.py")


@pytest.mark.parametrize("odd", ["\x85", "\u2028", "\u2029"], ids=ascii)
def test_what_ends_a_line_in_yaml_stays_in_what_a_myst_text_says_of_its_cells(odd: str) -> None:
    said = {"title": f"a{odd}b", "other": {"deep": [f"{odd}c"]}}
    cells = [{"cell_type": type, "source": "x", "metadata": dict(said), "id": type} for type in ("code", "raw")]
    options = {"text_representation": {"extension": ".md", "format_name": "myst"}, "notebook_metadata_filter": "all"}

    written = text.render({"metadata": {**said, "jupytext": options}, "cells": cells}, ".md", "myst")

    read = text.parse(written, "a.md")
    assert [cell.metadata for cell in read.cells] == [said, said]
    assert {key: read.metadata[key] for key in said} == said
    assert text.render(read, ".md", "myst") == written


ODD_TITLES = [5, True, [1], {"a": 1}, "", " x ", "[markdown]", "a=1", "{a", "%", "one\n# %%\ny = 2", "a\u2028b"]


@pytest.mark.parametrize("filtered", [None, "title,-all"])
@pytest.mark.parametrize("type", ["code", "markdown", "raw"])
@pytest.mark.parametrize("title", [*ODD_TITLES, "Plot [cm]"], ids=repr)
@pytest.mark.parametrize(("suffix", "form"), [(".py", "percent"), (".md", "markdown")])
def test_whatever_a_title_is_it_is_kept(suffix: str, form: str, title: Any, type: str, filtered: str | None) -> None:
    """Code says the names that may stand in for it."""
    metadata = {"jupytext": {"cell_metadata_filter": filtered}} if filtered else {}
    cell = {"cell_type": type, "source": "x = 'title-0-,title-1-'", "metadata": {"a": 1, "title": title}, "id": "a"}

    written = text.render({"metadata": metadata, "cells": [cell]}, suffix, form)

    (read,) = text.parse(written, f"a{suffix}").cells
    shown = {"title": title} | ({} if filtered else {"a": 1})
    assert (read.cell_type, read.source, read.metadata) == (type, cell["source"], shown)
    assert filtered is None or f"cell_metadata_filter: {filtered}\n" in written


@pytest.mark.parametrize(
    ("said", "key", "value"),
    [
        ("title: 2024", "title", 2024),
        ("authors: Ada", "authors", "Ada"),
        ("kernelspec: {name: python3}", "kernelspec", {"name": "python3"}),
        ("date: 2024-01-31", "date", "2024-01-31"),
        ("limit: .nan", "limit", "nan"),
    ],
)
@pytest.mark.parametrize("name", ["a.py", "a.md"])
def test_a_header_may_say_what_nbformat_would_not_have_it_say(name: str, said: str, key: str, value: Any) -> None:
    if name == "a.py":
        content = f"# ---\n# jupyter:\n#   {said}\n# ---\n\n# %%\nx = 1\n"
    else:
        form = "jupytext: {text_representation: {extension: .md, format_name: myst}}"
        content = f"---\n{said}\n{form}\nby: {{title: x}}\n---\n\n```{{code-cell}}\nx = 1\n```\n"

    read = text.parse(content, name)

    assert (read.metadata[key], told(read)) == (value, [("code", "x = 1")])
    assert read.metadata.get("by", {"title": "x"}) == {"title": "x"}
    assert "hidden" not in repr(read.metadata)
    read.cells[0].source = "x = 2"
    before = text.Before(content, text.parse(content, name))
    before.notebook.cells[0].id = read.cells[0].id
    written = text.render(read, name[1:], "percent" if name == "a.py" else "myst", None, before)
    assert written == content.replace("x = 1", "x = 2")


@pytest.mark.parametrize("said", ["kernelspec: python3", "1: 2", "title: 5\n#   kernelspec: 5"])
def test_a_header_that_means_nothing_is_refused(said: str) -> None:
    with pytest.raises(BadRequest, match="its header cannot be read"):
        text.parse(f"# ---\n# jupyter:\n#   {said}\n# ---\n\n# %%\nx = 1\n", "a.py")


def test_what_no_text_can_say_is_refused() -> None:
    cell = {"cell_type": "code", "source": "x = 1", "metadata": {"tags": [{"a": [{}]}]}, "id": "a"}

    with pytest.raises(BadRequest, match="cannot be written as text"):
        text.render({"metadata": {}, "cells": [cell]}, ".py", "percent")


KERNEL_LINES = "jupyter:\n  kernelspec:\n    display_name: Mine\n    language: python\n    name: mine\n"


def commented(lines: str) -> str:
    return "".join(f"# {line}\n" for line in lines.splitlines())


@pytest.mark.parametrize("other", ["", KERNEL_LINES], ids=["", "kernel"])
@pytest.mark.parametrize("changed", [(0,), (-1,), (0, -1)])
@pytest.mark.parametrize(
    ("name", "body"),
    [("a.py", "\n# %%\nx = 1\n"), ("a.py", "\nx = 1\n"), ("a.md", "\n# Hello\n\n```python\nx = 1\n```\n")],
    ids=["marked", "bare", "markdown"],
)
def test_a_heading_that_is_a_cell_stands_in_the_header_as_it_is_edited(
    name: str, body: str, changed: tuple[int, ...], other: str
) -> None:
    header = f"---\ntitle: Mine\n{other}---\n"
    content = (commented(header) if name == "a.py" else header) + body
    before = named(text.parse(content, name))
    assert before.cells[0].source == "---\ntitle: Mine\n---"
    now = copy.deepcopy(before)
    for place in changed:
        now.cells[place].source = now.cells[place].source.replace("Mine", "Ours").replace("x = 1", "x = 2")

    form = "percent" if name == "a.py" else "markdown"
    written = text.render(now, name[1:], form, None, text.Before(content, before))

    assert told(text.parse(written, name)) == told(now)
    assert ("name: mine" in written) == bool(other)
    now.cells.pop(0)
    assert "title" not in text.render(now, name[1:], form, None, text.Before(content, before))


@pytest.mark.parametrize(
    "first", ["# a comment\n", "#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n# a comment\n", "y = 1\n"]
)
@pytest.mark.parametrize("place", [0, 1])
def test_a_cell_before_the_first_marker_is_written_once(first: str, place: int) -> None:
    content = f"{first}\n# %%\nx = 1\n"
    before = named(text.parse(content, "a.py"))
    now = copy.deepcopy(before)
    now.cells[place].source += "  # more"

    written = text.render(now, ".py", "percent", None, text.Before(content, before))

    assert told(text.parse(written, "a.py")) == told(now)
    assert written.startswith("#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n") == first.startswith("#!")


def named(notebook: Any) -> Any:
    for place, cell in enumerate(notebook.cells):
        cell["id"] = str(place)
    return notebook


def test_a_script_without_cells_is_one_cell() -> None:
    assert told(text.parse("import os\n\n\ndef f():\n    pass\n\nx = 1\n", "a.py")) == [
        ("code", "import os\n\n\ndef f():\n    pass\n\nx = 1")
    ]


def test_light_is_left_to_jupytext() -> None:
    light = "# ---\n# jupyter:\n#   jupytext:\n#     text_representation:\n"
    light += "#       extension: .py\n#       format_name: light\n# ---\n"
    assert text.format_of(light + "x = 1\n", ".py") is None
    assert text.format_of("# region\nx = 1\n# endregion\n", ".py") is None
    assert text.format_of("# +\nx = 1\n", ".py") is None


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.py", "# ---\n# jupyter:\n#   kernelspec: {a: b\n# ---\n\n# %%\nx = 1\n", 3),
        ("a.md", "---\njupyter:\n  kernelspec:\n name: [x\n---\n\ntext\n", 4),
    ],
)
def test_a_broken_header_is_refused_with_its_line(name: str, content: str, line: int) -> None:
    with pytest.raises(BadRequest) as refused:
        text.parse(content, name)

    assert refused.value.message.startswith(f"{name}, line {line}: its header cannot be read")
    assert "Open it with the text editor" in refused.value.hint
