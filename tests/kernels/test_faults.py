"""Whatever is killed, stopped or full: no output is lost or told twice, and everybody learns what happened."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from pathlib import Path
from typing import Any

import pytest

from jupyter_slipway import hosting
from jupyter_slipway.hosting import Record
from jupyter_slipway.kernels import hosts
from jupyter_slipway.kernels.host.wire import Message, message, new_header
from jupyter_slipway.kernels.link import Link
from tests.kernels.servers import NO_POOL, Page, Server, in_loop, serving
from tests.waiting import soon

TICKS = "import time\nfor tick in range({}):\n    print('tick', tick, flush=True)\n    time.sleep(0.05)"
LINUX = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks at processes in /proc")


def ticks(count: int) -> str:
    return "".join(f"tick {number}\n" for number in range(count))


def host_of(server: Server, kernel: str) -> tuple[Path, Record]:
    directory = hosts.find(server.home, kernel)
    assert directory is not None
    record = hosting.read(directory)
    assert record is not None
    return directory, record


def pid_of(server: Server, kernel: str) -> int:
    """The kernel's own process."""
    _, record = host_of(server, kernel)
    children = Path(f"/proc/{record.pid}/task/{record.pid}/children").read_text().split()
    return int(children[0])


@in_loop
async def test_a_killed_server_costs_no_output_and_no_queued_cell(kernels_home: Path) -> None:
    first = Server(kernels_home / "root", kernels_home, NO_POOL)
    created = first.ask("POST", "api/sessions", SESSION)
    kernel = created["kernel"]["id"]
    page = await Page.open(first, kernel)
    running = page.execute(TICKS.format(30))
    queued, failing, dropped = page.execute("40 + 2"), page.execute("1/0"), page.execute("'never'")
    await page.until(lambda: "tick 4" in page.text(running))
    first.kill()
    # The cells go on: nobody watches.
    await asyncio.sleep(2)
    with serving(kernels_home / "root", kernels_home, NO_POOL, port=first.port) as second:
        assert second.ask("GET", "api/sessions")[0]["id"] == created["id"]
        # JupyterLab comes back with the session it had, and still waits for its replies.
        again = await Page.open(second, kernel, session=page.session)
        statuses = [(await again.reply(asked))["status"] for asked in (running, queued, failing, dropped)]

        assert statuses == ["ok", "ok", "error", "aborted"]
        assert again.text(running) == ticks(30)
        assert [one.content["data"]["text/plain"] for one in again.of(queued, "execute_result")] == ["42"]
        assert (await again.run("1"))["execution_count"] == 4
        second.ask("DELETE", f"api/kernels/{kernel}")


SESSION = {"path": "a.ipynb", "name": "a.ipynb", "type": "notebook", "kernel": {"name": "python3"}}


@in_loop
async def test_a_server_that_is_stopped_lets_its_kernels_live(kernels_home: Path) -> None:
    with serving(kernels_home / "root", kernels_home, NO_POOL) as first:
        kernel = first.start_kernel()
        page = await Page.open(first, kernel)
        await page.run("kept = 7")
    with serving(kernels_home / "root", kernels_home, NO_POOL) as second:
        page = await Page.open(second, kernel)
        asked = page.execute("print(kept)")
        await page.reply(asked)
        assert page.text(asked) == "7\n"
        second.ask("DELETE", f"api/kernels/{kernel}")
        assert hosts.find(kernels_home, kernel) is None


@in_loop
async def test_two_servers_share_a_kernel(server: Server, kernels_home: Path) -> None:
    with serving(kernels_home / "root", kernels_home, NO_POOL) as other:
        kernel = server.start_kernel()
        ada, bob = await Page.open(server, kernel), await Page.open(other, kernel, "bob")
        asked = ada.execute("shared = 1")
        await ada.reply(asked)
        await bob.until(lambda: bob.of(asked, "execute_input"))
        assert (await bob.run("assert shared == 1"))["status"] == "ok"
        found = await soon(lambda: both_here(other.ask("GET", f"slipway/api/kernels/{kernel}")))
        assert found["servers"] == 2
        assert server.refused("POST", f"slipway/api/kernels/{kernel}/shutdown")[1]["message"] == "bob has it open."
        server.ask("POST", f"slipway/api/kernels/{kernel}/shutdown", {"force": True})
        await bob.until(lambda: bob.states()[-1:] == ["dead"])
        await soon(lambda: kernel not in [one["id"] for one in other.ask("GET", "api/kernels")])


