"""Programs that read a stream while it is written, and the core of the protocol's suite."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from pytest_django import Settings
from pytest_django.plugin import DjangoDbBlocker

from accounts.models import User
from accounts.tokens.models import Scope
from accounts.tokens.tokens import create_token
from chat.doors.durable_streams import writing
from chat.doors.durable_streams.protocol import encode_offset
from chat.doors.durable_streams.requests import Addition, Creation
from chat.models import Message
from streaming import journal, lifecycle
from streaming.journal import Append, Chunk
from streaming.models import Kind
from streaming.providers.reasoning_mark import REASONING_MARK, TEXT_MARK
from tests.chat.factories import claim_reply, finish_reply, start_reply, write_reply
from tests.skipping import skip_or_fail
from tests.streaming.conftest import run_web
from tests.streaming.factories import COMPLETED, append_chunks
from tools.deployment.deployment import Web
from tools.deployment.tcp_proxy import Line
from tools.services import node
from tools.services.durable_streams import follow_with_client, run_suite

pytestmark = pytest.mark.django_db(transaction=True)

PATH = "/v1/stream/"
TIMEOUT_SECONDS = 30.0
CORE = (
    "Basic Stream Operations|Append Operations|Read Operations|JSON Mode|Fork - Reading"
    "|Idempotent Producers with|Concurrent Writer|Fork - Recursive"
)
CORE_CASES = 50
TEXT = "Because of friction, and of the shape of the sea."


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def web(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, request: pytest.FixtureRequest
) -> Iterator[Web]:
    with run_web(request, request.param) as web:
        yield web


class Reader:
    """A program with a token."""

    def __init__(self, web: Web, user: User) -> None:
        token = create_token(user, "Reader", list(Scope), None)[1]
        self.client = httpx2.Client(
            base_url=web.url + PATH,
            headers={"Authorization": f"Bearer {token}"},
            timeout=TIMEOUT_SECONDS,
            trust_env=False,
        )

    def get(self, name: str, **query: str) -> httpx2.Response:
        return self.client.get(name, params=query)

    def append(self, name: str, body: bytes, **headers: str) -> None:
        sent = {"Content-Type": "text/plain", **headers}
        self.client.post(name, content=body, headers=sent).raise_for_status()

    @contextmanager
    def follow(self, name: str, offset: str = "-1") -> Iterator[Iterator[tuple[str, str]]]:
        """The events, as their names and data."""
        query = {"offset": offset, "live": "sse"}
        with self.client.stream("GET", name, params=query) as response:
            assert response.status_code == 200
            yield read_events(response)


def read_events(response: httpx2.Response) -> Iterator[tuple[str, str]]:
    name, data = "", []
    for line in response.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data:"):
            data.append(line.removeprefix("data:"))
        elif not line and name:
            yield name, "\n".join(data)
            name, data = "", []


@pytest.fixture
def reader(web: Web, owner: User) -> Iterator[Reader]:
    reader = Reader(web, owner)
    with reader.client:
        yield reader


def create_stream(owner: User, name: str = "live", content_type: str = "text/plain") -> None:
    writing.create(owner, name, Creation(content_type, None, "", None, False, None, b""))


def write_elsewhere(owner: User, body: bytes, *, closes: bool = False) -> None:
    """Write in this process, which has no hub: no notification is sent."""
    writing.append(owner, "live", Addition("text/plain", "", None, closes, body))


def read_control(event: tuple[str, str]) -> dict[str, object]:
    assert event[0] == "control"
    control: dict[str, object] = json.loads(event[1])
    return control


def test_events_arrive_from_any_process_with_and_without_notifications(
    owner: User, reader: Reader
) -> None:
    create_stream(owner)
    with reader.follow("live") as events:
        first = read_control(next(events))
        assert (first["streamNextOffset"], first["upToDate"]) == (encode_offset(0), True)
        reader.append("live", b"told ")
        assert next(events) == ("data", "told ")
        assert read_control(next(events))["streamNextOffset"] == encode_offset(5)
        write_elsewhere(owner, b"untold")
        assert next(events) == ("data", "untold")
        assert read_control(next(events))["streamNextOffset"] == encode_offset(11)
        write_elsewhere(owner, b"", closes=True)
        assert read_control(next(events))["streamClosed"] is True
        assert list(events) == []


def test_a_character_that_two_requests_share_arrives_whole(owner: User, reader: Reader) -> None:
    create_stream(owner)
    sea = "\N{WATER WAVE}".encode()
    with reader.follow("live") as events:
        next(events)
        reader.append("live", b"a" + sea[:2])
        assert next(events) == ("data", "a")
        control = read_control(next(events))
        assert control["streamNextOffset"] == encode_offset(1)
        assert "upToDate" not in control
    with reader.follow("live", encode_offset(1)) as events:
        assert read_control(next(events))["streamNextOffset"] == encode_offset(1)
        reader.append("live", sea[2:])
        assert next(events) == ("data", "\N{WATER WAVE}")
        assert read_control(next(events))["streamNextOffset"] == encode_offset(5)


def test_a_long_poll_waits_for_the_next_content(owner: User, reader: Reader) -> None:
    create_stream(owner)
    writer = threading.Timer(0.2, reader.append, ["live", b"text"])
    writer.start()
    answer = reader.get("live", offset="now", live="long-poll")
    writer.join()
    assert (answer.status_code, answer.content) == (200, b"text")
    assert answer.headers["Stream-Next-Offset"] == encode_offset(4)
    assert answer.headers["Stream-Cursor"].isdecimal()


def test_the_end_of_a_stream_ends_a_long_poll(owner: User, reader: Reader) -> None:
    create_stream(owner)
    writer = threading.Timer(0.2, reader.append, ["live", b""], {"Stream-Closed": "true"})
    writer.start()
    answer = reader.get("live", offset="now", live="long-poll")
    writer.join()
    assert (answer.status_code, answer.headers["Stream-Closed"]) == (204, "true")


def test_a_deleted_stream_ends_its_readers(owner: User, reader: Reader) -> None:
    create_stream(owner)
    with pytest.raises(httpx2.TransportError), reader.follow("live") as events:  # noqa: PT012
        next(events)
        reader.client.delete("live").raise_for_status()
        next(events)
    assert reader.get("live").status_code == 404


# Replies


def test_a_reply_is_read_while_it_is_written(owner: User, reader: Reader) -> None:
    reply = start_reply(owner)
    name = f"replies/{reply.stream.uuid}"
    with reader.follow(name) as events:
        assert read_control(next(events))["streamNextOffset"] == encode_offset(0)
        stream = write_reply(reply, TEXT, reasoning="Think")
        assert lifecycle.end(stream.pk, stream.epoch, COMPLETED)
        seen = list(events)
    assert "".join(data for event, data in seen if event == "data") == TEXT
    last = read_control(seen[-1])
    stream.refresh_from_db()
    assert last["streamNextOffset"] == encode_offset(stream.next_index)
    assert (last["streamClosed"], last["streamState"]) == (True, "completed")


def test_a_reply_is_the_same_after_each_of_its_offsets(owner: User, reader: Reader) -> None:
    reply = start_reply(owner)
    finish_reply(reply, TEXT)
    name, words = f"replies/{reply.stream.uuid}", TEXT.split(" ")
    for index in range(len(words) + 1):
        answer = reader.get(name, offset=encode_offset(index))
        assert answer.text == " ".join(words[index:])
        assert answer.headers["Stream-Next-Offset"] == encode_offset(len(words))
        assert answer.headers["Stream-Closed"] == "true"
        assert answer.headers["Stream-State"] == "completed"
    past = reader.get(name, offset=encode_offset(len(words) + 1))
    assert (past.status_code, past.json()["code"]) == (400, "bad_cursor")


def test_a_folded_reply_is_the_same_after_each_of_its_offsets(owner: User, reader: Reader) -> None:
    reply = start_reply(owner)
    finish_reply(reply, TEXT)
    _, rows = journal.read_text_and_rows(reply.stream.pk)
    journal.fold_chunks(reply.stream.pk, journal.pack_chunks(rows))
    name, words = f"replies/{reply.stream.uuid}", TEXT.split(" ")
    for index in range(len(words) + 1):
        answer = reader.get(name, offset=encode_offset(index))
        assert answer.text == " ".join(words[index:])
        assert answer.headers["Stream-Closed"] == "true"
        with reader.follow(name, encode_offset(index)) as events:
            seen = list(events)
        assert "".join(data for event, data in seen if event == "data") == answer.text
        assert read_control(seen[-1])["streamNextOffset"] == encode_offset(len(words))


def test_marks_of_reasoning_are_left_out_and_all_text_stays(
    owner: User, reader: Reader, settings: Settings
) -> None:
    reply = start_reply(owner)
    stream = claim_reply(reply)
    name = f"replies/{stream.uuid}"
    append_chunks(stream, "I think ", f"so.{REASONING_MARK}", "Be", "cause.", TEXT_MARK)
    with reader.follow(name) as events:
        assert lifecycle.end(stream.pk, stream.epoch, COMPLETED)
        live = "".join(data for event, data in events if event == "data")
    assert live == "I think so.Because."
    assert reader.get(name).text == live
    settings.STREAMING_FOLD_AFTER_SECONDS = 0
    lifecycle.fold_ended_streams()
    assert Message.objects.get(stream=stream).content == "Because."
    assert reader.get(name).text == live
    with reader.follow(name) as events:
        assert "".join(data for event, data in events if event == "data") == live
    for index, rest in enumerate(("I think so.Because.", "so.Because.", "Because.", "cause.", "")):
        assert reader.get(name, offset=encode_offset(index)).text == rest


def test_a_reply_without_cuts_is_read_from_its_start_or_its_end(
    owner: User, reader: Reader
) -> None:
    """An older version folded it."""
    reply = start_reply(owner)
    finish_reply(reply, TEXT)
    journal.fold_chunks(reply.stream.pk)
    name, end = f"replies/{reply.stream.uuid}", encode_offset(len(TEXT.split(" ")))
    for query in ({}, {"offset": "-1", "live": "long-poll"}):
        answer = reader.get(name, **query)
        assert (answer.text, answer.headers["Stream-Next-Offset"]) == (TEXT, end)
    last = reader.get(name, offset=end)
    assert (last.content, last.headers["Stream-Closed"]) == (b"", "true")
    for mode in ({}, {"live": "sse"}, {"live": "long-poll"}):
        middle = reader.get(name, offset=encode_offset(2), **mode)
        assert (middle.status_code, middle.json()["code"]) == (410, "folded")


def test_nobody_writes_replies_through_this_door(owner: User, reader: Reader) -> None:
    reply = start_reply(owner)
    name = f"replies/{reply.stream.uuid}"
    for method in ("PUT", "POST", "DELETE"):
        assert reader.client.request(method, name, content=b"x").status_code == 405
    fork = {"Stream-Forked-From": PATH + name, "Content-Type": "text/plain"}
    assert reader.client.put("fork", headers=fork).status_code == 400
    claim_reply(reply)
    assert reader.client.head(name).headers["Stream-Next-Offset"] == encode_offset(0)


# The protocol's own client


class Writing:
    """Writes the words of a text, and at last the end."""

    def __init__(self, owner: User) -> None:
        self.owner, self.name = owner, "live"
        create_stream(owner)

    def write(self, word: str) -> None:
        write_elsewhere(self.owner, word.encode())

    def end(self) -> None:
        write_elsewhere(self.owner, b"", closes=True)


class ReplyWriting(Writing):
    def __init__(self, owner: User) -> None:
        self.stream = claim_reply(start_reply(owner))
        self.name, self.index, self.length = f"replies/{self.stream.uuid}", 0, 0

    def write(self, word: str) -> None:
        chunk = Chunk(self.index, self.index, Kind.TEXT, word, self.length)
        stream = self.stream
        assert journal.append([Append(stream.pk, stream.uuid, stream.epoch, (chunk,))])
        self.index, self.length = self.index + 1, self.length + len(word)

    def end(self) -> None:
        assert lifecycle.end(self.stream.pk, self.stream.epoch, COMPLETED)


@pytest.mark.parametrize("mode", ["sse", "long-poll"])
@pytest.mark.parametrize("written", [Writing, ReplyWriting])
def test_the_stock_client_reads_everything_over_a_line_that_is_cut(
    web: Web, owner: User, mode: str, written: type[Writing]
) -> None:
    writing_of_test = written(owner)
    words = iter(re.findall(r"\S+\s+\S+\s*", TEXT))
    token = create_token(owner, "Client", [Scope.READ], None)[1]
    writing_of_test.write(next(words))
    text = ""
    with Line(web.port) as line:
        address = f"{line.url}{PATH}{writing_of_test.name}"
        with follow_or_skip(address, token, mode) as pieces:
            for number, piece in enumerate(pieces):
                text += piece
                if number % 2:
                    line.cut()
                word = next(words, None)
                writing_of_test.write(word) if word else writing_of_test.end()
                line.mend()
                if word is None:
                    break
            text += "".join(pieces)
    assert text == TEXT


@contextmanager
def follow_or_skip(address: str, token: str, mode: str) -> Iterator[Iterator[str]]:
    try:
        with follow_with_client(address, token, mode) as pieces:
            yield pieces
    except node.Missing as missing:
        skip_or_fail(str(missing))


def test_the_program_of_the_document_runs(web: Web, owner: User) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "durable-streams.md").read_text()
    program = page.partition("```python\n")[2].partition("```")[0]
    token = create_token(owner, "Program", [Scope.WRITE], None)[1]
    result = subprocess.run(
        [sys.executable, "-c", program],
        env={"HOLDFAST": web.url, "TOKEN": token, "no_proxy": "*"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == '[{"at":"06:12"},{"at":"18:40"}]\n'


def test_the_core_of_the_suite_of_the_protocol_passes(web: Web, owner: User) -> None:
    token = create_token(owner, "Suite", [Scope.WRITE], None)[1]
    try:
        report = run_suite(web.url, token, CORE)
    except node.Missing as missing:
        skip_or_fail(str(missing))
    assert report.failed == [], report.messages
    assert len(report.passed) >= CORE_CASES
