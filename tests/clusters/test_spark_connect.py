"""A Spark Connect server of somebody else: what is accepted as one, and how it is used."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from jupyter_slipway import hosting
from jupyter_slipway.clusters import spark_calls, spark_server
from jupyter_slipway.clusters.backends.spark_connect import SparkConnect
from jupyter_slipway.clusters.model import ClusterState, Workers
from jupyter_slipway.clusters.spark_address import Address, parse
from jupyter_slipway.errors import Forbidden, NotFound, SlipwayError, Unavailable, Unprocessable
from tests.clusters.spark import SLOW, SparkCluster, using
from tests.waiting import eventually


@pytest.fixture
def backend() -> SparkConnect:
    return SparkConnect()


def secret(path: Path, content: str) -> str:
    path.write_text(content)
    path.chmod(0o600)
    return str(path)


# ── on a real server ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_a_server_of_somebody_else_is_used_followed_and_let_go(
    backend: SparkConnect, spark: SparkCluster, tmp_path: Path
) -> None:
    server, record = spark_server.read_server(spark.directory), hosting.read(spark.directory)
    assert server is not None
    assert record is not None
    options = {"address": f"sc://localhost:{server.port}", "token_file": secret(tmp_path / "token", record.token)}
    directory = tmp_path / "theirs"

    ref = asyncio.run(backend.create("theirs", options, directory))

    assert asyncio.run(backend.find(ref)).state == ClusterState.RUNNING
    with using(backend.attach(ref, "bob", "run-2"), SLOW) as run:
        seen = eventually(lambda: asyncio.run(backend.progress(ref, "run-2")))
        assert seen.total == 20
        assert asyncio.run(backend.find(ref)).working
        assert asyncio.run(backend.progress(ref, "run-3")) is None
        assert asyncio.run(backend.cancel(ref, "run-2")) == ""
        assert "WorkCancelled: " in run.communicate(timeout=60)[0]
    assert not asyncio.run(backend.find(ref)).working
    assert "pyspark" in asyncio.run(backend.packages(ref))["worker"]
    asyncio.run(backend.stop(ref))
    assert asyncio.run(backend.find(ref)).state == ClusterState.STOPPED
    assert spark.state() == ClusterState.RUNNING


@pytest.mark.slow
def test_a_wrong_token_is_told(backend: SparkConnect, spark: SparkCluster, tmp_path: Path) -> None:
    server = spark_server.read_server(spark.directory)
    assert server is not None
    options = {"address": f"sc://localhost:{server.port}", "token_file": secret(tmp_path / "token", "wrong")}

    with pytest.raises(Forbidden, match=f"localhost:{server.port} does not take the token"):
        asyncio.run(backend.create("theirs", options, tmp_path / "theirs"))

    assert not (tmp_path / "theirs").exists()


@pytest.mark.slow
def test_a_token_is_not_sent_in_the_open(backend: SparkConnect, spark: SparkCluster, tmp_path: Path) -> None:
    server = spark_server.read_server(spark.directory)
    assert server is not None
    options = {"address": f"sc://127.0.0.1:{server.port}", "token_file": secret(tmp_path / "token", "any")}

    with pytest.raises(Unprocessable, match="does not encrypt, and a token is only sent encrypted"):
        asyncio.run(backend.create("theirs", options, tmp_path / "theirs"))


# ── what is no such server ──────────────────────────────────────────────────────────────────────────────────────


def test_nothing_listens(backend: SparkConnect, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

        with pytest.raises(Unavailable, match=f"Nothing answers at 127.0.0.1:{port}: .*refused"):
            asyncio.run(backend.create("theirs", {"address": f"sc://127.0.0.1:{port}"}, tmp_path / "theirs"))


@contextmanager
def answering(answer: bytes | None, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server that says `answer` to whoever connects, or nothing at all; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        kept = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                    if context is not None:
                        connection = context.wrap_socket(connection, server_side=True)
                    kept.append(connection)
                    if answer is not None:
                        connection.sendall(answer)
                        connection.close()
                except ssl.SSLError:
                    continue
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(120)
    for connection in kept:
        connection.close()


def test_it_answers_as_something_else(backend: SparkConnect, tmp_path: Path) -> None:
    other = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"
    with answering(other) as port, pytest.raises(Unprocessable, match="does not answer as a Spark Connect server"):
        asyncio.run(backend.create("theirs", {"address": f"sc://127.0.0.1:{port}"}, tmp_path / "theirs"))


def test_it_never_answers(backend: SparkConnect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark_calls, "WITHIN", 1.0)
    with answering(None) as port:
        reply = spark_calls.reply(spark_calls.Question(Address("127.0.0.1", port, ssl=False)))

    assert reply.kind in ("unavailable", "unprocessable")
    assert f"127.0.0.1:{port}" in reply.refused


def test_its_certificate_is_not_trusted(backend: SparkConnect, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(a_certificate(tmp_path / "server.pem"))
    context.set_alpn_protocols(["h2"])
    refused = "has no certificate that is trusted here"
    with answering(b"", context) as port, pytest.raises(Unprocessable, match=refused):
        asyncio.run(backend.create("theirs", {"address": f"sc://localhost:{port}/;use_ssl=true"}, tmp_path / "theirs"))


def a_certificate(path: Path) -> Path:
    """Of 'localhost', signed by itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + builder.sign(key, hashes.SHA256()).public_bytes(pem))
    return path


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"address": "http://spark"}, "'http://spark' is no address of a Spark Connect server"),
        ({"address": "sc://"}, "'sc://' is no address"),
        ({"address": "sc://spark:port"}, "is no address"),
        ({"address": "sc://spark/path"}, "is no address"),
        ({"address": "sc://spark/;use_ssl"}, "'use_ssl' in .* is no 'key=value'"),
        ({"address": "sc://spark/;token=abc"}, "A token in the address would be seen by everybody"),
        ({"address": "sc://spark", "token_file": "/nowhere"}, "token_file: /nowhere cannot be read: No such file"),
        ({"address": "sc://spark", "ca_file": "/nowhere"}, "ca_file: /nowhere cannot be read"),
    ],
)
def test_what_cannot_be_an_address_is_refused(
    backend: SparkConnect, tmp_path: Path, options: dict[str, str], said: str
) -> None:
    with pytest.raises(Unprocessable, match=said):
        asyncio.run(backend.create("theirs", options, tmp_path / "theirs"))


