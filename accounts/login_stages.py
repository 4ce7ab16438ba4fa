"""The step of a sign-in that asks for a confirmed address."""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from allauth.account.stages import EmailVerificationStage

from accounts.models import User


class NewAccountVerificationStage(EmailVerificationStage):
    """Asks only people who have just signed up. An account that has signed in before, or that an
    administrator made, is not locked out when a mail server is set up later: its address may be
    one that gets no mail."""

    def handle(self) -> Any:
        user = self.login.user
        if user is not None and not must_confirm_email(user):
            return None, True
        return super().handle()


def must_confirm_email(user: User) -> bool:
    """Only a sign-up makes a primary address before the first sign-in."""
    if user.last_login is not None:
        return False
    own = EmailAddress.objects.filter(user=user)
    return own.filter(primary=True).exists() and not own.filter(verified=True).exists()


def replace_verification_stage(stages: list[str]) -> list[str]:
    ours = f"{__name__}.{NewAccountVerificationStage.__name__}"
    theirs = "allauth.account.stages.EmailVerificationStage"
    return [ours if stage == theirs else stage for stage in stages]
