"""Sends an invitation to the address that it is bound to."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string

from accounts.invitations.models import Invitation


def build_invitation_mail(invitation: Invitation, link: str) -> EmailMessage:
    context = {
        "host": urlsplit(link).netloc,
        "link": link,
        "expires_at": invitation.expires_at,
    }
    prefix = "account/email/invitation"
    subject = render_to_string(f"{prefix}_subject.txt", context).strip()
    body = render_to_string(f"{prefix}_message.txt", context).strip()
    return EmailMessage(
        settings.ACCOUNT_EMAIL_SUBJECT_PREFIX + subject, body, to=[invitation.email]
    )
