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
from .base import Delta, DeltaKind, FinishReason, ReplyEvent, Request, Timeouts, Upstream, Usage
from .http_adapter import ProviderCall, require_str, to_provider_error
from .openai_chat import ChatCompletionsAdapter, find_error
from .openai_sdk import OpenAISdkAdapter, parse_error

MIN_OUTPUT_TOKENS = 16  # The API refuses a lower limit.
MAX_FINAL_EVENT_BYTES = 8 << 20  # Bytes. The last events repeat the whole text, each in one piece.

# Only these know what a summary of their reasoning is; the others refuse the word.
REASONING_MODELS = re.compile(r"o\d|gpt-([5-9]|\d\d)|gpt-oss")
DELTA_KINDS: dict[str, DeltaKind] = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "text",
    "response.reasoning_summary_text.delta": "reasoning",
    "response.reasoning_text.delta": "reasoning",
}
INCOMPLETE_REASONS: dict[str, FinishReason] = {
    "max_output_tokens": "length",
    "content_filter": "content_filter",
}

_without_summary: set[int] = set()  # Hashes of server, model and key.
_chat_only_urls: set[str] = set()  # Base URLs.


class OpenAIAdapter:
    """The adapter: Responses, and Chat Completions where a server knows nothing else."""

    def __init__(self, *, base_url: str = "", timeouts: Timeouts | None = None) -> None:
        self.responses = ResponsesAdapter(base_url=base_url, timeouts=timeouts)
        self.chat = ChatCompletionsAdapter(base_url=base_url, timeouts=timeouts)
        self.list_models = self.responses.list_models
        self.cancel = self.responses.cancel

    def stream(self, request: Request, key: str) -> AsyncGenerator[ReplyEvent, None]:
        """Stream one reply. Raises `errors.ProviderError`; cancelling closes the connection."""
        if self.responses.is_official or request.upstream:
            return self.responses.stream(request, key)
        return self._stream_with_fallback(request, key)

    async def _stream_with_fallback(
        self, request: Request, key: str
    ) -> AsyncGenerator[ReplyEvent, None]:
        if self.responses.base_url not in _chat_only_urls:
            try:
                async with aclosing(self.responses.stream(request, key)) as events:
                    async for event in events:
                        yield event
                return
            except errors.ProviderError as error:
                if not is_unknown_endpoint(error):
                    del key
                    raise
        events = self.chat.stream(request, key)
        del key
        async with aclosing(events):
            async for event in events:
                _chat_only_urls.add(self.responses.base_url)
                yield event


def is_unknown_endpoint(error: errors.ProviderError) -> bool:
    """Whether the server knows nothing at this address, rather than not this model."""
    return error.status in {404, 405, 501} and "model" not in error.detail.lower()


class ResponsesAdapter(OpenAISdkAdapter):
    """The adapter over Responses alone."""

    async def send(self, client: Any, call: ProviderCall) -> AsyncGenerator[Any, None]:
        """Put the request, or ask for the rest of a reply that the provider has a copy of."""
        call.max_event_bytes = MAX_FINAL_EVENT_BYTES
        if upstream := call.request.upstream:
            call.upstream_id = upstream.id
            after = int(upstream.cursor or 0)
            await client.responses.retrieve(upstream.id, stream=True, starting_after=after)
        else:
            await self._create_response(client, call.request)
        return call.iter_response_events("x-request-id")

    async def _create_response(self, client: openai.AsyncOpenAI, request: Request) -> Any:
        """Only verified organisations get summaries of reasoning; the others are told so."""
        here = hash((self.base_url, request.model, client.api_key))
        summary = here not in _without_summary and REASONING_MODELS.match(request.model) is not None
        try:
            return await client.responses.create(
                **self._build_request_params(request, summary), stream=True
            )
        except openai.BadRequestError as error:
            if not summary or "reasoning.summary" not in f"{error.param} {error.message}":
                raise
        _without_summary.add(here)
        return await client.responses.create(
            **self._build_request_params(request, with_summary=False), stream=True
        )

    def _build_request_params(self, request: Request, with_summary: bool) -> dict[str, Any]:
        return build_request_params(
            request, is_official=self.is_official, with_summary=with_summary
        )

    def parse_event(self, event: dict[str, Any], call: ProviderCall) -> Iterator[Delta]:
        """Each event counts up, which is where a kept reply can be gone on from."""
        response = event.get("response") or {}
        place = self._read_checkpoint(event, response, call)
        match event.get("type"):
            case str() as kind if kind in DELTA_KINDS:
                call.has_refusal = call.has_refusal or kind == "response.refusal.delta"
                yield Delta(require_str(event["delta"]), DELTA_KINDS[kind], place)
            case "response.created" if place:
                yield Delta("", checkpoint=place)
            case "response.reasoning_summary_part.added" if event.get("summary_index"):
                yield Delta("\n\n", "reasoning", place)
            case "response.completed":
                self._record_end(response, "refusal" if call.has_refusal else "stop", call)
            case "response.incomplete":
                why = (response.get("incomplete_details") or {}).get("reason") or ""
                self._record_end(response, INCOMPLETE_REASONS.get(why, "other"), call)
            case "response.failed":
                failure = response.get("error") or {"message": "The response failed."}
                raise to_provider_error(parse_error(failure), self.name, call.redact)
            case _ if failure := find_error(event):
                raise to_provider_error(parse_error(failure), self.name, call.redact)

    def _read_checkpoint(
        self, event: dict[str, Any], response: dict[str, Any], call: ProviderCall
    ) -> str:
        if response:
            call.record_request_id(response.get("id"))
        if not call.request.background and not call.request.upstream:
            return ""
        call.upstream_id = call.upstream_id or response.get("id") or ""
        return f"{call.upstream_id} {event['sequence_number']}"

    def _record_end(
        self, response: dict[str, Any], reason: FinishReason, call: ProviderCall
    ) -> None:
        call.finish_reason = reason
        call.usage = parse_usage(response["usage"]) if response.get("usage") else None
        call.has_end_event = True

    async def cancel(self, upstream: Upstream, key: str) -> None:
        """Stop a kept reply at the provider. Raises `errors.ProviderError`."""
        exchange = self._new_call(Request("", ()), key)
        speaking = self._open_client(key, exchange)
        del key
        try:
            async with speaking as client:
                await client.responses.cancel(upstream.id)
                return
        except Exception as error:
            failure = self._sanitize_error(error, exchange)
        raise failure


def build_request_params(
    request: Request, *, is_official: bool, with_summary: bool
) -> dict[str, Any]:
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
    if is_official:
        arguments["stream_options"] = {"include_obfuscation": False}
    if request.system:
        arguments["instructions"] = request.system
    if request.max_tokens is not None:
        arguments["max_output_tokens"] = max(request.max_tokens, MIN_OUTPUT_TOKENS)
    if request.temperature is not None:
        arguments["temperature"] = request.temperature
    effort = {"effort": request.reasoning_effort} if request.reasoning_effort is not None else {}
    if reasoning := effort | ({"summary": "auto"} if with_summary else {}):
        arguments["reasoning"] = reasoning
    return arguments


def parse_usage(counts: dict[str, Any]) -> Usage:
    """The tokens of the whole request, which come with its end."""
    return Usage(
        input=counts.get("input_tokens"),
        output=counts.get("output_tokens"),
        reasoning=(counts.get("output_tokens_details") or {}).get("reasoning_tokens"),
        cached=(counts.get("input_tokens_details") or {}).get("cached_tokens"),
    )
