"""Chat Completions: OpenAI's older API, and what every compatible server speaks."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from openai.types.chat import ChatCompletionChunk

from .base import Delta, Reason, Request, Timeouts, Usage
from .exchange import Exchange, whole
from .openai_sdk import OverOpenAI

REASONS: dict[str, Reason] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}


class Chat(OverOpenAI):
    """The adapter."""

    async def open(self, client: Any, exchange: Exchange) -> AsyncIterator[Any]:
        """Put the request; the SDK's chunks."""
        arguments = body(exchange.request, official=self.official)
        chunks = await client.chat.completions.create(**arguments, stream=True)
        exchange.named(chunks.response.headers.get("x-request-id"))
        events: AsyncIterator[Any] = chunks
        return events

    def read(self, event: ChatCompletionChunk, exchange: Exchange) -> Iterator[Delta]:
        """The usage comes in a chunk of its own, after the end marker."""
        if event.usage:
            exchange.usage = usage(event.usage)
        exchange.named(event.id)
        if not event.choices:
            return
        choice = event.choices[0]
        if choice.delta:
            yield from added(choice.delta)
            exchange.refused = exchange.refused or bool(choice.delta.refusal)
        if choice.finish_reason:
            stopped = REASONS.get(choice.finish_reason, "other")
            exchange.reason = "refusal" if exchange.refused and stopped == "stop" else stopped


class Compatible(Chat):
    """A server that imitates OpenAI, at an address that the administrator set; most of them run
    on the same machine and want no key."""

    def __init__(self, *, base_url: str, timeouts: Timeouts | None = None, name: str = "") -> None:
        super().__init__(base_url=base_url, timeouts=timeouts, name=name)
        self.keyless = True


def body(request: Request, *, official: bool) -> dict[str, Any]:
    """Our request as the arguments of a chat completion.

    The reasoning models know only `max_completion_tokens`, most compatible servers only its
    older name; what may be refused and wasn't asked for is left out.
    """
    system = [{"role": "system", "content": request.system}] if request.system else []
    turns = [{"role": turn.role, "content": turn.text} for turn in request.turns]
    options: dict[str, Any] = {"include_usage": True}
    if official:
        options["include_obfuscation"] = False
    arguments: dict[str, Any] = {
        "model": request.model,
        "messages": system + turns,
        "stream_options": options,
    }
    if request.max_tokens is not None:
        arguments["max_completion_tokens" if official else "max_tokens"] = request.max_tokens
    if request.temperature is not None:
        arguments["temperature"] = request.temperature
    if request.reasoning_effort is not None:
        arguments["reasoning_effort"] = request.reasoning_effort
    return arguments


def added(delta: Any) -> Iterator[Delta]:
    """What a chunk adds. Reasoning is no part of the API; servers that send it name it twofold."""
    reasoning = getattr(delta, "reasoning", None) or getattr(delta, "reasoning_content", None)
    if reasoning:
        yield Delta(whole(reasoning), "reasoning")
    if delta.content:
        yield Delta(whole(delta.content))
    if delta.refusal:
        yield Delta(whole(delta.refusal))


def usage(counted: Any) -> Usage:
    """The tokens of the whole request."""
    prompt = getattr(counted, "prompt_tokens_details", None)
    completion = getattr(counted, "completion_tokens_details", None)
    return Usage(
        input=counted.prompt_tokens,
        output=counted.completion_tokens,
        reasoning=getattr(completion, "reasoning_tokens", None),
        cached=getattr(prompt, "cached_tokens", None),
    )
