"""Which models a person is offered: the catalog, what their keys' providers list, and what the
administrator says, laid over each other. `docs/decisions/0003` says why in this order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from accounts.models import ListedModel, User
from chat.models import ModelOverride, RefusedParameter
from streaming import model_listing
from streaming.providers import catalog
from streaming.providers.catalog import Model, Provider, UnknownModel
from streaming.providers.prices import Price

NO_EFFORTS = "-"


def load_models(user: User) -> dict[str, Model]:
    """Every model that is known to this user by its id, also those that are retired; without
    those that the administrator hides."""
    known = {model.id: _drop_unknown_prices(model) for model in catalog.all_models()}
    for row in ListedModel.objects.filter(key__user=user).select_related("key"):
        _apply_listing(known, row)
    for override in ModelOverride.objects.all():
        _apply_override(known, override)
    for refused in RefusedParameter.objects.all():
        _apply_refusal(known, refused)
    return known


def get_model(user: User, model_id: str) -> Model:
    """This model as the user has it. Raises UnknownModel, whose message says what to do."""
    try:
        return load_models(user)[model_id]
    except KeyError:
        raise UnknownModel(model_id) from None


def group_by_provider(user: User) -> dict[Provider, tuple[Model, ...]]:
    """Every provider with the models it serves today, in the order in which people see them."""
    return catalog.group_by_provider(load_models(user).values())


def build_endpoint_id(provider: str) -> str:
    """What refusals are remembered by: another server may take what this one refuses."""
    return f"{provider} {model_listing.get_base_url(provider)}".strip()[:300]


def remember_refusal(model: Model, parameter: str) -> None:
    """Never again send this parameter to this model."""
    RefusedParameter.objects.get_or_create(
        endpoint=build_endpoint_id(model.provider), model_id=model.id, parameter=parameter
    )


def _drop_unknown_prices(model: Model) -> Model:
    """Behind another address nobody knows what a model costs."""
    return replace(model, prices=()) if model_listing.get_base_url(model.provider) else model


def _apply_listing(models_by_id: dict[str, Model], row: ListedModel) -> None:
    """What the provider says of a model is newer than what we knew, as far as it says it."""
    provider = catalog.PROVIDERS.get(row.key.provider)
    if provider is None:
        return
    before = models_by_id.get(row.model_id) or _drop_unknown_prices(
        catalog.model_from_id(row.model_id, provider)
    )
    if before.provider != provider.id:
        return  # the id is somebody else's
    unnamed = before.label == before.id
    models_by_id[row.model_id] = replace(
        before,
        label=(row.label or before.label) if unnamed else before.label,
        context_window=row.context_window or before.context_window,
        max_output=row.max_output or before.max_output,
        shutdown=row.shutdown or before.shutdown,
        retired=before.retired or row.lifecycle == "retired",
    )


def _apply_override(models_by_id: dict[str, Model], row: ModelOverride) -> None:
    if row.hidden:
        models_by_id.pop(row.model_id, None)
        return
    before = models_by_id.get(row.model_id)
    if before is None:
        provider = catalog.PROVIDERS.get(row.provider)
        if provider is None:
            return
        before = _drop_unknown_prices(catalog.model_from_id(row.model_id, provider))
    models_by_id[row.model_id] = replace(
        before,
        label=row.label or before.label,
        context_window=row.context_window or before.context_window,
        max_output=row.max_output or before.max_output,
        takes_temperature=(
            before.takes_temperature if row.takes_temperature is None else row.takes_temperature
        ),
        efforts=_merge_efforts(row.efforts, before.efforts),
        prices=_merge_prices(row, before.prices),
    )


def _merge_efforts(override: str, current: tuple[str, ...]) -> tuple[str, ...]:
    if not override.strip():
        return current
    return tuple(w for part in override.split(",") if (w := part.strip()) and w != NO_EFFORTS)


def _merge_prices(row: ModelOverride, current: tuple[Price, ...]) -> tuple[Price, ...]:
    if row.input_price is None or row.output_price is None:
        return current
    return (Price.from_flat_rates(row.input_price, row.output_price),)


def _apply_refusal(models_by_id: dict[str, Model], refused: RefusedParameter) -> None:
    before = models_by_id.get(refused.model_id)
    if before is None or refused.endpoint != build_endpoint_id(before.provider):
        return
    models_by_id[refused.model_id] = without_parameters(before, [refused.parameter])


def without_parameters(model: Model, parameters: Iterable[str]) -> Model:
    """The model as one that takes none of these parameters of a Request."""
    gone = set(parameters)
    return replace(
        model,
        takes_temperature=model.takes_temperature and "temperature" not in gone,
        takes_max_tokens=model.takes_max_tokens and "max_tokens" not in gone,
        efforts=() if "reasoning_effort" in gone else model.efforts,
    )
