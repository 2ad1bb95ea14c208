"""Dashboards of clusters inside JupyterLab: forwarded from this machine's loopback, shown in a sandbox.

    {base_url}slipway/clusters/NAME/dashboard                 who asks is known: sent on, with a ticket, to
    {base_url}slipway/clusters/NAME/dashboard/~TICKET/PATH    PATH of that cluster's own dashboard, and no other port

A dashboard's pages are foreign code. They get the header `Content-Security-Policy: sandbox` without
'allow-same-origin', so they cannot act as the person whose JupyterLab shows them; but then the browser sends no
cookies for them either. The ticket in the path stands for the person instead: signed, of one cluster, for a day's
work, good for looking only. See docs/decisions/0009-dashboards-in-a-sandbox.md.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote, urlsplit

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado.httpclient import HTTPClientError, HTTPRequest, HTTPResponse
from tornado.httputil import HTTPHeaders
from tornado.iostream import IOStream, StreamClosedError
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from tornado.tcpclient import TCPClient
from tornado.websocket import WebSocketClientConnection, WebSocketClosedError, WebSocketHandler, websocket_connect

from jupyter_slipway.errors import Forbidden, NotFound, SlipwayError, Unavailable

Find = Callable[[str], Awaitable[str]]
"""The dashboard's address of a registered cluster; raises SlipwayError when there is none."""

VALID = 12 * 3600
"""Seconds that a ticket opens its dashboard."""
CONNECT_WITHIN = 5.0
ANSWER_WITHIN = 120.0
LONGEST = 2**31
"""Bytes of one answer; passed on as they come, never held."""
LONGEST_MESSAGE = 64 * 2**20
"""Bytes: a plot with all its data comes in one."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")
ASKED = ("Accept", "Accept-Language", "If-Modified-Since", "If-None-Match", "Range", "User-Agent")
"""What of a request's headers reaches a dashboard: neither cookie nor token nor who asks."""
ANSWERED = (
    "Accept-Ranges",
    "Cache-Control",
    "Content-Disposition",
    "Content-Range",
    "Content-Type",
    "Etag",
    "Last-Modified",
    "Vary",
)
SANDBOX = "sandbox allow-scripts allow-forms allow-popups allow-downloads; frame-ancestors 'self'"
HEAD = b"<head>"
# In a sandbox the browser refuses these; a dashboard that remembers a folded table in them would stop half-way.
STORAGE = b"""<script>(() => {
  const kept = () => {
    const values = new Map();
    return {
      getItem: key => values.get(String(key)) ?? null,
      setItem: (key, value) => { values.set(String(key), String(value)); },
      removeItem: key => { values.delete(String(key)); },
      clear: () => values.clear(),
      key: index => [...values.keys()][index] ?? null,
      get length() { return values.size; },
    };
  };
  for (const name of ['localStorage', 'sessionStorage']) {
    Object.defineProperty(window, name, { value: kept(), configurable: true });
  }
  Object.defineProperty(document, 'cookie', { get: () => '', set: () => {}, configurable: true });
})();</script>"""


class Tickets:
    """Issued to who may look at a dashboard; the server that issued one needs to remember nothing."""

    def __init__(self, secret: bytes | str) -> None:
        secret = secret.encode() if isinstance(secret, str) else secret
        self._key = hmac.digest(secret, b"slipway dashboards", "sha256")

    def issue(self, cluster: str, person: str, now: float) -> str:
        expires = str(int(now) + VALID)
        return f"{expires}.{_text(person.encode())}.{self._sign(cluster, _text(person.encode()), expires)}"

    def check(self, ticket: str, cluster: str, now: float) -> None:
        """
        Raises:
            Forbidden: it is none of ours, another cluster's, or no longer good
        """
        expires, _, rest = ticket.partition(".")
        person, _, signed = rest.partition(".")
        if not hmac.compare_digest(signed.encode(), self._sign(cluster, person, expires).encode()):
            raise Forbidden("This is no way to a dashboard.", hint="Open it from the cluster's card.")
        if int(expires) < now:
            raise Forbidden("This dashboard was opened too long ago.", hint="Open it again from the cluster's card.")

    def _sign(self, cluster: str, person: str, expires: str) -> str:
        return _text(hmac.digest(self._key, f"{cluster}\n{person}\n{expires}".encode(), hashlib.sha256))


def handlers(find: Find) -> list[tuple[str, type[JupyterHandler], dict[str, Any]]]:
    """For the extension's table; the server puts its base_url before them."""
    front = r"/slipway/clusters/([^/]+)/dashboard"
    given = {"find": find}
    return [(rf"{front}/?", EntryHandler, given), (rf"{front}/~([^/]+)/(.*)", DashboardHandler, given)]


