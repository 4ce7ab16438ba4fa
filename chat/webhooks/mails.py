"""Mails to a person whose webhooks change."""

from __future__ import annotations

from urllib.parse import urlsplit

from allauth.account.adapter import get_adapter

from chat.models import Webhook


def send_notice(template: str, webhook: Webhook) -> None:
    """Name the server alone: the rest of an address may contain a secret."""
    context = {"server": urlsplit(webhook.address).hostname}
    get_adapter().send_notification_mail(f"account/email/{template}", webhook.user, context)