def both_here(found: dict[str, Any]) -> dict[str, Any] | None:
    return found if [one["person"] for one in found["people"]] == ["ada", "bob"] else None


@LINUX
@in_loop
async def test_a_kernel_that_is_killed_says_so_in_the_cell_and_starts_anew(server: Server) -> None:
    kernel = server.start_kernel()
    ada, bob = await Page.open(server, kernel), await Page.open(server, kernel, "bob")
    asked = ada.execute("print('before')\nimport time; time.sleep(60)", cell="c9")
    await ada.until(lambda: ada.text(asked))
    waiting = bob.execute("1")
    await soon(lambda: len(server.ask("GET", f"slipway/api/kernels/{kernel}")["queue"]) == 2)
    os.kill(pid_of(server, kernel), signal.SIGKILL)
    reply = await ada.reply(asked)

    assert reply["evalue"] == "It was killed (signal 9, SIGKILL)."
    assert ada.of(asked, "error")[0].content["ename"] == "KernelDied"
    assert (await bob.reply(waiting))["status"] == "aborted"
    assert ada.states()[-1] in ("restarting", "starting")
    assert (await ada.run("'again'"))["execution_count"] == 1
    died = server.ask("GET", f"slipway/api/kernels/{kernel}")["died"]
    assert (died["code"], died["running"]["person"], died["running"]["cell"]) == (-9, "ada", "c9")
    server.ask("POST", f"slipway/api/kernels/{kernel}/shutdown", {"force": True})


@LINUX
@in_loop
async def test_a_host_that_is_killed_is_started_anew_and_nothing_lives_on_unseen(server: Server) -> None:
    kernel = server.start_kernel()
    page = await Page.open(server, kernel)
    started = page.execute(
        "import subprocess; child = subprocess.Popen(['sleep', '600']); print(child.pid, flush=True)"
    )
    await page.reply(started)
    child = int(page.text(started))
    asked = page.execute(TICKS.format(1000))
    await page.until(lambda: "tick 3" in page.text(asked))
    directory, record = host_of(server, kernel)
    os.kill(record.pid, signal.SIGKILL)
    reply = await page.reply(asked)

    assert reply["evalue"] == "The kernel's host was killed, and the kernel with it."
    assert "restarting" in page.states()
    assert "dead" not in page.states()
    last = page.execute("1")
    assert (await page.reply(last))["execution_count"] == 1
    await soon(lambda: not hosting.process_start(child))
    assert host_of(server, kernel)[1].pid != record.pid
    assert hosts.find(server.home, kernel) == directory
    shown = await soon(lambda: newest_that_ended(server, kernel, last))
    assert [one["status"] for one in shown] == ["ok", "error", "ok"]
    server.ask("DELETE", f"api/kernels/{kernel}")


@LINUX
@in_loop
async def test_a_host_and_all_servers_killed_leave_a_record_that_the_next_server_mends(own_home: Path) -> None:
    first = Server(own_home / "root", own_home, NO_POOL)
    kernel = first.start_kernel()
    page = await Page.open(first, kernel)
    asked = page.execute(TICKS.format(1000))
    await page.until(lambda: "tick 3" in page.text(asked))
    told = page.text(asked)
    first.kill()
    os.kill(host_of(first, kernel)[1].pid, signal.SIGKILL)
    with serving(own_home / "root", own_home, NO_POOL, port=first.port) as second:
        again = await Page.open(second, kernel, session=page.session)
        reply = await again.reply(asked)
        assert "host was killed" in reply["evalue"]
        assert again.text(asked).startswith(told)
        second.ask("DELETE", f"api/kernels/{kernel}")


