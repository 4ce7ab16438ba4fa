"""Fixtures of the tests of accounts."""

from collections.abc import Iterator
from importlib import import_module

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from tests.factories import create_signed_in_client


@pytest.fixture(scope="session", autouse=True)
def load_addresses() -> None:
    """allauth's depend on settings that tests change, and are loaded once."""
    import_module(settings.ROOT_URLCONF)


@pytest.fixture
def commit_for_real(transactional_db: None) -> Iterator[None]:
    """Commit for real, so that other threads see the rows. Also empty the cache's table, which
    belongs to no model and would keep its rate limits for the next tests."""
    yield
    cache.clear()


@pytest.fixture
def as_colleague(colleague: User) -> Client:
    return create_signed_in_client(colleague)


@pytest.fixture
def administrator(db: None, password: str) -> User:
    return User.objects.create_superuser("administrator@holdfast.test", password)


@pytest.fixture
def as_administrator(administrator: User, password: str) -> Client:
    """Return a client that has just confirmed the password, as pages of accounts require."""
    client = create_signed_in_client(administrator)
    client.post("/accounts/reauthenticate/", {"password": password})
    return client


@pytest.fixture(autouse=True)
def use_closed_provider_port(settings: Settings) -> None:
    """Check saved keys at an address where no server listens."""
    settings.OPENAI_BASE_URL = "http://127.0.0.1:9/v1"
