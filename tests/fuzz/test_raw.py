"""Malformed bytes get a response from a server itself, or from the application, without a server
error."""

from __future__ import annotations

import time
from random import Random

import pytest

from streaming.doors.unverified import MAX_REFUSAL_DELAY_SECONDS
from tests.fuzz import raw, raw_frames
from tests.fuzz.socket_inputs import SocketInputs
from tests.fuzz.test_fuzz import PROVE_SECONDS, SEEDS
from tools.deployment.deployment import Deployment


def send_malformed(server_deployment: Deployment, seed: int, requests: int) -> list[str]:
    """Return the first line of each bad response, or the log, with the bytes that were sent."""
    random = Random(seed)
    failures = []
    read_chars = len(server_deployment.web.output())
    for _ in range(requests):
        sent = raw.build_request(random)
        answer = raw.send_bytes(server_deployment.web.port, sent)
        log = server_deployment.web.output()[read_chars:]
        read_chars += len(log)
        if answer.split(b" ")[1:2] == [b"500"] or "Traceback" in log:
            failures.append(f"{answer!r} {log[-1500:]}: {sent!r:.1500}")
            print(f"Seed {seed} found: {failures[-1]}\n")
    return failures


HEADERS = ("Sec-WebSocket-Protocol", "X-Forwarded-For", "Daphne-Root-Path", "Cookie", "Referer")


@pytest.mark.parametrize("value", [b"\xff", b"chat\xc3\xa9", b"%ff"])
@pytest.mark.parametrize("name", HEADERS)
def test_a_byte_beyond_ascii_is_no_server_error(
    server_deployment: Deployment, name: str, value: bytes
) -> None:
    before = len(server_deployment.web.output())
    for headers in (raw.HANDSHAKE, raw.HANDSHAKE[:1]):
        lines = [
            key + b": " + header_value for key, header_value in headers if key != name.encode()
        ]
        sent = b"\r\n".join([b"GET /ws/ HTTP/1.1", *lines, name.encode() + b": " + value, b"\r\n"])
        # Ten sockets a second of anonymous clients get an answer.
        code = raw.send_bytes(server_deployment.web.port, sent, MAX_REFUSAL_DELAY_SECONDS).split()[
            1
        ]
        assert code in {b"400", b"403", b"404", b"101"}
        is_read = name in HEADERS[:2] and not value.isascii()
        assert code == b"400" or not is_read or server_deployment.server == "uvicorn"
    assert "Traceback" not in server_deployment.web.output()[before:]


def test_malformed_bytes_cause_no_server_error(
    server_deployment: Deployment,
) -> None:
    assert send_malformed(server_deployment, seed=1, requests=300) == []


@pytest.mark.prove
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", SEEDS)
def test_more_malformed_bytes_cause_no_server_error(
    server_deployment: Deployment, seed: int
) -> None:
    end = time.monotonic() + PROVE_SECONDS / 5
    tries = 0
    while time.monotonic() < end:
        assert send_malformed(server_deployment, seed * 1_000_000 + tries, requests=300) == []
        tries += 1
    print(f"{300 * tries} inputs of seed {seed} were answered without an error")


FOREIGN_TEXT = "canary-of-another-person"


def send_malformed_frames(deployment: Deployment, seed: int, numbers: range) -> list[str]:
    """Return each entry of the log and each leak, with the numbers of the socket's frames."""
    person, witness = deployment.person("owner"), deployment.person("witness")
    own, foreign = (
        [str(deployment.send(someone, text)) for _ in range(2)]
        for someone, text in ((person, "Own"), (witness, FOREIGN_TEXT))
    )
    inputs = SocketInputs(seed, own, foreign)
    cookie = "; ".join(f"{name}={value}" for name, value in person.cookies.items())
    failures = []
    read_chars = len(deployment.web.output())
    for first in range(numbers.start, numbers.stop, raw_frames.FRAMES_PER_SOCKET):
        random = Random(f"{seed} {first}")
        socket_numbers = range(first, first + raw_frames.FRAMES_PER_SOCKET)
        frames = [raw_frames.build_bytes(random, inputs, number) for number in socket_numbers]
        status, answer = raw_frames.exchange(deployment.web.port, cookie, frames)
        log = deployment.web.output()[read_chars:]
        read_chars += len(log)
        if b" 101 " not in status or "Traceback" in log or FOREIGN_TEXT.encode() in answer:
            failures.append(f"{seed}:{first} {status!r} {log[-1500:]}")
            print(f"Found by {failures[-1]}\n")
    assert witness.get("/").status_code == 200
    return failures


def test_malformed_frames_crash_no_server(server_deployment: Deployment) -> None:
    assert send_malformed_frames(server_deployment, 1, range(500)) == []


@pytest.mark.prove
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", SEEDS)
def test_20_000_malformed_frames_crash_no_server(server_deployment: Deployment, seed: int) -> None:
    assert send_malformed_frames(server_deployment, seed, range(20_000)) == []
