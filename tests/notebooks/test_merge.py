"""Three-way merges: what both sides did is there, in one order, and what they contradict each other in is said."""

from __future__ import annotations

import copy
import json
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_slipway.notebooks.conflicts import is_conflicted, open_conflicted, problem, settled, with_marks
from jupyter_slipway.notebooks.driver import merge_files, to_json
from jupyter_slipway.notebooks.glance import read_notebook
from jupyter_slipway.notebooks.marks import are_whole, mark, sides
from jupyter_slipway.notebooks.merge import decide, merge_cells, merge_notebooks, merge_values
from jupyter_slipway.notebooks.merge_percent import merge_texts_of
from jupyter_slipway.notebooks.merge_text import TOGETHER, Clash, merge_texts, text_edits
from tests.notebooks.samples import Folder, code, markdown, notebook, percent, printed, sources, write

ABC = (code("a = 1", "a"), code("b = 1", "b"), code("c = 1", "c"))


def merged(base: list[Any], mine: list[Any], theirs: list[Any], **options: bool) -> list[str]:
    return [one.cell["source"] for one in merge_cells(base, mine, theirs, **options)]


# --- texts


@pytest.mark.parametrize(
    ("base", "mine", "theirs", "both"),
    [
        ("x = 1\ny = 1", "x = 2\ny = 1", "x = 1\ny = 1\nz = 1", "x = 2\ny = 1\nz = 1"),
        ("x = 1", "x = 2", "x = 1 + y", "x = 2 + y"),
        ("f(a, b)", "g(a, b)", "f(a, c)", "g(a, c)"),
        ("a\nb\nc\n", "b\nc\n", "a\nb\nd\n", "b\nd\n"),
        ("same", "both did", "both did", "both did"),
        ("", "", "new", "new"),
        ("gone", "gone", "", ""),
        ("a\n", "a", "a\nb\n", "a\nb"),
    ],
)
def test_what_both_did_is_there(base: str, mine: str, theirs: str, both: str) -> None:
    found = merge_texts(base, mine, theirs)
    assert (found.text, found.clashes) == (both, ())
    assert merge_texts(base, theirs, mine).text == both


def test_a_word_that_both_changed_is_a_clash_of_its_lines() -> None:
    found = merge_texts("a\nx = 1\nb", "a\nx = 2\nb", "a\nx = 3\nb")
    assert found.clashes == (Clash("x = 1\n", "x = 2\n", "x = 3\n"),)
    assert found.text == "a\nx = 2\nx = 3\nb"
    assert found.marked("mine", "dev") == "a\n<<<<<<< mine\nx = 2\n=======\nx = 3\n>>>>>>> dev\nb"


def test_lines_that_both_appended_clash_in_a_file_and_follow_each_other_while_typing() -> None:
    assert merge_texts("a", "a\nm", "a\nt").clashes == (Clash("", "m", "t"),)
    assert merge_texts("a", "a\nm", "a\nt", together=TOGETHER).pieces == ("a\n", "m\nt")


def test_a_word_that_begins_like_the_other_sides_word_is_another() -> None:
    assert merge_texts("a\n", "a foo\n", "a foobar\n", together=TOGETHER).text == "a foo foobar\n"
    assert merge_texts("", "foo\n", "foobar\n", together=TOGETHER).text == "foo\nfoobar\n"


@pytest.mark.parametrize(
    ("base", "mine", "theirs", "both"),
    [
        ("do it", "do mine back it", "do back it", "do mine back it"),
        ("do", "do mine back", "do back theirs", "do mine back theirs"),
        ("do", "do one back two", "do three back four", "do one three back two four"),
        ("", "mine\nback = 1\n", "back = 1\ntheirs\n", "mine\nback = 1\ntheirs\n"),
        ("", "back mine\nend\n", "back theirs\nlast\n", "back mine theirs\nend\nlast\n"),
    ],
)
def test_what_both_brought_back_is_there_once(base: str, mine: str, theirs: str, both: str) -> None:
    assert merge_texts(base, mine, theirs, together={"back"}).text == both


