"""Administrators deactivate people and end their sessions, and nobody locks everybody out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.models import Session
from django.core import mail
from django.test import Client
from django.utils import timezone

from accounts.api_keys import keys
from accounts.deletion.erasure import LastAdministrator, request_deletion
from accounts.models import AccessToken, ApiKey, AuditEvent, User, UserLimits
from accounts.people.activation import ActivationRefused, require_can_deactivate
from accounts.people.admin import UserAdmin
from accounts.tokens.models import Scope
from accounts.tokens.tokens import create_token
from tests.factories import NO_LIMITS_FORM, create_session_key, create_signed_in_client

USERS = "/admin/accounts/user/"


def run_action(client: Client, action: str, *people: User) -> str:
    form = {"action": action, "_selected_action": [person.pk for person in people]}
    return client.post(USERS, form, follow=True).content.decode()


def list_kinds(person: User) -> list[str]:
    events = AuditEvent.objects.filter(account_id=person.pk).order_by("id")
    return list(events.values_list("kind", flat=True))


def read(person: User) -> User:
    return User.objects.get(pk=person.pk)


@pytest.fixture
def clerk(db: None, password: str) -> User:
    """A member of staff who may change people, and is no superuser."""
    clerk = User.objects.create_user("clerk@holdfast.test", password, is_staff=True)
    names = ["view_user", "change_user", "delete_user"]
    clerk.user_permissions.set(Permission.objects.filter(codename__in=names))
    return clerk


@pytest.fixture
def as_clerk(clerk: User, password: str) -> Client:
    client = create_signed_in_client(clerk)
    client.post("/accounts/reauthenticate/", {"password": password})
    return client


def test_a_deactivated_person_is_signed_out_and_gets_a_mail(
    owner: User, colleague: User, as_administrator: Client
) -> None:
    as_owner, theirs = create_signed_in_client(owner), create_session_key(colleague)
    assert "1 account changed." in run_action(as_administrator, "deactivate_people", owner)
    assert not read(owner).is_active
    assert list_kinds(owner) == ["account.deactivated", "admin.changed"]
    assert [each.subject.split("] ")[-1] for each in mail.outbox] == [
        "Your account was deactivated"
    ]
    assert mail.outbox[0].to == [owner.email]
    assert "1 account changed." in run_action(as_administrator, "activate_people", owner)
    assert read(owner).is_active
    assert list_kinds(owner)[2:] == ["account.reactivated", "admin.changed"]
    # A session from before must not come back to life.
    assert as_owner.get("/settings/keys/").status_code == 302
    assert Session.objects.filter(session_key=theirs).exists()


def test_the_form_deactivates_like_the_action(owner: User, as_administrator: Client) -> None:
    create_session_key(owner)
    as_administrator.post(f"{USERS}{owner.pk}/change/", {"name": "Olive"} | NO_LIMITS_FORM)
    assert not read(owner).is_active
    assert len(mail.outbox) == 1
    assert len(Session.objects.all()) == 1  # the administrator's


def test_nobody_deactivates_themselves(administrator: User, as_administrator: Client) -> None:
    User.objects.create_superuser("second@holdfast.test")
    page = run_action(as_administrator, "deactivate_people", administrator)
    assert "You can’t deactivate your own account." in page
    form = {"is_staff": "on", "is_superuser": "on"} | NO_LIMITS_FORM
    path = f"{USERS}{administrator.pk}/change/"
    page = as_administrator.post(path, form).content.decode()
    assert "You can’t deactivate your own account." in page
    assert read(administrator).is_active


@pytest.mark.parametrize("lost", ["is_superuser", "is_staff"])
def test_the_last_administrator_keeps_the_rights(
    administrator: User, as_administrator: Client, lost: str
) -> None:
    rights = {"is_active": "on", "is_staff": "on", "is_superuser": "on"} | NO_LIMITS_FORM
    form = {name: value for name, value in rights.items() if name != lost}
    path = f"{USERS}{administrator.pk}/change/"
    assert "only active administrator" in as_administrator.post(path, form).content.decode()
    User.objects.create_superuser("second@holdfast.test")
    assert as_administrator.post(path, form).status_code == 302


def test_an_account_that_is_being_deleted_stays_deactivated(
    owner: User, administrator: User, as_administrator: Client
) -> None:
    request_deletion(owner, actor=administrator)
    assert "being deleted" in run_action(as_administrator, "activate_people", owner)
    assert not read(owner).is_active


def test_all_sessions_of_the_selected_people_end(
    owner: User, colleague: User, as_administrator: Client
) -> None:
    as_owner, theirs = create_signed_in_client(owner), create_session_key(colleague)
    as_owner.get("/settings/keys/")
    assert UserSession.objects.filter(user=owner).exists()
    create_session_key(owner)  # from before sessions were recorded
    assert "2 sessions ended." in run_action(as_administrator, "end_sessions_of", owner)
    assert as_owner.get("/settings/keys/").status_code == 302
    assert list(Session.objects.filter(session_key=theirs)) != []
    assert not UserSession.objects.filter(user=owner).exists()
    assert list_kinds(owner) == ["sessions.ended"]
    assert "2 devices were signed out" in mail.outbox[0].body


def test_the_list_shows_what_people_have(
    owner: User, as_owner: Client, as_administrator: Client
) -> None:
    as_owner.get("/settings/keys/")
    keys.save(owner, "openai", "sk-harbour-0123456789-ab12")
    html = as_administrator.get(USERS, {"q": "owner"}).content.decode()
    for name, value in {"open_sessions": 1, "key_count": 1, "unfinished_replies": 0}.items():
        assert f'<td class="field-{name}">{value}</td>' in html
    Session.objects.update(expire_date=timezone.now() + timedelta(days=1))
    Session.objects.filter(pk=as_owner.session.session_key).update(expire_date=timezone.now())
    html = as_administrator.get(USERS, {"q": "owner"}).content.decode()
    assert '<td class="field-open_sessions">0</td>' in html


@pytest.mark.parametrize("action", ["deactivate_people", "end_sessions_of", "remove_factors"])
def test_only_a_superuser_changes_a_superuser(
    administrator: User, owner: User, as_clerk: Client, action: str
) -> None:
    key = create_session_key(administrator)
    page = run_action(as_clerk, action, administrator, owner)
    assert "Only a superuser changes people who have rights." in page
    assert read(administrator).is_active
    assert Session.objects.filter(session_key=key).exists()
    assert read(owner).is_active == (action != "deactivate_people")
    assert as_clerk.get(f"{USERS}{administrator.pk}/password/").status_code == 403
    answer = as_clerk.post(f"{USERS}{administrator.pk}/delete/", {"post": "yes"})
    assert answer.status_code == 403


def test_a_permission_to_change_people_gives_no_rights(clerk: User, as_clerk: Client) -> None:
    form = {"is_active": "on", "is_staff": "on", "is_superuser": "on"} | NO_LIMITS_FORM
    as_clerk.post(f"{USERS}{clerk.pk}/change/", form)
    assert not read(clerk).is_superuser
    clerk.user_permissions.set(Permission.objects.all())
    group = Group.objects.create(name="Crew")
    address = EmailAddress.objects.create(user=clerk, email="clerk@holdfast.test")
    for path in (f"auth/group/{group.pk}", f"account/emailaddress/{address.pk}"):
        assert as_clerk.get(f"/admin/{path}/change/").status_code == 200  # to read
        for verb in ("change", "delete"):
            assert as_clerk.post(f"/admin/{path}/{verb}/", {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("action", ["deactivate_people", "activate_people", "end_sessions_of"])
def test_actions_need_the_permission_and_a_recent_password(
    clerk: User, owner: User, administrator: User, action: str
) -> None:
    key = create_session_key(owner)
    form = {"action": action, "_selected_action": [owner.pk]}
    answer = create_signed_in_client(administrator).post(USERS, form)
    assert "/accounts/reauthenticate/" in answer.headers["Location"]
    clerk.user_permissions.set(Permission.objects.filter(codename="view_user"))
    create_signed_in_client(clerk).post(USERS, form)
    assert read(owner).is_active
    assert Session.objects.filter(session_key=key).exists()


def test_every_action_of_the_admin_names_its_permission() -> None:
    without = [
        (model_admin, name)
        for model_admin in admin.site._registry.values()
        for name in model_admin.actions or ()
        if not getattr(getattr(model_admin, str(name)), "allowed_permissions", None)
    ]
    assert without == []


def build_limits_form(limits: UserLimits | None = None, **values: Any) -> dict[str, Any]:
    """The form of a person with one row of limits."""
    form: dict[str, Any] = {"is_active": "on", "limits-TOTAL_FORMS": "1"}
    form |= {"limits-INITIAL_FORMS": "1" if limits else "0"}
    if limits:
        form |= {"limits-0-id": limits.pk, "limits-0-user": limits.user_id}
    return form | {f"limits-0-{name}": value for name, value in values.items()}


def test_limits_are_edited_on_the_page_of_the_person(owner: User, as_administrator: Client) -> None:
    path = f"{USERS}{owner.pk}/change/"
    assert as_administrator.post(path, build_limits_form(chars_per_day="0")).status_code == 302
    limits = UserLimits.objects.get(user=owner)
    assert (limits.chars_per_day, limits.messages_per_minute) == (0, None)
    event = AuditEvent.objects.get(kind="account.limits_changed")
    assert (event.account_id, event.facts) == (owner.pk, {"fields": "chars_per_day"})
    page = as_administrator.post(path, build_limits_form(limits, stored_chars="-1"))
    assert page.status_code == 200
    form = build_limits_form(limits, messages_per_minute="5")
    assert as_administrator.post(path, form).status_code == 302
    limits.refresh_from_db()
    assert (limits.chars_per_day, limits.messages_per_minute) == (None, 5)
    as_administrator.post(path, build_limits_form(limits, DELETE="on"))
    assert not UserLimits.objects.exists()
    assert AuditEvent.objects.filter(kind="account.limits_changed").count() == 3


def test_a_clerk_touches_nobody_who_has_rights(owner: User, clerk: User, as_clerk: Client) -> None:
    """Otherwise a new password would sign in as the colleague and use these rights."""
    right = Permission.objects.get(codename="add_contentgrant")
    group = Group.objects.create(name="Crew")
    form = {"password1": "a sentence of a clerk", "password2": "a sentence of a clerk"}
    path = f"{USERS}{owner.pk}/password/"
    for give, take in (
        (lambda: owner.user_permissions.add(right), owner.user_permissions.clear),
        (lambda: owner.groups.add(group), owner.groups.clear),
        (lambda: User.objects.filter(pk=owner.pk).update(is_staff=True), None),
    ):
        give()
        assert as_clerk.post(path, form).status_code == 403
        run_action(as_clerk, "deactivate_people", owner)
        assert read(owner).is_active
        if take:
            take()
    User.objects.filter(pk=owner.pk).update(is_staff=False)
    assert as_clerk.post(path, form).status_code == 302


def test_a_session_from_while_an_account_was_deactivated_ends_when_it_is_activated(
    owner: User, as_administrator: Client
) -> None:
    run_action(as_administrator, "deactivate_people", owner)
    late = create_signed_in_client(owner)  # its sign-in was under way
    run_action(as_administrator, "activate_people", owner)
    assert late.get("/settings/keys/").status_code == 302


def test_a_superuser_who_is_no_staff_does_not_count_as_the_other_administrator(
    administrator: User, as_administrator: Client
) -> None:
    User.objects.create_user("other@holdfast.test", is_superuser=True)
    with pytest.raises(LastAdministrator):
        request_deletion(administrator, actor=administrator)
    path = f"{USERS}{administrator.pk}/change/"
    for lost in ("is_superuser", "is_staff"):
        form = {"is_active": "on", "is_staff": "on", "is_superuser": "on"} | NO_LIMITS_FORM
        del form[lost]
        assert "only active administrator" in as_administrator.post(path, form).content.decode()
    second = User.objects.create_user("second@holdfast.test", is_superuser=True)
    with pytest.raises(ActivationRefused):
        require_can_deactivate(administrator, second)


def test_a_new_person_does_not_get_the_confirmed_address_of_another(
    owner: User, as_administrator: Client
) -> None:
    EmailAddress.objects.create(user=owner, email="second@holdfast.test", verified=True)
    words = "a long sentence of mine"
    form = {"usable_password": "true", "password1": words, "password2": words}
    page = as_administrator.post(f"{USERS}add/", form | {"email": "Second@holdfast.test"})
    assert "already an account" in page.content.decode()
    assert not User.objects.filter(email="second@holdfast.test").exists()
    as_administrator.post(f"{USERS}add/", form | {"email": "third@holdfast.test"})
    assert User.objects.filter(email="third@holdfast.test").exists()


def test_a_form_of_a_person_does_not_undo_a_change_from_before_its_lock(
    owner: User, as_administrator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = UserAdmin.has_change_permission

    def change_first(self: Any, request: Any, obj: User | None = None) -> bool:
        """Somebody changes the row after it was read for the first time."""
        if obj is not None and request.method == "POST":
            monkeypatch.setattr(UserAdmin, "has_change_permission", real)
            User.objects.filter(pk=owner.pk).update(password="!newer", revision=77)
        return real(self, request, obj)

    monkeypatch.setattr(UserAdmin, "has_change_permission", change_first)
    form = {"name": "Renamed", "is_active": "on"} | NO_LIMITS_FORM
    assert as_administrator.post(f"{USERS}{owner.pk}/change/", form).status_code == 302
    after = read(owner)
    assert (after.name, after.password, after.revision) == ("Renamed", "!newer", 77)


def make_key(user: User) -> ApiKey:
    return keys.save(user, "openai", "sk-harbour-0123456789-ab12")


def make_token(user: User) -> AccessToken:
    return create_token(user, "Program", [Scope.READ], None)[0]


def make_link(user: User) -> SocialAccount:
    return SocialAccount.objects.create(user=user, provider="work", uid=f"id of {user.pk}")


@pytest.mark.parametrize("make", [make_key, make_token, make_link])
def test_a_clerk_takes_nothing_from_people_who_have_rights(
    owner: User,
    administrator: User,
    clerk: User,
    as_clerk: Client,
    as_administrator: Client,
    make: Callable[[User], Any],
) -> None:
    """Without the linked account, the administrator may have no way to sign in."""
    theirs, ordinary = make(administrator), make(owner)
    meta = theirs._meta
    clerk.user_permissions.add(
        *Permission.objects.filter(
            content_type__app_label=meta.app_label,
            codename__in=[f"view_{meta.model_name}", f"delete_{meta.model_name}"],
        )
    )
    base = f"/admin/{meta.app_label}/{meta.model_name}/"
    for path in (f"{base}{theirs.pk}/delete/", f"{base}{ordinary.pk}/delete/"):
        as_clerk.post(path, {"post": "yes"})
    delete = {"action": "delete_selected", "_selected_action": str(theirs.pk), "post": "yes"}
    as_clerk.post(base, delete)
    assert [row.pk for row in type(theirs).objects.all()] == [theirs.pk]
    as_administrator.post(base, delete)
    assert not type(theirs).objects.exists()


@pytest.mark.parametrize("is_action", [False, True])
def test_an_unlinked_account_is_reported_to_its_owner(
    owner: User, as_administrator: Client, is_action: bool
) -> None:
    linked = make_link(owner)
    base = "/admin/socialaccount/socialaccount/"
    delete = {"action": "delete_selected", "_selected_action": str(linked.pk), "post": "yes"}
    as_administrator.post(base if is_action else f"{base}{linked.pk}/delete/", delete)
    assert AuditEvent.objects.filter(account_id=owner.pk, kind="account.unlinked").exists()
    assert [message.to for message in mail.outbox] == [[owner.email]]
    assert "unlinked" in mail.outbox[0].body
