"""Sessions as Django keeps them in the database: those that can't be are not asked for, and those
that sign nobody in are short."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import db
from django.utils import timezone

from streaming.sessions import is_session_key

MAX_ANONYMOUS_SESSION_SECONDS = 24 * 60 * 60
"""How long a session may live that signs nobody in: it keeps a draft, or a link from a mail."""


class SessionStore(db.SessionStore):
    """The name is part of what sessions are signed with: under another one all that are open
    would end."""

    def _validate_session_key(self, key: Any) -> bool:
        return is_session_key(key)

    def get_expiry_age(self, **kwargs: Any) -> int:
        age = super().get_expiry_age(**kwargs)
        return age if SESSION_KEY in self else min(age, MAX_ANONYMOUS_SESSION_SECONDS)

    async def aget_expiry_age(self, **kwargs: Any) -> int:
        age = await super().aget_expiry_age(**kwargs)
        return age if await self.ahas_key(SESSION_KEY) else min(age, MAX_ANONYMOUS_SESSION_SECONDS)

    def get_expiry_date(self, **kwargs: Any) -> datetime:
        return _cap_expiry(super().get_expiry_date(**kwargs), is_signed_in=SESSION_KEY in self)

    async def aget_expiry_date(self, **kwargs: Any) -> datetime:
        date = await super().aget_expiry_date(**kwargs)
        return _cap_expiry(date, is_signed_in=await self.ahas_key(SESSION_KEY))


def _cap_expiry(date: datetime, *, is_signed_in: bool) -> datetime:
    last = timezone.now() + timedelta(seconds=MAX_ANONYMOUS_SESSION_SECONDS)
    return date if is_signed_in else min(date, last)
