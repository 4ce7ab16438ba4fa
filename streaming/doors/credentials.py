"""The credential of a client, and the user that it stands for: the session of a browser, or the
access token of a program."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from django.utils.module_loading import import_string

from streaming.batching import BatchLoader
from streaming.conf import engine_settings
from streaming.doors.client_identity import get_session_key
from streaming.doors.sessions import load_session_user

BEARER_PATTERN = re.compile(rb"bearer +([^ ]{1,500})", re.IGNORECASE)


class Credential(NamedTuple):
    """`value` is the key of a session, or a token."""

    value: str
    is_token: bool


def _count_nothing() -> int:
    return 0


class Access(NamedTuple):
    """The user of a credential, and whether it may read and change the user's streams.

    `count_request` is called for each new connection. It returns 0, or the seconds until the
    credential may open one.
    """

    user: Any
    may_read: bool = True
    may_write: bool = True
    count_request: Callable[[], int] = _count_nothing


def get_credential(headers: Any) -> Credential | None:
    """A request with a token ignores its cookies, even if the token is not valid."""
    values = [value for name, value in headers if name.lower() == b"authorization"]
    for value in values:
        if value.lower().startswith(b"bearer"):
            match = BEARER_PATTERN.fullmatch(value) if len(values) == 1 else None
            return Credential(match[1].decode("latin-1") if match else "", is_token=True)
    key = get_session_key(headers)
    return Credential(key, is_token=False) if key else None


async def load_access(credential: Credential | None) -> Access | None:
    """None if the credential signs nobody in. Raises DatabaseError."""
    if credential is None:
        return None
    if credential.is_token:
        return await _access_loader.load(credential.value)
    user = await load_session_user(credential.value)
    return Access(user) if user else None


def _load_token_access(tokens: Collection[str]) -> Mapping[str, Access]:
    path = engine_settings.LOAD_TOKENS
    if not path:
        return {}
    found: Mapping[str, Access] = import_string(path)(tokens)
    return found


_access_loader = BatchLoader(_load_token_access)
