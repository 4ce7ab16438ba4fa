"""Whether a user can use the model they picked, and what to do if not."""

from __future__ import annotations

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts import keys
from accounts.models import User
from chat import model_catalog
from chat.replies.credentials import describe_missing_key
from chat.replies.errors import ReplyRejected
from streaming.providers import catalog


def require_model(user: User, model_id: str) -> catalog.Model:
    """The model as this user's catalog describes it. Raises ReplyRejected if it can't be used."""
    models = model_catalog.load_models(user)
    model = models.get(model_id)
    if model is None:
        raise ReplyRejected("unknown_model", catalog.UnknownModel(model_id).message)
    if model.lifecycle == "retired":
        message = describe_retirement(model, models.get(model.successor))
        raise ReplyRejected("retired_model", message)
    provider = catalog.PROVIDERS[model.provider]
    if provider.needs_key and provider.id not in keys.providers_with_key(user):
        raise ReplyRejected("no_key", describe_missing_key(provider.id))
    return model


def describe_retirement(model: catalog.Model, successor: catalog.Model | None) -> str:
    """When the provider shut the model down, and which one to pick instead."""
    values = {"provider": catalog.PROVIDERS[model.provider].name, "model": model.label}
    sentence = _("%(provider)s has shut down %(model)s.")
    if model.shutdown:
        values["day"] = date_format(model.shutdown, "j F Y")
        sentence = _("%(provider)s shut down %(model)s on %(day)s.")
    advice = _("Pick another model.")
    if successor:
        advice = _("Pick %(model)s instead.") % {"model": successor.label}
    return f"{sentence % values} {advice}"
