"""Webhooks through the API."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone
from pytest_django import Settings

from accounts.audit.models import AuditEvent
from accounts.models import User
from accounts.tokens.models import Scope
from chat.models import IdempotentRequest, Webhook, WebhookDelivery
from chat.webhooks import actions
from chat.webhooks.actions import create_webhook, open_secret
from chat.webhooks.events import encode_event
from streaming import lifecycle
from streaming.models import Stream
from tests.chat.api.conftest import Program, create_program
from tests.chat.factories import finish_reply, start_reply
from tests.doors.gateway.program import Program as GatewayProgram
from tests.factories import create_signed_in_client

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


def test_a_program_that_missed_the_answer_gets_the_secret_again(
    program: Program, owner: User
) -> None:
    body = {"address": ADDRESS}
    made = program.post("/webhooks", body, Idempotency_Key="one")
    again = program.post("/webhooks", body, Idempotency_Key="one")
    assert (again.status_code, again.data) == (201, made.data)
    assert AuditEvent.objects.filter(kind="webhook.created").count() == 1
    for key, other, code in (
        ("two", body, "exists"),
        ("", body, "exists"),
        ("one", {"address": f"{ADDRESS}/2"}, "key_reused"),
    ):
        refused = program.post("/webhooks", other, Idempotency_Key=key)
        assert (refused.status_code, refused.data["code"]) == (409, code)
    old = timezone.now() - timedelta(hours=1, seconds=1)
    IdempotentRequest.objects.update(created_at=old)
    late = program.post("/webhooks", body, Idempotency_Key="one")
    assert (late.status_code, late.data["code"]) == (409, "secret_shown")
    program.send("DELETE", f"/webhooks/{made.data['id']}")
    gone = program.post("/webhooks", body, Idempotency_Key="one")
    assert (gone.status_code, gone.data["code"]) == (410, "gone")


def test_a_refused_webhook_leaves_its_key_free(program: Program, settings: Settings) -> None:
    settings.PRIVATE_ADDRESSES = "refuse"
    refused = program.post("/webhooks", {"address": "http://10.0.0.1/"}, Idempotency_Key="one")
    assert refused.status_code == 422
    made = program.post("/webhooks", {"address": ADDRESS}, Idempotency_Key="one")
    assert made.status_code == 201


def test_a_new_secret_takes_the_place_of_the_old_one(
    program: Program, stranger: Program, owner: User
) -> None:
    row, old = create_webhook(owner, ADDRESS)
    path = f"/webhooks/{row.pk}/secret"
    assert stranger.post(path).status_code == 404
    assert create_program(owner, Scope.READ).post(path).data["code"] == "missing_right"
    made = program.post(path, Idempotency_Key="one")
    row.refresh_from_db()
    assert made.status_code == 200
    assert made.data["secret"] == open_secret(row) != old
    assert made.data["id"] == str(row.pk)
    assert program.post(path, Idempotency_Key="one").data == made.data
    assert program.post(path).data["secret"] != made.data["secret"]
    events = AuditEvent.objects.filter(kind="webhook.secret")
    assert [event.facts for event in events] == [{"webhook": str(row.pk)}] * 2


def create_page(owner: User, password: str = "") -> Program:
    """A page of ours. With a password, its person has just given it."""
    page = Program(Origin="http://testserver", Host="testserver")
    page.client = create_signed_in_client(owner)
    if password:
        page.client.post("/accounts/reauthenticate/", {"password": password})
    return page


def test_a_page_needs_a_recent_confirmation_as_the_form_does(owner: User, password: str) -> None:
    row = create_webhook(owner, ADDRESS)[0]
    requests = [("/webhooks", {"address": f"{ADDRESS}/2"}), (f"/webhooks/{row.pk}/secret", None)]
    for path, body in requests:
        refused = create_page(owner).post(path, body)
        assert (refused.status_code, refused.data["code"]) == (403, "confirm_first")
    assert Webhook.objects.count() == 1
    confirmed = create_page(owner, password)
    assert [confirmed.post(path, body).status_code for path, body in requests] == [201, 200]


@pytest.mark.django_db(transaction=True)
def test_a_person_gets_a_mail_of_each_secret(program: Program) -> None:
    mail.outbox.clear()
    made = program.post("/webhooks", {"address": "https://example.org/path?kelp"})
    renewed = program.post(f"/webhooks/{made.data['id']}/secret")
    first, second = mail.outbox
    assert first.subject.endswith("New webhook for your account")
    assert second.subject.endswith("New secret for a webhook of your account")
    for sent in mail.outbox:
        assert "example.org" in sent.body
        for secret in ("kelp", "/path", made.data["secret"], renewed.data["secret"]):
            assert secret not in sent.body


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
        program.post(f"{path}/secret"),
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


def test_a_retry_with_the_same_key_is_one_retry(program: Program, owner: User) -> None:
    create_webhook(owner, ADDRESS)
    finish_reply(start_reply(owner))
    path = f"/webhooks/deliveries/{WebhookDelivery.objects.get().pk}/retry"
    assert program.post(path, Idempotency_Key="k").data["status"] == "waiting"
    WebhookDelivery.objects.update(status="delivered", next_attempt_at=None)
    assert program.post(path, Idempotency_Key="k").data["status"] == "delivered"
    assert program.post(path, Idempotency_Key="other").data["status"] == "waiting"


def test_keys_of_retries_are_limited(program: Program, owner: User, settings: Settings) -> None:
    """Each is a row that stays for a month."""
    create_webhook(owner, ADDRESS)
    finish_reply(start_reply(owner))
    path = f"/webhooks/deliveries/{WebhookDelivery.objects.get().pk}/retry"
    settings.MAX_CHARS_PER_MINUTE = 1
    assert program.post(path, Idempotency_Key="k").status_code == 429
    assert not IdempotentRequest.objects.exists()
    assert program.post(path).status_code == 200


def test_a_reply_of_the_gateway_is_found_by_the_ids_of_its_message(owner: User) -> None:
    create_webhook(owner, ADDRESS)
    asked = GatewayProgram.of(owner).ask("Why do tides lag the moon?")
    lifecycle.stop(Stream.objects.get().pk)
    entry = WebhookDelivery.objects.get()
    sent = json.loads(encode_event(entry))["data"]
    assert asked["id"] == f"resp_{sent['stream'].replace('-', '')}"
    path = f"/messages/{sent['message']}"
    assert create_program(owner, Scope.READ).get(path).status_code == 200
    refused = create_program(owner, Scope.GATEWAY).get(path)
    assert (refused.status_code, refused.data["code"]) == (403, "missing_right")


def test_creating_needs_the_right_to_write(owner: User) -> None:
    reader = create_program(owner, Scope.READ)
    assert reader.get("/webhooks").status_code == 200
    assert reader.post("/webhooks", {"address": ADDRESS}).data["code"] == "missing_right"
