"""Hashes passwords one at a time in each process, at a lower priority. A hash takes half a second
of a core, and many sign-ins would leave none for pages."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from django.contrib.auth.hashers import PBKDF2PasswordHasher

NICE_VALUE = 5


def lower_thread_priority() -> None:
    """Lower the priority of this thread. On other systems than Linux this is the process's
    priority."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE_VALUE)


_hash_executor = ThreadPoolExecutor(
    1, thread_name_prefix="hashing", initializer=lower_thread_priority
)


class SerialPBKDF2PasswordHasher(PBKDF2PasswordHasher):
    """Computes the same hashes as Django's PBKDF2, so existing ones stay valid."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        return _hash_executor.submit(super().encode, password, salt, iterations).result()
