"""Which providers and models there are, and what each model takes: the one list of both.

It is read from `models.toml` and `prices.json` beside it and asks nobody. What a provider's own
list and an administrator know better comes on top of it elsewhere, where there is a database.
"""

import re
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

from .prices import Price, lookup_facts

Lifecycle = Literal["active", "deprecated", "retired"]


def today() -> date:
    """The day by which models are retired and prices change."""
    return datetime.now(UTC).date()


@dataclass(frozen=True, slots=True)
class Provider:
    """Someone who serves models. Without `needs_key` it works for everybody.

    One with a `base_url` of its own speaks OpenAI's Chat Completions there.
    """

    id: str
    name: str
    needs_key: bool
    base_url: str = ""


@dataclass(frozen=True, slots=True)
class Model:
    """A model, and its limits in tokens; None is unknown and never guessed.

    It takes one of `efforts` as reasoning effort, or none at all. From `shutdown` on the provider
    no longer serves it; `retired` is for those that are gone since nobody knows when.
    """

    id: str
    provider: str
    label: str
    takes_temperature: bool = False
    takes_max_tokens: bool = True
    context_window: int | None = None
    max_output: int | None = None
    efforts: tuple[str, ...] = ()
    shutdown: date | None = None
    retired: bool = False
    successor: str = ""
    prices: tuple[Price, ...] = ()

    @property
    def lifecycle(self) -> Lifecycle:
        """How it stands today."""
        return self.lifecycle_on(today())

    def lifecycle_on(self, day: date) -> Lifecycle:
        if self.retired or (self.shutdown and day >= self.shutdown):
            return "retired"
        return "deprecated" if self.shutdown else "active"

    @property
    def price(self) -> Price | None:
        """What it costs today, where that is known."""
        return self.price_on(today())

    def price_on(self, day: date) -> Price | None:
        return next((p for p in reversed(self.prices) if p.since <= day), None)


class UnknownModel(LookupError):
    """Nobody in the catalog serves this model."""

    def __init__(self, model_id: str) -> None:
        shown = model_id if len(model_id) <= 80 else model_id[:79] + "…"
        self.message = f"No provider here serves the model “{shown}”. Pick one from the list."
        super().__init__(self.message)


PROVIDERS: dict[str, Provider] = {
    provider.id: provider
    for provider in (
        Provider("demo", "Demo", needs_key=False),
        Provider("openai", "OpenAI", needs_key=True),
        Provider("anthropic", "Anthropic", needs_key=True),
        Provider("google", "Google", needs_key=True),
    )
}


PROVIDER_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}")


class InvalidProviderConfig(ValueError):
    """A row of configuration that describes no provider; its text says what is wrong."""


def parse_provider_config(row: Any) -> tuple[Provider, tuple[Model, ...]]:
    """The provider that a row of configuration describes, and the models it names.

    Nothing is known of such models but their names; they take whatever a chat completion has,
    and what a server refuses is left out from then on. Raises `InvalidProviderConfig`.
    """
    if not isinstance(row, dict) or not PROVIDER_ID.fullmatch(str(row.get("id", ""))):
        raise InvalidProviderConfig(
            f"{row!r} needs an “id” of lower-case letters, digits, - and _."
        )
    if row["id"] in PROVIDERS:
        raise InvalidProviderConfig(f"There is already a provider {row['id']!r}.")
    if not re.match("https?://", str(row.get("url", ""))):
        raise InvalidProviderConfig(
            f"{row['id']!r} needs a “url” that begins with http:// or https://."
        )
    provider = Provider(
        row["id"], str(row.get("name") or row["id"]), bool(row.get("needs_key")), row["url"]
    )
    names = row.get("models", [])
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise InvalidProviderConfig(f"“models” of {row['id']!r} must be a list of names.")
    return provider, tuple(model_from_id(name, provider) for name in names)


def model_from_id(model_id: str, provider: Provider) -> Model:
    """A model that is not in `models.toml`, with what can be said of it nevertheless."""
    facts = lookup_facts(provider.id, model_id)
    return Model(
        model_id,
        provider.id,
        label=model_id,
        takes_temperature=bool(provider.base_url),
        context_window=facts.context_window,
        prices=facts.prices,
    )


def _parse_model(entry: dict[str, Any]) -> Model:
    facts = lookup_facts(entry["provider"], entry["id"])
    return Model(
        id=entry["id"],
        provider=entry["provider"],
        label=entry["label"],
        takes_temperature=entry.get("temperature", False),
        takes_max_tokens=entry.get("max_tokens", True),
        context_window=facts.context_window,
        max_output=entry.get("max_output"),
        efforts=tuple(entry.get("efforts", ())),
        shutdown=entry.get("shutdown"),
        retired=entry.get("retired", False),
        successor=entry.get("successor", ""),
        prices=facts.prices,
    )


_MODELS_TOML = tomllib.loads(Path(__file__).with_name("models.toml").read_text())
MODELS: tuple[Model, ...] = tuple(_parse_model(entry) for entry in _MODELS_TOML["model"])

_MODELS_BY_ID = {entry.id: entry for entry in MODELS}


DEMO_PROVIDER = "demo"
"""The provider that is for trying only."""


def pick_default_model(models: Collection[Model], listed_ids: Collection[str] = ()) -> Model | None:
    """The model to begin with of those of one provider: the first in their order that is not on
    its way out, of those that the provider lists where it lists any."""
    served = [model for model in models if model.id in listed_ids] or models
    active = [model for model in served if model.lifecycle == "active"]
    return next(iter(active or served), None)


def register_provider(provider: Provider, models: tuple[Model, ...]) -> None:
    """Add a provider of the configuration. A model that is here already stays whose it was."""
    PROVIDERS[provider.id] = provider
    for entry in models:
        _MODELS_BY_ID.setdefault(entry.id, entry)


def all_models() -> tuple[Model, ...]:
    """All that are known, the configuration's rows and the retired ones included."""
    return tuple(_MODELS_BY_ID.values())


def get_model(model_id: str) -> Model:
    """The model with this id; raises `UnknownModel`, whose message says what to do."""
    try:
        return _MODELS_BY_ID[model_id]
    except KeyError:
        raise UnknownModel(model_id) from None


def group_by_provider(models: Collection[Model]) -> dict[Provider, tuple[Model, ...]]:
    """Every provider with those of these models it serves today, in the order in which people see
    them."""
    day = today()
    return {
        provider: tuple(
            entry
            for entry in models
            if entry.provider == provider.id and entry.lifecycle_on(day) != "retired"
        )
        for provider in PROVIDERS.values()
    }


# Providers list what they serve without saying what it is for.
NOT_FOR_CHAT = re.compile(
    r"embed|whisper|tts|audio|realtime|transcri|translate|image|dall-e|moderation|sora|veo|imagen"
    r"|lyria|omni-|robotics|computer-use|deep-research|search|rerank|nano-banana|babbage|davinci"
    r"|aqa|3\.5-turbo-instruct|(^|-)live(-|$)",
    re.IGNORECASE,
)


def is_for_chat(model_id: str) -> bool:
    """Whether a model of a provider's list can be talked to, as far as its name tells."""
    return not NOT_FOR_CHAT.search(model_id)
