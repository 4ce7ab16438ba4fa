"""The catalog, the lists of the user's providers and the administrator's overrides, laid over each
other in this order. `docs/decisions/0003` gives the reasons."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from accounts.connections.access import load_connections
from accounts.models import ListedModel, User
from accounts.providers import get_base_url
from accounts.server_lists import load_listed_models, load_model_infos
from chat.model_catalog.unsupported_parameters import remove_unsupported_parameters
from chat.models import ModelOverride
from streaming.providers import catalog
from streaming.providers.catalog import Model
from streaming.providers.catalog.naming import ModelKey, find_model
from streaming.providers.catalog.prices import Price
from streaming.providers.types import ModelInfo

NO_EFFORTS = "-"
"""An administrator's value for a model without reasoning efforts; an empty value changes
nothing."""


def load_models(user: User) -> dict[ModelKey, Model]:
    """All models that this user may know: with retired ones, without hidden ones. Those of the
    catalog come first."""
    models = {model.key: _drop_unknown_prices(model) for model in catalog.all_models()}
    own = list(ListedModel.objects.owned_by(user).select_related("key"))
    for row in own:
        _apply_listing(models, row.key.provider, row.to_info())
    listed_by_own_keys = {row.key.provider for row in own}
    for provider, connection in load_connections(user).items():
        if provider not in listed_by_own_keys:  # the person's own key counts first
            for listed in load_model_infos(connection.listed):
                _apply_listing(models, provider, listed)
    for provider, listed_models in load_listed_models().items():
        for listed in listed_models:
            _apply_listing(models, provider, listed)
    for override in ModelOverride.objects.all():
        _apply_override(models, override)
    remove_unsupported_parameters(models)
    _mark_unique_names(models)
    return models


def _drop_unknown_prices(model: Model) -> Model:
    """The catalog's prices are those of the provider's own address."""
    return replace(model, prices=()) if get_base_url(model.provider) else model


def _apply_listing(models: dict[ModelKey, Model], provider_id: str, row: ModelInfo) -> None:
    provider = catalog.PROVIDERS.get(provider_id)
    if provider is None:
        return
    key = ModelKey(provider.id, row.id)
    model = models.get(key) or _drop_unknown_prices(catalog.model_from_id(row.id, provider))
    has_no_label = model.label == model.id
    window, output = row.context_window, row.max_output
    if provider.options:  # the administrator has configured its models
        window, output = model.context_window or window, model.max_output or output
    models[key] = replace(
        model,
        label=(row.label or model.label) if has_no_label else model.label,
        context_window=window or model.context_window,
        max_output=output or model.max_output,
        shutdown=row.shutdown or model.shutdown,
        retired=model.retired or row.availability == "retired",
    )


def _apply_override(models: dict[ModelKey, Model], row: ModelOverride) -> None:
    model = find_model(models, row.model_id, row.provider)
    if row.hidden:
        if model is not None:
            del models[model.key]
        return
    if model is None:
        provider = catalog.PROVIDERS.get(row.provider)
        if provider is None:
            return
        model = _drop_unknown_prices(catalog.model_from_id(row.model_id, provider))
    models[model.key] = replace(
        model,
        label=row.label or model.label,
        context_window=row.context_window or model.context_window,
        max_output=row.max_output or model.max_output,
        takes_temperature=(
            model.takes_temperature if row.takes_temperature is None else row.takes_temperature
        ),
        efforts=_merge_efforts(row.efforts, model.efforts),
        prices=_merge_prices(row, model.prices),
    )


def _mark_unique_names(models: dict[ModelKey, Model]) -> None:
    """Other models of the catalog's providers are known by their names as well, unless another
    provider has the same name. Links and tabs have such names."""
    counts = Counter(key.name for key in models)
    for key, model in models.items():
        is_configured = bool(catalog.PROVIDERS[key.provider].base_url)
        if not model.is_known_by_name and not is_configured and counts[key.name] == 1:
            models[key] = replace(model, is_known_by_name=True)


def _merge_efforts(override: str, current: tuple[str, ...]) -> tuple[str, ...]:
    if not override.strip():
        return current
    return tuple(w for part in override.split(",") if (w := part.strip()) and w != NO_EFFORTS)


def _merge_prices(row: ModelOverride, current: tuple[Price, ...]) -> tuple[Price, ...]:
    if row.input_price is None or row.output_price is None:
        return current
    return (Price.from_flat_rates(row.input_price, row.output_price),)
