"""Limits of mails with a code, which strangers can cause.

A code has eight of twenty letters, works for some minutes in the session that asked for it, and
takes three attempts. With these limits an address gets ten codes an hour from strangers, who can
try thirty of 25,600,000,000. A browser that the owner has used has a count of its own: strangers
can't use up its codes.
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
