"""The models that a user can pick, and what each of them takes."""

from __future__ import annotations

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts.models import User
from chat.model_catalog.layers import load_models
from chat.model_catalog.unsupported_parameters import store_unsupported_parameter
from streaming.providers import catalog
from streaming.providers.catalog import Model, Provider, UnknownModel

__all__ = [
    "describe_retirement",
    "get_label",
    "get_model",
    "group_by_provider",
    "load_models",
    "store_unsupported_parameter",
]


def get_model(user: User, model_id: str) -> Model:
    """The model as this user has it. Raises UnknownModel, with a message for people."""
    try:
        return load_models(user)[model_id]
    except KeyError:
        raise UnknownModel(model_id) from None


def get_label(model_id: str) -> str:
    """The catalog's name of a model, also if an administrator hid it. Otherwise the id."""
    try:
        return catalog.get_model(model_id).label
    except UnknownModel:
        return model_id


def group_by_provider(user: User) -> dict[Provider, tuple[Model, ...]]:
    return catalog.group_by_provider(load_models(user).values())


def describe_retirement(model: Model, successor: Model | None) -> str:
    values = {"provider": catalog.PROVIDERS[model.provider].name, "model": model.label}
    sentence = _("%(provider)s has shut down %(model)s.")
    if model.shutdown:
        values["day"] = date_format(model.shutdown, "j F Y")
        sentence = _("%(provider)s shut down %(model)s on %(day)s.")
    advice = _("Choose another model.")
    if successor:
        advice = _("Choose %(model)s instead.") % {"model": successor.label}
    return f"{sentence % values} {advice}"
