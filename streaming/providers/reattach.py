"""Decides when a call continues from the copy of a reply that a provider keeps, without a second
bill and without a seam.

The checkpoint is the position in the copy, and is committed in the same statement as the text. So
the two never disagree, and a call that re-attaches gets the very next character.
"""

from __future__ import annotations

from streaming.providers.errors import ProviderError
from streaming.providers.http.classify import NETWORK_ERROR_CODES

MAX_REATTACHMENTS = 5
"""How often one worker calls again for the rest of a copy after the connection broke."""
REATTACH_DELAY_SECONDS = 0.5
"""Seconds before each of these calls."""


def is_expired(error: ProviderError) -> bool:
    """Whether the copy is lost, rather than unreachable for now."""
    answered = error.status is not None and error.retryable
    return error.code not in NETWORK_ERROR_CODES and not answered
