"""Codes of an authenticator app and recovery codes: they sign in, once, and can't be guessed."""

from __future__ import annotations

import json
import re

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp_auth
from django.core import mail
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings

from accounts.audit.models import AuditEvent
from accounts.factors import totp
from accounts.factors.adapter import MFAAdapter
from accounts.factors.code_attempts import UNKNOWN_DEVICES_LIMIT
from accounts.factors.recovery_codes import (
    count_recovery_codes,
    create_recovery_codes,
    use_recovery_code,
)
from accounts.models import CacheEntry, User
from tests.factories import create_signed_in_client, run_at_once

LOGIN, STEP = "/accounts/login/", "/accounts/2fa/sign-in/"
INDEX, ADD_APP = "/accounts/2fa/", "/accounts/2fa/app/add/"
REMOVE_APP, NEW_CODES = "/accounts/2fa/app/remove/", "/accounts/2fa/recovery-codes/"
CONFIRM = "/accounts/2fa/confirm/"
NOON = 1_800_000_000.0
"""The time of the server in most tests, at the beginning of a code's 30 seconds."""
SECRET = totp_auth.generate_totp_secret()


@pytest.fixture(autouse=True)
def stop_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch, NOON)


def set_clock(patch: pytest.MonkeyPatch, seconds: float) -> None:
    """Codes depend on this clock only."""
    patch.setattr(totp, "read_clock", lambda: seconds)


def compute_code(secret: str = SECRET, *, seconds_off: float = 0) -> str:
    """Return the code of a phone whose clock is off."""
    counter = int(NOON + seconds_off) // 30
    return totp_auth.format_hotp_value(totp_auth.hotp_value(secret, counter))


def add_app(user: User) -> Authenticator:
    """An app that was set up an hour ago."""
    data = totp.build_data(user.pk, SECRET, int(NOON - 3600) // 30)
    return Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data=data)


def enter_password(user: User, password: str, client: Client | None = None) -> Client:
    client = client or Client()
    answer = client.post(LOGIN, {"login": user.email, "password": password})
    assert answer.headers["Location"] == STEP
    assert not is_signed_in(client)
    return client


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def try_code(user: User, password: str, code: str) -> bool:
    client = enter_password(user, password)
    client.post(STEP, {"code": code})
    return is_signed_in(client)


def test_a_code_of_a_clock_that_is_off_by_a_minute_signs_in(owner: User, password: str) -> None:
    add_app(owner)
    for seconds_off in (-60, -30, 0, 30, 60):
        assert try_code(owner, password, compute_code(seconds_off=seconds_off)), seconds_off


def test_a_code_of_a_clock_that_is_off_by_minutes_is_refused(owner: User, password: str) -> None:
    add_app(owner)
    for seconds_off in (-300, -91, 91, 300):
        assert not try_code(owner, password, compute_code(seconds_off=seconds_off)), seconds_off
    assert try_code(owner, password, compute_code())


