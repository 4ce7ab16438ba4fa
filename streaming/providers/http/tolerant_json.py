"""JSON as servers write it, beyond what the standard library reads.

It costs more than the standard decoder, so it is for what that one refuses.
"""

from __future__ import annotations

import json
import re

MAX_DIGITS = 400
"""Of a number; the standard library reads up to 4,300, which takes it quadratic time."""


def _parse_int(digits: str) -> int | float:
    return int(digits) if len(digits) <= MAX_DIGITS else float("inf")


TOLERANT_DECODER = json.JSONDecoder(strict=False, parse_int=_parse_int)
"""Reads raw control characters in strings, and numbers of any length."""

_SIGN_OF_LIFE = re.compile(
    r"""["'(<\[]*(?!\w*(error|fail|denied|auth|forbid|invalid|limit|exceed|abort|time|unavail|load))"""
    r"""[\w.-]{1,30}["')>\]]*""",
    re.IGNORECASE | re.ASCII,
)


def is_sign_of_life(text: str) -> bool:
    """Whether a single word or number stands in place of an object, such as ping or [START]."""
    return _SIGN_OF_LIFE.fullmatch(text.strip()) is not None
