"""Browsers of the people whose pages are tested."""

from collections.abc import Iterator

import pytest
from django.test import Client, override_settings

from accounts.models import User
from tests.chat.factories import signed_in


@pytest.fixture(autouse=True)
def static_files_under_their_own_names() -> Iterator[None]:
    """Nothing here needs them collected first."""
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
