"""A stolen session cannot take over the account, and its owner gets a mail about every change."""

import pytest
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from django.core import mail
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from tests.factories import sign_in

EMAIL = "/accounts/email/"
LOGIN = "/accounts/login/"
RESET = "/accounts/password/reset/"
REAUTHENTICATE = "/accounts/reauthenticate/"
NEW_PASSWORD = "stipe-and-frond-8"
THIEF = "attacker@example.org"
USERS = "/admin/accounts/user/"


def steal_session(client: Client) -> Client:
    """Return another client with the session of this one, and nothing else."""
    thief = Client(REMOTE_ADDR="198.51.100.7")
    thief.cookies["sessionid"] = client.cookies["sessionid"].value
    return thief


def confirm_password(client: Client, password: str) -> Client:
    """Return the client after the password was confirmed."""
    assert client.post(REAUTHENTICATE, {"password": password}).status_code == 302
    return client


def find_links_in_mails(part: str) -> list[str]:
    return [part for mail_ in mail.outbox for part in mail_.body.split() if part in part]


def list_recipients() -> list[str]:
    return [address for mail_ in mail.outbox for address in mail_.to]


def test_a_session_alone_cannot_take_over_the_account(
    as_owner: Client, owner: User, password: str
) -> None:
    """Add an address of the thief, send a link for a new password to it, use the link, remove the
    owner's address."""
    thief = steal_session(as_owner)
    thief.post(EMAIL, {"email": THIEF, "action_add": ""})
    EmailAddress.objects.get_or_create(
        user=owner, email=THIEF
    )  # as in versions that asked for no password
    thief.post(RESET, {"email": THIEF})
    assert find_links_in_mails("/password/reset/key/") == []
    for action in ["action_send", "action_primary", "action_remove"]:
        thief.post(EMAIL, {"email": THIEF, action: ""})
        thief.post(EMAIL, {"email": owner.email, action: ""})
    form = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "oldpassword": ""}
    for page in ["/accounts/password/change/", "/accounts/password/set/"]:
        thief.post(page, form)
    thief.post(REAUTHENTICATE, {"password": "", "next": EMAIL})
    owner.refresh_from_db()
    assert owner.email == "owner@holdfast.test"
    assert EmailAddress.objects.filter(user=owner, email=owner.email, primary=True).exists()
    assert owner.check_password(password)
    assert THIEF not in list_recipients()


def test_a_thiefs_form_is_not_executed_when_the_owner_types_the_password(
    as_owner: Client, owner: User, password: str
) -> None:
    steal_session(as_owner).post(EMAIL, {"email": THIEF, "action_add": ""})
    as_owner.post(REAUTHENTICATE, {"password": password, "next": EMAIL}, follow=True)
    assert not EmailAddress.objects.filter(email=THIEF).exists()


def test_a_copied_session_ends_when_the_owner_types_the_password(
    as_owner: Client, password: str
) -> None:
    thief = steal_session(as_owner)
    assert thief.get("/settings/keys/").status_code == 200
    confirm_password(as_owner, password)
    assert as_owner.get("/settings/keys/").status_code == 200
    assert thief.get("/settings/keys/").status_code == 302


def test_a_form_keeps_its_input_after_the_password(as_owner: Client, password: str) -> None:
    answer = as_owner.post(EMAIL, {"email": "new@example.org", "action_add": ""}, follow=True)
    assert "Nothing has changed yet" in answer.content.decode()
    [(path, _)] = answer.redirect_chain
    html = as_owner.post(path, {"password": password}, follow=True).content.decode()
    assert 'value="new@example.org"' in html


def test_an_address_is_added_confirmed_and_used_with_the_password(
    as_owner: Client, owner: User, password: str
) -> None:
    new = "new@example.org"
    confirm_password(as_owner, password).post(EMAIL, {"email": new, "action_add": ""})
    assert sorted(list_recipients()) == [new, owner.email]
    mail.outbox.clear()
    as_owner.post(EMAIL, {"email": new, "action_primary": ""})
    owner.refresh_from_db()
    assert owner.email == "owner@holdfast.test"
    confirm_address(new)
    assert list_recipients()[-1] == "owner@holdfast.test"
    mail.outbox.clear()
    as_owner.post(EMAIL, {"email": new, "action_primary": ""})
    owner.refresh_from_db()
    assert owner.email == new
    assert set(list_recipients()) == {"owner@holdfast.test", new}


def confirm_address(address: str) -> None:
    key = EmailConfirmationHMAC(EmailAddress.objects.get(email=address)).key
    page = f"/accounts/confirm-email/{key}/"
    assert "your address?" in Client().get(page).content.decode()
    assert not EmailAddress.objects.get(email=address).verified
    Client().post(page)


def test_an_unconfirmed_address_allows_no_sign_in_and_no_reset(owner: User, password: str) -> None:
    EmailAddress.objects.create(user=owner, email=THIEF)
    Client().post(RESET, {"email": THIEF})
    assert mail.outbox == []
    client = Client()
    client.post(LOGIN, {"login": THIEF, "password": password})
    assert "_auth_user_id" not in client.session
    EmailAddress.objects.update(verified=True)
    client.post(LOGIN, {"login": THIEF, "password": password})
    assert client.session["_auth_user_id"] == str(owner.pk)
    mail.outbox.clear()  # the report of a new browser
    client.post(RESET, {"email": THIEF})
    assert list_recipients() == [THIEF]


