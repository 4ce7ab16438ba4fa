"""`manage.py grant_content_access READER PERSON --hours 2 --reason "…"`: let an administrator read
the conversations of one person for a time."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.email_addresses import find_user_by_email
from accounts.models import User
from chat.content_access.grants import MAX_GRANT_HOURS, grant_access
from chat.content_access.models import MAX_REASON_CHARS


class Command(BaseCommand):
    help = (
        "Let an administrator read the conversations of one person for a time. The person sees it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("reader", help="the address of the administrator")
        parser.add_argument("person", help="the address of the person")
        parser.add_argument("--hours", type=int, default=1, help=f"at most {MAX_GRANT_HOURS}")
        parser.add_argument("--reason", required=True, help="the person reads it")

    def handle(self, *args: Any, **options: Any) -> None:
        reader, person = _find_user(options["reader"]), _find_user(options["person"])
        if not reader.is_staff:
            raise CommandError("The reader is no administrator.")
        if not options["reason"].strip() or len(options["reason"]) > MAX_REASON_CHARS:
            raise CommandError(f"Give a reason of at most {MAX_REASON_CHARS} characters.")
        try:
            grant = grant_access(
                reader, person, hours=options["hours"], reason=options["reason"].strip()
            )
        except ValueError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"Access until {grant.until:%Y-%m-%d %H:%M} UTC.")


def _find_user(address: str) -> User:
    if user := find_user_by_email(address):
        return user
    raise CommandError("There is no account with this address.")
