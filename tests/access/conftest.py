"""The things of the owner, full of texts that nobody else may see, and everybody who tries."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.utils import timezone

from accounts.api_keys import keys
from accounts.models import User
from chat.models import Conversation, Draft
from chat.replies import Reply
from tests.access.table import Thing
from tests.chat.factories import finish_reply, start_reply
from tests.factories import create_signed_in_client

CANARY = "kelpcanary"
"""A part of each text of the owner."""


@dataclass
class OwnedThings:
    reply: Reply
    running: Reply
    deleted: Conversation
    draft: Draft

    def get_id(self, thing: Thing) -> UUID:
        return {
            "conversation": self.reply.conversation.pk,
            "deleted": self.deleted.pk,
            "question": self.reply.question.pk,
            "answer": self.reply.answer.pk,
            "stream": self.running.stream.uuid,
            "draft": self.draft.pk,
        }[thing]


def create_things(owner: User) -> OwnedThings:
    reply = start_reply(owner, f"{CANARY} question", system_prompt=f"{CANARY} system")
    finish_reply(reply, f"{CANARY} answer")
    running = start_reply(owner, f"{CANARY} running")
    deleted = start_reply(owner, f"{CANARY} deleted").conversation
    Conversation.objects.filter(pk=deleted.pk).update(deleted_at=timezone.now())
    draft = Draft.objects.create(id=uuid4(), user=owner, text=f"{CANARY} draft", **_DRAFT_FIELDS)
    keys.save(owner, "google", f"AI{CANARY}0123456789{CANARY}")
    return OwnedThings(reply, running, deleted, draft)


_DRAFT_FIELDS = {"version": 1, "writer": "w"}


@pytest.fixture
def things(owner: User) -> OwnedThings:
    owner.name = f"{CANARY} name"
    owner.save()
    return create_things(owner)


@pytest.fixture
def tries(owner: User, stranger: User, password: str) -> dict[str, Client]:
    """Browsers of nobody, of a stranger, and of a member of staff without any permission. Staff
    has just confirmed the password, or each page would refuse for the lack of it."""
    clerk = User.objects.create_user("clerk@holdfast.test", password, is_staff=True)
    staff = create_signed_in_client(clerk)
    confirmed = staff.post("/accounts/reauthenticate/", {"password": password})
    assert confirmed.status_code == 302
    return {"nobody": Client(), "stranger": create_signed_in_client(stranger), "staff": staff}