@in_loop
async def test_a_host_that_stands_still_is_said_and_goes_on_afterwards(server: Server) -> None:
    kernel = server.start_kernel()
    page = await Page.open(server, kernel)
    await page.run("1")
    record = host_of(server, kernel)[1]
    os.kill(record.pid, signal.SIGSTOP)
    try:
        asked = page.execute("print('late')")
        # Everybody else is served as ever.
        assert server.ask("GET", "api/status")
        assert kernel in [one["id"] for one in server.ask("GET", "slipway/api/kernels")["items"]]
        await asyncio.sleep(1)
        assert not page.of(asked, "status")
    finally:
        os.kill(record.pid, signal.SIGCONT)

    assert (await page.reply(asked))["status"] == "ok"
    assert page.text(asked) == "late\n"
    server.ask("DELETE", f"api/kernels/{kernel}")


@LINUX
@in_loop
async def test_a_full_disk_does_not_stop_the_kernel(server: Server) -> None:
    kernel = server.start_kernel()
    page = await Page.open(server, kernel)
    await page.run("1")
    pid = host_of(server, kernel)[1].pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    # Every write of the host fails from now on.
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
    asked = page.execute(TICKS.format(20))
    assert (await page.reply(asked))["status"] == "ok"
    assert page.text(asked) == ticks(20)
    assert server.ask("GET", f"slipway/api/kernels/{kernel}")["full"]

    resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    await page.run("2")
    assert not server.ask("GET", f"slipway/api/kernels/{kernel}")["full"]

    long = page.execute(TICKS.format(100_000))
    await page.until(lambda: "tick 3" in page.text(long))
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
    # Before the cell ends.
    await soon(lambda: server.ask("GET", f"slipway/api/kernels/{kernel}")["full"])
    server.ask("POST", f"slipway/api/kernels/{kernel}/interrupt")
    assert (await page.reply(long))["status"] == "error"
    resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    # Nobody runs anything: what was not written down is, now that there is room.
    await soon(lambda: not server.ask("GET", f"slipway/api/kernels/{kernel}")["full"])
    ran = await soon(lambda: newest_that_ended(server, kernel, long))
    assert [one["status"] for one in ran] == ["error", "ok", "ok", "ok"]
    server.ask("POST", f"slipway/api/kernels/{kernel}/shutdown", {"force": True})


def newest_that_ended(server: Server, kernel: str, execution: str) -> list[dict[str, Any]]:
    """What a kernel was asked for, newest first, once `execution` is the newest and has ended."""
    ran: list[dict[str, Any]] = server.ask("GET", f"slipway/api/kernels/{kernel}/executions")["items"]
    return ran if ran and ran[0]["id"] == execution and ran[0]["ended_at"] else []


@in_loop
async def test_an_interrupt_at_the_very_start_of_a_cell_is_not_lost(server: Server, kernel: str) -> None:
    ada = await Page.open(server, kernel)
    link = Link(*host_of(server, kernel))
    await link.ready()
    ended = []
    for _ in range(5):
        header = new_header("execute_request", ada.session) | {"username": "ada"}
        # In one go: the host has both before the kernel has the first.
        link.send(Message(message("shell", header, {}, {"code": "import time; time.sleep(600)"})))
        await link.call("interrupt", person="ada")
        ended.append((await ada.reply(header["msg_id"])).get("ename"))
    await link.close()

    assert ended == ["KeyboardInterrupt"] * 5


@in_loop
async def test_an_interrupt_that_python_has_overslept_is_not_lost(server: Server, kernel: str) -> None:
    """As when the signal comes between Python's last look for one and the sleep itself."""
    ada = await Page.open(server, kernel)
    asked = ada.execute(OVERSLEPT)
    await ada.until(lambda: "asleep" in ada.text(asked))
    await asyncio.sleep(0.2)
    os.kill(pid_of(server, kernel), signal.SIGURG)

    assert (await ada.reply(asked))["ename"] == "KeyboardInterrupt"


OVERSLEPT = """
import signal, threading, time
def interrupt():
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)
    print("asleep", flush=True)
threading.Timer(0.2, interrupt).start()
time.sleep(600)
"""


