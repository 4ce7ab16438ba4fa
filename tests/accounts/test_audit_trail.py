"""Changes of accounts leave an event, in the pages and in the admin, without what they contain."""

from __future__ import annotations

import csv
import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.admin_site import AuditedAdminMixin
from accounts.audit.events import purge_events, record_event
from accounts.audit.export import make_cell
from accounts.audit.kinds import KEY_SAVED
from accounts.deletion import erasure
from accounts.models import AccountDeletion, AuditEvent, User
from tests.factories import NO_LIMITS_FORM, create_signed_in_client

USERS = "/admin/accounts/user/"
EVENTS = "/admin/accounts/auditevent/"
NEW_PASSWORD = "stipe-and-frond-8"


def list_kinds(user: User) -> list[str]:
    events = AuditEvent.objects.filter(account_id=user.pk).order_by("id")
    return list(events.values_list("kind", flat=True))


def test_signing_in_and_out_is_recorded(owner: User, client: Client, password: str) -> None:
    client.post("/accounts/login/", {"login": owner.email, "password": password})
    client.post("/accounts/logout/")
    assert list_kinds(owner) == ["account.signed_in", "account.signed_out"]
    assert AuditEvent.objects.first().ip == "127.0.0.1"  # type: ignore[union-attr]


def test_a_failed_sign_in_writes_nothing(owner: User, client: Client) -> None:
    client.post("/accounts/login/", {"login": owner.email, "password": "wrong"})
    assert not AuditEvent.objects.exists()


