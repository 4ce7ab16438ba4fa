"""Requests to addresses that people give, to real servers that misbehave."""

import datetime
import itertools
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pytest_django import Settings

from accounts.outbound import client
from accounts.outbound.client import Limits, send_request
from accounts.outbound.errors import RefusedAddress, RequestFailed
from accounts.outbound.requests_session import GuardedRequestFailed, GuardedSession
from tests.accounts.raw_server import Answer, send_bytes, send_document, serve

QUICK = Limits(seconds=0.3)


@pytest.fixture(autouse=True)
def allow_private_addresses(settings: Settings) -> None:
    settings.PRIVATE_ADDRESSES = "allow"


def always_resolve(*addresses: str) -> Callable[[str, int], list[str]]:
    return lambda host, port: list(addresses)


def test_a_document_arrives_with_its_headers() -> None:
    with serve(send_document(b'{"a": 1}', "200 OK", "Content-Type: application/json")) as server:
        response = send_request("POST", server.get_url(), headers={"X-A": "b"}, body=b"text")
    assert (response.status, response.body) == (200, b'{"a": 1}')
    assert response.headers["content-type"] == "application/json"
    [request] = server.requests
    assert request.startswith(b"POST /path HTTP/1.1\r\n")
    assert request.endswith(b"\r\n\r\ntext")
    assert b"X-A: b\r\n" in request


def test_a_refused_address_gets_no_connection(settings: Settings) -> None:
    settings.PRIVATE_ADDRESSES = "refuse"
    with serve(send_document(b"secret")) as server:
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
            with pytest.raises(RefusedAddress):
                send_request("GET", server.get_url(host))
    assert not server.requests


def test_a_name_is_resolved_once_and_that_address_is_dialled() -> None:
    """A name server of an attacker answers differently the second time."""
    asked: list[str] = []
    answers = itertools.chain([["127.0.0.2"]], itertools.repeat(["127.0.0.1"]))

    def rebind(host: str, port: int) -> list[str]:
        asked.append(host)
        return next(answers)

    with serve(send_document(b"first"), "127.0.0.2") as server:
        response = send_request("GET", server.get_url("rebind.test"), resolver=rebind)
    assert response.body == b"first"
    assert asked == ["rebind.test"]
    assert f"Host: rebind.test:{server.port}\r\n".encode() in server.requests[0]


def test_one_forbidden_address_of_a_name_refuses_the_name() -> None:
    with serve(send_document(b"")) as server, pytest.raises(RefusedAddress):
        send_request(
            "GET",
            server.get_url("both.test"),
            resolver=always_resolve("127.0.0.1", "169.254.169.254"),
        )
    assert not server.requests


def test_the_next_address_is_dialled_if_the_first_one_is_closed() -> None:
    with serve(send_document(b"second"), "127.0.0.1") as server:
        response = send_request(
            "GET", server.get_url("two.test"), resolver=always_resolve("127.0.0.3", "127.0.0.1")
        )
    assert response.body == b"second"


def drip(response: bytes) -> Answer:
    """Send a byte at a time, so that no single read waits for long."""

    def answer(connection: socket.socket) -> None:
        pause = threading.Event()
        for byte in response:
            connection.sendall(bytes([byte]))
            pause.wait(0.05)

    return answer


def repeat(head: bytes, piece: bytes) -> Answer:
    def answer(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(piece)

    return answer


def wait_for_end(connection: socket.socket) -> None:
    connection.recv(1)


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(wait_for_end, id="no answer"),
        pytest.param(drip(HEAD + b"X: " + b"a" * 5000), id="slow headers"),
        pytest.param(drip(HEAD + b"Content-Length: 5000\r\n\r\n" + b"a" * 5000), id="slow body"),
    ],
)
def test_a_slow_server_is_left_at_the_deadline(answer: Answer) -> None:
    with serve(answer) as server, pytest.raises(RequestFailed):
        send_request("GET", server.get_url(), limits=QUICK)


