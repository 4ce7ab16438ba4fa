"""The models that a user can pick, and what each of them takes."""

from __future__ import annotations

from accounts.models import User
from chat.model_catalog.layers import load_models
from chat.model_catalog.refusals import remember_refusal
from streaming.providers import catalog
from streaming.providers.catalog import Model, Provider, UnknownModel

__all__ = ["get_model", "group_by_provider", "load_models", "remember_refusal"]


def get_model(user: User, model_id: str) -> Model:
    """The model as this user has it. Raises UnknownModel, with a message for people."""
    try:
        return load_models(user)[model_id]
    except KeyError:
        raise UnknownModel(model_id) from None


def group_by_provider(user: User) -> dict[Provider, tuple[Model, ...]]:
    """The models that each provider serves today, in the order of the catalog."""
    return catalog.group_by_provider(load_models(user).values())
