"""People see the events of their own account, and of no other."""

from django.test import Client, RequestFactory

from accounts.audit.events import record_event
from accounts.audit.kinds import KEY_SAVED, RIGHTS_CHANGED
from accounts.models import AuditEvent, User
from accounts.own_data import activity

PATH = "/settings/data/activity/"


def test_the_page_shows_what_happened_when_and_by_whom(
    owner: User, administrator: User, as_owner: Client
) -> None:
    request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.7")
    record_event(KEY_SAVED, owner, request=request, provider="openai")
    elsewhere = RequestFactory().get("/", REMOTE_ADDR="198.51.100.9")
    record_event(RIGHTS_CHANGED, owner, actor=administrator, request=elsewhere, fields="groups")
    html = as_owner.get(PATH).content.decode()
    for text in ("Saved a key", "(OpenAI)", "by you", "192.0.2.7", "by an administrator"):
        assert text in html
    assert "198.51.100.9" not in html  # the administrator's own matter
    assert administrator.email not in html


def test_events_of_others_are_not_shown(owner: User, colleague: User, as_owner: Client) -> None:
    record_event(KEY_SAVED, colleague, actor=owner)
    assert "Nothing yet." in as_owner.get(PATH).content.decode()


def test_an_event_of_a_kind_that_is_gone_keeps_its_name(owner: User, as_owner: Client) -> None:
    AuditEvent.objects.create(kind="old.kind", account_id=owner.pk)
    html = as_owner.get(PATH).content.decode()
    assert "old.kind" in html
    assert "by the server" in html


def test_the_list_has_pages(owner: User, as_owner: Client) -> None:
    for _ in range(activity.EVENTS_PER_PAGE + 1):
        record_event(KEY_SAVED, owner)
    first, second = (as_owner.get(PATH, {"page": n}).content.decode() for n in ("1", "2"))
    assert first.count("Saved a key") == activity.EVENTS_PER_PAGE
    assert second.count("Saved a key") == 1
    assert "Page 1 of 2" in as_owner.get(PATH, {"page": "x"}).content.decode()


def test_a_visitor_has_to_sign_in(client: Client) -> None:
    assert client.get(PATH).status_code == 302
