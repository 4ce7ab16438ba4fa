"""Makes invitations, finds the one that a visitor came with, and uses it."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.conf import settings
from django.db.models import F
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.audit.events import record_event
from accounts.audit.kinds import register_kind
from accounts.invitations.models import Invitation, InvitationUse
from accounts.models import User, UserManager

INVITATION_CREATED = register_kind("invitation.created", _("Created an invitation"))
INVITATION_REVOKED = register_kind("invitation.revoked", _("Revoked an invitation"))
SIGNED_UP = register_kind("account.signed_up", _("Signed up"))

SESSION_KEY = "invitation"
"""Holds the id of the invitation whose link the visitor has opened. The link itself is stored
nowhere."""
DEFAULT_DAYS, MAX_DAYS, MAX_USES = 7, 365, 1_000


class InvitationGone(Exception):
    """The invitation was used up, revoked or expired since the visitor opened the link."""


def create_invitation(
    *,
    email: str = "",
    days: int = DEFAULT_DAYS,
    uses: int = 1,
    is_mailed: bool = False,
    made_by: User | None = None,
    request: HttpRequest | None = None,
) -> tuple[Invitation, str]:
    """Return the invitation and the path of its link, which can't be read again."""
    token = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        token_hash=_hash_token(token),
        email=UserManager.normalize_email(email),
        is_mailed=is_mailed,
        max_uses=1 if email else uses,
        expires_at=timezone.now() + timedelta(days=days),
        made_by=made_by,
    )
    record_event(
        INVITATION_CREATED,
        actor=made_by,
        request=request,
        invitation=invitation.pk,
        uses=invitation.max_uses,
    )
    return invitation, reverse("invitation", args=[token])


def revoke_invitation(invitation: Invitation, request: HttpRequest) -> None:
    """A second call has no effect."""
    unrevoked = Invitation.objects.filter(pk=invitation.pk, revoked_at=None)
    if unrevoked.update(revoked_at=timezone.now(), email=""):
        record_event(INVITATION_REVOKED, request=request, invitation=invitation.pk)


def find_invitation_by_token(token: str) -> Invitation | None:
    return Invitation.objects.filter(token_hash=_hash_token(token)).first()


def find_opened_invitation(request: HttpRequest) -> Invitation | None:
    """Return the invitation whose link this visitor has opened, usable or not. A request that was
    refused early has no session; its error page has a link to the sign-up page too."""
    if not hasattr(request, "_invitation"):
        session = getattr(request, "session", {})
        pk = session.get(SESSION_KEY)
        found = Invitation.objects.filter(pk=pk).first() if isinstance(pk, int) else None
        request._invitation = found  # type: ignore[attr-defined]
    invitation: Invitation | None = request._invitation  # type: ignore[attr-defined]
    return invitation


def find_usable_invitation(request: HttpRequest) -> Invitation | None:
    """SIGNUP=closed refuses earlier invitations, too."""
    if settings.SIGNUP == "closed":
        return None
    invitation = find_opened_invitation(request)
    return None if invitation is None or invitation.find_refusal() else invitation


def use_invitation(invitation: Invitation, user: User, request: HttpRequest) -> None:
    """Count a use, in the transaction that saves the account. The condition is part of the update:
    two sign-ups at once can't both take the last use. Raises InvitationGone."""
    usable = Invitation.objects.filter(
        pk=invitation.pk,
        use_count__lt=F("max_uses"),
        revoked_at=None,
        expires_at__gt=timezone.now(),
    )
    if not usable.update(use_count=F("use_count") + 1, email=""):
        raise InvitationGone
    InvitationUse.objects.create(invitation=invitation, user=user)
    request.session.pop(SESSION_KEY, None)


def _hash_token(token: str) -> str:
    """A token has 256 random bits, so a plain hash can't be reversed by guessing."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
