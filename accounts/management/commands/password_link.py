"""Print a link with which a person can choose a new password, where no mail server is set up."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.absolute_urls import guess_site_origin
from accounts.audit.events import record_event
from accounts.audit.kinds import register_kind
from accounts.email_addresses import find_user_by_email

PASSWORD_LINK_MADE = register_kind("password.link_made", _("Made a link for a new password"))


class Command(BaseCommand):
    help = "Print a link for a new password. It works once, for three days."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="an address of the account")

    def handle(self, *args: Any, **options: Any) -> None:
        user = find_user_by_email(options["email"])
        if user is None or not user.is_active:
            raise CommandError("There is no active account with this address.")
        key = default_token_generator.make_token(user)
        path = reverse(
            "account_reset_password_from_key",
            kwargs={"uidb36": user_pk_to_url_str(user), "key": key},
        )
        record_event(PASSWORD_LINK_MADE, user, by_system=True)
        self.stdout.write(guess_site_origin() + path)
        if not settings.TRUSTED_ORIGINS:
            self.stderr.write("TRUSTED_ORIGINS is not set, so the host and port are a guess.")
