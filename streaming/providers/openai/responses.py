"""OpenAI's Responses API, which can keep a copy of a reply to continue from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import openai

from streaming.events import Delta, DeltaKind
from streaming.providers.http.parse import (
    TEXT_KEYS,
    parse_content,
    parse_reasoning,
    to_count,
    to_dict,
    to_dicts,
    to_id,
    to_str,
)
from streaming.providers.http.parsed import EndMark, ParsedEvent, Reason, Refusal, Repeat
from streaming.providers.http.reasons import parse_reason
from streaming.providers.http.wordings import REFUSED_TO_ACCOUNT
from streaming.providers.openai.client import OpenAISdkAdapter, find_error, parse_error
from streaming.providers.openai.tools import (
    build_response_fields,
    build_response_items,
    parse_response_calls,
    parse_response_part,
)
from streaming.providers.redaction import Secret
from streaming.providers.types import Request, Upstream, Usage

MIN_OUTPUT_TOKENS = 16
"""The API refuses a lower limit."""
MAX_FINAL_EVENT_BYTES = 8 << 20
"""The last events repeat the whole text, each in one piece."""

REASONING_MODELS = re.compile(r"o\d|gpt-([5-9]|\d\d)|gpt-oss")
"""Only these summarize their reasoning; the others do not support the parameter."""
DELTA_KINDS: dict[str, DeltaKind] = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "text",
    "response.reasoning_summary_text.delta": "reasoning",
    "response.reasoning_text.delta": "reasoning",
}
REPEATED_FIELDS: dict[str, tuple[str, DeltaKind]] = {
    "response.output_text.done": ("text", "text"),
    "response.refusal.done": ("refusal", "text"),
    "response.reasoning_summary_text.done": ("text", "reasoning"),
    "response.reasoning_text.done": ("text", "reasoning"),
}
"""Events with all of the text of a part, which some servers send without its deltas."""
CALL_EVENTS = {
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.output_item.added",
    "response.output_item.done",
}
END_EVENTS = {"response.completed", "response.incomplete", "response.cancelled"}

_without_summary: set[int] = set()
"""Hashes of server, model and key."""


class ResponsesAdapter(OpenAISdkAdapter):
    """The adapter over Responses alone."""

    max_event_bytes = MAX_FINAL_EVENT_BYTES

    async def send(self, client: Any, request: Request) -> None:
        """Send the request, or ask for the rest of a reply that the provider has a copy of."""
        if upstream := request.upstream:
            after = int(upstream.cursor or 0)
            await client.responses.retrieve(upstream.id, stream=True, starting_after=after)
        else:
            await self._create_response(client, request)

    async def _create_response(self, client: openai.AsyncOpenAI, request: Request) -> None:
        """Only verified organisations get summaries of reasoning; others get an error. This is a
        fact of the key, so it is kept here, and not with the model."""
        here = hash((self.base_url, request.model, client.api_key))
        if here in _without_summary:
            request = replace(request, omitted=request.omitted | {"reasoning_summary"})
        body = build_body(request, is_official=self.is_official)
        try:
            await client.responses.create(**body, stream=True)
            return
        except openai.BadRequestError as error:
            words = f"{error.param} {error.message}"
            is_about_key = "reasoning.summary" in words and REFUSED_TO_ACCOUNT.search(words)
            if not is_about_key or "summary" not in body.get("reasoning", {}):
                raise
        _without_summary.add(here)
        await self._create_response(client, request)

    def list_hints(self, request: Request) -> frozenset[str]:
        return frozenset(list_hints(request, is_official=self.is_official))

    def parse_event(self, event: dict[str, Any]) -> Iterator[ParsedEvent]:
        kind = to_str(event.get("type"))
        if kind in DELTA_KINDS:  # nearly always
            if kind == "response.refusal.delta":
                yield Refusal()
            delta = event.get("delta")
            if isinstance(delta, str):
                yield Delta(delta, DELTA_KINDS[kind])
                return
            if delta is None:  # some servers have another name for it
                delta = next((event[key] for key in TEXT_KEYS if event.get(key)), None)
            yield from parse_content(delta, DELTA_KINDS[kind])
            return
        response = to_dict(event.get("response"))
        match kind:
            case "response.created":
                yield Delta("")  # there is a copy now
            case "response.reasoning_summary_part.added" if event.get("summary_index"):
                yield Delta("\n\n", "reasoning")
            case _ if kind in REPEATED_FIELDS:
                field, delta_kind = REPEATED_FIELDS[kind]
                yield Repeat(parse_content(event.get(field), delta_kind), "part")
                if kind == "response.refusal.done":
                    yield Refusal()
            case _ if kind in CALL_EVENTS:
                if kind == "response.output_item.done":
                    yield Repeat(_parse_item(to_dict(event.get("item"))), "item")
                yield from parse_response_part(kind.removeprefix("response."), event)
            case _ if kind in END_EVENTS:
                yield Repeat(_parse_output(response), "reply")
                yield from parse_response_calls(response)
                yield from _parse_refusals(response)
                yield from _parse_end(kind.removeprefix("response."), response)
            case "response.failed":
                yield parse_error(response.get("error") or {"message": "The response failed."})
            case _ if failure := find_error(event):
                yield parse_error(failure)
            case "" if event.get("object") == "response":  # in one piece
                yield from _parse_whole_response(event)

    def get_reply_id(self, event: dict[str, Any]) -> str:
        return to_id(to_dict(event.get("response")).get("id"))

    def get_cursor(self, event: dict[str, Any]) -> str:
        position = to_count(event.get("sequence_number"))
        return "" if position is None else str(position)

    async def cancel(self, upstream: Upstream, key: Secret) -> None:
        """Stop a kept reply at the provider. Raises `errors.ProviderError`."""
        await self.run_request(key, lambda client: client.responses.cancel(upstream.id))


def build_body(request: Request, *, is_official: bool) -> dict[str, Any]:
    """The request as the arguments of a response. The provider stores nothing without need.

    The SDK would search every argument for names to translate, which for a long conversation costs
    more than the whole reply. It sends `extra_body` as it is.
    """
    items = [item for turn in request.turns for item in build_response_items(turn)]
    body: dict[str, Any] = {
        "model": request.model,
        "extra_body": {"input": items} | build_response_fields(request.tools),
    }
    hints = list_hints(request, is_official=is_official)
    if "store" in hints:
        body["store"] = request.background
    if "background" in hints:
        body["background"] = True
    if "stream_options" in hints:
        body["stream_options"] = {"include_obfuscation": False}
    if "prompt_cache_key" in hints:
        body["prompt_cache_key"] = request.cache_key
    if request.system:
        body["instructions"] = request.system
    if request.max_tokens is not None:
        body["max_output_tokens"] = max(request.max_tokens, MIN_OUTPUT_TOKENS)
    if request.temperature is not None:
        body["temperature"] = request.temperature
    effort = {"effort": request.reasoning_effort} if request.reasoning_effort is not None else {}
    if reasoning := effort | ({"summary": "auto"} if "reasoning_summary" in hints else {}):
        body["reasoning"] = reasoning
    if request.verbosity is not None:
        body["text"] = {"verbosity": request.verbosity}
    return body


def list_hints(request: Request, *, is_official: bool) -> set[str]:
    hints = {"store"}
    if request.background:
        hints.add("background")
    if is_official and "include_obfuscation" not in request.omitted:
        hints |= {"stream_options", "include_obfuscation"}
    if is_official and request.cache_key:
        hints.add("prompt_cache_key")
    if REASONING_MODELS.match(request.model):
        hints.add("reasoning_summary")
    return hints - request.omitted


def _parse_output(response: dict[str, Any]) -> Iterator[Delta]:
    for item in to_dicts(response.get("output")):
        yield from _parse_item(item)


def _parse_item(item: dict[str, Any]) -> Iterator[Delta]:
    if item.get("type") == "reasoning":
        yield from parse_reasoning(item.get("content") or item.get("summary"))
    elif item.get("type") == "message":
        yield from parse_content(item.get("content"))


def _parse_refusals(response: dict[str, Any]) -> Iterator[Refusal]:
    for item in to_dicts(response.get("output")):
        for part in to_dicts(item.get("content")):
            if part.get("type") == "refusal":
                yield Refusal()


def _parse_whole_response(response: dict[str, Any]) -> Iterator[ParsedEvent]:
    yield from _parse_output(response)
    yield from parse_response_calls(response)
    yield from _parse_refusals(response)
    yield from _parse_end(to_str(response.get("status")) or "completed", response)


def _parse_end(status: str, response: dict[str, Any]) -> Iterator[ParsedEvent]:
    """Some servers end every reply as completed, and only the details or the status in it say that
    it is not. `status` is that of the event."""
    details = to_dict(response.get("incomplete_details"))
    said = [parse_reason(one) for one in (details.get("reason"), response.get("status"), status)]
    reason = next((one for one in said if one and one.meaning != "stop"), said[-1])
    if reason and reason.meaning == "other":
        reason = Reason("cut_off", reason.word)
    if reason:
        yield reason
    if counts := response.get("usage"):
        yield parse_usage(counts)
    yield EndMark()


def parse_usage(value: object) -> Usage:
    counts = to_dict(value)
    prompt = to_dict(counts.get("input_tokens_details"))
    output_details = to_dict(counts.get("output_tokens_details"))
    return Usage(
        input=to_count(counts.get("input_tokens")),
        output=to_count(counts.get("output_tokens")),
        reasoning=to_count(output_details.get("reasoning_tokens")),
        cached=to_count(prompt.get("cached_tokens")),
        cache_written=to_count(prompt.get("cache_write_tokens")) or None,
    )
