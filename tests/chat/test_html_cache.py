"""The HTML of replies is rendered once, cached within limits, and never shown when outdated."""

from collections.abc import Callable
from hashlib import sha256
from random import Random
from threading import Barrier, Event, Thread
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.utils import translation

from accounts.models import User
from chat.models import Conversation, Message, RenderedText
from chat.rendering import cache
from chat.rendering.cache import MemoryCache, MessageHtmlLoader, compute_digest, purge_cache
from chat.rendering.complexity import MAX_COST
from chat.rendering.markdown import RENDERER_VERSION, to_html
from streaming.worker.buffer import MAX_STREAM_CHARS

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def message(owner: User) -> Message:
    conversation = Conversation.objects.create(user=owner, title="Tides")
    return Message.objects.create(
        conversation=conversation, role="assistant", content="a **b**", is_complete=True
    )


@pytest.fixture
def rendered_texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that were rendered, with an empty memory cache."""
    texts: list[str] = []

    def render_and_count(text: str, *rest: object, **named: object) -> str:
        texts.append(text)
        return to_html(text, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(cache, "to_html", render_and_count)
    monkeypatch.setattr(cache, "memory_cache", MemoryCache())
    return texts


@pytest.fixture
def view_message(
    as_owner: Client, message: Message, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], str]:
    """View the message with an empty memory cache, as in a new process."""

    def view() -> str:
        monkeypatch.setattr(cache, "memory_cache", MemoryCache())
        return as_owner.get(f"/m/{message.pk}/").content.decode()

    return view


def test_an_ended_reply_is_rendered_once_for_all_processes(
    view_message: Callable[[], str], rendered_texts: list[str]
) -> None:
    assert "<strong>b</strong>" in view_message()
    assert "<strong>b</strong>" in view_message()
    assert rendered_texts == ["a **b**"]


def test_a_reply_whose_html_is_much_larger_is_rendered_once(
    view_message: Callable[[], str], rendered_texts: list[str]
) -> None:
    text = "&" * 400_000
    Message.objects.update(content=text)
    first = view_message()
    assert first.count("&amp;") == 400_000
    assert view_message() == first
    assert rendered_texts == [text]
    assert RenderedText.objects.get().size < 50_000


def test_the_longest_reply_of_random_signs_is_stored(
    view_message: Callable[[], str], rendered_texts: list[str]
) -> None:
    Message.objects.update(content="".join(Random(1).choices("&<>\"'", k=MAX_STREAM_CHARS)))
    view_message()
    view_message()
    assert len(rendered_texts) == 1


def test_a_row_of_a_version_without_compression_is_replaced(
    view_message: Callable[[], str], message: Message, rendered_texts: list[str]
) -> None:
    outdated = sha256(f"{RENDERER_VERSION} {MAX_COST} \na **b**".encode()).hexdigest()
    RenderedText.objects.create(
        message=message, field="content", digest=outdated, html="<p>old</p>", size=10
    )
    assert "<strong>b</strong>" in view_message()
    assert "<strong>b</strong>" in view_message()
    assert rendered_texts == ["a **b**"]


def test_a_changed_text_or_renderer_is_rendered_again(
    view_message: Callable[[], str],
    message: Message,
    rendered_texts: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    view_message()
    Message.objects.update(content="a *c*")
    assert "<em>c</em>" in view_message()
    monkeypatch.setattr(cache, "RENDERER_VERSION", RENDERER_VERSION + 1)
    view_message()
    view_message()
    assert rendered_texts == ["a **b**", "a *c*", "a *c*"]
    assert RenderedText.objects.filter(message=message).count() == 1


def test_a_row_is_deleted_with_its_message(
    view_message: Callable[[], str], message: Message
) -> None:
    view_message()
    message.conversation.delete()
    assert not RenderedText.objects.exists()


def test_rows_of_messages_that_an_older_version_deleted_are_purged(
    view_message: Callable[[], str], message: Message
) -> None:
    view_message()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM chat_message")
    assert RenderedText.objects.count() == 1
    purge_cache()
    assert not RenderedText.objects.exists()


def test_the_oldest_rows_beyond_the_limit_are_purged(
    message: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "MAX_TABLE_BYTES", 250)
    for field in ("a", "b", "c"):
        RenderedText.objects.create(message=message, field=field, digest="", html="", size=100)
    purge_cache()
    assert set(RenderedText.objects.values_list("field", flat=True)) == {"b", "c"}


def test_a_large_one_is_not_stored(
    view_message: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "MAX_ROW_BYTES", 10)
    assert "<strong>b</strong>" in view_message()
    assert not RenderedText.objects.exists()


def test_two_views_at_once_both_get_the_html(message: Message) -> None:
    loaders = [MessageHtmlLoader([message.pk]) for _ in range(2)]
    htmls = [loader.render_ended(message.pk, "content", "a") for loader in loaders]
    for loader in loaders:
        loader.save_new_rows()
    assert htmls == ["<p>a</p>"] * 2
    assert RenderedText.objects.count() == 1


def test_a_database_that_rejects_rows_breaks_no_view(
    view_message: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE chat_renderedtext RENAME COLUMN size TO bytes")
    try:
        loader = MessageHtmlLoader([])
        loader.render_ended(uuid4(), "content", "a")
        loader.save_new_rows()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE chat_renderedtext RENAME COLUMN bytes TO size")
    assert "<strong>b</strong>" in view_message()


def test_html_in_another_language_is_an_entry_of_its_own() -> None:
    with translation.override("de"):
        german = compute_digest("a", [], MAX_COST)
    assert compute_digest("a", [], MAX_COST) != german


# In memory


def test_a_slow_text_does_not_block_another_one() -> None:
    memory, started, may_finish = MemoryCache(), Event(), Event()

    def slow() -> str:
        started.set()
        assert may_finish.wait(10)
        return "slow"

    thread = Thread(target=memory.get, args=("slow", slow))
    thread.start()
    assert started.wait(10)
    assert memory.get("other", lambda: "quick") == "quick"
    may_finish.set()
    thread.join()


def test_threads_that_need_one_text_render_it_once() -> None:
    memory, barrier, calls = MemoryCache(), Barrier(8), list[int]()

    def render() -> str:
        calls.append(1)
        return "html"

    def get_html() -> None:
        barrier.wait(10)
        memory.get("same", render)

    threads = [Thread(target=get_html) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1


def test_memory_drops_the_least_recently_used_beyond_its_limit() -> None:
    memory = MemoryCache(max_bytes=10)
    for digest in ("a", "b"):
        memory.get(digest, lambda: "12345")
    memory.get("a", lambda: "not rendered again")
    memory.get("c", lambda: "12345")
    assert memory.get("a", lambda: "again") == "12345"
    assert memory.get("b", lambda: "again") == "again"
    assert memory.get("huge", lambda: "x" * 11) == "x" * 11
