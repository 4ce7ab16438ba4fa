"""OpenAI as one provider: Responses, or Chat Completions if a server has nothing else.

Another server that only has Chat Completions is recognised by its error for an unknown address, and
from then on called with that API.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing

from streaming.providers import errors
from streaming.providers.adapter import ReplyEvent
from streaming.providers.http.classify import REDIRECT_STATUSES
from streaming.providers.openai.chat_completions import ChatCompletionsAdapter
from streaming.providers.openai.responses import ResponsesAdapter
from streaming.providers.redaction import Secret
from streaming.providers.types import Request, Timeouts

MESSAGES_MISSING = re.compile(
    r"\bmessages\b.{0,40}\b(required|missing)|\b(required|missing)\b.{0,40}\bmessages\b",
    re.IGNORECASE,
)
_chat_only_urls: set[str] = set()


class OpenAIAdapter:
    """The adapter over both APIs of one server."""

    def __init__(
        self, *, base_url: str = "", timeouts: Timeouts | None = None, name: str = ""
    ) -> None:
        self.responses = ResponsesAdapter(base_url=base_url, timeouts=timeouts)
        self.chat = ChatCompletionsAdapter(base_url=base_url, timeouts=timeouts)
        self.list_models = self.responses.list_models
        self.cancel = self.responses.cancel

    def stream(self, request: Request, key: Secret) -> AsyncGenerator[ReplyEvent, None]:
        """Raises `errors.ProviderError`; cancelling closes the connection."""
        if self.responses.is_official or request.upstream:
            return self.responses.stream(request, key)
        return self._stream_with_fallback(request, key)

    async def _stream_with_fallback(
        self, request: Request, key: Secret
    ) -> AsyncGenerator[ReplyEvent, None]:
        if self.responses.base_url not in _chat_only_urls:
            has_begun = False
            try:
                async with aclosing(self.responses.stream(request, key)) as events:
                    async for event in events:
                        has_begun = True
                        yield event
                return
            except errors.ProviderError as error:
                if has_begun or not is_unknown_endpoint(error):
                    raise
        async with aclosing(self.chat.stream(request, key)) as events:
            async for event in events:
                _chat_only_urls.add(self.responses.base_url)
                yield event


def is_unknown_endpoint(error: errors.ProviderError) -> bool:
    """Whether the server knows no such address, rather than no such model. One that reads any
    address as Chat Completions lacks the messages, which Responses has under another name."""
    if isinstance(error, errors.WrongAddress):
        return error.status not in REDIRECT_STATUSES
    if isinstance(error, errors.BadRequest) and MESSAGES_MISSING.search(error.detail):
        return True
    return error.status in {404, 405, 501} and "model" not in error.detail.lower()
