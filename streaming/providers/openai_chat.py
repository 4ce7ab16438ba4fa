"""Chat Completions: OpenAI's older API, and what every compatible server speaks."""

from collections.abc import AsyncGenerator, Iterator
from typing import Any

from .base import Delta, Reason, Request, Timeouts, Usage
from .exchange import Exchange, understood, whole, word
from .openai_sdk import OverOpenAI, said

REASONS: dict[str, Reason] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}


class Chat(OverOpenAI):
    """The adapter."""

    last = "done"

    async def open(self, client: Any, exchange: Exchange) -> AsyncGenerator[Any, None]:
        """Put the request; the chunks."""
        arguments = body(exchange.request, official=self.official)
        await client.chat.completions.create(**arguments, stream=True)
        return exchange.sent("x-request-id")

    def read(self, event: dict[str, Any], exchange: Exchange) -> Iterator[Delta]:
        """The usage comes in a chunk of its own, after the end marker."""
        if failure := failed(event):
            raise understood(said(failure), self.name, exchange.scrub)
        if counted := event.get("usage"):
            exchange.usage = usage(counted)
        exchange.named(event.get("id"))
        choice: dict[str, Any] = next(filter(_first, event.get("choices") or ()), {})
        # Some servers answer in one piece although they are asked for a stream.
        if delta := choice.get("delta") or choice.get("message"):
            yield from added(delta)
            exchange.refused = exchange.refused or bool(delta.get("refusal"))
        if stopped := word(choice.get("finish_reason")):
            reason = REASONS.get(stopped.lower(), "other")
            exchange.reason = "refusal" if exchange.refused and reason == "stop" else reason


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
        "messages": (),
        "extra_body": {"messages": system + turns},  # unread by the SDK: see the other `body`
        "stream_options": options,
    }
    if request.max_tokens is not None:
        arguments["max_completion_tokens" if official else "max_tokens"] = request.max_tokens
    if request.temperature is not None:
        arguments["temperature"] = request.temperature
    if request.reasoning_effort is not None:
        arguments["reasoning_effort"] = request.reasoning_effort
    return arguments


def failed(event: dict[str, Any]) -> Any:
    """The error that an event tells of; servers have several ways to put it."""
    if error := event.get("error"):
        return error
    if "error" in (event.get("object"), event.get("type")):
        return event
    ended = next((c for c in event.get("choices") or () if c.get("finish_reason") == "error"), None)
    return ended and (ended.get("error") or {"message": "The reply ended in an error."})


def _first(choice: dict[str, Any]) -> bool:
    """Whether this is the one reply that was asked for, of those that a server sends."""
    return not choice.get("index")


def added(delta: dict[str, Any]) -> Iterator[Delta]:
    """What a chunk adds. Reasoning is no part of the API; servers that send it name it twofold."""
    reasoning = delta.get("reasoning") or delta.get("reasoning_content")
    if isinstance(reasoning, str):
        yield Delta(reasoning, "reasoning")
    content = delta.get("content")
    yield from parts(content) if isinstance(content, list) else [Delta(whole(content))]
    if refusal := delta.get("refusal"):
        yield Delta(whole(refusal))


def parts(content: list[Any]) -> Iterator[Delta]:
    """Thoughts and text apart, as Mistral's models that reason send them
    (https://docs.mistral.ai/capabilities/reasoning); other parts are no text."""
    for part in content:
        match part["type"]:
            case "text":
                yield Delta(whole(part["text"]))
            case "thinking":
                yield from (Delta(each.text, "reasoning") for each in parts(part["thinking"]))


def usage(counted: dict[str, Any]) -> Usage:
    """The tokens of the whole request."""
    prompt = counted.get("prompt_tokens_details") or {}
    completion = counted.get("completion_tokens_details") or {}
    return Usage(
        input=counted.get("prompt_tokens"),
        output=counted.get("completion_tokens"),
        reasoning=completion.get("reasoning_tokens"),
        cached=prompt.get("cached_tokens"),
    )
