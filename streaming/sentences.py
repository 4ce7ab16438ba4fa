"""Sentences for people that a stream's row holds, such as its note and its error.

A row is written for readers of any language, so it holds the English sentence with its values. An
application that translates finds the sentence in STORED_SENTENCES when it shows the row.
"""

from __future__ import annotations

STORED_SENTENCES: set[str] = set()
"""Every marked sentence. {names} in it stand for values, which may be other marked sentences;
{problem} stands for a whole one."""


def gettext_noop(sentence: str) -> str:
    """Mark a stored sentence and collect it. `makemessages` looks for calls of this name."""
    STORED_SENTENCES.add(sentence)
    return sentence
