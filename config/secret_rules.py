"""Which secrets could be guessed: short ones, samples, sentences and patterns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

MIN_SECRET_CHARS = 32
MIN_DIFFERENT_CHARS = 10
MAX_SHARE_OF_SERIES = 0.5
WORDS = re.compile(r"(?:[A-Z]?[a-z][-_.,:;!?'/ ]*)+")
"""A sentence, also without blanks. Random characters have digits, and capitals side by side.
Each part has one small letter: with `[a-z]+` there would be countless ways to divide a word, and
all would be tried before a text with a digit at its end is no sentence."""


def is_guessable_secret(secret: str) -> bool:
    return (
        len(secret) < MIN_SECRET_CHARS
        or len(set(secret)) < MIN_DIFFERENT_CHARS
        or secret.startswith("django-insecure")
        or any(map(str.isspace, secret))
        or WORDS.fullmatch(secret) is not None
        or is_pattern(secret.encode())
    )


def is_pattern(secret: Sequence[int]) -> bool:
    """Whether most of its bytes follow from those before: a repeated part, or a series such as
    0, 1, 2."""
    text = bytes(secret)
    if text in (text + text)[1:-1]:
        return True
    steps = [after - before for before, after in pairwise(text)]
    return max(map(steps.count, set(steps)), default=0) > MAX_SHARE_OF_SERIES * len(text)
