"""Chat Completions: OpenAI's older API, which every compatible server has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import openai

from streaming.events import Delta
from streaming.providers.catalog.options import ServerOptions
from streaming.providers.http.parse import (
    find_first,
    parse_content,
    parse_if_text,
    parse_reasoning,
    to_count,
    to_dict,
    to_dicts,
    to_id,
)
from streaming.providers.http.parsed import (
    ParsedEvent,
    Reason,
    Refusal,
    Repeat,
    ThoughtPart,
    WholeReply,
)
from streaming.providers.http.reasons import parse_reason
from streaming.providers.openai.client import OpenAISdkAdapter, find_error, parse_error
from streaming.providers.openai.tools import (
    build_chat_fields,
    build_chat_messages,
    format_chat_state,
    parse_chat_calls,
)
from streaming.providers.redaction import Secret
from streaming.providers.types import Request, Timeouts, Usage

PLACEHOLDER_KEY = "no-key-is-needed"
"""For the SDK, which insists on a key."""
STREAM_OPTIONS = {"include_usage": True, "include_obfuscation": False}


class ChatCompletionsAdapter(OpenAISdkAdapter):
    """The adapter over Chat Completions alone."""

    end_marker = "done"

    async def send(self, client: Any, request: Request) -> None:
        body = build_body(request, is_official=self.is_official)
        await client.chat.completions.create(**body, stream=True)

    def list_hints(self, request: Request) -> frozenset[str]:
        return frozenset(list_hints(request, is_official=self.is_official))

    def parse_event(self, event: dict[str, Any]) -> Iterator[ParsedEvent]:
        """The usage comes in a chunk of its own, after the end marker."""
        if failure := find_error(event):
            yield parse_error(failure)
        if counts := event.get("usage"):
            yield parse_usage(counts)
        elif "eval_count" in event:  # Ollama's own API
            yield Usage(to_count(event.get("prompt_eval_count")), to_count(event["eval_count"]))
        choice = find_first_choice(event)
        if "message" in choice and "delta" not in choice and "done" not in event:
            yield WholeReply()
        delta = find_delta(choice)
        yield from parse_delta(delta, choice)
        yield from parse_chat_calls(event, choice, delta)
        if reason := find_reason(event, choice, delta):
            yield reason

    def get_reply_id(self, event: dict[str, Any]) -> str:
        return to_id(event.get("id"))

    def build_call_state(self, request: Request, thoughts: list[dict[str, str]]) -> str:
        """Some models want their reasoning back, in the field in which they sent it."""
        return format_chat_state({"model": request.model} | thoughts[0]) if thoughts else ""


class CompatibleAdapter(ChatCompletionsAdapter):
    """A server that imitates OpenAI, at an address that the administrator set. Most of these
    servers run on the same machine and need no key."""

    is_keyless = True

    def __init__(
        self,
        *,
        base_url: str = "",
        timeouts: Timeouts | None = None,
        name: str = "",
        options: ServerOptions | None = None,
    ) -> None:
        self.options = options or ServerOptions()
        super().__init__(base_url=base_url, timeouts=timeouts or self.options.timeouts, name=name)
        self.secrets += tuple(self.options.headers.values())
        self.check_addresses = self.options.check_addresses

    def create_client(self, key: Secret, http: httpx2.AsyncClient) -> openai.AsyncOpenAI:
        client = super().create_client(key or Secret(PLACEHOLDER_KEY), http)
        client._custom_headers = {n: value.reveal() for n, value in self.options.headers.items()}
        if not key:
            http.event_hooks["request"].append(remove_placeholder_key)
        return client

    async def send(self, client: Any, request: Request) -> None:
        body = build_body(request, is_official=self.is_official)
        added = {n: value for n, value in self.options.body.items() if n not in body}
        body["extra_body"] = added | body["extra_body"]
        await client.chat.completions.create(**body, stream=True)


async def remove_placeholder_key(request: httpx2.Request) -> None:
    """Some proxies refuse every key that they don't know. A row may have the header too."""
    if request.headers.get("Authorization") == f"Bearer {PLACEHOLDER_KEY}":
        del request.headers["Authorization"]


def build_body(request: Request, *, is_official: bool) -> dict[str, Any]:
    """The request as the arguments of a chat completion.

    Parameters that may be unsupported are sent only if they were chosen.
    """
    system = [{"role": "system", "content": request.system}] if request.system else []
    echoes_to = "" if is_official else request.model
    messages = [each for turn in request.turns for each in build_chat_messages(turn, echoes_to)]
    body: dict[str, Any] = {
        "model": request.model,
        "messages": (),
        # not read by the SDK
        "extra_body": {"messages": system + messages} | build_chat_fields(request.tools),
    }
    hints = list_hints(request, is_official=is_official)
    if "stream_options" in hints:
        options = {name: value for name, value in STREAM_OPTIONS.items() if name in hints}
        body["stream_options"] = options
    if request.max_tokens is not None:
        body[_choose_limit_name(request, is_official=is_official)] = request.max_tokens
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.reasoning_effort is not None:
        body["reasoning_effort"] = request.reasoning_effort
    if request.verbosity is not None:
        body["verbosity"] = request.verbosity
    if "prompt_cache_key" in hints:
        body["prompt_cache_key"] = request.cache_key
    return body


