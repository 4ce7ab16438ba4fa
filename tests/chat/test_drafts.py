"""Drafts of anonymous visitors are stored until they sign in, and limited."""

import re
import uuid
from dataclasses import replace
from html import unescape

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from accounts import anonymous_limits
from accounts.models import User
from accounts.rate_limits import RateLimit
from chat.pages.drafts import MAX_DRAFT_BYTES
from chat.replies import Reply
from tests.chat.factories import HTMX, build_message_form, get_path, read_html, read_text_box
from tests.factories import sign_in


def test_a_message_sent_while_signed_out_is_in_the_box_after_signing_in(
    visitor: Client, owner: User, password: str
) -> None:
    sent = visitor.post(
        "/c/", build_message_form(text="Half a thought\r\nand more", model="demo-slow")
    )
    location = sent.headers["Location"]
    assert location == "/accounts/login/?next=/"
    visitor.post(location, {"login": owner.email, "password": password, "next": "/"})
    shown = read_html(visitor.get("/"))
    assert read_text_box(shown) == "Half a thought\r\nand more"
    assert re.search(r'<option value="demo-slow"[^>]* selected', shown)
    assert read_text_box(read_html(visitor.get("/"))) == "Half a thought\r\nand more", (
        "a reload loses nothing"
    )
    visitor.post("/c/", build_message_form())
    assert read_text_box(read_html(visitor.get("/"))) == "", "it was sent"


def test_a_draft_belongs_to_the_conversation_in_which_the_session_ended(
    visitor: Client, owner: User, reply: Reply
) -> None:
    sent = visitor.post(
        f"{get_path(reply)}messages/", build_message_form(text="And neap tides?"), headers=HTMX
    )
    assert sent.headers["HX-Redirect"] == f"/accounts/login/?next={get_path(reply)}"
    sign_in(visitor, owner)
    assert read_text_box(read_html(visitor.get(get_path(reply)))) == "And neap tides?"
    assert read_text_box(read_html(visitor.get("/"))) == ""


ANY_ID = uuid.UUID(int=7)

PUBLIC_PATHS = ["/c/", f"/c/{ANY_ID}/messages/", f"/m/{ANY_ID}/versions/"]


@pytest.mark.parametrize("address", PUBLIC_PATHS)
def test_a_text_that_is_too_long_for_a_draft_is_shown_to_be_copied(
    visitor: Client, address: str
) -> None:
    text = "tide & " * 3000
    sent = visitor.post(address, build_message_form(text=text, system_prompt="Be brief."))
    shown = unescape(sent.content.decode())
    assert sent.status_code == 422
    assert text in shown
    assert "Be brief." in shown
    assert "too long to save" in shown
    assert 'href="/accounts/login/?next=/' in shown
    assert not Session.objects.exists()


@pytest.mark.parametrize("address", PUBLIC_PATHS)
def test_a_page_with_scripts_keeps_a_text_that_is_too_long_in_its_box(
    visitor: Client, address: str
) -> None:
    sent = visitor.post(address, build_message_form(text="ebb " * 6000), headers=HTMX)
    shown = sent.content.decode()
    assert sent.status_code == 422, "the page puts the text back into its box"
    assert "too long to save" in shown
    assert "ebb" not in shown
    assert not Session.objects.exists()


def test_the_limit_of_a_draft_counts_all_its_fields(visitor: Client) -> None:
    piece = "w" * (MAX_DRAFT_BYTES // 2)
    largest = {"text": piece, "system_prompt": piece, "model": ""}
    assert visitor.post("/c/", largest).status_code == 302
    for name in ("model", "max_tokens", "temperature", "reasoning_effort"):
        assert visitor.post("/c/", largest | {name: "w"}).status_code == 422
    assert visitor.session["draft"]["typed"] == largest


def test_the_limit_of_a_draft_counts_bytes(visitor: Client) -> None:
    text = "🌊" * (MAX_DRAFT_BYTES // 4)
    assert visitor.post("/c/", build_message_form(text=text + "w", model="")).status_code == 422
    assert visitor.post("/c/", build_message_form(text=text, model="")).status_code == 302


@pytest.mark.django_db
def test_all_visitors_together_have_a_limit_of_drafts_a_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        anonymous_limits,
        "TOTAL_DRAFT_LIMIT",
        replace(anonymous_limits.TOTAL_DRAFT_LIMIT, max_count=3),
    )
    for number in range(5):
        Client(REMOTE_ADDR=f"192.0.2.{number}").post("/c/", build_message_form())
    assert Session.objects.count() == 3


@pytest.mark.django_db
def test_one_address_has_ten_drafts_and_sees_the_other_texts_again() -> None:
    responses = [
        Client().post("/c/", build_message_form(text=f"wave {number}")) for number in range(40)
    ]
    rejected = [number for number, sent in enumerate(responses) if sent.status_code == 422]
    assert rejected == [*range(10, 40)]
    for number in rejected:
        shown = responses[number].content.decode()
        assert f"wave {number}<" in shown
        assert "no more drafts can be saved" in shown
    assert Session.objects.count() == 10
    elsewhere = Client(REMOTE_ADDR="192.0.2.7").post("/c/", build_message_form())
    assert elsewhere.status_code == 302


@pytest.mark.django_db
def test_addresses_of_one_home_share_their_limit() -> None:
    for number in range(20):
        Client(REMOTE_ADDR=f"2001:db8::{number:x}").post("/c/", build_message_form())
    assert Session.objects.count() == 10


@pytest.mark.django_db
def test_all_addresses_together_have_a_limit_of_drafts_an_hour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(anonymous_limits, "HOURLY_DRAFT_LIMIT", RateLimit("few", 15, 3600))
    for number in range(30):
        Client(REMOTE_ADDR=f"192.0.2.{number}").post("/c/", build_message_form())
    assert Session.objects.count() == 15


def test_a_visitor_with_cookies_has_one_session_for_all_drafts(visitor: Client) -> None:
    for number in range(5):
        visitor.post("/c/", build_message_form(text=f"wave {number}"))
    assert Session.objects.count() == 1
    assert visitor.session["draft"]["typed"]["text"] == "wave 4"
