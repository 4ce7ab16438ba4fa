"""The fake's server: plain sockets, because cutting and stalling is what it is for.

Every response closes its connection and has a chunked body, so that a client can tell a body
that was cut from one that ended.
"""

import asyncio
import contextlib
import hashlib
import itertools
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol
from urllib.parse import urlsplit

from .behaviour import Behaviour, ErrorAnswer, Piece, Record, State, Usage
from .openai_chat import OpenAIChat, dumped, models


class Wire(Protocol):
    """A provider's way of saying things."""

    name: str

    def serves(self, method: str, path: str) -> bool: ...
    def key(self, headers: dict[str, str]) -> str: ...
    def prompt(self, body: dict[str, Any]) -> str: ...
    def start(self, body: dict[str, Any]) -> bytes: ...
    def delta(self, body: dict[str, Any], piece: Piece) -> bytes: ...
    def end(self, body: dict[str, Any], finish: str, usage: Usage | None) -> bytes: ...
    def error(self, status: int) -> dict[str, Any]: ...
    def event(self, data: Any) -> bytes: ...


WIRES: tuple[Wire, ...] = (OpenAIChat(),)


@dataclass(frozen=True, slots=True)
class Call:
    """An HTTP request, read to its end."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body, which may be empty."""
        loaded = json.loads(self.body or b"{}")
        assert isinstance(loaded, dict)
        return loaded


class Cut(Exception):
    """The connection is to be dropped now."""


