"""What a server has without a word of configuration: shared kernels, and nothing for who has not logged in."""

from __future__ import annotations

import json

from tornado.httpclient import HTTPClientError

from jupyter_slipway.kernels.manager import SlipwayKernelManager
from jupyter_slipway.kernels.sessions import SlipwaySessionManager


async def test_kernels_are_shared_and_pages_are_told(jp_serverapp):
    page = jp_serverapp.web_app.settings["page_config_data"]

    assert (page["slipwaySharedKernels"], page["slipwayKernelsNotShared"]) == ("true", "")
    assert type(jp_serverapp.kernel_manager) is SlipwayKernelManager
    assert type(jp_serverapp.session_manager) is SlipwaySessionManager


async def test_switched_off_pages_are_told_why(jp_configurable_serverapp):
    app = jp_configurable_serverapp(argv=["--SlipwayApp.shared_kernels=False"])
    page = app.web_app.settings["page_config_data"]

    assert page["slipwaySharedKernels"] == "false"
    assert page["slipwayKernelsNotShared"] == "SlipwayApp.shared_kernels is off"
    assert not isinstance(app.kernel_manager, SlipwayKernelManager)


async def test_who_has_not_logged_in_sees_the_login_and_static_files_only(jp_serverapp, jp_fetch):
    async def status(*path: str) -> int:
        try:
            return (await jp_fetch(*path, headers={"Authorization": ""}, follow_redirects=False)).code
        except HTTPClientError as error:
            return error.code

    assert jp_serverapp.allow_unauthenticated_access is False
    found = {path: await status(*path.split("/")) for path in ("api", "login", "static/favicon.ico")}
    assert found == {"api": 200, "login": 200, "static/favicon.ico": 200}
    paths = ("api/status", "api/kernels", "api/sessions", "api/contents", "metrics", "slipway/api/kernels")
    assert {await status(*path.split("/")) for path in paths} == {403}


async def test_a_kernel_that_is_still_starting_is_listed(jp_serverapp, jp_fetch):
    manager = jp_serverapp.kernel_manager
    manager._kernels["k1"] = manager.kernel_manager_factory(kernel_name="python3", parent=manager)
    try:
        listed = json.loads((await jp_fetch("api", "kernels")).body)
    finally:
        del manager._kernels["k1"]
    assert [one["id"] for one in listed] == ["k1"]
