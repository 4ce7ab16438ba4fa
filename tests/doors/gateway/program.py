"""A program of a person, and the worker that writes its replies."""

from __future__ import annotations

import json
from typing import Any, Self

from django.test import Client

from accounts.models import User
from accounts.tokens.models import Scope
from accounts.tokens.tokens import create_token
from chat.doors.gateway import ids
from chat.models import Conversation
from chat.replies.limits import ROW_CHARS
from streaming import journal, lifecycle
from streaming.events import Finish
from streaming.journal import Append
from streaming.lifecycle import Ending
from streaming.models import Stream
from tests.factories import Piece, build_chunks
from tools.waiting import until

COMPLETED = Ending.from_finish(Finish("stop", {"input": 12, "output": 7, "reasoning": 3}))


class Program:
    """Sends JSON with a token, through the whole handler."""

    def __init__(self, token: str) -> None:
        self.client = Client()
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    @classmethod
    def of(cls, user: User, *scopes: Scope) -> Self:
        return cls(create_token(user, "Program", scopes or [Scope.GATEWAY], None)[1])

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Return the response, with `data` for its JSON: None for one that follows a stream."""
        response: Any = self.client.generic(
            method,
            f"/v1{path}",
            json.dumps(body) if body is not None else "",
            content_type="application/json",
            headers=self.headers | {name.replace("_", "-"): v for name, v in headers.items()},
        )
        response.data = None if response.streaming else json.loads(response.content)
        return response

    def get(self, path: str) -> Any:
        return self.send("GET", path)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.send("POST", path, body, **headers)

    def ask(self, input: Any = "Why?", **parameters: Any) -> Any:
        """Ask for a background response, whose object is the answer. It must be accepted."""
        body = {"model": "demo", "input": input, "background": True} | parameters
        response = self.post("/responses", body)
        assert response.status_code == 200, response.data
        return response.data


def write_response(id: str, *pieces: Piece, ending: Ending | None = COMPLETED) -> Stream:
    """Write the reply of a response as a worker: a row for each piece. None leaves it running."""
    return write_stream(find_stream(id), *pieces, ending=ending)


def write_stream(stream: Stream, *pieces: Piece, ending: Ending | None = COMPLETED) -> Stream:
    claimed = lifecycle.claim_stream(lifecycle.register_worker("test"), stream)
    assert claimed is not None
    if pieces:
        chunks = tuple(build_chunks(pieces))
        assert journal.append([Append(claimed.pk, claimed.uuid, claimed.epoch, chunks)])
    if ending:
        assert lifecycle.end(claimed.pk, claimed.epoch, ending)
    return claimed


def find_stream(id: str) -> Stream:
    uuid = ids.parse_id(ids.RESPONSE, id)
    assert uuid
    return Stream.objects.get(uuid=uuid)


def wait_for_stream(user: User) -> Stream:
    """The stream that a request in another thread is about to start."""
    found = until(
        lambda: Stream.objects.owned_by(user).unfinished().first(), what="a stream", within=20
    )
    assert found is not None
    return found


def create(program: Program, **parameters: Any) -> str:
    made = program.post("/conversations", parameters)
    assert made.status_code == 200, made.data
    id: str = made.data["id"]
    return id


def list_texts(program: Program, path: str, query: str = "?order=asc") -> list[tuple[str, str]]:
    """The role and the text of each message of a list."""
    page = program.get(f"{path}{query}").data
    return [
        (item["role"], item["content"][0]["text"])
        for item in page["data"]
        if item["type"] == "message"
    ]


def count_chars(id: str) -> int:
    """Those that count as stored, without the rows of the messages."""
    conversation = Conversation.objects.get(pk=id.removeprefix("conv_"))
    assert conversation.stored_chars is not None
    return conversation.stored_chars - ROW_CHARS * conversation.messages.count()
