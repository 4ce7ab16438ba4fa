"""Requests and handshakes as bytes, for the code that a server runs before the application."""

from __future__ import annotations

import socket
from contextlib import suppress
from random import Random

from tests.fuzz import nasty

TIMEOUT_SECONDS = 0.5
HANDSHAKE = (
    (b"Host", b"127.0.0.1"),
    (b"Connection", b"Upgrade"),
    (b"Upgrade", b"websocket"),
    (b"Sec-WebSocket-Version", b"13"),
    (b"Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
    (b"Sec-WebSocket-Protocol", b"chat"),
    (b"Sec-WebSocket-Extensions", b"permessage-deflate"),
    (b"Origin", b"http://127.0.0.1"),
)
OTHER_HEADERS = (
    b"Daphne-Root-Path", b"X-Forwarded-For", b"X-Forwarded-Port", b"X-Forwarded-Proto", b"Cookie",
    b"Content-Length", b"Content-Type", b"Transfer-Encoding", b"Expect", b"Forwarded", b"TE",
    b"User-Agent", b"Accept-Language", b"Referer", b"Sec-WebSocket-Accept", b"HTTP2-Settings",
)  # fmt: skip
OCTETS = (
    b"\xff", b"\x80", b"\xc3\xa9", b"\xe2\x82", b"\xb2", b"\0", b"\x01", b"\x0b", b"\x1b[31m",
    b"\x7f", b"\x85", b"\t", b" ", b"", b",", b";", b"=", b'"', b":", b"//", b"[", b"]", b"@", b"#",
    b"?", b"%", b"%ff", b"%00", b"13, 13", b"-1", b"0x1", b"9" * 400, b"x" * 9000, b"null", b"\r",
    b"\n",
)  # fmt: skip
TARGETS = (
    b"/ws/", b"/ws/", b"/healthz", b"/accounts/login/", b"*", b"http://x/ws/", b"//ws/", b"/\xff",
)  # fmt: skip
METHODS = (b"GET", b"GET", b"GET", b"GET", b"POST", b"HEAD", b"CONNECT", b"\xff", b"get", b"G\0T")
VERSIONS = (b"HTTP/1.1",) * 8 + (b"HTTP/1.0", b"HTTP/2.0", b"HTTP/\xff", b"HTTP", b"", b"\xff/1.1")


def build_request(random: Random) -> bytes:
    """Return a handshake or a request with one to three malformed parts."""
    headers = [*HANDSHAKE] if random.random() < 0.6 else [*HANDSHAKE[:1]]
    line = [b"GET", random.choice(TARGETS[:4]), b"HTTP/1.1"]
    for _ in range(random.choice((1, 1, 2, 3))):
        if random.random() < 0.2:
            index = random.randrange(3)
            line[index] = random.choice((METHODS, TARGETS, VERSIONS)[index])
            line[1] += random.choice((b"", b"?a=" + _pick_octets(random), _pick_octets(random)))
        elif random.random() < 0.4:
            headers.append((random.choice(OTHER_HEADERS), _pick_octets(random)))
        else:
            index = random.randrange(len(headers))
            headers[index] = _spoil_header(random, *headers[index])
    if random.random() < 0.03:
        headers += [(b"X-Many", b"x")] * random.choice((130, 600))
    lines = [b" ".join(line), *(name + b": " + value for name, value in headers)]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _spoil_header(random: Random, name: bytes, value: bytes) -> tuple[bytes, bytes]:
    kind = random.random()
    if kind < 0.1:
        return name + _pick_octets(random), value
    if kind < 0.5:
        return name, value + _pick_octets(random)
    return name, _pick_octets(random)


def _pick_octets(random: Random) -> bytes:
    return random.choice(OCTETS) if random.random() < 0.8 else nasty.pick_octets(random)


def send_bytes(port: int, sent: bytes, within: float = TIMEOUT_SECONDS) -> bytes:
    """Return the first line of the response: empty if the server disconnects, or waits for more."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        with suppress(OSError):
            line.sendall(sent)
        line.settimeout(within)
        try:
            return line.recv(4000).split(b"\r\n")[0]
        except (ConnectionError, TimeoutError):
            return b""
