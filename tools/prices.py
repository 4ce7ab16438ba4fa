"""Write the table of prices and context windows from the pinned release of `genai-prices`.

The package's own matching finds its entry for a model of the catalog. Prices that do not depend on
tokens, or that change with the time of the day, are left out: unknown is better than wrong.
"""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from genai_prices.data import providers
from genai_prices.types import ModelInfo, ModelPrice, Provider, StartDateConstraint, TieredPrices

from streaming.providers import catalog
from streaming.providers.catalog.naming import is_for_chat

TABLE = Path("streaming/providers/catalog/prices.json")


def main() -> None:
    TABLE.write_text(written())


def written() -> str:
    """Return the complete content of the file."""
    source = f"genai-prices {version('genai-prices')}, MIT, Pydantic Services Inc."
    tables = {provider.id: provider for provider in providers}
    models = {id: _models(tables[id]) for id in catalog.PROVIDERS if id in tables}
    lines = [
        f' "{provider}": {{\n'
        + ",\n".join(f'  "{id}": {json.dumps(entry)}' for id, entry in entries.items())
        + "\n }"
        for provider, entries in models.items()
    ]
    return f'{{"source": {json.dumps(source)},\n"models": {{\n' + ",\n".join(lines) + "\n}}\n"


def _models(provider: Provider) -> dict[str, dict[str, Any]]:
    found = {info.id: info for info in provider.models if info.name and _is_ours(provider, info.id)}
    for model in catalog.MODELS:
        if model.provider == provider.id and (info := provider.find_model(model.id)):
            found[model.id] = info
    entries = {id: _entry(info) for id, info in sorted(found.items())}
    return {id: entry for id, entry in entries.items() if entry}


def _is_ours(provider: Provider, model_id: str) -> bool:
    """Some providers also sell models of others, and models that do not chat."""
    own = provider.id != "google" or model_id.startswith("gem")
    return own and is_for_chat(model_id)


def _entry(info: ModelInfo) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    if info.context_window:
        entry["window"] = info.context_window
    if prices := _prices(info):
        entry["prices"] = prices
    return entry


def _prices(info: ModelInfo) -> list[dict[str, Any]]:
    if isinstance(info.prices, ModelPrice):
        price = _price(info.prices)
        return [price] if price else []
    prices = []
    for conditional in info.prices:
        price, when = _price(conditional.prices), conditional.constraint
        if price is None or not (when is None or isinstance(when, StartDateConstraint)):
            return []
        prices.append(price | ({"since": when.start_date.isoformat()} if when else {}))
    return prices


def _price(price: ModelPrice) -> dict[str, Any] | None:
    if price.input_mtok is None or price.output_mtok is None:
        return None
    rates = {"input": _rate(price.input_mtok), "output": _rate(price.output_mtok)}
    if price.cache_read_mtok is not None:
        rates["cached"] = _rate(price.cache_read_mtok)
    if price.cache_write_mtok is not None:
        rates["cache_written"] = _rate(price.cache_write_mtok)
    return rates


def _rate(price: Any) -> list[list[Any]]:
    if isinstance(price, TieredPrices):
        return [[0, str(price.base)], *([tier.start, str(tier.price)] for tier in price.tiers)]
    return [[0, str(price)]]


if __name__ == "__main__":
    main()
