"""Webhooks through the API."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts.audit.models import AuditEvent
from accounts.models import User
from accounts.tokens.models import Scope
from chat.models import Webhook, WebhookDelivery
from chat.webhooks import actions
from chat.webhooks.actions import create_webhook, open_secret
from tests.chat.api.conftest import Program, create_program
from tests.chat.factories import finish_reply, start_reply

pytestmark = pytest.mark.django_db

ADDRESS = "https://example.org/holdfast"


def test_a_program_creates_switches_and_deletes_a_webhook(program: Program) -> None:
    made = program.post("/webhooks", {"address": ADDRESS})
    assert made.status_code == 201
    row = Webhook.objects.get()
    shown = {name: made.data[name] for name in ("id", "address", "isActive", "createdAt")}
    assert made.data == shown | {"secret": open_secret(row)}
    assert program.get("/webhooks").data == {"webhooks": [shown]}
    path = f"/webhooks/{row.pk}"
    assert program.get(path).data == shown
    assert program.send("PATCH", path, {"isActive": False}).data["isActive"] is False
    assert program.send("DELETE", path).status_code == 204
    assert program.get(path).status_code == 404


def test_changes_within_an_hour_are_bounded(
    program: Program, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "MAX_CHANGES_PER_HOUR", 2)
    row = create_webhook(owner, ADDRESS)[0]
    path = f"/webhooks/{row.pk}"
    assert program.send("PATCH", path, {"isActive": False}).data["isActive"] is False
    for refused in (
        program.send("PATCH", path, {"isActive": True}),
        program.post("/webhooks", {"address": f"{ADDRESS}/2"}),
    ):
        assert (refused.status_code, refused.data["code"]) == (429, "too_many")
    assert program.send("DELETE", path).status_code == 204
    AuditEvent.objects.update(created_at=timezone.now() - timedelta(hours=1, seconds=1))
    assert program.post("/webhooks", {"address": ADDRESS}).status_code == 201


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [
        ("example.org", 422, "bad_address"),
        ("http://10.0.0.1/", 422, "bad_address"),
        (ADDRESS, 409, "exists"),
        ("https://example.org/third", 422, "too_many_webhooks"),
        ("https://example.org/" + "x" * 500, 422, "invalid"),
    ],
)
def test_a_wrong_address_is_a_problem(
    program: Program,
    owner: User,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    status: int,
    code: str,
) -> None:
    settings.PRIVATE_ADDRESSES = "refuse"
    monkeypatch.setattr(actions, "MAX_WEBHOOKS_PER_USER", 1)
    create_webhook(owner, ADDRESS)
    answer = program.post("/webhooks", {"address": address})
    assert (answer.status_code, answer.data["code"]) == (status, code)


def test_the_log_is_read_page_by_page_and_an_entry_is_sent_again(
    program: Program, owner: User
) -> None:
    webhook, _ = create_webhook(owner, ADDRESS)
    for _ in range(5):
        finish_reply(start_reply(owner))
    WebhookDelivery.objects.update(status="given_up", next_attempt_at=None, attempts=9)
    after: str | None = ""
    ids: list[str] = []
    while after is not None:
        page = program.get(f"/webhooks/{webhook.pk}/deliveries?limit=2{after and '&after='}{after}")
        ids += [entry["id"] for entry in page.data["deliveries"]]
        after = page.data["next"]
    newest_first = WebhookDelivery.objects.order_by("-ended_at").values_list("pk", flat=True)
    assert ids == [str(id) for id in newest_first]
    entry = program.post(f"/webhooks/deliveries/{ids[0]}/retry").data
    assert (entry["status"], entry["attempts"], entry["type"]) == ("waiting", 0, "reply.completed")
    assert WebhookDelivery.objects.waiting().count() == 1


def test_creating_needs_the_right_to_write(owner: User) -> None:
    reader = create_program(owner, Scope.READ)
    assert reader.get("/webhooks").status_code == 200
    assert reader.post("/webhooks", {"address": ADDRESS}).data["code"] == "missing_right"
