"""Cells of shared notebooks, run by the server: no page is open in any of these tests."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

import nbformat
import pytest
from pycrdt import Array, Doc, Map, Text

from jupyter_slipway.kernels import hosts
from jupyter_slipway.kernels.documents import Documents, Run, Writer, _show
from jupyter_slipway.kernels.link import Link
from tests.kernels.servers import NO_POOL, Server, in_loop, serving
from tests.sockets import Socket
from tests.waiting import PATIENCE, soon

TOGETHER = "--ServerApp.jpserver_extensions=jupyter_server_ydoc=True"
FILES = "--ServerApp.jpserver_extensions=jupyter_server_fileid=True"


class Shared:
    """A notebook on a server with shared documents."""

    def __init__(self, server: Server, *sources: str) -> None:
        self.server = server
        self.path = server.root / f"shared-{secrets.token_hex(3)}.ipynb"
        old = {"slipway": {"stale": "outputs of an earlier source"}}
        cells = [
            nbformat.v4.new_code_cell(source, id=f"c{number}", metadata=old) for number, source in enumerate(sources)
        ]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        self.path.write_text(json.dumps(nbformat.v4.new_notebook(metadata={"kernelspec": kernel}, cells=cells)))
        asked = {"format": "json", "type": "notebook"}
        session = server.ask("PUT", f"api/collaboration/session/{self.path.name}", asked)
        self.room, self.session = f"json:notebook:{session['fileId']}", session["sessionId"]
        self.kernel = server.start_kernel()

    def run(self, cell: int, person: str = "ada", **more: Any) -> Any:
        body = {"document_id": self.room, "cell_id": f"c{cell}"} | more
        return self.server.ask("POST", f"api/kernels/{self.kernel}/execute", body, person)

    def refused(self, cell: int, person: str = "ada", **more: Any) -> tuple[int, dict[str, Any]]:
        body = {"document_id": self.room, "cell_id": f"c{cell}"} | more
        return self.server.refused("POST", f"api/kernels/{self.kernel}/execute", body, person)

    def on_disk(self, cell: int) -> dict[str, Any]:
        return dict(json.loads(self.path.read_text())["cells"][cell])

    def until(self, cell: int, found: Any, seconds: float = 90.0) -> dict[str, Any]:
        """The cell in the file, once `found` says so of it."""
        ends = time.monotonic() + seconds
        while not found(told := self.on_disk(cell)):
            assert time.monotonic() < ends, told
            time.sleep(0.1)
        return told


def text(cell: dict[str, Any]) -> str:
    return "".join("".join(one["text"]) for one in cell["outputs"] if one["output_type"] == "stream")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root, home = tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("home")
    with serving(root, home, TOGETHER, FILES, NO_POOL) as found:
        yield found
    hosts.end_all(home)


def test_outputs_reach_the_file_as_a_page_would_have_saved_them(server):
    shared = Shared(
        server, "print('a')\nprint('b')\n{'n': 3}", "1 / 0", "from IPython.display import JSON\nJSON({'n': 3})"
    )

    assert shared.run(0)["status"] == "ok"
    assert shared.refused(1)[0] == 422
    assert shared.run(2)["status"] == "ok"

    printed = shared.until(0, lambda cell: cell["execution_count"])
    assert (printed["execution_count"], printed["metadata"].get("slipway")) == (1, None)
    assert [one["output_type"] for one in printed["outputs"]] == ["stream", "execute_result"]
    assert text(printed) == "a\nb\n"
    assert printed["outputs"][1]["execution_count"] == 1
    failed = shared.until(1, lambda cell: cell["execution_count"])
    assert (failed["outputs"][0]["ename"], failed["outputs"][0]["output_type"]) == ("ZeroDivisionError", "error")
    counted = shared.until(2, lambda cell: cell["execution_count"])["outputs"][0]["data"]["application/json"]
    assert (counted, type(counted["n"])) == ({"n": 3}, int)
    nbformat.validate(nbformat.read(shared.path, as_version=4))


def test_a_cell_changes_what_another_shows(server):
    shared = Shared(
        server,
        "from IPython.display import display\nbar = display('waiting', display_id='bar')\nprint('after it')",
        "bar.update('done')",
    )
    shared.run(0)
    shared.run(1)

    outputs = shared.until(0, lambda cell: "done" in str(cell["outputs"]))["outputs"]
    assert [one["output_type"] for one in outputs] == ["display_data", "stream"]


def test_who_runs_a_cell_answers_what_it_asks_also_when_it_goes_on_printing(server):
    prints = "import threading\nthreading.Timer(0.5, print, ['still here']).start()\n"
    shared = Shared(server, prints + "name = input('Name? ')\nprint('hello', name)")
    run = shared.run(0, wait=False)["execution"]
    ask = f"api/kernels/{shared.kernel}/execute/{run}/input"
    ends = time.monotonic() + PATIENCE
    while (refused := server.refused("POST", ask, {"value": "me"}, "bob"))[0] != 403:
        assert time.monotonic() < ends, refused
    shared.until(0, lambda cell: "still here" in text(cell))
    while True:
        assert time.monotonic() < ends
        try:
            server.ask("POST", ask, {"value": "Ada"})
            break
        except OSError:
            time.sleep(0.1)

    assert text(shared.until(0, lambda cell: cell["execution_count"])) == "still here\nName? Ada\nhello Ada\n"


def test_a_viewer_is_told_that_they_may_not(server):
    shared = Shared(server, "x = 1")
    server.ask("PUT", f"slipway/api/kernels/{shared.kernel}/grants", {"person": "vera", "role": "viewer"})

    status, told = shared.refused(0, "vera")

    assert status == 403
    assert told["message"] == "You are a viewer of this kernel: to run takes runner. ada can grant it."
    assert shared.on_disk(0)["outputs"] == []


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"cell_id": "nowhere"}, 404),
        ({"document_id": "json:notebook:nowhere"}, 404),
        ({"document_id": "nonsense"}, 404),
        ({"cell_id": 3}, 400),
    ],
)
def test_what_cannot_be_run_is_refused_in_words(server, asked, status):
    assert (refused := Shared(server, "x = 1").refused(0, **asked))[0] == status
    assert refused[1]["message"]


def test_a_killed_server_loses_no_line(tmp_path):
    root, home = tmp_path / "root", tmp_path / "home"
    root.mkdir()
    home.mkdir()
    code = "import time\nfor tick in range(24):\n    print('tick', tick, flush=True)\n    time.sleep(0.2)"
    try:
        with serving(root, home, TOGETHER, FILES, NO_POOL) as first:
            shared = Shared(first, code, "print('then', tick)")
            shared.run(0, wait=False)
            shared.run(1, wait=False)
            time.sleep(1.0)
            first.kill()
        with serving(root, home, TOGETHER, FILES, NO_POOL, port=first.port):
            ran = shared.until(1, lambda cell: cell["outputs"])
            assert text(ran) == "then 23\n"
            assert text(shared.until(0, lambda cell: cell["execution_count"])) == "".join(
                f"tick {tick}\n" for tick in range(24)
            )
    finally:
        hosts.end_all(home)


def test_a_text_into_which_a_page_has_brought_something_is_written_anew():
    outputs = Doc().get("outputs", type=Array)
    anew = []
    outputs.observe(lambda event: anew.append(event.delta))

    def shown(text: str, ours: str) -> tuple[str, bool]:
        anew.clear()
        _show(outputs, [{"output_type": "stream", "name": "stdout", "text": text}], 0, ours)
        return str(outputs[0]["text"]), bool(anew)

    assert shown("1\n", "") == ("1\n", True)
    assert shown("1\n2\n", "1\n") == ("1\n2\n", False)
    assert shown("1\n50 %", "1\n2\n") == ("1\n50 %", False)
    outputs[0]["text"].insert(0, "1\n")
    # Pages append whatever is inserted into a text: only a new one is shown as it is.
    assert shown("1\n60 %", "1\n50 %") == ("1\n60 %", True)


@in_loop
async def test_what_a_page_puts_in_anew_while_the_cell_runs_takes_nothing_away():
    ydoc = Doc()
    ydoc["cells"] = cells = Array()
    cells.append(Map({"id": "c0", "cell_type": "code", "outputs": Array()}))
    document = SimpleNamespace(_ydoc=ydoc, ycells=cells)
    writer = Writer(cast(Documents, None), cast(Link, SimpleNamespace(pages=set())), logging.getLogger())
    run = Run("e1", "ada", "room", "c0")
    said = [{"output_type": "stream", "name": name, "text": f"{name}\n"} for name in ("stdout", "stderr")]
    for one in said:
        run.outputs.add(one)
    writer._write_into(document, run)
    outputs = cells[0]["outputs"]

    # As a page that somebody trusts writes it: what it had seen of the first, in the first's place.
    with ydoc.transaction():
        outputs[0] = Map({"output_type": "stream", "name": "stdout", "text": Text("std")})
    await soon(lambda: run.disturbed)
    writer._write_into(document, run)
    assert [str(one["text"]) for one in outputs] == ["stdout\n", "stderr\n"]

    run.outputs.add({"output_type": "stream", "name": "stdout", "text": "more\n"})
    writer._write_into(document, run)
    assert writer._soon == set(), "What we write ourselves is no news"

    # The same again in the first's place: other pages show it at the end, until all is written anew.
    run.status, run.idle, run.closed = "ok", True, True
    anew = []
    outputs.observe(lambda event: anew.append(event.delta))
    with ydoc.transaction():
        outputs[0] = Map({"output_type": "stream", "name": "stdout", "text": Text("stdout\n")})
        outputs.append(Map({"output_type": "stream", "name": "stderr", "text": Text("stderr\n")}))
    await soon(lambda: run.disturbed)
    writer._write_into(document, run)
    assert [str(one["text"]) for one in outputs] == ["stdout\n", "stderr\n", "more\n"]
    assert anew[-1][0] == {"delete": 4}
    # What somebody clears afterwards stays cleared.
    with ydoc.transaction():
        outputs.clear()
    await soon(lambda: run.disturbed)
    writer._write_into(document, run)
    assert len(outputs) == 0
    with suppress(asyncio.CancelledError):
        await writer.close()


@in_loop
async def test_what_shared_documents_leave_behind_lies_in_the_home_and_not_in_the_root(server):
    shared = Shared(server, "print('a')")
    room = f"{server.url.replace('http', 'ws')}/api/collaboration/room/{shared.room}"
    page = await Socket.open(f"{room}?sessionId={shared.session}&token=ada-token")
    await page.read_message()

    await soon(lambda: {one.suffix for one in (server.home / "documents").iterdir()} >= {".db", ".json"})
    page.close()
    assert [one.name for one in server.root.iterdir() if one.name.startswith(".jupyter")] == []
