"""The API of models, and of the keys that a person has."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Router

from accounts.api_keys import keys
from accounts.connections.access import load_connections
from accounts.models import ApiKey, User
from chat import model_catalog
from chat.api import schemas
from chat.api.auth import ApiUser, get_user
from streaming.providers import catalog
from streaming.providers.catalog import Model, UnknownModel

router = Router(auth=ApiUser(), tags=["models and keys"])


@router.get("/models", response=schemas.ModelList, by_alias=True)
def list_models(request: HttpRequest) -> object:
    """The models that the person can choose, and for which of them there is a key."""
    user = get_user(request)
    usable = list_usable_providers(user)
    models = model_catalog.load_models(user).values()
    return schemas.ModelList(models=[_build_model(model, usable) for model in models])


@router.get("/models/support", response=schemas.ModelSupport, by_alias=True)
def check_model(request: HttpRequest, model: schemas.ModelName) -> object:
    """Whether a model can be used, and whether there is a key for it."""
    user = get_user(request)
    try:
        found = model_catalog.get_model(user, model)
    except UnknownModel as unknown:
        error = _(unknown.template).format(**unknown.values)
        return schemas.ModelSupport(
            supported=False, has_api_key=False, required_provider=None, error=error
        )
    error = ""
    if is_retired := found.availability == "retired":
        error = model_catalog.describe_retirement(found, model_catalog.load_models(user))
    return schemas.ModelSupport(
        supported=not is_retired,
        has_api_key=found.provider in list_usable_providers(user),
        required_provider=found.provider,
        error=error or None,
    )


@router.get("/keys", response=schemas.KeyList, by_alias=True)
def list_keys(request: HttpRequest) -> object:
    """The person's own keys: what may be shown of them."""
    rows = ApiKey.objects.owned_by(get_user(request))
    return schemas.KeyList(keys=[_build_key(row) for row in rows])


def list_usable_providers(user: User) -> set[str]:
    """Those that need no key, and those with one: the person's own, or one of the installation."""
    keyless = {provider.id for provider in catalog.list_providers() if not provider.needs_key}
    return keyless | set(keys.providers_with_key(user)) | load_connections(user).keys()


def _build_model(model: Model, usable: set[str]) -> schemas.ModelOut:
    return schemas.ModelOut(
        id=model.id,
        provider=model.provider,
        label=model.label,
        context_window=model.context_window,
        max_output=model.max_output,
        supported=model.availability != "retired",
        has_api_key=model.provider in usable,
        required_provider=model.provider,
    )


def _build_key(row: ApiKey) -> schemas.KeyOut:
    return schemas.KeyOut(
        id=row.pk,
        provider=row.provider,
        last_four=row.last_four,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        last_checked_at=row.last_checked_at,
        check_result=row.check_result,
    )
