"""The models that a user can pick, and what each of them takes."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts.models import User
from chat.model_catalog.layers import load_models
from chat.model_catalog.unsupported_parameters import store_unsupported_parameter
from streaming.providers import catalog
from streaming.providers.catalog import Model, UnknownModel
from streaming.providers.catalog.naming import ModelKey, find_model

__all__ = [
    "describe_retirement",
    "find_model",
    "get_full_name",
    "get_label",
    "get_model",
    "load_models",
    "store_unsupported_parameter",
]


def get_model(user: User, model_id: str, provider: str = "") -> Model:
    """The model as this user has it: see `find_model`. Raises UnknownModel, with a message for
    people."""
    model = find_model(load_models(user), model_id, provider)
    if model is None:
        raise UnknownModel(model_id, provider)
    return model


def get_label(model_id: str, provider: str = "") -> str:
    """The catalog's name of a model, also if an administrator hid it. Otherwise the id."""
    try:
        return catalog.get_model(model_id, provider).label
    except UnknownModel:
        return model_id


def get_full_name(model_id: str, provider: str) -> str:
    """The name at the provider, and the provider unless the catalog has this model: a name alone
    tells no server from another."""
    known = catalog.PROVIDERS.get(provider)
    try:
        is_in_catalog = catalog.get_model(model_id, provider).is_known_by_name
    except UnknownModel:
        is_in_catalog = False
    return model_id if is_in_catalog or known is None else f"{model_id} · {known.name}"


def describe_retirement(model: Model, models: Mapping[ModelKey, Model]) -> str:
    """`models` are those that the user may know, among them the successor."""
    successor = models.get(ModelKey(model.provider, model.successor))
    values = {"provider": catalog.PROVIDERS[model.provider].name, "model": model.label}
    sentence = _("%(provider)s has shut down %(model)s.")
    if model.shutdown:
        values["day"] = date_format(model.shutdown, "j F Y")
        sentence = _("%(provider)s shut down %(model)s on %(day)s.")
    advice = _("Choose another model.")
    if successor:
        advice = _("Choose %(model)s instead.") % {"model": successor.label}
    return f"{sentence % values} {advice}"
