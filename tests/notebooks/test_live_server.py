"""Shared documents on a real server with jupyter-collaboration, over its websockets."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_ydoc import YNotebook
from pycrdt import Doc, create_sync_message, create_update_message, handle_sync_message
from tornado.httpclient import HTTPClientError, HTTPRequest

from jupyter_slipway.kernels import hosts
from tests.kernels.servers import NO_POOL, Server, serving
from tests.notebooks.builders import PERCENT
from tests.notebooks.rooms import is_kept, until
from tests.sockets import Socket, run

OPTIONS = (
    "--ServerApp.jpserver_extensions=jupyter_server_ydoc=True",
    "--ServerApp.jpserver_extensions=jupyter_server_fileid=True",
    "--ServerApp.authorizer_class=tests.notebooks.readers.Readers",
    NO_POOL,
)
SYNC = 0


class Client:
    """Somebody's page with a shared notebook open."""

    def __init__(self, socket: Any) -> None:
        self.socket, self.document = socket, YNotebook(Doc())
        self._hearing = False
        self._subscription = self.document.ydoc.observe(self._tell)
        self._reading = asyncio.ensure_future(self._read())
        self.socket.write_message(create_sync_message(self.document.ydoc), binary=True)

    @classmethod
    async def open(cls, server: Server, path: str, person: str = "ada", **headers: str) -> Client:
        """With `headers`, as a browser that has logged in."""
        asked = {"format": "json", "type": "notebook"}
        told = await asyncio.to_thread(server.ask, "PUT", f"api/collaboration/session/{path}", asked, person)
        url = f"{server.url}/api/collaboration/room/json:notebook:{told['fileId']}".replace("http", "ws")
        url += f"?sessionId={told['sessionId']}" + ("" if headers else f"&token={person}-token")
        client = cls(await Socket.open(HTTPRequest(url, headers=headers)))
        await until(lambda: client.sources)
        return client

    async def _read(self) -> None:
        while (message := await self.socket.read_message()) is not None:
            if message[0] == SYNC:
                self._hearing = True
                reply = handle_sync_message(message[1:], self.document.ydoc)
                self._hearing = False
                if reply is not None:
                    self.socket.write_message(reply, binary=True)

    def _tell(self, event: Any) -> None:
        if not self._hearing:
            self.socket.write_message(create_update_message(event.update), binary=True)

    @property
    def sources(self) -> list[str]:
        return [cell["source"] for cell in self.document.get()["cells"]]

    def type(self, cell: int, said: str) -> None:
        source = self.document.ycells[cell]["source"]
        source.insert(len(str(source).encode()), said)

    async def close(self) -> None:
        self.socket.close()
        await self._reading


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root, home = tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("home")
    with serving(root, home, *OPTIONS) as found:
        yield found
    hosts.end_all(home)


def test_who_may_only_read_sees_what_others_type_and_writes_nothing(server: Server) -> None:
    file = server.root / "read.py"
    file.write_text(PERCENT)

    async def asked() -> None:
        ada, vera = await Client.open(server, "read.py"), await Client.open(server, "read.py", "vera")
        vera.type(0, "  # from vera")
        ada.type(0, "  # from ada")
        await until(lambda: "from ada" in vera.sources[0] and "from ada" in file.read_text())
        assert ada.sources[0] == "x = 1  # from ada"
        assert "vera" not in file.read_text()
        await ada.close()
        await vera.close()

    run(asked())


def test_another_sites_page_does_not_connect(server: Server) -> None:
    (server.root / "site.py").write_text(PERCENT)

    cookie = server.log_in("ada")

    run(Client.open(server, "site.py", Cookie=cookie, Origin=server.url))
    with pytest.raises(HTTPClientError, match="403"):
        run(Client.open(server, "site.py", Cookie=cookie, Origin="http://evil.example"))


def test_nothing_of_it_lies_in_the_folder(server: Server) -> None:
    file = server.root / "tidy.py"
    file.write_text(PERCENT)

    async def asked() -> None:
        ada = await Client.open(server, "tidy.py")
        ada.type(0, "0")
        await until(lambda: "x = 10" in file.read_text())

    run(asked())
    hidden = [one.name for one in server.root.iterdir() if one.name.startswith(".") and one.name != ".slipway"]
    assert hidden == []


def test_a_folder_that_is_renamed_takes_along_what_is_open(server: Server) -> None:
    folder, moved = server.root / "outer" / "inner", server.root / "renamed"
    folder.mkdir(parents=True)
    (folder / "a.py").write_text(PERCENT)

    async def typed() -> None:
        ada = await Client.open(server, "outer/inner/a.py")
        await asyncio.to_thread(server.ask, "PATCH", "api/contents/outer", {"path": "renamed"})
        ada.type(0, "0  # typed after that")
        await until(lambda: "x = 10  # typed after that" in (moved / "inner" / "a.py").read_text())
        await ada.close()

    run(typed())
    assert not folder.exists()


def test_what_is_typed_is_there_again_after_the_server_was_killed(server: Server) -> None:
    file = server.root / "killed.py"
    file.write_text(PERCENT)

    async def typed() -> str:
        ada = await Client.open(server, "killed.py")
        for number in range(40):
            ada.type(0, f" w{number}")
            await asyncio.sleep(0)
        await until(lambda: is_kept(server.home / "documents", b"w39"))
        server.kill()
        return ada.sources[0]

    said = run(typed())
    with serving(server.root, server.home, *OPTIONS, port=server.port) as another:
        assert run(Client.open(another, "killed.py")).sources[0] == said
    assert said in file.read_text()
