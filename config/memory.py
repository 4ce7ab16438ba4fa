"""Keeps the memory that a crowd needed for a moment from staying with the process."""

from __future__ import annotations

import ctypes
from contextlib import suppress

# From glibc's <malloc.h>. Other C libraries have other ways, and none of these names.
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
MAX_ARENAS = 2
LARGE_BYTES = 256 * 1024


def give_back_what_is_freed() -> None:
    """Call before threads are started. glibc would give each of many threads an arena of its own,
    and take larger and larger blocks from them; both are hardly ever given back."""
    with suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_ARENA_MAX, MAX_ARENAS)
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
