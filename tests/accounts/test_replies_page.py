"""The settings of replies: storing is off until a person switches it on, and only for that
person."""

import re

from django.test import Client

from accounts.models import User

PATH = "/settings/replies/"


def test_nothing_is_stored_at_a_provider_by_default(owner: User) -> None:
    assert owner.background_replies is False


def test_a_user_switches_it_on_and_off(owner: User, as_owner: Client) -> None:
    for ticked in (True, False):
        form = {"background_replies": "on"} if ticked else {}
        page = as_owner.post(PATH, form, follow=True)
        assert "Your settings are saved." in page.content.decode()
        owner.refresh_from_db()
        assert owner.background_replies is ticked
        box = re.search(rb'<input type="checkbox"[^>]*>', as_owner.get(PATH).content)
        assert box
        assert (b"checked" in box[0]) is ticked


def test_the_chats_of_programs_are_listed_if_the_person_wants_it(
    owner: User, as_owner: Client
) -> None:
    assert not owner.shows_program_chats
    for ticked in (True, False):
        as_owner.post(PATH, {"shows_program_chats": "on"} if ticked else {})
        owner.refresh_from_db()
        assert owner.shows_program_chats is ticked


def test_the_page_explains_the_consequences(as_owner: Client) -> None:
    page = as_owner.get(PATH).content.decode()
    assert "OpenAI stores the conversation" in page
    assert "Replies may take longer to begin" in page


def test_other_users_are_not_changed(owner: User, colleague: User, as_owner: Client) -> None:
    as_owner.post(PATH, {"background_replies": "on", "email": "x@holdfast.test", "is_staff": "on"})
    colleague.refresh_from_db()
    owner.refresh_from_db()
    assert colleague.background_replies is False
    assert (owner.email, owner.is_staff) == ("owner@holdfast.test", False)


def test_a_stranger_has_to_sign_in(client: Client) -> None:
    assert client.post(PATH, {"background_replies": "on"}).status_code == 302
