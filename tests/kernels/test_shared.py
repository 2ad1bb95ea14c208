"""Two people on one kernel: each is who they are, waits their turn, and harms nobody else."""

from __future__ import annotations

import pytest
from tornado.httpclient import HTTPClientError

from tests.kernels.servers import Page, Server, in_loop
from tests.waiting import soon

SLEEP = "import time; time.sleep(1)"


@in_loop
async def test_all_outputs_name_their_person_and_cell_whatever_the_page_claims(server: Server, kernel: str) -> None:
    ada, bob = await Page.open(server, kernel), await Page.open(server, kernel, "bob")
    asked = bob.execute("print('hi')", username="ada", cell="c7", session=ada.session)
    await bob.reply(asked)
    seen = await ada.until(lambda: ada.of(asked, "stream"))

    assert (seen[0].parent["username"], seen[0].parent["cell_id"]) == ("bob", "c7")
    assert seen[0].parent["session"] == bob.session
    assert not [one for one in ada.said if one.type == "execute_reply" and one.parent["msg_id"] == asked]


@in_loop
async def test_an_error_drops_the_cells_of_its_own_page_only(server: Server, kernel: str) -> None:
    ada, bob = await Page.open(server, kernel), await Page.open(server, kernel, "bob")
    slow = ada.execute(SLEEP)
    await ada.until(lambda: ada.of(slow, "execute_input"))
    failing, of_bob, of_ada = ada.execute("1/0"), bob.execute("'bob'"), ada.execute("'never'")

    assert (await ada.reply(failing))["status"] == "error"
    assert (await bob.reply(of_bob))["status"] == "ok"
    assert (await ada.reply(of_ada))["status"] == "aborted"


@in_loop
async def test_only_who_runs_the_cell_answers_its_question(server: Server, kernel: str) -> None:
    ada, bob = await Page.open(server, kernel), await Page.open(server, kernel, "bob")
    asked = ada.execute("print('got', input('name?'))")
    await ada.until(lambda: [one for one in ada.said if one.type == "input_request"])
    bob.send("input_reply", {"value": "mallory"}, channel="stdin")
    refused = await bob.until(lambda: [one for one in bob.said if one.type == "slipway_refused"])
    ada.send("input_reply", {"value": "ada"}, channel="stdin")
    await ada.reply(asked)

    assert refused[0].content["why"] == "ada runs this cell: only they may answer it."
    assert not [one for one in bob.said if one.type == "input_request"]
    assert ada.text(asked) == "got ada\n"


@in_loop
async def test_a_question_is_answered_from_another_page_of_the_same_person(server: Server, kernel: str) -> None:
    first = await Page.open(server, kernel)
    asked = first.execute("print('got', input('name?'))")
    await first.until(lambda: [one for one in first.said if one.type == "input_request"])
    await first.close()
    again = await Page.open(server, kernel)
    again.send("input_reply", {"value": "late"}, channel="stdin")
    await again.until(lambda: again.of(asked, "stream"))

    assert again.text(asked) == "got late\n"


