"""The audit events and mails about changes of factors and used recovery codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from allauth.account.adapter import get_adapter
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.audit.events import record_event
from accounts.audit.kinds import EventKind, register_kind
from accounts.models import User

MAIL_TEMPLATE = "mfa/email/factors_changed"


@dataclass(frozen=True, slots=True)
class FactorEvent:
    """An event with the subject and the sentence of its mail."""

    kind: EventKind
    subject: str | Promise
    sentence: str | Promise


PASSKEY_ADDED = FactorEvent(
    register_kind("passkey.added", _("Added a passkey")),
    _("A passkey was added"),
    _("A passkey was added to your account. It can sign in without your password."),
)
PASSKEY_REMOVED = FactorEvent(
    register_kind("passkey.removed", _("Removed a passkey")),
    _("A passkey was removed"),
    _("A passkey was removed from your account."),
)
APP_ADDED = FactorEvent(
    register_kind("authenticator_app.added", _("Added an authenticator app")),
    _("An authenticator app was added"),
    _("An authenticator app was added to your account. Signing in now needs its codes."),
)
APP_REMOVED = FactorEvent(
    register_kind("authenticator_app.removed", _("Removed the authenticator app")),
    _("The authenticator app was removed"),
    _("The authenticator app was removed from your account."),
)
CODES_CREATED = FactorEvent(
    register_kind("recovery_codes.created", _("Created recovery codes")),
    _("New recovery codes"),
    _("New recovery codes were created for your account. Earlier ones no longer work."),
)
CODE_USED = FactorEvent(
    register_kind("recovery_codes.used", _("Used a recovery code")),
    _("A recovery code was used"),
    _("A recovery code of your account was used. It won’t work again."),
)
CODE_LIMIT_REACHED = FactorEvent(
    register_kind("codes.limit_reached", _("Entered too many wrong codes")),
    _("Too many wrong codes"),
    _("Somebody who knows your password or uses your session entered too many wrong codes."),
)
FACTORS_RESET = FactorEvent(
    register_kind("factors.reset", _("Removed all passkeys, codes and the app")),
    _("Your passkeys and codes were removed"),
    _("An administrator removed the passkeys, the authenticator app and the recovery codes."),
)
PASSKEY_RENAMED = register_kind("passkey.renamed", _("Renamed a passkey"))


def report_event(event: FactorEvent, user: User, request: HttpRequest, **facts: Any) -> None:
    """Record the event, and mail it to every address of the account."""
    record_event(event.kind, user, actor=user, request=request, **facts)
    get_adapter().send_notification_mail(MAIL_TEMPLATE, user, build_mail_context(event))


def build_mail_context(event: FactorEvent) -> dict[str, str]:
    return {"subject": str(event.subject), "sentence": str(event.sentence)}
