"""Three people with the same names in every test: the owner of the conversations, a colleague with
an account, and a stranger who must see nothing."""

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import date, timedelta

import pytest
from django.core.management.commands import flush
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import Client, override_settings
from playwright.sync_api import Browser, sync_playwright

from accounts import form_limits, setup
from accounts.deletion import erasure
from accounts.memory_limits import used_up_keys
from accounts.models import User
from accounts.tokens import limits as token_limits
from streaming import database
from streaming.providers import catalog
from tests.factories import PLAIN_STORAGES, create_signed_in_client
from tests.plugin import get_folder
from tools.deployment.deployment import Deployment
from tools.fake_provider import Fake
from tools.services import chromium

PASSWORD = "kelp-holds-fast-7"


@pytest.fixture(autouse=True, scope="session")
def use_fast_password_hasher() -> Iterator[None]:
    """The slow hash of the product would take most of the time of the tests."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


@pytest.fixture(autouse=True)
def clear_limits_in_memory() -> None:
    """The process of the tests has one memory for all of them."""
    form_limits.clear_limiters()
    used_up_keys.clear()
    token_limits._limiter.clear()


@pytest.fixture(autouse=True)
def erase_accounts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without waiting for requests that began before. tests/access/test_erased_meanwhile.py does
    wait."""
    monkeypatch.setattr(erasure, "REQUEST_GRACE", timedelta())


@pytest.fixture(autouse=True, scope="session")
def find_static_files_lazily() -> Iterator[None]:
    """Each test client has its own handler, which lists all static files at its start. With this
    setting it looks for a file when one is requested."""
    with override_settings(WHITENOISE_AUTOREFRESH=True):
        yield


UNTOUCHED_TABLES = ("auth_permission", "django_content_type")
"""Tables that migrations fill and tests keep."""


@pytest.fixture(autouse=True, scope="session")
def delete_rows_instead_of_truncating() -> Iterator[None]:
    """For tables with few rows DELETE takes 5 ms. TRUNCATE creates new files and takes 200 ms. Half
    of the tests end with one of them."""

    def list_deletions(style: object, connection: BaseDatabaseWrapper, **_: object) -> list[str]:
        tables = connection.introspection.django_table_names(True, include_views=False)
        prefix = ["SET LOCAL session_replication_role = replica"]
        return [
            *(prefix if connection.vendor == "postgresql" else []),
            *(f"DELETE FROM {table}" for table in tables if table not in UNTOUCHED_TABLES),
        ]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flush, "sql_flush", list_deletions)
        patch.setattr(flush, "emit_post_migrate_signal", lambda *_, **__: None)
        yield


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """The transaction of a test is idle while the test waits, on a busy machine for longer than a
    process of the product may. Deployments under test keep the limit of the product."""
    options = connection.settings_dict["OPTIONS"]
    if "options" in options:
        options["options"] = "-c idle_in_transaction_session_timeout=90s"


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """A database can't be dropped while threads that read it keep their connections."""
    yield
    database.close(wait=True)


FOLDERS_WITHOUT_MANIFEST = {"accounts", "chat", "fuzz"}
"""The tests in them need no manifest of collected static files."""


@pytest.fixture(autouse=True)
def plain_static_files(request: pytest.FixtureRequest) -> Iterator[None]:
    """Serve static files under their own names in these folders."""
    is_plain = get_folder(request.node) in FOLDERS_WITHOUT_MANIFEST
    with override_settings(STORAGES=PLAIN_STORAGES) if is_plain else nullcontext():
        yield


@pytest.fixture(scope="session")
def provider() -> Iterator[Fake]:
    """The fake provider, in a process of its own. Tests take `fake`."""
    with Fake.spawn() as provider:
        yield provider


@pytest.fixture
def fake(provider: Fake) -> Fake:
    """The fake provider, without scripts and records."""
    provider.reset()
    return provider


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def server_deployment(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """A deployment of one process, on each of the two servers."""
    with Deployment("embedded", server=request.param) as deployment:
        yield deployment


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests with pages. Its loop occupies the thread until the very end, so
    these tests run last.

    pytest-playwright would replace only this fixture: the contexts, with cookies of a person and a
    check of the console, remain ours. It also empties its folder of results when it starts, which
    two runs of `make test` would share.
    """
    binary = chromium.find()
    assert binary is not None, chromium.MISSING
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=list(chromium.FLAGS))
        yield browser
        browser.close()


@pytest.fixture(autouse=True, scope="session")
def fix_catalog_date() -> Iterator[None]:
    """The tests need a fixed date, because models are retired later."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalog, "today", lambda: date(2026, 11, 22))
        yield


@pytest.fixture(autouse=True, scope="session")
def log_no_setup_code() -> Iterator[None]:
    """The thread that logs it would use the database at any time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setup, "log_setup_code_in_thread", lambda: None)
        yield


@pytest.fixture
def password() -> str:
    """The password of every person here."""
    return PASSWORD


@pytest.fixture
def owner(db: None) -> User:
    return User.objects.create_user("owner@holdfast.test", PASSWORD, name="Olive Owner")


@pytest.fixture
def colleague(db: None) -> User:
    return User.objects.create_user("colleague@holdfast.test", PASSWORD, name="Colin Colleague")


@pytest.fixture
def stranger(db: None) -> User:
    return User.objects.create_user("stranger@holdfast.test", PASSWORD, name="Stella Stranger")


@pytest.fixture
def as_owner(owner: User) -> Client:
    """A browser in which the owner is signed in."""
    return create_signed_in_client(owner)