def list_hints(request: Request, *, is_official: bool) -> set[str]:
    """The hints of the request. No stream options are sent if each of them is refused."""
    hints = {"include_usage"} | ({"include_obfuscation"} if is_official else set())
    hints -= request.omitted
    if hints and "stream_options" not in request.omitted:
        hints.add("stream_options")
    else:
        hints.clear()
    if is_official and request.cache_key and "prompt_cache_key" not in request.omitted:
        hints.add("prompt_cache_key")
    if request.max_tokens is not None and "token_limit_name" not in request.omitted:
        hints.add("token_limit_name")
    return hints


def _choose_limit_name(request: Request, *, is_official: bool) -> str:
    """Reasoning models accept only `max_completion_tokens`, most compatible servers only its older
    name. If a server refuses the one, it is asked with the other."""
    is_other = "token_limit_name" in request.omitted
    return "max_completion_tokens" if is_official != is_other else "max_tokens"


def find_first_choice(event: dict[str, Any]) -> dict[str, Any]:
    """Some servers send several choices, although one was requested. Ollama's own API has none: its
    events are what a choice is here (https://docs.ollama.com/api)."""
    choices = event.get("choices")
    if choices is None and "done" in event:
        text, reason = event.get("response"), event.get("done_reason")
        message = {"content": text, "thinking": event.get("thinking")}
        if event["done"] is True:
            reason = reason or "stop"
        return {"message": to_dict(event.get("message")) or message, "finish_reason": reason}
    return find_first(choices) or _wrap_text(choices)


def _wrap_text(choices: object) -> dict[str, Any]:
    """A choice for a text that stands in place of one."""
    first = choices[0] if isinstance(choices, list) and choices else choices
    return {"text": first} if isinstance(first, str) else {}


def find_delta(choice: dict[str, Any]) -> dict[str, Any]:
    """The message of a choice, or what is new in it. Some servers answer in one piece although they
    are asked for a stream, some as the API before this one did, with the text in the choice."""
    delta = choice.get("delta")
    if isinstance(delta, dict):
        return delta
    if delta:
        return next(iter(to_dicts(delta)), {"content": delta})
    if message := choice.get("message"):
        return to_dict(message) or {"content": message}
    return {"content": choice.get("text") or choice.get("content")}


REASON_KEYS = ("finish_reason", "finishReason", "stop_reason", "stopReason", "done_reason")


def find_reason(
    event: dict[str, Any], choice: dict[str, Any], delta: dict[str, Any]
) -> Reason | None:
    """Why the reply ends. Some servers give it under the name of another API, or beside the choice
    or in the delta. An id of a token is no reason."""
    if found := parse_reason(choice.get("finish_reason")):
        return found
    for part in (choice, delta, event):
        for key in REASON_KEYS:
            if key in part and isinstance(part[key], str) and (found := parse_reason(part[key])):
                return found
    return None


REASONING_FIELDS = (
    "reasoning",
    "reasoning_content",
    "thinking",
    "reasoning_details",
    "reasoning_text",
    "thinking_blocks",
    "thought",
)
"""The names of reasoning in a delta. The API defines none; servers send the same reasoning under
several at once, so the first that has any counts."""


_REASONING_FIELDS = frozenset(REASONING_FIELDS)
OTHER_TEXT_FIELDS = frozenset({"text", "value", "output_text"})
"""The names of a text in a delta without content,"""
FIELDS_BESIDE_DELTA = frozenset({"text", "content", "message"})
"""and of one beside it."""


def parse_delta(delta: dict[str, Any], choice: dict[str, Any]) -> Iterator[ParsedEvent]:
    """`choice` is the one that has this delta, and may have the text beside it."""
    if not _REASONING_FIELDS.isdisjoint(delta):
        for name in REASONING_FIELDS:
            if (value := delta.get(name)) and (reasoning := parse_reasoning(value)):
                yield from reasoning
                if name == "reasoning_content" and isinstance(value, str):
                    yield ThoughtPart("", {name: value})
                break
    content = delta.get("content")
    if content and isinstance(content, str):  # nearly always
        yield Delta(content)
    elif content:
        yield from parse_content(content)
    elif not (OTHER_TEXT_FIELDS.isdisjoint(delta) and FIELDS_BESIDE_DELTA.isdisjoint(choice)):
        yield from parse_misplaced(delta, choice)
    if (refusal := delta.get("refusal")) and isinstance(refusal, str):
        yield Delta(refusal)
        yield Refusal()


def parse_misplaced(delta: dict[str, Any], choice: dict[str, Any]) -> Iterator[ParsedEvent]:
    """The text under another name in a delta without content, or beside it. With the reason, it may
    be all of the text once more, and a message always may."""
    renamed = {name: value for name, value in delta.items() if value and name != "refusal"}
    if found := parse_if_text(renamed):
        yield from found
    elif "delta" in choice:
        found = parse_if_text(choice.get("text")) or parse_if_text(choice.get("content"))
        if found and not choice.get("finish_reason"):
            yield from found
        else:
            message = to_dict(choice.get("message"))
            yield Repeat(found or parse_if_text(message.get("content")), "reply")


def parse_usage(value: object) -> Usage:
    counts = to_dict(value)
    prompt = to_dict(counts.get("prompt_tokens_details"))
    completion = to_dict(counts.get("completion_tokens_details"))
    return Usage(
        input=to_count(counts.get("prompt_tokens")),
        output=to_count(counts.get("completion_tokens")),
        reasoning=to_count(completion.get("reasoning_tokens")),
        cached=to_count(prompt.get("cached_tokens")),
        cache_written=to_count(prompt.get("cache_write_tokens")) or None,
    )