class EntryHandler(JupyterHandler):
    """Lets those in who may read, and sends them to the dashboard with a ticket."""

    auth_resource = "slipway"

    def initialize(self, find: Find) -> None:
        self._find = find

    # Not `authenticated`, which would show the login page in the middle of JupyterLab.
    @allow_unauthenticated
    async def get(self, cluster: str) -> None:
        try:
            user = self.current_user
            if user is None:
                raise Forbidden("You are not known here.", hint="Log in to JupyterLab, then open it again.")
            allowed = self.authorizer.is_authorized(self, user, "read", self.auth_resource)
            if not (await allowed if hasattr(allowed, "__await__") else allowed):
                raise Forbidden(f"{user.username} may not look at clusters here.")
            await self._find(cluster)
        except SlipwayError as error:
            _refuse(self, error)
            return
        ticket = Tickets(self.settings["cookie_secret"]).issue(cluster, user.username, time.time())
        self.set_header("Cache-Control", "no-store")
        self.redirect(f"{self.base_url}slipway/clusters/{quote(cluster, safe='')}/dashboard/~{ticket}/")


class DashboardHandler(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """Forwards what is asked with a good ticket: pages, and the websockets by which they live."""

    def initialize(self, find: Find) -> None:
        self._find = find
        self._upstream: WebSocketClientConnection | None = None
        self._passing: asyncio.Task[None] | None = None

    @property
    def content_security_policy(self) -> str:
        return SANDBOX

    def set_default_headers(self) -> None:
        super().set_default_headers()
        # Pages in a sandbox are of no origin, so all they fetch counts as foreign to them.
        self.set_header("Access-Control-Allow-Origin", "*")
        self.set_header("Referrer-Policy", "no-referrer")
        self.clear_header("X-Content-Type-Options")

    def check_origin(self, origin: str) -> bool:
        """A page in a sandbox says 'null'; what it may, its ticket has said."""
        return origin == "null" or bool(super().check_origin(origin))

    @allow_unauthenticated
    async def options(self, cluster: str, ticket: str, path: str) -> None:
        """Browsers ask first whether a page of no origin may send a header of its own."""
        self.set_header("Access-Control-Allow-Methods", "GET, HEAD")
        self.set_header("Access-Control-Allow-Headers", "X-Requested-With, Range")
        self.set_status(204)
        await self.finish()

    @allow_unauthenticated
    async def head(self, cluster: str, ticket: str, path: str) -> None:
        await self.get(cluster, ticket, path)

    @allow_unauthenticated
    async def get(self, cluster: str, ticket: str, path: str) -> None:
        try:
            Tickets(self.settings["cookie_secret"]).check(ticket, cluster, time.time())
            address = await self._find(cluster)
            if urlsplit(address).hostname not in LOOPBACK:
                raise NotFound(f"The dashboard of {cluster} is not on this machine.", hint="Open it where it is.")
            if self.request.headers.get("Upgrade", "").lower() == "websocket":
                await self._connect(address)
                await super().get(cluster, ticket, path)
            else:
                await _Forwarded(self, address, self._prefix()).run()
        except SlipwayError as error:
            if not self._headers_written:
                _refuse(self, error)

    def _prefix(self) -> str:
        """What stands before the dashboard's own paths, as the browser wrote it."""
        front, mark, behind = str(self.request.path).partition("/dashboard/~")
        return front + mark + behind.partition("/")[0]

    # ── websocket ───────────────────────────────────────────────────────────────────────────────────────────

    async def _connect(self, address: str) -> None:
        offered = [one.strip() for one in self.request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        url = f"ws{address.removeprefix('http')}{_own_path(self, self._prefix())}"
        try:
            self._upstream = await websocket_connect(
                HTTPRequest(url, connect_timeout=CONNECT_WITHIN, request_timeout=CONNECT_WITHIN),
                subprotocols=[one for one in offered if one] or None,
                max_message_size=LONGEST_MESSAGE,
            )
        except (OSError, HTTPClientError, WebSocketClosedError) as error:
            raise Unavailable(f"The dashboard does not answer: {error}.", hint="Is the cluster running?") from error

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return self._upstream.selected_subprotocol if self._upstream else None

    def open(self, *args: Any, **kwargs: Any) -> None:
        super().open(*args, **kwargs)
        self.set_nodelay(True)
        self._passing = asyncio.ensure_future(self._pass_on())

    async def _pass_on(self) -> None:
        assert self._upstream is not None
        while (message := await self._upstream.read_message()) is not None:
            try:
                await self.write_message(message, binary=isinstance(message, bytes))
            except (WebSocketClosedError, StreamClosedError):
                return
        self.close(self._upstream.close_code, self._upstream.close_reason)

    async def on_message(self, message: str | bytes) -> None:
        assert self._upstream is not None
        try:
            await self._upstream.write_message(message, binary=isinstance(message, bytes))
        except WebSocketClosedError:
            self.close(1001, "The dashboard has ended.")

    def on_close(self) -> None:
        if self._passing is not None:
            self._passing.cancel()
        if self._upstream is not None:
            self._upstream.close()
        super().on_close()


class _Connection(TCPClient):
    """The connection of one answer, which can be ended half-way."""

    _stream: IOStream | None = None

    async def connect(self, *args: Any, **kwargs: Any) -> IOStream:
        self._stream = await super().connect(*args, **kwargs)
        return self._stream

    def hang_up(self) -> None:
        if self._stream is not None:
            self._stream.close()


class _Forwarded:
    """One page or file on its way from the dashboard to the browser."""

    def __init__(self, handler: DashboardHandler, address: str, prefix: str) -> None:
        self._handler, self._address, self._prefix = handler, address, prefix
        self._is_page = self._begun = self._left = False

    async def run(self) -> None:
        """
        Raises:
            Unavailable: the dashboard does not answer, or leads elsewhere
        """
        asked = self._handler.request
        headers = {name: asked.headers[name] for name in ASKED if name in asked.headers}
        # Spark writes its links with this before them; Dask's are relative.
        headers |= {"X-Forwarded-Context": self._prefix, "X-Forwarded-Prefix": self._prefix}
        request = HTTPRequest(
            self._address + _own_path(self._handler, self._prefix),
            method=asked.method or "GET",
            headers=headers,
            follow_redirects=False,
            decompress_response=False,
            connect_timeout=CONNECT_WITHIN,
            request_timeout=ANSWER_WITHIN,
            streaming_callback=self._body,
            header_callback=self._line,
        )
        client = SimpleAsyncHTTPClient(force_instance=True, max_body_size=LONGEST)
        client.tcp_client = self._connection = _Connection()
        self._lines: list[str] = []
        try:
            answer = await client.fetch(request, raise_error=False)
            self._begin(answer)
            await self._handler.finish()
        except (OSError, HTTPClientError) as error:
            if self._left or isinstance(error, StreamClosedError):
                return
            raise Unavailable(f"The dashboard does not answer: {error}.", hint="Is the cluster running?") from error
        finally:
            client.close()

    def _line(self, line: str) -> None:
        self._lines.append(line)

    async def _body(self, chunk: bytes) -> None:
        if not self._begun:
            self._begin(None)
            if self._is_page:
                chunk = chunk.replace(HEAD, HEAD + STORAGE, 1)
        self._handler.write(chunk)
        try:
            # The browser's pace is the dashboard's.
            await self._handler.flush()
        except StreamClosedError:
            # Raised here it would stand in the server's log; and nobody wants the rest.
            self._left = True
            self._connection.hang_up()

    def _begin(self, answer: HTTPResponse | None) -> None:
        """Status and headers: of the `answer`, or of the lines that came before its body."""
        if self._begun:
            return
        self._begun = True
        status = answer.code if answer else int(self._lines[0].split()[1])
        headers = answer.headers if answer else HTTPHeaders.parse("".join(self._lines[1:]))
        handler = self._handler
        handler.set_status(status)
        for name in ANSWERED:
            if name in headers:
                handler.set_header(name, headers[name])
        if "Location" in headers:
            handler.set_header("Location", moved(headers["Location"], self._address, self._prefix))
        self._is_page = headers.get("Content-Type", "").startswith("text/html")


def moved(location: str, address: str, prefix: str) -> str:
    """Where a dashboard's redirect leads, as the browser is to be told.

    Raises:
        Unavailable: it leads away from the dashboard
    """
    to = urlsplit(location)
    if to.netloc and f"{to.scheme}://{to.netloc}" != address:
        raise Unavailable(f"The dashboard sends to {to.netloc}.", hint="It is not followed.")
    path = to.path if to.path.startswith(f"{prefix}/") or not to.path.startswith("/") else prefix + to.path
    return path + (f"?{to.query}" if to.query else "")


def _own_path(handler: JupyterHandler, prefix: str) -> str:
    """Path and query that the dashboard is asked for, without a token that would let in to Jupyter."""
    path = str(handler.request.path).removeprefix(prefix)
    query = "&".join(pair for pair in handler.request.query.split("&") if pair and not pair.startswith("token="))
    return f"{path}?{query}" if query else path


def _refuse(handler: JupyterHandler, error: SlipwayError) -> None:
    handler.set_status(error.status)
    handler.set_header("Content-Type", "text/plain; charset=utf-8")
    handler.finish(f"{error.message} {error.hint}".strip())


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