def test_a_token_that_others_can_read_is_refused(backend: SparkConnect, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc")
    (tmp_path / "token").chmod(0o644)

    with pytest.raises(Unprocessable, match="others can read") as refused:
        asyncio.run(
            backend.create("theirs", {"address": "sc://spark", "token_file": str(tmp_path / "token")}, tmp_path / "x")
        )

    assert refused.value.hint == f"Make it yours alone: chmod 600 {tmp_path / 'token'}"


def test_an_address_is_said_as_pyspark_reads_it() -> None:
    address = parse(" sc://spark.example.org/;use_ssl=true;x-header=a%3Bb;user_id=eve ")

    assert address == Address("spark.example.org", 15002, ssl=True, parameters={"x-header": "a;b"})
    assert address.url(user_id="ada@example.org") == (
        "sc://spark.example.org:15002/;use_ssl=true;x-header=a%3Bb;user_id=ada%40example.org"
    )


def test_it_has_no_logs_no_pages_and_no_other_size(backend: SparkConnect, tmp_path: Path) -> None:
    ref = {"directory": str(tmp_path)}

    assert backend.parts(ref) == ()
    assert backend.dashboard(ref) is None
    with pytest.raises(NotFound, match="has no log 'driver'"):
        asyncio.run(backend.logs(ref, "driver", 0))
    with pytest.raises(Unprocessable, match="not Slipway's"):
        asyncio.run(backend.scale(ref, Workers(1, 1)))
    with pytest.raises(SlipwayError, match="was let go"):
        backend.attach(ref, "ada", "kernel-1")
