"""The addresses of a server are checked before each call, and what is dialled is what was checked,
also by a proxy of the environment."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from streaming.providers.http import client as http_client
from streaming.providers.http.client import create_http_client
from streaming.providers.types import Timeouts
from tests.accounts.raw_server import RawServer, send_document, serve
from tests.accounts.test_outbound import make_certificate

NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ftp_proxy")


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[RawServer]:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with serve(send_document(b"proxy")) as server:
        yield server


async def call(url: str) -> tuple[bytes, list[str]]:
    """Return the answer, or nothing if the guard refused it, and the hosts that it checked."""
    checked: list[str] = []

    def check(host: str, port: int, addresses: Sequence[str]) -> None:
        checked.append(host)
        raise OSError("refused")

    async def ignore(response: httpx2.Response) -> None: ...

    async with create_http_client(Timeouts(), ignore, check) as client:
        try:
            return (await client.get(url)).content, checked
        except httpx2.ConnectError:
            return b"", checked


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"NO_PROXY": "localhost"},
        {"no_proxy": "*"},
        {"FTP_PROXY": "{}"},
        {"HTTPS_PROXY": "{}"},
        {"http_proxy": ""},
        {"http_proxy": "{}", "NO_PROXY": "*"},
        {"all_proxy": "{}", "NO_PROXY": "localhost"},
        {"HTTP_PROXY": "{}", "no_proxy": "localhost"},
    ],
    ids=str,
)
async def test_a_call_without_a_proxy_is_checked(
    proxy: RawServer, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value.format(proxy.get_url()))
    assert await call("http://localhost:1/v1") == (b"", ["localhost"])
    assert not proxy.requests


PROXY_VARIABLES = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]


@pytest.mark.asyncio
@pytest.mark.parametrize("name", PROXY_VARIABLES)
async def test_a_call_through_a_proxy_is_checked(
    proxy: RawServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, proxy.get_url())
    monkeypatch.setenv("NO_PROXY", "elsewhere.test")
    assert await call("http://localhost:1/v1") == (b"", ["localhost"])
    assert not proxy.requests


async def ask(url: str, *, is_checked: bool = True) -> bytes:
    """Return the answer to a call whose addresses pass the check."""

    def accept(host: str, port: int, addresses: Sequence[str]) -> None: ...

    async def ignore(response: httpx2.Response) -> None: ...

    check = accept if is_checked else None
    async with create_http_client(Timeouts(), ignore, check) as client:
        return (await client.post(url, content=b"question")).content


@pytest.mark.asyncio
@pytest.mark.parametrize("name", PROXY_VARIABLES)
async def test_a_call_to_a_provider_of_ours_leaves_the_name_to_its_proxy(
    proxy: RawServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, proxy.get_url())
    assert await ask("http://models.test/v1", is_checked=False) == b"proxy"
    assert proxy.requests[0].startswith(b"POST http://models.test/v1 ")


class NameServer:
    """Answers for models.test; a name that is asked for again gets the next answer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: list[list[str]] = []
        self.asked = 0
        real = socket.getaddrinfo

        def look_up(host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
            if host not in ("models.test", b"models.test"):
                return real(host, port, *arguments, **options)
            self.asked += 1
            kind = socket.SOCK_STREAM
            return [
                (socket.AF_INET6 if ":" in one else socket.AF_INET, kind, 6, "", (one, port))
                for one in self.answers.pop(0)
            ]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> NameServer:
    return NameServer(monkeypatch)


@pytest.mark.asyncio
async def test_a_proxy_is_told_the_checked_address_over_http(
    proxy: RawServer, names: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", proxy.get_url())
    names.answers = [["127.0.0.2"], ["127.0.0.3"]]
    assert await ask("http://models.test:8000/v1?a=b") == b"proxy"
    [request] = proxy.requests
    assert request.startswith(b"POST http://127.0.0.2:8000/v1?a=b ")
    assert b"Host: models.test:8000\r\n" in request
    assert request.endswith(b"question")
    assert names.asked == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("answer", [["::1"], []], ids=["IPv6 only", "no address"])
async def test_a_proxy_is_told_nothing_without_an_ipv4_address(
    proxy: RawServer, names: NameServer, monkeypatch: pytest.MonkeyPatch, answer: list[str]
) -> None:
    monkeypatch.setenv("all_proxy", proxy.get_url())
    names.answers = [answer]
    with pytest.raises(httpx2.ConnectError):
        await ask("https://models.test/v1")
    assert not proxy.requests


# Tunnels

BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"


def pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@pytest.fixture
def tunnel(proxy: RawServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[RawServer]:
    """A proxy that opens tunnels to 127.0.0.1 and reaches nothing else."""
    started: list[RawServer] = []

    def answer(connection: socket.socket) -> None:
        asked = re.match(rb"CONNECT 127\.0\.0\.1:(\d+) ", started[0].requests[-1])
        if asked is None:
            connection.sendall(BAD_GATEWAY)
            return
        with socket.create_connection(("127.0.0.1", int(asked[1]))) as server:
            connection.sendall(b"HTTP/1.1 200 Established\r\n\r\n")
            back = threading.Thread(target=pass_on, args=[server, connection], daemon=True)
            back.start()
            pass_on(connection, server)
            back.join()

    with serve(answer) as server:
        started.append(server)
        monkeypatch.setenv("https_proxy", server.get_url())
        yield server


@pytest.fixture
def model_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RawServer]:
    """A server with a certificate for models.test, which our calls trust."""
    certified, trusting = make_certificate(tmp_path, "models.test")
    monkeypatch.setattr(http_client, "load_ssl_context", lambda: trusting)
    with serve(send_document(b"encrypted"), tls=certified) as server:
        yield server


@pytest.mark.asyncio
async def test_a_tunnel_leads_to_the_checked_address_and_tls_is_for_the_name(
    tunnel: RawServer, model_server: RawServer, names: NameServer
) -> None:
    names.answers = [["::1", "127.0.0.1"], ["127.0.0.3"]]
    assert await ask(model_server.get_url("models.test", "https")) == b"encrypted"
    [opened] = tunnel.requests
    assert opened.startswith(f"CONNECT 127.0.0.1:{model_server.port} ".encode())
    assert b"models.test" not in opened
    [request] = model_server.requests
    assert f"Host: models.test:{model_server.port}\r\n".encode() in request
    assert names.asked == 1


@pytest.mark.asyncio
async def test_the_next_address_is_tried_if_the_proxy_does_not_reach_the_first_one(
    tunnel: RawServer, model_server: RawServer, names: NameServer
) -> None:
    names.answers = [["127.0.0.2", "127.0.0.1"]]
    assert await ask(model_server.get_url("models.test", "https")) == b"encrypted"
    assert [one.split()[1].split(b":")[0] for one in tunnel.requests] == [
        b"127.0.0.2",
        b"127.0.0.1",
    ]
    assert len(model_server.requests) == 1


@pytest.mark.asyncio
async def test_an_error_of_the_proxy_is_one_of_the_call(
    tunnel: RawServer, names: NameServer
) -> None:
    names.answers = [["127.0.0.2", "127.0.0.3"]]
    with pytest.raises(httpx2.ProxyError, match="502"):
        await ask("https://models.test/v1")
    assert len(tunnel.requests) == 2


@pytest.mark.asyncio
async def test_a_tunnel_to_a_server_with_another_name_is_not_used(
    tunnel: RawServer, model_server: RawServer
) -> None:
    with pytest.raises(httpx2.ConnectError, match="certificate"):
        await ask(model_server.get_url("localhost", "https"))
    assert len(tunnel.requests) == 1
    assert not model_server.requests
