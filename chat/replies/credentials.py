"""What a call of a provider needs, for a stream's owner: the model, the adapter and the key."""

from __future__ import annotations

from accounts import keys
from accounts.sealing import SealBroken
from chat import model_catalog
from streaming import model_listing
from streaming.models import Stream
from streaming.providers import base, catalog
from streaming.providers.errors import InvalidKey, ModelNotFound


def get_stream_model(stream: Stream) -> catalog.Model:
    """The model it is to be asked of. Raises ModelNotFound if nobody serves it any more."""
    try:
        return model_catalog.get_model(stream.owner, stream.arguments["model"])
    except catalog.UnknownModel as unknown:
        raise ModelNotFound(unknown.message) from None


def load_adapter(provider: str) -> base.Adapter:
    """Loads the provider's SDK, which takes a second the first time."""
    name = catalog.PROVIDERS[provider].name
    return base.get_adapter(provider, base_url=model_listing.get_base_url(provider), name=name)


def decrypt_key(stream: Stream, provider: str) -> str:
    """Raises InvalidKey when it was removed meanwhile, or can't be opened any more."""
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
    return f"No {provider} API key found. Add one in settings."
