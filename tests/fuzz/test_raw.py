"""Malformed bytes get a response from a server itself, or from the application, without a server
error."""

from __future__ import annotations

import time
from collections.abc import Iterator
from random import Random

import pytest

from streaming.doors.websocket.unverified import MAX_REFUSAL_DELAY_SECONDS
from tests.fuzz import raw
from tests.fuzz.test_fuzz import PROVE_SECONDS, SEEDS
from tools.deployment.deployment import Deployment, Server


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def served(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    server: Server = request.param
    with Deployment("embedded", server=server) as deployment:
        yield deployment


def found(served: Deployment, seed: int, requests: int) -> list[str]:
    """Return the first line of each bad response, or the log, with the bytes that were sent."""
    random = Random(seed)
    fails = []
    read = len(served.web.output())
    for _ in range(requests):
        sent = raw.request(random)
        answer = raw.answered(served.web.port, sent)
        log = served.web.output()[read:]
        read += len(log)
        if answer.split(b" ")[1:2] == [b"500"] or "Traceback" in log:
            fails.append(f"{answer!r} {log[-1500:]}: {sent!r:.1500}")
            print(f"Seed {seed} found: {fails[-1]}\n")
    return fails


HEADERS = ("Sec-WebSocket-Protocol", "X-Forwarded-For", "Daphne-Root-Path", "Cookie", "Referer")


@pytest.mark.parametrize("value", [b"\xff", b"chat\xc3\xa9", b"%ff"])
@pytest.mark.parametrize("name", HEADERS)
def test_a_byte_that_is_no_ascii_is_no_error(served: Deployment, name: str, value: bytes) -> None:
    before = len(served.web.output())
    for headers in (raw.HANDSHAKE, raw.HANDSHAKE[:1]):
        lines = [key + b": " + told for key, told in headers if key != name.encode()]
        sent = b"\r\n".join([b"GET /ws/ HTTP/1.1", *lines, name.encode() + b": " + value, b"\r\n"])
        # Ten sockets a second of anonymous clients get an answer.
        code = raw.answered(served.web.port, sent, MAX_REFUSAL_DELAY_SECONDS).split()[1]
        assert code in {b"400", b"403", b"404", b"101"}
        is_read = name in HEADERS[:2] and not value.isascii()
        assert code == b"400" or not is_read or served.server == "uvicorn"
    assert "Traceback" not in served.web.output()[before:]


def test_bytes_that_no_client_would_write_are_answered_without_an_error(
    served: Deployment,
) -> None:
    assert found(served, seed=1, requests=300) == []


@pytest.mark.prove
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", SEEDS)
def test_more_of_them_find_nothing(served: Deployment, seed: int) -> None:
    end = time.monotonic() + PROVE_SECONDS / 5
    tries = 0
    while time.monotonic() < end:
        assert found(served, seed * 1_000_000 + tries, requests=300) == []
        tries += 1
    print(f"{300 * tries} inputs of seed {seed} were answered without an error")
