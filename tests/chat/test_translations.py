"""Strings of scripts in another language."""

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client
from django.utils import translation
from django.utils.translation import trans_real
from pytest_django import Settings

CATALOG = "/translations/de.js"
SCRIPT = f'<script defer src="{CATALOG}"></script>'


def compile_messages(messages: dict[str, str]) -> bytes:
    """The content of a .mo file, as msgfmt writes it."""
    ids = [text.encode() for text in sorted(messages)]
    strings = [messages[text].encode() for text in sorted(messages)]
    tables, texts = b"", b""
    start = 28 + 2 * 8 * len(ids)
    for text in [*ids, *strings]:
        tables += struct.pack("<II", len(text), start + len(texts))
        texts += text + b"\0"
    head = struct.pack("<7I", 0x950412DE, 0, len(ids), 28, 28 + 8 * len(ids), 0, 0)
    return head + tables + texts


@pytest.fixture
def german(tmp_path: Path, settings: Settings) -> Iterator[None]:
    """Pages are in German, and so is one string of the scripts."""
    folder = tmp_path / "de" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    messages = {"": "Content-Type: text/plain; charset=UTF-8\n", "Reply finished": "Antwort fertig"}
    (folder / "djangojs.mo").write_bytes(compile_messages(messages))
    settings.LOCALE_PATHS = [tmp_path]
    trans_real._translations = {}  # type: ignore[attr-defined]
    with translation.override("de"):
        yield
    trans_real._translations = {}  # type: ignore[attr-defined]


def test_a_page_in_another_language_loads_the_translations_of_its_scripts(
    as_owner: Client, german: None
) -> None:
    page = as_owner.get("/").content.decode()
    assert page.index(SCRIPT) < page.index("js/main.js"), "scripts translate as they are loaded"
    response = as_owner.get(CATALOG)
    assert response["Content-Type"].startswith("text/javascript")
    assert '"Reply finished": "Antwort fertig"' in response.content.decode()
    assert response["Cache-Control"] == "public, max-age=3600"


def test_a_page_in_english_loads_none(as_owner: Client) -> None:
    assert "/translations/" not in as_owner.get("/").content.decode()


def test_there_are_no_translations_for_an_unknown_language(as_owner: Client) -> None:
    assert as_owner.get("/translations/xx.js").status_code == 404
