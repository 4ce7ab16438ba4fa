"""When a call goes on from the copy that a provider keeps of a reply: no second bill, no seam.

The position in the copy is the checkpoint, which is committed in one statement with the text. So
the two never disagree, and a call that re-attaches gets the very next character.
"""

from __future__ import annotations

from streaming.providers.errors import ProviderError

MAX_REATTACHMENTS = 5
"""How often one worker goes back to a copy after the connection broke."""
REATTACH_DELAY_SECONDS = 0.5
"""Seconds before it does."""

NETWORK_ERROR_CODES = {"network", "timeout", "interrupted"}


def is_expired(error: ProviderError) -> bool:
    """Whether the copy is of no use any more, rather than out of reach for now."""
    answered = error.status is not None and error.retryable
    return error.code not in NETWORK_ERROR_CODES and not answered
