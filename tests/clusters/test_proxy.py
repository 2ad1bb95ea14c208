"""Dashboards through a real Jupyter server whose base_url is not the root: who gets in, to what, and what it may."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler
from tornado.websocket import websocket_connect

from jupyter_slipway.clusters import spark_server
from jupyter_slipway.clusters.proxy import Tickets, _Forwarded, moved
from jupyter_slipway.errors import Forbidden, Unavailable
from jupyter_slipway.runs import runner
from tests.clusters.spark import SparkCluster
from tests.serving import Server, serving
from tests.waiting import PATIENCE, eventually

FRONT = "/user/ada/slipway/clusters"


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    text: str


class Visitor:
    def __init__(self, server: Server) -> None:
        self.host = urlsplit(server.http._url).netloc
        self._token = server.http._token

    def get(self, path: str, *, method: str = "GET", known: bool = False, body: str = "", **headers: str) -> Answer:
        connection = http.client.HTTPConnection(self.host, timeout=60)
        if known:
            headers["Authorization"] = f"token {self._token}"
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        read = Answer(answer.status, answer.headers, answer.read().decode(errors="replace"))
        connection.close()
        return read

    def api(self, method: str, path: str, **body: Any) -> Any:
        answer = self.get(f"/user/ada/slipway/api/{path}", method=method, known=True, body=json.dumps(body))
        assert answer.status < 300, answer.text
        return json.loads(answer.text)

    def state(self, cluster: str) -> str:
        return str(self.api("GET", f"clusters/{cluster}")["state"])

    def enter(self, cluster: str) -> str:
        """The path of its dashboard, with a ticket."""
        sent = self.get(f"{FRONT}/{cluster}/dashboard", known=True)
        assert sent.status == 302, sent.text
        return str(sent.headers["Location"]).removesuffix("/")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("place")


@pytest.fixture(scope="module")
def visitor(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLIPWAY_HOME", str(place))
        patch.setenv("SLIPWAY_USER", "ada")
        patch.setenv("SLIPWAY_ENVIRONMENTS", "kernel")
        with serving(tmp_path_factory.mktemp("root"), place) as server:
            yield Visitor(server)
    runner.stop(place)


@pytest.fixture(scope="module")
def dask(visitor: Visitor) -> Iterator[str]:
    visitor.api("POST", "clusters", name="tiny", options={"workers": {"minimum": 0, "maximum": 1}})
    eventually(lambda: visitor.state("tiny") == "running")
    yield "tiny"
    visitor.api("POST", "clusters/tiny/stop")
    eventually(lambda: visitor.state("tiny") == "stopped")


@contextmanager
def listening(handler: type[RequestHandler]) -> Iterator[int]:
    """The port at which this handler answers everything."""
    sockets, server = bind_sockets(0, "127.0.0.1"), HTTPServer(Application([(".*", handler)]))
    server.add_sockets(sockets)
    yield int(sockets[0].getsockname()[1])
    server.stop()


# ── who gets in ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_without_credentials_there_is_no_way_in(visitor: Visitor) -> None:
    for path in ("tiny/dashboard", "tiny/dashboard/", "nowhere/dashboard", "tiny/dashboard/~abc/status"):
        assert visitor.get(f"{FRONT}/{path}").status == 403
    assert visitor.get(f"{FRONT}/tiny/dashboard/~abc/status", known=True).status == 403, "the ticket counts"


def test_a_cluster_that_is_not_registered_has_none(visitor: Visitor) -> None:
    assert visitor.get(f"{FRONT}/nowhere/dashboard", known=True).status == 404


def test_a_ticket_is_for_one_cluster_and_for_its_time() -> None:
    tickets, now = Tickets(b"secret"), time.time()
    ticket = tickets.issue("tiny", "ada", now)

    tickets.check(ticket, "tiny", now)
    with pytest.raises(Forbidden, match="no way to a dashboard"):
        tickets.check(ticket, "other", now)
    with pytest.raises(Forbidden, match="no way to a dashboard"):
        Tickets(b"another").check(ticket, "tiny", now)
    with pytest.raises(Forbidden, match="no way to a dashboard"):
        tickets.check(f"9{ticket}", "tiny", now)
    with pytest.raises(Forbidden, match="opened too long ago"):
        tickets.check(ticket, "tiny", now + 13 * 3600)


def test_a_redirect_stays_with_the_dashboard() -> None:
    prefix = "/user/ada/slipway/clusters/etl/dashboard/~t"

    assert moved("http://127.0.0.1:4040/jobs/?a=1", "http://127.0.0.1:4040", prefix) == f"{prefix}/jobs/?a=1"
    assert moved(f"http://127.0.0.1:4040{prefix}/jobs/", "http://127.0.0.1:4040", prefix) == f"{prefix}/jobs/"
    assert moved("/status", "http://127.0.0.1:4040", prefix) == f"{prefix}/status"
    assert moved("status", "http://127.0.0.1:4040", prefix) == "status"
    for elsewhere in ("http://127.0.0.1:22/", "//evil.example/x"):
        with pytest.raises(Unavailable, match="sends to"):
            moved(elsewhere, "http://127.0.0.1:4040", prefix)


def test_who_leaves_in_the_middle_of_an_answer_ends_it(caplog: pytest.LogCaptureFixture) -> None:
    class Endless(RequestHandler):
        ended: asyncio.Event

        async def get(self) -> None:
            with suppress(StreamClosedError):
                while True:
                    self.write(b"x" * 65536)
                    await self.flush()
            self.ended.set()

    class Between(RequestHandler):
        address = ""

        async def get(self) -> None:
            await _Forwarded(self, self.address, "/front").run()  # type: ignore[arg-type]  # it is no page of Jupyter's

    async def leave() -> None:
        Endless.ended = asyncio.Event()
        with listening(Endless) as dashboard, listening(Between) as front:
            Between.address = f"http://127.0.0.1:{dashboard}"
            reader, writer = await asyncio.open_connection("127.0.0.1", front)
            writer.write(b"GET /front/page HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (await reader.read(65536)).startswith(b"HTTP/1.1 200")
            writer.transport.abort()
            await asyncio.wait_for(Endless.ended.wait(), PATIENCE)

    asyncio.run(leave())

    assert [one for one in caplog.records if one.levelno > logging.INFO] == []


# ── Dask ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_a_dask_dashboard_comes_with_all_it_links_to(visitor: Visitor, dask: str) -> None:
    front = visitor.enter(dask)

    first = visitor.get(f"{front}/")
    page = visitor.get(f"{front}/status")

    assert (first.status, str(first.headers["Location"]).rpartition("/")[2]) == (301, "status")
    assert page.status == 200
    links = [link for link in re.findall(r'(?:src|href)="([^"#]+)"', page.text) if "://" not in link]
    assert len(links) > 10
    for link in links:
        if not link.startswith("javascript:"):
            assert not link.startswith("/"), link
            assert visitor.get(f"{front}/{link}").status in (200, 302), link


@pytest.mark.slow
def test_its_pages_cannot_act_as_who_looks_at_them(visitor: Visitor, dask: str) -> None:
    page = visitor.get(f"{visitor.enter(dask)}/status", Cookie="username-1=secret", Authorization="token secret")

    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-scripts")
    assert "allow-same-origin" not in policy
    assert "frame-ancestors 'self'" in policy
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers.get_all("Set-Cookie") is None
    assert page.text.index("localStorage") < page.text.index("<link")


@pytest.mark.slow
def test_only_looking_is_let_through(visitor: Visitor, dask: str) -> None:
    front = visitor.enter(dask)

    assert visitor.get(f"{front}/status").status == 200
    assert visitor.get(f"{front}/status", method="OPTIONS", Origin="null").status == 204
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert visitor.get(f"{front}/status", method=method, known=True).status in (403, 405), method


@pytest.mark.slow
@pytest.mark.parametrize(("origin", "status"), [("null", None), ("http://evil.example", 403)])
def test_its_websocket_works_from_the_sandbox_and_from_nowhere_else(
    visitor: Visitor, dask: str, origin: str, status: int | None
) -> None:
    front = visitor.enter(dask)
    page = visitor.get(f"{front}/status").text
    found = re.search(r'"token":"([^"]+)"', page)
    assert found is not None

    async def first_message() -> object:
        request = HTTPRequest(f"ws://{visitor.host}{front}/status/ws", headers={"Origin": origin})
        connection = await websocket_connect(request, subprotocols=["bokeh", found[1]])
        assert connection.selected_subprotocol == "bokeh"
        message = await connection.read_message()
        connection.close()
        while await connection.read_message() is not None:
            continue
        return message

    if status is None:
        assert json.loads(str(asyncio.run(first_message())))["msgtype"] == "ACK"
    else:
        with pytest.raises(HTTPClientError, match=str(status)):
            asyncio.run(first_message())


# ── Spark ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def spark_dashboard(visitor: Visitor, place: Path, spark: SparkCluster) -> str:
    """That of the server all tests share: where this place would start its own, it finds that one."""
    (place / "clusters").mkdir(exist_ok=True)
    (place / "clusters" / "etl").symlink_to(spark.directory)
    visitor.api("POST", "clusters", name="etl", profile="spark")
    eventually(lambda: visitor.state("etl") == "running")
    return visitor.enter("etl")


@pytest.mark.slow
def test_sparks_pages_come_with_all_they_link_to(visitor: Visitor, spark_dashboard: str) -> None:
    first = visitor.get(f"{spark_dashboard}/")
    page = visitor.get(f"{spark_dashboard}/jobs/")

    assert (first.status, first.headers["Location"]) == (302, f"{spark_dashboard}/jobs/")
    assert page.status == 200
    links = list(re.findall(r'(?:src|href)="(/[^"#]*)"', page.text))
    assert len(links) > 10
    assert all(link.startswith(f"{spark_dashboard}/") for link in links), links
    for link in links:
        answer = visitor.get(link)
        if answer.status == 302:
            answer = visitor.get(str(answer.headers["Location"]))
        assert answer.status == 200, link


@pytest.mark.slow
def test_sparks_pages_ask_their_own_figures(visitor: Visitor, spark_dashboard: str, spark: SparkCluster) -> None:
    server = spark_server.read_server(spark.directory)
    assert server is not None

    answer = visitor.get(f"{spark_dashboard}/api/v1/applications", Origin="null", Range="bytes=0-")

    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert '"name" : "etl"' in answer.text
    for path in (f"/http://127.0.0.1:{server.port}/", f"/@127.0.0.1:{server.port}/", "/../../etc/passwd"):
        assert visitor.get(f"{spark_dashboard}{path}").status in (302, 400, 404), path