def test_changes_of_password_and_addresses_are_recorded(
    owner: User, as_owner: Client, password: str
) -> None:
    as_owner.post("/accounts/reauthenticate/", {"password": password})
    as_owner.post("/accounts/email/", {"action_add": "", "email": "new@holdfast.test"})
    as_owner.post("/accounts/email/", {"action_remove": "", "email": "new@holdfast.test"})
    form = {"oldpassword": password, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    as_owner.post("/accounts/password/change/", form)
    assert {"address.added", "address.removed", "password.changed"} <= set(list_kinds(owner))
    assert "new@" not in str(list(AuditEvent.objects.values_list("facts", flat=True)))


def test_a_setting_that_does_not_change_is_not_recorded(owner: User, as_owner: Client) -> None:
    as_owner.post("/settings/replies/", {})
    assert list_kinds(owner) == []
    as_owner.post("/settings/replies/", {"background_replies": "on"})
    assert list_kinds(owner) == ["account.settings_changed"]


def build_user_form(user: User, **fields: Any) -> dict[str, Any]:
    form = {"name": user.name, "is_active": "on"} | NO_LIMITS_FORM | fields
    return {name: value for name, value in form.items() if value}


def test_the_admin_records_activation_rights_and_fields(
    owner: User, administrator: User, as_administrator: Client
) -> None:
    path = f"{USERS}{owner.pk}/change/"
    AuditEvent.objects.all().delete()
    as_administrator.post(path, build_user_form(owner, is_staff="on"))
    as_administrator.post(path, build_user_form(owner, is_staff="on", is_active=""))
    as_administrator.post(path, build_user_form(owner, is_staff="on"))
    as_administrator.post(path, build_user_form(owner, is_staff="on", name="Secret Name"))
    assert list_kinds(owner) == [
        *("account.rights_changed", "admin.changed"),
        *("account.deactivated", "admin.changed"),
        *("account.reactivated", "admin.changed"),
        "admin.changed",
    ]
    event = AuditEvent.objects.order_by("id").last()
    assert event is not None
    assert event.actor_id == administrator.pk
    assert event.facts == {"model": "accounts.user", "object": str(owner.pk), "fields": "Name"}


def test_the_log_of_the_admin_holds_no_words_of_a_row(
    owner: User, administrator: User, as_administrator: Client
) -> None:
    address = EmailAddress.objects.create(user=owner, email="second@holdfast.test")
    path = f"/admin/account/emailaddress/{address.pk}/"
    form = {"user": owner.pk, "email": "third@holdfast.test", "verified": "on"}
    as_administrator.post(f"{path}change/", form)
    as_administrator.post(f"{path}delete/", {"post": "yes"})
    as_administrator.post("/admin/auth/group/add/", {"name": "Secret Society"})
    logged = str(list(LogEntry.objects.values_list("object_repr", "change_message")))
    for text in ("holdfast.test", "Olive", "Secret"):
        assert text not in logged
    assert f"email address {address.pk}" in logged
    assert "admin.deleted" in list_kinds(owner)


def test_every_model_of_the_admin_is_audited() -> None:
    for admin_of_model in admin.site._registry.values():
        assert isinstance(admin_of_model, AuditedAdminMixin)


def test_an_administrator_deletes_an_account_as_its_owner_would(
    owner: User, as_administrator: Client
) -> None:
    path = f"{USERS}{owner.pk}/delete/"
    assert "owner@holdfast.test, with all chats" in as_administrator.get(path).content.decode()
    answer = as_administrator.post(path, {"post": "yes"}, follow=True)
    assert "is deleted within a few minutes" in answer.content.decode()
    assert AccountDeletion.objects.filter(user=owner).exists()
    as_administrator.post(f"{USERS}{owner.pk}/change/", build_user_form(owner))
    owner.refresh_from_db()
    assert not owner.is_active
    erasure.erase_accounts()
    assert not User.objects.filter(pk=owner.pk).exists()
    assert not LogEntry.objects.filter(object_id=str(owner.pk)).exists()


def test_the_admin_does_not_delete_the_last_administrator(
    owner: User, administrator: User, as_administrator: Client
) -> None:
    path = f"{USERS}{administrator.pk}/delete/"
    for answer in (as_administrator.get(path), as_administrator.post(path, {"post": "yes"})):
        assert "Make somebody else an administrator first" in answer.content.decode()
    selected = {"action": "delete_selected", "_selected_action": [administrator.pk, owner.pk]}
    as_administrator.post(USERS, selected | {"post": "yes"})
    assert not AccountDeletion.objects.exists()


def test_the_list_of_events_filters_and_can_not_be_changed(
    owner: User, colleague: User, as_administrator: Client
) -> None:
    record_event(KEY_SAVED, owner, provider="openai")
    record_event(KEY_SAVED, colleague, provider="anthropic")
    html = as_administrator.get(EVENTS, {"q": str(owner.pk)}).content.decode()
    assert "openai" in html
    assert "anthropic" not in html
    assert "openai" not in as_administrator.get(EVENTS, {"kind": "key.removed"}).content.decode()
    for odd in ("x", "9" * 40, "1.5", "\0"):
        assert as_administrator.get(EVENTS, {"q": odd}).status_code in {200, 302, 400}
    event = AuditEvent.objects.first()
    assert event is not None
    assert as_administrator.post(f"{EVENTS}{event.pk}/delete/", {"post": "yes"}).status_code == 403
    assert as_administrator.get(f"{EVENTS}add/").status_code == 403


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_an_administrator_exports_events(
    owner: User, as_administrator: Client, format: str
) -> None:
    record_event(KEY_SAVED, owner, provider="=HYPERLINK(1)")
    answer = as_administrator.post(f"{EVENTS}export/", {"format": format})
    assert f"audit.{format}" in answer["Content-Disposition"]
    text = answer.content.decode()
    assert "key.saved" in text
    if format == "csv":
        assert len({len(row) for row in csv.reader(StringIO(text))}) == 1
    else:
        assert json.loads(text.splitlines()[0])["account"] == owner.pk
    assert AuditEvent.objects.filter(kind="audit.exported").exists()


def test_only_staff_with_the_permission_exports_events(owner: User) -> None:
    client = create_signed_in_client(owner)
    assert client.post(f"{EVENTS}export/", {"format": "csv"}).status_code in {302, 403}
    User.objects.filter(pk=owner.pk).update(is_staff=True)
    assert client.post(f"{EVENTS}export/", {"format": "csv"}).status_code == 403


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_of_the_table_is_a_formula(text: str) -> None:
    assert make_cell(text) == f"'{text}"
    assert make_cell("key.saved") == "key.saved"


def test_the_command_exports_a_period(owner: User) -> None:
    for day in ("2026-01-01", "2026-01-02", "2026-01-03"):
        AuditEvent.objects.create(kind=f"on.{day}", created_at=f"{day}T12:00:00Z")
    out = StringIO()
    call_command("export_audit", since="2026-01-02", until="2026-01-03", stdout=out)
    assert [json.loads(line)["kind"] for line in out.getvalue().splitlines()] == ["on.2026-01-02"]
    with pytest.raises(CommandError):
        call_command("export_audit", since="yesterday")


def test_old_events_are_deleted_in_batches(
    owner: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accounts.audit.events.EVENTS_PER_BATCH", 2)
    settings.AUDIT_DAYS = 30
    for age in (*range(31, 36), 29):
        at = timezone.now() - timedelta(days=age)
        AuditEvent.objects.create(kind=f"{age}", created_at=at)
    purge_events()
    assert list(AuditEvent.objects.values_list("kind", flat=True)) == ["29"]
