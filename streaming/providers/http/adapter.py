"""The adapter of every provider that is reached over HTTP: its wire, and the calls over it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import Any, TypeVar

from streaming.providers import errors
from streaming.providers.adapter import ReplyEvent
from streaming.providers.http.call import ProviderCall
from streaming.providers.http.model_list import MAX_LIST_BYTES
from streaming.providers.http.wire import HttpWire
from streaming.providers.key_filter import KeyFilter
from streaming.providers.redaction import Secret
from streaming.providers.types import ModelInfo, Request

T = TypeVar("T")


class HttpAdapter(HttpWire):
    """See `HttpWire` for what a provider adds, and `ProviderCall` for what is promised."""

    def stream(self, request: Request, key: Secret) -> AsyncGenerator[ReplyEvent, None]:
        """Stream one reply. Raises `errors.ProviderError`; cancelling closes the connection."""
        return ProviderCall(self, request, key).events()

    async def list_models(self, key: Secret) -> tuple[ModelInfo, ...]:
        """The models that the provider lists for this key. Raises `errors.ProviderError`."""
        failure: errors.ProviderError
        try:
            models = await self.run_request(key, self.fetch_models)
            return self._leave_out_keys(models, key)
        except errors.ProviderError as error:
            failure = error
        if failure.status is None and type(failure) in (
            errors.ProviderError,
            errors.UnreadableList,
        ):
            failure = errors.UnreadableList(provider=self.name, detail=failure.detail)
        raise failure

    def _leave_out_keys(self, models: Iterable[ModelInfo], key: Secret) -> tuple[ModelInfo, ...]:
        """Lists are stored and shown. A server may echo the key in them."""
        has_key = KeyFilter(key, *self.secrets).contains_key
        return tuple(
            model for model in models if not has_key(model.id, model.label, model.availability)
        )

    async def run_request(self, key: Secret, ask: Callable[[Any], Awaitable[T]]) -> T:
        """Put a request that is answered in one piece. Raises `errors.ProviderError`."""
        call = ProviderCall(self, Request("", ()), key, max_document_bytes=MAX_LIST_BYTES)
        failure: errors.ProviderError
        try:
            async with call.open_http_client() as http, asyncio.timeout(self.timeouts.idle):
                return await ask(call.create_client(http))
        except Exception as error:
            failure = call.sanitize_error(error)
        raise failure
