"""Webhooks: endings are stored, signed, sent, tried again and given up."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import AuditEvent, User
from accounts.outbound.client import send_request
from accounts.sealing import SealBroken
from chat.models import Webhook, WebhookDelivery
from chat.webhooks import actions, delivery, events, tasks
from chat.webhooks.actions import create_webhook, open_secret
from chat.webhooks.delivery import deliver_next
from streaming import lifecycle
from streaming.lifecycle import Ending
from streaming.models import State
from tests.accounts.raw_server import Answer, RawServer, send_bytes, send_document, serve
from tests.chat.factories import claim_reply, finish_reply, start_reply
from tests.factories import create_signed_in_client, run_at_once

pytestmark = pytest.mark.django_db

PAGE = "/settings/webhooks/"
DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "webhooks.md").read_text()
Verifier = Callable[[str, dict[str, str], bytes], bool]


@pytest.fixture(autouse=True)
def allow_private_addresses(settings: Settings) -> None:
    settings.PRIVATE_ADDRESSES = "allow"


class Receiver:
    """A server of the person. It answers with each status in turn, and then with the last one."""

    def __init__(self, *statuses: str) -> None:
        self.statuses = [*statuses]

    def __call__(self, connection: socket.socket) -> None:
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        send_document(b"{}", status)(connection)


@pytest.fixture
def receiver() -> Iterator[RawServer]:
    with serve(Receiver("204 No Content")) as server:
        yield server


def end_reply(owner: User, webhook: Webhook) -> WebhookDelivery:
    reply = start_reply(owner)
    finish_reply(reply)
    return WebhookDelivery.objects.get(webhook=webhook, stream=reply.stream.uuid)


def parse_request(request: bytes) -> tuple[dict[str, str], bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")[1:]
    return {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}, body


@pytest.fixture(scope="module")
def verify() -> Verifier:
    """The function in docs/webhooks.md."""
    code = re.search(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    assert code
    names: dict[str, Any] = {}
    exec(compile(code[1], "webhooks.md", "exec"), names)
    found: Verifier = names["verify"]
    return found


# The message


def test_a_receiver_gets_the_signed_ending_of_a_reply(
    owner: User, receiver: RawServer, verify: Verifier
) -> None:
    webhook, secret = create_webhook(owner, receiver.get_url())
    entry = end_reply(owner, webhook)
    assert deliver_next()
    assert not deliver_next()
    [request] = receiver.requests
    headers, body = parse_request(request)
    sent = json.loads(body)
    entry.refresh_from_db()
    assert sent == {
        "type": "reply.completed",
        "id": headers["webhook-id"],
        "created_at": sent["created_at"],
        "data": {
            "conversation": str(entry.conversation),
            "message": str(entry.message),
            "stream": str(entry.stream),
            "state": "completed",
            "finish_reason": "stop",
        },
    }
    assert (entry.status, entry.attempts, entry.last_status) == ("delivered", 1, 204)
    assert entry.next_attempt_at is None
    assert verify(secret, headers, body)
    assert not verify(secret, headers, body + b" ")
    assert not verify(secret, headers | {"webhook-timestamp": "1"}, body)
    other = create_webhook(owner, receiver.get_url() + "?2")[1]
    assert not verify(other, headers, body)


def test_the_document_shows_a_message_as_it_is_sent(owner: User, receiver: RawServer) -> None:
    webhook, _ = create_webhook(owner, receiver.get_url())
    end_reply(owner, webhook)
    deliver_next()
    headers, body = parse_request(receiver.requests[0])
    shown = re.search(r"```\n(POST .*?)```", DOCUMENT, re.DOTALL)
    assert shown
    names, text = parse_request(shown[1].strip().replace("\n", "\r\n").encode())
    assert {name for name in headers if name.startswith("webhook-")} == names.keys() - {
        "content-type"
    }

    def list_names(value: dict[str, Any]) -> list[object]:
        return [(k, list_names(v)) if isinstance(v, dict) else k for k, v in value.items()]

    assert list_names(json.loads(text)) == list_names(json.loads(body))


@pytest.mark.parametrize("state", [State.STOPPED, State.FAILED, State.INTERRUPTED])
def test_each_other_ending_is_sent_too(owner: User, receiver: RawServer, state: State) -> None:
    create_webhook(owner, receiver.get_url())
    reply = start_reply(owner)
    if state == State.STOPPED:
        lifecycle.stop(reply.stream.pk)
    else:
        stream = claim_reply(reply)
        assert lifecycle.end(stream.pk, stream.epoch, Ending(state, error_class="internal"))
    deliver_next()
    assert json.loads(parse_request(receiver.requests[0])[1])["type"] == f"reply.{state}"


def test_nothing_is_stored_for_others_and_for_a_webhook_that_is_off(
    owner: User, colleague: User
) -> None:
    create_webhook(colleague, "https://example.org/theirs")
    webhook, _ = create_webhook(owner, "https://example.org/mine")
    actions.switch_webhook(webhook, is_active=False)
    finish_reply(start_reply(owner))
    assert not WebhookDelivery.objects.exists()


def test_a_deactivated_account_gets_nothing(owner: User, receiver: RawServer) -> None:
    webhook, _ = create_webhook(owner, receiver.get_url())
    end_reply(owner, webhook)
    start_reply(owner)
    owner.is_active = False
    owner.save()  # stops the second reply
    assert WebhookDelivery.objects.count() == 1
    assert not deliver_next()
    assert not receiver.requests
    WebhookDelivery.objects.update(retry_until=timezone.now() - timedelta(seconds=1))
    tasks.purge_deliveries()
    assert WebhookDelivery.objects.get().status == "given_up"


# Failures


def make_due(entry: WebhookDelivery) -> None:
    WebhookDelivery.objects.filter(pk=entry.pk).update(next_attempt_at=timezone.now())
    Webhook.objects.update(resting_until=None)


def test_a_failed_attempt_is_made_again_with_longer_pauses(owner: User) -> None:
    with serve(Receiver("500 Oh", "302 Found", "429 Later", "200 OK")) as server:
        webhook, _ = create_webhook(owner, server.get_url())
        entry = end_reply(owner, webhook)
        for number, (status, failure) in enumerate(
            [(500, "bad_status"), (302, "bad_status"), (429, "bad_status")]
        ):
            assert deliver_next()
            entry.refresh_from_db()
            assert (entry.last_status, entry.failure, entry.status) == (status, failure, "waiting")
            assert entry.next_attempt_at is not None
            assert entry.last_attempt_at is not None
            pause = entry.next_attempt_at - entry.last_attempt_at
            expected = 10 * 4**number
            assert expected * 0.9 <= pause.total_seconds() <= expected * 1.1 + 5
            assert not deliver_next()
            make_due(entry)
        assert deliver_next()
    entry.refresh_from_db()
    assert (entry.status, entry.attempts, entry.failure) == ("delivered", 4, "")
    ids = {parse_request(request)[0]["webhook-id"] for request in server.requests}
    assert ids == {events.build_event_id(entry)}


LONG_BODY = b"a" * (delivery.LIMITS.max_body_bytes + 1)


@pytest.mark.parametrize(
    ("answer", "logged"),
    [
        (send_document(b"", "307 Keep", "Location: https://example.org"), (307, "bad_status")),
        (send_document(LONG_BODY, "500 Oh"), (500, "bad_status")),
        (send_document(b"", "500 Oh", "Content-Encoding: gzip"), (500, "bad_status")),
        (send_bytes(b"HTTP/1.1 502 Oh\r\nContent-Length: 9\r\n\r\n"), (502, "bad_status")),
        (send_document(LONG_BODY), (200, "")),
        (send_document(b"", "200 OK", "Content-Encoding: gzip"), (200, "")),
        (send_bytes(b""), (None, "no_answer")),
    ],
    ids=["redirect", "long", "compressed", "cut", "long success", "compressed success", "closed"],
)
def test_the_log_has_the_status_of_an_answer_that_is_not_used(
    owner: User, answer: Answer, logged: tuple[int | None, str]
) -> None:
    with serve(answer) as server:
        webhook, _ = create_webhook(owner, server.get_url())
        entry = end_reply(owner, webhook)
        assert deliver_next()
    entry.refresh_from_db()
    assert (entry.last_status, entry.failure) == logged
    assert entry.status == ("waiting" if entry.failure else "delivered")


def test_a_waiting_delivery_is_signed_with_the_new_secret(
    owner: User, verify: Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets: list[str] = []
    with serve(send_document(b"{}")) as server:
        webhook, _ = create_webhook(owner, server.get_url())
        end_reply(owner, webhook)
        end_reply(owner, webhook)
        attempt = delivery.attempt

        def attempt_and_renew(to: Webhook, entry: WebhookDelivery) -> bool:
            done = attempt(to, entry)
            secrets.append(actions.renew_secret(webhook))
            return done

        monkeypatch.setattr(delivery, "attempt", attempt_and_renew)
        assert deliver_next()  # both, in one turn of a worker
    headers, body = parse_request(server.requests[1])
    assert verify(secrets[0], headers, body)


def test_after_a_day_a_delivery_is_given_up_and_can_be_sent_again(owner: User) -> None:
    with serve(Receiver("500 Oh", "500 Oh", "200 OK")) as server:
        webhook, _ = create_webhook(owner, server.get_url())
        entry = end_reply(owner, webhook)
        WebhookDelivery.objects.update(attempts=8)
        deliver_next()
        entry.refresh_from_db()
        assert entry.next_attempt_at == entry.retry_until  # the last attempt is at the very end
        WebhookDelivery.objects.update(retry_until=timezone.now() - timedelta(seconds=1))
        make_due(entry)
        deliver_next()
        entry.refresh_from_db()
        assert (entry.status, entry.is_waiting) == ("given_up", False)
        browser = create_signed_in_client(owner)
        assert "Given up" in browser.get(f"{PAGE}{webhook.pk}/").content.decode()
        Webhook.objects.update(resting_until=None)
        answer = browser.post(f"{PAGE}deliveries/{entry.pk}/", follow=True).content.decode()
        assert "sent again" in answer
        deliver_next()
    entry.refresh_from_db()
    assert (entry.status, entry.attempts) == ("delivered", 1)


@pytest.mark.parametrize("status", [500, 200])
def test_a_delivery_that_is_to_be_sent_again_during_an_attempt_is_sent_again(
    owner: User, receiver: RawServer, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    webhook, _ = create_webhook(owner, receiver.get_url())
    entry = end_reply(owner, webhook)

    def send_slowly(*args: Any, **kwargs: Any) -> Any:
        actions.send_again(WebhookDelivery.objects.get(pk=entry.pk))
        monkeypatch.setattr(delivery, "send_request", send_request)
        return replace(send_request(*args, **kwargs), status=status)

    WebhookDelivery.objects.update(attempts=8, retry_until=timezone.now())  # the last attempt
    monkeypatch.setattr(delivery, "send_request", send_slowly)
    assert deliver_next()
    if status == 500:
        entry.refresh_from_db()
        assert (entry.status, entry.attempts) == ("waiting", 0)
        Webhook.objects.update(resting_until=None)
        assert deliver_next()
    entry.refresh_from_db()
    assert (entry.status, entry.attempts) == ("delivered", 1)
    assert len(receiver.requests) == 2


def test_a_server_that_wants_no_more_switches_its_webhook_off(owner: User) -> None:
    with serve(Receiver("410 Gone")) as server:
        webhook, _ = create_webhook(owner, server.get_url())
        entry = end_reply(owner, webhook)
        deliver_next()
    entry.refresh_from_db()
    webhook.refresh_from_db()
    assert (entry.status, webhook.is_active) == ("given_up", False)
    event = AuditEvent.objects.get(kind="webhook.switched")
    assert (event.actor_id, event.facts["is_active"]) == (None, False)


def test_a_private_address_gets_no_request_unless_it_is_allowed(
    owner: User, receiver: RawServer, settings: Settings
) -> None:
    webhook, _ = create_webhook(owner, receiver.get_url())
    entry = end_reply(owner, webhook)
    settings.PRIVATE_ADDRESSES = "refuse"
    deliver_next()
    entry.refresh_from_db()
    assert (entry.failure, entry.status) == ("refused", "waiting")
    assert not receiver.requests


def test_a_secret_of_another_row_or_address_opens_nothing(owner: User) -> None:
    first, secret = create_webhook(owner, "https://example.org/1")
    second, _ = create_webhook(owner, "https://example.org/2")
    assert open_secret(first) == secret
    second.sealed = first.sealed
    first.address = second.address
    for webhook in (first, second):
        with pytest.raises(SealBroken):
            open_secret(webhook)
    Webhook.objects.filter(pk=second.pk).update(sealed=first.sealed)
    actions.switch_webhook(first, is_active=False)
    end_reply(owner, second)
    assert deliver_next()
    entry = WebhookDelivery.objects.get(webhook=second)
    assert (entry.status, entry.failure) == ("given_up", "sealed")


# Workers


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_dies_while_it_sends_is_replaced(
    owner: User, receiver: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook, _ = create_webhook(owner, receiver.get_url())
    entry = end_reply(owner, webhook)

    class Killed(BaseException):
        """The process died here."""

    def die(*args: object, **kwargs: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(delivery, "send_request", die)
        with pytest.raises(Killed):
            deliver_next()
    assert not deliver_next()  # the dead worker's claim
    Webhook.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert deliver_next()
    entry.refresh_from_db()
    assert (entry.status, entry.attempts) == ("delivered", 2)


@pytest.mark.django_db(transaction=True)
def test_two_workers_send_a_delivery_once(owner: User, receiver: RawServer) -> None:
    webhook, _ = create_webhook(owner, receiver.get_url())
    end_reply(owner, webhook)
    assert sorted(map(str, run_at_once(deliver_next, deliver_next))) == ["False", "True"]
    assert len(receiver.requests) == 1


def test_a_second_webhook_of_a_person_waits_and_one_of_another_does_not(
    owner: User, colleague: User, receiver: RawServer
) -> None:
    """Servers that hang hold one sender for each person."""
    busy, _ = create_webhook(owner, receiver.get_url() + "?1")
    create_webhook(owner, receiver.get_url() + "?2")
    theirs, _ = create_webhook(colleague, receiver.get_url())
    end_reply(owner, busy)
    end_reply(colleague, theirs)
    Webhook.objects.filter(pk=busy.pk).update(claimed_until=timezone.now() + timedelta(minutes=1))
    assert deliver_next()
    assert not deliver_next()
    assert WebhookDelivery.objects.get(status="delivered").webhook == theirs


@pytest.mark.django_db(transaction=True)
def test_the_follow_up_of_workers_sends_in_threads(owner: User, receiver: RawServer) -> None:
    webhook, _ = create_webhook(owner, receiver.get_url())
    entry = end_reply(owner, webhook)
    tasks.start_senders()
    for thread in threading.enumerate():
        if thread.name == "webhooks":
            thread.join(20)
    entry.refresh_from_db()
    assert entry.status == "delivered"
    tasks.start_senders()
    assert "webhooks" not in {thread.name for thread in threading.enumerate()}


# Limits


def test_too_many_waiting_deliveries_are_given_up_and_shown(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MAX_WAITING_PER_WEBHOOK", 1)
    webhook, _ = create_webhook(owner, "https://example.org/")
    first, second = (end_reply(owner, webhook) for _ in range(2))
    assert (first.status, second.status, second.failure) == ("waiting", "given_up", "too_many")
    with pytest.raises(actions.TooManyWaiting):
        actions.send_again(second)
    browser = create_signed_in_client(owner)
    assert "too many others" in browser.get(f"{PAGE}{webhook.pk}/").content.decode()
    answer = browser.post(f"{PAGE}deliveries/{second.pk}/", follow=True).content.decode()
    assert "Try again later" in answer


def test_old_entries_of_the_log_are_deleted(
    owner: User, receiver: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "MAX_LOG_ENTRIES", 2)
    webhook, _ = create_webhook(owner, receiver.get_url())
    newest = [end_reply(owner, webhook) for _ in range(3)][1:]
    deliver_next()
    assert {*WebhookDelivery.objects.all()} == {*newest}
    month_ago = timezone.now() - timedelta(days=31)
    WebhookDelivery.objects.filter(pk=newest[0].pk).update(ended_at=month_ago)
    tasks.purge_deliveries()
    assert [*WebhookDelivery.objects.all()] == newest[1:]


# The page


@pytest.fixture
def browser(owner: User, password: str) -> Client:
    """The owner has just given the password."""
    browser = create_signed_in_client(owner)
    browser.post("/accounts/reauthenticate/", {"password": password})
    return browser


def test_the_page_shows_a_secret_once(browser: Client, owner: User) -> None:
    address = "https://example.org/holdfast"
    unconfirmed = create_signed_in_client(owner).post(PAGE, {"address": address})
    assert unconfirmed["Location"].startswith("/accounts/reauthenticate/")
    page = browser.post(PAGE, {"address": address}).content.decode()
    webhook = Webhook.objects.get()
    assert open_secret(webhook) in page
    again = browser.get(PAGE).content.decode()
    assert address in again
    assert "whsec_" not in again
    assert AuditEvent.objects.get(kind="webhook.created").facts == {"webhook": str(webhook.pk)}
    assert "1 webhook" in browser.get("/settings/account/").content.decode()


def test_the_page_of_a_webhook_shows_a_new_secret_once(browser: Client, owner: User) -> None:
    webhook, old = create_webhook(owner, "https://example.org/holdfast")
    path = f"{PAGE}{webhook.pk}/secret/"
    unconfirmed = create_signed_in_client(owner).post(path)
    assert unconfirmed["Location"].startswith("/accounts/reauthenticate/")
    assert open_secret(Webhook.objects.get()) == old
    page = browser.post(path).content.decode()
    new = open_secret(Webhook.objects.get())
    assert new != old
    assert new in page
    assert browser.get(path)["Location"] == f"{PAGE}{webhook.pk}/"
    assert "whsec_" not in browser.get(f"{PAGE}{webhook.pk}/").content.decode()


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("", "required"),
        ("example.org", "no plain address"),
        ("ftp://example.org", "no plain address"),
        ("https://user:word@example.org", "no plain address"),
        ("http://example.org", "must begin with https"),
        ("http://169.254.169.254/", "reserved"),
        ("https://10.0.0.1/", "private network"),
        ("https://example.org/" + "x" * 500, "at most 500"),
        ("https://example.org/twice", "already"),
    ],
)
def test_a_wrong_address_creates_nothing(
    browser: Client, owner: User, settings: Settings, address: str, sentence: str
) -> None:
    settings.PRIVATE_ADDRESSES = "refuse"
    create_webhook(owner, "https://example.org/twice")
    answer = browser.post(PAGE, {"address": address})
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert Webhook.objects.count() == 1


def test_a_person_has_a_bounded_number_of_webhooks(
    browser: Client, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "MAX_WEBHOOKS_PER_USER", 1)
    create_webhook(owner, "https://example.org/1")
    answer = browser.post(PAGE, {"address": "https://example.org/2"})
    assert (answer.status_code, Webhook.objects.count()) == (422, 1)
    assert "Delete one first" in answer.content.decode()


def test_a_person_who_changes_webhooks_very_often_is_told_to_wait(
    browser: Client, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = create_webhook(owner, "https://example.org/1")[0]
    actions.switch_webhook(webhook, is_active=False)
    monkeypatch.setattr(actions, "MAX_CHANGES_PER_HOUR", 2)
    answer = browser.post(PAGE, {"address": "https://example.org/2"})
    assert (answer.status_code, Webhook.objects.count()) == (422, 1)
    assert "Try again in an hour" in answer.content.decode()
    switched = browser.post(f"{PAGE}{webhook.pk}/switch/", {"active": "yes"}, follow=True)
    assert "Try again in an hour" in switched.content.decode()
    webhook.refresh_from_db()
    assert not webhook.is_active


def test_a_webhook_is_switched_and_deleted_on_its_page(browser: Client, owner: User) -> None:
    webhook, _ = create_webhook(owner, "https://example.org/")
    page = f"{PAGE}{webhook.pk}/"
    for is_active, word in ((False, "no"), (False, "no"), (True, "yes")):
        assert browser.post(f"{page}switch/", {"active": word})["Location"] == page
        webhook.refresh_from_db()
        assert webhook.is_active is is_active
    assert AuditEvent.objects.filter(kind="webhook.switched").count() == 2
    end_reply(owner, webhook)
    assert browser.post(f"{page}removal/")["Location"] == PAGE
    assert not Webhook.objects.exists()
    assert not WebhookDelivery.objects.exists()
    assert AuditEvent.objects.filter(kind="webhook.deleted").count() == 1
