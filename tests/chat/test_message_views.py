"""A message on a page: its text, its source for scripts, its state, errors and details."""

import json
import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.db.models import F
from django.test import Client

from accounts.models import User
from chat.models import Conversation, Message
from chat.replies import Reply
from streaming import journal, lifecycle
from streaming.events import Finish, SourceError
from streaming.lifecycle import Ending
from streaming.models import Stream, StreamChunk
from streaming.providers import catalog, missing_answer
from streaming.providers.errors import (
    CutOff,
    Interrupted,
    InvalidKey,
    NoCredit,
    NoPermission,
    NoResponse,
    ProviderError,
    UnreadableList,
)
from tests.chat.factories import (
    QUESTION,
    claim_reply,
    find_article,
    finish_reply,
    get_path,
    read_html,
    start_reply,
    write_reply,
)


def read_source(shown: str, reply: Reply) -> dict[str, Any]:
    """Return the Markdown that the page holds beside the HTML of a reply."""
    found = re.search(
        rf'<script id="source-{reply.answer.pk}" type="application/json">(.*?)</script>', shown
    )
    assert found, shown
    parsed: dict[str, Any] = json.loads(found[1])
    return parsed


def test_the_address_of_a_message_leads_to_it_in_its_conversation(
    as_owner: Client, visitor: Client, reply: Reply
) -> None:
    address = f"/m/{reply.question.pk}/place/"
    place = f"{get_path(reply)}?leaf={reply.question.pk}#m-{reply.question.pk}"
    assert as_owner.get(address).headers["Location"] == place
    assert QUESTION in read_html(as_owner.get(place))
    assert visitor.get(address).headers["Location"] == f"/accounts/login/?next={address}"


def test_a_growing_reply_is_on_the_page_with_its_source_and_its_index(
    as_owner: Client, reply: Reply
) -> None:
    text = "The *moon* pulls 🌊 on an ocean\r\nthat cannot "
    stream = write_reply(reply, text, reasoning="Think of friction.")
    shown = find_article(read_html(as_owner.get(get_path(reply))), reply.answer)
    assert 'aria-busy="true"' in shown
    live = (
        f'<live-reply data-stream="{stream.uuid}" data-index="9" data-state="running" '
        f'data-message="{reply.answer.pk}">'
    )
    assert live in shown
    assert "<p>The <em>moon</em> pulls 🌊 on an ocean" in shown
    assert read_source(shown, reply) == {
        "text": text,
        "reasoning": "Think of friction.",
        "index": 9,
        "seams": [],
    }


def test_the_source_of_a_finished_reply_equals_the_providers_text(
    as_owner: Client, reply: Reply
) -> None:
    text = "</script><!-- é e\u0301 \u2028 👩‍👩‍👧\r\n\tend "
    finish_reply(reply, text)
    shown = find_article(read_html(as_owner.get(get_path(reply))), reply.answer)
    assert read_source(shown, reply)["text"] == text
    assert "aria-busy" not in shown
    assert "live-reply" not in shown


def test_html_that_a_model_writes_is_shown_as_text(as_owner: Client, reply: Reply) -> None:
    finish_reply(reply, '<img src=x onerror="alert(1)"> <script>alert(1)</script>')
    prose = find_article(read_html(as_owner.get(get_path(reply))), reply.answer).split(
        "<script id="
    )[0]
    assert "&lt;img src=x" in prose
    assert "<img" not in prose
    assert "<script>" not in prose


def test_a_question_is_shown_as_it_was_typed(as_owner: Client, owner: User) -> None:
    own = start_reply(owner, "<b>  *two*\n  lines</b>")
    shown = find_article(read_html(as_owner.get(get_path(own))), own.question)
    assert "&lt;b&gt;  *two*\n  lines&lt;/b&gt;</div>" in shown


def test_a_resumed_reply_shows_its_seam(as_owner: Client, reply: Reply) -> None:
    write_reply(reply, "First part.\n\n", seam=True)
    shown = find_article(read_html(as_owner.get(get_path(reply))), reply.answer)
    assert "Server restarted; reply continued" in shown
    assert read_source(shown, reply)["seams"] == [13]


def test_a_message_is_the_same_on_the_page_and_by_itself(as_owner: Client, reply: Reply) -> None:
    finish_reply(reply, "# Tides\n\n1. one\n2. two")
    alone = read_html(as_owner.get(f"/m/{reply.answer.pk}/"))
    together = read_html(as_owner.get(get_path(reply)))
    flat = re.compile(r"\s+")
    assert flat.sub(" ", find_article(alone, reply.answer)) in flat.sub(" ", together)


CUT_OFF = CutOff("insufficient_system_resource")
CUT_OFF.interrupted = True

