"""The access of programs: the engine's doors ask here for the users of tokens."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial

from accounts.tokens.limits import count_request
from accounts.tokens.tokens import find_tokens, record_use
from streaming.doors.credentials import Access


def load_token_access(tokens: Collection[str]) -> Mapping[str, Access]:
    """The user of each valid token, and what the token may do with streams."""
    found = find_tokens(tokens)
    record_use(found.values())
    return {
        text: Access(row.user, row.may_read, row.may_write, partial(count_request, row))
        for text, row in found.items()
    }
