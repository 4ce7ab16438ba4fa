"""Remove the passkeys, the authenticator app and the recovery codes of a person who has lost
them."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.email_addresses import find_user_by_email
from accounts.factors.reset import reset_factors


class Command(BaseCommand):
    help = "Remove the passkeys, the authenticator app and the recovery codes of an account."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="an address of the account")

    def handle(self, *args: Any, email: str, **options: Any) -> None:
        user = find_user_by_email(email)
        if user is None:
            raise CommandError(f"No account has the address {email}.")
        if not reset_factors(user):
            raise CommandError("This account has no passkeys, no app and no recovery codes.")
        self.stdout.write("They are removed, and the owner gets a mail.")
        if not user.has_usable_password():
            self.stdout.write(
                "The account has no password. Its owner can request a link for one at "
                "/accounts/password/reset/, if a mail server is set up; otherwise run "
                f"manage.py changepassword {user.email}."
            )
