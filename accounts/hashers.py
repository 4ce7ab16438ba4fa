"""Hashes passwords with Argon2, at most two at once in each process, at a lower priority. A hash
takes a good part of a second of a core and 19 MiB, and many sign-ins would leave none for pages."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from django.contrib.auth.hashers import (
    Argon2PasswordHasher,
    PBKDF2PasswordHasher,
    PBKDF2SHA1PasswordHasher,
    ScryptPasswordHasher,
)

NICE_VALUE = 5
MAX_HASHES_AT_ONCE = 2


def lower_thread_priority() -> None:
    """Lower the priority of this thread. On other systems than Linux this is the process's
    priority."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE_VALUE)


_hash_executor = ThreadPoolExecutor(
    MAX_HASHES_AT_ONCE, thread_name_prefix="hashing", initializer=lower_thread_priority
)


class LimitedArgon2PasswordHasher(Argon2PasswordHasher):
    """Argon2id with the least memory that OWASP recommends: 19 MiB, two passes, one lane."""

    time_cost = 2
    memory_cost = 19 * 1024
    """In KiB."""
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        return _hash_executor.submit(super().encode, password, salt).result()

    def verify(self, password: str, encoded: str) -> bool:
        return _hash_executor.submit(super().verify, password, encoded).result()


class LimitedPBKDF2PasswordHasher(PBKDF2PasswordHasher):
    """Reads the hashes of earlier versions, which are Django's PBKDF2."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        return _hash_executor.submit(super().encode, password, salt, iterations).result()


class LimitedPBKDF2SHA1PasswordHasher(PBKDF2SHA1PasswordHasher):
    """Reads the hashes of imported accounts."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        return _hash_executor.submit(super().encode, password, salt, iterations).result()


class LimitedScryptPasswordHasher(ScryptPasswordHasher):
    """Reads the hashes of imported accounts."""

    def encode(
        self,
        password: str,
        salt: str,
        n: int | None = None,
        r: int | None = None,
        p: int | None = None,
    ) -> str:
        return _hash_executor.submit(super().encode, password, salt, n, r, p).result()
