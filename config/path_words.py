"""The words in the addresses of this site."""

from __future__ import annotations

from collections.abc import Iterator

from django.urls import URLResolver, get_resolver

WORDS_BESIDE_DJANGO = ("", "static", "ws", "api", "streams", "events", "healthz")


def list_path_words() -> Iterator[str]:
    yield from WORDS_BESIDE_DJANGO
    yield from _list_words(get_resolver(), "")


def _list_words(resolver: URLResolver, before: str) -> Iterator[str]:
    for key in resolver.reverse_dict:
        for possibilities, *_others in resolver.reverse_dict.getlist(key):
            for template, _names in possibilities:
                yield from (word for word in (before + template).split("/") if "%" not in word)
    for prefix, inner in resolver.namespace_dict.values():
        yield from _list_words(inner, before + prefix)
