"""Removes the key of a request from the text of its reply, as a server may echo it there."""

from __future__ import annotations

from streaming.events import Delta, DeltaKind
from streaming.providers.redaction import KEY_FRAGMENT_CHARS, REDACTED, Secret, list_key_forms

MIN_KEY_CHARS = 16
"""A shorter key, or one without a digit, may be a word such as “not-needed” that a local server
gets. Removing it would change texts about other things."""
MIN_HELD_CHARS = 4
"""So much of the beginning of a key at the end of a delta waits for the next one."""


class KeyFilter:
    """Replaces whole keys in the deltas of one reply, wherever they are cut.

    The end of a delta that may be the beginning of a key is held until the next one of its kind.
    """

    def __init__(self, *secrets: Secret) -> None:
        texts = [secret.reveal() for secret in secrets]
        forms = {form for text in texts if _is_recognisable(text) for form in list_key_forms(text)}
        ordered = tuple(sorted(forms, key=len, reverse=True))
        pieces = frozenset(
            form[at : at + MIN_HELD_CHARS]
            for form in forms
            for at in range(len(form) - MIN_HELD_CHARS + 1)
        )
        # Closures, so that a traceback that prints locals shows functions and not the keys.
        self._list_forms = lambda: ordered
        self._is_piece = lambda text: text in pieces
        self._shortest_chars = min(map(len, forms), default=0)
        self._shown: dict[DeltaKind, str] = {}  # the last characters before what is held
        self._held: dict[DeltaKind, str] = {}

    def contains_key(self, *texts: str) -> bool:
        return any(form in text for form in self._list_forms() for text in texts)

    def remove_keys(self, text: str) -> str:
        """A whole text without keys."""
        return self._remove_keys(text, 0)[0]

    def clean(self, delta: Delta) -> Delta | None:
        """The delta without keys, after text that was held; None while there is nothing to show.

        A source that continued after a checkpoint would lose the text that is held, so there is no
        checkpoint meanwhile."""
        if not self._shortest_chars:
            return delta
        kind = delta.kind
        shown = self._shown.get(kind, "")
        whole = shown + delta.text
        if (
            not self._held
            and len(whole) < self._shortest_chars
            and not self._is_piece(whole[-MIN_HELD_CHARS:])
        ):
            self._shown[kind] = whole[1 - MIN_HELD_CHARS :]
            return delta  # nearly all deltas
        held = self._held.pop(kind, "")
        text, start = self._remove_keys(shown + held + delta.text, len(shown))
        held_from = max(start, len(text) - self._count_held(text))
        if held_from < len(text):
            self._held[kind] = text[held_from:]
        self._shown[kind] = text[:held_from][1 - MIN_HELD_CHARS :]
        text = text[start:held_from]
        checkpoint = "" if self._held else delta.checkpoint
        return delta._replace(text=text, checkpoint=checkpoint) if text or checkpoint else None

    def flush(self) -> list[Delta]:
        """The text that is still held when the reply ends, without a long piece of a key."""
        deltas = [
            Delta(REDACTED if len(text) >= KEY_FRAGMENT_CHARS else text, kind)
            for kind, text in self._held.items()
        ]
        self._held.clear()
        return deltas

    def _remove_keys(self, text: str, start: int) -> tuple[str, int]:
        """The text without keys, and where the part after `start` begins in it."""
        for form in self._list_forms():
            while (at := text.find(form)) >= 0:
                before = text[:at] if at >= start else text[:at] + text[at:start]
                text = before + REDACTED + text[at + len(form) :]
        return text, start

    def _count_held(self, text: str) -> int:
        """The length of the longest end of the text with which a key begins."""
        return max(_count_overlap(text, form) for form in self._list_forms())


def _is_recognisable(key: str) -> bool:
    return len(key) >= MIN_KEY_CHARS and any(char.isdigit() for char in key)


def _count_overlap(text: str, form: str) -> int:
    if text[-MIN_HELD_CHARS:] not in form:
        return 0
    longest = min(len(text), len(form) - 1)
    lengths = range(longest, MIN_HELD_CHARS - 1, -1)
    return next((length for length in lengths if text.endswith(form[:length])), 0)
