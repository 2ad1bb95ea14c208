"""What comparing and merging notebooks costs, beside nbdime on the same notebooks in the same run.

Run by `make bench`, or alone: `python benchmarks/diff.py`. CPU time of one process, the best of several; nbdime once
where it takes more than a second. 500 cells run again with other outputs are to take 5 ms in process, a hundredth of
nbdime's time where cells have no ids, as in text, and 60 ms as a command; 5,000 cells as much as ten notebooks of 500,
or little more: one of 500 alone stays in the processor's cache, which says nothing of how the time grows. Commands are
measured from start to end with all that they import.
"""

from __future__ import annotations

import base64
import copy
import json
import logging
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbdime.diffing.notebooks
import nbformat
from nbdime import diff_notebooks as nbdime_diff
from nbdime import merge_notebooks as nbdime_merge
from nbdime import patch
from nbdime.diff_utils import to_diffentry_dicts

from jupyter_slipway.notebooks.diff import diff_notebooks
from jupyter_slipway.notebooks.driver import to_json
from jupyter_slipway.notebooks.merge import decide, merge_notebooks

IN_PROCESS, RATIO = 0.005, 100
SLOW = 1.0
Notebook = dict[str, Any]


def notebook(cells: int, run: int = 0, *, ids: bool = True, lines: int = 1) -> Notebook:
    """Code cells of four lines that print a line and some more; `run` changes what those say."""
    made = []
    for k in range(cells):
        chance = random.Random(k + 10_000 * run)
        printed = "".join(f"{chance.random()}\n" for _ in range(lines))
        cell: dict[str, Any] = {
            "cell_type": "code",
            "metadata": {},
            "source": f"import pandas\ndf_{k} = load({k})\nprint(df_{k}.mean())\n# step {k}",
            "execution_count": k + 1 + run * cells,
            "outputs": [{"output_type": "stream", "name": "stdout", "text": f"mean of {k}\n{printed}"}],
        }
        made.append(cell | ({"id": f"c{k}"} if ids else {}))
    return {"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5 if ids else 4}


def shown(cells: int, run: int = 0) -> Notebook:
    """The same; each third cell shows a table too, and each tenth a picture of 20 kB."""
    made = notebook(cells, run)
    for k, cell in enumerate(made["cells"]):
        chance = random.Random(k + 77_000 * run)
        if k % 3 == 0:
            rows = [[f"{chance.random():.6f}" for _ in range(8)] for _ in range(10)]
            html = "".join(f"<tr>{''.join(f'<td>{one}</td>' for one in row)}</tr>" for row in rows)
            data = {"text/html": f"<table>{html}</table>", "text/plain": "\n".join(map(" ".join, rows))}
            result = {"output_type": "execute_result", "execution_count": cell["execution_count"]}
            cell["outputs"].append(result | {"metadata": {}, "data": data})
        if k % 10 == 0:
            data = {"image/png": base64.b64encode(chance.randbytes(20_000)).decode(), "text/plain": "<Figure>"}
            cell["outputs"].append({"output_type": "display_data", "metadata": {}, "data": data})
    return made


def edited(base: Notebook, every: int, seed: int) -> Notebook:
    """Every so many cells a line changed, one cell new and one gone."""
    made = copy.deepcopy(base)
    chance = random.Random(seed)
    for k in range(seed % every, len(made["cells"]), every):
        made["cells"][k]["source"] += f"\nscore_{seed} = {chance.randrange(99)}"
    made["cells"].insert(len(made["cells"]) // (seed + 2), notebook(1)["cells"][0] | {"id": f"new{seed}"})
    del made["cells"][len(made["cells"]) // (seed + 3) + 2]
    return made


def forget() -> None:
    """nbdime keeps how alike texts are: a second look at the same two notebooks would cost it a fortieth."""
    for one in vars(nbdime.diffing.notebooks).values():
        if hasattr(one, "cache_clear"):
            one.cache_clear()


def spent(work: Callable[[], Any]) -> float:
    """CPU seconds: the best of up to seven, each as if the notebooks had not been seen before."""
    best = None
    for _ in range(7):
        forget()
        start = time.process_time()
        work()
        took = time.process_time() - start
        best = took if best is None else min(best, took)
        if took > SLOW:
            break
    assert best is not None
    return best


def command(folder: Path, *words: str) -> float:
    """CPU seconds of a process from start to end: the best of seven, its modules compiled as an installation has them.

    Args:
        folder: where what is compiled is kept
    """
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environ["PYTHONPYCACHEPREFIX"] = str(folder / "compiled")
    best = None
    for _ in range(7):
        quiet = (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)
        pid = os.posix_spawn(words[0], words, environ, file_actions=[quiet])
        usage = os.wait4(pid, 0)[2]
        took = usage.ru_utime + usage.ru_stime
        best = took if best is None else min(best, took)
    assert best is not None
    return best


def line(what: str, ours: float, theirs: float | None = None) -> None:
    ratio = "" if theirs is None else f"{theirs * 1000:10.1f} ms   {theirs / ours:6.0f} x"
    print(f"{what:<46}{ours * 1000:10.1f} ms {ratio}")


def compared(what: str, a: Notebook, b: Notebook, *, peer: bool = True) -> tuple[float, float | None]:
    assert patch(a, to_diffentry_dicts(diff_notebooks(a, b))) == b
    ours = spent(lambda: diff_notebooks(a, b))
    nodes = nbformat.from_dict(a), nbformat.from_dict(b)
    theirs = spent(lambda: nbdime_diff(*nodes)) if peer else None
    line(f"diff    {what}", ours, theirs)
    return ours, theirs


def merged(what: str, base: Notebook, mine: Notebook, theirs: Notebook) -> None:
    ours = spent(lambda: merge_notebooks(base, mine, theirs))
    nodes = [nbformat.from_dict(one) for one in (base, mine, theirs)]
    peer = spent(lambda: nbdime_merge(*nodes))
    line(f"merge   {what}", ours, peer)
    line(f"merge   {what}, nbdime's decisions", spent(lambda: decide(base, mine, theirs)), peer)


def commands(folder: Path) -> None:
    names = [str(folder / name) for name in ("a.ipynb", "b.ipynb")]
    for name, content in zip(names, (notebook(500), notebook(500, 1)), strict=True):
        Path(name).write_bytes(to_json(content))
    ours = command(folder, sys.executable, "-m", "jupyter_slipway", "diff", *names)
    theirs = command(folder, sys.executable, "-m", "nbdime", "diff", *names)
    start = command(folder, sys.executable, "-c", "import click")
    read = f"import json\nfor name in {json.dumps(names)}: json.load(open(name))"
    read_alone = command(folder, sys.executable, "-c", read)
    line("command diff    500 cells run again", ours, theirs)
    line("        of which Python and its command line", start)
    line("        Python reading the two files takes", read_alone)


def main() -> None:
    logging.disable()
    print(f"{'':<46}{'Slipway':>13}{'nbdime':>14}")
    compared("500 cells, few edits", notebook(500), edited(notebook(500), 100, 1))
    compared("500 cells, few edits, no ids", notebook(500, ids=False), edited(notebook(500, ids=False), 100, 1))
    ours, _ = compared("500 cells run again, two lines each", notebook(500), notebook(500, 1))
    for lines in (5, 10, 20):
        pair = notebook(500, lines=lines - 1), notebook(500, 1, lines=lines - 1)
        compared(f"500 cells run again, {lines} lines each", *pair)
    compared("500 cells run again, tables and pictures", shown(500), shown(500, 1))
    bare, theirs = compared("500 cells run again, no ids", notebook(500, ids=False), notebook(500, 1, ids=False))
    pairs = [(notebook(500, 2 * number), notebook(500, 2 * number + 1)) for number in range(10)]
    ten = spent(lambda: [diff_notebooks(*pair) for pair in pairs])
    line("diff    ten of 500 cells run again", ten)
    five_thousand, _ = compared("5,000 cells run again", notebook(5000), notebook(5000, 1), peer=False)
    compared("5,000 cells, few edits", notebook(5000), edited(notebook(5000), 100, 1), peer=False)
    base = notebook(1000)
    merged("1,000 cells, few edits", base, edited(base, 100, 1), edited(base, 100, 2))
    merged("1,000 cells, many edits", base, edited(base, 5, 1), edited(base, 5, 2))
    with tempfile.TemporaryDirectory() as folder:
        commands(Path(folder))
    print(f"5,000 cells take {five_thousand / ten:.2f} times as long as ten notebooks of 500.")
    if ours > IN_PROCESS:
        print(f"missed: {IN_PROCESS * 1000:.0f} ms for 500 cells run again")
    if (theirs or 0) < RATIO * bare:
        print(f"missed: {RATIO} times nbdime without ids")


if __name__ == "__main__":
    main()
