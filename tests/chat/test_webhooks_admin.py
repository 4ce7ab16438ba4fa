"""Webhooks in the admin: facts, and nothing to read or change of the person's own."""

from __future__ import annotations

import pytest
from django.urls import reverse

from accounts.models import User
from chat.webhooks.actions import create_webhook
from tests.factories import create_signed_in_client

pytestmark = pytest.mark.django_db


def test_an_administrator_sees_no_address_and_changes_nothing(owner: User, password: str) -> None:
    webhook, _ = create_webhook(owner, "https://example.org/path?kelp")
    administrator = User.objects.create_superuser("administrator@holdfast.test", password)
    browser = create_signed_in_client(administrator)
    browser.post("/accounts/reauthenticate/", {"password": password})
    page = reverse("admin:chat_webhook_change", args=[webhook.pk])
    for path in (reverse("admin:chat_webhook_changelist"), page):
        html = browser.get(path).content.decode()
        assert str(webhook.pk) in html
        assert owner.email in html
        assert "example.org" not in html
    assert browser.post(page, {"is_active": ""}).status_code == 403
    removal = reverse("admin:chat_webhook_delete", args=[webhook.pk])
    assert browser.post(removal, {"post": "yes"}).status_code == 403
    assert browser.get(reverse("admin:chat_webhook_add")).status_code == 403
