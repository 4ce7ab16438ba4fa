"""The site for a fuzzer: every address of the URL conf, every form and link of the pages, and the
names of fields that the code reads. New pages are found automatically."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from django.urls import URLResolver, get_resolver

ROOT = Path(__file__).resolve().parents[2]
FIELD_READ = re.compile(r"""(?:GET|POST|COOKIES)(?:\.get\(|\.getlist\(|\[)\s*["'](\w+)["']""")


@dataclass(frozen=True, slots=True)
class Address:
    """A path with `%(name)s` for its variable parts."""

    template: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Form:
    """A form of a page: its target and its fields."""

    action: str
    fields: tuple[tuple[str, str], ...]

    @property
    def kind(self) -> tuple[str, tuple[str, ...]]:
        """Return the same value for two equivalent forms."""
        path = re.sub(r"[0-9a-f-]{36}|\d+", "*", self.action)
        return path, tuple(sorted({name for name, _ in self.fields}))


def list_addresses() -> list[Address]:
    return sorted(set(_walk_urls(get_resolver(), "/")), key=lambda address: address.template)


def _walk_urls(resolver: URLResolver, before: str) -> Iterator[Address]:
    for key in resolver.reverse_dict:
        for possibilities, *_ in resolver.reverse_dict.getlist(key):
            for template, names in possibilities:
                yield Address(before + template, tuple(names))
    for prefix, inner in resolver.namespace_dict.values():
        yield from _walk_urls(inner, before + prefix)


def find_read_names() -> list[str]:
    """Return the names of queries and fields that the project's own code reads."""
    names: set[str] = set()
    for folder in ("accounts", "chat", "config", "streaming"):
        for file in (ROOT / folder).rglob("*.py"):
            names.update(FIELD_READ.findall(file.read_text()))
    return sorted(names)


@dataclass
class Page(HTMLParser):
    """The forms of a page, and the queries of its links."""

    path: str
    forms: list[Form] = field(default_factory=list)
    queries: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()
        self._action: str | None = None
        self._fields: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._action = urlsplit(attributes.get("action") or self.path).path
            self._fields = []
        if tag == "a":
            self.queries.update(parse_qs(urlsplit(attributes.get("href", "")).query))
        is_field = tag in {"input", "select", "textarea", "button"}
        if is_field and self._action is not None and attributes.get("name"):
            self._fields.append((attributes["name"], attributes.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self._action is not None:
            self.forms.append(Form(self._action, tuple(self._fields)))
            self._action = None
