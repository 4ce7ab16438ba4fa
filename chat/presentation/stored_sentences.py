"""The notes and errors that streams store in English, in the language of the page."""

from __future__ import annotations

import re
from functools import cache
from string import Formatter

from django.utils.translation import gettext

from streaming.sentences import STORED_SENTENCES

MAX_SENTENCE_CHARS = 500
"""A longer one quotes a provider, whose words could make the search for its template slow."""
MAX_NESTED_SENTENCES = 2
"""A sentence may have a sentence as its value, and that one may have a word of ours as its own."""


def translate_stored(sentence: str, nested: int = MAX_NESTED_SENTENCES) -> str:
    """The sentence in the current language; as it is, if it is none of ours or of another version.

    Its values are translated if they are sentences of ours too.
    """
    if sentence in STORED_SENTENCES:
        return gettext(sentence)
    if not sentence or not nested or len(sentence) > MAX_SENTENCE_CHARS:
        return sentence
    for template, pattern in _compile_templates():
        if match := pattern.fullmatch(sentence):
            values = match.groupdict()
            translated = {name: translate_stored(values[name], nested - 1) for name in values}
            return gettext(template).format(**translated)
    return sentence


@cache
def _compile_templates() -> list[tuple[str, re.Pattern[str]]]:
    """The sentences with values, in the order in which they are tried.

    First those that add to a whole sentence, because its own template might take the addition for a
    value. Then those with the most words of their own: one of few words matches others as well.
    """
    patterns = [(template, _build_pattern(template)) for template in STORED_SENTENCES]
    templates = [(template, pattern) for template, pattern in patterns if pattern.groups]
    return sorted(templates, key=lambda pair: _rank_template(pair[0]))


def _rank_template(template: str) -> tuple[bool, int, str]:
    own_chars = sum(len(words) for words, *_ in Formatter().parse(template))
    return ("{problem}" not in template, -own_chars, template)


def _build_pattern(template: str) -> re.Pattern[str]:
    parts = Formatter().parse(template)
    return re.compile(
        "".join(
            re.escape(words) + (f"(?P<{name}>.+)" if name else "") for words, name, *_ in parts
        ),
        re.DOTALL,
    )
