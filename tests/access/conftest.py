"""The things of the owner, full of texts that nobody else may see, and everybody who tries."""

from __future__ import annotations

import json
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.test import Client
from django.utils import timezone

from accounts.api_keys import keys
from accounts.models import AccessToken, User
from accounts.tokens.models import Scope
from accounts.tokens.tokens import create_token
from chat.models import ClientThread, Conversation, Draft, WebhookDelivery
from chat.replies import Reply
from chat.webhooks.actions import create_webhook
from tests.access.table import THREAD_ID, Thing
from tests.accounts.software_passkey import SoftwarePasskey
from tests.chat.factories import finish_reply, start_reply
from tests.doors.gateway.program import Program
from tests.factories import create_session_key, create_signed_in_client

CANARY = "kelpcanary"
"""A part of each text of the owner."""


@dataclass
class OwnedThings:
    reply: Reply
    running: Reply
    deleted: Conversation
    draft: Draft
    passkey: Authenticator
    session: UserSession
    linked: SocialAccount
    token: AccessToken
    response: str
    program_conversation: str
    item: str
    delivery: WebhookDelivery
    thread: ClientThread

    def get_id(self, thing: Thing) -> UUID | int | str:
        return {
            "conversation": self.reply.conversation.pk,
            "deleted": self.deleted.pk,
            "question": self.reply.question.pk,
            "answer": self.reply.answer.pk,
            "stream": self.running.stream.uuid,
            "draft": self.draft.pk,
            "passkey": self.passkey.pk,
            "session": self.session.pk,
            "linked account": self.linked.pk,
            "token": self.token.pk,
            "response": self.response,
            "program conversation": self.program_conversation,
            "item": f"{self.program_conversation}/items/{self.item}",
            "webhook": self.delivery.webhook_id,
            "delivery": self.delivery.pk,
            "thread": UUID(self.thread.name),
        }[thing]


def create_things(owner: User) -> OwnedThings:
    reply = start_reply(owner, f"{CANARY} question", system_prompt=f"{CANARY} system")
    create_webhook(owner, f"https://example.org/{CANARY}")
    finish_reply(reply, f"{CANARY} answer")
    delivery = WebhookDelivery.objects.get(stream=reply.stream.uuid)
    running = start_reply(owner, f"{CANARY} running")
    deleted = start_reply(owner, f"{CANARY} deleted").conversation
    Conversation.objects.filter(pk=deleted.pk).update(deleted_at=timezone.now())
    draft = Draft.objects.create(id=uuid4(), user=owner, text=f"{CANARY} draft", **_DRAFT_FIELDS)
    keys.save(owner, "google", f"AI{CANARY}0123456789{CANARY}")
    token, _ = create_token(owner, f"{CANARY} token", list(Scope), None)
    ways = create_ways_to_sign_in(owner)
    of_programs = create_things_of_programs(owner)
    thread = ClientThread.objects.create(
        user=owner, door="langgraph", name=THREAD_ID, conversation=running.conversation
    )
    things = (reply, running, deleted, draft, *ways, token, *of_programs, delivery, thread)
    return OwnedThings(*things)


def create_things_of_programs(owner: User) -> tuple[str, str, str]:
    """A response, a conversation and one of its items."""
    program = Program.of(owner)
    items = [{"role": "user", "content": f"{CANARY} item"}]
    made = program.post("/conversations", {"items": items, "metadata": {"note": CANARY}}).data
    item = program.get(f"/conversations/{made['id']}/items").data["data"][0]
    return program.ask(f"{CANARY} input")["id"], made["id"], item["id"]


def create_ways_to_sign_in(owner: User) -> tuple[Authenticator, UserSession, SocialAccount]:
    options = {"user": {"id": "AAAA"}, "challenge": "AAAA", "rp": {"id": "localhost"}}
    credential = json.loads(SoftwarePasskey().create({"publicKey": options}))
    data = {"name": f"{CANARY} passkey", "passwordless": True, "credential": credential}
    passkey = Authenticator.objects.create(user=owner, type="webauthn", data=data)
    session = UserSession.objects.create(
        user=owner,
        session_key=create_session_key(owner),
        ip="203.0.113.7",
        user_agent=CANARY,
    )
    linked = SocialAccount.objects.create(user=owner, provider="work", uid=f"{CANARY} id")
    return passkey, session, linked


_DRAFT_FIELDS = {"version": 1, "writer": "w"}


@pytest.fixture
def things(owner: User) -> OwnedThings:
    owner.name = f"{CANARY} name"
    owner.save()
    return create_things(owner)


@pytest.fixture
def tries(owner: User, stranger: User, password: str) -> dict[str, Client]:
    """Browsers of nobody, of a stranger, and of a member of staff without any permission. Both have
    just confirmed the password, or some pages would refuse for the lack of it. Their programs have
    tokens."""
    clerk = User.objects.create_user("clerk@holdfast.test", password, is_staff=True)
    clients = {
        "stranger": create_client_with_token(stranger),
        "staff": create_client_with_token(clerk),
    }
    for client in clients.values():
        confirmed = client.post("/accounts/reauthenticate/", {"password": password})
        assert confirmed.status_code == 302
    return {"nobody": Client(), **clients}


def create_client_with_token(user: User) -> Client:
    """A browser in which the user is signed in. `send` takes the token for doors that need one."""
    client = create_signed_in_client(user)
    program = Program.of(user, Scope.WRITE, Scope.GATEWAY)
    client.program_headers = program.headers  # type: ignore[attr-defined]
    return client
