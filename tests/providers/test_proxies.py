"""Each call that no proxy takes is dialled by our own transport, which checks the addresses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import httpx2
import pytest

from streaming.providers.http.client import create_http_client
from streaming.providers.types import Timeouts
from tests.accounts.raw_server import RawServer, send_document, serve

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


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
async def test_a_call_goes_through_its_proxy(
    proxy: RawServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, proxy.get_url())
    monkeypatch.setenv("NO_PROXY", "elsewhere.test")
    assert await call("http://models.test/v1") == (b"proxy", [])
