"""The people of the fuzzers and their objects, which an input may have deleted or changed."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db import close_old_connections

from accounts.models import User
from accounts.session_store import SessionStore
from chat.models import Conversation
from tests.chat.factories import start_reply

PASSWORD = "kelp-holds-fast-7"
STAFF_ROLES = ("administrator", "staff")
"""A superuser, and somebody with every permission. Nobody gave them access to content."""
ROLES = ("person", *STAFF_ROLES, "witness")
"""The witness sends nothing, and nobody may ever read the witness's text."""
QUESTIONS = {role: f"canary-of-the-{role}" for role in ROLES}


class People:
    """Their sessions, and the ids of their objects, by role."""

    def __init__(self) -> None:
        self.sessions = {"anonymous": ""} | {role: f"{role:a<32}" for role in ROLES}
        self.ids: dict[str, dict[str, list[str]]] = {}
        self._password = make_password(PASSWORD)

    def restore(self) -> None:
        for number, role in enumerate(ROLES, 9001):
            self._restore_person(number, role)
        close_old_connections()

    def _restore_person(self, number: int, role: str) -> None:
        is_superuser, is_staff = role == "administrator", role in STAFF_ROLES
        rights = {"is_staff": is_staff, "is_superuser": is_superuser, "is_active": True}
        account = {"email": f"{role}@holdfast.test", "password": self._password}
        user = User.objects.filter(pk=number, **rights, **account).first()
        if user is None:
            User.objects.exclude(pk=number).filter(email=account["email"]).delete()
            user, _ = User.objects.update_or_create(pk=number, defaults=rights | account)
            Session.objects.filter(pk=self.sessions[role]).delete()
        if role == "staff":
            user.user_permissions.set(Permission.objects.all())
        if not Session.objects.filter(pk=self.sessions[role]).exists():
            _create_session(user, self.sessions[role])
        if role not in self.ids or not Conversation.objects.owned_by(user).exists():
            self.ids[role] = _list_ids(user, start_reply(user, QUESTIONS[role]))

    def delete_objects(self) -> None:
        """Delete what inputs have created, and everything else of these people."""
        User.objects.filter(pk__gt=9000).delete()
        User.objects.filter(email__endswith="@fuzz.test").delete()
        self.restore()


def _create_session(user: User, key: str) -> None:
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    # Confirm the password, because most forms would otherwise only ask for it.
    confirmed_at = time.time() + 3600
    session["account_authentication_methods"] = [
        {"method": "password", "at": confirmed_at, "reauthenticated": True}
    ]
    session["account_authentication_methods_user"] = str(user.pk)
    session._session_key = key  # set last, because a store that finds no row drops its key
    session.save(must_create=True)


def _list_ids(user: User, reply: Any) -> dict[str, list[str]]:
    """The values of the variable parts of addresses."""
    ids = {
        "id": [reply.conversation.pk, reply.question.pk, reply.answer.pk],
        "uuid": [reply.stream.uuid],
        "object_id": [reply.conversation.pk, user.pk, reply.stream.pk],
        "provider": ["openai", "anthropic", "google"],
        "app_label": ["auth", "accounts", "chat", "streaming"],
        "content_type_id": [*ContentType.objects.values_list("id", flat=True)],
        "uidb36": ["1", "9zzzzzzzzzzzz"],
        "language": ["en", "de"],
    }
    return {name: [str(value) for value in values] for name, values in ids.items()}
