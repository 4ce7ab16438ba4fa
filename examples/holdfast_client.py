"""A client of Holdfast that survives any drop. It needs only `websockets`.

    holdfast = Holdfast("https://chat.example.org", "hft_…")
    reply = await holdfast.send("Why do tides lag the moon?", model="demo")
    async for so_far in holdfast.follow(reply["stream"]):
        print(so_far.text)

Whatever happens to the network or the server: a question is stored once, because its request has
an id, and a text continues after the last index that arrived. docs/protocol.md has all frames.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib import error, request
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

Frame = dict[str, Any]
Frames = AsyncGenerator[tuple[ClientConnection, Frame], None]
MAX_FRAME_CHARS = 4_096  # a longer message goes by POST
SILENCE_SECONDS = 30.0  # the server sends a ping every ten
PAUSE_SECONDS = 1.0
FINAL_CODES = {4401: "signed_out", 4403: "missing_right"}  # a new socket gets the same answer


class Refused(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code  # for programs: see docs/api.md and docs/protocol.md


@dataclass
class SoFar:
    """The text of a stream so far. `end` is its last frame, which says how it ended."""

    text: str = ""
    reasoning: str = ""
    cursor: int = -1
    end: Frame | None = None


class Holdfast:
    def __init__(self, url: str, token: str) -> None:
        self._url, self._headers = url.rstrip("/"), {"Authorization": f"Bearer {token}"}

    async def send(self, text: str, **fields: Any) -> Frame:
        """Ask in a new conversation, or in that of the field `conversation`; the other fields are
        those of the JSON API. Return the ids of conversation, question, message and stream."""
        command = {"type": "send", "request": str(uuid4()), "text": text, **fields}
        is_long = len(json.dumps(command)) > MAX_FRAME_CHARS
        return await (self._post if is_long else self._request)(command)

    async def continue_reply(self, answer: str) -> Frame:
        """Continue an answer that was stopped, interrupted or cut. Return the same ids."""
        return await self._request({"type": "continue", "request": str(uuid4()), "message": answer})

    async def stop(self, stream: str) -> None:
        """Stop a reply. Frames are handled in order, so the pong comes after the stop."""
        await self._request({"type": "stop", "stream": stream}, {"type": "ping", "n": 1})

    async def follow(self, stream: str) -> AsyncGenerator[SoFar, None]:
        """Yield the text whenever it has grown, until it has ended."""
        so_far, command = SoFar(), {"type": "follow", "stream": stream, "after": -1}
        async with aclosing(self._read_frames([command])) as frames:
            async for socket, frame in frames:
                match frame["type"]:
                    case "error":
                        raise Refused(frame["code"], frame["message"])
                    case "chunk" if frame["first"] == so_far.cursor + 1:
                        so_far.cursor = frame["index"]
                        so_far.text += frame["delta"] if frame["kind"] == "text" else ""
                        so_far.reasoning += frame["delta"] if frame["kind"] == "reasoning" else ""
                    case "snapshot":
                        so_far.text, so_far.reasoning = frame["text"], frame["reasoning"]
                        so_far.cursor = frame["index"]
                    case "end" if frame["next"] == so_far.cursor + 1:
                        so_far.end = frame
                    case "end" | "chunk" if frame.get("index", so_far.cursor + 1) > so_far.cursor:
                        await _send(socket, [command])  # there is a hole
                if so_far.cursor != command["after"] or so_far.end:
                    command["after"] = so_far.cursor
                    yield so_far
                if so_far.end:
                    return

    async def _post(self, fields: Frame) -> Frame:  # over HTTP, as often as it takes
        body = {k: v for k, v in fields.items() if k not in ("type", "request", "conversation")}
        path = f"/{fields['conversation']}/messages" if fields.get("conversation") else ""
        headers = {"Content-Type": "application/json", "Idempotency-Key": fields["request"]}
        data, url = json.dumps(body).encode(), f"{self._url}/api/conversations{path}"
        post = request.Request(url, data, self._headers | headers)  # noqa: S310 ours
        while True:
            with suppress(OSError, HTTPException, ValueError):  # of an answer that is cut
                try:
                    answer = await asyncio.to_thread(request.urlopen, post, timeout=SILENCE_SECONDS)
                    made = json.loads(await asyncio.to_thread(answer.read))
                    made |= {"message": made["answer"], "stream": made["answer"]["stream"]}
                    return {name: thing["id"] for name, thing in made.items()}
                except error.HTTPError as refused:
                    with refused:
                        if refused.code < 500:
                            problem = json.load(refused) if "json" in str(refused.headers) else {}
                            code, text = problem.get("code"), problem.get("detail")
                            raise Refused(code or "refused", text or str(refused)) from refused
            await asyncio.sleep(PAUSE_SECONDS)

    async def _request(self, *commands: Frame) -> Frame:
        async with aclosing(self._read_frames([*commands])) as frames:
            async for _, frame in frames:
                if frame["type"] == "error":
                    raise Refused(frame["code"], frame["message"])
                if frame["type"] == "pong" or "request" in frame:
                    return frame
        raise AssertionError("frames come until there is an answer")

    async def _read_frames(self, commands: list[Frame]) -> Frames:
        """Yield frames over as many sockets as it takes, each of which begins with the commands."""
        address = self._url.replace("http", "ws", 1) + "/ws/"
        while True:
            with suppress(OSError, TimeoutError, InvalidHandshake):
                try:
                    async with connect(address, additional_headers=self._headers) as socket:
                        await _send(socket, commands)
                        while True:
                            received = await asyncio.wait_for(socket.recv(), SILENCE_SECONDS)
                            frame: Frame = json.loads(received)
                            if frame["type"] == "ping":
                                await _send(socket, [{"type": "pong", "n": frame["n"]}])
                            yield socket, frame
                except ConnectionClosed as closed:
                    if closed.rcvd and 4400 <= closed.rcvd.code < 4500:
                        code = FINAL_CODES.get(closed.rcvd.code, "refused")
                        raise Refused(code, f"The server closes the socket: {code}.") from closed
                except InvalidStatus as refused:
                    if refused.response.status_code < 500:  # 5xx: a proxy whose server restarts
                        raise Refused("refused", str(refused)) from refused
            await asyncio.sleep(PAUSE_SECONDS)


async def _send(socket: ClientConnection, frames: list[Frame]) -> None:
    with suppress(ConnectionClosed):  # the next `recv` notices
        for frame in frames:
            await socket.send(json.dumps(frame))
