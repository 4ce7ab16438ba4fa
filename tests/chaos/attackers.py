"""The attackers, in a process of their own on one core. Each mode is one way to attack.

Their order arrives on standard input as a line of JSON, and their results go to standard output.
They send raw HTTP, because no library would send such data; to loopback only, for a limited time.
"""

import asyncio
import base64
import itertools
import json
import os
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

CSRF_TOKEN = "a" * 32  # a csrftoken is valid if cookie and header agree
BIG_FIELD_CHARS = 400_000
DRAFT_FIELDS = ("text", "model", "system_prompt", "max_tokens", "temperature", "reasoning_effort")
BIG_FRAME_BYTES = 15_900_000
BIG_BODY_BYTES = 50_000_000
WRITE_BYTES = 65_536
RESPONSE_TIMEOUT_SECONDS = 60.0
MAX_READ_BYTES = 262_144
MESSAGES_PER_ACCOUNT = 30
POISONED_COOKIES = (
    '"\\000' + "a" * 32 + '"',
    '"\\377\\376"',
    "x" * 4_000,
    "a" * 31 + "%00",
    '"\\047 OR 1=1"',
)

Action = Callable[[], Awaitable[None]]


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
class Attackers:
    """All attackers of one order. `counts` is by action and response; `samples` has a text of
    each."""

    order: AttackOrder
    counts: Counter[str] = field(default_factory=Counter)
    samples: dict[str, str] = field(default_factory=dict)
    deadline: float = 0.0
    generator: random.Random = field(default_factory=random.Random)
    numbers: Any = field(default_factory=itertools.count)

    async def run(self) -> None:
        self.deadline = time.monotonic() + self.order.seconds
        self.generator = random.Random(self.order.seed)
        modes = self.build_modes()
        chosen = [*modes.values()] if self.order.mode == "mixed" else [modes[self.order.mode]]
        # In a mixed run these keep their number: there are 200 anonymous connections in all.
        holding_actions = (self.hold_headers, self.hold_socket)
        share = 3 if self.order.mode == "mixed" else 1
        await asyncio.gather(
            *(
                self._repeat(action, pause)
                for actions in chosen
                for action, copies, pause in actions
                for _ in range(copies if action in holding_actions else -(-copies // share))
            )
        )

    def build_modes(self) -> dict[str, list[tuple[Action, int, float]]]:
        """By mode: the action, the number of simultaneous attackers, the pause between two
        actions."""
        return {
            "H1": [(self.view_nasty_replies, 12, 0.0)],
            "H2": [(self.send_poisoned_handshake, 40, 0.0), (self.request_poisoned_page, 4, 0.05)],
            "H3": [(self.leave_big_draft, 4, 0.0), (self.leave_small_draft, 8, 0.0)],
            "H4": [(self.queue_replies, 20, 0.0)],
            "H5": [(self.guess_password, 20, 0.0)],
            "H6": [(self.take_over_account, 1, 1.0)],
            "H7": [(self.sign_up, 20, 0.0)],
            "H8": [
                (self.hold_frame, 30, 0.5),
                (self.hold_frame_signed_in, 20, 0.5),
                (self.hold_headers, 60, 0.5),
                (self.send_big_body, 4, 0.2),
                (self.hold_socket, 100, 0.2),
            ],
        }

    async def _repeat(self, action: Action, pause: float) -> None:
        await asyncio.sleep(self.generator.random())
        while (left := self.deadline - time.monotonic()) > 0:
            try:
                async with asyncio.timeout(left):
                    await action()
            except (OSError, EOFError, TimeoutError, ValueError) as error:
                self.counts[f"{action.__name__} {type(error).__name__}"] += 1
                await asyncio.sleep(0.05)
            await asyncio.sleep(pause)

    # Actions

    async def view_nasty_replies(self) -> None:
        account, path = self.generator.choice(self.order.targets)
        await self._send_request("view a nasty reply", path, session=self.order.accounts[account])

    async def send_poisoned_handshake(self) -> None:
        await self._open_socket(
            "poisoned handshake", self.generator.choice(POISONED_COOKIES), hold=0
        )

    async def request_poisoned_page(self) -> None:
        await self._send_request(
            "poisoned page", "/", session=self.generator.choice(POISONED_COOKIES)
        )

    async def leave_big_draft(self) -> None:
        letters = base64.b64encode(self.generator.randbytes(BIG_FIELD_CHARS * 3 // 4)).decode()
        form = dict.fromkeys(DRAFT_FIELDS, letters[:BIG_FIELD_CHARS])
        await self._send_request(
            "big draft", self.generator.choice(self._list_draft_paths()), form=form
        )

    async def leave_small_draft(self) -> None:
        form = {"text": self.generator.randbytes(400).hex(), "model": "demo"}
        await self._send_request(
            "small draft", self.generator.choice(self._list_draft_paths()), form=form
        )

    def _list_draft_paths(self) -> list[str]:
        return ["/c/", f"/c/{uuid4()}/messages/", f"/m/{uuid4()}/versions/"]

    async def queue_replies(self) -> None:
        account = self.generator.choice(self.order.accounts)
        for _ in range(MESSAGES_PER_ACCOUNT):
            text = " ".join(["Tell me everything you know, at length."] * 20)
            form = {"text": text, "model": "demo-slow", "request_id": str(uuid4())}
            await self._send_request("queue a reply", "/c/", session=account, form=form)

    async def guess_password(self) -> None:
        form = {"login": self.order.victim, "password": f"guess-{next(self.numbers)}"}
        host = f"127.0.0.1:{1_000 + next(self.numbers) % 60_000}"
        await self._send_request("guess a password", "/accounts/login/", form=form, host=host)

    async def take_over_account(self) -> None:
        mine = f"attacker{next(self.numbers)}@evil.test"
        for form in (
            {"action_add": "", "email": mine},
            {"action_primary": "", "email": mine},
            {"action_remove": "", "email": self.order.victim},
        ):
            await self._send_request(
                f"take the account: {next(iter(form))}",
                "/accounts/email/",
                session=self.order.stolen,
                form=form,
            )
        await self._send_request(
            "take the account: reset", "/accounts/password/reset/", form={"email": mine}
        )

    async def sign_up(self) -> None:
        password = f"kelp-{self.generator.random()}"
        address = f"flood-{uuid4().hex}@evil.test"
        form = {"email": address, "password1": password}
        await self._send_request("sign up", "/accounts/signup/", form=form)

    async def hold_frame(self) -> None:
        await self._open_socket("big frame", "", hold=10, frame=BIG_FRAME_BYTES)

    async def hold_frame_signed_in(self) -> None:
        account = self.generator.choice(self.order.accounts)
        await self._open_socket("big frame, signed in", account, hold=10, frame=BIG_FRAME_BYTES)

    async def hold_socket(self) -> None:
        await self._open_socket("idle socket", "", hold=20)

    async def hold_headers(self) -> None:
        reader, writer = await self._connect()
        try:
            writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
            async with asyncio.timeout(30):
                while await reader.read(1024):
                    pass
            self.counts["unfinished headers were closed"] += 1
        finally:
            writer.close()

    async def send_big_body(self) -> None:
        reader, writer = await self._connect()
        try:
            path = self.generator.choice(["/c/", "/healthz", "/accounts/login/"])
            writer.write(
                self._build_head("POST", path, "", f"127.0.0.1:{self._port}", BIG_BODY_BYTES)
            )
            for _ in range(BIG_BODY_BYTES // WRITE_BYTES + 1):
                writer.write(b"x" * WRITE_BYTES)
                await writer.drain()
            await self._record_response("big body", reader)
        finally:
            writer.close()

    # Requests

    @property
    def _port(self) -> int:
        return self.generator.choice(self.order.ports)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        source = self.generator.choice(self.order.sources)
        opening = asyncio.open_connection("127.0.0.1", self._port, local_addr=(source, 0))
        return await asyncio.wait_for(opening, 10)

    async def _send_request(
        self, label: str, path: str, *, session: str = "", form: Any = None, host: str = ""
    ) -> None:
        """Send one request on a connection of its own, and record the result."""
        body = urlencode(form).encode() if form is not None else b""
        method = "POST" if form is not None else "GET"
        reader, writer = await self._connect()
        try:
            head = self._build_head(
                method, path, session, host or f"127.0.0.1:{self._port}", len(body)
            )
            writer.write(head + body)
            await writer.drain()
            await self._record_response(label, reader)
        finally:
            writer.close()

    def _build_head(self, method: str, path: str, session: str, host: str, length: int) -> bytes:
        cookies = f"csrftoken={CSRF_TOKEN}" + (f"; sessionid={session}" if session else "")
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: {host}",
            f"Cookie: {cookies}",
            f"X-CSRFToken: {CSRF_TOKEN}",
            "Content-Type: application/x-www-form-urlencoded",
            f"Content-Length: {length}",
            "Connection: close",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    async def _record_response(self, label: str, reader: asyncio.StreamReader) -> None:
        async with asyncio.timeout(RESPONSE_TIMEOUT_SECONDS):
            head = await reader.readline()
            status = [*head.split(), b"", b"nothing"][1].decode()
            body = b""
            while len(body) < MAX_READ_BYTES and (piece := await reader.read(WRITE_BYTES)):
                body += piece
        self._count_response(f"{label}: {status}", body)

    def _count_response(self, key: str, body: bytes) -> None:
        self.counts[key] += 1
        if key not in self.samples:
            _, _, text = body.partition(b"\r\n\r\n")
            plain = re.sub(r"(?s)<head.*?</head>|<[^>]*>", " ", text.decode(errors="replace"))
            self.samples[key] = " ".join(plain.split())[:160]

    async def _open_socket(self, label: str, session: str, *, hold: float, frame: int = 0) -> None:
        """Open a socket, possibly send a frame without its last byte, and hold the socket."""
        reader, writer = await self._connect()
        try:
            port = self._port
            key = base64.b64encode(self.generator.randbytes(16)).decode()
            head = self._build_head("GET", "/ws/", session, f"127.0.0.1:{port}", 0).decode(
                "latin-1"
            )
            head = head.replace("Connection: close", "Connection: Upgrade").strip()
            more = f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}"
            writer.write(f"{head}\r\n{more}\r\nOrigin: http://127.0.0.1:{port}\r\n\r\n".encode())
            status = (
                (await asyncio.wait_for(reader.readline(), RESPONSE_TIMEOUT_SECONDS))
                .decode()
                .strip()
            )
            self.counts[f"{label}: {status[9:12] or 'closed'}"] += 1
            if frame:
                writer.write(b"\x81\xff" + frame.to_bytes(8, "big") + b"\0\0\0\0")
                for _ in range(frame // WRITE_BYTES):
                    writer.write(b"x" * WRITE_BYTES)
                    await writer.drain()
            async with asyncio.timeout(hold or 5):
                while await reader.read(WRITE_BYTES):
                    if not hold:
                        break
                else:
                    self.counts[f"{label} was closed"] += 1
        except TimeoutError:
            self.counts[f"{label} was held to its end"] += 1
        finally:
            writer.close()


def main() -> None:
    order = AttackOrder(**json.loads(sys.stdin.readline()))
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    attackers = Attackers(order)
    asyncio.run(attackers.run())
    print(json.dumps({"counts": attackers.counts, "samples": attackers.samples}), flush=True)


if __name__ == "__main__":
    main()
