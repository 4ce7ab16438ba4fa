"""Where `*`, `_` and `~~` can open and close: the same rule as in static/js/markdown/emphasis.js.

CommonMark reads a marker by the white space and the punctuation beside it. Writing without spaces
has none of the first, so punctuation that belongs to such writing counts as a letter here.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from markdown_it.common.utils import isWhiteSpace
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.state_inline import Delimiter

SPACELESS_RANGES = (
    r"\u0e00-\u109f\u1100-\u11ff\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\u1b00-\u1b7f"
    r"\u2e80-\u2fff\u3001-\ua4cf\ua960-\ua9ff\uaa60-\uaadf\uac00-\ud7ff\uf900-\ufaff"
    r"\ufe10-\ufe1f\ufe30-\ufe6f\uff01-\uffef"
)
"""Characters of writing without spaces, with their punctuation: from Thai to Myanmar, Khmer, Tai,
Balinese, Javanese, Chinese, Japanese, Korean and Yi, in half and full width."""
SPACELESS_PLANE_RANGES = (
    r"\U00016fe0-\U00018d8f\U0001aff0-\U0001b2ff\U0001f200-\U0001f2ff\U00020000-\U0003fffd"
    r"\U000e0100-\U000e01ef"
)
"""Those beyond U+FFFF, with the selectors of ideographic variants."""
SPACELESS = re.compile(f"[{SPACELESS_RANGES}{SPACELESS_PLANE_RANGES}]")
MAX_PUNCTUATION_CHARS = 4
"""How much punctuation may stand between a marker and the letter that it belongs to: “？！”"""
MARKERS = "*_~"


class Run(NamedTuple):
    length: int
    can_open: bool
    can_close: bool


def tokenize_emphasis(state: StateInline, silent: bool) -> bool:
    marker = state.src[state.pos]
    if silent or marker not in "*_":
        return False
    run = scan_run(state.src, state.pos, state.posMax)
    for _ in range(run.length):
        _push_delimiter(state, marker, run, run.length)
    state.pos += run.length
    return True


def tokenize_strikethrough(state: StateInline, silent: bool) -> bool:
    """Exactly two tildes: “~5 to ~10” has none, and three are text."""
    if silent or state.src[state.pos] != "~":
        return False
    run = scan_run(state.src, state.pos, state.posMax)
    if run.length == 2:
        _push_delimiter(state, "~~", run, 0)
    else:
        state.append_pending("~" * run.length)
    state.pos += run.length
    return True


def _push_delimiter(state: StateInline, text: str, run: Run, length: int) -> None:
    """A length of 0 turns off the rule about sums that are multiples of three."""
    state.push("text", "", 0).content = text
    token = len(state.tokens) - 1
    delimiter = Delimiter(ord(text[0]), length, token, -1, run.can_open, run.can_close)
    state.delimiters.append(delimiter)


def scan_run(text: str, start: int, text_end: int) -> Run:
    """Read the run of markers at `start`."""
    marker = text[start]
    end = start
    while end < text_end and text[end] == marker:
        end += 1
    before = text[start - 1] if start > 0 else " "
    after = text[end] if end < text_end else " "
    is_between = is_spaceless(before) and is_spaceless(after)
    separates_before = is_punctuation(before) and not (
        is_spaceless(after) or _belongs_to_spaceless(text, start - 1, -1)
    )
    separates_after = is_punctuation(after) and not (
        is_spaceless(before) or _belongs_to_spaceless(text, end, 1)
    )
    is_space_before, is_space_after = isWhiteSpace(ord(before)), isWhiteSpace(ord(after))
    opens = not is_space_after and (
        not separates_after or is_space_before or is_punctuation(before)
    )
    closes = not is_space_before and (
        not separates_before or is_space_after or is_punctuation(after)
    )
    length = end - start
    if marker != "_" or (is_between and length > 1):
        return Run(length, opens, closes)
    # Inside a word such as snake_case, underscores are text.
    can_open = opens and (not closes or is_punctuation(before))
    can_close = closes and (not opens or is_punctuation(after))
    return Run(length, can_open, can_close)


def is_spaceless(character: str) -> bool:
    return SPACELESS.match(character) is not None


def is_punctuation(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS"


def _belongs_to_spaceless(text: str, at: int, step: int) -> bool:
    """Whether the punctuation at `at`, or the letter behind it, is of writing without spaces."""
    for _ in range(MAX_PUNCTUATION_CHARS):
        if not 0 <= at < len(text) or text[at] in MARKERS:
            return False
        if is_spaceless(text[at]):
            return True
        if not is_punctuation(text[at]):
            return False
        at += step
    return False
