"""Conversations in the admin: facts for administrators, content only with a grant."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from django.utils.formats import date_format

from accounts.models import AuditEvent, User
from chat.content_access.grants import grant_access
from chat.models import ContentGrant
from chat.replies import Reply
from streaming.lifecycle import Ending
from streaming.models import State
from tests.chat.factories import finish_reply, start_reply
from tests.factories import create_signed_in_client

pytestmark = pytest.mark.django_db

SECRET = "barnacle"


@pytest.fixture
def administrator(password: str) -> User:
    return User.objects.create_superuser("administrator@holdfast.test", password)


@pytest.fixture
def as_administrator(administrator: User, password: str) -> Client:
    client = create_signed_in_client(administrator)
    client.post("/accounts/reauthenticate/", {"password": password})
    return client


@pytest.fixture
def reply(owner: User) -> Reply:
    reply = start_reply(owner, f"{SECRET} question", system_prompt=f"{SECRET} system")
    finish_reply(reply, f"{SECRET} answer")
    return reply


def content_path(reply: Reply) -> str:
    return f"/admin/chat/conversation/{reply.conversation.pk}/content/"


def test_the_admin_shows_no_content_of_a_conversation(
    as_administrator: Client, reply: Reply
) -> None:
    pk = reply.conversation.pk
    for path in ("", f"{pk}/change/", f"{pk}/history/", f"?q={pk}", "?q=owner@holdfast.test"):
        page = as_administrator.get(f"/admin/chat/conversation/{path}")
        assert page.status_code == 200
        assert str(pk) in page.content.decode() or path.endswith("history/")
        assert SECRET not in page.content.decode()
    assert (
        f"{pk}/change"
        not in as_administrator.get("/admin/chat/conversation/", {"q": SECRET}).content.decode()
    )


def test_nobody_changes_a_conversation_in_the_admin(as_administrator: Client, reply: Reply) -> None:
    path = f"/admin/chat/conversation/{reply.conversation.pk}/"
    assert as_administrator.post(f"{path}change/", {"system_prompt": "x"}).status_code == 403
    assert as_administrator.post(f"{path}delete/", {"post": "yes"}).status_code == 403
    reply.conversation.refresh_from_db()
    assert reply.conversation.system_prompt == f"{SECRET} system"


def test_a_superuser_reads_no_content_without_a_grant(
    as_administrator: Client, reply: Reply
) -> None:
    response = as_administrator.get(content_path(reply))
    assert response.status_code == 403
    assert SECRET not in response.content.decode()
    assert not AuditEvent.objects.filter(kind="content.read").exists()


def test_each_look_with_a_grant_is_recorded_for_the_person(
    as_administrator: Client, administrator: User, owner: User, reply: Reply
) -> None:
    grant_access(administrator, owner, hours=1, reason="You asked for help.")
    for _ in range(2):
        page = as_administrator.get(content_path(reply)).content.decode()
        assert f"{SECRET} question" in page
        assert f"{SECRET} answer" in page
    looks = AuditEvent.objects.filter(kind="content.read")
    assert {(look.account_id, look.actor_id) for look in looks} == {(owner.pk, administrator.pk)}
    assert [look.facts for look in looks] == [{"conversation": str(reply.conversation.pk)}] * 2
    granted = AuditEvent.objects.get(kind="content.granted")
    assert (granted.account_id, granted.actor_id) == (owner.pk, None)
    assert granted.facts["reason"] == "You asked for help."


def test_people_see_by_name_who_may_read_and_who_read(
    as_administrator: Client, administrator: User, owner: User, reply: Reply
) -> None:
    User.objects.filter(pk=administrator.pk).update(name="Ada Admin")
    giver = User.objects.create_superuser("giver@holdfast.test")
    grant_access(administrator, owner, hours=2, reason="You asked for help.", granted_by=giver)
    as_administrator.get(content_path(reply))
    as_owner = create_signed_in_client(owner)
    html = as_owner.get("/settings/data/activity/").content.decode()
    until = date_format(timezone.localtime(ContentGrant.objects.get().until), "j F Y, H:i T")
    reader = "Ada Admin, administrator@holdfast.test"
    assert f"(to {reader}; until {until}; reason: You asked for help.)" in html
    assert "by giver@holdfast.test" in html
    assert f"by {reader}" in html
    giver.delete()
    assert (
        "by an administrator whose account"
        in as_owner.get("/settings/data/activity/").content.decode()
    )


def test_the_activity_page_looks_up_all_names_in_one_query(
    owner: User, django_assert_max_num_queries: Any
) -> None:
    for number in range(20):
        reader = User.objects.create_superuser(f"{number}@holdfast.test")
        grant_access(reader, owner, hours=1, reason="Help")
    client = create_signed_in_client(owner)
    client.get("/settings/data/activity/")
    with django_assert_max_num_queries(6):
        client.get("/settings/data/activity/")


@pytest.mark.parametrize("fault", ["expired", "of another person", "of another reader", "no staff"])
def test_a_grant_that_does_not_fit_shows_nothing(
    as_administrator: Client,
    administrator: User,
    owner: User,
    stranger: User,
    reply: Reply,
    fault: str,
) -> None:
    person = stranger if fault == "of another person" else owner
    reader = stranger if fault == "of another reader" else administrator
    grant = grant_access(reader, person, hours=1, reason="Help")
    if fault == "expired":
        past = timezone.now() - timedelta(seconds=1)
        ContentGrant.objects.filter(pk=grant.pk).update(until=past)
    if fault == "no staff":
        User.objects.filter(pk=administrator.pk).update(is_staff=False)
    response = as_administrator.get(content_path(reply))
    assert response.status_code in {302, 403}
    assert SECRET not in response.content.decode()


def test_content_needs_a_recent_password(administrator: User, owner: User, reply: Reply) -> None:
    grant_access(administrator, owner, hours=1, reason="Help")
    response = create_signed_in_client(administrator).get(content_path(reply))
    assert response.status_code == 302
    assert "/reauthenticate/" in response.headers["Location"]


def add_grant(client: Client, reader: User, person: User, **fields: Any) -> Any:
    form = {"reader": reader.pk, "person": person.pk, "reason": "Help", "hours": 2} | fields
    return client.post("/admin/chat/contentgrant/add/", form)


def test_an_administrator_gives_access_to_another_one_and_ends_it(
    as_administrator: Client, administrator: User, owner: User
) -> None:
    reader = User.objects.create_user("reader@holdfast.test", is_staff=True)
    assert add_grant(as_administrator, reader, owner).status_code == 302
    grant = ContentGrant.objects.get()
    assert (grant.reader, grant.person, grant.granted_by) == (reader, owner, administrator)
    assert timedelta(hours=1.9) < grant.until - timezone.now() < timedelta(hours=2)
    path = f"/admin/chat/contentgrant/{grant.pk}/delete/"
    assert as_administrator.post(path, {"post": "yes"}).status_code == 302
    kinds = AuditEvent.objects.order_by("id").values_list("kind", "account_id", "actor_id")
    ours = [event for event in kinds if event[0].startswith("content.")]
    assert ours == [
        ("content.granted", owner.pk, administrator.pk),
        ("content.revoked", owner.pk, administrator.pk),
    ]


def test_nobody_gives_access_to_themselves(
    as_administrator: Client, administrator: User, owner: User
) -> None:
    assert add_grant(as_administrator, administrator, owner).status_code == 200
    assert not ContentGrant.objects.exists()
    with pytest.raises(ValueError, match="Another administrator"):
        grant_access(administrator, owner, hours=1, reason="x", granted_by=administrator)


@pytest.mark.parametrize("fields", [{"hours": 0}, {"hours": 73}, {"reason": ""}])
def test_a_grant_without_reason_or_end_is_refused(
    as_administrator: Client, owner: User, fields: dict[str, Any]
) -> None:
    reader = User.objects.create_user("reader@holdfast.test", is_staff=True)
    assert add_grant(as_administrator, reader, owner, **fields).status_code == 200
    assert not ContentGrant.objects.exists()


def test_a_command_gives_access(
    administrator: User, owner: User, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("grant_content_access", administrator.email, owner.email, "--reason", "Help")
    assert "Access until" in capsys.readouterr().out
    assert ContentGrant.objects.get().granted_by is None
    for reader, person in (
        (owner.email, administrator.email),
        ("x@holdfast.test", owner.email),
    ):
        with pytest.raises(CommandError):
            call_command("grant_content_access", reader, person, "--reason", "Help")


# Streams


def test_an_administrator_stops_streams_and_sees_no_content(
    as_administrator: Client, owner: User, reply: Reply
) -> None:
    running = start_reply(owner, f"{SECRET} on and on").stream
    for path in ("", f"{running.pk}/change/", f"{reply.stream.pk}/change/", "?activity=unfinished"):
        page = as_administrator.get(f"/admin/streaming/stream/{path}").content.decode()
        assert str(running.uuid if path != f"{reply.stream.pk}/change/" else "") in page
        assert SECRET not in page
    form = {"action": "stop_streams", "_selected_action": [running.pk, reply.stream.pk]}
    answer = as_administrator.post("/admin/streaming/stream/", form, follow=True)
    assert "1 stream stopped." in answer.content.decode()
    running.refresh_from_db()
    assert running.state == State.STOPPED


def test_stopping_streams_needs_its_permission(owner: User) -> None:
    clerk = User.objects.create_user("clerk@holdfast.test", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_stream"))
    stream = start_reply(owner, "On and on").stream
    form = {"action": "stop_streams", "_selected_action": [stream.pk]}
    create_signed_in_client(clerk).post("/admin/streaming/stream/", form)
    stream.refresh_from_db()
    assert stream.state == State.QUEUED


# Errors


def fail_reply(owner: User, error_class: str) -> None:
    reply = start_reply(owner, f"{SECRET} again")
    ending = Ending(State.FAILED, error_class=error_class, error="A sentence.")
    finish_reply(reply, f"{SECRET} partial", ending)


def test_the_report_counts_errors_by_provider_and_class(
    as_administrator: Client, owner: User, reply: Reply
) -> None:
    for error_class in ("RateLimited", "RateLimited", "Overloaded"):
        fail_reply(owner, error_class)
    page = as_administrator.get("/admin/chat/failedreply/").content.decode()
    assert "<td>RateLimited</td><td>2</td><td>50 %</td>" in page
    assert "<td>Overloaded</td><td>1</td><td>25 %</td>" in page
    assert SECRET not in page


def test_the_report_needs_its_permission(owner: User) -> None:
    clerk = User.objects.create_user("clerk@holdfast.test", is_staff=True)
    assert create_signed_in_client(clerk).get("/admin/chat/failedreply/").status_code == 403
