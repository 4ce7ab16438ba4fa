"""Chat Completions: OpenAI's older API, and what every compatible server speaks."""

from collections.abc import AsyncGenerator, Iterator
from typing import Any

from .base import Delta, FinishReason, Request, Timeouts, Usage
from .http_adapter import ProviderCall, normalize_reason, require_str, to_provider_error
from .openai_sdk import OpenAISdkAdapter, parse_error

FINISH_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}


class ChatCompletionsAdapter(OpenAISdkAdapter):
    """The adapter."""

    end_marker = "done"

    async def send(self, client: Any, call: ProviderCall) -> AsyncGenerator[Any, None]:
        """Put the request; the chunks."""
        arguments = build_request_params(call.request, is_official=self.is_official)
        await client.chat.completions.create(**arguments, stream=True)
        return call.iter_response_events("x-request-id")

    def parse_event(self, event: dict[str, Any], call: ProviderCall) -> Iterator[Delta]:
        """The usage comes in a chunk of its own, after the end marker."""
        if failure := find_error(event):
            raise to_provider_error(parse_error(failure), self.name, call.redact)
        if counted := event.get("usage"):
            call.usage = parse_usage(counted)
        call.record_request_id(event.get("id"))
        choice: dict[str, Any] = next(filter(_is_first_choice, event.get("choices") or ()), {})
        # Some servers answer in one piece although they are asked for a stream.
        if delta := choice.get("delta") or choice.get("message"):
            yield from parse_delta(delta)
            call.has_refusal = call.has_refusal or bool(delta.get("refusal"))
        if stopped := normalize_reason(choice.get("finish_reason")):
            reason = FINISH_REASONS.get(stopped.lower(), "other")
            call.finish_reason = "refusal" if call.has_refusal and reason == "stop" else reason


class CompatibleAdapter(ChatCompletionsAdapter):
    """A server that imitates OpenAI, at an address that the administrator set; most of them run
    on the same machine and want no key."""

    def __init__(self, *, base_url: str, timeouts: Timeouts | None = None, name: str = "") -> None:
        super().__init__(base_url=base_url, timeouts=timeouts, name=name)
        self.is_keyless = True


def build_request_params(request: Request, *, is_official: bool) -> dict[str, Any]:
    """Our request as the arguments of a chat completion.

    The reasoning models know only `max_completion_tokens`, most compatible servers only its
    older name; what may be refused and wasn't asked for is left out.
    """
    system = [{"role": "system", "content": request.system}] if request.system else []
    turns = [{"role": turn.role, "content": turn.text} for turn in request.turns]
    options: dict[str, Any] = {"include_usage": True}
    if is_official:
        options["include_obfuscation"] = False
    arguments: dict[str, Any] = {
        "model": request.model,
        "messages": (),
        "extra_body": {"messages": system + turns},  # not read by the SDK
        "stream_options": options,
    }
    if request.max_tokens is not None:
        arguments["max_completion_tokens" if is_official else "max_tokens"] = request.max_tokens
    if request.temperature is not None:
        arguments["temperature"] = request.temperature
    if request.reasoning_effort is not None:
        arguments["reasoning_effort"] = request.reasoning_effort
    return arguments


def find_error(event: dict[str, Any]) -> Any:
    """The error that an event tells of; servers have several ways to put it."""
    if error := event.get("error"):
        return error
    if "error" in (event.get("object"), event.get("type")):
        return event
    ended = next((c for c in event.get("choices") or () if c.get("finish_reason") == "error"), None)
    return ended and (ended.get("error") or {"message": "The reply ended in an error."})


def _is_first_choice(choice: dict[str, Any]) -> bool:
    """Whether this is the one reply that was asked for, of those that a server sends."""
    return not choice.get("index")


def parse_delta(delta: dict[str, Any]) -> Iterator[Delta]:
    """What a chunk adds. Reasoning is no part of the API; servers that send it name it twofold."""
    reasoning = delta.get("reasoning") or delta.get("reasoning_content")
    if isinstance(reasoning, str):
        yield Delta(reasoning, "reasoning")
    content = delta.get("content")
    yield from (
        parse_content_parts(content) if isinstance(content, list) else [Delta(require_str(content))]
    )
    if refusal := delta.get("refusal"):
        yield Delta(require_str(refusal))


def parse_content_parts(content: list[Any]) -> Iterator[Delta]:
    """Thoughts and text apart, as Mistral's models that reason send them
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
    """The tokens of the whole request."""
    prompt = counts.get("prompt_tokens_details") or {}
    completion = counts.get("completion_tokens_details") or {}
    return Usage(
        input=counts.get("prompt_tokens"),
        output=counts.get("completion_tokens"),
        reasoning=completion.get("reasoning_tokens"),
        cached=prompt.get("cached_tokens"),
    )
