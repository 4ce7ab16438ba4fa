"""The one list of providers and models, with the parameters that each model takes.

It is read from `models.toml` and `prices.json` beside it. A provider's own list and an
administrator's overrides are laid over it elsewhere, where there is a database.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

from streaming.providers.catalog.naming import (
    FORM_VALUE_SEPARATOR,
    ModelKey,
    build_form_value,
    find_model,
)
from streaming.providers.catalog.options import ServerOptions
from streaming.providers.catalog.prices import Price, lookup_facts
from streaming.sentences import gettext_noop

Availability = Literal["active", "deprecated", "retired"]


def today() -> date:
    """The day that decides which models are retired and which prices apply."""
    return datetime.now(UTC).date()


CHAT_COMPLETIONS = "streaming.providers.openai.chat_completions:CompatibleAdapter"


@dataclass(frozen=True, slots=True)
class Provider:
    """A service with models. Without `needs_key` everybody can use it.

    `adapter` is the dotted path of its adapter's class, which is imported on first use. Without one
    the provider is called with OpenAI's Chat Completions at its `base_url`. `base_url_setting`
    names the setting with which an administrator sends its requests elsewhere than to its
    `official_host`.
    """

    id: str
    name: str
    needs_key: bool
    base_url: str = ""
    adapter: str = CHAT_COMPLETIONS
    base_url_setting: str = ""
    official_host: str = ""
    options: ServerOptions | None = None
    is_connection: bool = False
    """Whether an administrator gave it to people, who can't have keys of their own for it."""
    model_defaults: tuple[tuple[str, Any], ...] = ()
    """Attributes of its models, with values."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model, and its limits in tokens; None is unknown and never guessed.

    `id` is its name at the provider. It takes one of `efforts` as reasoning effort; without any, it
    takes none. `refused_parts` are parts of a request that its server refuses (`optional_parts`).
    From `shutdown` on the provider no longer serves it. `retired` models are gone since an unknown
    day. If it `is_known_by_name`, forms name it without its provider.
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
    is_known_by_name: bool = False
    refused_parts: tuple[str, ...] = ()

    @property
    def key(self) -> ModelKey:
        return ModelKey(self.provider, self.id)

    @property
    def form_value(self) -> str:
        return self.id if self.is_known_by_name else build_form_value(self.provider, self.id)

    @property
    def availability(self) -> Availability:
        return self.availability_on(today())

    def availability_on(self, day: date) -> Availability:
        if self.retired or (self.shutdown and day >= self.shutdown):
            return "retired"
        return "deprecated" if self.shutdown else "active"

    @property
    def price(self) -> Price | None:
        """Today's price; None if it is unknown."""
        return self.price_on(today())

    def price_on(self, day: date) -> Price | None:
        return next((p for p in reversed(self.prices) if p.since <= day), None)


UNKNOWN_MODEL = gettext_noop(
    "No provider here serves the model “{model}”. Choose one from the list."
)


UNKNOWN_AT_PROVIDER = gettext_noop(
    "{provider} does not serve the model “{model}”. Choose one from the list."
)


class UnknownModel(LookupError):
    """No provider, or not the given one, serves this model. Without a provider, `model_id` may be
    the value of a form."""

    def __init__(self, model_id: str, provider_id: str = "") -> None:
        if not provider_id:
            provider_id, model_id = parse_form_value(model_id)
        provider = PROVIDERS.get(provider_id)
        self.template = UNKNOWN_AT_PROVIDER if provider_id else UNKNOWN_MODEL
        self.values = {
            "model": model_id if len(model_id) <= 80 else model_id[:79] + "…",
            "provider": provider.name if provider else provider_id,
        }
        self.message = self.template.format(**self.values)
        super().__init__(self.message)


PROVIDERS: dict[str, Provider] = {
    provider.id: provider
    for provider in (
        Provider(
            "demo",
            "Demo",
            needs_key=False,
            adapter="streaming.providers.demo.adapter:DemoAdapter",
        ),
        Provider(
            "openai",
            "OpenAI",
            needs_key=True,
            adapter="streaming.providers.openai.auto:OpenAIAdapter",
            base_url_setting="OPENAI_BASE_URL",
            official_host="api.openai.com",
        ),
        Provider(
            "anthropic",
            "Anthropic",
            needs_key=True,
            adapter="streaming.providers.anthropic:AnthropicAdapter",
            base_url_setting="ANTHROPIC_BASE_URL",
            official_host="api.anthropic.com",
        ),
        Provider(
            "google",
            "Google",
            needs_key=True,
            adapter="streaming.providers.google:GoogleAdapter",
            base_url_setting="GOOGLE_GEMINI_BASE_URL",
            official_host="generativelanguage.googleapis.com",
        ),
    )
}
"""In the order of the pages. A new API is a module and a row here."""


def model_from_id(model_id: str, provider: Provider) -> Model:
    """A model that is not in `models.toml`, with the few facts that are known of it."""
    facts = lookup_facts(provider.id, model_id)
    model = Model(
        model_id,
        provider.id,
        label=model_id,
        takes_temperature=bool(provider.base_url),
        context_window=facts.context_window,
        prices=facts.prices,
    )
    return replace(model, **dict(provider.model_defaults))


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
        is_known_by_name=True,
    )


_MODELS_TOML = tomllib.loads(Path(__file__).with_name("models.toml").read_text())
MODELS: tuple[Model, ...] = tuple(_parse_model(entry) for entry in _MODELS_TOML["model"])

_MODELS_BY_KEY = {entry.key: entry for entry in MODELS}


DEMO_PROVIDER = "demo"
"""The provider for trying Holdfast without a key."""


def pick_default_model(models: Collection[Model], listed_ids: Collection[str] = ()) -> Model | None:
    """The default of one provider's models: the first active one that the provider lists, or the
    first active one if it lists none of them."""
    served = [model for model in models if model.id in listed_ids] or models
    active = [model for model in served if model.availability == "active"]
    return next(iter(active or served), None)


def parse_form_value(text: str) -> ModelKey:
    """How to show the value of a form that names no model: `find_model` reads those that do."""
    provider, _, name = text.partition(FORM_VALUE_SEPARATOR)
    return ModelKey(provider, name) if provider in PROVIDERS else ModelKey("", text)


def list_providers() -> tuple[Provider, ...]:
    """All known ones at this moment: another thread may register one."""
    return tuple(PROVIDERS.values())


def register_provider(provider: Provider, models: tuple[Model, ...]) -> None:
    PROVIDERS[provider.id] = provider
    for entry in models:
        _MODELS_BY_KEY.setdefault(entry.key, entry)


def all_models() -> tuple[Model, ...]:
    """Includes the models of configured providers, and retired ones."""
    return tuple(_MODELS_BY_KEY.values())


def get_model(model_id: str, provider: str = "") -> Model:
    """See `find_model`. Raises `UnknownModel`, whose message says what to do."""
    model = find_model(_MODELS_BY_KEY, model_id, provider)
    if model is None:
        raise UnknownModel(model_id, provider)
    return model


def group_by_provider(models: Collection[Model]) -> dict[Provider, tuple[Model, ...]]:
    """Every provider, in the order of the pages, with those of the given models that it serves
    today."""
    day = today()
    return {
        provider: tuple(
            entry
            for entry in models
            if entry.provider == provider.id and entry.availability_on(day) != "retired"
        )
        for provider in list_providers()
    }
