"""git's marks of a conflict in a text: made, found and read.

Pure, and of the standard library alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MINE, BASE, SPLIT, THEIRS = "<<<<<<<", "|||||||", "=======", ">>>>>>>"
"""Each at the start of a line."""
HERE, ELSEWHERE = "here", "on disk"
"""How the two sides are called, when an open notebook and its file changed against each other."""


@dataclass(frozen=True)
class Sides:
    """A text with git's marks, as each side had it."""

    mine: str
    theirs: str
    mine_label: str
    theirs_label: str


def sides(text: str) -> Sides | None:
    """The two texts that `text` with git's marks was made of; None when it has no complete conflict.

    What stands beside a label of ours was typed in a line while the marks came: it is said by that side, or, at the
    last mark, by both.
    """
    kept: dict[str, list[str]] = {"mine": [], "theirs": []}
    labels = {"mine": "", "theirs": ""}
    within = ""
    found = False
    begun = 0
    for line in text.splitlines(True):
        word, _, label = line.rstrip("\r\n").partition(" ")
        if not within and word == MINE:
            within, labels["mine"], begun = "mine", label, len(kept["mine"])
        elif within == "mine" and word == BASE:
            within = "base"
        elif within in ("mine", "base") and line.rstrip("\r\n") == SPLIT:
            within = "theirs"
        elif within == "theirs" and word == THEIRS:
            within, labels["theirs"], found = "", label, True
            if HERE in labels["mine"] and ELSEWHERE in label:
                labels["mine"], first = _label(labels["mine"], HERE)
                labels["theirs"], last = _label(label, ELSEWHERE)
                kept["mine"].insert(begun, first)
                kept["mine"].append(last)
                kept["theirs"].append(last)
        elif within in kept:
            kept[within].append(line)
        elif not within:
            kept["mine"].append(line)
            kept["theirs"].append(line)
    if within or not found:
        return None
    return Sides("".join(kept["mine"]), "".join(kept["theirs"]), labels["mine"], labels["theirs"])


def _label(said: str, ours: str) -> tuple[str, str]:
    """Our label, and as a line what was typed before and behind it."""
    before, _, behind = said.partition(ours) if said.startswith(ours) else said.rpartition(ours)
    typed = " ".join(filter(None, (before.strip(), behind.strip())))
    return ours, typed and f"{typed}\n"


def conflicts(text: str) -> list[str]:
    """Each complete conflict in it, with its marks."""
    found = re.findall(rf"^{MINE} .*?^{THEIRS}[^\n]*\n?", text, re.MULTILINE | re.DOTALL)
    return [one for one in found if sides(one)]


def are_whole(text: str) -> bool:
    """Whether each conflict in it begins, is split and ends, and none lies within another."""
    within = ""
    for line in text.splitlines():
        word = line.partition(" ")[0]
        if word in (MINE, THEIRS):
            if within != ("" if word == MINE else "theirs"):
                return False
            within = "mine" if word == MINE else ""
        elif within == "mine" and line == SPLIT:
            within = "theirs"
    return not within


def has_marks(text: str) -> bool:
    """Whether a line of it may begin or end a conflict."""
    return any(f"\n{word} " in f"\n{text}" for word in (MINE, THEIRS))


def mark(mine: str, theirs: str, mine_label: str, theirs_label: str) -> str:
    """Both sides of a clash between git's marks. One that is in conflict itself, against nothing, stays as it is."""
    for side, other in ((mine, theirs), (theirs, mine)):
        if not other and sides(side):
            return ended(side)
    return f"{MINE} {mine_label}\n{ended(mine)}{SPLIT}\n{ended(theirs)}{THEIRS} {theirs_label}\n"


def ended(text: str) -> str:
    """With an end to its last line."""
    return text if not text or text.endswith("\n") else f"{text}\n"
