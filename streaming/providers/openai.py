"""OpenAI's Responses, which can keep a copy of a reply to go on from.

A server elsewhere that only knows Chat Completions is found out by its 404 and from then on asked
in that way.
"""

import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

import openai

from . import errors
from .base import Delta, Event, Kind, Reason, Request, Timeouts, Upstream, Usage
from .exchange import Exchange, understood, whole
from .openai_chat import Chat, failed
from .openai_sdk import OverOpenAI, said

FEWEST_TOKENS = 16  # The API refuses a lower limit.
EVENT_LIMIT = 8 << 20  # Bytes. The last events repeat the whole text, each in one piece.

# Only these know what a summary of their reasoning is; the others refuse the word.
REASONING_MODELS = re.compile(r"o\d|gpt-([5-9]|\d\d)|gpt-oss")
KINDS: dict[str, Kind] = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "text",
    "response.reasoning_summary_text.delta": "reasoning",
    "response.reasoning_text.delta": "reasoning",
}
INCOMPLETE: dict[str, Reason] = {
    "max_output_tokens": "length",
    "content_filter": "content_filter",
}

_no_summary: set[int] = set()  # Hashes of server, model and key.
_only_chat: set[str] = set()  # Base URLs.


class OpenAI:
    """The adapter: Responses, and Chat Completions where a server knows nothing else."""

    def __init__(self, *, base_url: str = "", timeouts: Timeouts | None = None) -> None:
        self.responses = Responses(base_url=base_url, timeouts=timeouts)
        self.chat = Chat(base_url=base_url, timeouts=timeouts)
        self.models = self.responses.models
        self.cancel = self.responses.cancel

    def stream(self, request: Request, key: str) -> AsyncGenerator[Event, None]:
        """Stream one reply. Raises `errors.ProviderError`; cancelling closes the connection."""
        if self.responses.official or request.upstream:
            return self.responses.stream(request, key)
        return self._either(request, key)

    async def _either(self, request: Request, key: str) -> AsyncGenerator[Event, None]:
        if self.responses.base_url not in _only_chat:
            try:
                async with aclosing(self.responses.stream(request, key)) as events:
                    async for event in events:
                        yield event
                return
            except errors.ProviderError as error:
                if not unknown_address(error):
                    del key
                    raise
        events = self.chat.stream(request, key)
        del key
        async with aclosing(events):
            async for event in events:
                _only_chat.add(self.responses.base_url)
                yield event


def unknown_address(error: errors.ProviderError) -> bool:
    """Whether the server knows nothing at this address, rather than not this model."""
    return error.status in {404, 405, 501} and "model" not in error.detail.lower()


class Responses(OverOpenAI):
    """The adapter over Responses alone."""

    async def open(self, client: Any, exchange: Exchange) -> AsyncGenerator[Any, None]:
        """Put the request, or ask for the rest of a reply that the provider has a copy of."""
        exchange.limit = EVENT_LIMIT
        if upstream := exchange.request.upstream:
            exchange.upstream_id = upstream.id
            after = int(upstream.cursor or 0)
            await client.responses.retrieve(upstream.id, stream=True, starting_after=after)
        else:
            await self._create(client, exchange.request)
        return exchange.sent("x-request-id")

    async def _create(self, client: openai.AsyncOpenAI, request: Request) -> Any:
        """Only verified organisations get summaries of reasoning; the others are told so."""
        here = hash((self.base_url, request.model, client.api_key))
        summary = here not in _no_summary and REASONING_MODELS.match(request.model) is not None
        try:
            return await client.responses.create(**self._body(request, summary), stream=True)
        except openai.BadRequestError as error:
            if not summary or "reasoning.summary" not in f"{error.param} {error.message}":
                raise
        _no_summary.add(here)
        return await client.responses.create(**self._body(request, summary=False), stream=True)

    def _body(self, request: Request, summary: bool) -> dict[str, Any]:
        return body(request, official=self.official, summary=summary)

    def read(self, event: dict[str, Any], exchange: Exchange) -> Iterator[Delta]:
        """Each event counts up, which is where a kept reply can be gone on from."""
        response = event.get("response") or {}
        place = self._place(event, response, exchange)
        match event.get("type"):
            case str() as kind if kind in KINDS:
                exchange.refused = exchange.refused or kind == "response.refusal.delta"
                yield Delta(whole(event["delta"]), KINDS[kind], place)
            case "response.created" if place:
                yield Delta("", upstream=place)
            case "response.reasoning_summary_part.added" if event.get("summary_index"):
                yield Delta("\n\n", "reasoning", place)
            case "response.completed":
                self._end(response, "refusal" if exchange.refused else "stop", exchange)
            case "response.incomplete":
                why = (response.get("incomplete_details") or {}).get("reason") or ""
                self._end(response, INCOMPLETE.get(why, "other"), exchange)
            case "response.failed":
                failure = response.get("error") or {"message": "The response failed."}
                raise understood(said(failure), self.name, exchange.scrub)
            case _ if failure := failed(event):
                raise understood(said(failure), self.name, exchange.scrub)

    def _place(
        self, event: dict[str, Any], response: dict[str, Any], exchange: Exchange
    ) -> Upstream | None:
        if response:
            exchange.named(response.get("id"))
        if not exchange.request.background and not exchange.request.upstream:
            return None
        exchange.upstream_id = exchange.upstream_id or response.get("id") or ""
        return Upstream(exchange.upstream_id, str(event["sequence_number"]))

    def _end(self, response: dict[str, Any], reason: Reason, exchange: Exchange) -> None:
        exchange.reason = reason
        exchange.usage = usage(response["usage"]) if response.get("usage") else None
        exchange.done = True

    async def cancel(self, upstream: Upstream, key: str) -> None:
        """Stop a kept reply at the provider. Raises `errors.ProviderError`."""
        exchange = self._exchange(Request("", ()), key)
        speaking = self._speaking(key, exchange)
        del key
        try:
            async with speaking as client:
                await client.responses.cancel(upstream.id)
                return
        except Exception as error:
            failure = self._failure(error, exchange)
        raise failure


def body(request: Request, *, official: bool, summary: bool) -> dict[str, Any]:
    """Our request as the arguments of a response. Nothing is stored that need not be.

    The SDK looks through all that it is given for names to translate, which for a long conversation
    costs more than the whole reply; what stands in `extra_body` it sends as it is.
    """
    turns = [{"role": turn.role, "content": turn.text} for turn in request.turns]
    arguments: dict[str, Any] = {
        "model": request.model,
        "store": request.background,
        "extra_body": {"input": turns},
    }
    if request.background:
        arguments["background"] = True
    if official:
        arguments["stream_options"] = {"include_obfuscation": False}
    if request.system:
        arguments["instructions"] = request.system
    if request.max_tokens is not None:
        arguments["max_output_tokens"] = max(request.max_tokens, FEWEST_TOKENS)
    if request.temperature is not None:
        arguments["temperature"] = request.temperature
    effort = {"effort": request.reasoning_effort} if request.reasoning_effort is not None else {}
    if reasoning := effort | ({"summary": "auto"} if summary else {}):
        arguments["reasoning"] = reasoning
    return arguments


def usage(counted: dict[str, Any]) -> Usage:
    """The tokens of the whole request, which come with its end."""
    return Usage(
        input=counted.get("input_tokens"),
        output=counted.get("output_tokens"),
        reasoning=(counted.get("output_tokens_details") or {}).get("reasoning_tokens"),
        cached=(counted.get("input_tokens_details") or {}).get("cached_tokens"),
    )