@pytest.mark.parametrize(
    ("base", "mine", "theirs", "both"),
    [
        ("# %% Load", "# %% Load it", "# %% Load now", "# %% Load it now"),
        ("# %%", "# %% mine", "# %% theirs", "# %% mine theirs"),
        ("# %% old [markdown]", "# %% mine [markdown]", "# %% theirs [markdown]", "# %% mine theirs [markdown]"),
        ('# %% a tags=["b"]', '# %% m tags=["b"]', '# %% t tags=["c"]', '# %% m t tags=["c"]'),
        ('# %% a {"b": 1}', '# %% m {"b": 2}', '# %% t {"b": 3}', '# %% m t {"b": 2}'),
        ("# In[1]:", "# In[2]:", "# In[3]:", "# In[2]:"),
    ],
)
def test_a_title_that_both_changed_has_the_words_of_both(base: str, mine: str, theirs: str, both: str) -> None:
    texts = [f"{marker}\nx = 1\n" for marker in (base, mine, theirs)]
    assert merge_texts_of(".py", *texts) == (f"{both}\nx = 1\n", 0)


def test_a_cell_that_both_brought_back_is_there_once() -> None:
    mine, theirs = (code("mine\nback = 1", "m"), ABC[0]), (ABC[0], code("back = 1\ntheirs", "t"))
    merged = merge_cells(ABC[:1], mine, theirs, together={"back"})
    assert [one.cell["source"] for one in merged] == ["mine\nback = 1\ntheirs", "a = 1"]


@pytest.mark.parametrize(
    ("mine", "theirs", "both"),
    [
        ("a mine", "a theirs", "a mine theirs"),
        ("a mine b", "a theirs b", "a mine theirs b"),
        ("a mine\nb mine\n", "a theirs\nb theirs\n", "a mine theirs\nb mine theirs\n"),
        ("mine a", "theirs a", "mine theirs a"),
    ],
)
def test_a_cell_that_both_added_under_one_id_has_the_words_of_both(mine: str, theirs: str, both: str) -> None:
    [merged] = merge_cells([], [code(mine, "x")], [code(theirs, "x")], together=TOGETHER)
    assert merged.cell["source"] == both


WORDS = st.lists(st.sampled_from(["a ", "b ", "c\n", "d\n", "x = 1\n", "\n"]), max_size=12).map("".join)


@given(WORDS, WORDS)
def test_one_side_alone_is_taken_as_it_is(base: str, side: str) -> None:
    for found in (merge_texts(base, side, base), merge_texts(base, base, side), merge_texts(base, side, side)):
        assert (found.text, found.clashes) == (side, ())


SPACES = (" ", "\n")


def test_no_inserted_word_is_ever_lost() -> None:
    chance = random.Random(5)
    for trial in range(800):
        base = [f"w{chance.randrange(20)}{chance.choice(SPACES)}" for _ in range(chance.randrange(25))]

        def edited(tag: str, base: list[str] = base, trial: int = trial) -> str:
            words = list(base)
            for number in range(chance.randrange(5)):
                place = chance.randrange(len(words) + 1)
                if chance.random() < 0.6:
                    words.insert(place, f"{tag}{trial}_{number}{chance.choice(SPACES)}")
                elif place < len(words):
                    del words[place]
            return "".join(words)

        mine, theirs = edited("m"), edited("t")
        for together in (None, TOGETHER):
            found = merge_texts("".join(base), mine, theirs, together=together)
            new = set(re.findall(r"[mt]\d+_\d+", mine + theirs))
            assert new <= set(re.findall(r"[mt]\d+_\d+", found.text))


def in_conflict(mine: str, theirs: str) -> str:
    return f"a\n{mark(mine, theirs, 'here', 'on disk')}b"


