"""The data of a person is selected by `owned_by` of its queryset, and in no other way."""

import re
from pathlib import Path

import pytest

from accounts.models import AccessToken, ApiKey, AuditEvent, ListedModel
from chat.models import (
    Conversation,
    Draft,
    DurableStream,
    GatewayResponse,
    Message,
    ToolPart,
    Webhook,
    WebhookDelivery,
)
from streaming.models import Stream

ROOT = Path(__file__).resolve().parents[2]
OWNED_MODELS = [
    AccessToken,
    ApiKey,
    AuditEvent,
    Conversation,
    Draft,
    DurableStream,
    GatewayResponse,
    ListedModel,
    Message,
    Stream,
    ToolPart,
    Webhook,
    WebhookDelivery,
]
OTHER_SELECTION = re.compile(
    rf"\b({'|'.join(model.__name__ for model in OWNED_MODELS)})\.objects\s*"
    r"\.(?:filter|get|exclude)\([^)]*\b(?:user|owner|account)(?:_id)?="
)
PLACES_WITHOUT_REQUEST = {
    "accounts/audit/events.py",  # empties events of deleted accounts
    "accounts/deletion/kinds.py",
    "chat/conversations/deletion.py",
    "chat/doors/durable_streams/space.py",
    "streaming/lifecycle/scheduling.py",  # takes turns between all owners
}


@pytest.mark.parametrize("model", OWNED_MODELS)
def test_each_model_that_people_reach_has_the_rule(model: type) -> None:
    assert callable(model.objects.owned_by)  # type: ignore[attr-defined]


def test_no_code_selects_rows_of_a_person_by_itself() -> None:
    found = {
        f"{file.relative_to(ROOT)}: {match[0]}"
        for package in ("accounts", "chat", "streaming")
        for file in (ROOT / package).rglob("*.py")
        if str(file.relative_to(ROOT)) not in PLACES_WITHOUT_REQUEST
        for match in OTHER_SELECTION.finditer(file.read_text())
    }
    assert found == set()