@pytest.mark.parametrize("verification", ["none", "mandatory"])
def test_an_unconfirmed_address_does_not_block_its_owners_sign_up(
    owner: User, settings: Settings, verification: str
) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = verification
    EmailAddress.objects.create(user=owner, email="ann@example.org")
    form = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "email": "ann@example.org"}
    Client().post("/accounts/signup/", form)
    ann = User.objects.get(email="ann@example.org")
    assert EmailAddress.objects.get(user=ann, email=ann.email).primary
    client = Client()
    client.post(LOGIN, {"login": ann.email, "password": NEW_PASSWORD})
    assert ("_auth_user_id" in client.session) == (verification == "none")


def test_an_address_of_another_account_cannot_be_confirmed(owner: User, colleague: User) -> None:
    EmailAddress.objects.create(user=owner, email=colleague.email)
    confirm_address(colleague.email)
    assert not EmailAddress.objects.get(user=owner, email=colleague.email).verified


def test_the_sign_up_address_is_not_removed_in_favour_of_an_unconfirmed_one(
    as_owner: Client, owner: User, password: str
) -> None:
    EmailAddress.objects.create(user=owner, email=THIEF)
    EmailAddress.objects.create(user=owner, email=owner.email)
    confirm_password(as_owner, password).post(EMAIL, {"email": owner.email, "action_remove": ""})
    owner.refresh_from_db()
    assert owner.email == "owner@holdfast.test"


def test_a_removed_address_gets_a_mail(as_owner: Client, owner: User, password: str) -> None:
    EmailAddress.objects.create(user=owner, email="second@example.org", verified=True)
    form = {"email": "second@example.org", "action_remove": ""}
    confirm_password(as_owner, password).post(EMAIL, form)
    assert sorted(list_recipients()) == ["owner@holdfast.test", "second@example.org"]
    assert "was removed" in mail.outbox[0].body


def test_a_new_password_is_reported_to_every_address(
    as_owner: Client, owner: User, password: str
) -> None:
    EmailAddress.objects.create(user=owner, email="second@example.org", verified=True)
    EmailAddress.objects.create(user=owner, email=THIEF)
    form = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "oldpassword": password}
    as_owner.post("/accounts/password/change/", form)
    assert sorted(list_recipients()) == ["owner@holdfast.test", "second@example.org"]
    assert "127.0.0.1" in mail.outbox[0].body


def test_a_mail_server_that_is_away_does_not_undo_a_new_password(
    as_owner: Client, owner: User, password: str, settings: Settings
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    form = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "oldpassword": password}
    assert as_owner.post("/accounts/password/change/", form).status_code == 302
    owner.refresh_from_db()
    assert owner.check_password(NEW_PASSWORD)


@pytest.mark.parametrize(
    "page",
    [
        f"{USERS}add/",
        f"{USERS}{{}}/change/",
        f"{USERS}{{}}/password/",
        f"{USERS}{{}}/delete/",
        "/admin/account/emailaddress/add/",
        "/admin/auth/group/add/",
    ],
)
def test_an_administrators_session_alone_changes_no_account(
    administrator: User, owner: User, page: str
) -> None:
    client = Client()
    sign_in(client, administrator)
    form = {"email": THIEF, "user": owner.pk, "verified": "on", "name": "all", "post": "yes"}
    form |= {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "is_superuser": "on"}
    form |= {"usable_password": "true"}
    before = [owner.password, User.objects.count(), EmailAddress.objects.count()]
    answer = client.post(page.format(owner.pk), form)
    assert answer.headers["Location"].startswith(REAUTHENTICATE)
    owner.refresh_from_db()
    assert not owner.is_superuser
    assert [owner.password, User.objects.count(), EmailAddress.objects.count()] == before


ADDRESSES = "/admin/account/emailaddress/"


def test_a_user_gets_a_mail_about_addresses_changed_by_an_administrator(
    as_administrator: Client, owner: User
) -> None:
    added = {"user": owner.pk, "email": THIEF, "verified": "on"}
    as_administrator.post(f"{ADDRESSES}add/", added)
    assert list_recipients() == [owner.email]
    assert THIEF in mail.outbox.pop().body
    address = EmailAddress.objects.get(email=THIEF)
    changed = added | {"email": f"other-{THIEF}"}
    as_administrator.post(f"{ADDRESSES}{address.pk}/change/", changed)
    assert sorted({*list_recipients()}) == sorted([owner.email, THIEF])
    mail.outbox.clear()
    as_administrator.post(f"{ADDRESSES}{address.pk}/delete/", {"post": "yes"})
    assert owner.email in list_recipients()
    mail.outbox.clear()
    wish = EmailAddress.objects.create(user=owner, email="wish@example.org")
    chosen = {"action": "make_verified", "_selected_action": [wish.pk]}
    as_administrator.post(ADDRESSES, chosen)
    wish.refresh_from_db()
    assert wish.verified
    assert list_recipients() == [owner.email]
    mail.outbox.clear()
    chosen = {"action": "delete_selected", "_selected_action": [wish.pk], "post": "yes"}
    as_administrator.post(ADDRESSES, chosen)
    assert owner.email in list_recipients()


def test_a_user_gets_a_mail_about_a_password_set_by_an_administrator(
    as_administrator: Client, owner: User
) -> None:
    form = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"}
    as_administrator.post(f"{USERS}{owner.pk}/password/", form)
    owner.refresh_from_db()
    assert owner.check_password(NEW_PASSWORD)
    assert list_recipients() == [owner.email]