@pytest.mark.slow
@in_loop
async def test_a_page_that_does_not_read_costs_no_memory_and_is_told_of_the_gap(own_home: Path) -> None:
    options = (NO_POOL, f"--SlipwayKernelManager.journal_limit={48 << 20}")
    with serving(own_home / "root", own_home, *options) as server:
        kernel = server.start_kernel()
        slow, quick = await Page.open(server, kernel, "bob"), await Page.open(server, kernel)
        await quick.run("1")
        slow.pause()
        before = memory(server.process.pid)
        asked = quick.execute(MEGABYTES)
        assert (await quick.reply(asked))["status"] == "ok"
        # What is on its way to the page that reads is there for a moment.
        await soon(lambda: memory(server.process.pid) - before, lambda grown: grown < 64 << 20)
        slow.resume()
        last = quick.execute("'last'")
        await slow.until(lambda: slow.of(last, "execute_result"))

        assert len(quick.text(asked)) == 100 * 1_000_001
        assert len(slow.text(asked)) < 100 * 1_000_001
        assert [one for one in slow.said if one.type == "stream" and "no longer kept" in one.content["text"]]
        server.ask("POST", f"slipway/api/kernels/{kernel}/shutdown", {"force": True})


@pytest.mark.slow
@in_loop
async def test_a_page_that_was_behind_when_the_host_was_killed_still_gets_all(server: Server) -> None:
    kernel = server.start_kernel()
    slow, quick = await Page.open(server, kernel, "bob"), await Page.open(server, kernel)
    await quick.run("1")
    slow.pause()
    asked = quick.execute(LONG_LINES)
    await quick.until(lambda: f"line {MANY} " in quick.text(asked))
    _, record = host_of(server, kernel)
    os.kill(record.pid, signal.SIGKILL)
    slow.resume()
    assert (await quick.reply(asked))["status"] == "error"
    await slow.until(lambda: slow.idle(asked))

    assert slow.text(asked) == quick.text(asked)
    server.ask("POST", f"slipway/api/kernels/{kernel}/shutdown", {"force": True})


MANY = 300
LONG_LINES = f"for number in range({MANY + 1}):\n    print('line', number, 'x' * 100_000, flush=True)\ninput()"


MEGABYTES = "import time\nfor _ in range(100):\n    print('x' * 1_000_000, flush=True)\n    time.sleep(0.04)"


def memory(pid: int) -> int:
    """Bytes resident."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@in_loop
async def test_an_unused_kernel_without_a_server_ends_and_what_it_said_is_kept(own_home: Path) -> None:
    with serving(own_home / "root", own_home, NO_POOL, "--SlipwayKernelManager.lease=1") as first:
        kernel = first.start_kernel()
        page = await Page.open(first, kernel)
        asked = page.execute("print('kept')")
        await page.reply(asked)
        record = host_of(first, kernel)[1]
    await soon(lambda: not hosting.alive(record))
    with serving(own_home / "root", own_home, NO_POOL) as second:
        base = f"slipway/api/kernels/{kernel}"
        assert "Nobody used the kernel" in second.refused("GET", base)[1]["message"]
        frames = second.ask("GET", f"{base}/frames?execution={asked}")["items"]
        assert [one["content"]["text"] for one in frames if one["header"]["msg_type"] == "stream"] == ["kept\n"]
        assert second.ask("GET", f"{base}/executions")["items"][0]["id"] == asked


@in_loop
async def test_a_home_with_a_long_name_has_its_sockets_elsewhere(tmp_path: Path) -> None:
    home = tmp_path / ("long" * 30)
    (home / "root").mkdir(parents=True)
    with serving(home / "root", home, NO_POOL) as server:
        kernel = server.start_kernel()
        page = await Page.open(server, kernel)
        assert (await page.run("1"))["status"] == "ok"
        sockets = Path(host_of(server, kernel)[1].about["sockets"])
        assert sockets.stat().st_mode & 0o777 == 0o700
        server.ask("DELETE", f"api/kernels/{kernel}")
        await soon(lambda: not sockets.exists())
