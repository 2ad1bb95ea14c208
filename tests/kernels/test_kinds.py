"""Kernels of any language, those that do not start, and those that Jupyter itself runs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_slipway.kernels import hosts
from jupyter_slipway.kernels.host.folder import FACTS
from tests.kernels.servers import Page, Server, in_loop, serving
from tests.waiting import soon

SERVICES = Path(__file__).parents[2] / "node_modules" / "@jupyterlab" / "services"


def spec(home: Path, name: str, **fields: Any) -> str:
    """Install a kernelspec for servers of this home."""
    folder = home / "data" / "kernels" / name
    folder.mkdir(parents=True, exist_ok=True)
    known = {"argv": [], "display_name": name, "language": "text", "metadata": {}}
    (folder / "kernel.json").write_text(json.dumps(known | fields))
    return name


@in_loop
async def test_another_language_is_hosted_too(server: Server) -> None:
    name = spec(
        server.home,
        "bash",
        argv=[sys.executable, "-m", "bash_kernel", "-f", "{connection_file}"],
        language="bash",
        env={"PS1": "$"},
    )
    kernel = server.start_kernel(name=name)
    page = await Page.open(server, kernel)
    asked = page.execute("for i in 1 2 3; do echo $i; done", cell="c1")
    assert (await page.reply(asked))["status"] == "ok"
    assert page.text(asked).split() == ["1", "2", "3"]
    assert page.of(asked, "stream")[0].parent["cell_id"] == "c1"
    slow = page.execute("sleep 60")
    await page.until(lambda: page.of(slow, "execute_input"))
    server.ask("POST", f"slipway/api/kernels/{kernel}/interrupt")
    await page.reply(slow)
    assert server.ask("GET", f"slipway/api/kernels/{kernel}")["language"] == "bash"
    server.ask("DELETE", f"api/kernels/{kernel}")


@pytest.mark.skipif(
    not (shutil.which("node") and SERVICES.exists()), reason="JupyterLab's client library is not installed"
)
def test_an_editor_outside_the_browser_uses_an_existing_server(server: Server) -> None:
    client = Path(__file__).with_name("services_client.mjs")
    done = subprocess.run(
        ["node", str(client), server.url, "ada-token"], capture_output=True, text=True, timeout=240, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert "python3" in seen.pop("specs")
    assert isinstance(seen.pop("listed"), int)
    (name, kind), *others = seen.pop("running")
    assert (name.startswith("notebook-"), kind, others) == (True, "notebook", [])
    assert seen == {
        "info": "python",
        "first": {"said": "20\n21", "status": "ok"},
        "asked": {"said": "'adaada'", "status": "ok"},
        "completed": ["print"],
        "inspected": True,
        "opened": [{"hello": 2}, "abc"],
        "echoed": {"echo": {"moved": 5}},
        "interrupted": True,
        "reconnected": "20",
        "shared": "21",
        "restarted": "NameError",
        "left": 0,
    }


@pytest.mark.parametrize("name", ["nosuch", "slipway-on-", "../x"])
def test_a_kernelspec_that_is_not_there_is_said_with_those_that_are(server: Server, name: str) -> None:
    status, said = server.refused("POST", "api/kernels", {"name": name})
    assert (status, f"There is no kernel {name!r} here. There are:" in said["message"]) == (404, True), said
    session = {"path": "a.ipynb", "name": "a.ipynb", "type": "notebook", "kernel": {"name": name}}
    assert server.refused("POST", "api/sessions", session)[0] == 501


def test_a_program_that_is_not_there_is_said(server: Server) -> None:
    name = spec(server.home, "absent", argv=["no-such-kernel", "{connection_file}"])
    status, said = server.refused("POST", "api/kernels", {"name": name})

    assert status == 503
    assert "No such file or directory: no-such-kernel" in said["message"]
    assert server.ask("GET", "api/kernels") == []


@in_loop
async def test_a_kernel_that_ends_at_once_is_dead_and_says_why(server: Server) -> None:
    code = "import sys; print('No module named ipykernel_launcher', file=sys.stderr); sys.exit(7)"
    name = spec(server.home, "brief", argv=[sys.executable, "-c", code])
    reason = "It ended by itself with exit code 7. It said last: No module named ipykernel_launcher"
    kernel = server.start_kernel(name=name)
    page = await Page.open(server, kernel)
    reply = await page.run("1")

    assert reply.get("evalue", reason) == reason
    died = await soon(lambda: server.ask("GET", f"slipway/api/kernels/{kernel}")["died"])
    assert died["reason"] == reason
    server.ask("DELETE", f"api/kernels/{kernel}")


MUTE = """
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp

class Mute(IPythonKernel):
    async def execute_request(self, stream, ident, parent):
        if parent["content"]["code"] != "mute":
            await super().execute_request(stream, ident, parent)