@pytest.mark.parametrize(
    ("base", "mine", "theirs", "both"),
    [
        ("a\nx = 5\nb", "a\nx = 52\nb", in_conflict("x = 8", "x = 5"), ("x = 8", "x = 52")),
        ("a\nx = 5\nb", "a\nx = 52\nb", in_conflict("x = 8", "x = 9"), ("x = 52", "x = 8\nx = 9")),
        ("a\nx = 3\nb", in_conflict("x = 5", "x = 8"), in_conflict("x = 8", "x = 5"), ("x = 5", "x = 8")),
        (in_conflict("x = 5", "x = 8"), in_conflict("x = 50", "x = 8"), "a\nx = 8\nb", ("x = 50", "x = 8")),
    ],
    ids=["one goes on", "all differ", "both met it at once", "one settles it while the other goes on"],
)
def test_there_is_never_a_conflict_within_a_conflict(base: str, mine: str, theirs: str, both: tuple[str, str]) -> None:
    assert merge_texts(base, mine, theirs, together=TOGETHER).marked("here", "on disk") == in_conflict(*both)


def test_a_conflicted_cell_that_is_removed_elsewhere_stays_as_it_is() -> None:
    conflicted = in_conflict("x = 5", "x = 8") + "\n"
    assert mark(conflicted, "", "here", "on disk") == mark("", conflicted, "here", "on disk") == conflicted


WRITTEN = st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), min_size=1, max_size=3).map(" ".join)
WAYS = st.one_of(st.none(), st.frozensets(st.sampled_from(["a", "b", "c"])))


@given(WRITTEN, WRITTEN, WRITTEN, WRITTEN, WRITTEN, WAYS)
def test_two_conflicts_merge_into_one_that_has_all_words(
    base: str, mine: str, at_mine: str, theirs: str, at_theirs: str, together: frozenset[str] | None
) -> None:
    both = [mark(*one, "here", "on disk") for one in ((mine, at_mine), (theirs, at_theirs))]
    found = merge_texts(base, *both, together=together).marked("here", "on disk")
    assert are_whole(found)
    said = {word for side in (mine, at_mine, theirs, at_theirs) for word in side.split()}
    assert set(found.split()) >= said - set(base.split())


def test_two_conflicts_that_share_a_side_keep_it() -> None:
    mine, theirs = in_conflict("one x", "two"), in_conflict("one y", "two")
    found = merge_texts("a\ntwo\nb", mine, theirs, together=TOGETHER).marked("here", "on disk")
    assert set(found.split()) >= {"one", "two", "x", "y"}


@pytest.mark.parametrize(
    ("text", "mine", "theirs"),
    [
        ("<<<<<<< here x\na\n=======\nb\n>>>>>>> on disk\n", "x\na\n", "b\n"),
        ("<<<<<<< here\na\n=======\nb\n>>>>>>> on disk x\n", "a\nx\n", "b\nx\n"),
        ("<<<<<<<  xhere\na\n=======\nb\n>>>>>>> on disk\n", "x\na\n", "b\n"),
        ("<<<<<<< here nowhere\na\n=======\nb\n>>>>>>> x on diskyz\n", "nowhere\na\nx yz\n", "b\nx yz\n"),
        ("<<<<<<< HEAD x\na\n=======\nb\n>>>>>>> dev x\n", "a\n", "b\n"),
        ("<<<<<<< from-here\na\n=======\nb\n>>>>>>> dev x\n", "a\n", "b\n"),
        ("<<<<<<< HEAD\na\n=======\nb\n>>>>>>> f00 (less on disk)\n", "a\n", "b\n"),
    ],
)
def test_what_is_typed_beside_a_mark_of_ours_is_said(text: str, mine: str, theirs: str) -> None:
    assert (sides(text).mine, sides(text).theirs) == (mine, theirs)


