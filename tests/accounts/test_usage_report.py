"""Administrators see the usage of people, summed up by what they choose."""

from __future__ import annotations

import csv
import re
from datetime import date
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import AuditEvent, LedgerEntry, User
from tests.accounts.connections import create_connection
from tests.factories import create_signed_in_client

USAGE = "/admin/accounts/ledgerentry/"
MAY, JUNE = date(2026, 5, 1), date(2026, 6, 1)


def add_entry(user: User, month: date = MAY, connection_id: int = 0, **fields: Any) -> None:
    fields = {"provider": "openai", "model": "gpt-4.1", "replies": 1} | fields
    LedgerEntry.objects.create(user=user, month=month, connection_id=connection_id, **fields)


def read_rows(client: Client, **query: str) -> list[list[str]]:
    html = client.get(USAGE, query).content.decode()
    table = html[html.index('<div class="results">') :]
    rows = re.findall(r"<tr>(.*?)</tr>", table.split("<tbody>")[1], re.DOTALL)
    return [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in rows]


@pytest.fixture
def entries(owner: User, colleague: User) -> None:
    lab = create_connection(name="Lab")
    add_entry(
        owner, input_tokens=100, output_tokens=10, cost=Decimal("1.25"), titles=1, estimated=1
    )
    add_entry(owner, JUNE, lab.pk, cost=Decimal("0.5"))
    add_entry(colleague, JUNE, 99, provider="google", model="gemini", unpriced=1)


@pytest.mark.usefixtures("entries")
def test_each_entry_has_a_row_and_all_a_sum(as_administrator: Client, owner: User) -> None:
    rows = read_rows(as_administrator)
    assert [row[:5] for row in rows[:3]] == [
        ["2026-06", owner.email, "Lab", "openai", "gpt-4.1"],
        ["2026-06", "colleague@holdfast.test", "deleted connection 99", "google", "gemini"],
        ["2026-05", owner.email, "own key, or none", "openai", "gpt-4.1"],
    ]
    assert rows[2][5:] == ["1", "1", "100", "10", "1.250000", "50", "0"]
    assert rows[3] == ["Together", "3", "1", "100", "10", "1.750000", "25", "25"]


@pytest.mark.usefixtures("entries")
@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"by": "person"}, [["owner@holdfast.test"], ["colleague@holdfast.test"]]),
        ({"by": "month"}, [["2026-06"], ["2026-05"]]),
        ({"by": "model"}, [["openai", "gpt-4.1"], ["google", "gemini"]]),
        ({"by": "key", "month": "2026-06", "person": "OWNER@"}, [["Lab", "openai"]]),
        ({"by": "person", "month": "2026-05"}, [["owner@holdfast.test"]]),
        ({"by": "x", "month": "2026-13", "person": "colleague@"}, [["2026-06"]]),
    ],
)
def test_usage_is_summed_up_and_filtered(
    as_administrator: Client, query: dict[str, str], names: list[list[str]]
) -> None:
    rows = read_rows(as_administrator, **query)
    assert [row[: len(names[0])] for row in rows[:-1]] == names


@pytest.mark.usefixtures("entries")
@pytest.mark.parametrize("person", ["owner%00", "owner%ED%A0%80", "%00"])
def test_a_person_with_a_sign_that_no_column_stores_has_no_usage(
    as_administrator: Client, person: str
) -> None:
    exported = as_administrator.post(
        f"{USAGE}export/", f"person={person}", content_type="application/x-www-form-urlencoded"
    )
    assert exported.status_code == 200
    assert len(exported.content.splitlines()) == 1, "only the names of the columns"


@pytest.mark.usefixtures("entries")
def test_the_export_has_the_chosen_rows_and_no_formula(
    as_administrator: Client, owner: User
) -> None:
    add_entry(owner, model="=HYPERLINK(1)")
    answer = as_administrator.post(f"{USAGE}export/", {"by": "model", "person": "owner"})
    assert "usage.csv" in answer.headers["Content-Disposition"]
    rows = list(csv.reader(StringIO(answer.content.decode())))
    assert rows[0][:3] == ["Provider", "Model", "Replies"]
    assert [row[1] for row in rows[1:]] == ["gpt-4.1", "'=HYPERLINK(1)"]
    assert AuditEvent.objects.get(kind="usage.exported").facts == {"count": 2}


def test_usage_needs_its_permission(owner: User) -> None:
    clerk = User.objects.create_user("clerk@holdfast.test", is_staff=True)
    client = create_signed_in_client(clerk)
    assert client.get(USAGE).status_code == 403
    assert client.post(f"{USAGE}export/").status_code == 403
    clerk.user_permissions.set(Permission.objects.filter(codename="view_ledgerentry"))
    assert client.get(USAGE).status_code == 200
    assert client.get(f"{USAGE}export/").status_code == 405


def test_the_report_costs_few_queries(
    as_administrator: Client, django_assert_max_num_queries: Any
) -> None:
    people = User.objects.bulk_create(User(email=f"{n}@holdfast.test") for n in range(210))
    for person in people:
        add_entry(person)
    as_administrator.get(USAGE)
    with django_assert_max_num_queries(8):
        html = as_administrator.get(USAGE).content.decode()
    assert "Only the highest rows are shown." in html
