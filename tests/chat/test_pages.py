"""The pages as a browser gets them: with scripts and without, for their owner and for others."""

import json
import re
import uuid
from dataclasses import replace
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import anonymous_limits, keys
from accounts.models import ApiKey, KeyStatus, ListedModel, User
from chat import articles, sidebar
from chat.forms import MESSAGE_LIMIT
from chat.models import Conversation, Message
from chat.pages import MAX_DRAFT_BYTES
from chat.replies import Reply
from streaming import journal, lifecycle
from streaming.events import Finish
from streaming.lifecycle import Ending
from streaming.models import State, Stream, StreamChunk
from streaming.providers import catalog
from streaming.providers.errors import Interrupted, InvalidKey, ProviderError
from tests.chat.asking import HTMX, ask, finish, html, page, write

KEY = "sk-harbour-0123456789-ab12"
QUESTION = "Why do tides lag the moon?"


@pytest.fixture
def visitor(db: None) -> Client:
    """Somebody who is not signed in."""
    return Client()


@pytest.fixture
def reply(owner: User) -> Reply:
    """A question of the owner, and a reply that nobody has begun."""
    return ask(owner, QUESTION)


def source(shown: str, reply: Reply) -> dict[str, Any]:
    """The Markdown that is beside the HTML of a reply."""
    found = re.search(
        rf'<script id="source-{reply.answer.pk}" type="application/json">(.*?)</script>', shown
    )
    assert found, shown
    parsed: dict[str, Any] = json.loads(found[1])
    return parsed


def article(shown: str, message: Message) -> str:
    """One message out of a page or fragment, without the white space around it."""
    found = re.search(rf'<article class="message" id="m-{message.pk}".*?</article>', shown, re.S)
    assert found, shown
    return found[0]


def form(**fields: Any) -> dict[str, Any]:
    return {"text": QUESTION, "model": "demo", "request_id": str(uuid.uuid4())} | fields


def without_token(response: Any) -> str:
    """The page without what differs every time it is rendered."""
    return re.sub(r"[A-Za-z0-9]{64}", "", response.content.decode())


def box(shown: str) -> str:
    """What stands in the text box; a line end right after the tag is not part of it."""
    found = re.search(r'<textarea id="text"[^>]*>\n(.*?)</textarea>', shown, re.S)
    assert found, shown
    return unescape(found[1])


# Who is not signed in


def test_a_visitor_sees_what_this_is_and_how_to_begin(visitor: Client) -> None:
    shown = html(visitor.get("/"))
    assert "Replies that hold on." in shown
    assert 'href="/accounts/signup/"' in shown
    assert 'href="/accounts/login/"' in shown


def test_a_visitor_comes_back_to_the_conversation_after_signing_in(
    visitor: Client, reply: Reply
) -> None:
    response = visitor.get(page(reply))
    assert response.headers["Location"] == f"/accounts/login/?next={page(reply)}"


def test_a_message_sent_without_signing_in_is_found_again_after_it(
    visitor: Client, owner: User, password: str
) -> None:
    sent = visitor.post("/c/", form(text="Half a thought\r\nand more", model="demo-slow"))
    where = sent.headers["Location"]
    assert where == "/accounts/login/?next=/"
    visitor.post(where, {"login": owner.email, "password": password, "next": "/"})
    shown = html(visitor.get("/"))
    assert box(shown) == "Half a thought\r\nand more"
    assert re.search(r'<option value="demo-slow"[^>]* selected', shown)
    assert box(html(visitor.get("/"))) == "Half a thought\r\nand more", "a reload loses nothing"
    visitor.post("/c/", form())
    assert box(html(visitor.get("/"))) == "", "it was sent"


def test_a_session_that_ends_in_a_conversation_keeps_the_draft_for_that_one(
    visitor: Client, owner: User, reply: Reply
) -> None:
    sent = visitor.post(f"{page(reply)}messages/", form(text="And neap tides?"), headers=HTMX)
    assert sent.headers["HX-Redirect"] == f"/accounts/login/?next={page(reply)}"
    visitor.force_login(owner, backend="django.contrib.auth.backends.ModelBackend")
    assert box(html(visitor.get(page(reply)))) == "And neap tides?"
    assert box(html(visitor.get("/"))) == ""


ANYTHING = uuid.UUID(int=7)
FOR_ANYBODY = ["/c/", f"/c/{ANYTHING}/messages/", f"/m/{ANYTHING}/versions/"]


@pytest.mark.parametrize("address", FOR_ANYBODY)
def test_a_text_that_is_too_long_to_be_kept_for_a_visitor_is_given_back(
    visitor: Client, address: str
) -> None:
    text = "tide & " * 3000
    sent = visitor.post(address, form(text=text, system_prompt="Be brief."))
    shown = unescape(sent.content.decode())
    assert sent.status_code == 422
    assert text in shown
    assert "Be brief." in shown
    assert "too long to be kept" in shown
    assert 'href="/accounts/login/?next=/' in shown
    assert not Session.objects.exists()


@pytest.mark.parametrize("address", FOR_ANYBODY)
def test_a_page_with_scripts_is_told_that_the_text_is_too_long_and_has_it_still(
    visitor: Client, address: str
) -> None:
    sent = visitor.post(address, form(text="ebb " * 6000), headers=HTMX)
    shown = sent.content.decode()
    assert sent.status_code == 422, "the page puts the text back into its box"
    assert "too long to be kept" in shown
    assert "ebb" not in shown
    assert not Session.objects.exists()


