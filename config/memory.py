"""Returns memory to the system after a peak."""

from __future__ import annotations

import ctypes
import gc
import itertools
import threading
import time
from collections.abc import Callable
from contextlib import suppress

# From glibc's <malloc.h>. Other C libraries do not have these names.
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
MAX_ARENAS = 2
MMAP_THRESHOLD_BYTES = 256 * 1024
TRIM_INTERVAL_SECONDS = 10.0
"""The interval at which free memory is returned. Each time takes some milliseconds."""
FREEZE_COUNT = 3
"""How often the objects of the modules that were loaded are set aside. The collector would visit
all 350,000 of them each time and hold the interpreter for 150 ms, while no client gets a token."""


def release_freed_memory() -> None:
    """Call before threads are started. glibc would give each of many threads an arena of its own,
    and allocate larger and larger blocks from them; both are hardly ever returned."""
    with suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None)
        libc.mallopt(M_ARENA_MAX, MAX_ARENAS)
        libc.mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES)
        threading.Thread(target=_trim_loop, args=[libc.malloc_trim], daemon=True).start()


def _trim_loop(malloc_trim: Callable[[int], int]) -> None:
    for number in itertools.count():
        time.sleep(TRIM_INTERVAL_SECONDS)
        gc.collect()
        if number < FREEZE_COUNT:
            gc.freeze()
        malloc_trim(0)