@given(WORDS, WORDS, WORDS, WORDS, WAYS)
def test_sides_in_conflict_merge_into_one_conflict_that_has_all_words(
    base: str, mine: str, one: str, other: str, together: frozenset[str] | None
) -> None:
    theirs = mark(one, other, "here", "on disk")
    for found in (merge_texts(base, mine, theirs, together=together), merge_texts(base, theirs, mine)):
        marked = found.marked("here", "on disk")
        assert are_whole(marked)
        assert set(marked.split()) >= (set(mine.split()) | set(one.split()) | set(other.split())) - set(base.split())


@given(WORDS, WORDS, WORDS)
def test_the_marks_give_both_sides_back(base: str, mine: str, theirs: str) -> None:
    found = merge_texts(base, mine, theirs)
    back = sides(found.marked("mine", "theirs"))
    if found.clashes:
        assert back is not None
        assert back.mine.split() == ended_at(found, "mine").split()
        assert back.theirs.split() == ended_at(found, "theirs").split()
    else:
        assert back is None


def ended_at(found: Any, side: str) -> str:
    return " ".join(getattr(piece, side) if isinstance(piece, Clash) else piece for piece in found.pieces)


@given(WORDS, WORDS)
def test_edits_word_by_word_make_the_new_text(old: str, new: str) -> None:
    text = old
    for start, end, words in text_edits(old, new):
        text = text[:start] + words + text[end:]
    assert text == new


def test_values_merge_member_by_member() -> None:
    base = {"tags": ["a"], "x": {"y": 1, "z": 1}, "gone": 1}
    mine = {"tags": ["a", "m"], "x": {"y": 2, "z": 1}, "gone": 1}
    theirs = {"tags": ["a", "t"], "x": {"y": 1, "z": 2}}
    assert merge_values(base, mine, theirs) == {"tags": ["a", "m", "t"], "x": {"y": 2, "z": 2}}


# --- cells


def test_a_cells_title_that_both_changed_has_the_words_of_both() -> None:
    titled = [[code("x", "x") | {"metadata": {"title": title}}] for title in ("Load", "Load it", "Load now")]
    [merged] = merge_cells(*titled)
    assert merged.cell["metadata"] == {"title": "Load it now"}
    [first] = merge_cells([code("x", "x")], *titled[1:])
    assert first.cell["metadata"] == {"title": "Load it now"}


def test_edits_of_different_cells_come_together() -> None:
    a, b, c = ABC
    mine, theirs = [a | {"source": "a = 2"}, b, c], [a, b, c | {"source": "c = 2"}]
    assert merged(list(ABC), mine, theirs) == ["a = 2", "b = 1", "c = 2"]


def test_new_cells_stand_where_they_were_put_mine_first() -> None:
    a, b, c = ABC
    mine, theirs = [a, code("m", "m"), b, c], [code("t0", "t0"), a, code("t1", "t1"), code("t2", "t2"), b, c]
    assert merged(list(ABC), mine, theirs) == ["t0", "a = 1", "m", "t1", "t2", "b = 1", "c = 1"]


def test_a_cell_that_one_moved_and_the_other_edited_is_both() -> None:
    a, b, c = ABC
    edited = [a | {"source": "a = 2"}, b, c, code("t", "t")]
    assert merged(list(ABC), [b, c, a], edited) == ["b = 1", "c = 1", "t", "a = 2"]
    assert merged(list(ABC), edited, [b, c, a]) == ["b = 1", "c = 1", "t", "a = 2"]


def test_a_removed_cell_is_gone_unless_the_other_edited_it() -> None:
    a, b, c = ABC
    assert merged(list(ABC), [a, c], list(ABC)) == ["a = 1", "c = 1"]
    assert merged(list(ABC), list(ABC), [a, c]) == ["a = 1", "c = 1"]
    found = merge_cells(list(ABC), [a, c], [a, b | {"source": "b = 2"}, c])
    assert sources([one.cell for one in found]) == ["a = 1", "b = 2", "c = 1"]
    assert (found[1].conflict.base, found[1].conflict.mine, found[1].conflict.theirs) == ("b = 1", None, "b = 2")