def test_all_fields_together_are_what_is_kept_of_a_visitor(visitor: Client) -> None:
    piece = "w" * (MAX_DRAFT_BYTES // 2)
    most = {"text": piece, "system_prompt": piece, "model": ""}
    assert visitor.post("/c/", most).status_code == 302
    for name in ("model", "max_tokens", "temperature", "reasoning_effort"):
        assert visitor.post("/c/", most | {name: "w"}).status_code == 422
    assert visitor.session["draft"]["typed"] == most


def test_what_is_kept_of_a_visitor_is_counted_in_bytes(visitor: Client) -> None:
    text = "🌊" * (MAX_DRAFT_BYTES // 4)
    assert visitor.post("/c/", form(text=text + "w", model="")).status_code == 422
    assert visitor.post("/c/", form(text=text, model="")).status_code == 302


@pytest.mark.django_db
def test_all_visitors_together_are_kept_few_drafts_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        anonymous_limits,
        "TOTAL_DRAFT_LIMIT",
        replace(anonymous_limits.TOTAL_DRAFT_LIMIT, max_count=3),
    )
    for number in range(5):
        Client(REMOTE_ADDR=f"192.0.2.{number}").post("/c/", form())
    assert Session.objects.count() == 3


@pytest.mark.django_db
def test_an_address_is_kept_a_few_drafts_and_given_back_the_others() -> None:
    answers = [Client().post("/c/", form(text=f"wave {number}")) for number in range(40)]
    given_back = [number for number, sent in enumerate(answers) if sent.status_code == 422]
    assert given_back == [*range(10, 40)]
    for number in given_back:
        shown = answers[number].content.decode()
        assert f"wave {number}<" in shown
        assert "no more texts can be kept" in shown
    assert Session.objects.count() == 10
    elsewhere = Client(REMOTE_ADDR="192.0.2.7").post("/c/", form())
    assert elsewhere.status_code == 302


@pytest.mark.django_db
def test_a_home_with_many_addresses_has_no_more_drafts() -> None:
    for number in range(20):
        Client(REMOTE_ADDR=f"2001:db8::{number:x}").post("/c/", form())
    assert Session.objects.count() == 10


@pytest.mark.django_db
def test_all_addresses_together_have_a_bounded_number_of_drafts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(anonymous_limits.LIMITS, "draft", "10/10m/ip,15/h/key")
    for number in range(30):
        Client(REMOTE_ADDR=f"192.0.2.{number}").post("/c/", form())
    assert Session.objects.count() == 15


def test_a_visitor_who_sends_cookies_has_one_session_for_all_drafts(visitor: Client) -> None:
    for number in range(5):
        visitor.post("/c/", form(text=f"wave {number}"))
    assert Session.objects.count() == 1
    assert visitor.session["draft"]["typed"]["text"] == "wave 4"


@pytest.mark.parametrize("fragment", ["/sidebar/", "/m/{message}/"])
def test_fragments_say_that_the_session_is_over(
    visitor: Client, reply: Reply, fragment: str
) -> None:
    address = fragment.format(message=reply.answer.pk)
    assert visitor.get(address, headers=HTMX).status_code == 401


# Sending


def test_sending_without_scripts_leads_to_the_conversation(as_owner: Client) -> None:
    response = as_owner.post("/c/", form(), follow=True)
    conversation = Conversation.objects.get()
    assert response.redirect_chain == [(f"/c/{conversation.pk}/", 302)]
    shown = html(response)
    assert f'<h1 id="title" tabindex="-1" dir="auto">{QUESTION}</h1>' in shown
    assert 'aria-label="You"' in shown
    assert 'aria-label="demo" aria-busy="true"' in shown


def test_htmx_is_answered_with_both_articles_and_the_new_address(as_owner: Client) -> None:
    response = as_owner.post("/c/", form(), headers=HTMX)
    question, answer = Message.objects.order_by("role").reverse()
    assert response.headers["HX-Push-Url"] == f"/c/{question.conversation_id}/"
    shown = html(response)
    assert shown.count("<article") == 2
    assert QUESTION in article(shown, question)
    assert 'data-state="queued"' in article(shown, answer)


def test_a_message_in_a_conversation_follows_its_last_reply(as_owner: Client, reply: Reply) -> None:
    finish(reply)
    response = as_owner.post(f"{page(reply)}messages/", form(text="Shorter"), headers=HTMX)
    assert "HX-Push-Url" not in response.headers
    second = Message.objects.get(content="Shorter")
    assert second.parent_id == reply.answer.pk


def test_the_same_request_is_answered_the_same_way_twice(as_owner: Client) -> None:
    twice = form()
    first, second = (as_owner.post("/c/", twice, headers=HTMX) for _ in range(2))
    assert html(first) == html(second)
    assert first.headers["HX-Push-Url"] == second.headers["HX-Push-Url"]
    assert Message.objects.count() == 2


def test_a_model_without_a_key_is_refused_before_anything_is_written(as_owner: Client) -> None:
    response = as_owner.post("/c/", form(model="gpt-4.1"), headers=HTMX)
    shown = response.content.decode()
    assert response.status_code == 422
    assert 'role="alert"' in shown
    assert "No openai API key found. Add one in settings." in shown
    assert 'href="/settings/keys/"' in shown
    assert not Conversation.objects.exists()


def test_without_scripts_a_refused_text_is_still_in_the_box(as_owner: Client, reply: Reply) -> None:
    sent = form(text="\n  <b>Do not lose me</b>\n", model="gpt-4.1", temperature="0.4")
    response = as_owner.post(f"{page(reply)}messages/", sent)
    shown = response.content.decode()
    assert response.status_code == 422
    assert "No openai API key found." in shown
    assert box(shown) == sent["text"]
    assert re.search(r'name="temperature"[^>]* value="0.4"', shown)
    assert QUESTION in shown, "the conversation is still there"


def test_a_model_nobody_serves_is_refused_with_what_to_do(as_owner: Client) -> None:
    response = as_owner.post("/c/", form(model="hal-9000"), headers=HTMX)
    assert response.status_code == 422
    assert "No provider here serves the model “hal-9000”." in response.content.decode()


def test_lines_are_stored_as_they_were_typed(as_owner: Client) -> None:
    as_owner.post("/c/", form(text=" one\r\ntwo\rthree\n\nfour ", system_prompt="a\r\nb"))
    assert Message.objects.get(role="user").content == " one\ntwo\nthree\n\nfour "
    assert Conversation.objects.get().system_prompt == "a\nb"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"text": ""}, "Write a message first."),
        ({"text": " \r\n\t"}, "Write a message first."),
        ({"text": "x" * (MESSAGE_LIMIT + 1)}, "400001 characters, and at most 400000"),
        ({"model": ""}, "Pick a model first."),
        ({"request_id": ""}, "Reload it, and send the message again."),
        ({"request_id": "not-a-uuid"}, "Reload it, and send the message again."),
        ({"max_tokens": "0"}, "Max tokens must be at least 1."),
        ({"max_tokens": "many"}, "Max tokens must be a whole number."),
        ({"model": "gpt-4o", "max_tokens": "16385"}, "GPT-4o writes at most 16,384 tokens."),
        ({"temperature": "2.1"}, "Temperature must be a number from 0 to 2."),
        ({"temperature": "-1"}, "Temperature must be a number from 0 to 2."),
        ({"temperature": "nan"}, "Temperature must be a number from 0 to 2."),
        ({"temperature": "warm"}, "Temperature must be a number from 0 to 2."),
        ({"system_prompt": "x" * 100_001}, "The system prompt is too long"),
    ],
)
def test_what_cannot_be_sent_is_answered_with_what_to_change(
    as_owner: Client, owner: User, wrong: dict[str, str], sentence: str
) -> None:
    keys.save(owner, "openai", KEY)
    response = as_owner.post("/c/", form(**wrong), headers=HTMX)
    assert response.status_code == 422
    assert sentence in response.content.decode()
    assert not Message.objects.exists()


