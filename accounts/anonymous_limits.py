"""Limits for data that anonymous visitors store: a few small sessions for each address."""

from __future__ import annotations

from allauth.account.adapter import get_adapter
from allauth.account.views import INTERNAL_RESET_SESSION_KEY
from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from accounts.invitations.links import SESSION_KEY as INVITATION_SESSION_KEY
from accounts.middleware import GetResponse
from accounts.rate_limits import RateLimit, consume_all
from accounts.too_many_requests import respond_too_many_requests

SESSION_LIMIT = RateLimit("anonymous-sessions", 60, 10 * 60)
"""For each client: an IPv4 address, or a /64 of IPv6."""
DRAFT_LIMIT = RateLimit("drafts-of-client", 10, 10 * 60)
HOURLY_DRAFT_LIMIT = RateLimit("drafts-of-all-in-an-hour", 500, 60 * 60)
TOTAL_DRAFT_LIMIT = RateLimit("drafts-of-all", 1_000, 24 * 60 * 60)
"""Drafts of all visitors in a day, which is also their lifetime. Around midnight twice as many may
exist: 54 MB at most."""

RESET_LINK_SESSION_LIMIT = RateLimit("session-of-link", 60, 10 * 60)
"""For each client with a link to a new password or an invitation, so that a flood of visitors does
not lock out the owner, even if the table of counts is full."""


def try_consume_draft(request: HttpRequest) -> bool:
    return consume_all(
        [
            DRAFT_LIMIT.counter_for(_get_client(request)),
            HOURLY_DRAFT_LIMIT.counter_for(),
            TOTAL_DRAFT_LIMIT.counter_for(),
        ]
    )


def _get_client(request: HttpRequest) -> str:
    return str(get_adapter().get_client_network(request))


def limit_anonymous_sessions(get_response: GetResponse) -> GetResponse:
    """Refuse, with 429, a response that would store one more anonymous session. A visitor who sends
    cookies has one session; a client without cookies would get a new one for each request."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        return (
            _enforce_limit(request, response) if _creates_anonymous_session(request) else response
        )

    return middleware


def _creates_anonymous_session(request: HttpRequest) -> bool:
    session = request.session
    is_new = session.modified and session.session_key is None and not session.is_empty()
    return is_new and SESSION_KEY not in session


def find_opened_link(request: HttpRequest) -> str | int | None:
    """Return the valid link for a new password, or the invitation, that the visitor has opened."""
    link: str | int | None = request.session.get(INTERNAL_RESET_SESSION_KEY)
    return link or request.session.get(INVITATION_SESSION_KEY)


def _enforce_limit(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    if try_consume_session(request):
        return response
    request.session.flush()
    return respond_too_many_requests(request)


def try_consume_session(request: HttpRequest) -> bool:
    """Count one more anonymous session. A view that saves a new one itself has to call this."""
    link = find_opened_link(request)
    client = _get_client(request)
    if link:
        counter = RESET_LINK_SESSION_LIMIT.counter_for(link, client)
        return counter.try_consume(allow_if_full=True)
    return SESSION_LIMIT.counter_for(client).try_consume()
