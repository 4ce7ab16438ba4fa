"""Pages for anonymous visitors, and the addresses that accept only POST."""

import uuid

import pytest
from django.test import Client

from chat.models import Conversation
from chat.replies import Reply
from tests.chat.factories import HTMX, html, message_form, page


def test_a_visitor_sees_the_landing_page_with_both_ways_in(visitor: Client) -> None:
    shown = html(visitor.get("/"))
    assert "Replies that hold on." in shown
    assert 'href="/accounts/signup/"' in shown
    assert 'href="/accounts/login/"' in shown


def test_a_visitor_comes_back_to_the_conversation_after_signing_in(
    visitor: Client, reply: Reply
) -> None:
    response = visitor.get(page(reply))
    assert response.headers["Location"] == f"/accounts/login/?next={page(reply)}"


@pytest.mark.parametrize("fragment", ["/sidebar/", "/m/{message}/"])
def test_fragments_answer_401_once_the_session_is_over(
    visitor: Client, reply: Reply, fragment: str
) -> None:
    address = fragment.format(message=reply.answer.pk)
    assert visitor.get(address, headers=HTMX).status_code == 401


def test_a_get_request_never_sends_or_stops_anything(as_owner: Client) -> None:
    assert as_owner.get("/c/", message_form()).headers["Location"] == "/"
    assert as_owner.get(f"/s/{uuid.uuid4()}/stop/").status_code == 405
    assert not Conversation.objects.exists()


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_the_address_of_a_rejected_form_redirects_a_get_to_the_forms_page(
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
