"""Creates, finds and revokes access tokens."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection, Iterable
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from accounts.audit.events import record_event
from accounts.audit.kinds import register_kind
from accounts.models import AccessToken, User
from accounts.signals import notify_session_change
from accounts.tokens.models import Scope

TOKEN_CREATED = register_kind("token.created", _("Created an access token"))
TOKEN_REVOKED = register_kind("token.revoked", _("Revoked an access token"))

PREFIX = "hft_"
"""Lets people and scanners of source code recognise a token."""
RANDOM_BYTES = 32
TOKEN_PATTERN = re.compile(re.escape(PREFIX) + r"[A-Za-z0-9_-]{43}")
MAX_TOKENS_PER_USER = 50
USE_RECORD_INTERVAL = timedelta(minutes=1)
"""The last use of a token is written at most once in this time."""
KEPT_AFTER_EXPIRY = timedelta(days=30)
"""A person sees for so long that a token has expired."""


class TooManyTokens(Exception):
    """The person has MAX_TOKENS_PER_USER tokens."""


@sensitive_variables("token")
def create_token(
    user: User,
    name: str,
    scopes: Iterable[Scope],
    lifetime: timedelta | None,
    request: HttpRequest | None = None,
) -> tuple[AccessToken, str]:
    """Return the row and the token, which can't be read again. Raises TooManyTokens."""
    token = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if AccessToken.objects.owned_by(user).count() >= MAX_TOKENS_PER_USER:
            raise TooManyTokens
        row = AccessToken.objects.create(
            user=user,
            name=name,
            token_hash=hash_token(token),
            last_four=token[-4:],
            scopes=[scope.value for scope in scopes],
            expires_at=timezone.now() + lifetime if lifetime else None,
        )
        record_event(TOKEN_CREATED, user, request=request, token=row.pk)
    return row, token


def revoke_tokens(
    user: User,
    ids: Iterable[int],
    request: HttpRequest | None = None,
    *,
    by_system: bool = False,
) -> int:
    """Delete these tokens of the person, and close what they have opened. Return how many there
    were."""
    with transaction.atomic():
        rows = list(AccessToken.objects.owned_by(user).filter(pk__in=ids))
        AccessToken.objects.filter(pk__in=[row.pk for row in rows]).delete()
        for row in rows:
            record_event(TOKEN_REVOKED, user, request=request, by_system=by_system, token=row.pk)
        if rows:
            notify_session_change(user.pk)
    return len(rows)


def revoke_all_tokens(user: User) -> None:
    """See accounts/program_access.py, which also ends what tokens have created. Another event says
    who has caused it."""
    ids = AccessToken.objects.owned_by(user).values_list("pk", flat=True)
    revoke_tokens(user, ids, by_system=True)


def find_tokens(tokens: Collection[str]) -> dict[str, AccessToken]:
    """Return the valid ones among these tokens with their users, in one query: they have not
    expired, and their owners are active."""
    hashes = {hash_token(token): token for token in tokens if TOKEN_PATTERN.fullmatch(token)}
    if not hashes:
        return {}
    valid = Q(expires_at=None) | Q(expires_at__gt=Now())
    rows = AccessToken.objects.filter(valid, token_hash__in=hashes, user__is_active=True)
    return {hashes[row.token_hash]: row for row in rows.select_related("user")}


def record_use(tokens: Iterable[AccessToken]) -> None:
    """Write the time of use, unless it was written a moment ago."""
    now = timezone.now()
    due = [
        token.pk
        for token in tokens
        if token.last_used_at is None or token.last_used_at < now - USE_RECORD_INTERVAL
    ]
    if due:
        AccessToken.objects.filter(pk__in=due).update(last_used_at=now)


def delete_expired_tokens() -> None:
    AccessToken.objects.filter(expires_at__lt=timezone.now() - KEPT_AFTER_EXPIRY).delete()


def hash_token(token: str) -> str:
    """A token has 256 random bits, so a plain hash can't be reversed by guessing."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
