"""A lock whose waiters get it in the order in which they came."""

from __future__ import annotations

import threading
from collections import deque


class FairLock:
    """With `threading.Lock` a thread that releases it and wants it again mostly wins."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._is_held = False
        self._waiting: deque[threading.Event] = deque()

    def acquire(self, timeout: float) -> bool:
        """Return whether the lock was acquired within so many seconds."""
        with self._mutex:
            if not self._is_held:
                self._is_held = True
                return True
            turn = threading.Event()
            self._waiting.append(turn)
        if turn.wait(timeout):
            return True
        with self._mutex:
            if turn.is_set():  # in this very moment
                return True
            self._waiting.remove(turn)
            return False

    def release(self) -> None:
        """Pass the lock on to the thread that waits longest."""
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._is_held = False
