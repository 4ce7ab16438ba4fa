"""`manage.py rotate_keys` re-seals all secrets while people use the installation."""

import base64
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import generate_totp_secret
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import Q
from pytest_django import Settings

from accounts.api_keys import keys
from accounts.connections.sealing import open_key
from accounts.factors import totp
from accounts.models import ApiKey, AuditEvent, User
from accounts.rotation import resealing
from accounts.rotation.registry import (
    SealedText,
    list_sealed_values,
    register_sealed,
)
from accounts.sealing import SealedSecret, open_sealed, seal_secret
from chat.webhooks.actions import create_webhook, open_secret
from tests.accounts.connections import create_connection
from tests.factories import run_at_once

SECRET = "sk-harbour-0123456789-ab12"
OLD, NEW = os.urandom(32), os.urandom(32)


@pytest.fixture
def old_key(owner: User, settings: Settings) -> ApiKey:
    """A key that an old master key seals. Now there is a newer one."""
    settings.MASTER_KEYS = {"old": OLD}
    key = keys.save(owner, "openai", SECRET)
    settings.MASTER_KEYS = {"new": NEW, "old": OLD}
    return key


def rotate() -> str:
    out = StringIO()
    call_command("rotate_keys", stdout=out)
    return out.getvalue()


def test_a_key_is_sealed_again_with_the_newest_master_key(
    old_key: ApiKey, owner: User, settings: Settings
) -> None:
    said = rotate()
    assert "API keys: 1 re-sealed, 0 had the newest master key already, 0 can't be opened." in said
    assert "No value needs the master key “old”" in said
    settings.MASTER_KEYS = {"new": NEW}
    assert keys.decrypt_for_call(owner, "openai") == SECRET


def test_a_rotation_changes_nothing_else_of_a_key(old_key: ApiKey) -> None:
    before = dict(ApiKey.objects.values().get()).items()
    rotate()
    after = dict(ApiKey.objects.values().get())
    assert after["master_key_id"] == "new"
    assert {name for name, value in before if after[name] != value} == {"sealed", "master_key_id"}


def test_a_second_rotation_changes_nothing(old_key: ApiKey) -> None:
    rotate()
    before = ApiKey.objects.values().get()
    assert "0 re-sealed, 1 had the newest master key already" in rotate()
    assert ApiKey.objects.values().get() == before
    assert AuditEvent.objects.filter(kind="keys.rotated").count() == 1


def test_a_key_that_can_not_be_opened_is_named_and_ends_in_an_error(
    old_key: ApiKey, colleague: User, settings: Settings
) -> None:
    keys.save(colleague, "openai", SECRET)
    settings.MASTER_KEYS = {"new": NEW}
    out = StringIO()
    with pytest.raises(CommandError, match=r"1 values can't be opened.*\(old\)"):
        call_command("rotate_keys", stdout=out)
    assert f"Row {old_key.pk}: its master key “old” is missing" in out.getvalue()
    assert "1 had the newest master key already" in out.getvalue()
    assert SECRET not in out.getvalue()


def test_a_moved_row_does_not_stop_the_others(old_key: ApiKey, colleague: User) -> None:
    moved = ApiKey.objects.get()
    moved.pk, moved.user = None, colleague
    moved.save(force_insert=True)
    out = StringIO()
    with pytest.raises(CommandError, match="enter these values again"):
        call_command("rotate_keys", stdout=out)
    assert f"Row {moved.pk}: the row was moved or changed." in out.getvalue()
    assert ApiKey.objects.get(pk=old_key.pk).master_key_id == "new"
    assert "Keep the master key “old”: it seals 1 values." in out.getvalue()


