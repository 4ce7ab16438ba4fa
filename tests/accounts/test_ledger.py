"""The ledger adds up what each person uses in a month, also at the same time."""

from datetime import date
from decimal import Decimal

import pytest

from accounts.ledger import counting
from accounts.ledger.counting import Consumption, Total, add_consumption, read_total
from accounts.models import LedgerEntry, User
from tests.factories import run_at_once

USED = Consumption(input_tokens=100, output_tokens=10, cost=Decimal("0.000123"))


def add(user: User, used: Consumption = USED, connection_id: int = 0) -> None:
    add_consumption(user.pk, connection_id, "openai", "gpt-4.1", used)


def test_replies_and_titles_of_a_month_add_up(owner: User) -> None:
    add(owner)
    add(owner, Consumption(5, 3, 1, 2, is_estimated=True, is_title=True))
    entry = LedgerEntry.objects.get()
    assert (entry.replies, entry.titles, entry.estimated, entry.unpriced) == (1, 1, 1, 1)
    assert (entry.input_tokens, entry.output_tokens) == (105, 13)
    assert (entry.reasoning_tokens, entry.cached_tokens) == (1, 2)
    assert entry.cost == Decimal("0.000123")
    assert entry.month == counting.get_current_month()


@pytest.mark.usefixtures("commit_for_real")
def test_endings_at_the_same_time_all_count(owner: User) -> None:
    def add_often() -> None:
        for _ in range(5):
            add(owner)

    assert run_at_once(*[add_often] * 8) == [None] * 8
    entry = LedgerEntry.objects.get()
    assert (entry.replies, entry.input_tokens) == (40, 4_000)
    assert entry.cost == Decimal("0.004920")


def test_a_total_is_that_of_one_person_connection_and_month(
    owner: User, colleague: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(owner, connection_id=7)
    add(owner, connection_id=8)
    add(colleague, connection_id=7)
    assert read_total(owner.pk, 7) == Total(110, Decimal("0.000123"))
    next_month = counting.get_next_month(counting.get_current_month())
    monkeypatch.setattr(counting, "get_current_month", lambda: next_month)
    assert read_total(owner.pk, 7) == Total()
    add(owner, connection_id=7)
    assert LedgerEntry.objects.filter(user=owner, connection_id=7).count() == 2


def test_an_absurd_cost_counts_as_unknown(owner: User) -> None:
    add(owner, Consumption(1, 1, cost=Decimal(2_000_000)))
    entry = LedgerEntry.objects.get()
    assert entry.cost == 0
    assert entry.unpriced == 1


@pytest.mark.parametrize(
    ("month", "following"),
    [(date(2026, 11, 1), date(2026, 12, 1)), (date(2026, 12, 1), date(2027, 1, 1))],
)
def test_the_next_month_begins_on_its_first_day(month: date, following: date) -> None:
    assert counting.get_next_month(month) == following


def test_the_entries_of_an_account_are_deleted_with_it(owner: User, colleague: User) -> None:
    add(owner)
    add(colleague)
    owner.delete()
    assert LedgerEntry.objects.get().user == colleague
