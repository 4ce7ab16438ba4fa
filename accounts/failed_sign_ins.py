"""Lines in the log about sign-ins that failed, for an operator who looks for guessers.

They name the account by its id and no address. Limits of forms bound their number, and nothing of
them gets into the database, which strangers could fill.
"""

from __future__ import annotations

import logging

from accounts.models import User

logger = logging.getLogger(__name__)


def log_failed_sign_in(way: str, reason: str, user: User | None) -> None:
    account = f"account {user.pk}" if user and user.pk else "no account"
    logger.warning("A sign-in with a %s failed: %s, %s", way, reason, account)