def test_the_same_new_cell_of_both_is_one() -> None:
    new = code("picked", "n")
    assert merged([], [new], [dict(new)]) == ["picked"]
    assert merged([], [code("picked", "n")], [code("picked", "k")]) == ["picked"]


def test_one_id_for_two_new_cells_ends_as_two_ids() -> None:
    found = merge_cells([], [markdown("text", "n")], [code("code", "n")])
    assert sorted(one.cell["id"] for one in found) == ["n", "n-2"]


def test_outputs_stay_with_the_source_they_are_of() -> None:
    base = code("x = 1\ny = 1", "a", printed("1"), count=1)
    mine = code("x = 2\ny = 1", "a", printed("mine"), count=2)
    theirs = code("x = 1\ny = 2", "a", printed("theirs"), count=3)
    (alone,) = merge_cells([base], [mine], [base])
    (both,) = merge_cells([base], [mine], [theirs])
    (anew,) = merge_cells([base], [base], [base | {"outputs": [printed("again")], "execution_count": 9}])
    assert (alone.cell["outputs"], alone.cell["execution_count"]) == ([printed("mine")], 2)
    assert (both.cell["source"], both.cell["outputs"], both.cell["execution_count"]) == ("x = 2\ny = 2", [], None)
    assert (anew.cell["outputs"], anew.cell["execution_count"]) == ([printed("again")], 9)


def test_where_each_cell_was_is_told() -> None:
    a, b, c = ABC
    found = merge_cells(list(ABC), [c, a], [a, code("t", "t"), b, c])
    assert [(one.cell["id"], one.mine, one.theirs) for one in found] == [("c", 0, 3), ("a", 1, 0), ("t", None, 1)]


CELLS = st.lists(st.builds(code, WORDS, st.sampled_from("abcdefgh")), max_size=6, unique_by=lambda cell: cell["id"])


@given(CELLS, CELLS, CELLS)
@settings(max_examples=200, deadline=None)
def test_any_three_notebooks_merge_into_a_valid_one(base: Any, mine: Any, theirs: Any) -> None:
    before = copy.deepcopy((base, mine, theirs))
    found = merge_notebooks(notebook(*base), notebook(*mine), notebook(*theirs))
    assert (base, mine, theirs) == before
    ids = [cell["id"] for cell in found.notebook["cells"]]
    assert len(ids) == len(set(ids))
    nbformat.validate(nbformat.from_dict(with_marks(found, "mine", "theirs")))
    assert merge_notebooks(notebook(*base), notebook(*mine), notebook(*base)).notebook == notebook(*mine)
    taken = merge_notebooks(notebook(*base), notebook(*base), notebook(*theirs)).notebook
    assert sorted(sources(taken["cells"])) == sorted(sources(theirs))


# --- nbdime's decisions


def applied(base: Any, decisions: list[dict[str, Any]]) -> Any:
    from nbdime.diff_utils import to_diffentry_dicts
    from nbdime.merging.decisions import MergeDecision, apply_decisions

    made = []
    for decision in decisions:
        diffs = {key: to_diffentry_dicts(value) for key, value in decision.items() if key.endswith("_diff")}
        made.append(MergeDecision(decision | diffs | {"common_path": tuple(decision["common_path"])}))
    return apply_decisions(nbformat.from_dict(base), made)


def test_nbdime_carries_out_our_decisions() -> None:
    a, b, c = ABC
    base = notebook(*ABC)
    mine, theirs = notebook(a | {"source": "a = 2"}, b, c), notebook(a | {"source": "a = 1 + d"}, c)
    decisions = decide(base, mine, theirs)
    assert not any(decision["conflict"] for decision in decisions)
    assert sources(applied(base, decisions)["cells"]) == ["a = 2 + d", "c = 1"]
    json.dumps(decisions)


