"""Three texts into one: by lines, and where both sides changed the same ones by words.

Pure, and of the standard library alone. Nothing anybody wrote is dropped: where two sides contradict each other, both
stay, and the result says where. Called by `merge` for what is in a cell, and for texts that have no cells.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import TypeVar

from jupyter_slipway.notebooks.diff import WORD, diff_words, runs
from jupyter_slipway.notebooks.marks import are_whole, ended, has_marks, mark, sides

T = TypeVar("T")
TOGETHER: Set[str] = frozenset()
"""What both inserted at one place is no conflict: so it is while typing live."""
CHUNK = re.compile(r"\s*(?:\w+|[^\w\s])|\s+$")


@dataclass(frozen=True)
class Clash:
    """A stretch that both sides changed, each in its own way."""

    base: str
    mine: str
    theirs: str


@dataclass(frozen=True)
class MergedText:
    pieces: tuple[str | Clash, ...]

    @property
    def clashes(self) -> tuple[Clash, ...]:
        return tuple(piece for piece in self.pieces if isinstance(piece, Clash))

    @property
    def text(self) -> str:
        """With both sides of each clash, mine first."""
        return "".join(_lined(piece.mine, piece.theirs) if isinstance(piece, Clash) else piece for piece in self.pieces)

    def marked(self, mine: str, theirs: str) -> str:
        """With git's marks around each clash; `mine` and `theirs` name the sides."""
        made = ""
        for piece in self.pieces:
            made += mark(piece.mine, piece.theirs, mine, theirs) if isinstance(piece, Clash) else piece
        return made


def merge_texts(base: str, mine: str, theirs: str, *, together: Set[str] | None = None) -> MergedText:
    """By lines, and where both changed the same lines by words.

    Args:
        together: as for `merge_notebooks`
    """
    pieces = _by_lines(base, mine, theirs, together)
    if any(map(has_marks, (mine, theirs))) and all(map(are_whole, (base, mine, theirs))):
        merged = MergedText(tuple(pieces))
        if merged.clashes or not are_whole(merged.text):
            pieces = _by_sides(base, mine, theirs, together)
        elif (found := sides(merged.text)) and found.mine == found.theirs:
            # What one side still had to be told of the other came meanwhile.
            pieces = [found.mine]
    ends = theirs if mine.endswith("\n") == base.endswith("\n") else mine
    if pieces and not ends.endswith("\n"):
        last = pieces[-1]
        pieces[-1] = (
            Clash(*map(_unended, (last.base, last.mine, last.theirs))) if isinstance(last, Clash) else _unended(last)
        )
    return MergedText(tuple(pieces))


def _by_lines(base: str, mine: str, theirs: str, together: Set[str] | None) -> list[str | Clash]:
    pieces: list[str | Clash] = []
    # A last line without its end is no other line than one with it: whoever appends changes what is appended only.
    for piece in merge_sequences(*(ended(side).splitlines(True) for side in (base, mine, theirs))):
        if isinstance(piece, list):
            pieces.append("".join(piece))
        else:
            pieces.append(_by_words(Clash(*("".join(side) for side in piece)), together))
    return [piece for piece in pieces if piece]


def apart(mine: str, theirs: str) -> MergedText:
    """Two texts as one in which each stretch that differs is a clash."""
    return MergedText(tuple(_pieces_apart(f"{mine}\n", f"{theirs}\n")))


def text_edits(old: str, new: str) -> list[tuple[int, int, str]]:
    """Which characters of `old` to replace by what to have `new`: (start, end, text), last first, word by word."""
    return [(start, end, new[low:high]) for start, end, low, high in reversed(diff_words(old, new))]


def merge_sequences(
    base: Sequence[T], mine: Sequence[T], theirs: Sequence[T]
) -> list[list[T] | tuple[list[T], list[T], list[T]]]:
    """Stretches of the result: settled ones as lists, those both sides changed as (base, mine, theirs)."""
    ours, others = _first_place(base, mine), _first_place(base, theirs)
    made: list[list[T] | tuple[list[T], list[T], list[T]]] = []
    done = i = j = 0
    while i < len(ours) or j < len(others):
        if j == len(others) or (i < len(ours) and _before(ours[i], others[j])):
            start, end, low, high = ours[i]
            made += [list(base[done:start]), list(mine[low:high])]
            i, done = i + 1, end
        elif i == len(ours) or _before(others[j], ours[i]):
            start, end, low, high = others[j]
            made += [list(base[done:start]), list(theirs[low:high])]
            j, done = j + 1, end
        else:
            first_i, first_j = i, j
            start, end = min(ours[i][0], others[j][0]), max(ours[i][1], others[j][1])
            i, j = i + 1, j + 1
            while (more := i < len(ours) and ours[i][0] < end) or (j < len(others) and others[j][0] < end):
                if more:
                    end, i = max(end, ours[i][1]), i + 1
                else:
                    end, j = max(end, others[j][1]), j + 1
            made.append(list(base[done:start]))
            a = _side(mine, ours[first_i:i], start, end)
            b = _side(theirs, others[first_j:j], start, end)
            made.append(a if a == b else (list(base[start:end]), a, b))
            done = end
    made.append(list(base[done:]))
    return made