IPKernelApp.launch_instance(kernel_class=Mute)
"""


@in_loop
async def test_an_execution_without_a_reply_does_not_hold_the_queue_up(server: Server) -> None:
    name = spec(server.home, "mute", argv=[sys.executable, "-c", MUTE, "-f", "{connection_file}"], language="python")
    kernel = server.start_kernel(name=name)
    ada, bob = await Page.open(server, kernel), await Page.open(server, kernel, "bob")
    mute, behind = ada.execute("mute"), bob.execute("1 + 1")

    assert (await ada.reply(mute))["ename"] == "NoReply"
    assert (await bob.reply(behind))["status"] == "ok"
    await ada.close()
    await bob.close()
    server.ask("DELETE", f"api/kernels/{kernel}")


@in_loop
async def test_a_kernelspec_with_a_provisioner_runs_as_jupyter_runs_it(server: Server) -> None:
    name = spec(
        server.home,
        "stock",
        argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        language="python",
        metadata={"kernel_provisioner": {"provisioner_name": "local-provisioner"}},
    )
    kernel = server.start_kernel(name=name)
    page = await Page.open(server, kernel)

    assert (await page.run("1 + 1"))["status"] == "ok"
    assert hosts.find(server.home, kernel) is None
    assert kernel not in [one["id"] for one in server.ask("GET", "slipway/api/kernels")["items"]]
    server.ask("POST", f"api/kernels/{kernel}/restart")
    server.ask("DELETE", f"api/kernels/{kernel}")


def test_an_unknown_kernelspec_is_refused_with_words(server: Server) -> None:
    status, said = server.refused("POST", "api/sessions", {**SESSION, "kernel": {"name": "nothing"}})

    assert status == 501
    assert "nothing" in json.dumps(said)


SESSION = {"path": "b.ipynb", "name": "b.ipynb", "type": "notebook"}


@in_loop
async def test_widgets_and_their_buffers_pass_both_ways(server: Server) -> None:
    kernel = server.start_kernel()
    page, other = await Page.open(server, kernel), await Page.open(server, kernel, "bob")
    asked = page.execute(
        "import ipywidgets\nseen = []\nslider = ipywidgets.IntSlider()\n"
        "slider.observe(lambda change: seen.append(change.new), 'value')\n"
        "image = ipywidgets.Image(value=bytes(range(256)) * 40)\nslider.comm.comm_id"
    )
    await page.reply(asked)
    comm = page.of(asked, "execute_result")[0].content["data"]["text/plain"].strip("'")
    opened = await other.until(lambda: [one for one in other.said if one.type == "comm_open" and one.parts[4:]])
    assert opened[0].parts[4] == bytes(range(256)) * 40

    page.send("comm_msg", {"comm_id": comm, "data": {"method": "update", "state": {"value": 5}, "buffer_paths": []}})
    told = page.execute("print(slider.value, seen)")
    await page.reply(told)
    assert page.text(told) == "5 [5]\n"
    server.ask("POST", f"slipway/api/kernels/{kernel}/shutdown", {"force": True})


@in_loop
async def test_messages_of_many_megabytes_pass_and_larger_ones_are_refused_with_words(server: Server) -> None:
    kernel = server.start_kernel()
    page = await Page.open(server, kernel)
    # Tornado's own limit is 10 MB.
    text = "x" * (12 << 20)
    assert (await page.reply(page.execute(f"len('{text}')")))["status"] == "ok"
    # Python would read it for minutes, and everybody's cells would wait.
    reply = await page.reply(page.execute("z" * (17 << 20)))
    assert reply["evalue"].startswith("A cell of 17 MB is too long: 16 MB at most")
    asked = page.execute("y" * (201 << 20))
    reply = await page.reply(asked)
    assert reply["evalue"].startswith("A message of 201 MB is too large")
    assert (await page.run("1"))["status"] == "ok"
    server.ask("DELETE", f"api/kernels/{kernel}")


def test_nbclient_runs_a_notebook_through_the_server(server: Server) -> None:
    script = str(Path(__file__).with_name("through_gateway.py"))
    command = [sys.executable, script, server.url, "ada-token"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip().splitlines()[-1] == "42"


@in_loop
async def test_a_warm_kernel_is_as_if_it_had_been_started_for_its_notebook(own_home: Path) -> None:
    (own_home / "root" / "sub").mkdir()
    with serving(own_home / "root", own_home) as server:
        server.ask("GET", "slipway/api/status")
        await server.warm()
        before = {path.name for path in hosts.directories(own_home)}
        session = {"path": "sub/a.ipynb", "name": "a.ipynb", "type": "notebook", "kernel": {"name": "python3"}}
        kernel = server.ask("POST", "api/sessions", session, "bob")["kernel"]["id"]
        assert hosts.find(own_home, kernel) is not None
        assert hosts.find(own_home, kernel).name in before
        page = await Page.open(server, kernel, "bob")
        asked = page.execute("import os; print(os.getcwd(), os.environ['JPY_SESSION_NAME'], _dh)")
        assert (await page.reply(asked))["execution_count"] == 1
        where = own_home / "root" / "sub"
        assert page.text(asked) == f"{where} {where}/a.ipynb ['{where}']\n"
        assert server.ask("GET", f"slipway/api/kernels/{kernel}", person="bob")["role"] == "owner"
        server.ask("POST", f"api/kernels/{kernel}/restart", person="bob")
        asked = page.execute("import os; print(os.getcwd(), os.environ['JPY_SESSION_NAME'])")
        await page.reply(asked)
        assert page.text(asked) == f"{where} {where}/a.ipynb\n"

        # One that does not settle in is let go, and another is started in its place.
        await server.warm()
        (frozen,) = [path for path, one in hosts.living(own_home).items() if one.about["warm"]]
        facts = [json.loads(line) for line in (frozen / FACTS).read_text().splitlines()]
        os.kill(next(one["pid"] for one in facts if one["fact"] == "kernel_started"), signal.SIGSTOP)
        kernel = server.start_kernel()
        assert not frozen.exists()
        found = hosts.find(own_home, kernel)
        assert [path for path, one in hosts.living(own_home).items() if one.about["kernel"] == kernel] == [found]
        page = await Page.open(server, kernel)
        assert (await page.run("1"))["status"] == "ok"


def test_no_pool_no_warm_kernel(server: Server) -> None:
    server.ask("GET", "slipway/api/status")

    assert not [one for one in hosts.living(server.home).values() if one.about["warm"]]
