"""Reports a sign-in from a browser that the account has not been used with before."""

from __future__ import annotations

from allauth.account.adapter import get_adapter
from django.http import HttpRequest

from accounts.devices import find_device_id
from accounts.models import User
from accounts.sessions.user_agents import describe_user_agent

KNOWN_ATTRIBUTE = "is_known_device"
"""Set before a sign-in renews an old hash, which makes the cookie of the browser void."""


def report_new_device(request: HttpRequest, user: User) -> None:
    if getattr(request, KNOWN_ATTRIBUTE, False) or find_device_id(request, user):
        return
    device = describe_user_agent(get_adapter().get_http_user_agent(request))
    get_adapter().send_notification_mail("account/email/new_sign_in", user, {"device": device})
