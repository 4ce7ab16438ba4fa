"""The HTML of replies is made once, kept within bounds, and never shown when it is outdated."""

from collections.abc import Callable
from hashlib import sha256
from random import Random
from threading import Barrier, Event, Thread
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client

from accounts.models import User
from chat import rendered
from chat.complexity import MAX_COST
from chat.models import Conversation, Message, RenderedText
from chat.rendered import Memory, Rendered, sweep
from chat.rendering import RENDERER, to_html
from streaming.worker.buffer import MAX_STREAM_CHARS

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def reply(owner: User) -> Message:
    conversation = Conversation.objects.create(user=owner, title="Tides")
    return Message.objects.create(
        conversation=conversation, role="assistant", content="a **b**", is_complete=True
    )


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that were rendered. Nothing is in memory."""
    texts: list[str] = []

    def counted(text: str, *rest: object, **named: object) -> str:
        texts.append(text)
        return to_html(text, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(rendered, "to_html", counted)
    monkeypatch.setattr(rendered, "memory", Memory())
    return texts


@pytest.fixture
def look(as_owner: Client, reply: Message, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """See the reply as a process that has nothing in its memory."""

    def seen() -> str:
        monkeypatch.setattr(rendered, "memory", Memory())
        return as_owner.get(f"/m/{reply.pk}/").content.decode()

    return seen


def test_an_ended_reply_is_rendered_once_for_all_processes(
    look: Callable[[], str], made: list[str]
) -> None:
    assert "<strong>b</strong>" in look()
    assert "<strong>b</strong>" in look()
    assert made == ["a **b**"]


def test_a_reply_whose_html_is_several_times_its_size_is_rendered_once(
    look: Callable[[], str], made: list[str]
) -> None:
    text = "&" * 400_000
    Message.objects.update(content=text)
    first = look()
    assert first.count("&amp;") == 400_000
    assert look() == first
    assert made == [text]
    assert RenderedText.objects.get().size < 50_000


def test_the_longest_reply_of_signs_in_no_order_is_kept(
    look: Callable[[], str], made: list[str]
) -> None:
    Message.objects.update(content="".join(Random(1).choices("&<>\"'", k=MAX_STREAM_CHARS)))
    look()
    look()
    assert len(made) == 1


def test_a_row_of_a_version_that_packed_nothing_is_made_again(
    look: Callable[[], str], reply: Message, made: list[str]
) -> None:
    outdated = sha256(f"{RENDERER} {MAX_COST} \na **b**".encode()).hexdigest()
    RenderedText.objects.create(
        message=reply, field="content", digest=outdated, html="<p>old</p>", size=10
    )
    assert "<strong>b</strong>" in look()
    assert "<strong>b</strong>" in look()
    assert made == ["a **b**"]


def test_another_text_or_renderer_is_rendered_again_when_it_is_looked_at(
    look: Callable[[], str], reply: Message, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    look()
    Message.objects.update(content="a *c*")
    assert "<em>c</em>" in look()
    monkeypatch.setattr(rendered, "RENDERER", RENDERER + 1)
    look()
    look()
    assert made == ["a **b**", "a *c*", "a *c*"]
    assert RenderedText.objects.filter(message=reply).count() == 1


def test_what_is_kept_goes_with_its_message(look: Callable[[], str], reply: Message) -> None:
    look()
    reply.conversation.delete()
    assert not RenderedText.objects.exists()


def test_a_process_that_does_not_know_the_table_can_delete_and_the_rest_is_swept(
    look: Callable[[], str], reply: Message
) -> None:
    look()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM chat_message")
    assert RenderedText.objects.count() == 1
    sweep()
    assert not RenderedText.objects.exists()


def test_the_oldest_rows_go_beyond_the_bound(
    reply: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendered, "MAX_KEPT_BYTES", 250)
    for field in ("a", "b", "c"):
        RenderedText.objects.create(message=reply, field=field, digest="", html="", size=100)
    sweep()
    assert set(RenderedText.objects.values_list("field", flat=True)) == {"b", "c"}


def test_a_large_one_is_not_kept_in_the_table(
    look: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendered, "MAX_ROW_BYTES", 10)
    assert "<strong>b</strong>" in look()
    assert not RenderedText.objects.exists()


def test_two_who_look_at_once_both_see_it(reply: Message) -> None:
    both = [Rendered([reply.pk]) for _ in range(2)]
    htmls = [one.ended(reply.pk, "content", "a") for one in both]
    for one in both:
        one.keep()
    assert htmls == ["<p>a</p>"] * 2
    assert RenderedText.objects.count() == 1


def test_a_database_that_can_not_be_written_breaks_no_view(
    look: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE chat_renderedtext RENAME COLUMN size TO bytes")
    try:
        one = Rendered([])
        one.ended(uuid4(), "content", "a")
        one.keep()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE chat_renderedtext RENAME COLUMN bytes TO size")
    assert "<strong>b</strong>" in look()


# In memory


def test_one_text_that_takes_long_holds_up_nobody_who_asks_for_another() -> None:
    memory, started, go_on = Memory(), Event(), Event()

    def slow() -> str:
        started.set()
        assert go_on.wait(10)
        return "slow"

    thread = Thread(target=memory.get, args=("slow", slow))
    thread.start()
    assert started.wait(10)
    assert memory.get("other", lambda: "quick") == "quick"
    go_on.set()
    thread.join()


def test_those_who_ask_for_one_text_at_once_have_it_made_once() -> None:
    memory, together, calls = Memory(), Barrier(8), list[int]()

    def make() -> str:
        calls.append(1)
        return "html"

    def ask() -> None:
        together.wait(10)
        memory.get("same", make)

    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1


def test_memory_forgets_what_was_used_longest_ago_beyond_its_bytes() -> None:
    memory = Memory(most=10)
    for digest in ("a", "b"):
        memory.get(digest, lambda: "12345")
    memory.get("a", lambda: "not made again")
    memory.get("c", lambda: "12345")
    assert memory.get("a", lambda: "again") == "12345"
    assert memory.get("b", lambda: "again") == "again"
    assert memory.get("huge", lambda: "x" * 11) == "x" * 11
