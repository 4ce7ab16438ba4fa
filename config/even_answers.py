"""Answers some forms at full seconds after their arrival.

Whether an address has an account decides how much such a form does: a new account is written, a
mail is rendered. The difference is some hundredths of a second, which many tries would show. The
wait holds no thread and none of the few places for requests. A server that is so busy that an
answer takes longer than a second answers at the next one.

All forms of accounts wait, but for those that are named here: a new form waits by itself.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

from django.conf import settings

from streaming.asgi import ASGIApp, Receive, Send

INTERVAL_SECONDS = 1.0
FORM_PATHS = "/accounts/"
AT_ONCE_PATHS = re.compile(
    r"/accounts/(login|logout|reauthenticate|password/(change|set)|2fa(/.*)?|3rdparty/confirm"
    r"|(github|oidc/[^/]+)/login)/"
)
"""Forms that send no mail to a typed address and make no account: those for people who are signed
in, and the sign-in. It checks a password for each address, so it takes equally long."""
SIGN_UP_PATHS = re.compile(
    r"/accounts/(signup(/passkey)?|3rdparty/signup|(github|oidc/[^/]+)/login/callback)/"
)
"""Another server may send a person back with an address that nobody has confirmed."""
CALLBACK_ENDING = "/callback/"


def even_out_answers(app: ASGIApp) -> ASGIApp:
    async def even_app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if not is_even(scope.get("method", ""), scope.get("path", "")):
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


def is_even(method: str, path: str) -> bool:
    """Return whether the answer waits. Where nobody confirms an address, the sign-up form itself
    tells which addresses are taken."""
    if not path.startswith(FORM_PATHS) or AT_ONCE_PATHS.fullmatch(path):
        return False
    if SIGN_UP_PATHS.fullmatch(path) and settings.ACCOUNT_EMAIL_VERIFICATION != "mandatory":
        return False
    return method == "POST" or path.endswith(CALLBACK_ENDING)
