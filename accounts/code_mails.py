"""Limits of mails with a code, which strangers can cause.

A code has eight of twenty letters, works for some minutes in the session that asked for it, and
takes three attempts. With these limits an address gets ten codes an hour from strangers, who can
try thirty of 25,600,000,000. A browser that the owner has used has a count of its own: strangers
can't use up its codes.

allauth counts attempts in the session, where requests of the same moment overwrite each other's
count, and all of them would find a code that was not used yet. So attempts and uses are counted
here, too.
"""

from __future__ import annotations

from allauth.account.adapter import get_adapter
from django.http import HttpRequest

from accounts.devices import find_device_id
from accounts.models import User
from accounts.rate_limits import RateLimit, consume_all

CLIENT_CODES_LIMIT = RateLimit("codes-of-client", 20, 10 * 60)
CLIENT_ADDRESS_CODES_LIMIT = RateLimit("codes-from-client", 4, 10 * 60)
ADDRESS_CODES_LIMIT = RateLimit("codes-to-address", 10, 60 * 60)
DEVICE_CODES_LIMIT = RateLimit("codes-of-device", 10, 60 * 60)
CODE_ATTEMPTS_LIMIT = RateLimit("attempts-of-code", 3, 10 * 60)
CODE_USES_LIMIT = RateLimit("uses-of-code", 1, 10 * 60)


def try_consume_code_mail(request: HttpRequest, email: str, user: User | None) -> bool:
    """Count a mail before it is known whether there is an account. Return False for one too
    many."""
    device = find_device_id(request, user) if user else None
    if user and device:
        return DEVICE_CODES_LIMIT.counter_for(user.pk, device).try_consume(allow_if_full=True)
    client = get_adapter().get_client_network(request)
    return consume_all(
        [
            CLIENT_CODES_LIMIT.counter_for(client),
            CLIENT_ADDRESS_CODES_LIMIT.counter_for(email, client),
            ADDRESS_CODES_LIMIT.counter_for(email),
        ]
    )


def try_consume_code_attempt(request: HttpRequest, code: str) -> bool:
    """Count an attempt to enter this code, before what was typed is compared with it. There is none
    for an address without an account, but as much work."""
    counter = CODE_ATTEMPTS_LIMIT.counter_for(*_identify_code(request, code))
    return counter.try_consume(allow_if_full=True)


def try_use_code(request: HttpRequest, code: str) -> bool:
    """Return False if another request has used the code."""
    counter = CODE_USES_LIMIT.counter_for(*_identify_code(request, code))
    return counter.try_consume(allow_if_full=True)


def _identify_code(request: HttpRequest, code: str) -> tuple[str, str | None]:
    """The code alone, as it is random: a session may get a new key, and two requests of the same
    moment make two of it."""
    return (code, "") if code else ("", request.session.session_key)
