"""A cell as plain Python: its magics become Python, are dropped with a notice, or are refused with what to do instead.

The first thing done to a cell; `effects` reads what comes out.
"""

from __future__ import annotations

import ast
import re
import shlex
import warnings
from functools import lru_cache

from msgspec import Struct

from jupyter_slipway.publish.remembered import remembered


class Split(Struct, frozen=True, gc=False):
    """A cell as plain Python, with what was left out of it."""

    python: str
    """As many lines as the cell has, so that line numbers stay true."""
    notices: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    """What a job cannot do, each with what to do instead."""
    requires: tuple[str, ...] = ()
    """Requirements that the cell installs."""


def words(text: str) -> frozenset[str]:
    """A table of names, written as one text."""
    return frozenset(text.split())


OURS = frozenset({"publish", "slipway", "cluster"})
DROPPED_LINES = {
    "matplotlib": "figures are drawn without a screen",
    "load_ext": "it extends the notebook only",
    "reload_ext": "it extends the notebook only",
    "autoreload": "a job starts fresh each time",
    "config": "it sets up the notebook only",
    "timeit": "it only measures",
    "memit": "it only measures",
    "mprun": "it only measures",
    "lprun": "it only measures",
    "conda": "the job's environment is locked when it is published",
    "mamba": "the job's environment is locked when it is published",
    "precision": "it changes how the notebook shows numbers",
}
SHOWN_LINES = words(
    """who whos who_ls pwd ls ll dir history hist lsmagic quickref pinfo pinfo2 psource pdoc pfile pdef xmode
    colors debug pdb tb page pprint notebook logstart logstop time_ns dhist bookmark doctest_mode gui magic man
    more less recall rerun reset_selective uv"""
)
RUN_LINES = frozenset({"time", "prun"})
RUN_CELLS = frozenset({"time", "capture", "prun", "debug"})
SHOWN_CELLS = words("html HTML markdown latex javascript js svg SVG timeit memit")
LANGUAGES = words("""bash sh script sx system cmd R sql cython perl ruby pypy python2 python3 bigquery spark""")
LOOKING = re.compile(
    r"(ls|dir|cat|head|tail|wc|pwd|echo|which|grep|du|df|nvidia-smi|date|whoami|python3? --version)\b[^>|;&]*$"
)
MAGIC = re.compile(r"(?P<indent>\s*)(?P<what>%%?|!!?)\s*(?P<name>[\w.]*)(?P<rest>.*)", re.S)
ASSIGNED = re.compile(r"\s*[\w., ]+=\s*(?P<what>[%!])\s*(?P<name>\w*)[^=]*", re.S)
HELP = re.compile(r"\s*(\?{1,2}\s*[\w.*%]+|%{0,2}[\w.*\[\]'\"]+\s*\?{1,2})\s*;?\s*$")
EXPRESSION = re.compile(r"^(\s*-\w+(\s+\d+)?)*\s*")