def test_a_message_at_the_limit_is_sent_even_if_every_line_end_is_two_characters(
    as_owner: Client,
) -> None:
    text = "\n" * (MESSAGE_LIMIT - 1) + "x"
    as_owner.post("/c/", form(text=text.replace("\n", "\r\n")))
    assert Message.objects.get(role="user").content == text


def test_the_longest_message_there_can_be_fits_into_a_form(as_owner: Client) -> None:
    longest = urlencode(form(text="🌊" * MESSAGE_LIMIT))
    as_owner.post("/c/", longest, content_type="application/x-www-form-urlencoded")
    assert len(Message.objects.get(role="user").content) == MESSAGE_LIMIT


def test_settings_a_model_does_not_take_are_left_out(as_owner: Client) -> None:
    as_owner.post("/c/", form(model="demo", temperature="0.7", max_tokens="4000"))
    conversation = Conversation.objects.get()
    assert (conversation.temperature, conversation.max_tokens) == (None, 4000)


def test_a_page_is_never_a_way_to_send(as_owner: Client) -> None:
    assert as_owner.get("/c/", form()).headers["Location"] == "/"
    assert as_owner.get(f"/s/{uuid.uuid4()}/stop/").status_code == 405
    assert not Conversation.objects.exists()


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_who_asks_for_the_address_of_a_refusal_is_led_to_where_the_form_stands(
    as_owner: Client, reply: Reply, headers: dict[str, str]
) -> None:
    message = f"/m/{reply.answer.pk}/"
    at = {
        "/c/": "/",
        f"{page(reply)}messages/": page(reply),
        f"{message}versions/": f"{message}place/",
        f"{message}continuations/": f"{message}place/",
    }
    for address, place in at.items():
        shown = as_owner.get(address, headers=headers)
        assert (shown.status_code, shown.headers["Location"]) == (302, place)
        assert as_owner.put(address, headers=headers).status_code == 405


def test_the_address_of_a_message_leads_to_its_place(
    as_owner: Client, visitor: Client, reply: Reply
) -> None:
    address = f"/m/{reply.question.pk}/place/"
    place = f"{page(reply)}?leaf={reply.question.pk}#m-{reply.question.pk}"
    assert as_owner.get(address).headers["Location"] == place
    assert QUESTION in html(as_owner.get(place))
    assert visitor.get(address).headers["Location"] == f"/accounts/login/?next={address}"


