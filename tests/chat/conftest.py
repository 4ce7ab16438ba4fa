"""Browsers of the people whose pages are tested, and a reply of the owner."""

from collections.abc import Iterator

import pytest
from django.test import Client, override_settings

from accounts.models import User
from chat.replies import Reply
from tests.chat.factories import QUESTION, ask, signed_in


@pytest.fixture(autouse=True)
def static_files_under_their_own_names() -> Iterator[None]:
    """So that these tests need no collected files."""
    plain = {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    with override_settings(STORAGES=plain):
        yield


@pytest.fixture
def as_owner(owner: User) -> Client:
    return signed_in(owner)


@pytest.fixture
def as_stranger(stranger: User) -> Client:
    return signed_in(stranger)


@pytest.fixture
def visitor(db: None) -> Client:
    """A browser in which nobody is signed in."""
    return Client()


@pytest.fixture
def reply(owner: User) -> Reply:
    """A question of the owner, and its queued reply."""
    return ask(owner, QUESTION)