@in_loop
async def test_a_viewer_sees_and_does_nothing(server: Server) -> None:
    kernel = server.start_kernel()
    server.ask("PUT", f"slipway/api/kernels/{kernel}/grants", {"person": "eve", "role": "viewer"})
    ada, eve = await Page.open(server, kernel), await Page.open(server, kernel, "eve")
    tried = eve.execute("open('/tmp/x', 'w')")
    reply = await eve.reply(tried)
    for kind, channel in (
        ("interrupt_request", "control"),
        ("shutdown_request", "control"),
        ("debug_request", "control"),
    ):
        assert await eve.until(lambda kind=kind, channel=channel: eve.send(kind, {}, channel=channel))
    eve.send("comm_open", {"comm_id": "1", "target_name": "x", "data": {}})
    await eve.until(lambda: len([one for one in eve.said if one.type == "slipway_refused"]) == 5)
    asked = ada.execute("1 + 1")
    await ada.reply(asked)

    assert (reply["ename"], reply["status"]) == ("Forbidden", "error")
    assert reply["evalue"] == "You are a viewer of this kernel: to run takes runner. ada can grant it."
    assert eve.of(tried, "error")[0].content["ename"] == "Forbidden"
    await eve.until(lambda: eve.of(asked, "execute_result"))
    for path in (
        f"api/kernels/{kernel}/interrupt",
        f"api/kernels/{kernel}/restart",
        f"slipway/api/kernels/{kernel}/interrupt",
    ):
        assert server.refused("POST", path, {}, "eve")[0] == 403
    # What a cluster gives a kernel is code that it runs.
    for path in ("attach", "detach", "cancel"):
        status, said = server.refused("POST", f"slipway/api/clusters/etl/{path}", {"holder": kernel}, "eve")
        assert (status, said["message"]) == (403, reply["evalue"])
    # So is what notes, and tells, what others ran.
    observed = server.ask("POST", "slipway/api/publish/observe", {"kernel": kernel}, "eve")
    assert observed == {"observing": False, "note": reply["evalue"]}
    cell = {"notebook": "a.ipynb", "cells": [{"id": "c0", "source": "1"}], "cell": "c0", "name": "eves"}
    plan = server.ask("POST", "slipway/api/publish/plan", cell | {"kernel": kernel}, "eve")
    assert any(one["message"].startswith(reply["evalue"]) for one in plan["warnings"])
    assert server.refused("DELETE", f"api/kernels/{kernel}", None, "eve")[0] == 403
    assert (
        server.refused("PUT", f"slipway/api/kernels/{kernel}/grants", {"person": "eve", "role": "owner"}, "eve")[0]
        == 403
    )
    server.ask("DELETE", f"api/kernels/{kernel}")


@in_loop
async def test_who_has_no_part_does_not_even_look(server: Server) -> None:
    kernel = server.start_kernel()
    server.ask("PUT", f"slipway/api/kernels/{kernel}/grants", {"person": "*", "role": ""})

    with pytest.raises(HTTPClientError, match="403"):
        await Page.open(server, kernel, "eve")
    assert kernel not in [one["id"] for one in server.ask("GET", "slipway/api/kernels", person="eve")["items"]]
    status, said = server.refused("GET", f"slipway/api/kernels/{kernel}", person="eve")
    assert (status, said["message"]) == (
        403,
        "You have no part in this kernel: to look takes viewer. ada can grant it.",
    )
    server.ask("DELETE", f"api/kernels/{kernel}")


@in_loop
async def test_a_session_belongs_to_who_began_it(server: Server, kernel: str) -> None:
    ada = await Page.open(server, kernel)
    await ada.run("1")

    with pytest.raises(HTTPClientError, match="403"):
        await Page.open(server, kernel, "bob", session=ada.session)


@in_loop
async def test_a_page_of_elsewhere_cannot_use_who_is_logged_in_here(server: Server, kernel: str) -> None:
    cookies = server.log_in("ada")
    ada = await Page.open(server, kernel, person="", Cookie=cookies)
    assert (await ada.run("1"))["status"] == "ok"

    with pytest.raises(HTTPClientError, match="403"):
        await Page.open(server, kernel, person="", Cookie=cookies, Origin="https://elsewhere.example")


@in_loop
async def test_nonsense_ends_the_page_with_words_and_nobody_else(server: Server, kernel: str) -> None:
    ada, bob = await Page.open(server, kernel), await Page.open(server, kernel, "bob")
    bob.socket.write_message(b"nonsense", binary=True)
    await bob._reading

    code, reason = bob.socket.closed_with
    assert (code, str(reason)[:24]) == (1003, "Not a message of Jupyter")
    assert (await ada.run("1"))["status"] == "ok"


@in_loop
async def test_the_queue_says_whose_turn_it_is_and_a_person_takes_theirs_out(server: Server, kernel: str) -> None:
    ada, bob = await Page.open(server, kernel), await Page.open(server, kernel, "bob")
    for _ in range(3):
        await ada.run("import time; time.sleep(0.1)", cell="slow")
    running, waiting = ada.execute("import time; time.sleep(2)", cell="slow"), bob.execute("'bob'", cell="b")
    again = bob.execute("'again'")
    await ada.until(lambda: ada.of(running, "execute_input"))
    found = await soon(lambda: server.ask("GET", f"slipway/api/kernels/{kernel}"), lambda one: len(one["queue"]) == 3)

    assert [(one["position"], one["person"], one["cell"]) for one in found["queue"]] == [
        (0, "ada", "slow"),
        (1, "bob", "b"),
        (2, "bob", ""),
    ]
    assert 0.05 < found["queue"][0]["estimate"] < 1.5
    assert {one["person"]: one["role"] for one in found["people"]} == {"ada": "owner", "bob": "runner"}
    cancel = f"slipway/api/kernels/{kernel}/executions/{{}}/cancel"
    assert server.refused("POST", cancel.format(running), person="bob")[0] == 403
    server.ask("POST", cancel.format(waiting), person="bob")
    assert (await bob.reply(waiting))["status"] == "aborted"
    assert (await bob.reply(again))["status"] == "ok"
    assert server.refused("POST", cancel.format(waiting), person="bob")[0] == 409


