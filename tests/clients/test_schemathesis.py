"""Requests of every kind that the OpenAPI document allows, and of many that it does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from tests.skipping import skip_or_fail
from tools.deployment.deployment import Deployment
from tools.services.python_environment import Missing
from tools.services.schemathesis import ENVIRONMENT, run_schemathesis

pytestmark = [pytest.mark.prove, pytest.mark.timeout(1_800)]

MIN_REQUESTS = 20_000
EXAMPLES = 520
CANARY = "kelpcanary"
UNLIMITED = {
    "MAX_MESSAGES_PER_MINUTE": "1000000",
    "MAX_TOKEN_REQUESTS_PER_MINUTE": "1000000",
    "MAX_CHARS_PER_MINUTE": "1000000000",
    "MAX_UNFINISHED_REPLIES_PER_USER": "1000000",
}
RUNS: dict[str, Any] = {
    "mine": {"phases": "examples,coverage,fuzzing", "deletes": False},
    "theirs": {"phases": "examples,coverage,fuzzing"},
    "of the answers before": {"phases": "stateful"},
}
"""The ids that requests name."""
CREATE_PEOPLE = f"""
import json
from django.db import transaction
from accounts.models import User
from accounts.tokens.models import Scope
from accounts.tokens.tokens import create_token
from chat.models import WebhookDelivery
from chat.webhooks.actions import create_webhook
from tests.chat.factories import finish_reply, start_reply

owner, stranger = (User.objects.create_user(f"{{name}}@holdfast.test", "kelp-holds-fast-7")
                   for name in ("owner", "stranger"))
def create_reply(person, question, answer):
    create_webhook(person, "http://127.0.0.1:9/")  # nobody listens there
    with transaction.atomic():  # the worker of the site must not claim it in between
        reply = start_reply(person, question)
        finish_reply(reply, answer)
    return reply
theirs = create_reply(owner, "{CANARY} question", "{CANARY} answer")
mine = create_reply(stranger, "My own question", "My own answer")
def describe(reply):
    delivery = WebhookDelivery.objects.get(webhook__user=reply.conversation.user)
    return {{"conversations": str(reply.conversation.pk), "messages": str(reply.answer.pk),
            "streams": str(reply.stream.uuid), "webhooks": str(delivery.webhook_id),
            "webhooks/deliveries": str(delivery.pk)}}
token = create_token(stranger, "Schemathesis", list(Scope), None)[1]
print(json.dumps({{"token": token, "theirs": describe(theirs), "mine": describe(mine)}}))
"""


@pytest.fixture(scope="module", autouse=True)
def install_schemathesis() -> None:
    try:
        ENVIRONMENT.install()
    except Missing as missing:
        skip_or_fail(str(missing))


@pytest.fixture
def deployment() -> Iterator[Deployment]:
    with Deployment("embedded", environment=UNLIMITED) as deployment:
        yield deployment


def test_no_request_fails_the_server_or_shows_the_things_of_another_person(
    deployment: Deployment,
) -> None:
    made = json.loads(
        deployment.manage("shell", "-v", "0", "-c", CREATE_PEOPLE).strip().splitlines()[-1]
    )
    headers = {"Authorization": f"Bearer {made['token']}"}
    count = 0
    for name, run in RUNS.items():
        ids = {f"/api/{kind}": id for kind, id in made.get(name, {}).items()}
        report = run_schemathesis(
            deployment.webs[0].url, headers, ids, examples=EXAMPLES, seed=len(name), **run
        )
        print(f"\nschemathesis, {name}: {report.request_count} requests")
        assert report.succeeded, report.output
        assert report.answers
        assert [status for status, _ in report.answers if status >= 500] == []
        assert not any(CANARY in text for _, text in report.answers)
        count += report.request_count
    print(f"\nschemathesis: {count} requests")
    assert count >= MIN_REQUESTS
    theirs = made["theirs"]["conversations"]
    rows = deployment.rows.query(
        "SELECT title, deleted_at FROM chat_conversation WHERE id = %s", UUID(theirs)
    )
    assert [row["title"] for row in rows] == [f"{CANARY} question"]
    assert rows[0]["deleted_at"] is None
