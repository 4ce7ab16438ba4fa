"""Browsers of the people whose pages are tested, and a reply of the owner."""

import pytest
from django.test import Client

from accounts.models import User
from chat.replies import Reply
from tests.chat.factories import QUESTION, ask
from tests.factories import create_signed_in_client


@pytest.fixture(autouse=True)
def use_plain_static_files(plain_static_files: None) -> None:
    """These tests need no collected static files."""


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
    return ask(owner, QUESTION)
