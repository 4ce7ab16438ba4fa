"""The model, the adapter and the key with which a stream's owner calls a provider, and the source
that does it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from django.utils.translation import gettext

from accounts.api_keys import keys
from accounts.ledger.models import OWN_KEY
from accounts.providers import get_base_url
from accounts.sealing import SealBroken
from chat import model_catalog
from chat.models import Message
from chat.replies.consumption import save_call
from streaming.database import run_in_db_until_answered
from streaming.models import Stream
from streaming.providers import catalog
from streaming.providers.adapter import Adapter
from streaming.providers.errors import InvalidKey, ModelNotFound
from streaming.providers.optional_parts import omit_part
from streaming.providers.redaction import Secret
from streaming.providers.registry import get_adapter
from streaming.providers.reply_source import ReplySource
from streaming.providers.types import Request
from streaming.sentences import gettext_noop

MISSING_KEY = gettext_noop("No {provider} API key.")


def get_stream_model(stream: Stream) -> catalog.Model:
    """Raises ModelNotFound if the provider doesn't serve the model any more.

    A stream of an older version has no provider. It is that of the message, whose provider also
    writes the title.
    """
    models = model_catalog.load_models(stream.owner)
    name, provider = stream.arguments["model"], stream.arguments.get("provider", "")
    if not provider:
        answer = Message.objects.filter(pk=stream.arguments["message"])
        known = answer.values_list("model", "provider").first() or ("", "")
        if known[0] == name or model_catalog.find_model(models, name, known[1]):
            provider = known[1]
    model = model_catalog.find_model(models, name, provider)
    if model is None:
        raise ModelNotFound(catalog.UnknownModel(name, provider).message)
    return model


def load_adapter(provider: str) -> Adapter:
    """The first call imports the adapter's libraries, which takes up to a second."""
    name = catalog.PROVIDERS[provider].name
    return get_adapter(provider, base_url=get_base_url(provider), name=name)


def decrypt_key(stream: Stream, provider: str) -> Secret:
    """Raises InvalidKey if the key was removed meanwhile, or can't be decrypted any more."""
    if not catalog.PROVIDERS[provider].needs_key:
        return Secret("")
    try:
        secret = keys.decrypt_for_call(stream.owner, provider)
    except SealBroken as problem:
        raise InvalidKey(str(problem)) from None
    if secret is None:
        raise InvalidKey(MISSING_KEY.format(provider=catalog.PROVIDERS[provider].name))
    return Secret(secret)


def build_source(stream: Stream, model: catalog.Model, request: Request) -> ReplySource:
    """The source of a reply to this request, without the parts that the server is known to refuse.
    Raises InvalidKey."""
    for name in model.refused_parts:
        request = omit_part(request, name)
    key = decrypt_key(stream, model.provider)
    save_call(stream, request, OWN_KEY)
    return ReplySource(
        load_adapter(model.provider),
        request,
        key,
        _build_unsupported_parameter_callback(model),
    )


def _build_unsupported_parameter_callback(
    model: catalog.Model,
) -> Callable[[str], Awaitable[None]]:
    async def store(parameter: str) -> None:
        await run_in_db_until_answered(model_catalog.store_unsupported_parameter, model, parameter)

    return store


def describe_missing_key(provider: str) -> str:
    return gettext(MISSING_KEY).format(provider=catalog.PROVIDERS[provider].name)