def test_what_a_person_has_to_decide_is_a_conflict() -> None:
    a = code("x = 1", "a")
    decisions = decide(notebook(a), notebook(a | {"source": "x = 2"}), notebook(a | {"source": "x = 3"}))
    assert [(one["conflict"], one["common_path"][:3]) for one in decisions] == [(True, ["cells", 0, "source"])]


# --- conflicts in a notebook


def read_text(text: str) -> dict[str, Any]:
    return read_notebook("a.py", text.encode())


def test_gits_marks_in_a_text_open_as_conflicted_cells() -> None:
    text = (
        "# %%\nimport os\n\n<<<<<<< HEAD\n# %%\nx = load(path, 1)\n\n# %%\nplot(y)\n"
        "=======\n# %%\nx = load(path, 2)\n>>>>>>> dev\n\n# %%\nend\n"
    )
    found = open_conflicted(text, read_text)
    assert sources(found["cells"]) == [
        "import os",
        "<<<<<<< HEAD\nx = load(path, 1)\n=======\nx = load(path, 2)\n>>>>>>> dev",
        "<<<<<<< HEAD\nplot(y)\n=======\n>>>>>>> dev",
        "end",
    ]
    assert [is_conflicted(cell) for cell in found["cells"]] == [False, True, True, False]


def test_a_conflict_is_settled_for_one_side_or_both() -> None:
    cell = code("a\n<<<<<<< mine\nx = 1\n=======\nx = 2\n>>>>>>> dev\nb")
    assert [settled(cell, side)["source"] for side in ("mine", "theirs", "both")] == [
        "a\nx = 1\nb",
        "a\nx = 2\nb",
        "a\nx = 1\nx = 2\nb",
    ]
    gone = code("<<<<<<< mine\nx = 1\n=======\n>>>>>>> dev")
    assert settled(gone, "theirs") is None
    assert settled(gone, "mine")["source"] == settled(gone, "both")["source"] == "x = 1"


def test_marks_with_the_base_between_them_are_read() -> None:
    found = sides("<<<<<<< a\nmine\n||||||| base\nwas\n=======\ntheirs\n>>>>>>> b\n")
    assert (found.mine, found.theirs) == ("mine\n", "theirs\n")


@pytest.mark.parametrize(
    "text",
    ["", "x = 1", "<<<<<<< a\nx", "Title\n=======\n", ">>>>>>> b\n", "<<<<<<< a\nx\n=======\ny", "<<<<<<<\n>>>>>>>"],
)
def test_what_is_no_complete_conflict_is_left_alone(text: str) -> None:
    assert sides(text) is None
    assert open_conflicted(text, read_text) is None
    assert settled(code(text), "mine") == code(text)


