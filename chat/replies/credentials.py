"""The model, the adapter and the key with which a stream's owner calls a provider, and the source
that does it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from django.utils.translation import gettext

from accounts.api_keys import keys
from accounts.connections import access as connections
from accounts.connections.access import ProviderAccess
from accounts.connections.key_answers import needs_storing, store_key_answer
from accounts.connections.limits import is_limit_reached
from accounts.ledger.models import OWN_KEY
from accounts.models import User
from accounts.sealing import SealBroken, SharedSealBroken
from chat import model_catalog
from chat.models import Message
from chat.replies import limits
from chat.replies.consumption import save_call
from chat.replies.shared_key import LimitReached, SharedKeySource
from streaming.database import run_in_db_until_answered
from streaming.events import StreamText
from streaming.models import Stream
from streaming.providers import catalog
from streaming.providers.errors import InvalidKey, ModelNotFound
from streaming.providers.optional_parts import omit_part
from streaming.providers.registry import get_adapter
from streaming.providers.reply_source import ReplySource
from streaming.providers.types import Request
from streaming.sentences import gettext_noop

MISSING_KEY = gettext_noop("No {provider} API key.")
LOST_KEY = gettext_noop(
    "Your {provider} API key can’t be decrypted any more. Please enter it again."
)


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


def open_access(stream: Stream, model: catalog.Model) -> ProviderAccess:
    """The key and the address for a call. Raises InvalidKey if the key was removed meanwhile, or
    can't be decrypted any more, and LimitReached."""
    name = catalog.PROVIDERS[model.provider].name
    try:
        access = connections.open_access(stream.owner, model.provider)
    except SealBroken as problem:
        raise InvalidKey(str(problem)) from None
    if access is None:
        sentence = _choose_missing_key_sentence(stream.owner, model.provider)
        raise InvalidKey(sentence.format(provider=name))
    if access.connection and is_limit_reached(stream.owner, access.connection):
        raise LimitReached(provider=name)
    return access


def build_source(
    stream: Stream, model: catalog.Model, request: Request, text: StreamText
) -> ReplySource:
    """The source of a reply to this request, without the parts that the server is known to refuse.
    `text` is what the stream has so far. Raises InvalidKey and LimitReached."""
    for name in model.refused_parts:
        request = omit_part(request, name)
    access = open_access(stream, model)
    connection = access.connection
    if connection:
        limits.ensure_reserve(stream, connection, model, request)
    save_call(stream, request, connection.pk if connection else OWN_KEY, text)
    # The first call imports the adapter's libraries, which takes up to a second.
    name = catalog.PROVIDERS[model.provider].name
    create_source = SharedKeySource if connection else ReplySource
    return create_source(
        get_adapter(model.provider, base_url=access.base_url, name=name),
        request,
        access.key,
        _build_unsupported_parameter_callback(model),
        _build_key_answer_callback(stream.owner, model.provider, access),
    )


def _build_unsupported_parameter_callback(
    model: catalog.Model,
) -> Callable[[str], Awaitable[None]]:
    async def store(parameter: str) -> None:
        await run_in_db_until_answered(model_catalog.store_unsupported_parameter, model, parameter)

    return store


def _build_key_answer_callback(
    user: User, provider: str, access: ProviderAccess
) -> Callable[[bool], Awaitable[None]]:
    async def store(is_accepted: bool) -> None:
        if needs_storing(access, is_accepted=is_accepted):
            await run_in_db_until_answered(store_key_answer, user, provider, access, is_accepted)

    return store


def describe_missing_key(user: User, provider: str) -> str:
    """Why this person can't use the provider."""
    sentence = gettext(_choose_missing_key_sentence(user, provider))
    return sentence.format(provider=catalog.PROVIDERS[provider].name)


def _choose_missing_key_sentence(user: User, provider: str) -> str:
    if provider in keys.providers_with_lost_key(user):
        return LOST_KEY
    _usable, lost = connections.load_connections_and_lost(user)
    return SharedSealBroken.user_message if provider in lost else MISSING_KEY
