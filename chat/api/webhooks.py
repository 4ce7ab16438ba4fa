"""The API of webhooks: see docs/webhooks.md."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables
from ninja import Router, Status

from accounts.models import User
from accounts.outbound.errors import RefusedAddress
from accounts.sealing import SealBroken
from chat import access
from chat.api import schemas, webhook_schemas
from chat.api.auth import ApiUser, get_user, require_recent_confirmation
from chat.api.idempotency import HEADER, RequestOnce, check_later, idempotent_request
from chat.api.problems import Problem
from chat.models import Webhook, WebhookDelivery
from chat.replies import count_rows
from chat.webhooks import actions
from chat.webhooks.log import read_log

router = Router(auth=ApiUser(), tags=["webhooks"])

SECRET_REPEATED_FOR = timedelta(hours=1)
"""For so long the same request with the same idempotency key gets the secret again."""


@router.get("", response=webhook_schemas.WebhookList, by_alias=True)
def list_webhooks(request: HttpRequest) -> object:
    rows = Webhook.objects.owned_by(get_user(request))
    return webhook_schemas.WebhookList(webhooks=[_build_webhook(row) for row in rows])


@router.post("", response={201: webhook_schemas.NewWebhook}, by_alias=True)
def create_webhook(request: HttpRequest, body: webhook_schemas.WebhookIn) -> object:
    """The secret is shown only now, and to the same request with the same idempotency key within an
    hour. The same address again is refused."""
    user = get_user(request)
    require_recent_confirmation(request)
    with idempotent_request(request, user, has_effect=check_later) as once:
        if once.is_repeated:
            made = _find_created(user, body.address, once)
        else:
            made = _create(user, body.address, request)
    return Status(201, made)


@sensitive_variables("secret")
def _create(user: User, address: str, request: HttpRequest) -> webhook_schemas.NewWebhook:
    try:
        row, secret = actions.create_webhook(user, address, request)
    except RefusedAddress as refusal:
        raise Problem(422, "bad_address", refusal.message) from None
    except actions.WebhookExists:
        raise Problem(409, "exists", actions.WEBHOOK_EXISTS) from None
    except actions.TooManyWebhooks:
        raise Problem(422, "too_many_webhooks", actions.describe_too_many_webhooks()) from None
    except actions.TooManyChanges:
        raise Problem(429, "too_many", actions.TOO_MANY_CHANGES) from None
    return _build_new_webhook(row, secret)


def _find_created(user: User, address: str, once: RequestOnce) -> webhook_schemas.NewWebhook:
    row = Webhook.objects.owned_by(user).filter(address=address).first()
    if row is None:
        raise Problem(410, "gone", _("The webhook that this request created was deleted since."))
    return _build_new_webhook(row, _read_secret(row, once))


def _read_secret(row: Webhook, once: RequestOnce) -> str:
    """The present secret, for a program that has missed the answer to the same request."""
    try:
        if timezone.now() - once.first_at <= SECRET_REPEATED_FOR:
            return actions.open_secret(row)
    except SealBroken:
        pass
    text = _("This secret is not shown any more. Make a new one: POST /api/webhooks/{id}/secret.")
    raise Problem(409, "secret_shown", text)


@router.post("/{uuid:id}/secret", response=webhook_schemas.NewWebhook, by_alias=True)
def renew_secret(request: HttpRequest, id: UUID) -> object:
    """A new secret, which is shown as that of a new webhook. It signs every attempt from now on."""
    user = get_user(request)
    row = access.get_webhook_or_404(user, id)
    require_recent_confirmation(request)
    with idempotent_request(request, user, has_effect=check_later) as once:
        if once.is_repeated:
            return _build_new_webhook(row, _read_secret(row, once))
        return _renew(row, request)


def _renew(row: Webhook, request: HttpRequest) -> webhook_schemas.NewWebhook:
    try:
        return _build_new_webhook(row, actions.renew_secret(row, request))
    except actions.TooManyChanges:
        raise Problem(429, "too_many", actions.TOO_MANY_CHANGES) from None


@router.get("/{uuid:id}", response=webhook_schemas.WebhookOut, by_alias=True)
def read_webhook(request: HttpRequest, id: UUID) -> object:
    return _build_webhook(access.get_webhook_or_404(get_user(request), id))


@router.patch("/{uuid:id}", response=webhook_schemas.WebhookOut, by_alias=True)
def change_webhook(request: HttpRequest, id: UUID, body: webhook_schemas.WebhookChange) -> object:
    """Switch it on or off."""
    row = access.get_webhook_or_404(get_user(request), id)
    try:
        actions.switch_webhook(row, body.is_active, request)
    except actions.TooManyChanges:
        raise Problem(429, "too_many", actions.TOO_MANY_CHANGES) from None
    return _build_webhook(row)


@router.delete("/{uuid:id}", response={204: None})
def delete_webhook(request: HttpRequest, id: UUID) -> HttpResponse:
    """Together with its log."""
    actions.delete_webhook(access.get_webhook_or_404(get_user(request), id), request)
    return HttpResponse(status=204)


@router.get("/{uuid:id}/deliveries", response=webhook_schemas.DeliveryPage, by_alias=True)
def list_deliveries(
    request: HttpRequest,
    id: UUID,
    after: UUID | None = None,
    limit: schemas.Limit = schemas.DEFAULT_LIMIT,
) -> object:
    """The log, newest first."""
    user = get_user(request)
    webhook = access.get_webhook_or_404(user, id)
    position = access.get_delivery_or_404(user, after) if after else None
    rows, has_more = read_log(webhook, limit, position)
    return webhook_schemas.DeliveryPage(
        deliveries=[_build_delivery(row) for row in rows], next=rows[-1].pk if has_more else None
    )


@router.post("/deliveries/{uuid:id}/retry", response=webhook_schemas.DeliveryOut, by_alias=True)
def retry_delivery(request: HttpRequest, id: UUID, body: schemas.NoFields | None = None) -> object:
    """Send it again, whatever became of it. A key counts as a row of the person."""
    user = get_user(request)
    delivery = access.get_delivery_or_404(user, id)
    with idempotent_request(request, user, has_effect=check_later) as once:
        if not once.is_repeated:
            if HEADER in request.headers:
                count_rows(user, 0)
            _send_again(delivery)
    return _build_delivery(delivery)


def _send_again(delivery: WebhookDelivery) -> None:
    try:
        actions.send_again(delivery)
    except actions.TooManyWaiting:
        raise Problem(429, "too_many", actions.TOO_MANY_WAITING) from None


def _build_webhook(row: Webhook) -> webhook_schemas.WebhookOut:
    return webhook_schemas.WebhookOut(**_describe_webhook(row))


@sensitive_variables("secret")
def _build_new_webhook(row: Webhook, secret: str) -> webhook_schemas.NewWebhook:
    return webhook_schemas.NewWebhook(**_describe_webhook(row), secret=secret)


def _describe_webhook(row: Webhook) -> dict[str, Any]:
    return {
        "id": row.pk,
        "address": row.address,
        "is_active": row.is_active,
        "created_at": row.created_at,
    }


def _build_delivery(row: WebhookDelivery) -> webhook_schemas.DeliveryOut:
    return webhook_schemas.DeliveryOut(
        id=row.pk,
        webhook_id=row.webhook_id,
        type=row.type,
        conversation_id=row.conversation,
        message_id=row.message,
        stream_id=row.stream,
        ended_at=row.ended_at,
        status=cast(Any, row.status),
        attempts=row.attempts,
        last_attempt_at=row.last_attempt_at,
        next_attempt_at=row.next_attempt_at,
        last_status=row.last_status,
        failure=row.failure,
    )
