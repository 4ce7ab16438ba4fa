"""Parts of a request that a provider does not support for a model, such as a parameter. They are
never sent again."""

from __future__ import annotations

from dataclasses import replace

from accounts.providers import describe_address, get_base_url
from chat.model_overrides import MAX_ENDPOINT_CHARS, RefusedParameter
from streaming.providers.catalog import Model
from streaming.providers.catalog.naming import ModelKey
from streaming.sources import register_periodic_task

MAX_REWRITTEN_AT_ONCE = 200


def store_unsupported_parameter(model: Model, parameter: str) -> None:
    RefusedParameter.objects.get_or_create(
        endpoint=build_endpoint_id(model.provider), model_id=model.id, parameter=parameter
    )


def remove_unsupported_parameters(models: dict[ModelKey, Model]) -> None:
    for unsupported in RefusedParameter.objects.all():
        provider = unsupported.endpoint.partition(" ")[0]
        model = models.get(ModelKey(provider, unsupported.model_id))
        if model is not None and unsupported.endpoint == build_endpoint_id(provider):
            models[model.key] = _without_parameter(model, unsupported.parameter)


def build_endpoint_id(provider: str) -> str:
    """Rows are for one address of a provider: another server may support the parameter. The address
    may hold a password, so the id has only its host and a hash."""
    base_url = get_base_url(provider)
    described = describe_address(base_url) if base_url else ""
    return f"{provider} {described}".strip()[:MAX_ENDPOINT_CHARS]


def hide_addresses() -> None:
    """Rewrite rows in which processes of an older version stored a whole address."""
    rows = RefusedParameter.objects.filter(endpoint__contains="://")
    for row in rows[:MAX_REWRITTEN_AT_ONCE]:
        provider, _, address = row.endpoint.partition(" ")
        row.endpoint = f"{provider} {describe_address(address)}"[:MAX_ENDPOINT_CHARS]
        same = {"model_id": row.model_id, "parameter": row.parameter, "endpoint": row.endpoint}
        if RefusedParameter.objects.filter(**same).exists():
            row.delete()
        else:
            row.save(update_fields=["endpoint"])


def register_tasks() -> None:
    register_periodic_task(hide_addresses)


def _without_parameter(model: Model, name: str) -> Model:
    """A setting disappears from the page; other parts are left out of requests only."""
    return replace(
        model,
        takes_temperature=model.takes_temperature and name != "temperature",
        takes_max_tokens=model.takes_max_tokens and name != "max_tokens",
        efforts=() if name == "reasoning_effort" else model.efforts,
        refused_parts=(*model.refused_parts, name),
    )
