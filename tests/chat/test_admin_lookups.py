"""A list of the admin is filtered only by what its page offers. Another filter would tell a field
that no page shows, letter by letter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db.models import CharField, Field, JSONField, Model, TextField
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from accounts.models import ApiKey, AuditEvent, User
from chat.models import Conversation
from tests.chat.factories import start_reply
from tests.factories import create_signed_in_client

pytestmark = pytest.mark.django_db

SECRET = "my secret is 4"
LOOKUPS = [*("", "__exact", "__iexact", "__startswith", "__contains", "__icontains")]
LOOKUPS += ["__regex", "__gt", "__lt", "__in", "__isnull", "__isempty"]
NASTY = ["(", "9" * 40, "-1", "x", "", "NaN", "1e400", "0001-01-01", "9999-12-31 23:59:59", "x,y"]
NASTY += ["9999-12-31 23:59:59-14:00", "0001-01-01 00:00:00+14:00", "‮", "[", "{}", "True"]

_REQUEST = RequestFactory().get("/")


def _prove(value: str) -> Any:
    return pytest.param(value, marks=pytest.mark.prove)


@pytest.fixture
def as_superuser() -> Client:
    return create_signed_in_client(User.objects.create_superuser("admin@holdfast.test", "x"))


@pytest.fixture
def as_clerk() -> Client:
    """A browser of staff who may see each list."""
    clerk = User.objects.create_user("clerk@holdfast.test", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    return create_signed_in_client(clerk)


@pytest.fixture
def rows(owner: User) -> None:
    start_reply(owner, SECRET, system_prompt=SECRET)
    Conversation.objects.update(title=SECRET, system_prompt=SECRET)
    now = timezone.now()
    ApiKey.objects.create(user=owner, provider="openai", sealed=b"x", created_at=now)
    AuditEvent.objects.create(kind="key.saved", account_id=owner.pk, facts={"a": "b"})


def build_path(model: type[Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def list_texts(model: type[Model], depth: int = 2) -> Iterator[str]:
    """The paths of the fields with text, also of related rows."""
    for field in model._meta.get_fields():
        if isinstance(field, Field) and isinstance(field, CharField | TextField | JSONField):
            yield field.name
        elif field.is_relation and field.related_model and depth:
            name = field.name if isinstance(field, Field) else field.get_accessor_name()
            related = field.related_model
            assert isinstance(related, type)
            yield from (f"{name}__{path}" for path in list_texts(related, depth - 1))


def list_rows(client: Client, path: str, query: dict[str, Any]) -> list[Any] | None:
    """The ids in the list; None if the filter is refused."""
    answer = client.get(path, query)
    assert answer.status_code in {200, 302, 400}, (path, query, answer)
    if answer.status_code != 200 or "cl" not in (answer.context or {}):
        return None
    return [row.pk for row in answer.context["cl"].result_list]


def list_offered(model_admin: Any) -> set[str]:
    """The fields by which a page offers a filter."""
    return {getattr(item, "parameter_name", item) for item in model_admin.list_filter}


@pytest.mark.parametrize("who", ["as_superuser", "as_clerk"])
@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/admin/chat/conversation/", "title__startswith=my secret"),
        ("/admin/chat/conversation/", "system_prompt__startswith=my secret is 4"),
        ("/admin/chat/conversation/", "system_prompt__regex=^my"),
        ("/admin/streaming/stream/", "arguments__system_prompt__startswith=my"),
        ("/admin/streaming/stream/", "arguments__icontains=secret"),
        ("/admin/streaming/stream/", "error_detail__startswith=x"),
        ("/admin/accounts/user/", "password__startswith=argon2"),
        ("/admin/accounts/user/", "email__regex=("),
        ("/admin/streaming/stream/", f"owner__gt={'9' * 40}"),
        ("/admin/accounts/auditevent/", "facts__contains=x"),
    ],
)
def test_a_filter_that_no_page_offers_is_refused(
    request: pytest.FixtureRequest, rows: None, who: str, path: str, query: str
) -> None:
    assert request.getfixturevalue(who).get(f"{path}?{query}").status_code == 400


def test_no_field_with_text_filters_a_list(rows: None, as_superuser: Client) -> None:
    tried = 0
    told = []
    for model, model_admin in admin.site._registry.items():
        path = build_path(model)
        if list_rows(as_superuser, path, {}) is None:
            continue  # a report, which takes no filters
        for field in set(list_texts(model)) - list_offered(model_admin):
            for lookup in LOOKUPS:
                tried += 1
                if not model_admin.lookup_allowed(f"{field}{lookup}", "m", _REQUEST):
                    continue
                told.append((model._meta.label, field, lookup))
        assert as_superuser.get(path, {"pk__gt": "0"}).status_code == 400
    assert tried > 500
    assert told == []


def test_a_field_with_a_filter_takes_only_the_lookups_of_its_links() -> None:
    for model_admin in admin.site._registry.values():
        for field in list_offered(model_admin):
            for lookup in ("__startswith", "__regex", "__contains", "__gt", "__in"):
                assert not model_admin.lookup_allowed(f"{field}{lookup}", "m", _REQUEST)


def test_each_link_of_a_list_is_accepted(rows: None, as_superuser: Client) -> None:
    links = set()
    for model in admin.site._registry:
        answer = as_superuser.get(build_path(model))
        if "cl" not in (answer.context or {}):
            continue
        shown = answer.context["cl"]
        for spec in shown.filter_specs:
            links |= {build_path(model) + choice["query_string"] for choice in spec.choices(shown)}
        if day := shown.date_hierarchy:
            for query in (f"{day}__year=2026", f"{day}__year=2026&{day}__month=2&{day}__day=3"):
                links.add(f"{build_path(model)}?{query}")
    assert len(links) > 30
    for link in links:
        assert as_superuser.get(link).status_code == 200, link


@pytest.mark.filterwarnings("ignore:DateTimeField .* received a naive datetime:RuntimeWarning")
@pytest.mark.parametrize("value", [NASTY[0], *(_prove(value) for value in NASTY[1:])])
def test_a_filter_that_a_page_offers_takes_any_value(
    rows: None, as_superuser: Client, value: str
) -> None:
    for name in ("q", "o", "p", "all", "_facets", "_to_field", "_popup"):
        list_rows(as_superuser, build_path(Conversation), {name: value})
    for model, model_admin in admin.site._registry.items():
        for name in model_admin._list_offered_lookups(_REQUEST):  # type: ignore[attr-defined]
            list_rows(as_superuser, build_path(model), {name: value})


def test_a_list_is_sorted_only_by_its_columns(rows: None, as_superuser: Client) -> None:
    path = build_path(Conversation)
    for order in ("title", "-title", "system_prompt", "99", "-99", "--1", "1.title"):
        answer = as_superuser.get(path, {"o": order})
        assert not {"title", "system_prompt"} & {
            name.lstrip("-") for name in answer.context["cl"].queryset.query.order_by
        }
