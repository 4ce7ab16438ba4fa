"""Pages for anonymous visitors, and the addresses that accept only POST."""

import uuid
from urllib.parse import urlencode

import pytest
from django.test import Client

from chat.models import Conversation
from chat.replies import Reply
from streaming.models import State
from tests.chat.factories import HTMX, build_message_form, get_path, read_html


def test_a_visitor_sees_the_landing_page_with_both_ways_in(visitor: Client) -> None:
    shown = read_html(visitor.get("/"))
    assert "Never lose a reply." in shown
    assert 'href="/accounts/signup/"' in shown
    assert 'href="/accounts/login/"' in shown


def test_a_visitor_returns_to_the_conversation_after_signing_in(
    visitor: Client, reply: Reply
) -> None:
    response = visitor.get(get_path(reply))
    assert response.headers["Location"] == f"/accounts/login/?next={get_path(reply)}"


@pytest.mark.parametrize("fragment", ["/sidebar/", "/m/{message}/"])
def test_fragments_answer_401_once_the_session_is_over(
    visitor: Client, reply: Reply, fragment: str
) -> None:
    address = fragment.format(message=reply.answer.pk)
    assert visitor.get(address, headers=HTMX).status_code == 401


def test_a_get_request_never_sends_or_stops_anything(as_owner: Client) -> None:
    assert as_owner.get("/c/", build_message_form()).headers["Location"] == "/"
    assert as_owner.get(f"/s/{uuid.uuid4()}/stop/").status_code == 405
    assert not Conversation.objects.exists()


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_the_address_of_a_rejected_form_redirects_a_get_to_the_forms_page(
    as_owner: Client, reply: Reply, headers: dict[str, str]
) -> None:
    message = f"/m/{reply.answer.pk}/"
    redirects = {
        "/c/": "/",
        f"{get_path(reply)}messages/": get_path(reply),
        f"{message}versions/": f"{message}place/",
        f"{message}continuations/": f"{message}place/",
    }
    for address, target in redirects.items():
        shown = as_owner.get(address, headers=headers)
        assert (shown.status_code, shown.headers["Location"]) == (302, target)
        assert as_owner.put(address, headers=headers).status_code == 405


READ_PATHS = [
    "/c/{chat}/",
    "/c/{chat}/earlier/?before={message}",
    "/c/{chat}/menu/",
    "/m/{message}/edit/",
]
POST_PATHS = [
    "/c/{chat}/title/",
    "/c/{chat}/pin/",
    "/c/{chat}/deletion/",
    "/c/{chat}/restoration/",
    "/m/{message}/versions/",
    "/m/{message}/continuations/",
    "/s/{stream}/stop/",
]


def build_address(reply: Reply, template: str) -> str:
    return template.format(
        chat=reply.conversation.pk, message=reply.answer.pk, stream=reply.stream.uuid
    )


@pytest.mark.parametrize("template", READ_PATHS)
def test_signing_in_leads_back_to_a_page_that_was_read(
    visitor: Client, reply: Reply, template: str
) -> None:
    address = build_address(reply, template)
    expected = f"/accounts/login/?{urlencode({'next': address}, safe='/')}"
    assert visitor.get(address).headers["Location"] == expected
    assert visitor.get(address, headers=HTMX).headers["HX-Redirect"] == expected


@pytest.mark.parametrize("template", POST_PATHS)
def test_signing_in_leads_from_a_form_to_the_start_page(
    visitor: Client, reply: Reply, template: str
) -> None:
    address = build_address(reply, template)
    assert visitor.post(address).headers["Location"] == "/accounts/login/?next=/"
    reply.stream.refresh_from_db()
    assert reply.stream.state == State.QUEUED


def test_a_script_that_marks_as_read_gets_401_once_the_session_is_over(
    visitor: Client, reply: Reply
) -> None:
    assert visitor.post(f"{get_path(reply)}reading/", headers=HTMX).status_code == 401
