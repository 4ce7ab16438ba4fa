"""Windows and prices: they are the numbers of `genai-prices`, and are reckoned as it does."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import genai_prices
import pytest

from streaming.providers import catalog
from streaming.providers.catalog import Model, prices
from streaming.providers.catalog.prices import Price
from streaming.providers.types import Usage
from tools.prices import written

PRICED = [model for model in catalog.MODELS if model.prices]
USAGES = [
    Usage(input=12, output=345),
    Usage(input=200_000, output=1, cached=150_000),
    Usage(input=200_001, output=9_000, cached=0),
    Usage(input=272_001, output=70_000, reasoning=60_000, cached=272_001),
    Usage(input=0, output=0),
    Usage(input=50_000, output=9, cached=30_000, cache_written=15_000),
    Usage(input=300_000, output=9, cached=0, cache_written=300_000),
]
DAYS = [date(2026, 11, 22), date(2026, 12, 1), date(2027, 1, 1)]


def test_the_table_equals_the_pinned_release() -> None:
    assert Path(prices.__file__).with_name("prices.json").read_text() == written(), (
        "Run `make prices` and read the difference."
    )


@pytest.mark.parametrize("model", PRICED, ids=lambda model: model.id)
def test_a_cost_equals_the_packages_calculation(model: Model) -> None:
    for usage in USAGES:
        for day in DAYS:
            price = model.price_on(day)
            assert price is not None
            theirs = genai_prices.calc_price(
                genai_prices.Usage(
                    input_tokens=usage.input,
                    output_tokens=usage.output,
                    cache_read_tokens=usage.cached,
                    cache_write_tokens=usage.cache_written,
                ),
                model.id,
                provider_id=model.provider,
                genai_request_timestamp=datetime(day.year, day.month, day.day, 12, tzinfo=UTC),
            )
            assert price.calculate_cost(usage) == theirs.total_price


def test_a_price_missing_in_the_package_is_unknown() -> None:
    for model_id in ("gpt-6.2-sol", "claude-mythos-5", "gemini-4-carbon", "demo"):
        model = catalog.get_model(model_id)
        assert (model.context_window, model.prices, model.price) == (None, (), None)


def test_a_window_may_be_known_without_a_price_and_a_price_without_a_window() -> None:
    assert catalog.get_model("gemini-2.5-pro").context_window is None
    assert catalog.get_model("gemini-2.5-pro").price
    assert catalog.get_model("gpt-4o").context_window == 128_000


def test_a_dated_snapshot_costs_what_its_model_costs() -> None:
    known = prices.lookup_facts("anthropic", "claude-haiku-4-5-20251001")
    assert known == prices.lookup_facts("anthropic", "claude-haiku-4-5")
    assert known.prices
    assert prices.lookup_facts("openai", "gpt-4o-2024-05-13") != prices.lookup_facts(
        "openai", "gpt-4o"
    )


@pytest.mark.parametrize("provider", ["openai", "nobody"])
def test_nothing_is_known_of_an_unknown_model(provider: str) -> None:
    assert prices.lookup_facts(provider, "kelp-1") == prices.ModelFacts()


@pytest.mark.parametrize("usage", [Usage(), Usage(input=5), Usage(output=5)])
def test_without_counted_tokens_there_is_no_cost(usage: Usage) -> None:
    assert Price.from_flat_rates(Decimal(1), Decimal(2)).calculate_cost(usage) is None


def test_more_cached_tokens_than_tokens_never_cost_less_than_zero() -> None:
    price = Price.from_flat_rates(Decimal(1), Decimal(2))
    assert price.calculate_cost(Usage(input=1_000_000, output=0, cached=5_000_000)) == 1


SEA = Price(
    input=((0, Decimal(4)), (200_000, Decimal(8))),
    output=((0, Decimal(20)),),
    cached=((0, Decimal("0.4")), (200_000, Decimal("0.8"))),
    cache_written=((0, Decimal(5)), (200_000, Decimal(10))),
)


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        (Usage(input=10_000, output=0), "0.04"),
        (Usage(input=10_000, output=0, cache_written=10_000), "0.05"),
        (Usage(input=10_000, output=0, cached=8_000, cache_written=1_000), "0.0122"),
        (Usage(input=1_000_000, output=0, cached=500_000, cache_written=500_000), "5.4"),
        (Usage(input=1_000, output=0, cache_written=5_000), "0.005"),
        (Usage(input=1_000, output=0, cached=900, cache_written=900), "0.00086"),
        (Usage(input=1_000, output=0, cached=-5, cache_written=-7), "0.004"),
    ],
)
def test_tokens_of_the_cache_have_prices_of_their_own(usage: Usage, cost: str) -> None:
    assert SEA.calculate_cost(usage) == Decimal(cost)


@pytest.mark.parametrize(
    ("price", "usage", "saved"),
    [
        (SEA, Usage(input=10_000, cached=8_000), Decimal("0.0288")),
        (SEA, Usage(input=1_000_000, output=9, cached=500_000), Decimal("3.6")),
        (SEA, Usage(input=1_000, cached=9_000), Decimal("0.0036")),
        (SEA, Usage(input=1_000, cached=0, cache_written=1_000), None),
        (SEA, Usage(input=1_000, cached=-1), None),
        (SEA, Usage(input=1_000), None),
        (SEA, Usage(cached=1_000), None),
        (Price.from_flat_rates(Decimal(4), Decimal(20)), Usage(input=10_000, cached=8_000), None),
        (
            Price(input=((0, Decimal(1)),), output=(), cached=((0, Decimal(2)),)),
            Usage(9, 9, 0, 9),
            None,
        ),
    ],
)
def test_savings_are_known_and_positive_or_absent(
    price: Price, usage: Usage, saved: Decimal | None
) -> None:
    assert price.calculate_savings(usage) == saved


def test_a_price_holds_from_its_day_on() -> None:
    model = catalog.get_model("gemini-3.8-flash")
    before, after = model.price_on(date(2026, 12, 31)), model.price_on(date(2027, 1, 1))
    assert before
    assert after
    assert before.output < after.output
