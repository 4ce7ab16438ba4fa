"""Keys are added, replaced and removed by their owner, and are never shown again."""

import os

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.test import Client
from pytest_django import Settings

from accounts.api_keys import keys
from accounts.mails.queue import mail_queue
from accounts.models import ApiKey, AuditEvent, User
from accounts.sealing import SealBroken

SECRET = "sk-harbour-0123456789-ab12"
OTHER_SECRET = "sk-harbour-9876543210-cd34"
PAGE = "/settings/keys/"
OPENAI = "/settings/keys/openai/"
REMOVAL = "/settings/keys/openai/remove/"


def get_keys_page(client: Client) -> str:
    return client.get(PAGE).content.decode()


def test_a_key_is_added_and_shown_as_its_last_four_characters(
    as_owner: Client, owner: User
) -> None:
    answer = as_owner.post(OPENAI, {"key": SECRET}, follow=True)
    assert answer.redirect_chain == [(PAGE, 302)]
    html = answer.content.decode()
    assert "OpenAI key saved" in html
    assert "…ab12" in html
    assert SECRET[:-4] not in html
    assert keys.decrypt_for_call(owner, "openai") == SECRET


def test_a_key_is_replaced(as_owner: Client, owner: User) -> None:
    keys.save(owner, "openai", SECRET)
    keys.decrypt_for_call(owner, "openai")
    as_owner.post(OPENAI, {"key": OTHER_SECRET})
    key = ApiKey.objects.get(user=owner)
    assert key.last_four == "cd34"
    assert key.last_used_at is None
    assert keys.decrypt_for_call(owner, "openai") == OTHER_SECRET


def test_the_owner_of_the_account_gets_a_mail_about_a_new_key(
    as_owner: Client, owner: User
) -> None:
    """A thief of the session may have saved it."""
    as_owner.post(OPENAI, {"key": SECRET})
    mail_queue.finish()
    [notice] = mail.outbox
    assert notice.to == [owner.email]
    assert "a key of OpenAI" in notice.body
    assert SECRET[-4:] not in notice.body
    as_owner.post(OPENAI, {"key": "two words"})
    mail_queue.finish()
    assert len(mail.outbox) == 1


def test_a_key_is_removed(as_owner: Client, owner: User) -> None:
    keys.save(owner, "openai", SECRET)
    answer = as_owner.post(REMOVAL, follow=True)
    assert "Your OpenAI key is removed." in answer.content.decode()
    assert keys.decrypt_for_call(owner, "openai") is None
    assert keys.providers_with_key(owner) == set()


def test_nothing_happens_on_get(as_owner: Client, owner: User) -> None:
    keys.save(owner, "openai", SECRET)
    for address in (OPENAI, REMOVAL):
        assert as_owner.get(address, {"key": OTHER_SECRET}).headers["Location"] == PAGE
    assert keys.decrypt_for_call(owner, "openai") == SECRET


def test_blanks_around_a_pasted_key_are_dropped(as_owner: Client, owner: User) -> None:
    as_owner.post(OPENAI, {"key": f"  \n{SECRET}\t\n"})
    assert keys.decrypt_for_call(owner, "openai") == SECRET


@pytest.mark.parametrize(
    "value", ["", "   ", "two words", "line\nbreak", "bell\a", "nul\0", "sk-…ab12", "x" * 501]
)
def test_an_impossible_key_is_refused_and_not_shown_again(
    as_owner: Client, owner: User, value: str
) -> None:
    answer = as_owner.post(OPENAI, {"key": value})
    html = answer.content.decode()
    assert answer.status_code == 422
    assert 'aria-describedby="id_openai_key_error"' in html
    assert 'id="id_openai_key_error"' in html
    assert not value.strip() or value not in html
    assert not ApiKey.objects.filter(user=owner).exists()
    with pytest.raises(ValidationError):
        keys.save(owner, "openai", value)


def test_a_refused_replacement_leaves_the_key_as_it_was(as_owner: Client, owner: User) -> None:
    keys.save(owner, "openai", SECRET)
    as_owner.post(OPENAI, {"key": "two words"})
    assert keys.decrypt_for_call(owner, "openai") == SECRET


def test_no_part_of_a_short_key_is_shown(owner: User) -> None:
    assert keys.save(owner, "openai", "short-key12").last_four == ""


@pytest.mark.parametrize("provider", ["demo", "nobody"])
def test_a_provider_that_takes_no_key_is_not_found(
    as_owner: Client, owner: User, provider: str
) -> None:
    for address in (f"{PAGE}{provider}/", f"{PAGE}{provider}/remove/"):
        assert as_owner.post(address, {"key": SECRET}).status_code == 404
    with pytest.raises(keys.UnknownProvider):
        keys.save(owner, provider, SECRET)


def test_a_colleague_can_neither_see_nor_change_a_key(
    as_colleague: Client, owner: User, colleague: User
) -> None:
    html_without_key = get_keys_page(as_colleague)
    keys.save(owner, "openai", SECRET)
    assert remove_form_tokens(get_keys_page(as_colleague)) == remove_form_tokens(html_without_key)
    as_colleague.post(REMOVAL)
    as_colleague.post(OPENAI, {"key": OTHER_SECRET})
    assert keys.providers_with_key(colleague) == {"openai"}
    assert keys.decrypt_for_call(owner, "openai") == SECRET
    assert keys.decrypt_for_call(colleague, "openai") == OTHER_SECRET


