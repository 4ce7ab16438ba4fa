"""Print or send the link of an invitation."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import get_connection
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email

from accounts.absolute_urls import guess_site_origin
from accounts.invitations.links import DEFAULT_DAYS, MAX_DAYS, MAX_USES, create_invitation
from accounts.invitations.mails import build_invitation_mail


class Command(BaseCommand):
    help = "Print a link with which somebody can sign up, or send it with --send."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", default="", help="only this address may sign up")
        parser.add_argument("--days", type=int, default=DEFAULT_DAYS, help="how long it works")
        parser.add_argument("--uses", type=int, default=1, help="how many accounts it makes")
        parser.add_argument("--send", action="store_true", help="send it to the address")

    def handle(self, *args: Any, **options: Any) -> None:
        email, days, uses, send = (options[name] for name in ("email", "days", "uses", "send"))
        self._check(email, days, uses, send)
        invitation, path = create_invitation(email=email, days=days, uses=uses, is_mailed=send)
        link = guess_site_origin() + path
        if send:
            # Not through the queue: the command says whether the mail server took it.
            mail = build_invitation_mail(invitation, link)
            get_connection(settings.MAIL_TRANSPORT).send_messages([mail])
            self.stderr.write("The invitation is sent.")
        else:
            self.stdout.write(link)
        if not settings.TRUSTED_ORIGINS:
            self.stderr.write("TRUSTED_ORIGINS is not set, so the host and port are a guess.")

    def _check(self, email: str, days: int, uses: int, send: bool) -> None:
        if settings.SIGNUP == "closed":
            raise CommandError("SIGNUP is closed, so invitations do not work. Change it first.")
        if email:
            try:
                validate_email(email)
            except ValidationError:
                raise CommandError(f"{email} is no e-mail address.") from None
        if send and not (email and settings.HAS_MAIL_SERVER):
            raise CommandError("--send needs --email, and a mail server in EMAIL_URL.")
        if not 1 <= days <= MAX_DAYS or not 1 <= uses <= MAX_USES:
            raise CommandError(f"--days is from 1 to {MAX_DAYS}, --uses from 1 to {MAX_USES}.")
