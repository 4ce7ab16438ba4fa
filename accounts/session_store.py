"""Django's sessions in the database, with four changes: impossible keys need no query, anonymous
sessions are short, no session is extended for ever, and an ended one gets no new key."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import db
from django.contrib.sessions.exceptions import SessionInterrupted
from django.db import transaction
from django.utils import timezone

from streaming.doors.client_identity import is_session_key

MAX_ANONYMOUS_SESSION_SECONDS = 24 * 60 * 60
"""Lifetime of an anonymous session, which holds a draft or a link from a mail."""


MAX_SESSION_SECONDS = 30 * 24 * 60 * 60
"""Lifetime of a session from the sign-in. Within it a session ends two weeks after its last change
(SESSION_COOKIE_AGE)."""
SIGNED_IN_AT_KEY = "signed_in_at"


class SessionStore(db.SessionStore):
    """The class name is part of the salt that signs sessions: another name would end all open
    ones."""

    _keeps_key = False
    _is_ended = False

    def is_empty(self) -> bool:
        """The answer deletes the cookie of an empty session. Another tab of this browser may have
        just got a new one, so the next request does it if the session has really ended."""
        return not self._is_ended and super().is_empty()

    @contextmanager
    def keep_key(self) -> Iterator[None]:
        """Inside, `cycle_key` leaves the key as it is."""
        self._keeps_key = True
        try:
            yield
        finally:
            self._keeps_key = False

    def cycle_key(self) -> None:
        """Like Django's, but a session that another request has ended meanwhile gets no new key,
        and one session does not become two. Raises SessionInterrupted."""
        if self._keeps_key:
            self.modified = True
            return
        store: Any = self
        data, old_key = store._session, self.session_key
        try:
            with transaction.atomic():
                self.create()
                store._session_cache = data
                if old_key and not self._replace(old_key) and SESSION_KEY in data:
                    raise SessionInterrupted("Another request ended this session meanwhile.")
        except SessionInterrupted:
            store._session_key, store._session_cache, self.modified = None, {}, False
            self._is_ended = True
            raise

    def _replace(self, old_key: str) -> bool:
        """Delete the session with the old key. The record of the device gets the new key before,
        because it is deleted with its session. Return False if there is no such session."""
        from allauth.usersessions.models import UserSession  # models are not loaded at the import

        row = self.model.objects.select_for_update().filter(session_key=old_key).first()
        if row is None:
            return False
        UserSession.objects.filter(session_key=old_key).update(session_key=self.session_key)
        row.delete()
        return True

    def save(self, must_create: bool = False) -> None:
        if not must_create and SESSION_KEY in self:
            self.setdefault(SIGNED_IN_AT_KEY, int(time.time()))
        super().save(must_create)

    async def asave(self, must_create: bool = False) -> None:
        if not must_create and await self.ahas_key(SESSION_KEY):
            await self.asetdefault(SIGNED_IN_AT_KEY, int(time.time()))
        await super().asave(must_create)

    def _validate_session_key(self, key: Any) -> bool:
        return is_session_key(key)

    def get_expiry_age(self, **kwargs: Any) -> int:
        age = super().get_expiry_age(**kwargs)
        return min(age, _count_seconds_left(SESSION_KEY in self, self.get(SIGNED_IN_AT_KEY)))

    async def aget_expiry_age(self, **kwargs: Any) -> int:
        age = await super().aget_expiry_age(**kwargs)
        is_signed_in = await self.ahas_key(SESSION_KEY)
        return min(age, _count_seconds_left(is_signed_in, await self.aget(SIGNED_IN_AT_KEY)))

    def get_expiry_date(self, **kwargs: Any) -> datetime:
        left = _count_seconds_left(SESSION_KEY in self, self.get(SIGNED_IN_AT_KEY))
        return min(super().get_expiry_date(**kwargs), timezone.now() + timedelta(seconds=left))

    async def aget_expiry_date(self, **kwargs: Any) -> datetime:
        is_signed_in = await self.ahas_key(SESSION_KEY)
        left = _count_seconds_left(is_signed_in, await self.aget(SIGNED_IN_AT_KEY))
        date = await super().aget_expiry_date(**kwargs)
        return min(date, timezone.now() + timedelta(seconds=left))


def _count_seconds_left(is_signed_in: bool, signed_in_at: int | None) -> int:
    """A session that an earlier version wrote has no time of its sign-in until it is saved."""
    if not is_signed_in:
        return MAX_ANONYMOUS_SESSION_SECONDS
    now = int(time.time())
    return max(0, (signed_in_at or now) + MAX_SESSION_SECONDS - now)
