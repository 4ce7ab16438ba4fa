"""The admin shows as much of a key as its owner sees, and accepts none."""

import pytest
from django.contrib import admin
from django.test import Client

from accounts.api_keys import keys
from accounts.models import ApiKey, User
from tests.factories import NO_LIMITS_FORM, create_signed_in_client

SECRET = "sk-harbour-0123456789-ab12"
KEYS = "/admin/accounts/apikey/"
USERS = "/admin/accounts/user/"


@pytest.fixture
def key(owner: User) -> ApiKey:
    return keys.save(owner, "openai", SECRET)


def test_the_lists_show_people_and_keys(as_administrator: Client, key: ApiKey) -> None:
    html = as_administrator.get(KEYS, {"q": "owner"}).content.decode()
    assert "owner@holdfast.test" in html
    assert "…ab12" in html
    assert "owner@holdfast.test" in as_administrator.get(USERS, {"q": "Olive"}).content.decode()


def test_no_admin_page_shows_a_sealed_value(as_administrator: Client, key: ApiKey) -> None:
    pages = [KEYS, f"{KEYS}{key.pk}/change/", f"{KEYS}{key.pk}/delete/", f"{KEYS}{key.pk}/history/"]
    for path in [*pages, f"{USERS}{key.user_id}/change/", f"{USERS}{key.user_id}/delete/"]:
        answer = as_administrator.get(path)
        assert answer.status_code == 200
        assert "sealed" not in answer.content.decode().lower()
        assert bytes(key.sealed).hex() not in answer.content.decode()


def test_a_key_cannot_be_added_or_changed_in_the_admin(
    as_administrator: Client, key: ApiKey
) -> None:
    assert as_administrator.get(f"{KEYS}add/").status_code == 403
    assert as_administrator.post(f"{KEYS}add/", {"sealed": "x"}).status_code == 403
    form = {"provider": "openai", "last_four": "0000", "sealed": "x"}
    assert as_administrator.post(f"{KEYS}{key.pk}/change/", form).status_code == 403
    assert "<input" not in get_fieldset(as_administrator.get(f"{KEYS}{key.pk}/change/"))
    assert keys.decrypt_for_call(key.user, "openai") == SECRET


def get_fieldset(answer: object) -> str:
    html = answer.content.decode()  # type: ignore[attr-defined]
    return html.split("<fieldset")[1].split("</fieldset>")[0]


def test_a_key_can_be_removed_in_the_admin(as_administrator: Client, key: ApiKey) -> None:
    as_administrator.post(f"{KEYS}{key.pk}/delete/", {"post": "yes"})
    assert not ApiKey.objects.exists()


def test_an_account_is_created_with_address_and_password(as_administrator: Client) -> None:
    form = {"email": "New@Holdfast.test", "usable_password": "true"}
    form |= {"password1": "stipe-and-frond-8", "password2": "stipe-and-frond-8"}
    assert as_administrator.post(f"{USERS}add/", form).status_code == 302
    assert User.objects.get(email="new@holdfast.test").check_password("stipe-and-frond-8")


def test_a_taken_address_is_refused_with_a_message(as_administrator: Client, owner: User) -> None:
    form = {"email": "OWNER@holdfast.test", "usable_password": "true"}
    form |= {"password1": "stipe-and-frond-8", "password2": "stipe-and-frond-8"}
    answer = as_administrator.post(f"{USERS}add/", form)
    assert "There is already an account with this address." in answer.content.decode()


def test_a_deactivated_account_keeps_its_address(as_administrator: Client, owner: User) -> None:
    form = {"name": "Olive", "email": "other@holdfast.test"} | NO_LIMITS_FORM
    answer = as_administrator.post(f"{USERS}{owner.pk}/change/", form)
    assert answer.status_code == 302
    owner.refresh_from_db()
    assert (owner.is_active, owner.email) == (False, "owner@holdfast.test")


def test_only_administrators_can_open_the_admin(as_owner: Client, client: Client) -> None:
    assert as_owner.get("/admin/login/").status_code == 403
    assert as_owner.get(KEYS, follow=True).status_code == 403
    answer = client.get(KEYS, follow=True)
    assert answer.redirect_chain[-1][0] == f"/accounts/login/?next={KEYS.replace('/', '%2F')}"


def test_each_change_asks_for_the_password_and_lists_do_not(administrator: User) -> None:
    client = create_signed_in_client(administrator)
    for model in admin.site._registry:
        path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        assert client.get(path).status_code == 200, path
        form = {"action": "stop_streams"}
        for answer in (client.post(path, form), client.get(f"{path}1/delete/")):
            assert "/reauthenticate/" in answer.headers.get("Location", ""), path


def test_a_key_is_not_removed_without_the_password(administrator: User, key: ApiKey) -> None:
    client = create_signed_in_client(administrator)
    client.post(f"{KEYS}{key.pk}/delete/", {"post": "yes"})
    selected = {"action": "delete_selected", "_selected_action": key.pk, "post": "yes"}
    client.post(KEYS, selected)
    assert client.get(f"{KEYS}{key.pk}/change/").status_code == 200
    assert ApiKey.objects.exists()
