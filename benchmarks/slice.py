"""How long a plan's pure part takes: slice, parameters, module, fingerprint of notebooks of 20, 300 and 1,000 cells.

Run by `make bench`, or alone: `python benchmarks/slice.py`. CPU time of one process, the best of three, nothing
remembered from before; 'edit' is what the badge does after one cell has changed. 300 cells must take under 300 ms.
The last row is 'all' without Python's garbage collector, which looks through all that lives, again and again.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import TypeVar

from jupyter_slipway.publish import effects, parameters
from jupyter_slipway.publish import slice as slices
from jupyter_slipway.publish.model import CellSource
from jupyter_slipway.publish.module import make_module
from jupyter_slipway.publish.parameters import find_parameters
from jupyter_slipway.publish.slice import fingerprint, slice_cells

SIZES = (20, 300, 1000)
STAGES = ("slice", "parameters", "module", "fingerprint", "all", "edit")
UNCOLLECTED = "all, no gc"
LIMIT = 0.300
ROUNDS = 3
Value = TypeVar("Value")


def notebook(cells: int) -> list[CellSource]:
    """Loads, cleans, looks, plots, defines, fits: a third of it leads to the last cell."""
    kinds = [
        "import pandas as pd\nimport numpy as np\nlimit_{k} = {k}\ndf_{k} = pd.read_csv('d_{k}.csv')\ndf_{k}.head()",
        "df_{p}['r'] = df_{p}['a'] / df_{p}['b']\ndf_{p} = df_{p}[df_{p}['a'] > limit_{p}]\ndf_{p}.describe()",
        "# a look\nfig_{k}, ax_{k} = plt.subplots(figsize=(8, 4))\nax_{k}.plot(df_{p}['a'])\nax_{k}.legend()",
        "def clean_{k}(t, low=0):\n    out = t.copy()\n    out['x'] = out['a'].clip(low)\n    return out[out.x > 1]",
        "rows_{k} = []\nfor i in range(9):\n    rows_{k}.append({{'i': i, 'v': clean_{j}(df_{p}).a.sum()}})\nrows_{k}",
        "s_{k} = pd.DataFrame(rows_{j}).groupby('i').agg({{'v': 'mean'}})\ntotal = total + s_{k}['v'].sum()",
    ]
    sources = ["import matplotlib.pyplot as plt\ntotal = 0\n%matplotlib inline"]
    for k in range(cells - 2):
        at = k - k % 6
        sources.append(kinds[k % 6].format(k=k, p=at, j=k - 1))
    sources.append("result = total * 2\nresult")
    return [CellSource(f"c{k}", source, k) for k, source in enumerate(sources)]


def forget() -> None:
    """Empties what is remembered of cells by their text."""
    for cached in (
        effects.split_magics,
        effects.parsed,
        effects.analyse,
        parameters.constants,
        find_parameters,
        slices._shape,
    ):
        cached.cache_clear()


def timed(work: Callable[[], Value]) -> tuple[float, Value]:
    start = time.process_time()
    value = work()
    return time.process_time() - start, value


def once(cells: list[CellSource]) -> dict[str, float]:
    forget()
    target = cells[-1].id
    took: dict[str, float] = {}
    took["slice"], chosen = timed(lambda: slice_cells(cells, target))
    took["parameters"], found = timed(lambda: find_parameters(chosen))
    took["module"], _ = timed(lambda: make_module(chosen, found, title="bench", notebook="bench.ipynb"))
    took["fingerprint"], _ = timed(lambda: fingerprint(chosen))
    took["all"] = sum(took.values())
    middle = len(cells) // 2
    edited = [*cells]
    edited[middle] = CellSource(cells[middle].id, cells[middle].source + "\nedited = 1", middle)
    took["edit"], _ = timed(lambda: fingerprint(slice_cells(edited, target)))
    return took


def measure(size: int) -> dict[str, float]:
    runs = [once(notebook(size)) for _ in range(ROUNDS)]
    gc.disable()
    uncollected = min(once(notebook(size))["all"] for _ in range(ROUNDS))
    gc.enable()
    return {stage: min(one[stage] for one in runs) for stage in STAGES} | {UNCOLLECTED: uncollected}


def main() -> None:
    found = {size: measure(size) for size in SIZES}
    print(f"{'stage':<12}" + "".join(f"{size:>12} cells" for size in SIZES) + f"{'1000/300':>12}")
    for stage in (*STAGES, UNCOLLECTED):
        row = "".join(f"{found[size][stage] * 1000:>15.1f} ms" for size in SIZES)
        print(f"{stage:<12}{row}{found[1000][stage] / found[300][stage]:>12.1f}")
    ratio = found[1000][UNCOLLECTED] / found[300][UNCOLLECTED]
    verdict = "linear" if ratio < 1.5 * 1000 / 300 else "NOT linear"
    print(f"{verdict}: 1000 cells take {ratio:.1f} times 300 with no gc; linear would be 3.3, quadratic 11.1.")
    print(f"300 cells: {found[300]['all'] * 1000:.0f} ms of at most {LIMIT * 1000:.0f} ms.")


if __name__ == "__main__":
    main()
