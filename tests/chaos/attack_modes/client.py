"""How attackers send. It is raw HTTP, because no library would send such data."""

from __future__ import annotations

import asyncio
import base64
import itertools
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

CSRF_TOKEN = "a" * 32  # a csrftoken is valid if cookie and header agree
WRITE_BYTES = 65_536
RESPONSE_TIMEOUT_SECONDS = 60.0
MAX_READ_BYTES = 262_144

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(slots=True)
class AttackOrder:
    """An order to attack: how, for how long, from where, and with which sessions."""

    mode: str
    seconds: float
    seed: str
    ports: list[int]
    sources: list[str]
    accounts: list[str]  # session keys
    targets: list[tuple[int, str]]  # indexes of accounts, and pages of theirs
    victim: str  # an e-mail address
    stolen: str  # a session of the victim


@dataclass(slots=True)
class Chat:
    """A conversation of an attacker's."""

    session: str
    id: str
    question: str
    reply: str
    stream: str


@dataclass(slots=True)
class Attackers:
    """All attackers of one order. `counts` is by action and response; `samples` has a text of
    each."""

    order: AttackOrder
    counts: Counter[str] = field(default_factory=Counter)
    samples: dict[str, str] = field(default_factory=dict)
    generator: random.Random = field(default_factory=random.Random)
    numbers: Any = field(default_factory=itertools.count)
    chats: dict[str, Chat] = field(default_factory=dict)
    """One of each session, made at its first use."""

    @property
    def port(self) -> int:
        return self.generator.choice(self.order.ports)

    @property
    def account(self) -> str:
        """The session of any attacker."""
        return self.generator.choice(self.order.accounts)

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Line]:
        source = self.generator.choice(self.order.sources)
        opening = asyncio.open_connection("127.0.0.1", self.port, local_addr=(source, 0))
        reader, writer = await asyncio.wait_for(opening, 10)
        try:
            yield reader, writer
        finally:
            writer.close()

    # Requests

    async def send_request(
        self,
        label: str,
        path: str,
        *,
        session: str = "",
        form: Any = None,
        host: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """Send one request on a connection of its own, and record and return the response."""
        body = urlencode(form).encode() if form is not None else b""
        method = "POST" if form is not None else "GET"
        async with self.connect() as (reader, writer):
            writer.write(self.build_head(method, path, session, host, len(body), headers) + body)
            await writer.drain()
            return await self.record_response(label, reader)

    def build_head(
        self,
        method: str,
        path: str,
        session: str = "",
        host: str = "",
        length: int = 0,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        cookies = f"csrftoken={CSRF_TOKEN}" + (f"; sessionid={session}" if session else "")
        all_headers = {
            "Host": host or f"127.0.0.1:{self.port}",
            "Cookie": cookies,
            "X-CSRFToken": CSRF_TOKEN,
            "Content-Type": "application/x-www-form-urlencoded",
            "Content-Length": str(length),
            "Connection": "close",
        } | dict(headers or {})
        lines = [
            f"{method} {path} HTTP/1.1",
            *(f"{name}: {all_headers[name]}" for name in all_headers),
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    async def record_response(self, label: str, reader: asyncio.StreamReader) -> str:
        async with asyncio.timeout(RESPONSE_TIMEOUT_SECONDS):
            head = await reader.readline()
            status = [*head.split(), b"", b"nothing"][1].decode("latin-1")
            body = b""
            while len(body) < MAX_READ_BYTES and (piece := await reader.read(WRITE_BYTES)):
                body += piece
        return self.count_response(f"{label}: {status}", body)

    def count_response(self, key: str, body: bytes) -> str:
        self.counts[key] += 1
        head, _, text = body.decode(errors="replace").partition("\r\n\r\n")
        if key not in self.samples:
            plain = re.sub(r"(?s)<head.*?</head>|<[^>]*>", " ", text)
            self.samples[key] = " ".join(plain.split())[:160]
        return f"{head}\r\n\r\n{text}"

    # Sockets

    @asynccontextmanager
    async def open_socket(
        self, label: str, session: str, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[Line]:
        """Shake hands, and count the status."""
        key = base64.b64encode(self.generator.randbytes(16)).decode()
        port = self.port
        upgrade = {
            "Host": f"127.0.0.1:{port}",
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": key,
            "Origin": f"http://127.0.0.1:{port}",
        }
        source = self.generator.choice(self.order.sources)
        opening = asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
        reader, writer = await asyncio.wait_for(opening, 10)
        try:
            head = self.build_head("GET", "/ws/", session, headers=upgrade | dict(headers or {}))
            writer.write(head)
            async with asyncio.timeout(RESPONSE_TIMEOUT_SECONDS):
                status = (await reader.readline()).decode("latin-1").strip()
            self.counts[f"{label}: {status[9:12] or 'closed'}"] += 1
            yield reader, writer
        finally:
            writer.close()

    async def read_to_end(self, label: str, reader: asyncio.StreamReader, seconds: float) -> None:
        """Read until the server closes, and count that; for a limited time."""
        try:
            async with asyncio.timeout(seconds):
                while await reader.read(WRITE_BYTES):
                    pass
            self.counts[f"{label} was closed"] += 1
        except TimeoutError:
            self.counts[f"{label} was held to its end"] += 1

    # Conversations

    async def get_chat(self, session: str) -> Chat | None:
        """Return a conversation of this session, or None while the server accepts no message."""
        if session not in self.chats:
            form = {"text": "Hello", "model": "demo-fast", "request_id": str(uuid4())}
            answer = await self.send_request("open a chat", "/c/", session=session, form=form)
            if not (place := re.search(r"(?i)^location: /c/([0-9a-f-]{36})/", answer, re.M)):
                return None
            page = await self.send_request("read the chat", f"/c/{place[1]}/", session=session)
            messages = re.findall(r'id="m-([0-9a-f-]{36})"', page)
            stream = re.search(r'data-stream="([0-9a-f-]{36})"', page)
            if len(messages) < 2:
                return None
            self.chats[session] = Chat(
                session, place[1], messages[0], messages[1], stream[1] if stream else str(uuid4())
            )
        return self.chats[session]


def build_frame(payload: bytes, opcode: int = 1, *, final: bool = True, length: int = -1) -> bytes:
    """Return a masked frame, which may announce another length than it has."""
    size = len(payload) if length < 0 else length
    head = bytes([opcode | (0x80 if final else 0)])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65_536:
        head += b"\xfe" + size.to_bytes(2, "big")
    else:
        head += b"\xff" + size.to_bytes(8, "big")
    return head + b"\0\0\0\0" + payload  # a mask of zeros changes nothing