def test_a_slow_name_server_is_left_at_the_deadline() -> None:
    release = threading.Event()

    def hang(host: str, port: int) -> list[str]:
        release.wait(60)
        return []

    try:
        with pytest.raises(RequestFailed, match="name server"):
            send_request("GET", "https://slow.test/", resolver=hang, limits=QUICK)
    finally:
        release.set()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(repeat(HEAD + b"\r\n", b"a" * 4096), id="endless body"),
        pytest.param(
            repeat(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n" * 500),
            id="endless chunks",
        ),
        pytest.param(send_document(b"a" * 300 * 1024), id="long body"),
        pytest.param(repeat(HEAD, b"X: " + b"a" * 4096 + b"\r\n"), id="endless headers"),
        pytest.param(repeat(HEAD + b"X: ", b"a" * 4096), id="endless header"),
        pytest.param(repeat(b"", b"HTTP/1.1 102 Processing\r\n\r\n"), id="endless hints"),
        pytest.param(
            send_bytes(HEAD + b"X: " + b"a" * 40_000 + b"\r\nContent-Length: 0\r\n\r\n"),
            id="long headers",
        ),
    ],
)
def test_a_server_that_sends_too_much_is_left(answer: Answer) -> None:
    with serve(answer) as server, pytest.raises(RequestFailed, match=r"too much|protocol|Protocol"):
        send_request("GET", server.get_url())


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See", "307 Keep", "308 Stay"])
def test_a_redirect_is_not_followed(status: str) -> None:
    with serve(send_document(b"secret")) as inner:
        location = f"Location: {inner.get_url()}"
        with (
            serve(send_document(b"", status, location)) as server,
            pytest.raises(RequestFailed, match="redirect"),
        ):
            send_request("GET", server.get_url())
    assert not inner.requests


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(send_bytes(b""), id="closed"),
        pytest.param(send_bytes(b"SSH-2.0-OpenSSH_9.6\r\n"), id="another protocol"),
        pytest.param(send_bytes(HEAD + b"Content-Length: 10\r\n\r\nshort"), id="short body"),
        pytest.param(
            send_bytes(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
            id="upgrade",
        ),
        pytest.param(send_document(b"\x1f\x8b", "200 OK", "Content-Encoding: gzip"), id="gzip"),
    ],
)
def test_an_unusable_answer_is_one_kind_of_error(answer: Answer) -> None:
    with serve(answer) as server, pytest.raises(RequestFailed):
        send_request("GET", server.get_url())


def test_a_closed_port_is_one_kind_of_error() -> None:
    with serve(send_document(b"")) as server:
        pass
    with pytest.raises(RequestFailed):
        send_request("GET", server.get_url())


def make_certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the contexts of a server with this name and of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    file = folder / "server.pem"
    file.write_bytes(
        pem
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cadata=pem.decode())


def test_tls_is_verified_for_the_name_and_not_for_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls, trusting = make_certificate(tmp_path, "openid.test")
    names: list[str | None] = []
    tls.sni_callback = lambda peer, name, context: names.append(name)
    monkeypatch.setattr(client, "load_ssl_context", lambda: trusting)
    to_loopback = always_resolve("127.0.0.1")
    with serve(send_document(b"encrypted"), tls=tls) as server:
        url = server.get_url("openid.test", "https")
        assert send_request("GET", url, resolver=to_loopback).body == b"encrypted"
        with pytest.raises(RequestFailed):
            send_request("GET", server.get_url("other.test", "https"), resolver=to_loopback)
    assert names == ["openid.test", "other.test"]


def test_a_certificate_that_nobody_signed_is_refused(tmp_path: Path) -> None:
    tls, _ = make_certificate(tmp_path, "openid.test")
    with serve(send_document(b""), tls=tls) as server, pytest.raises(RequestFailed):
        send_request(
            "GET",
            server.get_url("openid.test", "https"),
            resolver=always_resolve("127.0.0.1"),
        )


def test_proxies_and_passwords_of_the_environment_are_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with serve(send_document(b"proxy")) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.get_url())
        with serve(send_document(b"direct")) as server, GuardedSession() as session:
            assert session.get(server.get_url()).content == b"direct"
            assert b"authorization" not in server.requests[0].lower()
    assert not proxy.requests


def test_a_session_of_allauth_turns_every_failure_into_the_error_that_it_catches(
    settings: Settings,
) -> None:
    with (
        serve(send_document(b"", "302 Found", "Location: http://169.254.169.254/")) as server,
        GuardedSession() as session,
        pytest.raises(GuardedRequestFailed, match="redirect"),
    ):
        session.get(server.get_url())
    with GuardedSession() as session, pytest.raises(GuardedRequestFailed):
        session.get(" http://127.0.0.1\\@169.254.169.254/")
    settings.PRIVATE_ADDRESSES = "refuse"
    with GuardedSession() as session, pytest.raises(GuardedRequestFailed):
        session.post(server.get_url(), data={"a": "b"})
