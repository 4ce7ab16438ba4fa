"""Cases that the suite of the protocol lacks: other people, limits, large streams, deletion."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from urllib.parse import quote

import pytest
from django.utils import timezone

from accounts.deletion.registry import DATA_KINDS
from accounts.models import User
from accounts.tokens.models import Scope
from chat.doors.durable_streams import reading, space
from chat.doors.durable_streams.expiry import delete_expired_streams
from chat.doors.durable_streams.models import (
    DurableProducer,
    DurableRecord,
    DurableSpace,
    DurableStream,
)
from chat.doors.durable_streams.protocol import REQUEST_HEADERS, encode_offset
from chat.doors.durable_streams.requests import MAX_APPEND_BYTES
from tests.chat.durable_streams.conftest import JSON, PATH, StreamClient, create_client

pytestmark = pytest.mark.django_db

OF_PRODUCER = {"Producer_Id": "kelp", "Producer_Epoch": "0", "Producer_Seq": "0"}


# People


def test_a_foreign_stream_is_answered_like_none(
    program: StreamClient, foreign_program: StreamClient
) -> None:
    program.create("notes", b"mine")
    for method, body in (("GET", b""), ("HEAD", b""), ("POST", b"x"), ("DELETE", b"")):
        foreign = foreign_program.send(method, "notes", body)
        missing = foreign_program.send(method, "nothing", body)
        assert foreign.status_code == missing.status_code == 404
        assert foreign.content == missing.content
    fork = foreign_program.send("PUT", "fork", Stream_Forked_From=f"{PATH}notes")
    assert fork.status_code == 404
    assert program.read("notes") == b"mine"


def test_two_people_use_one_name_for_their_streams(
    program: StreamClient, foreign_program: StreamClient
) -> None:
    program.create("notes", b"mine")
    foreign_program.create("notes", b"theirs")
    assert (program.read("notes"), foreign_program.read("notes")) == (b"mine", b"theirs")


def test_reading_and_writing_need_their_rights(owner: User, program: StreamClient) -> None:
    program.create("notes", b"text")
    reader, gateway = create_client(owner, Scope.READ), create_client(owner, Scope.GATEWAY)
    assert reader.read("notes") == b"text"
    assert gateway.send("GET", "notes").status_code == 403
    for method in ("PUT", "POST", "DELETE"):
        answer = reader.send(method, "notes", b"x")
        assert (answer.status_code, answer.json()["code"]) == (403, "missing_right")
    assert program.read("notes") == b"text"


def test_a_session_has_no_access(owner: User, program: StreamClient) -> None:
    program.create("notes", b"text")
    program.client.force_login(owner)
    assert program.client.get(f"{PATH}notes").status_code == 401


@pytest.mark.parametrize("name", ["replies/notes", "__ds", "__ds/subscriptions/x"])
def test_reserved_names_are_refused(program: StreamClient, name: str) -> None:
    answer = program.send("PUT", name)
    assert (answer.status_code, answer.json()["code"]) == (403, "reserved_name")
    assert not DurableStream.objects.exists()


def test_a_name_is_any_text_of_a_path(program: StreamClient) -> None:
    program.create("a/b%20c/%C3%A9", b"text")
    assert DurableStream.objects.get().name == "a/b c/\u00e9"
    program.create("fork", Stream_Forked_From=f"{PATH}a/b%20c/%C3%A9")
    assert program.read("fork") == b"text"


# Large content


@pytest.mark.parametrize("content_type", ["application/octet-stream", JSON])
def test_a_long_stream_is_read_in_bounded_pages(
    program: StreamClient, content_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_PAGE_RECORDS", 7)
    program.create("long", content_type=content_type)
    parts = [b"%d" % (10_000 + number) for number in range(50)]
    for part in parts:
        assert program.append("long", part, content_type).status_code == 204
    pages, offset = program.read_all("long")
    assert len(pages) > 5
    if content_type == JSON:
        assert b",".join(page[1:-1] for page in pages) == b",".join(parts)
    else:
        assert b"".join(pages) == b"".join(parts)
    assert offset == encode_offset(50 if content_type == JSON else 250)


def test_a_page_ends_before_it_is_too_large(
    program: StreamClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    program.create("long")
    for letter in (b"a", b"b", b"c"):
        program.append("long", letter * MAX_APPEND_BYTES)
    pages, _ = program.read_all("long")
    assert [len(page) for page in pages] == [MAX_APPEND_BYTES] * 3


def test_a_reader_may_continue_at_any_byte(program: StreamClient) -> None:
    program.create("text", b"hold")
    program.append("text", b"fast")
    for position in range(9):
        offset = encode_offset(position)
        assert program.read(f"text?offset={offset}") == b"holdfast"[position:]
    past = program.send("GET", f"text?offset={encode_offset(9)}")
    assert (past.status_code, past.json()["code"]) == (400, "bad_cursor")


def test_a_body_that_is_too_large_is_refused_whole(program: StreamClient) -> None:
    program.create("text", b"kept")
    answer = program.append("text", b"x" * (MAX_APPEND_BYTES + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert program.read("text") == b"kept"


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data; boundary=x", "application/x-www-form-urlencoded"]
)
def test_the_body_of_a_form_is_stored_as_it_is(program: StreamClient, content_type: str) -> None:
    body = b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n--x--\r\n"
    program.create("form", body, content_type)
    assert program.append("form", body, content_type).status_code == 204
    assert program.read("form") == body * 2


# Forks


def test_forks_of_forks_are_read_through_each_of_them(program: StreamClient) -> None:
    program.create("0", b"0")
    for level in range(1, 6):
        fork = {"Stream_Forked_From": f"{PATH}{level - 1}"}
        program.create(str(level), b"%d" % level, **fork)
        program.append(str(level - 1), b"later")
    assert program.read("5") == b"012345"
    assert [program.read_all(str(level))[0] for level in (0, 3)] == [[b"0later"], [b"0123later"]]


def test_a_fork_inside_a_request_has_only_its_beginning(program: StreamClient) -> None:
    program.create("source", b'[1,{"a":2},3,4]', JSON)
    start = encode_offset(0)
    headers = {"Stream_Forked_From": f"{PATH}source", "Stream_Fork_Offset": start}
    program.create("fork", b"[5]", JSON, **headers, Stream_Fork_Sub_Offset="2")
    program.create("next", b"[6]", JSON, **{**headers, "Stream_Forked_From": f"{PATH}fork"})
    assert program.read("fork") == b'[1,{"a":2},5]'
    assert program.read("next") == b"[6]"
    again = program.send("PUT", "fork", b"[5]", JSON, **headers, Stream_Fork_Sub_Offset="2")
    assert again.status_code == 200


def test_forks_are_not_endlessly_deep(
    program: StreamClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat.doors.durable_streams.forks.MAX_DEPTH", 2)
    program.create("0")
    for level in (1, 2):
        program.create(str(level), Stream_Forked_From=f"{PATH}{level - 1}")
    assert program.send("PUT", "3", Stream_Forked_From=f"{PATH}2").status_code == 400


def test_a_source_lives_as_long_as_its_forks(program: StreamClient) -> None:
    program.create("source", b"shared ")
    program.create("fork", b"own", Stream_Forked_From=f"{PATH}source")
    assert program.send("DELETE", "source").status_code == 204
    assert program.send("GET", "source").status_code == 410
    assert program.send("PUT", "source").status_code == 409
    assert program.read("fork") == b"shared own"
    same = program.send("PUT", "fork", Stream_Forked_From=f"{PATH}source")
    assert same.status_code == 200
    assert program.send("DELETE", "fork").status_code == 204
    assert not DurableStream.objects.exists()
    assert not DurableRecord.objects.exists()
    program.create("source", b"new")


# Limits


def count_space(owner: User) -> tuple[int, int]:
    row = DurableSpace.objects.get(user=owner)
    return row.stream_count, row.byte_count


def test_deleted_streams_take_no_space(owner: User, program: StreamClient) -> None:
    program.create("text", b"x" * 1_000)
    program.append("text", b"y" * 1_000, **OF_PRODUCER)
    program.create("fork", b"z", Stream_Forked_From=f"{PATH}text")
    streams, size = count_space(owner)
    assert (streams, size) == (2, sum(s.byte_count for s in DurableStream.objects.all()))
    assert size > 2_000
    program.send("DELETE", "text")
    assert count_space(owner) == (2, size)  # the fork needs it
    program.send("DELETE", "fork")
    assert count_space(owner) == (0, 0)
    assert not DurableProducer.objects.exists()


def test_a_full_space_refuses_content_and_streams_until_something_is_deleted(
    program: StreamClient, foreign_program: StreamClient, settings: object
) -> None:
    settings.MAX_STREAM_BYTES_PER_USER = 10_000  # type: ignore[attr-defined]
    program.create("text", b"x" * 9_000)
    full = program.append("text", b"y" * 1_000)
    assert (full.status_code, full.json()["code"]) == (413, "no_space")
    assert program.send("PUT", "more", b"y" * 1_000).status_code == 413
    assert len(program.read("text")) == 9_000
    assert [stream.name for stream in DurableStream.objects.all()] == ["text"]
    foreign_program.create("text", b"x" * 9_000)
    program.send("DELETE", "text")
    program.create("more", b"y" * 1_000)


def test_a_person_has_only_so_many_streams(
    owner: User, program: StreamClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(space, "MAX_DURABLE_STREAMS_PER_USER", 2)
    program.create("1")
    program.create("2")
    answer = program.send("PUT", "3")
    assert (answer.status_code, answer.json()["code"]) == (413, "too_many_streams")
    assert program.send("PUT", "2").status_code == 200
    assert count_space(owner)[0] == 2


# Requests that are sent again


def test_a_refused_request_leaves_the_producer_where_it_was(program: StreamClient) -> None:
    program.create("json", content_type=JSON)
    assert program.append("json", b"{", JSON, **OF_PRODUCER).status_code == 400
    assert program.append("json", b"1", JSON, **OF_PRODUCER).status_code == 200
    assert program.append("json", b"1", JSON, **OF_PRODUCER).status_code == 204
    assert program.read("json") == b"[1]"


def test_only_the_close_itself_may_be_sent_again(program: StreamClient) -> None:
    program.create("text")
    program.append("text", b"a", **OF_PRODUCER)
    close = OF_PRODUCER | {"Producer_Seq": "1", "Stream_Closed": "true"}
    assert program.append("text", b"b", **close).status_code == 200
    assert program.append("text", b"b", **close).status_code == 204
    for other in (OF_PRODUCER, close | {"Producer_Id": "other", "Producer_Seq": "0"}):
        answer = program.append("text", b"c", **other)
        assert (answer.status_code, answer.headers["Stream-Closed"]) == (409, "true")
    assert program.read("text") == b"ab"


# The end of streams


def expire(name: str) -> None:
    past = timezone.now() - timedelta(seconds=1)
    DurableStream.objects.filter(name=name).update(expires_at=past)


def test_workers_delete_expired_streams(owner: User, program: StreamClient) -> None:
    program.create("short", b"text", Stream_TTL="60")
    program.create("source", b"text", Stream_TTL="60")
    program.create("fork", Stream_Forked_From=f"{PATH}source", Stream_TTL="600")
    program.create("kept", b"text")
    expire("short")
    expire("source")
    assert program.send("GET", "short").status_code == 404
    assert program.send("GET", "source").status_code == 410
    delete_expired_streams()
    names = DurableStream.objects.order_by("name").values_list("name", flat=True)
    assert list(names) == ["fork", "kept", "source"]
    assert program.read("fork") == b"text"
    expire("fork")
    delete_expired_streams()
    assert [stream.name for stream in DurableStream.objects.all()] == ["kept"]
    assert count_space(owner)[0] == 1


def test_an_expired_name_can_be_used_again(program: StreamClient) -> None:
    program.create("name", b"old", Stream_TTL="60")
    expire("name")
    program.create("name", b"new")
    assert program.read("name") == b"new"


def test_streams_are_deleted_with_their_account(
    owner: User, program: StreamClient, foreign_program: StreamClient
) -> None:
    program.create("source")
    for number in range(12):
        program.append("source", b"x", **OF_PRODUCER | {"Producer_Seq": str(number)})
    program.create("fork", b"y", Stream_Forked_From=f"{PATH}source")
    foreign_program.create("theirs", b"kept")
    kind = DATA_KINDS["streams of programs"]
    rounds = 0
    while kind.delete_of_account(owner.pk, 5):
        rounds += 1
    assert rounds > 3
    assert [stream.name for stream in DurableStream.objects.all()] == ["theirs"]
    assert DurableRecord.objects.count() == 1
    assert DurableSpace.objects.count() == 1
    assert not DurableProducer.objects.exists()
    assert foreign_program.read("theirs") == b"kept"


# Odd requests


@pytest.mark.parametrize(
    "time",
    ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-11-30", "2026-13-01T00Z"],
)
def test_times_that_no_clock_reaches_are_refused(program: StreamClient, time: str) -> None:
    assert program.send("PUT", "text", Stream_Expires_At=time).status_code == 400


ODD_VALUES = [
    *(
        "",
        " ",
        "0",
        "1",
        "-1",
        "+1",
        "01",
        "1.5",
        "1e3",
        "9" * 30,
        "x" * 201,
        "now",
        "true",
        "TRUE",
    ),
    *(
        "\u00e9",
        "%00",
        "../..",
        "a,b",
        '"',
        "2026-13-01T00:00:00Z",
        "2026-11-30",
        "9999-12-31T23:59Z",
    ),
    *("text/plain", "application/json", "application/json; charset=utf-8", "/", "replies/x"),
    *(encode_offset(0), encode_offset(3), encode_offset(10**15), "long-poll", "sse", "W/*"),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", f"{PATH}text", f"{PATH}%00", PATH),
]
ODD_HEADERS = [*REQUEST_HEADERS, "Content-Type"]
ODD_BODIES = [b"", b"text", b"[]", b"[1, 2]", b"{", b"\xff", b"[" * 50_000, b"1e999"]


@pytest.mark.parametrize("seed", range(4))
def test_odd_requests_are_never_errors_of_the_server(program: StreamClient, seed: int) -> None:
    chance = Random(seed)
    program.create("text", b"abc")
    program.create("json", b"[1,2,3]", JSON)
    seen = set()
    for _ in range(150):
        headers = {
            name.replace("-", "_"): chance.choice(ODD_VALUES)
            for name in chance.sample(ODD_HEADERS, chance.randint(0, 5))
        }
        query = "&".join(
            f"{name}={quote(chance.choice(ODD_VALUES))}"
            for name in chance.sample(["offset", "live", "cursor", "offset"], chance.randint(0, 3))
        )
        name = chance.choice(["text", "json", "none", "replies/x", "a" * 400, "%00", "%FF", "fork"])
        answer = program.send(
            chance.choice(["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"]),
            f"{name}?{query}",
            chance.choice(ODD_BODIES),
            headers.pop("Content_Type", "text/plain"),
            **headers,
        )
        assert answer.status_code < 500, (name, query, headers)
        seen.add(answer.status_code)
    assert {200, 201, 204, 400, 404, 405} <= seen
