"""Frames of the WebSocket protocol as bytes: whole ones, parts, and some that the protocol forbids.
A server reads them before the application does."""

from __future__ import annotations

import socket
from contextlib import suppress
from random import Random

from tests.fuzz.socket_inputs import SocketInputs

FRAMES_PER_SOCKET = 50
OPCODES = (0, 1, 1, 1, 2, 3, 7, 8, 9, 10, 11, 15)
LENGTHS = (0, 125, 126, 127, 65_535, 65_536, 2**31, 2**63 - 1, 2**63)
ANSWER_SECONDS = 5.0


def build_bytes(random: Random, inputs: SocketInputs, number: int) -> bytes:
    """Return a frame, which is well-formed in half of all cases."""
    content = inputs.build(number)
    payload = content.encode(errors="surrogatepass") if isinstance(content, str) else content
    if random.random() < 0.5:
        return encode_frame(random, 0x81, payload)
    if random.random() < 0.3:
        return encode_in_parts(random, payload)
    first = random.choice(OPCODES) | random.choice((0, 0x80, 0x80, 0x80, 0x40, 0x10, 0xF0))
    length = random.choice((-1, -1, -1, len(payload) + 1, *LENGTHS))
    return encode_frame(random, first, payload[:200], length, is_masked=random.random() < 0.9)


def encode_frame(
    random: Random, first: int, payload: bytes, length: int = -1, *, is_masked: bool = True
) -> bytes:
    size = len(payload) if length < 0 else length
    if size < 126:
        head = bytes([first, size])
    elif size < 65_536:
        head = bytes([first, 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([first, 127]) + size.to_bytes(8, "big")
    if not is_masked:
        return head + payload
    mask = random.randbytes(4)
    masked = bytes(octet ^ mask[index % 4] for index, octet in enumerate(payload))
    return head[:1] + bytes([head[1] | 0x80]) + head[2:] + mask + masked


def encode_in_parts(random: Random, payload: bytes) -> bytes:
    """Return a message in continuation frames, with a control frame among them."""
    cut = random.randrange(len(payload) + 1)
    control = encode_frame(random, random.choice((0x89, 0x8A, 0x09)), random.randbytes(20))
    last = random.choice((0x80, 0x80, 0x00, 0x81))
    return (
        encode_frame(random, random.choice((0x01, 0x01, 0x02)), payload[:cut])
        + random.choice((b"", control))
        + encode_frame(random, last, payload[cut:])
    )


def exchange(port: int, cookie: str, frames: list[bytes]) -> tuple[bytes, bytes]:
    """Shake hands, send the frames, and read until the server closes or answers no more. Return the
    status line, and everything after it."""
    lines = [
        "GET /ws/ HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        f"Origin: http://127.0.0.1:{port}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        f"Cookie: {cookie}",
    ]
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        line.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        answer = line.recv(65_536)
        with suppress(OSError):
            line.sendall(b"".join(frames))
            line.shutdown(socket.SHUT_WR)
        line.settimeout(ANSWER_SECONDS)
        with suppress(OSError):
            while piece := line.recv(65_536):
                answer += piece
    head, _, rest = answer.partition(b"\r\n")
    return head, rest