def test_a_key_that_was_removed_meanwhile_is_left_out(
    old_key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    (value,) = (one for one in list_sealed_values() if one.model is ApiKey)
    ids = list(resealing._list_ids(value))
    ApiKey.objects.all().delete()
    monkeypatch.setattr(resealing, "_list_ids", lambda value: iter(ids))
    assert "API keys: 0 re-sealed" in rotate()


@pytest.mark.usefixtures("commit_for_real")
def test_keys_that_are_saved_during_a_rotation_are_never_lost(
    owner: User, settings: Settings
) -> None:
    """Each thread's last key is there afterwards, and the newest master key seals it."""
    people = [User.objects.create_user(f"p{n}@holdfast.test") for n in range(4)]
    settings.MASTER_KEYS = {"old": OLD}
    for person in people:
        keys.save(person, "openai", f"{SECRET}-first")
    settings.MASTER_KEYS = {"new": NEW, "old": OLD}

    def save_often(person: User) -> None:
        for number in range(10):
            keys.save(person, "openai", f"{SECRET}-{number}")

    def rotate_often() -> None:
        for _ in range(5):
            rotate()

    results = run_at_once(rotate_often, *(lambda p=p: save_often(p) for p in people[:3]))
    assert results == [None] * 4
    settings.MASTER_KEYS = {"new": NEW}
    found = [keys.decrypt_for_call(person, "openai") for person in people]
    assert found == [f"{SECRET}-9"] * 3 + [f"{SECRET}-first"]


def create_people_with_keys(settings: Settings) -> list[User]:
    """Their keys are sealed by the old master key."""
    people = [User.objects.create_user(f"p{n}@holdfast.test") for n in range(5)]
    settings.MASTER_KEYS = {"old": OLD}
    for person in people:
        keys.save(person, "openai", f"{SECRET}-{person.pk}")
    return people


KILLED_ROTATION = """
import os, signal
from django.core.management import call_command
from accounts.rotation import resealing
seal, calls = resealing.seal_secret, []
def seal_and_die(*args):
    calls.append(args)
    if len(calls) == {number}:
        os.kill(os.getpid(), signal.SIGKILL)
    return seal(*args)
resealing.seal_secret = seal_and_die
call_command("rotate_keys")
"""


@pytest.mark.usefixtures("commit_for_real")
def test_a_rotation_that_was_killed_is_completed_by_another(
    owner: User, settings: Settings
) -> None:
    """It is killed in the transaction of the third row: two rows are re-sealed, none is lost."""
    if connection.vendor == "sqlite":
        pytest.skip("The tests' own database is in memory, where no other process reaches it.")
    people = create_people_with_keys(settings)
    entries = {"new": NEW, "old": OLD}
    killed = run_in_process(KILLED_ROTATION.format(number=3), entries)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    counts = ApiKey.objects.values_list("master_key_id", flat=True)
    assert sorted(counts) == ["new"] * 2 + ["old"] * 3
    settings.MASTER_KEYS = entries
    assert "3 re-sealed, 2 had the newest" in rotate()
    settings.MASTER_KEYS = {"new": NEW}
    found = {keys.decrypt_for_call(person, "openai") for person in people}
    assert found == {f"{SECRET}-{person.pk}" for person in people}


INTERRUPTED_ROTATION = """
import os, signal, threading
from django.core.management import call_command
from django.db import connection
from accounts.rotation import resealing

seal, calls = resealing.seal_secret, []
def seal_in_a_long_query(*args):
    calls.append(args)
    if len(calls) == 3:
        threading.Timer(0.3, os.kill, [os.getpid(), signal.{name}]).start()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(1)")
    return seal(*args)
resealing.seal_secret = seal_in_a_long_query
call_command("rotate_keys")
"""


@pytest.mark.usefixtures("commit_for_real")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_rotation_that_is_interrupted_in_a_query_is_recorded(
    name: str, owner: User, settings: Settings
) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("The tests' own database is in memory, where no other process reaches it.")
    create_people_with_keys(settings)
    entries = {"new": NEW, "old": OLD}
    interrupted = run_in_process(INTERRUPTED_ROTATION.format(name=name), entries)
    assert interrupted.returncode == 1
    assert "Run it again to complete it." in interrupted.stderr
    assert AuditEvent.objects.get(kind="keys.rotated").facts["resealed"] == 3
    settings.MASTER_KEYS = entries
    assert "2 re-sealed, 3 had the newest" in rotate()


@pytest.mark.usefixtures("commit_for_real")
def test_each_kind_of_value_survives_interruptions_and_the_trail_counts_them_all(
    owner: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C at each value; the last run completes the work."""
    settings.MASTER_KEYS = {"old": OLD}
    keys.save(owner, "openai", SECRET)
    webhook, signing_secret = create_webhook(owner, "https://example.org/tide")
    connection = create_connection("openai", owner)
    secret = generate_totp_secret()
    data = totp.build_data(owner.pk, secret, last_counter=7)
    app = Authenticator.objects.create(user=owner, type=Authenticator.Type.TOTP, data=data)
    settings.MASTER_KEYS = {"new": NEW, "old": OLD}
    shared = open_key(connection).reveal()

    def seal_and_interrupt(*args: Any) -> SealedSecret:
        monkeypatch.setattr(resealing, "open_sealed", interrupt)
        return seal_secret(*args)

    def interrupt(*args: Any) -> str:
        if args[0].master_key_id == "new":
            return open_sealed(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(resealing, "seal_secret", seal_and_interrupt)
    runs = 0
    while True:
        monkeypatch.setattr(resealing, "open_sealed", open_sealed)
        runs += 1
        try:
            rotate()
        except KeyboardInterrupt:
            continue
        break
    assert runs == len(list_sealed_values()) == 4
    events = AuditEvent.objects.filter(kind="keys.rotated")
    assert sum(event.facts["resealed"] for event in events) == 4
    settings.MASTER_KEYS = {"new": NEW}
    app.refresh_from_db()
    webhook.refresh_from_db()
    connection.refresh_from_db()
    assert keys.decrypt_for_call(owner, "openai") == SECRET
    assert open_secret(webhook) == signing_secret
    assert open_key(connection).reveal() == shared
    assert totp.open_totp_secret(app) == secret
    assert app.data["last_counter"] == 7


def run_in_process(code: str, entries: dict[str, bytes]) -> subprocess.CompletedProcess[str]:
    options = connection.settings_dict
    url = f"postgresql://{options['USER']}:{options['PASSWORD']}@"
    url += f"{options['HOST'] or 'localhost'}:{options['PORT']}/{options['NAME']}"
    master_keys = ",".join(f"{id}:{base64.b64encode(k).decode()}" for id, k in entries.items())
    environment = os.environ | {"DATABASE_URL": url, "MASTER_KEYS": master_keys}
    command = [sys.executable, "manage.py", "shell", "-v0", "-c", code]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


# Other parts' values


@pytest.fixture
def sealed_name() -> Iterator[SealedText]:
    """For this test the names of people are sealed, as a text in a column."""
    field = SealedText("name")
    register_sealed("Names", User, field, lambda user: ("name", user.pk), ~Q(name=""))
    yield field
    from accounts.rotation import registry

    registry._values[:] = [value for value in registry._values if value.field is not field]


def test_a_registered_text_is_sealed_again(
    owner: User, sealed_name: SealedText, settings: Settings
) -> None:
    settings.MASTER_KEYS = {"old": OLD}
    owner.name = seal_secret(SECRET, "name", owner.pk).to_text()
    owner.save()
    settings.MASTER_KEYS = {"new": NEW, "old": OLD}
    assert "Names: 1 re-sealed" in rotate()
    settings.MASTER_KEYS = {"new": NEW}
    owner.refresh_from_db()
    assert open_sealed(SealedSecret.from_text(owner.name), "name", owner.pk) == SECRET


def test_a_text_that_is_not_sealed_is_reported(owner: User, sealed_name: SealedText) -> None:
    with pytest.raises(CommandError, match="1 values can't be opened"):
        rotate()
    owner.refresh_from_db()
    assert owner.name == "Olive Owner"


def test_an_entry_of_a_json_column_is_read_and_written_alone() -> None:
    class Row:
        data = {"seed": seal_secret(SECRET, "seed").to_text(), "used_mask": 3}

    field, row = SealedText("data", "seed"), Row()
    sealed = seal_secret("other", "seed")
    field.write(row, sealed)
    assert field.read(row) == sealed
    assert row.data["used_mask"] == 3


def test_a_kind_of_value_is_registered_once(sealed_name: SealedText) -> None:
    with pytest.raises(ValueError, match="twice"):
        register_sealed("Other names", User, sealed_name, lambda user: ("name", user.pk))


def test_api_keys_are_registered() -> None:
    assert ApiKey in {value.model for value in list_sealed_values()}
