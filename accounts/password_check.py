"""Compares a password with the hash of an account, at a cost that does not depend on the account.

A failed attempt does the work of one Argon2 hash, whether or not there is an account. While the
installation still has hashes of an older kind, a failed attempt also does the work of one of those:
otherwise its duration would tell an account with an old hash from all others.
"""

from __future__ import annotations

import time
from threading import Lock

from django.contrib.auth.hashers import get_hashers, make_password, verify_password
from django.db.models import Q

from accounts.models import User

OLD_HASHES_CHECK_SECONDS = 60.0
"""How long the answer of `has_old_hashes` is kept. The query reads all accounts when there is no
old hash, so not every attempt makes it."""

_lock = Lock()
_next_check_at = 0.0
_has_old_hashes = False


def check_password(user: User | None, password: str, *, renew: bool) -> bool:
    """Return whether it is the account's password. With `renew`, replace a hash of an older kind
    by a new one. All browsers stay signed in; to the others' next sign-ins they are unknown."""
    must_do_old_work = has_old_hashes()  # before the cost depends on the account
    algorithm = ""
    if user is not None and user.has_usable_password():
        algorithm = user.password.partition("$")[0]
        is_correct, is_old = verify_password(password, user.password)
        if is_correct:
            return not (is_old and renew) or _renew_hash(user, password)
    current, *older = get_hashers()
    if algorithm != current.algorithm:
        current.encode(password, current.salt())
    if must_do_old_work and older and algorithm != older[0].algorithm:
        older[0].encode(password, older[0].salt())
    return False


def has_old_hashes() -> bool:
    """Return whether an account has a hash of another kind than new ones. Old ones appear again
    only by an import, or by a process of an earlier version that still runs."""
    global _next_check_at, _has_old_hashes
    current, *older = get_hashers()
    if not older:
        return False
    with _lock:
        if time.monotonic() < _next_check_at:
            return _has_old_hashes
        _next_check_at = time.monotonic() + OLD_HASHES_CHECK_SECONDS
    is_new = Q(password__startswith=f"{current.algorithm}$")
    is_unusable = Q(password__startswith="!") | Q(password="")  # noqa: S106
    _has_old_hashes = User.objects.exclude(is_new | is_unusable).exists()
    return _has_old_hashes


def _renew_hash(user: User, password: str) -> bool:
    """Return False if the password was changed meanwhile: the new hash would undo the change."""
    unchanged = User.objects.filter(pk=user.pk, password=user.password)
    user.renew_hash(make_password(password))
    values = {name: getattr(user, name) for name in ("password", "renewed_session_hashes")}
    return bool(unchanged.update(**values))
