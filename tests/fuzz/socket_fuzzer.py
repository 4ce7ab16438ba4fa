"""Sends malformed frames to sockets, and reports server errors, crashes and leaks."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

from asgiref.sync import sync_to_async
from django.db import close_old_connections

from accounts.models import User
from streaming import journal, lifecycle
from streaming.events import Finish
from streaming.journal import Append
from streaming.lifecycle import Ending
from streaming.models import Kind, Stream
from tests.chat.factories import claim_reply, start_reply
from tests.factories import build_chunks
from tests.fuzz import sending
from tests.fuzz.people import People
from tests.fuzz.problems import ProblemHandler
from tests.fuzz.sending import RawRequest
from tests.fuzz.socket_inputs import SocketInputs

FRAMES_PER_SOCKET = 40
CLEAN_EVERY = 2_000
FOREIGN_TEXT = "canary-of-a-foreign-stream"
OWN_TEXT = "kelp "
CRASH_CODES = {1011, 4011}


class SocketFuzzer:
    """One run with a seed; `failures` describes the findings, a line each."""

    def __init__(self, application: Any, seed: int) -> None:
        self.application, self.seed = application, seed
        self.failures: list[str] = []
        self.answers: Counter[str] = Counter()
        self.people = People()
        self.inputs: SocketInputs

    async def prepare(self) -> None:
        own, foreign = await sync_to_async(self._create_streams)()
        self.inputs = SocketInputs(self.seed, own, foreign)

    def _create_streams(self) -> tuple[list[str], list[str]]:
        """Create a running and an ended stream of the person, and of the witness."""
        self.people.delete_objects()
        streams: list[list[str]] = []
        for number, text in ((9001, OWN_TEXT), (9003, FOREIGN_TEXT)):
            user = User.objects.get(pk=number)
            running, ended = (_write_stream(user, text) for _ in range(2))
            assert lifecycle.end(ended.pk, ended.epoch, Ending.from_finish(Finish("stop")))
            streams.append([str(running.uuid), str(ended.uuid)])
        close_old_connections()
        return streams[0], streams[1]

    async def run(self, numbers: range) -> None:
        for first in range(numbers.start, numbers.stop, FRAMES_PER_SOCKET):
            if first % CLEAN_EVERY < FRAMES_PER_SOCKET and first > numbers.start:
                await self.prepare()
            await self.try_inputs(first, min(first + FRAMES_PER_SOCKET, numbers.stop))

    async def try_inputs(self, first: int, end: int) -> None:
        """Open a socket and send the frames of these numbers. Few sockets are without a session,
        because the server lets the others wait."""
        role = "anonymous" if Random(first).random() < 0.005 else "person"
        frames = [*(self.inputs.build(number) for number in range(first, end)), self._last_frame]
        with ProblemHandler() as problems:
            try:
                answers = await self._exchange(role, frames)
            except Exception as error:
                self.failures.append(f"{self.seed}:{first} {error!r}: {frames!r:.3000}")
                return
        records = [logging.Formatter().format(record)[-1500:] for record in problems.records]
        codes = {answer.get("code") for answer in answers}
        text = " ".join(answer.get("text") or "" for answer in answers)
        for answer in answers:
            self.answers[(answer.get("text") or answer["type"])[:24]] += 1
        if records or not answers or codes & CRASH_CODES or FOREIGN_TEXT in text:
            problem = f"{records} {codes} {FOREIGN_TEXT in text}"
            self.failures.append(f"{self.seed}:{first} {problem}: {frames!r:.3000}")

    def _open(self, role: str) -> RawRequest:
        headers = [
            (b"host", b"127.0.0.1:8000"),
            (b"origin", b"http://127.0.0.1:8000"),
            (b"cookie", f"sessionid={self.people.sessions[role]}".encode()),
        ]
        return RawRequest("GET", "/ws/", headers)

    @property
    def _last_frame(self) -> str:
        """A command whose answer ends with the end of a stream."""
        return f'{{"type":"follow","stream":"{self.inputs.own[1]}"}}'

    async def _exchange(self, role: str, frames: Sequence[str | bytes]) -> list[Any]:
        return await sending.open_socket(
            self.application, self._open(role), frames, awaited='"type":"end"'
        )

    async def ask_as_person(self) -> str:
        """Return the frames that answer a well-formed command."""
        answers = await self._exchange("person", [self._last_frame])
        return " ".join(answer.get("text") or "" for answer in answers)


def _write_stream(user: User, text: str) -> Stream:
    """Return the running stream of a new reply, with three chunks."""
    stream = claim_reply(start_reply(user, "Why do tides lag the moon?"))
    chunks = tuple(build_chunks([(Kind.TEXT, text)] * 3))
    assert journal.append([Append(stream.pk, stream.uuid, stream.epoch, chunks)])
    return stream
