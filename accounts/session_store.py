"""Django's sessions in the database, with two changes: impossible keys need no query, and anonymous
sessions are short."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import db
from django.utils import timezone

from streaming.doors.client_identity import is_session_key

MAX_ANONYMOUS_SESSION_SECONDS = 24 * 60 * 60
"""Lifetime of an anonymous session, which holds a draft or a link from a mail."""


class SessionStore(db.SessionStore):
    """The class name is part of the salt that signs sessions: another name would end all open
    ones."""

    _keeps_key = False

    @contextmanager
    def keep_key(self) -> Iterator[None]:
        """Inside, `cycle_key` leaves the key as it is."""
        self._keeps_key = True
        try:
            yield
        finally:
            self._keeps_key = False

    def cycle_key(self) -> None:
        """Like Django's, but the record of the device gets the new key before the old one is
        deleted, which would delete the record."""
        from allauth.usersessions.models import UserSession  # models are not loaded at the import

        if self._keeps_key:
            self.modified = True
            return
        store: Any = self
        data, old_key = store._session, self.session_key
        self.create()
        store._session_cache = data
        if old_key:
            UserSession.objects.filter(session_key=old_key).update(session_key=self.session_key)
            self.delete(old_key)

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
