"""Kernels from a terminal: through a server with the person's own rights, or straight to the host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.kernels.servers import Page, Server, in_loop

CLI = (sys.executable, "-m", "jupyter_slipway.cli")


def said(home: Path, *words: str, typed: str = "", **environ: str) -> tuple[int, str]:
    """The command's exit code, and what it printed."""
    known = os.environ | {"SLIPWAY_HOME": str(home), "SLIPWAY_USER": "ada", "COLUMNS": "200"} | environ
    done = subprocess.run(
        [*CLI, *words], env=known, input=typed, capture_output=True, text=True, timeout=240, check=False
    )
    return done.returncode, done.stdout + done.stderr


def through(server: Server, person: str) -> dict[str, str]:
    return {"SLIPWAY_URL": server.url, "SLIPWAY_TOKEN": f"{person}-token"}


@in_loop
async def test_a_terminal_has_the_notebooks_variables_and_the_persons_name(server: Server) -> None:
    kernel = server.start_kernel()
    page = await Page.open(server, kernel)
    await page.run("rows = [1, 2]")

    code, text = said(
        server.home, "console", kernel[:8], "--execute", "print(sum(rows))\nrows", **through(server, "bob")
    )
    assert (code, text) == (0, "3\n[1, 2]\n")
    shown = await page.until(lambda: [m for m in page.said if m.type == "execute_input" and "sum" in m.content["code"]])
    assert shown[0].parent["username"] == "bob"

    typed = "x = 1\nfor i in range(2):\n    print(i)\n\ninput('who? ')\n1/0\n"
    code, text = said(server.home, "console", kernel[:8], typed=typed.replace("1/0", "me\n1/0"))
    assert code == 1
    assert "0\n1\n" in text
    assert "'me'" in text
    assert "ZeroDivisionError" in text

    server.ask("PUT", f"slipway/api/kernels/{kernel}/grants", {"person": "bob", "role": "viewer"})
    code, text = said(server.home, "console", kernel, "--execute", "1", **through(server, "bob"))
    assert code == 4
    assert "You are a viewer of this kernel" in text
    code, text = said(server.home, "console", kernel, typed="1\n2\n", **through(server, "bob"))
    assert (code, text.count("You are a viewer of this kernel")) == (1, 2)
    server.ask("POST", f"slipway/api/kernels/{kernel}/shutdown", {"force": True})


@in_loop
async def test_kernels_are_listed_shown_and_shut_down(server: Server) -> None:
    kernel = server.start_kernel(path="")
    page = await Page.open(server, kernel)
    await page.run("answer = 42", cell="c1")

    for environ in ({}, through(server, "ada")):
        code, text = said(server.home, "kernels", "--json", **environ)
        assert (code, [one["id"] for one in json.loads(text)]) == (0, [kernel])
        code, text = said(server.home, "kernel", kernel[:6], **environ)
        assert code == 0
        assert "answer = 42" in text
        assert "owner ada, you: owner" in text
    code, text = said(server.home, "who", "answer", "--kernel", kernel[:6])
    assert code == 0
    assert "answer was last bound by ada in [1] at " in " ".join(text.split())
    code, text = said(server.home, "who", "answer")
    assert (code, text.split(".")[0]) == (2, "No kernel was named")
    # Also from a cell, which keeps the kernel from being asked: it tells what it saw by itself.
    await page.run("%load_ext jupyter_slipway\nseen = [answer]", cell="c2")
    await page.run("(lambda known: known.append(answer))(seen)", cell="c3")
    asked = page.execute("%slipway who answer\n%slipway who seen", cell="c4")
    await page.until(lambda: page.idle(asked))
    shown = [one.content["data"]["text/plain"] for one in page.of(asked, "display_data")]
    told = " ".join("".join(shown).split())
    assert "answer was last bound by ada in [1] at " in told
    assert "seen was last changed by ada in [3] at " in told
    assert "busy" not in told
    assert said(server.home, "kernel", kernel, "restart", **through(server, "eve"))[0] == 4
    assert said(server.home, "kernel", "nothing")[0] == 3
    assert said(server.home, "kernel", kernel, "shutdown")[0] == 0
    await page.until(lambda: page.states()[-1:] == ["dead"])
    code, text = said(server.home, "kernels")
    assert (code, text) == (0, "No kernel lives. JupyterLab starts them.\n")