@in_loop
async def test_restart_and_shutdown_ask_when_others_are_there(server: Server) -> None:
    kernel = server.start_kernel()
    bob = await Page.open(server, kernel, "bob")
    of_bob = bob.execute("import time; print('now', flush=True); time.sleep(30)")
    await bob.until(lambda: bob.of(of_bob, "stream"))
    base = f"slipway/api/kernels/{kernel}"

    for action in ("restart", "shutdown"):
        status, said = server.refused("POST", f"{base}/{action}")
        assert (status, said["message"]) == (409, "bob has cells in its queue.")
    assert server.refused("POST", f"{base}/interrupt")[1]["message"].startswith('bob runs "import time')
    assert server.ask("POST", f"{base}/interrupt", {}, "bob")["message"] == "It was interrupted."
    assert (await bob.reply(of_bob))["ename"] == "KeyboardInterrupt"
    await soon(lambda: server.refused("POST", f"{base}/restart"), lambda one: one[1]["message"] == "bob has it open.")
    server.ask("POST", f"{base}/restart", {"force": True})
    assert "dead" not in bob.states()
    assert "starting" in bob.states()
    assert (await bob.run("1"))["execution_count"] == 1
    server.ask("POST", f"{base}/shutdown", {"force": True})
    await bob.until(lambda: bob.states()[-1] == "dead")
    await soon(lambda: server.ask("GET", "slipway/api/kernels"), lambda told: kernel not in str(told))
    assert server.refused("GET", base)[0] == 404


@in_loop
async def test_who_ran_what_is_listed_and_what_it_said_is_read_again(server: Server, kernel: str) -> None:
    ada, bob = await Page.open(server, kernel), await Page.open(server, kernel, "bob")
    await ada.run("rows = [1]", cell="c1")
    asked = bob.execute("rows.append(2)\nprint('two')", cell="c2")
    await bob.reply(asked)
    base = f"slipway/api/kernels/{kernel}"

    # That it has ended is noted while its reply is on its way.
    newest = await soon(
        lambda: server.ask("GET", f"{base}/executions")["items"][0], lambda one: one["status"] != "running"
    )
    assert (newest["id"], newest["person"], newest["cell"], newest["status"]) == (asked, "bob", "c2", "ok")
    page = server.ask("GET", f"{base}/frames?execution={asked}")
    assert [one["content"]["text"] for one in page["items"] if one["header"]["msg_type"] == "stream"] == ["two\n"]
    assert (page["end"], page["lost"]) == (True, 0)
    who = server.ask("GET", f"{base}/names/rows")
    assert (who["how"], who["execution"]["person"], who["execution"]["cell"], who["observed"]) == (
        "changed",
        "bob",
        "c2",
        True,
    )
    assert server.ask("GET", f"{base}/names/nothing")["execution"] is None
    assert server.refused("GET", f"{base}/frames?execution=nothing")[0] == 404


@in_loop
async def test_a_busy_kernel_still_greets_a_page_that_opens(server: Server, kernel: str) -> None:
    ada = await Page.open(server, kernel)
    slow = ada.execute("import time; time.sleep(600)")
    await ada.until(lambda: ada.of(slow, "execute_input"))
    bob = await Page.open(server, kernel, "bob")
    asked = bob.send("kernel_info_request", {})
    reply = await bob.reply(asked)

    assert reply["language_info"]["name"] == "python"
    assert not ada.idle(slow)
    await bob.until(lambda: [one for one in bob.said if one.type == "status"][-1].content["execution_state"] == "busy")
    # What the host says in the kernel's place bears the kernel's session: JupyterLab takes another for a new kernel.
    assert len({one.header["session"] for one in ada.said if one.parent.get("msg_id") == slow}) == 1
    assert {one.header["session"] for one in bob.said if one.parent.get("msg_id") == asked} == {
        one.header["session"] for one in ada.of(slow, "execute_input")
    }
    server.ask("POST", f"api/kernels/{kernel}/interrupt")
    await ada.reply(slow)