def _first_place(base: Sequence[T], side: Sequence[T]) -> list[tuple[int, int, int, int]]:
    """The runs in which they differ, each insertion where it first could be: of two that insert the same between equal
    items, both do so at one place.
    """
    found, done = [], 0
    for start, end, low, high in runs(base, side):
        if start == end:
            while start > done and base[start - 1] == side[high - 1]:
                start, low, high = start - 1, low - 1, high - 1
            end = start
        found.append((start, end, low, high))
        done = end
    return found


def _before(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Whether change `a` is over where change `b` begins; two insertions at one place are one conflict."""
    return a[1] <= b[0] and (a[0], a[1]) != (b[0], b[1]) and not (a[0] == b[0] == a[1])


def _side(items: Sequence[T], changes: Sequence[tuple[int, int, int, int]], start: int, end: int) -> list[T]:
    """What became of base[start:end] on a side, whose changes there are `changes`."""
    first, last = changes[0], changes[-1]
    return list(items[first[2] - (first[0] - start) : last[3] + (end - last[1])])


def _by_words(clash: Clash, together: Set[str] | None) -> str | Clash:
    """A clash of lines, settled by words where that can be."""
    if not clash.base and together is None:
        return clash
    settled = ""
    for piece in merge_sequences(*(WORD.findall(side) for side in (clash.base, clash.mine, clash.theirs))):
        if isinstance(piece, list):
            settled += "".join(piece)
        elif together is not None and not piece[0]:
            settled += _union("".join(piece[1]), "".join(piece[2]), together)
        else:
            return clash
    return settled


def _by_sides(base: str, mine: str, theirs: str, together: Set[str] | None) -> list[str | Clash]:
    """Texts that are in conflict themselves: one conflict of two sides again, never one within another.

    Each text stands for both sides of its own conflict; one without is the same on either. What goes on from one of
    two sides is merged into that one. Two servers that met the same conflict each call it the other way round.
    """
    bases, ours, others = map(_two_sides, (base, mine, theirs))
    merged = _merged_sides(bases, ours, others, together)
    if bases[0] == bases[1]:
        crossed = _merged_sides(bases, ours, others[::-1], together)
        said = _words_of(*ours, *others)
        # Two that have one side in common would lose it.
        merged = min(
            merged, crossed, key=lambda pair: (len(said - _words_of(*(one.text for one in pair))), _clashes(pair))
        )
    texts = [one.text for one in merged]
    for plain, block in ((ours, others), (others, ours)):
        if plain[0] == plain[1] and block[0] != block[1]:
            clashing = [bool(one.clashes) for one in merged]
            if all(clashing):
                both = MergedText(tuple(_pieces_apart(*block))).text
                texts = [plain[0], both] if plain is ours else [both, plain[0]]
            elif any(clashing):
                # Its change is in the other side already.
                texts[clashing.index(True)] = block[clashing.index(True)]
    return [piece for piece in _pieces_apart(*map(ended, texts)) if piece]


def _two_sides(text: str) -> tuple[str, str]:
    found = sides(ended(text))
    return (found.mine, found.theirs) if found else (ended(text), ended(text))


def _merged_sides(
    bases: Sequence[str], ours: Sequence[str], others: Sequence[str], together: Set[str] | None
) -> tuple[MergedText, ...]:
    three = zip(bases, ours, others, strict=True)
    return tuple(merge_texts(*sides, together=together) for sides in three)


def _clashes(merged: Sequence[MergedText]) -> int:
    return sum(len(one.clashes) for one in merged)


def _words_of(*texts: str) -> set[str]:
    return {word for text in texts for word in WORD.findall(text)}


def _pieces_apart(a: str, b: str) -> list[str | Clash]:
    lines_a, lines_b = a.splitlines(True), b.splitlines(True)
    pieces: list[str | Clash] = []
    done = 0
    for start, end, low, high in runs(lines_a, lines_b):
        pieces += ["".join(lines_a[done:start]), Clash("", "".join(lines_a[start:end]), "".join(lines_b[low:high]))]
        done = end
    return [*pieces, "".join(lines_a[done:])]


def _union(mine: str, theirs: str, again: Set[str]) -> str:
    """What both inserted at one place: mine, then theirs. What one side had from the other already is not made twice:
    all of it, or the words within a line that both begin or end with; nor are the words of `again`.
    """
    a, b = CHUNK.findall(mine), CHUNK.findall(theirs)
    for long, short in ((a, b), (b, a)):
        if short and any(long[at : at + len(short)] == short for at in range(len(long) - len(short) + 1)):
            return "".join(long)
    said_a, said_b = ([chunk.strip(" \t") for chunk in side] for side in (a, b))
    made, done_a, done_b, join = "", 0, 0, _side_by_side
    for i, j in _both_have([one.strip() for one in a], [one.strip() for one in b], again):
        if i < done_a or j < done_b:
            continue
        # And what stands beside it on both sides.
        before = _begin_alike(said_a[done_a:i][::-1], said_b[done_b:j][::-1])
        after = 1 + _begin_alike(said_a[i + 1 :], said_b[j + 1 :])
        made += join(a[done_a : i - before], b[done_b : j - before])
        made += max(a[i - before], b[j - before], key=len) + "".join(a[i - before + 1 : i + after])
        done_a, done_b, join = i + after, j + after, _go_on
    return made + join(a[done_a:], b[done_b:])


def _both_have(a: Sequence[str], b: Sequence[str], which: Set[str]) -> list[tuple[int, int]]:
    """Index pairs, rising on both sides, of equal words that are among these."""
    at_a, at_b = ([place for place, word in enumerate(side) if word in which] for side in (a, b))
    words_a, words_b = [a[place] for place in at_a], [b[place] for place in at_b]
    pairs: list[tuple[int, int]] = []
    i = j = 0
    for start, end, low, high in [*runs(words_a, words_b), (len(at_a),) * 2 + (len(at_b),) * 2]:
        pairs += zip(at_a[i:start], at_b[j:low], strict=True)
        i, j = end, high
    return pairs


def _side_by_side(a: Sequence[str], b: Sequence[str]) -> str:
    """Mine, then theirs; within a line what both begin or end with once."""
    mine, theirs = "".join(a), "".join(b)
    head = _begin_alike(a, b)
    is_space = not mine.strip() or not theirs.strip()
    if head == min(len(a), len(b)) or (is_space and (mine.startswith(theirs) or theirs.startswith(mine))):
        return max(mine, theirs, key=len)
    if "\n" in mine or "\n" in theirs:
        return _one_after_the_other(mine, theirs)
    tail = _begin_alike(a[head:][::-1], b[head:][::-1])
    return _one_after_the_other("".join(a[: len(a) - tail]), "".join(b[head:]))


def _go_on(a: Sequence[str], b: Sequence[str]) -> str:
    """The same where what stands before is within a line: what each goes on with there is one line."""
    ends = [next((place for place, chunk in enumerate(side) if "\n" in chunk), None) for side in (a, b)]
    if ends[0] is None or ends[1] is None:
        return _side_by_side(a, b)
    line = _side_by_side(a[: ends[0]], b[: ends[1]])
    lines = ["".join(side[end:]).partition("\n")[2] for side, end in ((a, ends[0]), (b, ends[1]))]
    return f"{line}\n{_side_by_side(*map(CHUNK.findall, lines))}"


def _begin_alike(a: Sequence[T], b: Sequence[T]) -> int:
    """How many items both begin with."""
    shortest = min(len(a), len(b))
    return next((i for i in range(shortest) if a[i] != b[i]), shortest)


def _one_after_the_other(before: str, after: str) -> str:
    """One after the other, and no word of the two."""
    joint = before[-1:] + after[:1]
    return f"{before} {after}" if re.fullmatch(r"\w\w", joint) else before + after


def common(a: str, b: str) -> str:
    """The words that are in both. Where others stood between two, the space around those is one: it was no other."""
    words_a, words_b = WORD.findall(a), WORD.findall(b)
    shared: list[str] = []
    done = 0
    for start, end, *_ in [*runs(words_a, words_b), (len(words_a), len(words_a))]:
        for word in words_a[done:start]:
            if word.isspace() and shared and shared[-1].isspace():
                word = max(shared.pop(), word, key=lambda one: one.count("\n"))
            shared.append(word)
        done = end
    if shared and shared[-1].isspace() and words_a[-1] != words_b[-1]:
        # Each goes on there with other words.
        shared.pop()
    return "".join(shared)


def _unended(text: str) -> str:
    return text.removesuffix("\n")


def _lined(mine: str, theirs: str) -> str:
    return ended(mine) + theirs if theirs else mine
