"""A factor that another request removes while it is used proves nothing, and is no error of the
server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client

from accounts.factors import codes, passkey_views, passkeys
from accounts.factors.recovery_codes import create_recovery_codes
from accounts.models import User
from tests.accounts.software_passkey import SoftwarePasskey
from tests.accounts.test_codes import (
    CONFIRM,
    REMOVE_APP,
    STEP,
    add_app,
    compute_code,
    enter_password,
    is_signed_in,
    stop_clock,
)
from tests.accounts.test_passkeys import (
    SIGN_IN,
    ask_to_sign_in,
    confirmed,
    create_client,
    passkey,
)

__all__ = ["confirmed", "passkey", "stop_clock"]

Prepare = Callable[[Any, str, Callable[[], object]], None]
SENTENCE = "This way to confirm was removed meanwhile."


@pytest.fixture
def change_after(monkeypatch: pytest.MonkeyPatch) -> Prepare:
    """Make a change of the account after this function has found the factor."""

    def prepare(module: Any, name: str, change: Callable[[], object]) -> None:
        find = getattr(module, name)

        def find_and_change(*args: Any) -> Any:
            found = find(*args)
            change()
            return found

        monkeypatch.setattr(module, name, find_and_change)

    return prepare


def remove_all() -> None:
    Authenticator.objects.all().delete()


def test_a_recovery_code_signs_nobody_in_once_there_are_new_ones(
    owner: User, password: str, change_after: Prepare
) -> None:
    add_app(owner)
    [code, *_] = create_recovery_codes(owner)
    client = enter_password(owner, password)
    change_after(codes, "use_code", lambda: create_recovery_codes(owner))
    page = client.post(STEP, {"code": code}, follow=True)
    assert page.status_code == 200
    assert SENTENCE in page.content.decode()
    assert not is_signed_in(client)


def test_a_code_of_a_removed_app_signs_nobody_in(
    owner: User, password: str, change_after: Prepare
) -> None:
    add_app(owner)
    client = enter_password(owner, password)
    change_after(codes, "use_code", remove_all)
    page = client.post(STEP, {"code": compute_code()}, follow=True)
    assert page.status_code == 200
    assert not is_signed_in(client)


def test_a_code_of_a_removed_app_confirms_nothing(
    owner: User, as_owner: Client, change_after: Prepare
) -> None:
    add_app(owner)
    change_after(codes, "use_code", remove_all)
    page = as_owner.post(CONFIRM, {"code": compute_code()}, follow=True)
    assert page.status_code == 200
    assert SENTENCE in page.content.decode()
    assert as_owner.get(REMOVE_APP).headers["Location"].startswith("/accounts/reauthenticate/")


def test_a_removed_passkey_signs_nobody_in(passkey: SoftwarePasskey, change_after: Prepare) -> None:
    client = create_client()
    credential = passkey.use(ask_to_sign_in(client))
    change_after(passkeys, "complete_use", remove_all)
    page = client.post(SIGN_IN, {"credential": credential}, follow=True)
    assert page.status_code == 200
    assert "This passkey did not work" in page.content.decode()
    assert not is_signed_in(client)


def test_a_passkey_that_was_removed_while_it_is_renamed_is_not_found(
    confirmed: Client, passkey: SoftwarePasskey, change_after: Prepare
) -> None:
    id = Authenticator.objects.get(type=Authenticator.Type.WEBAUTHN).pk
    change_after(passkey_views, "_get_passkey_or_404", remove_all)
    answer = confirmed.post(f"/accounts/2fa/passkeys/{id}/rename/", {"name": "Phone"})
    assert answer.status_code == 404
    assert not Authenticator.objects.exists()
