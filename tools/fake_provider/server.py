"""The fake's server on plain sockets, because its purpose is to cut and stall connections.

Every response closes its connection and has a chunked body, so that a client can distinguish a cut
body from one that ended.
"""

import asyncio
import contextlib
import hashlib
import itertools
import re
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tools.fake_provider.anthropic_messages import AnthropicMessages
from tools.fake_provider.background_reply import Kept
from tools.fake_provider.behaviour import Behaviour, ErrorAnswer, Record, State
from tools.fake_provider.google_generate import GoogleGenerate
from tools.fake_provider.openai_chat import OpenAIChat
from tools.fake_provider.openai_responses import OpenAIResponses
from tools.fake_provider.prompt_directives import default_reply
from tools.fake_provider.wire import Call, Reply, Wire, dumped

WIRES: tuple[Wire, ...] = (
    OpenAIChat(),
    OpenAIResponses(),
    AnthropicMessages(),
    GoogleGenerate(),
)
# Most paths of the list are the same; OpenAI's has no other sign.
LISTS: tuple[Wire, ...] = tuple(reversed(WIRES))


class Cut(Exception):
    """The connection must be dropped now."""


class FakeServer:
    """Takes scripts, sends replies, records everything. Belongs to one event loop."""

    def __init__(self, *, delay: float = 0.0) -> None:
        self.delay = delay
        self.behaviours: list[Behaviour] = []
        self.records: list[Record] = []
        self.lists: list[Record] = []
        self.kept: dict[str, Kept] = {}
        self.gates: dict[int, asyncio.Event] = {}
        self.ids = itertools.count(1)

    @asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator[int]:
        """Listen on loopback and yield the port; at the end, drop every connection."""
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
        # Many tests are about a client that disconnects, so this is no error of the fake.
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
        elif wire := next((w for w in LISTS if w.lists(call)), None):
            await self._list(wire, call, writer)
        elif kept := self._kept(call):
            await self._keep(kept, call, reader, writer)
        elif wire := next((w for w in WIRES if w.serves(call)), None):
            await self._play(wire, call, reader, writer)
        else:
            await _respond(writer, 404, {"error": {"message": f"No wire for {call.path}"}})

    async def _list(self, wire: Wire, call: Call, writer: asyncio.StreamWriter) -> None:
        key = wire.key(call.headers)
        self.lists.append(record := self._record(wire.name, call, key, "", {}))
        how = self._scripted("models", "") or Behaviour()
        await asyncio.sleep(how.first_delay)
        if how.error:
            await _refuse(writer, wire, how.error, key)
        else:
            await _respond(writer, 200, wire.models(), how.headers)
        record.state = "finished"

    # Control

    def _control(self, call: Call) -> tuple[int, Any]:
        verbs: dict[tuple[str, str], Callable[[dict[str, Any]], Any]] = {
            ("POST", "/_fake/script"): self._script,
            ("POST", "/_fake/release"): self._release,
            ("POST", "/_fake/reset"): self._reset,
            ("GET", "/_fake/requests"): self._requests,
            ("GET", "/_fake/lists"): self._lists,
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
        self.lists.clear()
        return {}

    def _requests(self, data: dict[str, Any]) -> Any:
        return {"count": len(self.records), "requests": [asdict(r) for r in self.records]}

    def _lists(self, data: dict[str, Any]) -> Any:
        return {"count": len(self.lists), "requests": [asdict(r) for r in self.lists]}

    # Replies

    def _behaviour(self, prompt: str) -> Behaviour:
        unscripted = replace(default_reply(prompt), delay=self.delay)
        return self._scripted("reply", prompt) or unscripted

    def _scripted(self, on: str, prompt: str) -> Behaviour | None:
        for at, behaviour in enumerate(self.behaviours):
            if behaviour.on == on and (behaviour.prompt is None or behaviour.prompt in prompt):
                if behaviour.times == 1:
                    del self.behaviours[at]
                elif behaviour.times is not None:
                    self.behaviours[at] = replace(behaviour, times=behaviour.times - 1)
                return behaviour
        return None

    def _record(self, wire: str, call: Call, key: str, prompt: str, body: dict[str, Any]) -> Record:
        return Record(
            id=next(self.ids),
            wire=wire,
            path=call.path,
            key=hashlib.sha256(key.encode()).hexdigest()[:12] if key else "absent",
            prompt=prompt,
            headers={
                name: value for name, value in call.headers.items() if not (key and key in value)
            },
            body=body,
            at=time.monotonic(),
        )

    async def _play(
        self, wire: Wire, call: Call, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        body, key = call.json(), wire.key(call.headers)
        prompt = wire.prompt(body)
        self.records.append(record := self._record(wire.name, call, key, prompt, body))
        if refusal := wire.forbids(call):
            await _refuse(writer, wire, refusal, key)
            record.state, record.ended_at = "finished", time.monotonic()
            return
        how = self._behaviour(prompt)
        gate = self.gates[record.id] = asyncio.Event()
        said = Reply(wire.model(call), body, how, id=f"resp_{record.id:08d}")
        if body.get("background") and not (how.error and how.error.status):
            kept = self.kept[said.id] = Kept(wire, said, record)
            kept.generate(_Reply(wire, said, record, gate, kept, key).play())
            await self._attach(kept, record, 0, reader, writer)
            return
        reply = _Reply(wire, said, record, gate, _Body(writer, how), key)
        if not await _until_gone(reply.play(), reader) and record.ended_at is None:
            record.state, record.closed_at = "closed", time.monotonic()

    # Stored replies

    def _kept(self, call: Call) -> Kept | None:
        found = re.fullmatch(r".*/responses/([^/]+)(/cancel)?", call.path)
        return self.kept.get(found.group(1)) if found else None

    async def _keep(
        self,
        kept: Kept,
        call: Call,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Resume a reply for a client, or cancel it."""
        cancels = call.method == "POST"
        name = f"{kept.wire.name}.{'cancelled' if cancels else 'attached'}"
        query: dict[str, Any] = dict(call.query)
        key = kept.wire.key(call.headers)
        self.records.append(record := self._record(name, call, key, kept.record.prompt, query))
        if cancels:
            kept.cancel()
            record.state, record.ended_at = "finished", time.monotonic()
            await _respond(writer, 200, OpenAIResponses().cancelled(kept.said))
        elif how := self._scripted("attach", ""):
            assert how.error
            await _refuse(writer, kept.wire, how.error, key)
            record.state, record.ended_at = "finished", time.monotonic()
        else:
            after = int(call.query.get("starting_after", "-1")) + 1
            await self._attach(kept, record, after, reader, writer)

    async def _attach(
        self,
        kept: Kept,
        record: Record,
        first: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Send a stored reply's events from a number on, for as long as the client is connected."""
        body = _Body(writer, kept.said.how)
        body.headers(kept.wire)
        record.state = "streaming" if record is not kept.record else record.state
        if not await _until_gone(kept.follow(first, body), reader):
            record.closed_at = time.monotonic()
        if record is not kept.record:
            record.state, record.ended_at = "finished", time.monotonic()


async def _until_gone(playing: Coroutine[Any, Any, None], reader: asyncio.StreamReader) -> bool:
    """Play the reply. Return False if the client disconnects before the end."""
    task = asyncio.create_task(playing)
    watcher = asyncio.create_task(_client_gone(reader))
    try:
        await asyncio.wait({watcher, task}, return_when=asyncio.FIRST_COMPLETED)
        if task.done() and not isinstance(task.exception(), ConnectionError):
            await task
            return True
        return False
    finally:
        watcher.cancel()
        task.cancel()


class _Body:
    """The body of a response on a connection, in the chunks and packets of a behaviour."""

    def __init__(self, writer: asyncio.StreamWriter, how: Behaviour) -> None:
        self.writer = writer
        self.how = how
        self.size = 0

    def headers(self, wire: Wire, more: dict[str, str] | None = None) -> None:
        """Send the status and the headers."""
        headers = {
            "Content-Type": "text/event-stream; charset=utf-8",
            "Transfer-Encoding": "chunked",
            wire.id_header(): self.how.request_id,
        }
        self.writer.write(_head(200, headers | (more or {})))

    async def write(self, data: bytes) -> None:
        """Write one chunk of the body for each packet, so that clients see every boundary."""
        for packet in self._packets(data):
            self.writer.write(b"%x\r\n%b\r\n" % (len(packet), packet))
            await self.writer.drain()
        self.size += len(data)

    async def end(self) -> None:
        """End the body properly."""
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()

    async def cut(self) -> None:
        """Drop the connection in the middle of the body."""
        await self.writer.drain()
        raise Cut

    def _packets(self, data: bytes) -> list[bytes]:
        size = self.how.packet or len(data)
        seams = {at - self.size for at in self.how.split_at}
        cuts = sorted(seams & set(range(1, len(data))) | set(range(0, len(data), size)))
        return [data[a:b] for a, b in zip(cuts, [*cuts[1:], len(data)], strict=True)]


class _Reply:
    """Play one reply of a behaviour, into a body or a stored reply."""

    def __init__(
        self,
        wire: Wire,
        said: Reply,
        record: Record,
        gate: asyncio.Event,
        body: _Body | Kept,
        key: str,
    ) -> None:
        self.wire = wire
        self.said = said
        self.how = said.how
        self.record = record
        self.gate = gate
        self.body = body
        self.key = key

    async def play(self) -> None:
        wire, how = self.wire, self.how
        if how.error and how.error.status:
            assert isinstance(self.body, _Body)
            await _refuse(self.body.writer, wire, how.error, self.key)
            self._over("finished")
            return
        self.body.headers(wire, filled(how.headers, self.key))
        self.record.state = "streaming"
        if how.extra:
            await self._write(how.extra)
        await self._write(wire.start(self.said))
        due = time.monotonic() + how.first_delay
        for number, piece in enumerate(how.pieces):
            if not await self._event_at(number):
                return
            if how.first_delay or how.delay:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                due += how.delay
            await self._write(wire.delta(self.said, piece))
            self.record.sent = number + 1
        if await self._event_at(len(how.pieces)):
            await self._end(wire.end(self.said, how.finish, how.usage))

    async def _event_at(self, number: int) -> bool:
        """Do what the behaviour has before this delta. Return False if the reply has ended."""
        how = self.how
        if number in how.hold_after:
            await self._hold()
        if number == how.stall_after:
            self.record.state = "stalled"
            await asyncio.Event().wait()
        if number == how.cut_after:
            if isinstance(self.body, _Body):
                self._over("cut")
            await self.body.cut()
        if number == how.error_after:
            error = filled(how.error.body, self.key) if how.error else None
            await self._end(self.wire.broken(self.said, error))
            return False
        if number == how.end_after:
            await self._end(b"")
            return False
        return True

    async def _hold(self) -> None:
        self.gate.clear()
        self.record.state = "held"  # A release sets “streaming” again.
        await self.gate.wait()

    async def _end(self, last: bytes) -> None:
        if last:
            await self._write(last)
        # Set it before the client can know, so that a disconnect now is no closing in the middle.
        self._over("finished")
        await self.body.end()

    def _over(self, state: State) -> None:
        self.record.state, self.record.ended_at = state, time.monotonic()

    async def _write(self, data: bytes) -> None:
        await self.body.write(data)
        self.record.size += len(data)


async def _refuse(writer: asyncio.StreamWriter, wire: Wire, error: ErrorAnswer, key: str) -> None:
    body = filled(wire.error(error.status) if error.body is None else error.body, key)
    headers = {wire.id_header(): "req_fake"} | filled(error.headers, key)
    await _respond(writer, error.status, body, headers)


def filled(value: Any, key: str) -> Any:
    """Fill the key into a scripted value, because some providers echo it."""
    if isinstance(value, str):
        return value.replace("{key}", key)
    if isinstance(value, dict):
        return {name: filled(inner, key) for name, inner in value.items()}
    return value


async def _read_call(reader: asyncio.StreamReader) -> Call:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ", 2)
    headers = {
        name.lower(): value.strip()
        for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    url = urlsplit(target)
    return Call(method, url.path, dict(parse_qsl(url.query)), headers, body)


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
