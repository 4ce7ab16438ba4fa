"""The models that a person can use now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _

from accounts.models import User
from chat import model_catalog
from chat.api.catalog import list_usable_providers
from chat.api.problems import Problem
from chat.doors.gateway.errors import choose_view
from chat.doors.gateway.parameters import read_query
from streaming.providers.catalog import Model
from streaming.providers.catalog.naming import FORM_VALUE_SEPARATOR, ModelKey

UNKNOWN_TIME = 0
"""No provider says when a model was made."""


def list_models(request: HttpRequest, user: User) -> HttpResponse:
    read_query(request.GET)
    models = model_catalog.load_models(user)
    data = [build_model(find_name(models, model), model) for model in _list_usable(user, models)]
    return JsonResponse({"object": "list", "data": data})


def read_model(request: HttpRequest, user: User, id: str) -> HttpResponse:
    read_query(request.GET)
    models = model_catalog.load_models(user)
    model = model_catalog.find_model(models, id)
    if model is None or model not in _list_usable(user, models):
        text = _("The model “%(model)s” does not exist, or you have no key for it.")
        errors = [{"field": "model", "message": ""}]
        raise Problem(404, "unknown_model", text % {"model": id[:300]}, errors=errors)
    return JsonResponse(build_model(id, model))


def find_name(models: Mapping[ModelKey, Model], model: Model) -> str:
    """The shortest name that means this model: its own, or one with its provider."""
    names = [model.id, f"{model.provider}/{model.id}"]
    for name in names:
        if model_catalog.find_model(models, name) == model:
            return name
    return f"{model.provider}{FORM_VALUE_SEPARATOR}{model.id}"


def build_model(name: str, model: Model) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "created": UNKNOWN_TIME,
        "owned_by": model.provider,
    }


def _list_usable(user: User, models: Mapping[ModelKey, Model]) -> list[Model]:
    usable = list_usable_providers(user)
    return [
        model
        for model in models.values()
        if model.provider in usable and model.availability != "retired"
    ]


models = choose_view(get=list_models)
model = choose_view(get=read_model)
