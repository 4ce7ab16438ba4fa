"""Context of accounts for templates."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from accounts import setup
from accounts.mails.console import prints_mails
from accounts.social.form_origins import build_button


def sign_up_context(request: HttpRequest) -> dict[str, object]:
    """Evaluated only by pages with a link to the sign-up page, or with buttons of other servers."""
    return {
        "sign_up_is_open": SimpleLazyObject(lambda: setup.is_sign_up_open(request)),
        "sign_in_buttons": SimpleLazyObject(
            lambda: [build_button(server) for server in settings.SIGN_IN_SERVERS]
        ),
        "has_mail_server": settings.HAS_MAIL_SERVER,
        "prints_mails": prints_mails(),
    }