ENDINGS: list[tuple[Ending, str, list[str]]] = [
    (Ending.from_finish(Finish("stop")), "", []),
    (Ending.from_finish(Finish("unknown")), "", []),
    (Ending.from_finish(Finish("length")), "Reached the length limit", []),
    (
        Ending.from_finish(Finish("length", detail="model_length")),
        "Reached the length limit: model_length",
        [],
    ),
    (Ending.from_finish(Finish("tool_calls")), "Wanted to call a tool", []),
    (Ending.from_finish(Finish("other")), "", []),
    (Ending.from_finish(Finish("other", detail="<new>")), "Ended by the server: <new>", []),
    (
        Ending.from_error(CUT_OFF),
        "Interrupted",
        [
            "Cut off by the server: insufficient_system_resource",
            "Continue where it stopped",
            "/continuations/",
        ],
    ),
    (lifecycle.STOPPED, "Stopped", []),
    (
        Ending.from_error(InvalidKey(provider="OpenAI", detail="401: wrong")),
        "Failed",
        [
            "OpenAI rejected your API key.",
            "The partial reply is saved.",
            'href="/settings/keys/"',
            "401: wrong",
        ],
    ),
    (
        Ending.from_error(Interrupted(provider="OpenAI")),
        "Interrupted",
        ["The connection to OpenAI broke in the middle of the reply.", "Continue where it stopped"],
    ),
    (
        Ending.internal_error(),
        "Failed",
        ["Something broke on this server.", "contact your administrator"],
    ),
]


def test_a_reply_that_ends_without_a_reason_is_complete(as_owner: Client, reply: Reply) -> None:
    finish_reply(reply, "All there is.", Ending.from_finish(Finish("unknown")))
    shown = find_article(read_html(as_owner.get(f"/m/{reply.answer.pk}/")), reply.answer)
    assert "<dt>Finish reason</dt><dd>unknown</dd>" in shown
    assert "/continuations/" not in shown
    reply.answer.refresh_from_db()
    assert reply.answer.is_complete
    reply.conversation.refresh_from_db()
    assert reply.conversation.status == Conversation.ReplyStatus.COMPLETED


FIRST_BUTTON = {
    "invalid_key": "Update key",
    "no_permission": "Update key",
    "no_credit": "Update key",
    "rate_limited": "Try again",
    "overloaded": "Try again",
    "account_settings": "Choose another model",
    "context_too_long": "New chat",
    "exceeds_rate_limit": "New chat",
    "out_of_memory": "Choose another model",
    "proxy_failed": "Choose another model",
    "wrong_address": "Choose another model",
    "model_not_found": "Choose another model",
    "bad_request": "Choose another model",
    "refused": "Edit your message",
    "limit_reached": "Choose another model",
    "timeout": "Try again",
    "cut_off": "Try again",
    "network": "Try again",
    "internal": "Try again",
}


def test_every_class_of_error_has_a_message_and_a_first_button(
    as_owner: Client, reply: Reply
) -> None:
    endings = {
        kind.code: Ending.from_error(kind(provider="OpenAI"))
        for kind in ProviderError.__subclasses__()
        if kind not in {Interrupted, UnreadableList}  # no reply ends with a list of models
    }
    endings["internal"] = Ending.internal_error()
    assert endings.keys() == FIRST_BUTTON.keys(), "every class of errors needs a first button"
    finish_reply(reply, "What there was.", Ending.internal_error())
    messages = set()
    for code, ending in endings.items():
        Stream.objects.filter(pk=reply.stream.pk).update(error_class=code, error=ending.error)
        shown = unescape(
            find_article(read_html(as_owner.get(f"/m/{reply.answer.pk}/")), reply.answer)
        )
        assert f'<p class="error-title what">{ending.error}</p>' in shown
        [button] = re.findall(r'<div class="error-action fix">(.*?)</div>', shown, re.DOTALL)
        assert FIRST_BUTTON[code] in button, code
        assert code in shown, "among the details"
        messages.add(ending.error)
    assert len(messages) == len(endings)


@pytest.mark.parametrize("kind", [InvalidKey, NoPermission, NoCredit, NoResponse])
def test_an_error_of_a_server_that_is_set_up_without_keys_asks_nobody_for_one(
    as_owner: Client, reply: Reply, monkeypatch: pytest.MonkeyPatch, kind: type[ProviderError]
) -> None:
    lab = catalog.Provider("lab", "Lab", needs_key=False, base_url="http://127.0.0.1:9/v1")
    monkeypatch.setitem(catalog.PROVIDERS, "lab", lab)
    Message.objects.filter(pk=reply.answer.pk).update(provider="lab")
    error = kind(provider="Lab", is_keyless=True)
    finish_reply(reply, "What there was.", Ending.from_error(error))
    page = unescape(read_html(as_owner.get(f"/m/{reply.answer.pk}/")))
    shown = find_article(page, reply.answer)
    assert error.message in shown
    [button] = re.findall(r'<div class="error-action fix">(.*?)</div>', shown, re.DOTALL)
    assert "Choose another model" in button
    for misleading in ("/settings/keys/", "your API key", "Use a key", "another key"):
        assert misleading not in shown


