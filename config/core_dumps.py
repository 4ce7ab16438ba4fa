"""Prevents that a crash writes the memory of this process, with keys and texts, into a file."""

from __future__ import annotations

from contextlib import suppress


def disable_core_dumps() -> None:
    """Programs that this process starts inherit the limit. A debugger of the same user can still
    attach: `PR_SET_DUMPABLE` would forbid that too, and also reading /proc/<pid> for monitors."""
    with suppress(ImportError, ValueError, OSError):  # Windows has no such limits
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