def test_a_code_signs_in_once(owner: User, password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """allauth forgets a used code after 30 seconds, while it is still valid."""
    add_app(owner)
    code = compute_code()
    assert try_code(owner, password, code)
    assert not try_code(owner, password, code)
    set_clock(monkeypatch, NOON + 45)
    CacheEntry.objects.all().delete()
    assert not try_code(owner, password, code)
    assert not try_code(owner, password, compute_code(seconds_off=-30))
    assert try_code(owner, password, compute_code(seconds_off=30))


def test_the_code_of_the_setup_does_not_sign_in(owner: User, password: str) -> None:
    code = compute_code()
    assert totp.activate_totp(owner, SECRET, code)
    assert not try_code(owner, password, code)


def test_simultaneous_requests_use_a_code_once(owner: User, commit_for_real: None) -> None:
    add_app(owner)
    code = compute_code()
    [recovery, *_] = create_recovery_codes(owner)
    results = run_at_once(*[lambda: totp.use_totp_code(owner, code)] * 4)
    assert len([one for one in results if isinstance(one, Authenticator)]) == 1, results
    results = run_at_once(*[lambda: use_recovery_code(owner, recovery)] * 4)
    assert len([one for one in results if isinstance(one, Authenticator)]) == 1, results
    assert count_recovery_codes(owner) == 9


def test_a_recovery_code_signs_in_once_and_is_reported(owner: User, password: str) -> None:
    add_app(owner)
    [code, other, *_] = create_recovery_codes(owner)
    assert try_code(owner, password, code.upper().replace("-", " "))
    assert any("It won’t work again" in sent.body for sent in mail.outbox)
    event = AuditEvent.objects.get(kind="recovery_codes.used")
    assert (event.account_id, event.facts) == (owner.pk, {"codes_left": 9})
    assert not try_code(owner, password, code)
    assert try_code(owner, password, other)


def test_new_recovery_codes_make_earlier_ones_void(owner: User) -> None:
    [code, *_] = create_recovery_codes(owner)
    create_recovery_codes(owner)
    assert use_recovery_code(owner, code) is None


def test_a_recovery_code_of_another_account_is_refused(owner: User, stranger: User) -> None:
    [code, *_] = create_recovery_codes(stranger)
    create_recovery_codes(owner)
    assert use_recovery_code(owner, code) is None


def test_wrong_codes_are_limited_and_reported(owner: User, password: str) -> None:
    add_app(owner)
    client = enter_password(owner, password)
    for _ in range(5):
        client.post(STEP, {"code": "000000"})
    answer = client.post(STEP, {"code": compute_code()})
    assert answer.status_code == 422
    assert "Too many wrong codes" in answer.content.decode()
    assert not is_signed_in(client)
    client.post(STEP, {"code": compute_code()})
    assert [one.subject for one in mail.outbox] == ["[Holdfast] Too many wrong codes"]
    assert AuditEvent.objects.get(kind="codes.limit_reached").account_id == owner.pk


def guess_from_many_addresses(user: User) -> None:
    assert UNKNOWN_DEVICES_LIMIT.max_count <= 50
    counter = UNKNOWN_DEVICES_LIMIT.counter_for(user.pk)
    counter.try_consume()
    cache.set(counter.key, UNKNOWN_DEVICES_LIMIT.max_count, UNKNOWN_DEVICES_LIMIT.window_seconds)


def test_a_day_of_guesses_from_many_addresses_is_limited(owner: User, password: str) -> None:
    add_app(owner)
    client = enter_password(owner, password)
    guess_from_many_addresses(owner)
    client.post(STEP, {"code": compute_code()}, REMOTE_ADDR="198.51.100.9")
    assert not is_signed_in(client)


def test_a_thief_of_the_password_does_not_lock_out_a_known_browser(
    owner: User, password: str
) -> None:
    add_app(owner)
    known = enter_password(owner, password)
    known.post(STEP, {"code": compute_code(seconds_off=-30)})
    assert is_signed_in(known)
    known.post("/accounts/logout/")
    guess_from_many_addresses(owner)
    enter_password(owner, password, known)
    known.post(STEP, {"code": compute_code()})
    assert is_signed_in(known)


def test_guesses_with_a_stolen_session_are_limited(as_owner: Client, owner: User) -> None:
    add_app(owner)
    for _ in range(5):
        as_owner.post(CONFIRM, {"code": "000000"})
    as_owner.post(CONFIRM, {"code": compute_code()})
    assert as_owner.get(REMOVE_APP).status_code == 302


def test_a_lost_master_key_locks_nobody_out(owner: User, password: str, settings: Settings) -> None:
    add_app(owner)
    [code, *_] = create_recovery_codes(owner)
    settings.MASTER_KEYS = {"new": b"0123456789abcdef0123456789abcdef"}
    client = enter_password(owner, password)
    assert "ask your administrator" in client.get(STEP).content.decode()
    answer = client.post(STEP, {"code": compute_code()})
    assert answer.status_code == 422
    client.post(STEP, {"code": code})
    assert is_signed_in(client)
    html = client.get(INDEX).content.decode()
    assert "Remove the app and set it up again" in html
    client.post("/accounts/reauthenticate/", {"password": password})
    client.post(REMOVE_APP)
    assert not Authenticator.objects.exists()


def test_a_sealed_secret_opens_for_its_owner_only(owner: User, stranger: User) -> None:
    """A thief with write access to the database can't give an account a known secret."""
    app = add_app(stranger)
    app.user = owner
    app.save()
    assert totp.use_totp_code(owner, compute_code()) is None
    assert SECRET not in json.dumps(app.data)


def test_a_secret_is_sealed_again_with_the_newest_key(owner: User, settings: Settings) -> None:
    app = add_app(owner)
    settings.MASTER_KEYS = {"new": b"0123456789abcdef0123456789abcdef"} | settings.MASTER_KEYS
    call_command("rotate_keys")
    app.refresh_from_db()
    assert app.data["secret"].startswith("new:")
    assert totp.use_totp_code(owner, compute_code())


def test_allauth_stores_no_secret_itself(owner: User) -> None:
    for wrapper in (totp_auth.TOTP.activate, lambda *_: MFAAdapter().decrypt("x")):
        with pytest.raises(NotImplementedError):
            wrapper(owner, SECRET)


# The pages


def confirm(client: Client, password: str) -> Client:
    assert client.post("/accounts/reauthenticate/", {"password": password}).status_code == 302
    return client


def read_secret(html: str) -> str:
    [secret] = re.findall(r'<code class="secret">([A-Z2-7]+)</code>', html)
    return secret


def test_an_app_is_set_up_shown_and_removed(as_owner: Client, owner: User, password: str) -> None:
    assert as_owner.get(ADD_APP).headers["Location"].startswith("/accounts/reauthenticate/")
    confirm(as_owner, password)
    page = as_owner.get(ADD_APP)
    secret = read_secret(page.content.decode())
    assert "no-store" in page.headers["Cache-Control"]
    assert secret not in json.dumps(dict(as_owner.session.items()))
    wrong = as_owner.post(ADD_APP, {"code": "000000"})
    assert (wrong.status_code, read_secret(wrong.content.decode())) == (422, secret)
    answer = as_owner.post(ADD_APP, {"code": compute_code(secret)})
    codes = re.findall(r"<li><code>([a-z2-9-]+)</code></li>", answer.content.decode())
    assert len(set(codes)) == 10
    stored = json.dumps(list(Authenticator.objects.values_list("data", flat=True)))
    assert secret not in stored
    assert codes[0] not in stored
    html = as_owner.get(INDEX).content.decode() + as_owner.get(NEW_CODES).content.decode()
    assert secret not in html
    assert codes[0] not in html
    as_owner.post(REMOVE_APP)
    assert not Authenticator.objects.exists()
    kinds = AuditEvent.objects.filter(account_id=owner.pk).values_list("kind", flat=True)
    assert list(kinds) == ["authenticator_app.removed", "authenticator_app.added"]
    assert [one.to for one in mail.outbox] == [[owner.email]] * 2


def test_only_the_owner_of_an_address_adds_a_factor_where_mails_are_sent(
    as_owner: Client, owner: User, password: str, settings: Settings
) -> None:
    settings.HAS_MAIL_SERVER = True
    confirm(as_owner, password)
    for path in (ADD_APP, "/accounts/2fa/passkeys/add/"):
        assert as_owner.get(path).headers["Location"] == "/accounts/email/"
        assert as_owner.post(path, {}).headers["Location"] == "/accounts/email/"
    EmailAddress.objects.update_or_create(
        user=owner, email=owner.email, defaults={"verified": True}
    )
    assert as_owner.get(ADD_APP).status_code == 200


def test_a_secret_is_in_no_log_and_no_audit_event(
    as_owner: Client, owner: User, password: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    secret = read_secret(confirm(as_owner, password).get(ADD_APP).content.decode())
    code = compute_code(secret)
    as_owner.post(ADD_APP, {"code": code})
    [recovery, *_] = create_recovery_codes(owner)
    for typed in (code, recovery, "wrong-code-canary"):
        as_owner.post(CONFIRM, {"code": typed})
    told = caplog.text + json.dumps(list(AuditEvent.objects.values()), default=str)
    told += "".join(str(one.body) for one in mail.outbox)
    for hidden in (secret, code, recovery, "wrong-code-canary"):
        assert hidden not in told


def test_a_stolen_session_changes_no_factor(as_owner: Client, owner: User) -> None:
    add_app(owner)
    create_recovery_codes(owner)
    passkey = Authenticator.objects.create(
        user=owner, type=Authenticator.Type.WEBAUTHN, data={"name": "Key", "credential": {}}
    )
    before = list(Authenticator.objects.order_by("pk").values())
    paths = [
        REMOVE_APP,
        NEW_CODES,
        ADD_APP,
        "/accounts/2fa/passkeys/add/",
        f"/accounts/2fa/passkeys/{passkey.pk}/rename/",
        f"/accounts/2fa/passkeys/{passkey.pk}/remove/",
    ]
    for path in paths:
        for answer in (as_owner.get(path), as_owner.post(path, {"name": "Mine", "code": "1"})):
            assert answer.headers["Location"].startswith("/accounts/reauthenticate/"), path
    assert list(Authenticator.objects.order_by("pk").values()) == before


def test_a_code_confirms_the_person_and_makes_a_copied_session_void(
    as_owner: Client, owner: User
) -> None:
    """An account without a password has no other way."""
    owner.set_unusable_password()
    owner.save()
    as_owner = create_signed_in_client(owner)
    add_app(owner)
    thief = Client()
    thief.cookies["sessionid"] = as_owner.cookies["sessionid"].value
    page = as_owner.get(REMOVE_APP, follow=True)
    assert page.redirect_chain[-1][0].startswith(CONFIRM)
    answer = as_owner.post(CONFIRM, {"code": compute_code(), "next": REMOVE_APP})
    assert answer.headers["Location"] == REMOVE_APP
    assert as_owner.get(REMOVE_APP).status_code == 200
    assert thief.get("/settings/keys/").status_code == 302


def test_the_administration_accepts_a_code(administrator: User) -> None:
    administrator.set_unusable_password()
    administrator.save()
    client = create_signed_in_client(administrator)
    page = "/admin/accounts/user/add/"
    assert client.get(page).headers["Location"] == "/accounts/password/reset/"
    add_app(administrator)
    assert client.get(page).headers["Location"].startswith("/accounts/reauthenticate/")
    client.post(CONFIRM, {"code": compute_code()})
    assert client.get(page).status_code == 200


def test_a_deactivated_account_is_not_signed_in_by_a_code(owner: User, password: str) -> None:
    add_app(owner)
    client = enter_password(owner, password)
    owner.is_active = False
    owner.save()
    client.post(STEP, {"code": compute_code()})
    assert not is_signed_in(client)
