"""Browsers of the people whose pages are tested, a reply of the owner, and another language."""

from collections.abc import Iterator

import pytest
from django.test import Client
from django.utils import translation
from django.utils.translation import trans_real
from pytest_django import Settings

from accounts.models import User
from chat.replies import Reply
from tests.chat.factories import QUESTION, start_reply
from tests.chat.marked_strings import LANGUAGE, MarkingTranslation
from tests.factories import create_signed_in_client


@pytest.fixture
def as_stranger(stranger: User) -> Client:
    return create_signed_in_client(stranger)


@pytest.fixture
def visitor(db: None) -> Client:
    """A browser without a signed-in user."""
    return Client()


@pytest.fixture
def reply(owner: User) -> Reply:
    """A question of the owner, and its queued reply."""
    return start_reply(owner, QUESTION)


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[None]:
    """Pages are in a language that puts every translation in marks."""
    settings.OPENAI_BASE_URL = "http://127.0.0.1:9/v1"
    monkeypatch.setitem(trans_real._translations, LANGUAGE, MarkingTranslation())  # type: ignore[attr-defined]
    with translation.override(LANGUAGE):
        yield
