"""The network under the SDKs: TLS, timeouts, limits of memory, and the end of connections."""

import asyncio
import inspect
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpcore2
import httpx2
import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from streaming.providers.http import transport
from streaming.providers.http.transport import (
    MAX_BUFFERED_BYTES,
    AsyncioBackend,
    AsyncioConnection,
    AsyncioTransport,
)
from tools.waiting import until_async

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def run_server(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Run a server. Yield its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def send_kelp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HEAD % 4 + b"kelp")
    await writer.drain()


async def send_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


def create_client(
    certificates: ssl.SSLContext | None = None, **options: float
) -> httpx2.AsyncClient:
    timeout = httpx2.Timeout(5.0, **options)
    transport = AsyncioTransport(certificates or httpx2.create_ssl_context())
    return httpx2.AsyncClient(transport=transport, timeout=timeout)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of a certificate for 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "holdfast")])
    now = datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    signed_certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(secret + signed_certificate.public_bytes(serialization.Encoding.PEM))
    return path


def create_tls_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def test_a_trusted_server_is_reached_over_tls(certificate: Path) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate))
    async with (
        run_server(send_kelp, create_tls_context(certificate)) as port,
        create_client(trusting) as http,
    ):
        response = await http.get(f"https://127.0.0.1:{port}/")
        assert response.text == "kelp"


async def test_nothing_is_sent_to_a_server_with_an_untrusted_certificate(certificate: Path) -> None:
    received: list[bytes] = []

    async def record_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read())

    async with (
        run_server(record_request, create_tls_context(certificate)) as port,
        create_client() as http,
    ):
        with pytest.raises(httpx2.ConnectError, match="certificate"):
            await http.get(f"https://127.0.0.1:{port}/", headers={"authorization": "key"})
    assert not any(received)


async def test_closing_over_tls_waits_for_no_close_notify(certificate: Path) -> None:
    """A server that no longer answers must not keep the connection of a stopped reply."""
    closed = asyncio.Event()

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD % 100 + b"kelp")
        try:
            await reader.readuntil(b"\r\n\r\n")
            await reader.read()
        finally:
            closed.set()

    trusting = ssl.create_default_context(cafile=str(certificate))
    async with (
        run_server(stall, create_tls_context(certificate)) as port,
        create_client(trusting) as http,
    ):
        async with http.stream("GET", f"https://127.0.0.1:{port}/") as response:
            assert await anext(response.aiter_raw()) == b"kelp"
        async with asyncio.timeout(1):
            await closed.wait()


async def test_silence_is_a_read_timeout(certificate: Path) -> None:
    async with run_server(send_nothing) as port, create_client(read=0.05) as http:
        with pytest.raises(httpx2.ReadTimeout):
            await http.get(f"http://127.0.0.1:{port}/")


async def test_an_unanswered_handshake_is_a_connect_timeout() -> None:
    async with run_server(send_nothing) as port, create_client(connect=0.05) as http:
        with pytest.raises(httpx2.ConnectTimeout):
            await http.get(f"https://127.0.0.1:{port}/")


async def test_a_server_that_reads_nothing_is_a_write_timeout() -> None:
    async def ignore_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(2)

    async with run_server(ignore_request) as port, create_client(write=0.05) as http:
        with pytest.raises(httpx2.WriteTimeout):
            await http.post(f"http://127.0.0.1:{port}/", content=b"x" * 20_000_000)


async def test_a_broken_connection_differs_from_one_that_ended() -> None:
    async def abort_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD % 100 + b"kelp")
        await writer.drain()
        writer.transport.abort()

    async with run_server(abort_body) as port, create_client() as http:
        with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):
            await http.get(f"http://127.0.0.1:{port}/")


async def test_unread_data_is_bounded() -> None:
    size = 40_000_000
    done = asyncio.Event()

    async def send_flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(size // 10_000):
            writer.write(b"x" * 10_000)
            await writer.drain()
        done.set()

    async with run_server(send_flood) as port:
        connection = await AsyncioBackend().connect_tcp("127.0.0.1", port, timeout=5)

        async def is_full() -> bool:
            return len(connection.read_buffer) > MAX_BUFFERED_BYTES

        await until_async(is_full)
        assert len(connection.read_buffer) <= 2 * MAX_BUFFERED_BYTES
        assert not done.is_set()
        total = 0
        while part := await connection.read(65_536, timeout=5):
            total += len(part)
        assert total == size
        await connection.aclose()


async def test_a_closed_connection_is_not_reused() -> None:
    async def read_one_byte(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)

    async with run_server(read_one_byte) as port:
        connection = await AsyncioBackend().connect_tcp("127.0.0.1", port, timeout=5)
        assert not connection.get_extra_info("is_readable")
        await connection.write(b"x", timeout=5)
        assert await connection.read(65_536, timeout=5) == b""
        assert connection.get_extra_info("is_readable")
        with pytest.raises(httpcore2.WriteError):
            await connection.write(b"x", timeout=5)
        await connection.aclose()


@pytest.mark.parametrize("error", [OSError("refused"), None])
async def test_another_address_is_used_when_one_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, error: OSError | None
) -> None:
    connect, attempts = transport._connect_address, []

    async def fail_first(address: str, port: int) -> AsyncioConnection:
        attempts.append(address)
        if len(attempts) > 1:
            return await connect("127.0.0.1", port)
        if error:
            raise error
        await asyncio.Event().wait()
        raise AssertionError

    async with run_server(send_kelp) as port:
        monkeypatch.setattr(transport, "_connect_address", fail_first)
        monkeypatch.setattr(transport, "deque", lambda _: deque(["192.0.2.1", "127.0.0.1"]))
        connection = await AsyncioBackend().connect_tcp("127.0.0.1", port, timeout=5)
        await connection.aclose()
    assert attempts == ["192.0.2.1", "127.0.0.1"]


async def test_the_last_error_is_raised_when_no_address_answers() -> None:
    async with run_server(send_kelp) as port:
        pass
    with pytest.raises(httpcore2.ConnectError):
        await AsyncioBackend().connect_tcp("127.0.0.1", port, timeout=5)


@pytest.mark.parametrize(
    "scenario",
    [
        test_a_trusted_server_is_reached_over_tls,
        test_nothing_is_sent_to_a_server_with_an_untrusted_certificate,
        test_closing_over_tls_waits_for_no_close_notify,
        test_silence_is_a_read_timeout,
        test_an_unanswered_handshake_is_a_connect_timeout,
        test_a_server_that_reads_nothing_is_a_write_timeout,
        test_a_broken_connection_differs_from_one_that_ended,
        test_unread_data_is_bounded,
        test_a_closed_connection_is_not_reused,
        test_the_last_error_is_raised_when_no_address_answers,
    ],
)
def test_every_scenario_passes_on_uvloop(
    scenario: Callable[..., Coroutine[Any, Any, None]], certificate: Path
) -> None:
    has_parameters = inspect.signature(scenario).parameters
    uvloop.run(scenario(certificate) if has_parameters else scenario())
