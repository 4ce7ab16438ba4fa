"""Answers some forms at full seconds after their arrival.

Whether an address has an account decides how much such a form does: a new account is written, a
mail is rendered. The difference is some hundredths of a second, which many tries would show. The
wait holds no thread and none of the few places for requests. A server that is so busy that an
answer takes longer than a second answers at the next one.
"""

from __future__ import annotations

import asyncio
from typing import Any

from django.conf import settings

from streaming.asgi import ASGIApp, Receive, Send

INTERVAL_SECONDS = 1.0
SIGN_UP_PATH = "/accounts/signup/"
EVEN_PATHS = frozenset(
    {
        SIGN_UP_PATH,
        "/accounts/password/reset/",
        "/accounts/login/code/",
        "/accounts/login/code/confirm/",
        "/accounts/confirm-email/",
        "/accounts/email/",
    }
)
"""Pages that send mails to some addresses and not to others."""


def even_out_answers(app: ASGIApp) -> ASGIApp:
    async def even_app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if not _is_even(scope):
            return await app(scope, receive, send)
        clock = asyncio.get_running_loop().time
        arrived_at, held = clock(), []

        async def hold(message: dict[str, Any]) -> None:
            held.append(message)

        await app(scope, receive, hold)
        await asyncio.sleep(INTERVAL_SECONDS - (clock() - arrived_at) % INTERVAL_SECONDS)
        for message in held:
            await send(message)
        return None

    return even_app


def _is_even(scope: dict[str, Any]) -> bool:
    """Where nobody confirms an address, the sign-up form itself tells which addresses are taken."""
    path = scope.get("path")
    if path == SIGN_UP_PATH and settings.ACCOUNT_EMAIL_VERIFICATION != "mandatory":
        return False
    return scope.get("method") == "POST" and path in EVEN_PATHS
