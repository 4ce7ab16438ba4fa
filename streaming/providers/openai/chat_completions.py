"""Chat Completions: OpenAI's older API, which every compatible server has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from streaming.events import Delta
from streaming.providers.http.parse import normalize_reason, require_str
from streaming.providers.http.parsed import ParsedEvent, Reason, Refusal
from streaming.providers.openai.client import OpenAISdkAdapter, find_error, parse_error
from streaming.providers.types import FinishReason, Request, Usage

FINISH_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}


class ChatCompletionsAdapter(OpenAISdkAdapter):
    """The adapter over Chat Completions alone."""

    end_marker = "done"

    async def send(self, client: Any, request: Request) -> None:
        body = build_body(request, is_official=self.is_official)
        await client.chat.completions.create(**body, stream=True)

    def parse_event(self, event: dict[str, Any]) -> Iterator[ParsedEvent]:
        """The usage comes in a chunk of its own, after the end marker."""
        if failure := find_error(event):
            yield parse_error(failure)
        if counts := event.get("usage"):
            yield parse_usage(counts)
        choice: dict[str, Any] = next(filter(_is_first_choice, event.get("choices") or ()), {})
        # Some servers answer in one piece although they are asked for a stream.
        if delta := choice.get("delta") or choice.get("message"):
            yield from parse_delta(delta)
        if reason := normalize_reason(choice.get("finish_reason")):
            yield Reason(FINISH_REASONS.get(reason.lower(), "other"))

    def get_reply_id(self, event: dict[str, Any]) -> str:
        return event.get("id") or ""


class CompatibleAdapter(ChatCompletionsAdapter):
    """A server that imitates OpenAI, at an address that the administrator set. Most of these
    servers run on the same machine and need no key."""

    is_keyless = True


def build_body(request: Request, *, is_official: bool) -> dict[str, Any]:
    """The request as the arguments of a chat completion.

    Reasoning models accept only `max_completion_tokens`, most compatible servers only its older
    name. Parameters that may be unsupported are sent only if they were chosen.
    """
    system = [{"role": "system", "content": request.system}] if request.system else []
    turns = [{"role": turn.role, "content": turn.text} for turn in request.turns]
    options: dict[str, Any] = {"include_usage": True}
    if is_official:
        options["include_obfuscation"] = False
    body: dict[str, Any] = {
        "model": request.model,
        "messages": (),
        "extra_body": {"messages": system + turns},  # not read by the SDK
        "stream_options": options,
    }
    if request.max_tokens is not None:
        body["max_completion_tokens" if is_official else "max_tokens"] = request.max_tokens
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.reasoning_effort is not None:
        body["reasoning_effort"] = request.reasoning_effort
    return body


def _is_first_choice(choice: dict[str, Any]) -> bool:
    """Some servers send several choices, although one was requested."""
    return not choice.get("index")


def parse_delta(delta: dict[str, Any]) -> Iterator[ParsedEvent]:
    """The API defines no reasoning; servers send it under two names."""
    reasoning = delta.get("reasoning") or delta.get("reasoning_content")
    if isinstance(reasoning, str):
        yield Delta(reasoning, "reasoning")
    content = delta.get("content")
    if isinstance(content, list):
        yield from parse_content_parts(content)
    else:
        yield Delta(require_str(content))
    if refusal := delta.get("refusal"):
        yield Delta(require_str(refusal))
        yield Refusal()


def parse_content_parts(content: list[Any]) -> Iterator[Delta]:
    """Yield reasoning and text, as Mistral's reasoning models send them
    (https://docs.mistral.ai/capabilities/reasoning); other parts are no text."""
    for part in content:
        match part["type"]:
            case "text":
                yield Delta(require_str(part["text"]))
            case "thinking":
                yield from (
                    Delta(each.text, "reasoning") for each in parse_content_parts(part["thinking"])
                )


def parse_usage(counts: dict[str, Any]) -> Usage:
    prompt = counts.get("prompt_tokens_details") or {}
    completion = counts.get("completion_tokens_details") or {}
    return Usage(
        input=counts.get("prompt_tokens"),
        output=counts.get("completion_tokens"),
        reasoning=completion.get("reasoning_tokens"),
        cached=prompt.get("cached_tokens"),
        cache_written=prompt.get("cache_write_tokens") or None,
    )