@in_loop
async def test_a_kernel_that_runs_a_cell_is_busy_whatever_else_it_has_answered(server: Server, kernel: str) -> None:
    ada, bob = await Page.open(server, kernel), await Page.open(server, kernel, "bob")
    slow = ada.execute("import time; time.sleep(600)")
    await bob.until(lambda: bob.of(slow, "execute_input"))
    asked = bob.send("create_subshell_request", {}, channel="control")
    await bob.until(lambda: bob.idle(asked))

    for page in (ada, bob):
        await page.until(lambda page=page: _last_status(page) == ("busy", slow))
    server.ask("POST", f"api/kernels/{kernel}/interrupt")
    await ada.reply(slow)
    await bob.until(lambda: _last_status(bob) == ("idle", slow))


@in_loop
async def test_a_page_that_comes_back_is_told_that_the_kernel_is_idle(server: Server, kernel: str) -> None:
    ada = await Page.open(server, kernel)
    await ada.run("x = 1")
    await ada.close()
    ada = await Page.open(server, kernel, session=ada.session)

    await ada.until(lambda: ada.states() == ["idle"])


@in_loop
async def test_what_a_page_asks_of_its_widgets_is_told_to_no_other(server: Server, kernel: str) -> None:
    ada, bob = await Page.open(server, kernel), await Page.open(server, kernel, "bob")
    # A kernel that knows of no widgets yet closes it.
    early = bob.send("comm_open", {"comm_id": "early-of-bobs", "target_name": "jupyter.widget.control", "data": {}})
    await bob.until(lambda: bob.of(early, "comm_close"))
    await ada.run(
        "import ipywidgets\nslider = ipywidgets.IntSlider()\n"
        "def opened(comm, message):\n    comm.on_msg(lambda asked: comm.send({'method': 'update_states'}))\n"
        "get_ipython().kernel.comm_manager.register_target('jupyter.widget.control', opened)"
    )
    comm = {"comm_id": "of-bobs-page"}
    bob.send("comm_open", comm | {"target_name": "jupyter.widget.control", "data": {}})
    asked = bob.send("comm_msg", comm | {"data": {"method": "request_states"}})
    await bob.until(lambda: bob.of(asked, "comm_msg"))
    moved = bob.execute("slider.value = 7")
    await bob.reply(moved)

    # Ada is told in the same order, and of the slider as before.
    await ada.until(lambda: ada.idle(moved))
    assert [
        one.content["comm_id"] for one in ada.said if one.type == "comm_msg" and "of-bobs" in str(one.content)
    ] == []
    assert ada.of(moved, "comm_msg")


def _last_status(page: Page) -> tuple[str, str]:
    last = [one for one in page.said if one.type == "status"][-1]
    return last.content["execution_state"], last.parent.get("msg_id", "")


@in_loop
async def test_clients_without_a_subprotocol_speak_json_both_ways(server: Server, kernel: str) -> None:
    old, new = await Page.open(server, kernel, legacy=True), await Page.open(server, kernel)
    asked = old.execute("print('old')", cell="c1")
    assert (await old.reply(asked))["status"] == "ok"
    assert old.text(asked) == "old\n"
    seen = await new.until(lambda: new.of(asked, "stream"))
    assert seen[0].parent["cell_id"] == "c1"


@in_loop
async def test_a_page_that_opens_is_no_news_to_the_others(server: Server, kernel: str) -> None:
    ada, bob = await Page.open(server, kernel), await Page.open(server, kernel, "bob")
    await ada.run("1")
    asked = [bob.send(kind, {}) for kind in ("kernel_info_request", "comm_info_request")]
    for one in asked:
        assert (await bob.reply(one))["status"] == "ok"
    ran = bob.execute("2")
    await ada.until(lambda: ada.idle(ran))

    assert [one.type for one in ada.said if one.parent.get("msg_id") in asked] == []
