"""Which models a person is offered: the catalog, what their keys' providers list, and what the
administrator says, laid over each other. `docs/decisions/models.md` says why in this order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from accounts.models import ListedModel, User
from accounts.providers import get_base_url
from chat.models import ModelOverride, RefusedParameter
from streaming.providers import catalog
from streaming.providers.catalog import Model, Provider, UnknownModel
from streaming.providers.catalog.prices import Price

NO_EFFORTS = "-"


def models(user: User) -> dict[str, Model]:
    """Every model that is known to this user by its id, also those that are retired; without
    those that the administrator hides."""
    known = {model.id: _at_its_endpoint(model) for model in catalog.all_models()}
    for row in ListedModel.objects.filter(key__user=user).select_related("key"):
        _list(known, row)
    for override in ModelOverride.objects.all():
        _override(known, override)
    for refused in RefusedParameter.objects.all():
        _take_away(known, refused)
    return known


def model(user: User, model_id: str) -> Model:
    """This model as the user has it. Raises UnknownModel, whose message says what to do."""
    try:
        return models(user)[model_id]
    except KeyError:
        raise UnknownModel(model_id) from None


def by_provider(user: User) -> dict[Provider, tuple[Model, ...]]:
    """Every provider with the models it serves today, in the order in which people see them."""
    return catalog.group_by_provider(models(user).values())


def endpoint(provider: str) -> str:
    """What refusals are remembered by: another server may take what this one refuses."""
    return f"{provider} {get_base_url(provider)}".strip()[:300]


def remember(model: Model, parameter: str) -> None:
    """Never again send this parameter to this model."""
    RefusedParameter.objects.get_or_create(
        endpoint=endpoint(model.provider), model_id=model.id, parameter=parameter
    )


def _at_its_endpoint(model: Model) -> Model:
    """Behind another address nobody knows what a model costs."""
    return replace(model, prices=()) if get_base_url(model.provider) else model


def _list(known: dict[str, Model], row: ListedModel) -> None:
    """What the provider says of a model is newer than what we knew, as far as it says it."""
    provider = catalog.PROVIDERS.get(row.key.provider)
    if provider is None:
        return
    before = known.get(row.model_id) or _at_its_endpoint(
        catalog.model_from_id(row.model_id, provider)
    )
    if before.provider != provider.id:
        return  # the id is somebody else's
    unnamed = before.label == before.id
    known[row.model_id] = replace(
        before,
        label=(row.label or before.label) if unnamed else before.label,
        context_window=row.context_window or before.context_window,
        max_output=row.max_output or before.max_output,
        shutdown=row.shutdown or before.shutdown,
        retired=before.retired or row.lifecycle == "retired",
    )


def _override(known: dict[str, Model], row: ModelOverride) -> None:
    if row.hidden:
        known.pop(row.model_id, None)
        return
    before = known.get(row.model_id)
    if before is None:
        provider = catalog.PROVIDERS.get(row.provider)
        if provider is None:
            return
        before = _at_its_endpoint(catalog.model_from_id(row.model_id, provider))
    known[row.model_id] = replace(
        before,
        label=row.label or before.label,
        context_window=row.context_window or before.context_window,
        max_output=row.max_output or before.max_output,
        takes_temperature=(
            before.takes_temperature if row.takes_temperature is None else row.takes_temperature
        ),
        efforts=_efforts(row.efforts, before.efforts),
        prices=_prices(row, before.prices),
    )


def _efforts(written: str, before: tuple[str, ...]) -> tuple[str, ...]:
    if not written.strip():
        return before
    return tuple(w for part in written.split(",") if (w := part.strip()) and w != NO_EFFORTS)


def _prices(row: ModelOverride, before: tuple[Price, ...]) -> tuple[Price, ...]:
    if row.input_price is None or row.output_price is None:
        return before
    return (Price.from_flat_rates(row.input_price, row.output_price),)


def _take_away(known: dict[str, Model], refused: RefusedParameter) -> None:
    before = known.get(refused.model_id)
    if before is None or refused.endpoint != endpoint(before.provider):
        return
    known[refused.model_id] = without(before, [refused.parameter])


def without(model: Model, parameters: Iterable[str]) -> Model:
    """The model as one that takes none of these parameters of a Request."""
    gone = set(parameters)
    return replace(
        model,
        takes_temperature=model.takes_temperature and "temperature" not in gone,
        takes_max_tokens=model.takes_max_tokens and "max_tokens" not in gone,
        efforts=() if "reasoning_effort" in gone else model.efforts,
    )
