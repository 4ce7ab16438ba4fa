"""An answer that is one document in place of a stream of events: JSON, a page, or words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from streaming.providers.http.sse_blocks import DONE_LINE, FIELD_NAMES, has_field
from streaming.providers.http.tolerant_json import TOLERANT_DECODER, is_sign_of_life

_BLANKS = re.compile(r"\s*")
BOM = b"\xef\xbb\xbf"
MAX_WORDS_BYTES = 4_000
"""Of an answer in words, what an error quotes."""


_WORD_IN_BRACKETS = re.compile(r"\[\s*(?!true|false|null|nan|infinity)[a-z]", re.IGNORECASE)
"""Such as [ERROR], which is no list."""
_WORDS = re.compile(r"""["'(\[*!\s-]*[^\W_]+""")


class WordsInPlaceOfObject(ValueError):
    """Words stand where an object should: mostly a server's error."""

    def __init__(self, words: str) -> None:
        super().__init__(words[:80])
        self.words = words[:MAX_WORDS_BYTES].strip().strip('"')


def is_json_start(start: bytes) -> bool:
    """Whether a body that begins so is JSON: no line of a stream begins like that."""
    text = start.removeprefix(BOM).lstrip()
    return text.startswith((b"{", b"[")) and not DONE_LINE.match(text)


def is_bare(block: bytes) -> bool:
    """Whether a block is JSON or a page, and no event."""
    return is_json_start(block) or block.lstrip().startswith(b"<")


def read_words(body: bytes) -> str:
    """The words of an answer in plain text; empty if it is a stream, or the beginning of one."""
    is_cut = any(name.startswith(body) for name in FIELD_NAMES)
    if is_cut or has_field(body):
        return ""
    return body[:MAX_WORDS_BYTES].decode(errors="replace").strip()


class OpenDocument:
    """A document in place of a stream, with blank lines in it."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self._is_json = False

    def take_block(self, block: bytes) -> bool:
        """Keep a block of the document; False if it is none, but an event or a whole object. Words
        that a stream follows are no document."""
        if not self.buffer and not self._is_start(block):
            return False
        if self.buffer and not self._is_json and has_field(block):
            self.buffer.clear()
            return False
        self.buffer += block + b"\n\n"
        return True

    def _is_start(self, block: bytes) -> bool:
        if has_field(block) or holds_objects(block):
            return False
        self._is_json = is_json_start(block)
        return self._is_json or (not is_bare(block) and bool(read_words(block)))


def holds_objects(block: bytes) -> bool:
    try:
        return bool(list(parse_objects(block)))
    except (ValueError, RecursionError):
        return False


def parse_objects(source: bytes) -> Iterator[dict[str, Any]]:
    """The objects that stand one after the other, or in lists, in which signs of life may stand
    too. Raises ValueError at the first thing that is neither, a WordsInPlaceOfObject at words."""
    text, at = source.decode(errors="replace"), 0
    while (at := _skip_blanks(text, at)) < len(text):
        if text[at] not in "{[" or _WORD_IN_BRACKETS.match(text, at):
            at = _skip_sign_of_life(text, at)
            continue
        found, at = TOLERANT_DECODER.raw_decode(text, at)
        for each in found if isinstance(found, list) else [found]:
            if isinstance(each, dict):
                yield each
            elif not _is_sign_of_life(each):
                raise ValueError(f"A list held {each!s:.80} instead of an object.")


def _skip_sign_of_life(text: str, at: int) -> int:
    """Where a line with a single word or number ends. The JSON reader would count all lines before
    it."""
    end = text.find("\n", at)
    end = end if end >= 0 else len(text)
    if text[at] != "<" and is_sign_of_life(text[at:end]):  # a page has words in brackets
        return end
    if text[at] != "<" and _WORDS.match(text, at):
        raise WordsInPlaceOfObject(text[at:])
    raise ValueError(f"An event held {text[at:end]:.80} instead of an object.")


def _is_sign_of_life(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_sign_of_life, value))
    if isinstance(value, str):
        return not value or is_sign_of_life(value)
    return not isinstance(value, dict)  # it may have text


def _skip_blanks(text: str, at: int) -> int:
    match = _BLANKS.match(text, at)
    return match.end() if match else at
