"""What a call of a provider needs, for a stream's owner: the model, the adapter and the key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from accounts import keys
from accounts.providers import get_base_url
from accounts.sealing import SealBroken
from chat import offer
from streaming.database import run_in_db_until_answered
from streaming.models import Stream
from streaming.providers import catalog
from streaming.providers.adapter import Adapter
from streaming.providers.errors import InvalidKey, ModelNotFound
from streaming.providers.redaction import Secret
from streaming.providers.registry import get_adapter


def model(stream: Stream) -> catalog.Model:
    """The model it is to be asked of. Raises ModelNotFound if nobody serves it any more."""
    try:
        return offer.model(stream.owner, stream.arguments["model"])
    except catalog.UnknownModel as unknown:
        raise ModelNotFound(unknown.message) from None


def adapter(provider: str) -> Adapter:
    """Loads the provider's SDK, which takes a second the first time."""
    name = catalog.PROVIDERS[provider].name
    return get_adapter(provider, base_url=get_base_url(provider), name=name)


def key(stream: Stream, provider: str) -> Secret:
    """Raises InvalidKey when it was removed meanwhile, or can't be opened any more."""
    if not catalog.PROVIDERS[provider].needs_key:
        return Secret("")
    try:
        secret = keys.decrypt_for_call(stream.owner, provider)
    except SealBroken as problem:
        raise InvalidKey(str(problem)) from None
    if secret is None:
        raise InvalidKey(no_key(provider))
    return Secret(secret)


def no_key(provider: str) -> str:
    return f"No {provider} API key found. Add one in settings."


def refusal_memory(model: catalog.Model) -> Callable[[str], Awaitable[None]]:
    """Called with a parameter that the model does not take: it is never sent again."""

    async def remember(parameter: str) -> None:
        await run_in_db_until_answered(offer.remember, model, parameter)

    return remember
