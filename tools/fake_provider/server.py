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
from tools.fake_provider.background_reply import StoredReply
from tools.fake_provider.behaviour import Behaviour, ErrorAnswer, Record, State
from tools.fake_provider.google_generate import GoogleGenerate
from tools.fake_provider.oddities import Oddity, split_events
from tools.fake_provider.oddity_table import ODDITIES
from tools.fake_provider.openai_chat import OpenAIChat
from tools.fake_provider.openai_responses import OpenAIResponses
from tools.fake_provider.prompt_cache import PromptCache
from tools.fake_provider.prompt_directives import default_reply
from tools.fake_provider.wire import HttpRequest, Reply, Wire, dump_json

WIRES: tuple[Wire, ...] = (
    OpenAIChat(),
    OpenAIResponses(),
    AnthropicMessages(),
    GoogleGenerate(),
)
# Most providers have the same path of the list. OpenAI's requests have no header of their own, so
# that its wires come last.
MODEL_LIST_WIRES: tuple[Wire, ...] = tuple(reversed(WIRES))


class ConnectionCut(Exception):
    """Drops the connection."""


class FakeServer:
    """Takes scripts, sends replies, records everything. Belongs to one event loop."""

    def __init__(self, *, delay: float = 0.0) -> None:
        self.delay = delay
        self.behaviours: list[Behaviour] = []
        self.records: list[Record] = []
        self.list_records: list[Record] = []
        self.stored_replies: dict[str, StoredReply] = {}
        self.gates: dict[int, asyncio.Event] = {}
        self.ids = itertools.count(1)
        self.prompt_cache = PromptCache()

    @asynccontextmanager
    async def listen(self, port: int = 0) -> AsyncIterator[int]:
        """Listen on loopback and yield the port; at the end, drop every connection."""
        tasks: set[asyncio.Task[None]] = set()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            await self._serve_connection(reader, writer)

        server = await asyncio.start_server(accept, "127.0.0.1", port)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        sock: socket.socket = writer.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Many tests are about a client that disconnects, so this is no error of the fake.
        with (
            contextlib.closing(writer),
            contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ConnectionCut),
        ):
            request = await _read_request(reader)
            await self._route_request(request, reader, writer)

    async def _route_request(
        self, request: HttpRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if request.path.startswith("/_fake/"):
            await _send_response(writer, *self._run_command(request))
        elif wire := next((w for w in MODEL_LIST_WIRES if w.is_model_list_request(request)), None):
            await self._serve_model_list(wire, request, writer)
        elif stored := self._find_stored_reply(request):
            await self._serve_stored_reply(stored, request, reader, writer)
        elif wire := next((w for w in WIRES if w.is_reply_request(request)), None):
            await self._serve_reply(wire, request, reader, writer)
        else:
            await _send_response(writer, 404, {"error": {"message": f"No wire for {request.path}"}})

    async def _serve_model_list(
        self, wire: Wire, request: HttpRequest, writer: asyncio.StreamWriter
    ) -> None:
        key = wire.get_key(request.headers)
        self.list_records.append(record := self._create_record(wire.name, request, key, "", {}))
        behaviour = self._take_scripted("models", "") or Behaviour()
        await asyncio.sleep(behaviour.first_delay)
        odd = _find_odd_list(request.path)
        if behaviour.error:
            await _send_error(writer, wire, behaviour.error, key)
        elif odd:
            await _send_response(writer, 200, odd.model_list, {"Content-Type": "application/json"})
        else:
            await _send_response(writer, 200, wire.build_model_list(), behaviour.headers)
        record.state = "finished"

    # Control

    def _run_command(self, request: HttpRequest) -> tuple[int, Any]:
        commands: dict[tuple[str, str], Callable[[dict[str, Any]], Any]] = {
            ("POST", "/_fake/script"): self._add_behaviours,
            ("POST", "/_fake/release"): self._release_held,
            ("POST", "/_fake/reset"): self._clear_all,
            ("GET", "/_fake/requests"): self._get_records,
            ("GET", "/_fake/lists"): self._get_list_records,
        }
        command = commands.get((request.method, request.path))
        return (200, command(request.json())) if command else (404, {"error": "no such command"})

    def _add_behaviours(self, data: dict[str, Any]) -> Any:
        entries = data.get("behaviours", [data])
        self.behaviours += [Behaviour.from_json(entry) for entry in entries]
        return {"queued": len(self.behaviours)}

    def _release_held(self, data: dict[str, Any]) -> Any:
        held = [r for r in self.records if r.state == "held" and data.get("id") in {None, r.id}]
        for record in held:
            record.state = "streaming"
            self.gates[record.id].set()
        return {"released": [record.id for record in held]}

    def _clear_all(self, data: dict[str, Any]) -> Any:
        self.behaviours.clear()
        self.records.clear()
        self.list_records.clear()
        self.prompt_cache.clear()
        return {}

    def _get_records(self, data: dict[str, Any]) -> Any:
        return {"count": len(self.records), "requests": [asdict(r) for r in self.records]}

    def _get_list_records(self, data: dict[str, Any]) -> Any:
        return {"count": len(self.list_records), "requests": [asdict(r) for r in self.list_records]}

    # Replies

    def _choose_behaviour(self, prompt: str) -> Behaviour:
        unscripted = replace(default_reply(prompt), delay=self.delay)
        return self._take_scripted("reply", prompt) or unscripted

    def _take_scripted(self, on: str, prompt: str) -> Behaviour | None:
        for index, behaviour in enumerate(self.behaviours):
            if behaviour.on == on and (behaviour.prompt is None or behaviour.prompt in prompt):
                if behaviour.times == 1:
                    del self.behaviours[index]
                elif behaviour.times is not None:
                    self.behaviours[index] = replace(behaviour, times=behaviour.times - 1)
                return behaviour
        return None

    def _create_record(
        self, wire: str, request: HttpRequest, key: str, prompt: str, body: dict[str, Any]
    ) -> Record:
        return Record(
            id=next(self.ids),
            wire=wire,
            path=request.path,
            key=hashlib.sha256(key.encode()).hexdigest()[:12] if key else "absent",
            prompt=prompt,
            headers={
                name: value for name, value in request.headers.items() if not (key and key in value)
            },
            body=body,
            started_at=time.monotonic(),
        )

    async def _serve_reply(
        self,
        wire: Wire,
        request: HttpRequest,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        body, key = request.json(), wire.get_key(request.headers)
        prompt = wire.get_prompt(body)
        self.records.append(record := self._create_record(wire.name, request, key, prompt, body))
        if refusal := wire.find_error(request):
            await _send_error(writer, wire, refusal, key)
            record.state, record.ended_at = "finished", time.monotonic()
            return
        behaviour = self._choose_behaviour(prompt)
        if behaviour.counts_tokens:
            counted = wire.count_prompt(request, self.prompt_cache)
            behaviour = replace(behaviour, usage=replace(counted, output=len(behaviour.pieces)))
        gate = self.gates[record.id] = asyncio.Event()
        reply = Reply(wire.get_model(request), body, behaviour, id=f"resp_{record.id:08d}")
        if body.get("background") and not (behaviour.error and behaviour.error.status):
            stored = self.stored_replies[reply.id] = StoredReply(wire, reply, record)
            stored.generate(_ReplySender(wire, reply, record, gate, stored, key).send())
            await self._send_stored_reply(stored, record, 0, reader, writer)
            return
        sender = _ReplySender(wire, reply, record, gate, _ResponseBody(writer, behaviour), key)
        if not await _run_until_disconnect(sender.send(), reader) and record.ended_at is None:
            record.state, record.closed_at = "closed", time.monotonic()

    # Stored replies

    def _find_stored_reply(self, request: HttpRequest) -> StoredReply | None:
        match = re.fullmatch(r".*/responses/([^/]+)(/cancel)?", request.path)
        return self.stored_replies.get(match.group(1)) if match else None

    async def _serve_stored_reply(
        self,
        stored: StoredReply,
        request: HttpRequest,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Resume a reply for a client, or cancel it."""
        cancels = request.method == "POST"
        name = f"{stored.wire.name}.{'cancelled' if cancels else 'attached'}"
        query: dict[str, Any] = dict(request.query)
        key = stored.wire.get_key(request.headers)
        self.records.append(
            record := self._create_record(name, request, key, stored.record.prompt, query)
        )
        if cancels:
            stored.cancel()
            record.state, record.ended_at = "finished", time.monotonic()
            await _send_response(
                writer, 200, OpenAIResponses().build_cancelled_response(stored.reply)
            )
        elif behaviour := self._take_scripted("attach", ""):
            assert behaviour.error
            await _send_error(writer, stored.wire, behaviour.error, key)
            record.state, record.ended_at = "finished", time.monotonic()
        else:
            after = int(request.query.get("starting_after", "-1")) + 1
            await self._send_stored_reply(stored, record, after, reader, writer)

    async def _send_stored_reply(
        self,
        stored: StoredReply,
        record: Record,
        first: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Send a stored reply's events from a number on, for as long as the client is connected."""
        body = _ResponseBody(writer, stored.reply.behaviour)
        body.send_headers(stored.wire)
        record.state = "streaming" if record is not stored.record else record.state
        if not await _run_until_disconnect(stored.follow(first, body), reader):
            record.closed_at = time.monotonic()
        if record is not stored.record:
            record.state, record.ended_at = "finished", time.monotonic()


def get_odd_name(model: str) -> str:
    """Return the oddity that a model is named for; empty for any other model."""
    return model.removeprefix("odd-") if model.startswith("odd-") else ""


def _find_odd_list(path: str) -> Oddity | None:
    match = re.match(r"/odd-([a-z-]+)/", path)
    odd = ODDITIES.get(match[1]) if match else None
    return odd if odd and odd.model_list else None


async def _run_until_disconnect(
    coroutine: Coroutine[Any, Any, None], reader: asyncio.StreamReader
) -> bool:
    """Run the coroutine. Return False if the client disconnects before the end."""
    task = asyncio.create_task(coroutine)
    watcher = asyncio.create_task(_wait_for_disconnect(reader))
    try:
        await asyncio.wait({watcher, task}, return_when=asyncio.FIRST_COMPLETED)
        if task.done() and not isinstance(task.exception(), ConnectionError):
            await task
            return True
        return False
    finally:
        watcher.cancel()
        task.cancel()


class _ResponseBody:
    """The body of a response on a connection, in the chunks and packets of a behaviour."""

    def __init__(self, writer: asyncio.StreamWriter, behaviour: Behaviour) -> None:
        self.writer = writer
        self.behaviour = behaviour
        self.size = 0

    def send_headers(self, wire: Wire, more: dict[str, str] | None = None) -> None:
        """Send the status and the headers."""
        headers = {
            "Content-Type": "text/event-stream; charset=utf-8",
            "Transfer-Encoding": "chunked",
            wire.get_id_header(): self.behaviour.request_id,
        }
        self.writer.write(_format_head(200, headers | (more or {})))

    async def write(self, data: bytes) -> None:
        """Write one chunk of the body for each packet, so that clients see every boundary."""
        for packet in self._split_packets(data):
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
        raise ConnectionCut

    def _split_packets(self, data: bytes) -> list[bytes]:
        size = self.behaviour.packet or len(data)
        boundaries = {at - self.size for at in self.behaviour.split_at}
        cuts = sorted(boundaries & set(range(1, len(data))) | set(range(0, len(data), size)))
        return [data[a:b] for a, b in zip(cuts, [*cuts[1:], len(data)], strict=True)]


class _ReplySender:
    """Sends one reply of a behaviour, into a body or a stored reply."""

    def __init__(
        self,
        wire: Wire,
        reply: Reply,
        record: Record,
        gate: asyncio.Event,
        body: _ResponseBody | StoredReply,
        key: str,
    ) -> None:
        self.wire = wire
        self.reply = reply
        self.behaviour = reply.behaviour
        self.record = record
        self.gate = gate
        self.body = body
        self.key = key

    async def send(self) -> None:
        wire, behaviour = self.wire, self.behaviour
        odd = ODDITIES.get(behaviour.odd or get_odd_name(self.reply.model))
        error = odd.find_answer(self.reply.body) if odd else behaviour.error
        if error and error.status:
            assert isinstance(self.body, _ResponseBody)
            await _send_error(self.body.writer, wire, error, self.key)
            self._record_end("finished")
            return
        if odd and odd.ending == "silence":
            self.record.state = "stalled"
            await asyncio.Event().wait()
        headers = fill_key(behaviour.headers, self.key) | (odd.headers if odd else {})
        self.body.send_headers(wire, headers)
        self.record.state = "streaming"
        if odd:
            await self._send_bent(odd)
            return
        if behaviour.extra:
            await self._write_bytes(behaviour.extra)
        await self._write_bytes(wire.format_start(self.reply))
        due = time.monotonic() + behaviour.first_delay
        for number, piece in enumerate(behaviour.pieces):
            if not await self._apply_fault(number):
                return
            if behaviour.first_delay or behaviour.delay:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                due += behaviour.delay
            await self._write_bytes(wire.format_delta(self.reply, piece))
            self.record.sent = number + 1
        if await self._apply_fault(len(behaviour.pieces)):
            await self._finish(wire.format_end(self.reply, behaviour.finish, behaviour.usage))

    async def _send_bent(self, odd: Oddity) -> None:
        behaviour, wire = self.behaviour, self.wire
        body = wire.format_start(self.reply)
        body += b"".join(wire.format_delta(self.reply, piece) for piece in behaviour.pieces)
        body += wire.format_end(self.reply, behaviour.finish, behaviour.usage)
        for packet in odd.bend(split_events(body)):
            await self._write_bytes(packet)
        if odd.ending == "cut":
            self._record_end("cut")
            await self.body.cut()
        await self._finish(b"")

    async def _apply_fault(self, number: int) -> bool:
        """Apply the faults before this delta. Return False if the reply has ended."""
        behaviour = self.behaviour
        if number in behaviour.hold_after:
            await self._wait_for_release()
        if number == behaviour.stall_after:
            self.record.state = "stalled"
            await asyncio.Event().wait()
        if number == behaviour.cut_after:
            if isinstance(self.body, _ResponseBody):
                self._record_end("cut")
            await self.body.cut()
        if number == behaviour.error_after:
            error = fill_key(behaviour.error.body, self.key) if behaviour.error else None
            await self._finish(self.wire.format_error(self.reply, error))
            return False
        if number == behaviour.end_after:
            await self._finish(b"")
            return False
        return True

    async def _wait_for_release(self) -> None:
        self.gate.clear()
        self.record.state = "held"  # A release sets “streaming” again.
        await self.gate.wait()

    async def _finish(self, last: bytes) -> None:
        if last:
            await self._write_bytes(last)
        # Set it before the client can know, so that a disconnect now is no closing in the middle.
        self._record_end("finished")
        await self.body.end()

    def _record_end(self, state: State) -> None:
        self.record.state, self.record.ended_at = state, time.monotonic()

    async def _write_bytes(self, data: bytes) -> None:
        await self.body.write(data)
        self.record.size += len(data)


async def _send_error(
    writer: asyncio.StreamWriter, wire: Wire, error: ErrorAnswer, key: str
) -> None:
    body = fill_key(wire.build_error(error.status) if error.body is None else error.body, key)
    headers = {wire.get_id_header(): "req_fake"} | fill_key(error.headers, key)
    await _send_response(writer, error.status, body, headers)


def fill_key(value: Any, key: str) -> Any:
    """Fill the key into a scripted value, because some providers echo it."""
    if isinstance(value, str):
        return value.replace("{key}", key)
    if isinstance(value, dict):
        return {name: fill_key(inner, key) for name, inner in value.items()}
    return value


async def _read_request(reader: asyncio.StreamReader) -> HttpRequest:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ", 2)
    headers = {
        name.lower(): value.strip()
        for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    url = urlsplit(target)
    return HttpRequest(method, url.path, dict(parse_qsl(url.query)), headers, body)


async def _wait_for_disconnect(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(ConnectionError):
        await reader.read()


async def _send_response(
    writer: asyncio.StreamWriter, status: int, body: Any, headers: dict[str, str] | None = None
) -> None:
    data = body.encode(errors="surrogateescape") if isinstance(body, str) else dump_json(body)
    kind = "text/plain" if isinstance(body, str) else "application/json"
    size = str(len(data))
    writer.write(
        _format_head(status, {"Content-Type": kind, "Content-Length": size, **(headers or {})})
    )
    writer.write(data)
    await writer.drain()


def _format_head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Fake", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
