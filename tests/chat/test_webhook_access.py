"""Webhooks are switched off when somebody else may have had access to the account, and have a limit
of changes."""

from __future__ import annotations

import json

import pytest
from django.core import mail
from django.http import HttpRequest
from django.test import Client

from accounts.models import AuditEvent, User
from accounts.password_change import store_password
from accounts.people.activation import activate
from accounts.sessions.ending import end_all_sessions
from accounts.tokens.models import Scope
from accounts.tokens.tokens import create_token
from chat.models import Webhook, WebhookDelivery
from chat.webhooks import actions
from chat.webhooks.actions import create_webhook
from tests.chat.factories import finish_reply, start_reply
from tests.factories import create_signed_in_client, run_at_once

pytestmark = pytest.mark.django_db

PAGE = "/settings/webhooks/"
NEW_PASSWORD = "stipe-and-frond-8"


def test_a_webhook_of_a_thief_gets_nothing_after_a_new_password(
    client: Client, owner: User, password: str
) -> None:
    token = create_token(owner, "Stolen", [Scope.WRITE], None)[1]
    headers = {"Authorization": f"Bearer {token}"}
    body = json.dumps({"address": "https://example.org/thief"})
    made = client.post("/api/webhooks", body, "application/json", headers=headers)
    assert made.status_code == 201
    mail.outbox.clear()

    browser = create_signed_in_client(owner)
    form = {"oldpassword": password, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    assert browser.post("/accounts/password/change/", form).status_code == 302
    finish_reply(start_reply(owner))
    webhook = Webhook.objects.get()
    assert not webhook.is_active
    assert not WebhookDelivery.objects.exists()
    event = AuditEvent.objects.get(kind="webhook.switched")
    assert event.facts == {"webhook": str(webhook.pk), "is_active": False}
    [sent] = mail.outbox
    assert "webhooks are switched off" in sent.body
    assert "A new password switches all webhooks off" in browser.get(PAGE).content.decode()

    browser.post(f"{PAGE}{webhook.pk}/switch/", {"active": "yes"})
    webhook.refresh_from_db()
    assert webhook.is_active


@pytest.mark.parametrize(
    "change", ["own", "administrator's", "shell's", "sessions ended", "reactivation"]
)
def test_what_revokes_all_tokens_switches_all_webhooks_off(
    owner: User, colleague: User, change: str
) -> None:
    for number in range(2):
        create_webhook(owner, f"https://example.org/{number}")
    actions.switch_webhook(create_webhook(owner, "https://example.org/off")[0], is_active=False)
    create_webhook(colleague, "https://example.org/")
    if change == "sessions ended":
        end_all_sessions([owner])
    elif change == "reactivation":
        User.objects.filter(pk=owner.pk).update(is_active=False)
        activate(User.objects.get(pk=owner.pk), HttpRequest())
    elif change == "shell's":
        owner.set_password(NEW_PASSWORD)
        owner.save()
    else:
        store_password(owner, NEW_PASSWORD, inactive=change != "own")
    assert [row.user for row in Webhook.objects.filter(is_active=True)] == [colleague]
    assert AuditEvent.objects.owned_by(owner).filter(kind="webhook.switched").count() == 3


@pytest.mark.django_db(transaction=True)
def test_webhooks_that_are_switched_on_at_once_keep_the_limit_of_changes(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhooks = [create_webhook(owner, f"https://example.org/{at}")[0] for at in range(6)]
    for webhook in webhooks:
        actions.switch_webhook(webhook, is_active=False)
    monkeypatch.setattr(actions, "MAX_CHANGES_PER_HOUR", AuditEvent.objects.count() + 2)

    def switch_on(webhook: Webhook) -> bool:
        try:
            actions.switch_webhook(webhook, is_active=True)
        except actions.TooManyChanges:
            return False
        return True

    switched = run_at_once(*(lambda webhook=webhook: switch_on(webhook) for webhook in webhooks))
    assert sum(map(bool, switched)) == Webhook.objects.filter(is_active=True).count() == 2
