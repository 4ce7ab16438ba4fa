"""Records what allauth and Django report: sign-ins and sign-outs, and changes of passwords and
addresses. An anonymous request records nothing, so that it can't fill the database."""

from __future__ import annotations

from typing import Any

from allauth.account import signals
from allauth.account.models import EmailAddress
from django.contrib.auth.signals import user_logged_out
from django.dispatch import Signal, receiver
from django.http import HttpRequest

from accounts.audit import kinds
from accounts.audit.events import record_event
from accounts.audit.kinds import EventKind
from accounts.models import User

KIND_BY_SIGNAL: tuple[tuple[Signal, EventKind], ...] = (
    (signals.user_logged_in, kinds.SIGNED_IN),
    (signals.password_changed, kinds.PASSWORD_CHANGED),
    (signals.password_set, kinds.PASSWORD_CHANGED),
    (signals.password_reset, kinds.PASSWORD_RESET),
    (signals.email_added, kinds.ADDRESS_ADDED),
    (signals.email_changed, kinds.ADDRESS_CHANGED),
    (signals.email_removed, kinds.ADDRESS_REMOVED),
)


def connect_signals() -> None:
    for signal, kind in KIND_BY_SIGNAL:
        signal.connect(_build_receiver(kind), weak=False, dispatch_uid=f"audit {kind.name}")


def _build_receiver(kind: EventKind) -> Any:
    def record(request: HttpRequest | None, user: User, **kwargs: Any) -> None:
        record_event(kind, user, request=request)

    return record


@receiver(user_logged_out)
def on_signed_out(request: HttpRequest, user: User | None, **kwargs: Any) -> None:
    """A person who has just deleted the account did not ask to sign out."""
    if user is not None and user.is_active:
        record_event(kinds.SIGNED_OUT, user, request=request)


@receiver(signals.email_confirmed)
def on_email_confirmed(request: HttpRequest, email_address: EmailAddress, **kwargs: Any) -> None:
    record_event(kinds.ADDRESS_CONFIRMED, email_address.user, request=request)