class FakeServer:
    """Scripts in, replies out, everything recorded. Belongs to one event loop."""

    def __init__(self, *, delay: float = 0.0) -> None:
        self.delay = delay
        self.behaviours: list[Behaviour] = []
        self.records: list[Record] = []
        self.gates: dict[int, asyncio.Event] = {}
        self.ids = itertools.count(1)

    @asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator[int]:
        """Listen on loopback and give the port; on leaving, every connection is dropped."""
        tasks: set[asyncio.Task[None]] = set()

        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            await self._connection(reader, writer)

        server = await asyncio.start_server(accepted, "127.0.0.1", port)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sock: socket.socket = writer.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A client that goes away is what many tests are about, and no error of the fake.
        with (
            contextlib.closing(writer),
            contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, Cut),
        ):
            call = await _read_call(reader)
            await self._answer(call, reader, writer)

    async def _answer(
        self, call: Call, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if call.path.startswith("/_fake/"):
            await _respond(writer, *self._control(call))
        elif call.method == "GET" and call.path.endswith("/models"):
            await _respond(writer, 200, models())
        elif wire := next((w for w in WIRES if w.serves(call.method, call.path)), None):
            await self._play(wire, call, reader, writer)
        else:
            await _respond(writer, 404, {"error": {"message": f"No wire for {call.path}"}})

    # Control

    def _control(self, call: Call) -> tuple[int, Any]:
        verbs: dict[tuple[str, str], Callable[[dict[str, Any]], Any]] = {
            ("POST", "/_fake/script"): self._script,
            ("POST", "/_fake/release"): self._release,
            ("POST", "/_fake/reset"): self._reset,
            ("GET", "/_fake/requests"): self._requests,
        }
        verb = verbs.get((call.method, call.path))
        return (200, verb(call.json())) if verb else (404, {"error": "no such control"})

    def _script(self, data: dict[str, Any]) -> Any:
        entries = data.get("behaviours", [data])
        self.behaviours += [Behaviour.from_json(entry) for entry in entries]
        return {"queued": len(self.behaviours)}

    def _release(self, data: dict[str, Any]) -> Any:
        held = [r for r in self.records if r.state == "held" and data.get("id") in {None, r.id}]
        for record in held:
            record.state = "streaming"
            self.gates[record.id].set()
        return {"released": [record.id for record in held]}

    def _reset(self, data: dict[str, Any]) -> Any:
        self.behaviours.clear()
        self.records.clear()
        return {}

    def _requests(self, data: dict[str, Any]) -> Any:
        return {"count": len(self.records), "requests": [asdict(r) for r in self.records]}

    # Replies

    def _behaviour(self, prompt: str) -> Behaviour:
        for at, behaviour in enumerate(self.behaviours):
            if behaviour.prompt is None or behaviour.prompt in prompt:
                if behaviour.times == 1:
                    del self.behaviours[at]
                elif behaviour.times is not None:
                    self.behaviours[at] = replace(behaviour, times=behaviour.times - 1)
                return behaviour
        return replace(default_reply(prompt), delay=self.delay)

    async def _play(
        self, wire: Wire, call: Call, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        body, key = call.json(), wire.key(call.headers)
        prompt = wire.prompt(body)
        record = Record(
            id=next(self.ids),
            wire=wire.name,
            path=call.path,
            key=hashlib.sha256(key.encode()).hexdigest()[:12] if key else "absent",
            prompt=prompt,
            headers={
                name: value for name, value in call.headers.items() if not (key and key in value)
            },
            body=body,
            at=time.monotonic(),
        )
        self.records.append(record)
        self.gates[record.id] = asyncio.Event()
        reply = _Reply(wire, self._behaviour(prompt), record, self.gates[record.id], writer, key)
        watcher = asyncio.create_task(_client_gone(reader))
        playing = asyncio.create_task(reply.play())
        try:
            await asyncio.wait({watcher, playing}, return_when=asyncio.FIRST_COMPLETED)
            if playing.done() and not isinstance(playing.exception(), ConnectionError):
                await playing
            elif record.ended_at is None:
                record.state, record.closed_at = "closed", time.monotonic()
        finally:
            watcher.cancel()
            playing.cancel()


class _Reply:
    """One reply on one connection, as its behaviour wants it."""

    def __init__(
        self,
        wire: Wire,
        behaviour: Behaviour,
        record: Record,
        gate: asyncio.Event,
        writer: asyncio.StreamWriter,
        key: str,
    ) -> None:
        self.wire = wire
        self.behaviour = behaviour
        self.record = record
        self.gate = gate
        self.writer = writer
        self.key = key

    async def play(self) -> None:
        wire, how, body = self.wire, self.behaviour, self.record.body
        if how.error and how.error.status:
            await self._refuse(how.error)
            return
        self._headers()
        self.record.state = "streaming"
        if how.extra:
            await self._write(how.extra)
        await self._write(wire.start(body))
        due = time.monotonic() + how.first_delay
        for number, piece in enumerate(how.pieces):
            if not await self._event_at(number):
                return
            if how.first_delay or how.delay:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                due += how.delay
            await self._write(wire.delta(body, piece))
            self.record.sent = number + 1
        if await self._event_at(len(how.pieces)):
            await self._end(wire.end(body, how.finish, how.usage))

    async def _event_at(self, number: int) -> bool:
        """Do what was asked for before this delta; False if the reply is over."""
        how = self.behaviour
        if number in how.hold_after:
            await self._hold()
        if number == how.stall_after:
            self.record.state = "stalled"
            await asyncio.Event().wait()
        if number == how.cut_after:
            await self.writer.drain()
            self._over("cut")
            raise Cut
        if number == how.error_after:
            error = how.error.body if how.error and how.error.body else self.wire.error(0)
            await self._end(self.wire.event(self._filled(error)))
            return False
        if number == how.end_after:
            await self._end(b"")
            return False
        return True

    async def _hold(self) -> None:
        self.gate.clear()
        self.record.state = "held"  # A release says “streaming” again.
        await self.gate.wait()

    async def _refuse(self, error: ErrorAnswer) -> None:
        body = self._filled(self.wire.error(error.status) if error.body is None else error.body)
        headers = {name: self._filled(value) for name, value in error.headers.items()}
        await _respond(self.writer, error.status, body, {"x-request-id": "req_fake"} | headers)
        self._over("finished")

    def _filled(self, value: Any) -> Any:
        if isinstance(value, str):
            return value.replace("{key}", self.key)
        if isinstance(value, dict):
            return {name: self._filled(inner) for name, inner in value.items()}
        return value

    def _headers(self) -> None:
        headers = {
            "Content-Type": "text/event-stream; charset=utf-8",
            "Transfer-Encoding": "chunked",
            "x-request-id": self.behaviour.request_id,
        }
        self.writer.write(_head(200, headers | self._filled(self.behaviour.headers)))

    async def _end(self, last: bytes) -> None:
        if last:
            await self._write(last)
        # Before the client can know of it, so that its going now is no closing in the middle.
        self._over("finished")
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()

    def _over(self, state: State) -> None:
        self.record.state, self.record.ended_at = state, time.monotonic()

    async def _write(self, data: bytes) -> None:
        """Write as one chunk of the body for each packet; clients see every seam."""
        for packet in self._packets(data):
            self.writer.write(b"%x\r\n%b\r\n" % (len(packet), packet))
            await self.writer.drain()
        self.record.size += len(data)

    def _packets(self, data: bytes) -> list[bytes]:
        size = self.behaviour.packet or len(data)
        seams = {at - self.record.size for at in self.behaviour.split_at}
        cuts = sorted(seams & set(range(1, len(data))) | set(range(0, len(data), size)))
        return [data[a:b] for a, b in zip(cuts, [*cuts[1:], len(data)], strict=True)]


def default_reply(prompt: str) -> Behaviour:
    """What an unscripted request gets: the prompt and a few hundred numbered words after it."""
    words = [f"You said: {prompt}\n\n", *(f"word {number}, " for number in range(1, 301)), "done."]
    return Behaviour.of(*words)


async def _read_call(reader: asyncio.StreamReader) -> Call:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ", 2)
    headers = {
        name.lower(): value.strip()
        for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Call(method, urlsplit(target).path, headers, body)


async def _client_gone(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(ConnectionError):
        await reader.read()


async def _respond(
    writer: asyncio.StreamWriter, status: int, body: Any, headers: dict[str, str] | None = None
) -> None:
    data = body.encode() if isinstance(body, str) else dumped(body)
    kind = "text/plain" if isinstance(body, str) else "application/json"
    size = str(len(data))
    writer.write(_head(status, {"Content-Type": kind, "Content-Length": size, **(headers or {})}))
    writer.write(data)
    await writer.drain()


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Fake", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
