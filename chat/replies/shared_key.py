"""Replies with a key of the installation: their errors name no key of the person's own."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from accounts.connections.limits import LimitRefusal
from streaming.events import SourceEvent, StreamText
from streaming.providers import errors
from streaming.providers.errors import ProviderError
from streaming.providers.reply_source import ReplySource
from streaming.sentences import gettext_noop


class LimitReached(ProviderError):
    """The person has used up a month's limit of the connection."""

    code = "limit_reached"
    default_message = gettext_noop(
        "You have used up this month’s limit for {provider}. Choose another model, or ask your "
        "administrator."
    )


MESSAGE_BY_REFUSAL: dict[LimitRefusal, str] = {
    LimitRefusal.NO_PRICE: gettext_noop(
        "This model has no known price, so it can’t be counted toward your limit for {provider}. "
        "Choose another model, or ask your administrator."
    ),
    LimitRefusal.USED_UP: LimitReached.default_message,
    LimitRefusal.RESERVED: gettext_noop(
        "Your running replies may use up the rest of this month’s limit for {provider}. Wait for "
        "one to finish, then try again."
    ),
}
"""For replies that were queued before they needed the connection."""


MESSAGE_BY_ERROR: dict[type[ProviderError], str] = {
    errors.InvalidKey: gettext_noop(
        "{provider} rejected the API key of this installation. Ask your administrator, or choose "
        "another model."
    ),
    errors.NoPermission: errors.NoPermission.keyless_message,
    errors.NoCredit: errors.NoCredit.keyless_message,
    errors.AccountSettings: gettext_noop(
        "The settings of this installation’s account at {provider} rule out this model. Choose "
        "another one."
    ),
}


class SharedKeySource(ReplySource):
    """A reply whose key is that of a connection."""

    async def events(
        self, so_far: StreamText, checkpoint: str
    ) -> AsyncGenerator[SourceEvent, None]:
        try:
            async with aclosing(super().events(so_far, checkpoint)) as events:
                async for event in events:
                    yield event
        except ProviderError as error:
            if message := MESSAGE_BY_ERROR.get(type(error)):
                error.message = message.format(provider=self.provider_name)
            raise

    @property
    def provider_name(self) -> str:
        return str(getattr(self.adapter, "name", "the provider"))
