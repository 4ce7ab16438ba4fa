"""The model, the adapter and the key with which a stream's owner calls a provider."""

from __future__ import annotations

from django.utils.translation import gettext as _

from accounts import keys
from accounts.sealing import SealBroken
from chat import model_catalog
from streaming import model_listing
from streaming.models import Stream
from streaming.providers import base, catalog
from streaming.providers.errors import InvalidKey, ModelNotFound


def get_stream_model(stream: Stream) -> catalog.Model:
    """Raises ModelNotFound if no provider serves the model any more."""
    try:
        return model_catalog.get_model(stream.owner, stream.arguments["model"])
    except catalog.UnknownModel as unknown:
        raise ModelNotFound(unknown.message) from None


def load_adapter(provider: str) -> base.Adapter:
    """The first call imports the provider's SDK, which takes a second."""
    name = catalog.PROVIDERS[provider].name
    return base.get_adapter(provider, base_url=model_listing.get_base_url(provider), name=name)


def decrypt_key(stream: Stream, provider: str) -> str:
    """Raises InvalidKey if the key was removed meanwhile, or can't be decrypted any more."""
    if not catalog.PROVIDERS[provider].needs_key:
        return ""
    try:
        secret = keys.decrypt_for_call(stream.owner, provider)
    except SealBroken as problem:
        raise InvalidKey(str(problem)) from None
    if secret is None:
        raise InvalidKey(describe_missing_key(provider))
    return secret


def describe_missing_key(provider: str) -> str:
    return _("No %(provider)s API key.") % {"provider": catalog.PROVIDERS[provider].name}