def remove_form_tokens(html: str) -> list[str]:
    """Return the page without the form tokens, which differ every time."""
    return [line for line in html.splitlines() if "csrf" not in line.lower()]


def test_a_row_copied_to_a_colleague_cannot_be_decrypted(owner: User, colleague: User) -> None:
    copied_key = keys.save(owner, "openai", SECRET)
    copied_key.pk, copied_key.user = None, colleague
    copied_key.save(force_insert=True)
    with pytest.raises(SealBroken):
        keys.decrypt_for_call(colleague, "openai")


@pytest.mark.parametrize("address", [PAGE, OPENAI, REMOVAL])
def test_a_visitor_is_redirected_to_sign_in(db: None, client: Client, address: str) -> None:
    for answer in (client.get(address), client.post(address, {"key": SECRET})):
        assert answer.headers["Location"] == f"/accounts/login/?next={address}"


def test_a_form_from_another_site_is_refused(as_owner: Client, owner: User) -> None:
    as_owner.handler.enforce_csrf_checks = True
    assert as_owner.post(OPENAI, {"key": SECRET}).status_code == 403
    assert not ApiKey.objects.filter(user=owner).exists()


def test_a_call_is_recorded_as_the_last_use(as_owner: Client, owner: User) -> None:
    keys.save(owner, "openai", SECRET)
    assert "never" in get_keys_page(as_owner)
    keys.decrypt_for_call(owner, "openai")
    assert "never" not in get_keys_page(as_owner).split("Last used")[1].split("</dd>")[0]


def test_a_key_sealed_under_an_older_master_key_still_works(
    owner: User, settings: Settings
) -> None:
    keys.save(owner, "openai", SECRET)
    settings.MASTER_KEYS = {"newer": os.urandom(32)} | settings.MASTER_KEYS
    assert keys.providers_with_key(owner) == {"openai"}
    assert keys.decrypt_for_call(owner, "openai") == SECRET
    assert keys.save(owner, "openai", SECRET).master_key_id == "newer"


@pytest.mark.parametrize("keeps_id", [False, True])
def test_a_key_whose_master_key_is_gone_is_asked_for_again(
    as_owner: Client, owner: User, settings: Settings, keeps_id: bool
) -> None:
    """A new settings file may give the new master key the same id."""
    saved = keys.save(owner, "openai", SECRET)
    settings.MASTER_KEYS = {saved.master_key_id if keeps_id else "newer": os.urandom(32)}
    assert keys.providers_with_key(owner) == set()
    with pytest.raises(SealBroken, match="Please enter it again"):
        keys.decrypt_for_call(owner, "openai")
    assert "Please enter it again" in get_keys_page(as_owner)
    as_owner.post(OPENAI, {"key": SECRET})
    assert keys.decrypt_for_call(owner, "openai") == SECRET


def test_browsers_and_proxies_do_not_cache_the_page(as_owner: Client) -> None:
    assert "no-store" in as_owner.get(PAGE).headers["Cache-Control"]


def test_no_browser_autofills_or_stores_a_key(as_owner: Client) -> None:
    field = get_keys_page(as_owner).split('name="key"')[1].split(">")[0]
    assert 'autocomplete="off"' in field
    assert "value=" not in field


# Audit events


def list_events() -> list[tuple[str, int | None, int | None, object]]:
    events = AuditEvent.objects.order_by("id")
    return [(e.kind, e.account_id, e.actor_id, e.facts) for e in events]


def test_saving_and_removing_a_key_are_audited_without_the_key(
    as_owner: Client, owner: User
) -> None:
    as_owner.post(OPENAI, {"key": SECRET})
    as_owner.post(OPENAI, {"key": "two words"})
    as_owner.post(REMOVAL)
    as_owner.post(REMOVAL)
    facts = {"provider": "openai"}
    expected = [(kind, owner.pk, owner.pk, facts) for kind in ("key.saved", "key.removed")]
    assert list_events() == expected


def test_removing_keys_in_the_admin_is_audited(
    as_administrator: Client, administrator: User, owner: User, colleague: User
) -> None:
    first, second = (keys.save(user, "openai", SECRET) for user in (owner, colleague))
    as_administrator.post(f"/admin/accounts/apikey/{first.pk}/delete/", {"post": "yes"})
    form = {"action": "delete_selected", "_selected_action": second.pk, "post": "yes"}
    as_administrator.post("/admin/accounts/apikey/", form)
    assert not ApiKey.objects.exists()
    facts = {"provider": "openai"}
    assert [e for e in list_events() if e[0] == "key.removed"] == [
        ("key.removed", user.pk, administrator.pk, facts) for user in (owner, colleague)
    ]


@pytest.mark.parametrize("keeps_id", [False, True])
def test_the_admin_tells_which_keys_can_not_be_decrypted(
    as_administrator: Client, owner: User, settings: Settings, keeps_id: bool
) -> None:
    key = keys.save(owner, "openai", SECRET)
    page = as_administrator.get("/admin/accounts/apikey/").content.decode()
    assert "icon-no" not in page
    settings.MASTER_KEYS = {key.master_key_id if keeps_id else "newer": os.urandom(32)}
    page = as_administrator.get("/admin/accounts/apikey/").content.decode()
    assert "icon-no" in page