class _Splitting:
    """One cell on its way to plain Python, line by line."""

    def __init__(self) -> None:
        self.notices: list[str] = []
        self.refusals: list[str] = []
        self.requires: list[str] = []

    def line(self, text: str) -> str:
        """What stands in the place of one magic line."""
        if HELP.match(text):
            return ""
        if assigned := ASSIGNED.fullmatch(text):
            return self.assigned(text, assigned)
        found = MAGIC.fullmatch(text)
        if found is None:
            return text
        indent, what, name, rest = found["indent"], found["what"], found["name"], found["rest"].strip()
        kept = self.shell(f"{name}{found['rest']}") if what.startswith("!") else self.magic(name, rest)
        return f"{indent}{kept}" if kept else f"{indent}pass" if indent else ""

    def assigned(self, text: str, found: re.Match[str]) -> str:
        name = text.split("=", 1)[0].strip()
        what = f"%{found['name']}" if found["what"] == "%" else "a shell command"
        if found["what"] == "%" and found["name"] in RUN_LINES:
            return text.replace(f"%{found['name']}", "", 1)
        self.refusals.append(
            f"`{text.strip()}` gets `{name}` from {what}, which a job cannot run. "
            "Use Python for it, such as subprocess.run or pathlib."
        )
        return ""

    def shell(self, command: str) -> str:
        if re.match(r"(python3? -m )?pip3? install\b", command):
            return self.install(command.split("install", 1)[1])
        if LOOKING.match(command):
            self.notices.append(f"`!{command}` is left out: it only shows something.")
        else:
            self.refusals.append(
                f"`!{command}` is a shell command, which a job cannot run. "
                "Use Python for it, such as subprocess.run, or move the line to a cell that the job does not need."
            )
        return ""

    def install(self, arguments: str) -> str:
        words = shlex.split(arguments, comments=True) if _balanced(arguments) else arguments.split()
        packages = [word for word in words if not word.startswith("-")]
        self.requires += packages
        self.notices.append(f"`pip install {' '.join(packages)}` is left out: the job's environment has it already.")
        return ""

    def magic(self, name: str, rest: str) -> str:
        if name in OURS or (name in ("load_ext", "reload_ext") and rest.startswith("jupyter_slipway")):
            return ""
        if name in ("pip", "uv"):
            return self.install(rest.split("install", 1)[1]) if "install" in rest.split() else ""
        if name in RUN_LINES:
            return EXPRESSION.sub("", rest)
        if name in ("env", "set_env"):
            return self.environ(rest)
        if name == "cd":
            return f"import os; os.chdir({rest.strip(chr(34) + chr(39))!r})" if rest else ""
        if name in DROPPED_LINES:
            self.notices.append(f"`{_shown(name, rest)}` is left out: {DROPPED_LINES[name]}.")
        elif name in SHOWN_LINES:
            self.notices.append(f"`{_shown(name, rest)}` is left out: it only shows something.")
        elif name == "run":
            self.refusals.append(
                f"`{_shown(name, rest)}` runs another file inside the notebook, which a job cannot. "
                "Import what you need from that file instead."
            )
        elif name == "pylab":
            self.refusals.append("`%pylab` fills in names unseen. Import numpy and matplotlib.pyplot instead.")
        else:
            self.refusals.append(
                f"`{_shown(name, rest)}` is a magic of the notebook, which a job does not have. Use Python for it."
            )
        return ""

    def environ(self, rest: str) -> str:
        name, _, value = rest.replace("=", " ", 1).partition(" ")
        return f"import os; os.environ[{name.strip()!r}] = {value.strip()!r}" if value.strip() else ""

    def cell(self, name: str, rest: str, body: str) -> str:
        """What stands in the place of a cell that begins with `%%name`."""
        if name in OURS or name in RUN_CELLS:
            if name == "capture" and rest and not rest.startswith("-"):
                self.notices.append(f"`%%capture {rest}` is left out: `{rest.split()[0]}` is not set in a job.")
            return "\n" + self.lines(body)
        if name in SHOWN_CELLS:
            why = "it only measures" if name in ("timeit", "memit") else "it only shows something"
            self.notices.append(f"A cell of `%%{name}` is left out: {why}.")
        elif name in ("writefile", "file"):
            self.notices.append(f"`%%{name} {rest}` is left out: the file itself is used.")
        elif name in LANGUAGES:
            self.refusals.append(
                f"The cell is written in another language (`%%{name}`), which a job cannot run. "
                "Do the same in Python, or leave it in a cell that the job does not need."
            )
        else:
            self.refusals.append(
                f"`%%{name}` is a magic of the notebook, which a job does not have. Write the cell without it."
            )
        return "\n" * body.count("\n") + "\n"

    def lines(self, source: str) -> str:
        out: list[str] = []
        within = _Within()
        waiting: list[str] = []
        for text in source.split("\n"):
            if waiting or (within.free and _looks_magic(text)):
                waiting.append(text)
                if text.endswith("\\"):
                    continue
                whole = "\n".join(waiting) if len(waiting) == 1 else " ".join(one.rstrip("\\ ") for one in waiting)
                out += [self.line(whole), *[""] * (len(waiting) - 1)]
                waiting = []
            else:
                within.read(text)
                out.append(text)
        return "\n".join(out + waiting)


class _Within:
    """Is the next line a new statement, or inside a bracket or a long string?"""

    TOKEN = re.compile(r"\"\"\"|'''|\\.|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|#.*|[\[\](){}]")

    def __init__(self) -> None:
        self.depth, self.quote, self.continued = 0, "", False

    @property
    def free(self) -> bool:
        return self.depth <= 0 and not self.quote and not self.continued

    def read(self, text: str) -> None:
        at = 0
        while at < len(text):
            if self.quote:
                end = text.find(self.quote, at)
                if end < 0:
                    break
                at, self.quote = end + 3, ""
                continue
            found = self.TOKEN.search(text, at)
            if found is None:
                break
            at, token = found.end(), found[0]
            if token in ('"""', "'''"):
                self.quote = token
            elif token in "([{":
                self.depth += 1
            elif token in ")]}":
                self.depth -= 1
        self.continued = text.endswith("\\") and not self.quote


def _looks_magic(text: str) -> bool:
    bare = text.lstrip()
    return bare[:1] in ("%", "!", "?") or bool(ASSIGNED.fullmatch(text)) or bool(HELP.match(text))


def _balanced(text: str) -> bool:
    return text.count('"') % 2 == 0 and text.count("'") % 2 == 0


def _shown(name: str, rest: str) -> str:
    return f"%{name} {rest}".strip()


@lru_cache(maxsize=4096)
def split_magics(source: str) -> Split:
    """The cell as plain Python with as many lines, and what was left out or cannot be done.

    A line that is valid Python is never touched: `%` at the start of a continued line stays an operator.
    """
    if "\r" in source:  # Python ends a line there too
        source = source.replace("\r\n", "\n").replace("\r", "\n")
    if not re.search(r"^\s*[%!?]|\?\s*;?\s*$|=\s*[%!]", source, re.M):
        return Split(source)
    splitting = _Splitting()
    leading = len(source) - len(source.lstrip("\n \t"))
    first, _, body = source[leading:].partition("\n")
    if first.startswith("%%"):
        name, _, rest = first[2:].strip().partition(" ")
        python = "\n" * source[:leading].count("\n") + splitting.cell(name, rest.strip(), body)
        if "\n" not in source[leading:]:
            python = python.removesuffix("\n")
    elif parsed(source) is not None:
        return Split(source)
    else:
        python = splitting.lines(source)
    return Split(python, tuple(splitting.notices), tuple(splitting.refusals), tuple(splitting.requires))


# A plan of 1,000 cells needs 1,500 trees, some more than once: with room for 1,024 it took 1.5 times as long. A tree
# takes about 80 times the bytes of its text.
@remembered(2048)
def parsed(python: str) -> ast.Module | None:
    """The syntax tree, or None when it is not Python. It is shared: nobody may change it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(python)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
