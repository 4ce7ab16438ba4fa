"""Print the setup code of an installation that has no account yet."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from accounts import setup


class Command(BaseCommand):
    help = "Print the code that the first sign-up needs."

    def handle(self, *args: Any, **options: Any) -> None:
        if setup.has_any_account():
            self.stderr.write("There is an account already, so no setup code is needed.")
        else:
            self.stdout.write(setup.compute_setup_code())