# The composer


def test_a_new_chat_leads_on_without_a_key(as_owner: Client) -> None:
    shown = html(as_owner.get("/"))
    assert "The demo model is ready and needs no key." in shown
    assert "Replies survive reloads." in shown
    assert re.search(r'<option value="demo" selected(?![^>]* disabled)', shown)


def test_models_without_a_key_are_there_and_cannot_be_picked(as_owner: Client, owner: User) -> None:
    assert re.search(
        r'<option value="gpt-4.1"[^>]* disabled>GPT-4.1 \(No API key\)</option>',
        html(as_owner.get("/")),
    )
    keys.save(owner, "openai", KEY)
    assert re.search(r'<option value="gpt-4.1"[^>]*[^d]>GPT-4.1</option>', html(as_owner.get("/")))


def test_a_new_chat_begins_with_the_model_that_was_used_last(as_owner: Client, owner: User) -> None:
    ask(owner, QUESTION, model="demo-fast")
    shown = html(as_owner.get("/"))
    assert re.search(r'<option value="demo-fast" selected(?![^>]* disabled)', shown)


def picked(shown: str) -> str:
    found = re.search(r'<option value="([^"]+)"[^>]* selected', shown)
    return found[1] if found else ""


def groups(shown: str) -> list[str]:
    return re.findall(r'<optgroup label="([^"]+)">', shown)


def test_once_a_key_works_a_new_chat_begins_with_its_providers_best_model(
    as_owner: Client, owner: User
) -> None:
    demo = ask(owner, QUESTION, model="demo-fast")
    assert groups(html(as_owner.get("/")))[0] == "Demo"
    keys.save(owner, "anthropic", KEY)
    shown = html(as_owner.get("/"))
    assert picked(shown) == "claude-opus-5-5"
    assert groups(shown)[-1] == "Demo"
    assert 'data-recent=""' in shown
    assert "The demo model is ready" not in shown
    assert picked(html(as_owner.get(page(demo)))) == "demo-fast", "it was chosen for this chat"


def test_the_last_model_that_works_and_is_no_demo_goes_before_the_best(
    as_owner: Client, owner: User
) -> None:
    keys.save(owner, "openai", KEY)
    keys.save(owner, "anthropic", KEY)
    ask(owner, QUESTION, model="gpt-4.1")
    ask(owner, QUESTION, model="claude-haiku-5-5")
    ask(owner, QUESTION, model="demo")
    assert picked(html(as_owner.get("/"))) == "claude-haiku-5-5"
    assert 'data-recent="claude-haiku-5-5 gpt-4.1"' in html(as_owner.get("/"))
    keys.remove(owner, "anthropic")
    assert picked(html(as_owner.get("/"))) == "gpt-4.1"


def test_the_best_model_is_one_that_the_key_is_good_for(as_owner: Client, owner: User) -> None:
    key = keys.save(owner, "openai", KEY)
    for place, name in enumerate(["gpt-4.1", "gpt-5.5", "a-new-one"]):
        ListedModel.objects.create(key=key, place=place, model_id=name)
    assert picked(html(as_owner.get("/"))) == "gpt-5.5"


def test_a_key_that_its_provider_refuses_leaves_the_demo(as_owner: Client, owner: User) -> None:
    key = keys.save(owner, "openai", KEY)
    ApiKey.objects.filter(pk=key.pk).update(check_result=KeyStatus.INVALID)
    assert picked(html(as_owner.get("/"))) == "demo"


