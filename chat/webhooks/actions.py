"""Creates, switches and deletes the webhooks of a person, makes new secrets, and sends a delivery
again."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.http import Http404, HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from accounts.audit.events import record_event
from accounts.audit.kinds import register_kind
from accounts.audit.models import AuditEvent
from accounts.models import User
from accounts.outbound.address_guard import check_unresolved
from accounts.program_access import register_access_end
from accounts.rotation.registry import SealedColumns, register_sealed
from accounts.sealing import SealedSecret, open_sealed, seal_secret
from chat.models import Webhook, WebhookDelivery
from chat.webhooks.events import has_too_many_waiting
from chat.webhooks.mails import send_notice
from chat.webhooks.models import RETRY_DURATION
from chat.webhooks.signing import make_secret

WEBHOOK_CREATED = register_kind("webhook.created", _("Created a webhook"))
SECRET_RENEWED = register_kind("webhook.secret", _("Made a new secret for a webhook"))
WEBHOOK_SWITCHED = register_kind("webhook.switched", _("Switched a webhook on or off"))
WEBHOOK_DELETED = register_kind("webhook.deleted", _("Deleted a webhook"))

MAX_WEBHOOKS_PER_USER = 10
MAX_CHANGES_PER_HOUR = 100
"""Webhooks that a person may create or switch on in an hour, and new secrets. Each is an audit
event, which is kept for a year. To delete one, or to switch it off, is never refused."""


WEBHOOK_EXISTS = _("You have a webhook with this address already.")
TOO_MANY_WAITING = _("Too many deliveries of this webhook wait. Try again later.")
TOO_MANY_CHANGES = _("You have changed your webhooks very often. Try again in an hour.")


class TooManyWebhooks(Exception):
    """The person has MAX_WEBHOOKS_PER_USER webhooks."""


class WebhookExists(Exception):
    """The person has a webhook with this address."""


class TooManyChanges(Exception):
    """The person has changed webhooks MAX_CHANGES_PER_HOUR times within an hour."""


class TooManyWaiting(Exception):
    """As many deliveries of the webhook wait as may."""


def describe_too_many_webhooks() -> str:
    text = gettext("You have %(count)s webhooks. Delete one first.")
    return text % {"count": MAX_WEBHOOKS_PER_USER}


@sensitive_variables("secret")
def create_webhook(
    user: User, address: str, request: HttpRequest | None = None
) -> tuple[Webhook, str]:
    """Return the row and the secret, which is shown once. Raises RefusedAddress, WebhookExists,
    TooManyWebhooks or TooManyChanges."""
    check_unresolved(address)
    secret = make_secret()
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        own = Webhook.objects.owned_by(user)
        if own.filter(address=address).exists():
            raise WebhookExists
        if own.count() >= MAX_WEBHOOKS_PER_USER:
            raise TooManyWebhooks
        _require_few_changes(user)
        webhook = Webhook(user=user, address=address)
        _set_secret(webhook, secret)
        webhook.save(force_insert=True)
        webhook.refresh_from_db(fields=["created_at"])
        record_event(WEBHOOK_CREATED, user, request=request, webhook=str(webhook.pk))
        if request is not None:
            transaction.on_commit(partial(send_notice, "webhook_created", webhook))
    return webhook, secret


@sensitive_variables("secret")
def renew_secret(webhook: Webhook, request: HttpRequest | None = None) -> str:
    """Return the new secret, which is shown once. It signs every attempt from now on, and the old
    one signs none. Raises TooManyChanges, or DoesNotExist if the webhook was just deleted."""
    secret = make_secret()
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=webhook.user_id)
        locked = Webhook.objects.select_for_update(of=("self",)).select_related("user")
        row = locked.get(pk=webhook.pk)
        _require_few_changes(row.user)
        _set_secret(row, secret)
        row.save(update_fields=["sealed", "master_key_id"])
        record_event(SECRET_RENEWED, row.user, request=request, webhook=str(row.pk))
        if request is not None:
            transaction.on_commit(partial(send_notice, "webhook_secret", row))
    return secret


@sensitive_variables("secret")
def _set_secret(webhook: Webhook, secret: str) -> None:
    sealed = seal_secret(secret, *_get_context(webhook))
    webhook.sealed, webhook.master_key_id = sealed.ciphertext, sealed.master_key_id


def open_secret(webhook: Webhook) -> str:
    """Raises SealBroken."""
    sealed = SealedSecret(webhook.master_key_id, bytes(webhook.sealed))
    return open_sealed(sealed, *_get_context(webhook))


def _get_context(webhook: Webhook) -> tuple[str, str, str]:
    return "holdfast webhook", str(webhook.pk), webhook.address


def switch_webhook(
    webhook: Webhook,
    is_active: bool,
    request: HttpRequest | None = None,
    *,
    by_system: bool = False,
) -> None:
    """One that is off gets nothing. Waiting deliveries are sent if it is switched on in time. Only
    to switch it on may raise TooManyChanges."""
    rows = Webhook.objects.filter(pk=webhook.pk).exclude(is_active=is_active)
    with transaction.atomic():
        if is_active:
            # Locked, because changes at the same time must not pass the limit together.
            User.objects.select_for_update(no_key=True).get(pk=webhook.user_id)
            if rows.exists():
                _require_few_changes(webhook.user)
        if rows.update(is_active=is_active):
            record_event(
                WEBHOOK_SWITCHED,
                webhook.user,
                request=request,
                by_system=by_system,
                webhook=str(webhook.pk),
                is_active=is_active,
            )
    webhook.is_active = is_active


def _require_few_changes(user: User) -> None:
    hour = Q(created_at__gt=Now() - timedelta(hours=1))
    kinds = [WEBHOOK_CREATED.name, SECRET_RENEWED.name, WEBHOOK_SWITCHED.name]
    if (
        AuditEvent.objects.owned_by(user).filter(hour, kind__in=kinds).count()
        >= MAX_CHANGES_PER_HOUR
    ):
        raise TooManyChanges


def delete_webhook(webhook: Webhook, request: HttpRequest | None = None) -> None:
    """Together with its log."""
    with transaction.atomic():
        # An ending that adds to the log meanwhile waits, and then finds no webhook.
        list(Webhook.objects.select_for_update().filter(pk=webhook.pk))
        count, _models = Webhook.objects.filter(pk=webhook.pk).delete()
        if count:
            record_event(WEBHOOK_DELETED, webhook.user, request=request, webhook=str(webhook.pk))


def send_again(delivery: WebhookDelivery) -> None:
    """Whatever became of it. Raises TooManyWaiting, or Http404 if it was just deleted."""
    if has_too_many_waiting(delivery.webhook_id):
        raise TooManyWaiting
    rows = WebhookDelivery.objects.filter(pk=delivery.pk)
    is_there = rows.update(
        status=WebhookDelivery.Status.WAITING,
        attempts=0,
        next_attempt_at=timezone.now(),
        retry_until=timezone.now() + RETRY_DURATION,
    )
    if not is_there:
        raise Http404("The delivery was just deleted.")
    delivery.refresh_from_db()


def switch_all_off(user: User) -> None:
    """For a new password: a thief of a token may have created some of them. The owner switches on
    those that are known. Another event says who has set the password."""
    for webhook in Webhook.objects.owned_by(user).filter(is_active=True).order_by("pk"):
        switch_webhook(webhook, is_active=False, by_system=True)


def register_end_of_access() -> None:
    register_access_end(switch_all_off)


def register_sealed_secrets() -> None:
    register_sealed(
        _("Secrets of webhooks"),
        Webhook,
        SealedColumns("sealed", "master_key_id"),
        _get_context,
        ~Q(sealed=b""),
    )
