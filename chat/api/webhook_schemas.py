"""The bodies of requests and answers about webhooks."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from chat.api.schemas import ApiSchema
from chat.webhooks.models import MAX_ADDRESS_CHARS


class WebhookIn(ApiSchema):
    address: str = Field(max_length=MAX_ADDRESS_CHARS)


class WebhookChange(ApiSchema):
    is_active: bool = Field(strict=True)


class WebhookOut(ApiSchema):
    id: UUID
    address: str
    is_active: bool
    created_at: datetime


class NewWebhook(WebhookOut):
    """`secret` is shown only now."""

    secret: str


class WebhookList(ApiSchema):
    webhooks: list[WebhookOut]


class DeliveryOut(ApiSchema):
    """One ending, for one webhook. `lastStatus` is the HTTP status of the last answer."""

    id: UUID
    webhook_id: UUID
    type: str
    conversation_id: UUID
    message_id: UUID
    stream_id: UUID
    ended_at: datetime
    status: Literal["waiting", "delivered", "given_up"]
    attempts: int
    last_attempt_at: datetime | None
    next_attempt_at: datetime | None
    last_status: int | None
    failure: str


class DeliveryPage(ApiSchema):
    """Newest first. `next` is the value of `after` for the next page; null at the end."""

    deliveries: list[DeliveryOut]
    next: UUID | None