def test_a_server_that_needs_no_key_goes_before_the_demo(
    as_owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = catalog.Provider("lab", "Lab", needs_key=False, base_url="http://127.0.0.1:1/v1")
    monkeypatch.setitem(catalog.PROVIDERS, "lab", lab)
    monkeypatch.setitem(catalog._MODELS_BY_ID, "llama3.3", catalog.model_from_id("llama3.3", lab))
    shown = html(as_owner.get("/"))
    assert (picked(shown), groups(shown)[-1]) == ("llama3.3", "Demo")


def test_a_conversation_whose_key_was_removed_says_so_before_sending(
    as_owner: Client, owner: User
) -> None:
    keys.save(owner, "openai", KEY)
    mine = ask(owner, QUESTION, model="gpt-4.1")
    keys.remove(owner, "openai")
    shown = html(as_owner.get(page(mine)))
    assert "No openai API key found. Add one in settings." in shown


def test_every_page_carries_its_own_request_id(as_owner: Client) -> None:
    found = [
        re.search(r'name="request_id" value="([^"]+)"', html(as_owner.get("/"))) for _ in range(2)
    ]
    first, second = (uuid.UUID(match[1]) for match in found if match)
    assert first != second


def test_a_link_may_begin_a_chat(as_owner: Client) -> None:
    shown = html(as_owner.get("/", {"text": '"Hello" </textarea>', "model": "demo-slow"}))
    assert box(shown) == '"Hello" </textarea>'
    assert re.search(r'<option value="demo-slow"[^>]* selected', shown)


# Reading


def test_a_growing_reply_is_in_the_page_with_its_source_and_its_index(
    as_owner: Client, reply: Reply
) -> None:
    text = "The *moon* pulls 🌊 on an ocean\r\nthat cannot "
    stream = write(reply, text, reasoning="Think of friction.")
    shown = article(html(as_owner.get(page(reply))), reply.answer)
    assert 'aria-busy="true"' in shown
    live = (
        f'<live-reply data-stream="{stream.uuid}" data-index="9" data-state="running" '
        f'data-message="{reply.answer.pk}">'
    )
    assert live in shown
    assert "<p>The <em>moon</em> pulls 🌊 on an ocean" in shown
    assert source(shown, reply) == {
        "text": text,
        "reasoning": "Think of friction.",
        "index": 9,
        "seams": [],
    }


def test_the_source_of_a_finished_reply_is_what_the_provider_sent(
    as_owner: Client, reply: Reply
) -> None:
    text = "</script><!-- é e\u0301 \u2028 👩‍👩‍👧\r\n\tend "
    finish(reply, text)
    shown = article(html(as_owner.get(page(reply))), reply.answer)
    assert source(shown, reply)["text"] == text
    assert "aria-busy" not in shown
    assert "live-reply" not in shown


def test_what_a_model_writes_as_html_is_text(as_owner: Client, reply: Reply) -> None:
    finish(reply, '<img src=x onerror="alert(1)"> <script>alert(1)</script>')
    prose = article(html(as_owner.get(page(reply))), reply.answer).split("<script id=")[0]
    assert "&lt;img src=x" in prose
    assert "<img" not in prose
    assert "<script>" not in prose


def test_what_a_person_writes_is_shown_as_it_was_typed(as_owner: Client, owner: User) -> None:
    mine = ask(owner, "<b>  *two*\n  lines</b>")
    shown = article(html(as_owner.get(page(mine))), mine.question)
    assert "&lt;b&gt;  *two*\n  lines&lt;/b&gt;</div>" in shown


def test_a_reply_that_was_carried_on_shows_the_seam(as_owner: Client, reply: Reply) -> None:
    write(reply, "First part.\n\n", seam=True)
    shown = article(html(as_owner.get(page(reply))), reply.answer)
    assert "the server restarted here; the reply went on" in shown
    assert source(shown, reply)["seams"] == [13]


def test_a_message_is_the_same_in_the_page_and_by_itself(as_owner: Client, reply: Reply) -> None:
    finish(reply, "# Tides\n\n1. one\n2. two")
    alone = html(as_owner.get(f"/m/{reply.answer.pk}/"))
    together = html(as_owner.get(page(reply)))
    flat = re.compile(r"\s+")
    assert flat.sub(" ", article(alone, reply.answer)) in flat.sub(" ", together)


def test_htmx_gets_the_messages_of_a_conversation_without_the_page(
    as_owner: Client, reply: Reply
) -> None:
    response = as_owner.get(page(reply), headers=HTMX)
    shown = html(response)
    assert shown.count("<article") == 2
    assert "<html" not in shown
    assert "HX-Request" in response.headers["Vary"]
    assert "no-store" in response.headers["Cache-Control"]


def test_only_a_page_with_a_running_reply_refreshes_itself_without_scripts(
    as_owner: Client, reply: Reply
) -> None:
    refresh = '<noscript><meta http-equiv="refresh" content="2; url={}"></noscript>'.format
    assert refresh(page(reply)) in html(as_owner.get(page(reply)))
    branch = f"{page(reply)}?leaf={reply.answer.pk}"
    assert refresh(branch) in html(as_owner.get(branch))
    refused = as_owner.post(f"{page(reply)}messages/", form(text=" "))
    assert b'http-equiv="refresh"' not in refused.content, "what was typed would be gone"
    finish(reply)
    assert 'http-equiv="refresh"' not in html(as_owner.get(page(reply)))


def test_the_composer_stops_the_reply_that_runs(as_owner: Client, reply: Reply) -> None:
    running = f'formaction="/s/{reply.stream.uuid}/stop/"'
    assert running in html(as_owner.get(page(reply)))
    finish(reply)
    shown = html(as_owner.get(page(reply)))
    assert running not in shown
    assert "data-running" not in shown


STATES: list[tuple[Ending, str, list[str]]] = [
    (Ending.from_finish(Finish("stop")), "", []),
    (Ending.from_finish(Finish("unknown")), "", []),
    (Ending.from_finish(Finish("length")), "Reached the length limit", []),
    (lifecycle.STOPPED, "Stopped", []),
    (
        Ending.from_error(InvalidKey(provider="OpenAI", detail="401: wrong")),
        "Failed",
        [
            "OpenAI did not accept the API key. Check it in settings.",
            "What was written is kept.",
            'href="/settings/keys/"',
            "401: wrong",
        ],
    ),
    (
        Ending.from_error(Interrupted(provider="OpenAI")),
        "Interrupted",
        ["The connection to OpenAI broke in the middle of the reply.", "Continue where it stopped"],
    ),
    (Ending.internal_error(), "Failed", ["Something broke on this server.", "tell whoever runs"]),
]


def test_an_end_without_a_reason_is_a_whole_reply(as_owner: Client, reply: Reply) -> None:
    finish(reply, "All there is.", Ending.from_finish(Finish("unknown")))
    shown = article(html(as_owner.get(f"/m/{reply.answer.pk}/")), reply.answer)
    assert "<dt>Ended</dt><dd>unknown</dd>" in shown
    assert "/continuations/" not in shown
    reply.answer.refresh_from_db()
    assert reply.answer.is_complete
    reply.conversation.refresh_from_db()
    assert reply.conversation.status == Conversation.Status.COMPLETED


FIRST_BUTTON = {
    "invalid_key": "Open settings and keys",
    "no_permission": "Open settings and keys",
    "no_credit": "Open settings and keys",
    "rate_limited": "Try again",
    "overloaded": "Try again",
    "context_too_long": "New chat",
    "model_not_found": "Pick another model",
    "bad_request": "Pick another model",
    "refused": "Edit your message",
    "timeout": "Try again",
    "network": "Try again",
    "internal": "Try again",
}


def test_every_class_of_error_has_its_own_words_and_its_own_way_out(
    as_owner: Client, reply: Reply
) -> None:
    endings = {
        kind.code: Ending.from_error(kind(provider="OpenAI"))
        for kind in ProviderError.__subclasses__()
        if kind is not Interrupted
    }
    endings["internal"] = Ending.internal_error()
    assert endings.keys() == FIRST_BUTTON.keys(), "a class nobody thought of has no way out"
    finish(reply, "What there was.", Ending.internal_error())
    said = set()
    for code, ending in endings.items():
        Stream.objects.filter(pk=reply.stream.pk).update(error_class=code, error=ending.error)
        shown = unescape(article(html(as_owner.get(f"/m/{reply.answer.pk}/")), reply.answer))
        assert f'<p class="what">{ending.error}</p>' in shown
        [way_out] = re.findall(r'<div class="fix">(.*?)</div>', shown, re.DOTALL)
        assert FIRST_BUTTON[code] in way_out, code
        assert code in shown, "among the details"
        said.add(ending.error)
    assert len(said) == len(endings)


@pytest.mark.parametrize(("ending", "words", "card"), STATES)
def test_an_ended_reply_says_how_it_ended_under_the_text_that_is_kept(
    as_owner: Client, reply: Reply, ending: Ending, words: str, card: list[str]
) -> None:
    finish(reply, "What there was.", ending)
    shown = unescape(article(html(as_owner.get(f"/m/{reply.answer.pk}/")), reply.answer))
    state = re.search(r'<span class="state"[^>]*>(.*?)</span>', shown)
    assert state
    assert state[1] == words
    assert "<p>What there was.</p>" in shown
    assert ('class="trouble"' in shown) == bool(card)
    assert [line for line in card if line not in shown] == []


def test_a_reply_says_what_it_is_waiting_for_and_what_it_does(
    as_owner: Client, owner: User, reply: Reply
) -> None:
    second = ask(owner, "And then?", reply.conversation)
    assert "Waiting for the reply before this one" in html(as_owner.get(f"/m/{second.answer.pk}/"))
    lifecycle.claim(lifecycle.register_worker("test"), 1)
    assert "Connecting" in html(as_owner.get(f"/m/{reply.answer.pk}/"))


def test_a_reply_that_only_thinks_so_far_says_so(as_owner: Client, reply: Reply) -> None:
    write(reply, "", reasoning="Hm.")
    shown = article(html(as_owner.get(page(reply))), reply.answer)
    assert '<span class="state" data-tone="">Thinking</span>' in shown
    assert "<summary>Thinking</summary>" in shown
    assert "<p>Hm.</p>" in shown


def test_thoughts_are_folded_under_how_long_they_took(as_owner: Client, reply: Reply) -> None:
    stream = write(reply, "Friction.", reasoning="Hm.")
    text = StreamChunk.objects.filter(stream=stream, index=1)
    text.update(created_at=F("created_at") + timedelta(seconds=12))
    growing = html(as_owner.get(page(reply)))
    assert "<summary>Thought for 12 s</summary>" in growing
    assert lifecycle.end(stream.pk, stream.epoch, Ending.from_finish(Finish("stop")))
    journal.delete_streams([stream.pk])
    ended = html(as_owner.get(page(reply)))
    assert "<summary>Thought for 12 s</summary>" in ended, "the journal is folded in time"


# Stopping


def test_stopping_keeps_what_was_written(as_owner: Client, reply: Reply) -> None:
    write(reply, "So far.")
    address = f"/s/{reply.stream.uuid}/stop/"
    assert as_owner.post(address, headers=HTMX).status_code == 204
    assert as_owner.post(address).headers["Location"] == page(reply), "once more is fine"
    reply.answer.refresh_from_db()
    assert reply.answer.content == "So far."
    assert Stream.objects.get().state == State.STOPPED


# Strangers


def test_what_is_not_yours_does_not_exist(as_stranger: Client, reply: Reply) -> None:
    got = [page(reply), f"/m/{reply.answer.pk}/", f"/m/{reply.answer.pk}/place/"]
    posted = [f"{page(reply)}messages/", f"/s/{reply.stream.uuid}/stop/"]
    answers: list[Any] = [as_stranger.get(address) for address in got]
    answers += [as_stranger.post(address, form()) for address in posted]
    assert [answer.status_code for answer in answers] == [404] * 5
    assert all(QUESTION not in answer.content.decode() for answer in answers)
    nothing = as_stranger.get(f"/c/{uuid.uuid4()}/")
    assert without_token(nothing) == without_token(answers[0])
    assert Stream.objects.get().state == State.QUEUED


def test_a_stranger_finds_nothing_in_the_sidebar(as_stranger: Client, reply: Reply) -> None:
    assert QUESTION not in html(as_stranger.get("/sidebar/"))


# The sidebar


def test_conversations_stand_under_the_day_of_their_last_use(as_owner: Client, owner: User) -> None:
    for days in (0, 0, 1, 6, 30):
        mine = ask(owner, f"{days} days ago").conversation
        used = timezone.now() - timedelta(days=days)
        Conversation.objects.filter(pk=mine.pk).update(updated_at=used)
    shown = html(as_owner.get("/sidebar/"))
    assert re.findall(r"<h2>(.*?)</h2>|<bdi>(\d+ days ago)</bdi></a>", shown) == [
        ("Today", ""),
        ("", "0 days ago"),
        ("", "0 days ago"),
        ("Yesterday", ""),
        ("", "1 days ago"),
        ("Previous 7 days", ""),
        ("", "6 days ago"),
        ("Older", ""),
        ("", "30 days ago"),
    ]


def test_running_and_failed_conversations_are_marked(
    as_owner: Client, owner: User, reply: Reply
) -> None:
    assert 'data-state="running"></span><span class="sr-only">running: </span>' in html(
        as_owner.get("/sidebar/")
    )
    finish(reply, "x", Ending.internal_error())
    assert 'data-state="failed"' in html(as_owner.get("/sidebar/"))
    finish(ask(owner, "Again", reply.conversation))
    assert 'data-state="unread"' in html(as_owner.get("/sidebar/"))
    as_owner.get(page(reply))
    assert 'class="dot"' not in html(as_owner.get("/sidebar/")), "it was looked at"


def test_the_open_conversation_is_marked_in_the_page_and_in_the_fragment(
    as_owner: Client, reply: Reply
) -> None:
    row = f'href="{page(reply)}" aria-current="page"'
    assert row in html(as_owner.get(page(reply)))
    open_ = {"open": str(reply.conversation.pk)}
    assert row in html(as_owner.get("/sidebar/", open_, headers=HTMX))
    assert row not in html(as_owner.get("/sidebar/", {"open": "none"}, headers=HTMX))
    assert row not in html(as_owner.get("/sidebar/", headers=HTMX))


def test_the_sidebar_lists_so_many_and_no_more(
    as_owner: Client, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sidebar, "SHOWN", 2)
    for number in range(3):
        ask(owner, f"Number {number}")
    shown = html(as_owner.get("/sidebar/"))
    assert "Number 0" not in shown
    assert "Number 2" in shown


# What holds for every page


def test_a_long_conversation_takes_no_more_queries_than_a_short_one(
    as_owner: Client, owner: User, reply: Reply
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as made:
            as_owner.get(page(reply))
        return len(made)

    finish(reply)
    few = queries()
    for number in range(12):
        finish(ask(owner, f"Number {number}", reply.conversation))
        finish(ask(owner, f"Another chat {number}"))
    assert queries() == few


def grown(reply: Reply, length: int) -> list[Message]:
    """The conversation with that many messages, from the first to the last."""
    chat, messages = reply.conversation, [reply.question, reply.answer]
    while len(messages) < length:
        role = (Message.Role.USER, Message.Role.ASSISTANT)[len(messages) % 2]
        text = f"Number {len(messages)}."
        messages.append(Message(conversation=chat, role=role, content=text, parent=messages[-1]))
    Message.objects.bulk_create(messages[2:])
    Conversation.objects.filter(pk=chat.pk).update(leaf=messages[-1])
    return messages


def ids(shown: str) -> list[str]:
    return re.findall(r'<article class="message" id="m-([^"]+)"', shown)


def test_a_long_conversation_begins_with_its_newest_messages_and_the_way_to_older_ones(
    as_owner: Client, reply: Reply
) -> None:
    finish(reply)
    messages = [str(message.pk) for message in grown(reply, 120)]
    fetched: list[str] = []
    address = page(reply)
    for _ in range(3):
        shown = html(as_owner.get(unescape(address), headers=HTMX))
        fetched = ids(shown) + fetched
        found = re.search(r'hx-get="([^"]+)"', shown)
        address = found[1] if found else ""
    assert fetched == messages
    assert address == ""


HUGE = "&" * 400_000


def huge(reply: Reply, length: int) -> list[str]:
    """The ids of a conversation whose replies are as large as that, and whose questions are not."""
    finish(reply, HUGE)
    messages = grown(reply, length)
    replies = reply.conversation.messages.filter(role=Message.Role.ASSISTANT)
    replies.update(content=HUGE)
    return [str(message.pk) for message in messages]


def test_a_page_holds_few_huge_messages_and_the_way_to_the_others(
    as_owner: Client, reply: Reply
) -> None:
    messages = huge(reply, 12)
    fetched: list[str] = []
    address = page(reply)
    while address:
        shown = html(as_owner.get(unescape(address), headers=HTMX))
        assert 0 < len(ids(shown)) <= 5
        fetched = ids(shown) + fetched
        found = re.search(r'hx-get="([^"]+)"', shown)
        address = found[1] if found else ""
    assert fetched == messages


def test_an_exchange_is_on_a_page_however_large_it_is(
    as_owner: Client, reply: Reply, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(articles, "MAX_BYTES", 10)
    messages = huge(reply, 6)
    assert ids(html(as_owner.get(page(reply)))) == messages[4:]
    older = html(as_owner.get(f"{page(reply)}earlier/?before={messages[4]}"))
    assert ids(older) == messages[2:4]


def test_the_size_of_what_a_reply_thought_counts_and_is_in_bytes(
    as_owner: Client, reply: Reply, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(reply)
    messages = [str(message.pk) for message in grown(reply, 6)]
    Message.objects.update(content="", reasoning="é" * 10)
    monkeypatch.setattr(articles, "MAX_BYTES", 60)
    assert ids(html(as_owner.get(page(reply)))) == messages[3:]
    monkeypatch.setattr(articles, "MAX_BYTES", 59)
    assert ids(html(as_owner.get(page(reply)))) == messages[4:]


def test_a_page_from_an_old_message_on_ends_where_it_is_full_and_leads_to_the_end_of_its_branch(
    as_owner: Client, reply: Reply
) -> None:
    messages = huge(reply, 12)
    shown = html(as_owner.get(f"{page(reply)}?leaf={messages[2]}"))
    assert ids(shown) == messages[2:7]
    assert f'name="parent" value="{messages[-1]}"' in shown, "a new question follows the last one"
    found = re.search(r'href="([^"]+)">Show the newest messages', shown)
    assert found
    assert found[1].endswith(f"?leaf={messages[-1]}")
    newest = html(as_owner.get(found[1]))
    assert ids(newest)[-1] == messages[-1]
    assert "Show the newest messages" not in newest


def test_the_text_of_messages_that_are_not_shown_is_not_read(
    as_owner: Client, reply: Reply
) -> None:
    messages = huge(reply, 12)
    with CaptureQueriesContext(connection) as made:
        shown = ids(html(as_owner.get(page(reply))))
    [reading] = [query["sql"] for query in made if '"chat_message"."content",' in query["sql"]]
    read = [id for id in messages if id.replace("-", "") in reading.replace("-", "")]
    assert read == shown


def test_older_messages_are_a_page_of_their_own_without_a_script(
    as_owner: Client, as_stranger: Client, reply: Reply
) -> None:
    finish(reply)
    messages = grown(reply, 60)
    address = f"{page(reply)}earlier/?before={messages[10].pk}"
    shown = html(as_owner.get(address))
    assert ids(shown) == [str(message.pk) for message in messages[:10]]
    assert "Show the newest messages" in shown
    assert as_owner.get(f"{page(reply)}earlier/?before=nothing").status_code == 404
    assert as_stranger.get(address).status_code == 404


def test_a_message_that_is_linked_to_is_there_however_old(as_owner: Client, reply: Reply) -> None:
    finish(reply)
    messages = grown(reply, 80)
    shown = html(as_owner.get(f"{page(reply)}?leaf={messages[4].pk}"))
    assert ids(shown) == [str(message.pk) for message in messages[4:]]


@pytest.mark.parametrize("place", ["/", "new", "conversation", "refused", "nowhere"])
def test_no_page_has_anything_inline_or_from_elsewhere(
    visitor: Client, as_owner: Client, reply: Reply, place: str
) -> None:
    finish(reply, "**bold** [link](https://example.org)")
    response = {
        "/": lambda: visitor.get("/"),
        "new": lambda: as_owner.get("/"),
        "conversation": lambda: as_owner.get(page(reply)),
        "refused": lambda: as_owner.post("/c/", form(model="gpt-4.1")),
        "nowhere": lambda: as_owner.get("/nowhere/"),
    }[place]()
    shown = response.content.decode()
    assert "<main" in shown
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", shown)
    scripts = re.findall(r"<script([^>]*)>", shown)
    assert [s for s in scripts if "src=" not in s and 'type="application/json"' not in s] == []
    loaded = re.findall(r'(?:src|<link[^>]* href)="([^"]+)"', shown)
    assert [address for address in loaded if not address.startswith("/static/")] == []


@pytest.mark.parametrize(("name", "chosen"), [("theme", "dark"), ("type", "sans")])
def test_a_look_is_kept_and_in_the_first_paint(as_owner: Client, name: str, chosen: str) -> None:
    assert f"data-{name}" not in html(as_owner.get("/"))
    as_owner.post(f"/{name}/", {name: chosen, "next": "/"})
    assert f'<html lang="en" data-{name}="{chosen}">' in html(as_owner.get("/"))
    as_owner.post(f"/{name}/", {name: '"><script>', "next": "/"})
    assert f"data-{name}" not in html(as_owner.get("/"))


def test_choosing_a_theme_leads_back_to_where_it_was_chosen_and_nowhere_else(
    visitor: Client,
) -> None:
    def after(back: str) -> str:
        return visitor.post("/theme/", {"theme": "light", "next": back}).headers["Location"]

    assert after("/settings/keys/?sent=1") == "/settings/keys/?sent=1"
    assert after("nowhere") == "nowhere"
    assert after("https://elsewhere.example/") == "/"
    assert after("//elsewhere.example/") == "/"