@pytest.mark.parametrize(("ending", "words", "card"), ENDINGS)
def test_an_ended_reply_shows_its_text_and_how_it_ended(
    as_owner: Client, reply: Reply, ending: Ending, words: str, card: list[str]
) -> None:
    finish_reply(reply, "What there was.", ending)
    shown = unescape(find_article(read_html(as_owner.get(f"/m/{reply.answer.pk}/")), reply.answer))
    state = re.search(r'<span class="state"[^>]*>(.*?)</span>', shown)
    assert state
    assert state[1] == words
    assert "<p>What there was.</p>" in shown
    assert ('class="error-card ' in shown) == bool(card)
    assert [line for line in card if line not in shown] == []


def test_an_unfinished_reply_shows_what_it_waits_for_or_does(
    as_owner: Client, owner: User, reply: Reply
) -> None:
    second = start_reply(owner, "And then?", reply.conversation)
    assert "Queued after the previous one" in read_html(as_owner.get(f"/m/{second.answer.pk}/"))
    lifecycle.claim(lifecycle.register_worker("test"), 1)
    assert "Connecting" in read_html(as_owner.get(f"/m/{reply.answer.pk}/"))


def test_a_reply_with_reasoning_only_is_shown_as_thinking(as_owner: Client, reply: Reply) -> None:
    write_reply(reply, "", reasoning="Hm.")
    shown = find_article(read_html(as_owner.get(get_path(reply))), reply.answer)
    assert '<span class="state" data-severity="" data-tone="">Thinking</span>' in shown
    assert "<summary>Thinking</summary>" in shown
    assert "<p>Hm.</p>" in shown


ANSWERLESS = [
    Ending.from_error(SourceError("only_reasoning", "Only thoughts, no answer.")),
    Ending.from_error(SourceError("interrupted", "It broke.", interrupted=True)),
    Ending.from_finish(Finish("stop")),  # such replies were complete once
    lifecycle.STOPPED,
]


@pytest.mark.parametrize("ending", ANSWERLESS)
def test_reasoning_without_an_answer_is_open_and_can_be_copied(
    as_owner: Client, reply: Reply, ending: Ending
) -> None:
    stream = write_reply(reply, "\n", reasoning="Hm.")
    growing = read_html(as_owner.get(f"/m/{reply.answer.pk}/"))
    assert '<details class="reasoning" data' in growing
    assert lifecycle.end(stream.pk, stream.epoch, ending)
    shown = find_article(read_html(as_owner.get(f"/m/{reply.answer.pk}/")), reply.answer)
    assert '<details class="reasoning" open>' in shown
    assert "data-copy=" in shown
    assert "/versions/" in shown
    assert "The partial reply is saved" not in shown
    assert ("Only thoughts, no answer" in shown) == (ending in (ANSWERLESS[0], ANSWERLESS[2]))


def test_an_empty_reply_says_what_may_help(as_owner: Client, reply: Reply) -> None:
    ending = Ending.from_error(SourceError("empty_reply", missing_answer.NO_TEXT))
    stream = claim_reply(reply)
    assert lifecycle.end(stream.pk, stream.epoch, ending)
    shown = find_article(read_html(as_owner.get(f"/m/{reply.answer.pk}/")), reply.answer)
    assert "The prompt may be too long for the model as loaded." in shown
    assert "start a new chat" in shown
    assert "Try again</button>" in shown
    assert "data-copy=" not in shown
    reply.answer.refresh_from_db()
    assert not reply.answer.is_complete


def test_reasoning_is_folded_under_how_long_it_took(as_owner: Client, reply: Reply) -> None:
    stream = write_reply(reply, "Friction.", reasoning="Hm.")
    text = StreamChunk.objects.filter(stream=stream, index=1)
    text.update(created_at=F("created_at") + timedelta(seconds=12))
    growing = read_html(as_owner.get(get_path(reply)))
    assert "<summary>Thought for 12 s</summary>" in growing
    assert lifecycle.end(stream.pk, stream.epoch, Ending.from_finish(Finish("stop")))
    journal.delete_streams([stream.pk])
    ended = read_html(as_owner.get(get_path(reply)))
    assert "<summary>Thought for 12 s</summary>" in ended, "without the journal, too"