def test_git_conflicts_of_text_notebooks_open_and_settle(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.commit("a.py", percent("x = 1", "y = 1"))
    folder.git("checkout", "-q", "-b", "dev")
    folder.commit("a.py", percent("x = 3", "y = 1", "new"))
    folder.git("checkout", "-q", "main")
    folder.commit("a.py", percent("x = 2", "y = 1"))
    folder.git("merge", "dev", check=False)
    found = open_conflicted((tmp_path / "a.py").read_text(), read_text)
    kept = [settled(cell, "theirs") for cell in found["cells"]]
    assert sources(kept) == ["x = 3", "y = 1", "new"]
    assert "git's conflict" in problem("a.py", (tmp_path / "a.py").read_bytes()) or "both sides" in problem(
        "a.py", (tmp_path / "a.py").read_bytes()
    )


def test_there_are_no_marks_around_nothing() -> None:
    """Read again they would be gone: who had written them would show another notebook than everybody else."""
    torn = "# %%\na = 1\n\n" + mark("# %%\n\n# %%\nb = 2\n", "", "here", "on disk")
    found = open_conflicted(torn, read_text)
    assert found is not None
    assert [is_conflicted(cell) for cell in found["cells"]] == [False, False, True]
    assert sources(found["cells"][:2]) == ["a = 1", ""]

    base = notebook(code("a", "a"), code("b = 1", "b"))
    made = merge_notebooks(base, notebook(code("a", "a"), code("", "b")), notebook(code("a", "a")))
    assert sources(with_marks(made, "here", "on disk")["cells"])[:1] == ["a"]
    assert not any(map(is_conflicted, with_marks(made, "here", "on disk")["cells"]))


# --- git's merge driver


@pytest.fixture
def slipway(tmp_path: Path):
    def call(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "jupyter_slipway.cli", *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)

    return call


def commit_notebook(folder: Folder, *cells: dict[str, Any], name: str = "my work.ipynb") -> None:
    folder.commit(name, to_json(notebook(*cells)).decode())


def test_git_merges_notebooks_by_cell_once_installed(slipway, tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    a, b, c = ABC
    commit_notebook(folder, a, b, c)
    assert slipway("git", "install").returncode == 0
    folder.git("checkout", "-q", "-b", "dev")
    commit_notebook(folder, a, b | {"source": "b = 1 + d"}, c, code("new", "n"))
    folder.git("checkout", "-q", "main")
    commit_notebook(folder, a, b | {"source": "b = 2", "outputs": [printed("2")]}, c)
    folder.git("merge", "-q", "-m", "Merge", "dev")
    content = (tmp_path / "my work.ipynb").read_bytes()
    found = json.loads(content)
    assert ["".join(cell["source"]) for cell in found["cells"]] == ["a = 1", "b = 2 + d", "c = 1", "new"]
    assert content.decode() == nbformat.writes(nbformat.from_dict(read_notebook("a.ipynb", content))) + "\n"


def test_a_true_conflict_keeps_both_sides_and_cannot_be_committed_by_mistake(slipway, tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    commit_notebook(folder, code("x = 1", "a"))
    slipway("git", "install")
    folder.git("checkout", "-q", "-b", "dev")
    commit_notebook(folder, code("x = 3", "a"))
    folder.git("checkout", "-q", "main")
    commit_notebook(folder, code("x = 2", "a"))
    folder.git("merge", "dev", check=False)
    (cell,) = read_notebook("a.ipynb", (tmp_path / "my work.ipynb").read_bytes())["cells"]
    assert cell["source"] == "<<<<<<< mine\nx = 2\n=======\nx = 3\n>>>>>>> theirs"
    assert folder.git("diff", "--name-only", "--diff-filter=U") == "my work.ipynb"
    folder.git("add", "-A")
    head = folder.git("rev-parse", "HEAD")
    folder.git("commit", "-q", "-m", "By mistake", check=False)
    assert folder.git("rev-parse", "HEAD") == head
    checked = slipway("git", "check", "my work.ipynb")
    assert (checked.returncode, "cell 1 holds both sides" in checked.stderr) == (4, True)
    write(tmp_path / "my work.ipynb", notebook(settled(cell, "theirs")))
    folder.git("commit", "-q", "-am", "Settled")
    assert folder.git("rev-parse", "HEAD") != head


def test_what_is_no_notebook_is_merged_as_text(tmp_path: Path) -> None:
    for name, text in (("base", "{\n1\n}"), ("mine", "{\n2\n}"), ("theirs", "{\n3\n}")):
        (tmp_path / name).write_text(text)
    assert merge_files(tmp_path / "base", tmp_path / "mine", tmp_path / "theirs", "a.ipynb") == 1
    assert "<<<<<<< mine" in (tmp_path / "mine").read_text()


def test_a_notebook_that_both_added_has_no_base(tmp_path: Path) -> None:
    (tmp_path / "base").write_bytes(b"")
    write(tmp_path / "mine", notebook(code("m", "m")))
    write(tmp_path / "theirs", notebook(code("t", "t")))
    assert merge_files(tmp_path / "base", tmp_path / "mine", tmp_path / "theirs", "a.ipynb") == 0
    assert sources(read_notebook("a.ipynb", (tmp_path / "mine").read_bytes())["cells"]) == ["m", "t"]


def test_install_twice_is_install_once_and_uninstall_leaves_nothing(slipway, tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    commit_notebook(folder, code("x", "a"))
    git = tmp_path / ".git"
    (git / "info").mkdir(exist_ok=True)
    (git / "info" / "attributes").write_text("*.csv text\n")

    def state() -> list[str]:
        files = [git / "config", git / "info" / "attributes", git / "hooks" / "pre-commit"]
        return [file.read_text() if file.exists() else "" for file in files]

    before = state()
    slipway("git", "install")
    once = state()
    slipway("git", "install")
    assert state() == once != before
    assert folder.git("status", "--porcelain") == ""
    slipway("git", "uninstall")
    slipway("git", "uninstall")
    assert state() == before


@pytest.mark.parametrize(
    "own",
    [b"#!/bin/sh\necho mine\n", b"#!/bin/sh -e\nexec true", b"#!/usr/bin/env bash\necho mine\n", b"\x7fELF\xff\xfe"],
)
def test_a_hook_of_ones_own_stays(slipway, tmp_path: Path, own: bytes) -> None:
    Folder(tmp_path)
    hook = tmp_path / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_bytes(own)
    done = slipway("git", "install")
    assert done.returncode == 0
    ours = own.startswith(b"#!/bin/sh")
    assert ("is not committed" in done.stdout, "git check --staged" in " ".join(done.stdout.split())) == (
        ours,
        not ours,
    )
    # Before what is its owner's, which may end the script.
    assert (hook.read_bytes() == own) != ours
    assert hook.read_bytes().splitlines()[-1:] == own.splitlines()[-1:]
    slipway("git", "uninstall")
    assert hook.read_bytes() == own


def test_a_hook_that_is_not_of_this_repository_alone_is_left_alone(slipway, tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    shared = tmp_path / "scripts" / "pre-commit"
    shared.parent.mkdir()
    shared.write_text("#!/bin/sh\n")
    hooks = tmp_path / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    (hooks / "pre-commit").symlink_to(shared)
    assert "left alone" in slipway("git", "install").stdout
    assert (hooks / "pre-commit").is_symlink()
    folder.git("config", "core.hooksPath", "scripts")
    assert "left alone" in slipway("git", "install").stdout
    assert shared.read_text() == "#!/bin/sh\n"


def test_outside_of_a_repository_it_is_said(slipway) -> None:
    done = slipway("git", "install")
    assert (done.returncode, "in no git repository" in " ".join(done.stderr.split())) == (3, True)


@pytest.mark.parametrize(
    ("mine", "theirs", "merged"),
    [
        # The last cell got a blank line when another was put after it.
        ("# %%\nf(1) a\n\n# %%\nnew\n", "# %%\nf(1) b\n", "# %%\nf(1) a b\n\n# %%\nnew\n"),
        ("# %%\nf(1)\n\n# %%\na\n", "# %%\nf(1)\n\n# %%\nb\n", "# %%\nf(1)\n\n# %%\na\n\n# %%\nb\n"),
        ("# %%\nf(1) a", "# %%\nf(1) b\n", "# %%\nf(1) a b"),
        ("# %%\nf(2)\n", "# %%\nf(3)\n", "# %%\n<<<<<<< here\nf(2)\n=======\nf(3)\n>>>>>>> on disk\n"),
    ],
    ids=["one adds a cell", "both add a cell", "no line end", "a conflict"],
)
def test_blank_lines_between_cells_are_in_nobodys_way(mine: str, theirs: str, merged: str) -> None:
    assert merge_texts_of(".py", "# %%\nf(1)\n", mine, theirs)[0] == merged
